"""The field piece of a vector model with matrix order parameters, one label at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field as attribute
from typing import Any

import sympy as sp

from replica.calculus.orthant import NormalOrthant
from replica.calculus.vector import vector_average
from replica.declare.clusters import Clusters
from replica.declare.shared import CategoricalLabels
from replica.declare.vectors import VectorField
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
class FieldLaw:
    """A Gaussian law of the student's field, in some coordinates."""

    variables: tuple[sp.Symbol, ...]
    mean: sp.Matrix
    covariance: sp.Matrix

    def average(self, expression: sp.Expr) -> sp.Expr:
        """Average over the variables that an expression depends on."""
        moments = self._moments(expression)
        if moments is not None:
            return moments
        used = [i for i, x in enumerate(self.variables) if x in expression.free_symbols]
        names, mean = [self.variables[i] for i in used], [self.mean[i] for i in used]
        return vector_average(expression, names, mean, self.covariance.extract(used, used))

    def _moments(self, expression: sp.Expr) -> sp.Expr | None:
        """Average of a polynomial of degree two, ``f(mean) + 1/2 sum_ij C_ij d_i d_j f``.

        Coefficients stay as they are: to expand those of matrices would take minutes.
        """
        if not expression.is_polynomial(*self.variables):
            return None
        places = dict(zip(self.variables, self.mean, strict=True))
        total = expression.subs(places, simultaneous=True)
        for i, x in enumerate(self.variables):
            for j, y in enumerate(self.variables):
                curvature = expression.diff(x).diff(y)
                if curvature.free_symbols & set(self.variables):
                    return None
                total += self.covariance[i, j] * curvature / 2
        return total


@dataclass(frozen=True)
class Label:
    """The local problem of one label.

    ``kernel`` is the probability of the label given the student's field, and ``kernel_gradient``
    its derivatives in the teacher's mean field; a cluster has a probability of its own, and a mean.
    Observables are functions of the margins of its class.
    """

    own: int
    kernel: sp.Expr
    kernel_gradient: sp.Matrix | None
    law: FieldLaw  # of the margins
    local: FieldLaw  # of the coordinates of the following
    frame: sp.Matrix  # coordinates = frame * (components of the student's field)
    log: sp.Expr
    score: sp.Matrix
    slope: sp.Matrix
    response: tuple[sp.Expr, ...] | FieldLaw  # margins after training, or their law
    names: Mapping[sp.Symbol, sp.Expr] = attribute(default_factory=dict)  # in log, score and slope

    @property
    def variables(self) -> tuple[sp.Symbol, ...]:
        """The margins of the class, and the uniform component where the loss tells it."""
        return self.law.variables

    def average(self, expression: sp.Expr) -> sp.Expr:
        """Average over the field of an input with this label, weighted with its probability."""
        if self.kernel_gradient is None:
            return self.kernel * self.integrate(expression)
        return self.integrate(self.kernel * expression)

    def integrate(self, expression: sp.Expr) -> sp.Expr:
        """Average over the field without the weight of the label."""
        used = expression.free_symbols
        law = self.local if used & set(self.local.variables) else self.law
        return law.average(expression).xreplace(dict(self.names))

    def after_training(self, expression: sp.Expr) -> sp.Expr:
        """Average of a function of the margins after training on the input."""
        if isinstance(self.response, FieldLaw):
            return self.kernel * self.response.average(expression)
        values = dict(zip(self.variables, self.response, strict=True))
        return self.average(expression.subs(values, simultaneous=True))


def matrix_symbols(size: int, count: int, kind: str = "") -> Matrices:
    """Symbols of overlaps of ``size`` components with ``count`` quenched vectors.

    ``kind`` tells the overlaps of several covariances of the inputs apart.
    """

    def full(name: str) -> sp.Matrix:
        return sp.Matrix(size, count, lambda i, j: sp.Symbol(f"{name}_{i + 1}{j + 1}", real=True))

    def symmetric(name: str) -> sp.Matrix:
        def entry(i: int, j: int) -> sp.Symbol:
            low, high = sorted((i + 1, j + 1))
            sign = {"positive": True} if low == high and "hat" not in name else {"real": True}
            return sp.Symbol(f"{name}_{kind}{low}{high}", **sign)

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
    variance: sp.Expr,
) -> Label:
    """Work out the local problem of the label of class ``own``.

    ``variance`` multiplies the overlaps of the student for inputs of this label.
    """
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

    def moved(matrix: sp.Matrix) -> sp.Matrix:
        return (variance * frame * matrix * frame.T).applyfunc(sp.expand)

    if isinstance(labels, Clusters):
        mean = (frame * matrices.m[:, own]).applyfunc(sp.expand)
        kernel, gradient = labels.probabilities[own], None
    else:
        mean = sp.zeros(len(variables), 1)
        kernel, gradient = _teacher(field, frame, variables, matrices, overlaps, count - 1)
    law = FieldLaw(variables, mean, moved(matrices.q))
    if uniform and gradient is None and is_quadratic(field):
        at = matrices.m[:, own], variance * matrices.q, variance * matrices.chi
        return Label(own, kernel, None, law, *_quadratic(field, own, frame, *at))
    parts = envelope(energy, variables, moved(matrices.chi), field)
    return Label(own, kernel, gradient, law, law, frame, *parts)


def is_quadratic(field: VectorField) -> bool:
    """Whether the loss is quadratic in the field."""
    loss = field.loss
    return loss is not None and loss.is_polynomial(*field.h) and (
        sp.Poly(loss, *field.h).total_degree() <= 2
    )  # fmt: skip


def _quadratic(
    field: VectorField, own: int, margins: sp.Matrix, mean: sp.Matrix, q: sp.Matrix, chi: sp.Matrix
) -> tuple[Any, ...]:
    """Envelope of a quadratic loss in the components themselves, where its Hessian is plain.

    ``margins`` maps components to margins, in which the law after training is needed. The gain of
    training has names for its entries: averages of long expressions would take minutes.
    """
    loss = field.loss.subs({y: sp.Integer(k == own) for k, y in enumerate(field.labels.label)})
    h, nothing = sp.Matrix(field.h), dict.fromkeys(field.h, 0)
    hessian = sp.hessian(loss, h)
    force = sp.Matrix([loss.diff(x) for x in h]).subs(nothing)
    stiffness = sp.eye(len(h)) + chi * hessian
    gain = sp.Matrix(len(h), len(h), lambda i, j: sp.Dummy(f"gain_{i}{j}", real=True))
    names = dict(zip(gain, stiffness.adjugate() / stiffness.det(), strict=True))
    value = gain * (h - chi * force)
    score = -force - hessian * value
    distance = (score.T * chi * score)[0, 0] / 2
    log = -loss.subs(dict(zip(h, value, strict=True)), simultaneous=True) - distance
    places = dict(zip(h, mean, strict=True))
    trained = FieldLaw(
        (*margin_symbols(len(h)), UNIFORM),
        (margins * value.subs(places, simultaneous=True)).xreplace(names),
        (margins * gain * q * gain.T * margins.T).xreplace(names),
    )
    local, slope = FieldLaw(tuple(h), mean, q), -hessian * gain
    return local, sp.eye(len(h)), log, score, slope, trained, names


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
