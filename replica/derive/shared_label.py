"""One label of a shared field: its local problem, in coordinates that lay kinks on planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from replica.calculus.separable import walls
from replica.calculus.vector import VectorAverage, vector_average
from replica.declare.shared import AlignedClusters, SharedField
from replica.declare.symbols import V, chi, m, q
from replica.derive.frames import (
    absorbed,
    at_label,
    exact_product,
    gram_matrix,
    in_frame,
    stable,
    substitute,
)
from replica.derive.vector_envelope import envelope
from replica.errors import DerivationError


@dataclass(frozen=True)
class SharedLabel:
    """The local problem of one label.

    Attributes
    ----------
    own : int
        Which label.
    variables : tuple of Symbol
        Coordinates ``x = frame * h``.
    gram : Matrix
        ``frame * frame^T``: the covariance of the coordinates is ``q`` times it.
    probability : Expr
        Of the cluster; of a label of a teacher, as a function of the teacher's coordinates, which
        have the symbols ``teacher``.
    """

    own: int
    field: SharedField
    variables: tuple[sp.Symbol, ...]
    frame: sp.Matrix
    teacher: tuple[sp.Symbol, ...]
    teacher_variance: sp.Expr
    zero_temperature: bool
    reduced: bool
    probability: sp.Expr

    @property
    def log(self) -> sp.Expr:
        """Log of the smoothed weight, or minus the Moreau envelope."""
        return self._potential[0]

    @property
    def score(self) -> sp.Matrix:
        """First derivatives of ``log`` in the coordinates."""
        return self._potential[1]

    @property
    def slope(self) -> sp.Matrix:
        """Second derivatives of ``log``."""
        return self._potential[2]

    @property
    def response(self) -> tuple[sp.Expr, ...] | None:
        """Where training moves the coordinates (zero temperature)."""
        return self._potential[3]

    @cached_property
    def _potential(
        self,
    ) -> tuple[sp.Expr, sp.Matrix, sp.Matrix, tuple[sp.Expr, ...] | None]:
        # Worked out on demand: of labels with the same problem one is asked.
        if self.zero_temperature:
            (energy,) = (self.local(e, self.variables) for e in self.field.functions)
            energy = energy if self.field.constraint is None else walls(energy)
            return envelope(energy, self.variables, chi * self.gram, self.field)
        log = sp.log(VectorAverage(self.probability, self.teacher, self.variables, V * self.gram))
        # Not carried out here: written out they fill a page.
        score = sp.Matrix([sp.Derivative(log, x) for x in self.variables])
        slope = [[sp.Derivative(log, x, y) for y in self.variables] for x in self.variables]
        return log, score, sp.Matrix(slope), None

    @property
    def clusters(self) -> bool:
        """Whether the label is a cluster of the inputs."""
        return isinstance(self.field.labels, AlignedClusters)

    @cached_property
    def gram(self) -> sp.Matrix:
        """Gram matrix of the coordinates."""
        return gram_matrix(self.frame)

    @cached_property
    def direction(self) -> sp.Matrix:
        """Direction of the cluster, in the coordinates."""
        if not self.clusters:
            return sp.zeros(len(self.variables), 1)
        return exact_product(self.frame, self.field.labels.directions[self.own, :].T)

    @property
    def key(self) -> tuple[sp.Basic, ...]:
        """What is equal for labels whose problems are the same."""
        local = (self.local(function, self.variables) for function in self.field.functions)
        return (
            sp.ImmutableMatrix(self.gram), sp.ImmutableMatrix(self.direction), self.probability,
            *local,
        )  # fmt: skip

    def average(self, expression: sp.Expr) -> sp.Expr:
        """Average over the field of a sample with this label, weighted with its probability."""
        return self.weighted(expression, self.probability)

    def pull(self) -> sp.Expr:
        """Average of the score times the response of the label's law to the overlap ``m``."""
        if self.clusters:
            return self.average(self.direction.dot(self.score))
        total = sp.S.Zero
        along = self.gram * self.score
        for variable, force in zip(self.teacher, along, strict=True):
            total += self.weighted(force, self.probability.diff(variable))
        return total

    def weighted(self, expression: sp.Expr, weight: sp.Expr) -> sp.Expr:
        """Average over the fields of teacher and student of ``weight(teacher) expression``."""
        law = self.variables, m * self.direction, q * self.gram
        if self.clusters:
            return weight * vector_average(expression, *law)
        if sp.expand(expression).is_polynomial(*self.variables):
            return self._over_teacher(sp.expand(expression), weight)
        student = sp.Matrix(self.variables)
        centre, spread = student * m / q, self.teacher_variance - m**2 / q
        if self.reduced:
            centre, spread = student, V
        if not weight.free_symbols & set(self.teacher):  # labels at random
            return weight * VectorAverage(expression, *law) if weight != 0 else sp.S.Zero
        kernel = VectorAverage(weight, self.teacher, centre, spread * self.gram)
        return VectorAverage(kernel * expression, *law)

    def _over_teacher(self, polynomial: sp.Expr, weight: sp.Expr) -> sp.Expr:
        """Average over the student's field first, in closed form."""
        variance = self.teacher_variance
        teacher = sp.Matrix(self.teacher)
        centre, spread = teacher * m / variance, q - m**2 / variance
        if self.reduced:
            centre, spread = teacher * q / variance, q * V / variance
        inner = vector_average(polynomial, self.variables, centre, spread * self.gram)
        law = self.teacher, [sp.S.Zero] * len(teacher), variance * self.gram
        terms = sp.Add.make_args(sp.expand(inner))
        moments: dict[sp.Expr, sp.Expr] = {}
        for term in terms:
            coefficient, body = term.as_independent(*self.teacher, as_Add=False)
            moments[body] = moments.get(body, sp.S.Zero) + coefficient
        return sp.Add(*(c * VectorAverage(weight * body, *law) for body, c in moments.items()))

    def local(self, expression: sp.Expr, values: Sequence[sp.Expr]) -> sp.Expr:
        """An expression of label and field at given values of the coordinates."""
        moved = in_frame(expression, self.field, self.own, self.frame, self.variables)
        if tuple(values) == self.variables:
            return moved
        return moved.subs(dict(zip(self.variables, values, strict=True)), simultaneous=True)

    def of_teacher(self, expression: sp.Expr) -> sp.Expr:
        """Average of an expression of the teacher's field over samples with this label."""
        labels = self.field.labels
        local = at_label(stable(expression), self.field, self.own)
        moved = absorbed(substitute(local, labels.teacher, self.frame, self.teacher))
        if moved.free_symbols & set(self.field.h):
            raise DerivationError(
                f"{self.field.where}: the observable {expression} depends on the fields of both "
                "teacher and student, which is not supported."
            )
        variance = self.teacher_variance
        mean = variance * self.direction
        weight = self.probability
        if self.clusters:
            return weight * vector_average(moved, self.teacher, mean, variance * self.gram)
        return VectorAverage(weight * moved, self.teacher, mean, variance * self.gram)


def shared_label(
    field: SharedField,
    own: int,
    frame: sp.Matrix,
    *,
    zero_temperature: bool,
    teacher_variance: sp.Expr,
    reduced: bool,
) -> SharedLabel:
    """Work out the local problem of label ``own``."""
    size = len(field.h)
    variables, teacher = (
        tuple(sp.Symbol(f"{name}_{k}", real=True) for k in range(1, size + 1))
        for name in ("x", "x^*")
    )
    labels = field.labels
    probability = labels.probabilities[own]
    if not isinstance(labels, AlignedClusters):
        probability = substitute(probability, labels.teacher, frame, teacher)
    return SharedLabel(
        own, field, variables, frame, teacher, teacher_variance, zero_temperature, reduced,
        probability,
    )  # fmt: skip
