"""The field piece of a scalar model whose field has several components of shared weights.

Inputs of the components are independent, so that the overlaps stay scalars: the fields of teacher
and student have the covariance ``[[R, m], [m, q]]`` times the identity. Energy, scores and slopes
are sums over components, labels are summed one at a time, and labels with the same problem once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import sympy as sp

from replica.calculus.special import stabilise
from replica.declare.shared import SharedField
from replica.declare.symbols import Parameter, q
from replica.declare.system import System
from replica.declare.variables import Test, Train
from replica.derive.field import FieldTerms
from replica.derive.frames import frame_of
from replica.derive.shared_label import SharedLabel, shared_label
from replica.errors import DerivationError


@dataclass(frozen=True)
class SharedChannel:
    """Distinct labels of a shared field, each with the number of labels that it stands for."""

    field: SharedField
    labels: tuple[tuple[int, SharedLabel], ...]

    def total(self, pick: Callable[[SharedLabel], sp.Expr]) -> sp.Expr:
        """Sum a quantity over all labels."""
        return sp.Add(*(count * pick(label) for count, label in self.labels))

    def test(self, expression: sp.Expr) -> sp.Expr:
        """Average over a new sample, with the predictor's field or with the teacher's."""
        teacher = set(self.field.labels.teacher)
        if expression.free_symbols & teacher:
            return self.total(lambda c: c.of_teacher(expression))
        return self.total(lambda c: c.average(c.local(expression, c.variables)))

    def train(self, expression: sp.Expr) -> sp.Expr:
        """Average over the training samples."""
        if expression.free_symbols & set(self.field.labels.teacher):
            raise DerivationError(
                f"{self.field.where}: a Train average of the teacher's field is not supported."
            )

        def trained(label: SharedLabel) -> sp.Expr:
            if label.response is None:
                raise DerivationError(
                    f"{self.field.where}: Train averages need a loss at zero temperature."
                )
            return label.average(label.local(expression, label.response))

        return self.total(trained)

    def derivative(self, scalar: sp.Symbol) -> sp.Expr:
        """Derivative of minus the averaged envelope with respect to an extremised scalar.

        By the envelope theorem the loss itself is differentiated, where training has moved the
        field.
        """
        if self.field.loss is None or scalar not in self.field.loss.free_symbols:
            return sp.S.Zero
        slope = stabilise(self.field.loss).diff(scalar)
        return -self.train(slope)

    def step(self, scalar: sp.Symbol) -> sp.Expr:
        """Step of an extremised scalar: the inverse of a typical curvature of the loss in it.

        At the field zero; of a scalar that multiplies the field, at fields of its size.
        """
        loss, size = stabilise(self.field.loss), len(self.field.h)
        fixed = {y: sp.Integer(k == 0) for k, y in enumerate(self.field.label)}
        fixed |= {s: sp.S.Zero for s in loss.free_symbols - self.field.local_symbols
                  if s != scalar and not isinstance(s, Parameter)}  # fmt: skip
        loss = loss.xreplace(fixed)

        def curvature(at: list[int]) -> sp.Expr:
            place = dict(zip(self.field.h, map(sp.Integer, at), strict=True))
            return loss.xreplace(place).diff(scalar, 2).subs(scalar, 0)

        value = curvature([0] * size)
        if value == 0:
            value = q * sp.Add(*(curvature([int(i == k) for i in range(size)])
                                 for k in range(size)))  # fmt: skip
        return sp.S.One if value == 0 else 1 / sp.Abs(sp.nsimplify(value))


def shared_terms(
    system: System, item: SharedField, *, self_teacher: sp.Expr | None, reduced: bool
) -> FieldTerms:
    """Work out the averages of a shared field.

    Parameters
    ----------
    system : System
    item : SharedField
    self_teacher : Expr
        Second moment ``R`` of the quenched variable.
    reduced : bool
        Whether the Bayes-optimal identities ``m = q``, ``R - q = V`` are used.

    Raises
    ------
    DerivationError
        If the loss is not smooth and convex, or an observable has jumps that are not on planes.
    """
    assert self_teacher is not None  # labels need a quenched variable
    nodes = [node for e in system.observables.values() for node in e.atoms(Test, Train)]
    observed = sorted((node.args[0] for node in nodes), key=sp.default_sort_key)
    problems = [
        shared_label(
            item,
            own,
            frame_of(item, own, observed),
            zero_temperature=system.zero_temperature,
            teacher_variance=self_teacher,
            reduced=reduced,
        )
        for own in range(len(item.label))
    ]
    channel = SharedChannel(item, _merged(problems, observed))
    return FieldTerms(
        value=channel.total(lambda c: c.average(c.log)),
        m_conjugate=channel.total(lambda c: c.pull()),
        q_conjugate=channel.total(lambda c: c.average((c.score.T * c.gram * c.score)[0])),
        V_conjugate=-channel.total(lambda c: c.average((c.gram * c.slope).trace())),
        replicon=channel.total(lambda c: c.average(_trace_of_square(c.gram * c.slope))),
        channel=cast(Any, channel),
    )


def _trace_of_square(matrix: sp.Matrix) -> sp.Expr:
    """Trace of a square; for many components it is not multiplied out, which would take long."""
    if matrix.rows <= 3:
        return (matrix**2).trace()
    size = range(matrix.rows)
    return sp.Add(*(matrix[i, j] * matrix[j, i] for i in size for j in size))


def _merged(
    problems: list[SharedLabel], observed: list[sp.Expr]
) -> tuple[tuple[int, SharedLabel], ...]:
    """Keep one of the labels with the same problem and the same observables."""
    merged: dict[tuple[sp.Basic, ...], list[SharedLabel]] = {}
    for label in problems:
        teacher = set(label.field.labels.teacher)
        local = [
            label.local(expression, label.variables)
            for expression in observed
            if not expression.free_symbols & teacher
        ]
        merged.setdefault((*label.key, *local), []).append(label)
    return tuple((len(labels), labels[0]) for labels in merged.values())
