"""The field piece of two hidden units: labels that the signs of two correlated fields make.

The coordinates are the student's fields along the uniform direction and the difference,
``x_u = (h_1 + h_2)/sqrt(2)`` and ``x = (h_1 - h_2)/sqrt(2)``, which are independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import sympy as sp

from replica.calculus.convex import NONSMOOTH
from replica.calculus.orthant import NormalOrthant
from replica.calculus.vector import vector_average
from replica.declare.orthant_labels import OrthantLabels, Predictive, Signs
from replica.declare.symbols import V, m, q
from replica.declare.vectors import VectorField, q_u
from replica.errors import DerivationError

m_u = sp.Symbol("m_u", real=True)
V_u = sp.Symbol("V_u", positive=True)
DIRECTIONS = (sp.Symbol("x_u", real=True), sp.Symbol("x", real=True))
ROOT = sp.sqrt(2)


@dataclass(frozen=True)
class UnitLabel:
    """The local problem of one label.

    Attributes
    ----------
    value : Expr
        The label.
    count : int
        Labels with the same problem: none of its own where it is the mirror image of another.
    weight : Expr
        Probability that the student gives to it, smoothed.
    kernel : Expr
        Its probability given the student's field.
    kernel_gradient : tuple of Expr
        Derivatives of the kernel in the teacher's mean field, along both directions.
    """

    value: sp.Expr
    count: int
    weight: sp.Expr
    kernel: sp.Expr
    kernel_gradient: tuple[sp.Expr, ...]

    @cached_property
    def log(self) -> sp.Expr:
        """Log of the smoothed weight."""
        return sp.log(self.weight)

    @cached_property
    def score(self) -> tuple[sp.Expr, ...]:
        """Its derivatives, which are not carried out here: written out they fill a page."""
        return tuple(sp.Derivative(self.log, x) for x in DIRECTIONS)

    @cached_property
    def slope(self) -> sp.Matrix:
        """Its second derivatives."""
        return sp.Matrix(2, 2, lambda i, j: sp.Derivative(self.log, DIRECTIONS[i], DIRECTIONS[j]))


@dataclass(frozen=True)
class TwoUnits:
    """All labels of the field."""

    field: VectorField
    labels: tuple[UnitLabel, ...]

    def average(self, pick: Callable[[UnitLabel], sp.Expr]) -> sp.Expr:
        """Average over label and field."""
        return self.integrate(lambda label: label.kernel * pick(label))

    def integrate(self, pick: Callable[[UnitLabel], sp.Expr]) -> sp.Expr:
        """Sum over labels of the average over the field, without the label's weight."""
        distinct = (label for label in self.labels if label.count)
        return sp.Add(*(label.count * _over_field(pick(label)) for label in distinct))

    def test(self, expression: sp.Expr) -> sp.Expr:
        """Average over a new sample; the field is that of the posterior's mean weights."""
        return sp.Add(
            *(_over_field(label.kernel * self._local(expression, label)) for label in self.labels)
        )

    def _local(self, expression: sp.Expr, label: UnitLabel) -> sp.Expr:
        labels, known = self.field.labels, {other.value: other.weight for other in self.labels}
        if expression.free_symbols & set(labels.teacher):
            raise DerivationError(
                f"{self.field.where}: the observable {expression} contains the teacher's field; "
                "expected a function of the label, of Predictive(label) and of the field."
            )
        local = expression.subs(labels.label, label.value)
        local = local.subs(dict(zip(self.field.h, _fields(DIRECTIONS), strict=True)))
        if local.has(*NONSMOOTH, sp.Piecewise):
            raise DerivationError(
                f"{self.field.where}: the observable {expression} has jumps or kinks, which are "
                "not supported for labels of orthants; the error of a sample of the posterior is "
                f"Test(1 - Predictive({labels.label}))."
            )
        return local.replace(Predictive, lambda value: known.get(sp.nsimplify(value), sp.S.Zero))


def two_units_channel(field: VectorField, *, teacher_variance: sp.Expr, reduced: bool) -> TwoUnits:
    """Work out the local problem of a field of two hidden units.

    Parameters
    ----------
    field : VectorField
    teacher_variance : Expr
        Variance of a component of the quenched variable.
    reduced : bool
        Whether the Bayes-optimal identities are used.

    Raises
    ------
    DerivationError
        If there are more units, or the label changes when they are exchanged.
    """
    labels = field.labels
    _require_exchangeable(field, labels)
    overlaps = ((m_u, q_u, V_u), (m, q, V))
    means = sp.symbols("t_u t", real=True)
    centre, spread = list(DIRECTIONS), [V_u, V]
    if not reduced:
        centre = [m_ / q_ * x for (m_, q_, _), x in zip(overlaps, DIRECTIONS, strict=True)]
        spread = [teacher_variance - m_**2 / q_ for m_, q_, _ in overlaps]
    at = dict(zip(means, centre, strict=True))
    problems = []
    seen: set[frozenset[Signs]] = set()
    for value, orthants in labels.regions.items():
        mirrored = frozenset((-one, -other) for one, other in orthants)
        images = {frozenset(some) for some in labels.regions.values()} & {mirrored}
        count = 0 if mirrored in seen else 1 + len(images - {frozenset(orthants)})
        seen.add(frozenset(orthants))
        kernel = _probability(orthants, means, spread)
        gradient = tuple(kernel.diff(t).subs(at, simultaneous=True) for t in means)
        weight = _probability(orthants, DIRECTIONS, (V_u, V))
        kernel = kernel.subs(at, simultaneous=True)
        problems.append(UnitLabel(value, count, weight, kernel, gradient))
    return TwoUnits(field, tuple(problems))


def _over_field(expression: sp.Expr) -> sp.Expr:
    """Average over the student's field."""
    return vector_average(expression, DIRECTIONS, (0, 0), sp.diag(q_u, q))


def _fields(directions: Sequence[sp.Expr]) -> tuple[sp.Expr, sp.Expr]:
    """Fields of the units from those along the directions."""
    uniform, difference = directions
    return (uniform + difference) / ROOT, (uniform - difference) / ROOT


def _probability(
    orthants: tuple[Signs, ...], means: Sequence[sp.Expr], spread: Sequence[sp.Expr]
) -> sp.Expr:
    """Probability that two fields with these means and variances lie in one of the orthants."""
    total = sp.Add(*spread)
    correlation = (spread[0] - spread[1]) / total
    uniform, difference = means
    limits = ((uniform + difference) / sp.sqrt(total), (uniform - difference) / sp.sqrt(total))
    return sp.Add(
        *(
            NormalOrthant(one * other * correlation, one * limits[0], other * limits[1])
            for one, other in orthants
        )
    )


def _require_exchangeable(field: VectorField, labels: OrthantLabels) -> None:
    if len(field.h) != 2:
        raise DerivationError(
            f"{field.where}: labels of the signs of a field are derived for two hidden units, got "
            f"{len(field.h)}."
        )
    values = {signs: value for value, orthants in labels.regions.items() for signs in orthants}
    for one, other in product((1, -1), repeat=2):
        if values[one, other] != values[other, one]:
            raise DerivationError(
                f"{field.where}: the label {labels.function} changes when the two hidden units are "
                "exchanged; expected one that does not."
            )
