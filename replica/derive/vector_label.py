"""The field piece of a vector model with matrix order parameters, one label at a time."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from replica.calculus.orthant import NormalOrthant
from replica.calculus.vector import vector_average
from replica.declare.shared import CategoricalLabels
from replica.declare.vectors import Clusters, VectorField
from replica.derive.margins import UNIFORM, margin_symbols
from replica.derive.vector_envelope import envelope
from replica.errors import DerivationError


@dataclass(frozen=True)
class Matrices:
    """Symbols of the order parameters and of their conjugates."""

    m: sp.Matrix
    q: sp.Matrix
    chi: sp.Matrix
    mhat: sp.Matrix
    qhat: sp.Matrix
    Vhat: sp.Matrix


@dataclass(frozen=True)
class Label:
    """The local problem of one label, in margins of its class.

    ``kernel`` is the probability of the label given the student's field, and ``kernel_gradient``
    its derivatives in the teacher's mean field; a cluster has a probability of its own, and a mean.
    """

    own: int
    kernel: sp.Expr
    kernel_gradient: sp.Matrix | None
    variables: tuple[sp.Symbol, ...]
    frame: sp.Matrix  # variables = frame * (components of the student's field)
    mean: sp.Matrix
    covariance: sp.Matrix
    log: sp.Expr
    score: sp.Matrix
    slope: sp.Matrix
    response: tuple[sp.Expr, ...]

    def average(self, expression: sp.Expr) -> sp.Expr:
        """Average over the field of an input with this label, weighted with its probability."""
        if self.kernel_gradient is None:
            return self.kernel * self.integrate(expression)
        return self.integrate(self.kernel * expression)

    def integrate(self, expression: sp.Expr) -> sp.Expr:
        """Average over the field without the weight of the label."""
        return vector_average(expression, self.variables, self.mean, self.covariance)


def matrix_symbols(size: int, count: int) -> Matrices:
    """Symbols of overlaps of ``size`` components with ``count`` quenched vectors."""

    def full(name: str) -> sp.Matrix:
        return sp.Matrix(size, count, lambda i, j: sp.Symbol(f"{name}_{i + 1}{j + 1}", real=True))

    def symmetric(name: str) -> sp.Matrix:
        def entry(i: int, j: int) -> sp.Symbol:
            low, high = sorted((i + 1, j + 1))
            sign = {"positive": True} if low == high and "hat" not in name else {"real": True}
            return sp.Symbol(f"{name}_{low}{high}", **sign)

        return sp.Matrix(size, size, entry)

    return Matrices(
        full("m"), symmetric("q"), symmetric("chi"),
        full("mhat"), symmetric("qhat"), symmetric("Vhat"),
    )  # fmt: skip


def label_problem(
    field: VectorField,
    own: int,
    energy: sp.Expr,
    basis: sp.Matrix,
    matrices: Matrices,
    overlaps: sp.Matrix,
    uniform: bool,
) -> Label:
    """Work out the local problem of the label of class ``own``."""
    count = len(field.h)
    rows = [
        [sp.Integer(j == own) - sp.Integer(j == k) for j in range(count)]
        for k in range(count)
        if k != own
    ]
    variables = margin_symbols(count)
    if uniform:
        rows.append([1 / sp.sqrt(count)] * count)
        variables = (*variables, UNIFORM)
    frame = (sp.Matrix(rows) * basis).applyfunc(sp.nsimplify)
    labels = field.labels
    clusters = isinstance(labels, Clusters)
    variance = labels.variance if clusters else sp.S.One

    def moved(matrix: sp.Matrix) -> sp.Matrix:
        return (variance * frame * matrix * frame.T).applyfunc(sp.expand)

    log, score, slope, response = envelope(energy, variables, moved(matrices.chi), field)
    if clusters:
        mean = (frame * matrices.m[:, own]).applyfunc(sp.expand)
        kernel, gradient = labels.probabilities[own], None
    else:
        mean = sp.zeros(len(variables), 1)
        kernel, gradient = _teacher(field, frame, variables, matrices, overlaps, count - 1)
    return Label(
        own, kernel, gradient, variables, frame, mean, moved(matrices.q), log, score, slope,
        response,
    )  # fmt: skip


def _teacher(
    field: VectorField,
    frame: sp.Matrix,
    variables: tuple[sp.Symbol, ...],
    matrices: Matrices,
    overlaps: sp.Matrix,
    margins: int,
) -> tuple[sp.Expr, sp.Matrix]:
    """Label probability and its derivatives in the teacher's mean field, given the student's."""
    if isinstance(field.labels, CategoricalLabels):
        raise DerivationError(
            f"{field.where}: labels drawn with probabilities are derived for classes that loss and "
            "observables do not tell apart."
        )
    if margins > 2:
        raise DerivationError(
            "without a symmetry of the classes, labels of a teacher are derived for at most three "
            "classes."
        )
    regression = matrices.m.T * matrices.q.adjugate() / matrices.q.det()
    spread = overlaps - regression * matrices.m
    teacher_frame = frame[:margins, :]
    means = sp.Matrix(sp.symbols(f"t1:{margins + 1}", real=True))
    covariance = teacher_frame * spread * teacher_frame.T
    limits = [means[k] / sp.sqrt(covariance[k, k]) for k in range(margins)]
    correlation = sp.S.Zero
    if margins == 2:
        correlation = covariance[0, 1] / sp.sqrt(covariance[0, 0] * covariance[1, 1])
    kernel = NormalOrthant(correlation, *limits)
    gradient = teacher_frame.T * sp.Matrix([kernel.diff(mean) for mean in means])
    centre = teacher_frame * regression * frame.inv() * sp.Matrix(variables)
    at = dict(zip(means, centre, strict=True))
    return kernel.subs(at, simultaneous=True), gradient.subs(at, simultaneous=True)
