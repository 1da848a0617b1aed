"""Replica-symmetric saddle point of a classifier of Gaussian clusters: matrix order parameters.

No symmetry is assumed. Where the loss does not tell the sum of the components, the overlaps are
those of the weights in the plane of class differences; else all components stay. With ``k`` of them
and ``L`` clusters the order parameters are ``M`` (``k x L``), ``Q`` and ``chi`` (``k x k``). The
damped map keeps ``Q`` and ``chi`` positive, because it is a sum of positive matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from replica.calculus.special import stabilise
from replica.calculus.vector import vector_average
from replica.declare.laws import Flat
from replica.declare.system import Site, System, Test, Train
from replica.declare.vectors import Clusters, VectorField
from replica.derive.replica_symmetric import POSITIVE, REAL
from replica.derive.saddle_point import SaddlePoint, Unknown
from replica.derive.vector_channel import UNIFORM, envelope, in_margins, margin_symbols
from replica.derive.vector_site import plane_basis
from replica.errors import DerivationError


@dataclass(frozen=True)
class _Matrices:
    """Symbols of the order parameters and of their conjugates."""

    m: sp.Matrix
    q: sp.Matrix
    chi: sp.Matrix
    mhat: sp.Matrix
    qhat: sp.Matrix
    Vhat: sp.Matrix


@dataclass(frozen=True)
class _Cluster:
    """The local problem of one cluster, in margins of its class."""

    own: int
    variables: tuple[sp.Symbol, ...]
    frame: sp.Matrix  # variables = frame * (components of the student's field)
    mean: sp.Matrix
    covariance: sp.Matrix
    log: sp.Expr
    score: sp.Matrix
    slope: sp.Matrix
    response: tuple[sp.Expr, ...]

    def average(self, expression: sp.Expr) -> sp.Expr:
        """Average over the field of an input of this cluster."""
        return vector_average(expression, self.variables, self.mean, self.covariance)


def derive_clusters(system: System) -> SaddlePoint:
    """Derive the saddle point of the minimiser of a loss on Gaussian clusters.

    Raises
    ------
    DerivationError
        If the penalty is not quadratic, or the loss is not smooth and convex.
    """
    (field,) = system.fields
    clusters: Clusters = field.labels
    curvature = _penalty(system)
    losses = [in_margins(stabilise(field.loss), field, c) for c in range(len(field.h))]
    uniform = any(UNIFORM in loss.free_symbols for loss in losses)
    basis = sp.eye(len(field.h)) if uniform else plane_basis(len(field.h))
    matrices = _matrices(basis.shape[1], len(field.h))
    locals_ = [
        _cluster(field, own, loss, basis, matrices, uniform) for own, loss in enumerate(losses)
    ]
    conjugates = _conjugates(field.load, clusters, locals_, matrices)
    functional = _functional(field.load, clusters, locals_, matrices, curvature)

    def average(pick: Callable[[_Cluster], sp.Expr]) -> sp.Expr:
        odds = clusters.probabilities
        return sp.Add(*(p * c.average(pick(c)) for p, c in zip(odds, locals_, strict=True)))

    def observable(value: sp.Expr) -> sp.Expr:
        if value.has(Site):
            raise DerivationError(
                f"model {system.name}: Site averages are not available for several components."
            )
        value = value.replace(
            Test, lambda e: average(lambda c: _local(e, field, c, c.variables))
        )
        return value.replace(Train, lambda e: average(lambda c: _local(e, field, c, c.response)))

    observables = {name: observable(value) for name, value in system.observables.items()}
    unknowns = _unknowns(clusters, matrices, curvature, basis)
    stationary = [u.symbol for u in unknowns] + [s for s, _ in conjugates]
    return SaddlePoint(
        name=system.name,
        ansatz="replica symmetric",
        parameters=system.parameters,
        definitions=(),
        conjugates=tuple(conjugates),
        unknowns=tuple(unknowns),
        free_entropy=functional,
        replicon=None,
        observables={"free_energy": -functional, **observables},
        stationary=tuple(stationary),
        zero_temperature=True,
        default_start=system.start if isinstance(system.start, str) else "uninformed",
    )


def _penalty(system: System) -> sp.Expr:
    """Curvature of the penalty, which must be quadratic."""
    symbol, penalty = system.thermal.symbol, sp.expand(system.thermal.penalty)
    curvature = penalty.coeff(symbol, 2) * 2
    if not isinstance(system.thermal.prior, Flat) or penalty != curvature * symbol**2 / 2:
        raise DerivationError(
            f"model {system.name}: clusters of several components need a flat measure with a "
            f"penalty proportional to {symbol}**2, got {system.thermal.penalty}."
        )
    return curvature


def _matrices(size: int, count: int) -> _Matrices:
    def full(name: str) -> sp.Matrix:
        return sp.Matrix(
            size, count, lambda i, j: sp.Symbol(f"{name}_{i + 1}{j + 1}", real=True)
        )

    def symmetric(name: str) -> sp.Matrix:
        def entry(i: int, j: int) -> sp.Symbol:
            low, high = sorted((i + 1, j + 1))
            sign = {"positive": True} if low == high and "hat" not in name else {"real": True}
            return sp.Symbol(f"{name}_{low}{high}", **sign)

        return sp.Matrix(size, size, entry)

    return _Matrices(
        full("m"), symmetric("q"), symmetric("chi"),
        full("mhat"), symmetric("qhat"), symmetric("Vhat"),
    )  # fmt: skip


def _cluster(
    field: VectorField,
    own: int,
    loss: sp.Expr,
    basis: sp.Matrix,
    matrices: _Matrices,
    uniform: bool,
) -> _Cluster:
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
    variance = field.labels.variance

    def moved(matrix: sp.Matrix) -> sp.Matrix:
        return (variance * frame * matrix * frame.T).applyfunc(sp.expand)

    log, score, slope, response = envelope(loss, variables, moved(matrices.chi), field)
    mean = (frame * matrices.m[:, own]).applyfunc(sp.expand)
    return _Cluster(
        own, variables, frame, mean, moved(matrices.q), log, score, slope, response
    )


def _conjugates(
    load: sp.Expr, clusters: Clusters, locals_: list[_Cluster], matrices: _Matrices
) -> list[tuple[sp.Symbol, sp.Expr]]:
    size = matrices.q.shape[0]
    squares, curvatures = sp.zeros(size, size), sp.zeros(size, size)
    pulls = sp.zeros(size, len(locals_))
    for odds, local in zip(clusters.probabilities, locals_, strict=True):
        frame, score = local.frame, local.score
        pulls[:, local.own] = odds * frame.T * score.applyfunc(local.average)
        squares += odds * frame.T * _symmetric(score * score.T, local.average) * frame
        curvatures -= odds * frame.T * _symmetric(local.slope, local.average) * frame
    variance = clusters.variance
    pairs = [(matrices.mhat[i], load * pulls[i]) for i in range(len(matrices.mhat))]
    for hats, value in ((matrices.qhat, squares), (matrices.Vhat, curvatures)):
        pairs += [
            (hats[i, j], load * variance * value[i, j])
            for i in range(size)
            for j in range(i, size)
        ]
    return pairs


def _symmetric(matrix: sp.Matrix, average: Callable[[sp.Expr], sp.Expr]) -> sp.Matrix:
    """Average every entry of a symmetric matrix once."""
    size = matrix.shape[0]
    upper = {(i, j): average(matrix[i, j]) for i in range(size) for j in range(i, size)}
    return sp.Matrix(size, size, lambda i, j: upper[min(i, j), max(i, j)])


def _response(matrices: _Matrices, curvature: sp.Expr) -> sp.Matrix:
    """Response of the weights to their field, ``(lambda + Vhat)^-1``."""
    size = matrices.q.shape[0]
    stiffness = curvature * sp.eye(size) + matrices.Vhat
    return stiffness.adjugate() / stiffness.det()


def _pulled(clusters: Clusters, matrices: _Matrices) -> sp.Matrix:
    return matrices.mhat * clusters.overlaps * matrices.mhat.T + matrices.qhat


def _functional(
    load: sp.Expr,
    clusters: Clusters,
    locals_: list[_Cluster],
    matrices: _Matrices,
    curvature: sp.Expr,
) -> sp.Expr:
    overlap = -(matrices.mhat.T * matrices.m).trace()
    overlap += ((matrices.Vhat * matrices.q).trace() - (matrices.qhat * matrices.chi).trace()) / 2
    site = (_response(matrices, curvature) * _pulled(clusters, matrices)).trace() / 2
    losses = [
        odds * local.average(local.log)
        for odds, local in zip(clusters.probabilities, locals_, strict=True)
    ]
    return overlap + site + load * sp.Add(*losses)


def _unknowns(
    clusters: Clusters, matrices: _Matrices, curvature: sp.Expr, basis: sp.Matrix
) -> list[Unknown]:
    response = _response(matrices, curvature)
    updates = {
        "m": (matrices.m, response * matrices.mhat * clusters.overlaps),
        "q": (matrices.q, response * _pulled(clusters, matrices) * response.T),
        "chi": (matrices.chi, response),
    }
    docs = {
        "m": "overlap of weights and centroid",
        "q": "overlap of two replicas",
        "chi": "susceptibility",
    }
    size = matrices.q.shape[0]
    unknowns = []
    for name, (symbols, update) in updates.items():
        for i in range(size):
            for j in range(0 if name == "m" else i, symbols.shape[1]):
                diagonal = name != "m" and i == j
                start = {
                    "uninformed": basis[j, i] / 100 if name == "m" else sp.S.Half * int(i == j),
                    "informed": basis[j, i] if name == "m" else sp.Integer(i == j),
                }
                unknowns.append(
                    Unknown(
                        symbols[i, j],
                        update[i, j],
                        POSITIVE if diagonal else REAL,
                        {kind: sp.sympify(value) for kind, value in start.items()},
                        f"{docs[name]}, entry {i + 1}, {j + 1}",
                    )
                )
    return unknowns


def _local(
    expression: sp.Expr, field: VectorField, cluster: _Cluster, values: tuple[sp.Expr, ...]
) -> sp.Expr:
    local = in_margins(stabilise(expression), field, cluster.own)
    if UNIFORM in local.free_symbols and UNIFORM not in cluster.variables:
        raise DerivationError(
            f"{field.where}: the observable {expression} depends on the sum of the components, on "
            "which the loss does not."
        )
    return local.subs(dict(zip(cluster.variables, values, strict=True)), simultaneous=True)
