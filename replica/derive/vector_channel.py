"""The field piece of a vector model whose classes are exchangeable.

Labels are one-hot and the law of inputs, weights and labels does not change when classes are
renamed, so one label stands for all ``K`` (chosen: class 1). The coordinates are the *margins*
``x_k = h_1 - h_{k+1}``, in which the teacher's region is an orthant, and, where the loss tells it,
the uniform component ``x_u = sum_k h_k / sqrt(K)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import sympy as sp

from replica.calculus.nodes import gaussian_average
from replica.calculus.orthant import NormalOrthant
from replica.calculus.special import stabilise
from replica.calculus.vector import VectorAverage, vector_average
from replica.declare.shared import CategoricalLabels
from replica.declare.symbols import V, chi, m, q
from replica.declare.system import System
from replica.declare.variables import Test, Train
from replica.declare.vectors import VectorField, chi_u, q_u
from replica.derive.margins import (
    UNIFORM,
    in_margins,
    label_energy,
    margin_symbols,
    vanishes,
)
from replica.derive.vector_envelope import envelope
from replica.errors import DerivationError


@dataclass(frozen=True)
class VectorChannel:
    """The local problem of a vector field, for a label of class 1.

    Attributes
    ----------
    variables : tuple of Symbol
        Margins of the student's field, then its uniform component where it matters.
    gram : Matrix
        Gram matrix of the margins: their covariance is ``q`` times it.
    log : Expr
        Log of the smoothed weight, or minus the Moreau envelope.
    score, slope : Matrix
        First and second derivatives of ``log`` in the variables.
    kernel : Expr
        Probability of the label given the student's field.
    kernel_gradient : Matrix
        Its derivatives with respect to the mean margins of the teacher.
    response : tuple of Expr or None
        Where training moves the field, in these variables (zero temperature).
    alignment : Expr
        Correlation of a component of the student's field with that of the teacher's.
    """

    field: VectorField
    variables: tuple[sp.Symbol, ...]
    gram: sp.Matrix
    log: sp.Expr
    score: sp.Matrix
    slope: sp.Matrix
    kernel: sp.Expr
    kernel_gradient: sp.Matrix
    response: tuple[sp.Expr, ...] | None
    alignment: sp.Expr

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.field.h)

    @property
    def uniform(self) -> bool:
        """Whether the uniform component matters."""
        return UNIFORM in self.variables

    def average(self, expression: sp.Expr) -> sp.Expr:
        """Average over label and field."""
        return self.integrate(self.kernel * expression)

    def integrate(self, expression: sp.Expr) -> sp.Expr:
        """Sum over labels of the average over the student's field, without the label's weight."""
        margins, covariance = self.variables, q * self.gram
        if self.uniform:
            if sp.expand(expression).is_polynomial(UNIFORM):
                expression = gaussian_average(sp.expand(expression), UNIFORM, 0, q_u)
                margins = margins[:-1]
            else:
                covariance = sp.diag(covariance, q_u)
        mean = [sp.S.Zero] * len(margins)
        return self.classes * vector_average(expression, margins, mean, covariance)

    def test(self, expression: sp.Expr) -> sp.Expr:
        """Average over a new sample."""
        local = self._local(expression, self.variables)
        if self.classes > 3:
            # Many variables, but all that matters may be how often the largest components agree.
            margins = self.variables[: self.classes - 1]
            agree = sp.Mul(*(sp.Heaviside(x) for x in margins))
            both = sp.Dummy("agree")
            moved = sp.expand(local).subs(agree, both)
            if not moved.has(sp.Heaviside) and not moved.free_symbols & {*self.variables}:
                return moved.subs(both, self._agreement())
        return self.average(local)

    def _agreement(self) -> sp.Expr:
        """Probability that the largest components of student and teacher are the same one.

        Given both values of that component, the others are independent of each other.
        """
        u, v = sp.symbols("u v", real=True)
        law = sp.Matrix([[1, self.alignment], [self.alignment, 1]])
        below = NormalOrthant(self.alignment, u, v) ** (self.classes - 1)
        return self.classes * vector_average(below, (u, v), (0, 0), law)

    def train(self, expression: sp.Expr) -> sp.Expr:
        """Average over the training samples."""
        if self.response is None:
            raise DerivationError(
                f"{self.field.where}: Train averages need a loss at zero temperature."
            )
        return self.average(self._local(expression, self.response))

    def _local(self, expression: sp.Expr, values: Sequence[sp.Expr]) -> sp.Expr:
        _require_exchangeable(expression, self.field, f"the observable {expression}")
        local = in_margins(stabilise(expression), self.field)
        if UNIFORM in local.free_symbols and not self.uniform:
            raise DerivationError(
                f"{self.field.where}: the observable {expression} depends on the sum of the "
                "components, on which the weight does not."
            )
        replaced = dict(zip(self.variables, values, strict=True))
        return local.subs(replaced, simultaneous=True)


def vector_channel(
    field: VectorField, *, zero_temperature: bool, teacher_variance: sp.Expr, reduced: bool
) -> VectorChannel:
    """Work out the local problem of a vector field with exchangeable classes.

    Parameters
    ----------
    field : VectorField
    zero_temperature : bool
    teacher_variance : Expr
        Variance of a component of the quenched variable.
    reduced : bool
        Whether the Bayes-optimal identities are used.

    Raises
    ------
    DerivationError
        If the classes are not exchangeable, or no envelope of the loss can be derived.
    """
    classes = len(field.h)
    margins = margin_symbols(classes)
    gram = sp.eye(classes - 1) + sp.ones(classes - 1, classes - 1)
    centre = sp.Matrix(margins) * (1 if reduced else m / q)
    spread_of_teacher = V if reduced else teacher_variance - m**2 / q
    kernel, gradient = _label_kernel(field, centre, spread_of_teacher)
    response: tuple[sp.Expr, ...] | None = None
    if zero_temperature:
        for function in field.functions:
            _require_exchangeable(function, field, f"the {field.described}")
        energy = label_energy(field)
        variables = margins
        spread = chi * gram
        if UNIFORM in energy.free_symbols:
            variables, spread = (*margins, UNIFORM), sp.diag(spread, chi_u)
        log, score, slope, response = envelope(energy, variables, spread, field)
    else:
        variables = margins
        student = _orthant(sp.Matrix(margins), V)
        log = stabilise(sp.log(student))
        # Not carried out here: written out they fill a page.
        score = sp.Matrix([sp.Derivative(log, x) for x in margins])
        slope = sp.Matrix([[sp.Derivative(log, x, y) for y in margins] for x in margins])
    teacher, overlap = (q + V, q) if reduced else (teacher_variance, m)
    return VectorChannel(
        field, variables, gram, log, score, slope, kernel, gradient, response,
        alignment=overlap / sp.sqrt(q * teacher),
    )  # fmt: skip


def is_exchangeable(system: System) -> bool:
    """Whether weight and observables stay the same when classes are renamed."""
    (field,) = system.fields
    expressions = list(field.functions)
    for value in system.observables.values():
        expressions += [node.args[0] for node in value.atoms(Test, Train)]
    return all(_first_change(e, field) is None for e in expressions)


def _first_change(expression: sp.Expr, field: VectorField) -> tuple[int, int] | None:
    """Two classes whose exchange changes an expression, or None."""
    h, y = field.h, field.labels.label
    for one, other in pairwise(range(len(h))):
        swap = {h[one]: h[other], h[other]: h[one], y[one]: y[other], y[other]: y[one]}
        difference = expression - expression.subs(swap, simultaneous=True)
        for label in y:
            if not vanishes(difference.subs({s: sp.Integer(s == label) for s in y})):
                return one, other
    return None


def _require_exchangeable(expression: sp.Expr, field: VectorField, what: str) -> None:
    """Refuse what changes when two classes are renamed."""
    changed = _first_change(expression, field)
    if changed is not None:
        raise DerivationError(
            f"{field.where}: {what} changes when the classes {changed[0] + 1} and "
            f"{changed[1] + 1} are exchanged, which is only possible for a trained classifier."
        )


def _orthant(means: sp.Matrix, spread: sp.Expr) -> sp.Expr:
    """Probability that margins of covariance ``spread * gram`` are all positive."""
    return NormalOrthant(sp.S.Half, *(mean / sp.sqrt(2 * spread) for mean in means))


def _label_kernel(
    field: VectorField, centre: sp.Matrix, spread: sp.Expr
) -> tuple[sp.Expr, sp.Matrix]:
    """Label probability and its derivatives with respect to the teacher's mean margins."""
    if isinstance(field.labels, CategoricalLabels):
        return _drawn_kernel(field, field.labels, centre, spread)
    means = sp.Matrix(sp.symbols(f"t1:{len(centre) + 1}", real=True))
    kernel = _orthant(means, spread)
    at = dict(zip(means, centre, strict=True))
    gradient = [kernel.diff(mean).subs(at, simultaneous=True) for mean in means]
    return kernel.subs(at, simultaneous=True), sp.Matrix(gradient)


def _drawn_kernel(
    field: VectorField, labels: CategoricalLabels, centre: sp.Matrix, spread: sp.Expr
) -> tuple[sp.Expr, sp.Matrix]:
    """The same for labels that are drawn: averages over the teacher's margins."""
    as_student = dict(zip(labels.teacher, field.h, strict=True))
    odds = [p.subs(as_student, simultaneous=True) for p in labels.probabilities]
    _require_exchangeable(sp.Matrix(labels.label).dot(sp.Matrix(odds)), field, "the label's law")
    local = in_margins(odds[0], field)
    if UNIFORM in local.free_symbols:
        raise DerivationError(
            f"{field.where}: the probabilities of the labels depend on the sum of the teacher's "
            "components; expected functions of their differences, such as a softmax."
        )
    margins = margin_symbols(len(field.h))
    teacher = tuple(sp.Symbol(f"x^*_{k}", real=True) for k in range(1, len(field.h)))
    local = local.subs(dict(zip(margins, teacher, strict=True)), simultaneous=True)
    gram = sp.eye(len(centre)) + sp.ones(len(centre), len(centre))

    def average(weight: sp.Expr) -> sp.Expr:
        if not weight.free_symbols & set(teacher):  # labels at random
            return weight
        return VectorAverage(weight, teacher, centre, spread * gram)

    return average(local), sp.Matrix([average(local.diff(x)) for x in teacher])
