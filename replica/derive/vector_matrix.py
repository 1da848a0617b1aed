"""Replica-symmetric saddle point of a trained vector model with matrix order parameters.

No symmetry of the classes is assumed. Where the loss does not tell the sum of the components, the
overlaps are those of the weights in the plane of class differences; else all components stay. With
``k`` of them the order parameters are ``M`` (``k x L``, with ``L`` cluster centroids or as many
components of the teacher), ``Q`` and ``chi`` (``k x k``). The damped map keeps ``Q`` and ``chi``
positive, because it is a sum of positive matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import sympy as sp

from replica.calculus.special import stabilise
from replica.calculus.vector import SpectralRadius
from replica.declare.laws import Flat
from replica.declare.symbols import chi, m, q
from replica.declare.system import System
from replica.declare.variables import Site, Test, Train
from replica.declare.vectors import Clusters, VectorField, chi_u, q_u
from replica.derive.margins import UNIFORM, in_margins, label_energy
from replica.derive.replica_symmetric import POSITIVE, REAL
from replica.derive.saddle_point import SaddlePoint, Unknown
from replica.derive.vector_label import Label, Matrices, label_problem, matrix_symbols
from replica.derive.vector_site import plane_basis, teacher_variance
from replica.errors import DerivationError


def derive_matrix(system: System) -> SaddlePoint:
    """Derive the saddle point of the minimiser of a loss, without symmetries.

    Raises
    ------
    DerivationError
        If the penalty is not quadratic, or no envelope of the loss can be derived.
    """
    (field,) = system.fields
    curvature = _penalty(system)
    energies = [label_energy(field, c) for c in range(len(field.h))]
    uniform = any(UNIFORM in energy.free_symbols for energy in energies)
    basis = sp.eye(len(field.h)) if uniform else plane_basis(len(field.h))
    overlaps = _overlaps(system, basis)
    matrices = matrix_symbols(basis.shape[1], overlaps.shape[0])
    labels = [
        label_problem(field, own, energy, basis, matrices, overlaps, uniform)
        for own, energy in enumerate(energies)
    ]
    variance = field.labels.variance if isinstance(field.labels, Clusters) else sp.S.One
    conjugates = _conjugates(field.load, variance, labels, matrices)
    functional = _functional(field.load, overlaps, labels, matrices, curvature)

    def average(pick: Callable[[Label], sp.Expr]) -> sp.Expr:
        return sp.Add(*(label.average(pick(label)) for label in labels))

    def observable(value: sp.Expr) -> sp.Expr:
        if value.has(Site):
            raise DerivationError(
                f"model {system.name}: Site averages are not available for several components."
            )
        value = _traces(value, system, basis, matrices)
        value = value.replace(Test, lambda e: average(lambda c: _local(e, field, c, c.variables)))
        return value.replace(Train, lambda e: average(lambda c: _local(e, field, c, c.response)))

    observables = {name: observable(value) for name, value in system.observables.items()}
    unknowns = _unknowns(overlaps, matrices, curvature, basis)
    stationary = [u.symbol for u in unknowns] + [s for s, _ in conjugates]
    return SaddlePoint(
        name=system.name,
        ansatz="replica symmetric",
        parameters=system.parameters,
        definitions=(),
        conjugates=tuple(conjugates),
        unknowns=tuple(unknowns),
        free_entropy=functional,
        replicon=_replicon(field.load, variance, labels, matrices, curvature),
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
            f"model {system.name}: matrix order parameters need a flat measure with a penalty "
            f"proportional to {symbol}**2, got {system.thermal.penalty}."
        )
    return curvature


def _overlaps(system: System, basis: sp.Matrix) -> sp.Matrix:
    """Overlaps of the quenched vectors: centroids, or the teacher's components in the basis."""
    labels = system.fields[0].labels
    if isinstance(labels, Clusters):
        return labels.overlaps
    return teacher_variance(system) * sp.eye(basis.shape[1])


def _traces(value: sp.Expr, system: System, basis: sp.Matrix, matrices: Matrices) -> sp.Expr:
    """Write the overlaps of exchangeable classes in an observable as means over directions."""
    count = basis.shape[0]
    uniform = basis.T * sp.ones(count, 1) / sp.sqrt(count)
    plane = sp.eye(basis.shape[1]) - uniform * uniform.T
    means = {
        symbol: (plane * matrix).trace() / (count - 1)
        for symbol, matrix in ((q, matrices.q), (chi, matrices.chi))
    }
    means |= {
        symbol: (uniform.T * matrix * uniform)[0, 0]
        for symbol, matrix in ((q_u, matrices.q), (chi_u, matrices.chi))
    }
    if system.quenched is not None:
        means[m] = (plane * matrices.m).trace() / (count - 1)
    elif m in value.free_symbols:
        raise DerivationError(
            f"model {system.name}: an observable uses m, but the overlaps with several centroids "
            "are a matrix."
        )
    return value.subs(means, simultaneous=True)


def _conjugates(
    load: sp.Expr, variance: sp.Expr, labels: list[Label], matrices: Matrices
) -> list[tuple[sp.Symbol, sp.Expr]]:
    size = matrices.q.shape[0]
    squares, curvatures = sp.zeros(size, size), sp.zeros(size, size)
    pulls = sp.zeros(*matrices.m.shape)
    for label in labels:
        frame, score = label.frame, label.score
        if label.kernel_gradient is None:
            pulls[:, label.own] = frame.T * score.applyfunc(label.average)
        else:
            pulls += frame.T * (score * label.kernel_gradient.T).applyfunc(label.integrate)
        squares += frame.T * _symmetric(score * score.T, label.average) * frame
        curvatures -= frame.T * _symmetric(label.slope, label.average) * frame
    pairs = [(matrices.mhat[i], load * pulls[i]) for i in range(len(matrices.mhat))]
    for hats, value in ((matrices.qhat, squares), (matrices.Vhat, curvatures)):
        pairs += [
            (hats[i, j], load * variance * value[i, j]) for i in range(size) for j in range(i, size)
        ]
    return pairs


def _symmetric(matrix: sp.Matrix, average: Callable[[sp.Expr], sp.Expr]) -> sp.Matrix:
    """Average every entry of a symmetric matrix once."""
    size = matrix.shape[0]
    upper = {(i, j): average(matrix[i, j]) for i in range(size) for j in range(i, size)}
    return sp.Matrix(size, size, lambda i, j: upper[min(i, j), max(i, j)])


def _response(matrices: Matrices, curvature: sp.Expr) -> sp.Matrix:
    """Response of the weights to their field, ``(lambda + Vhat)^-1``."""
    size = matrices.q.shape[0]
    stiffness = curvature * sp.eye(size) + matrices.Vhat
    return stiffness.adjugate() / stiffness.det()


def _pulled(overlaps: sp.Matrix, matrices: Matrices) -> sp.Matrix:
    return matrices.mhat * overlaps * matrices.mhat.T + matrices.qhat


def _functional(
    load: sp.Expr,
    overlaps: sp.Matrix,
    labels: list[Label],
    matrices: Matrices,
    curvature: sp.Expr,
) -> sp.Expr:
    overlap = -(matrices.mhat.T * matrices.m).trace()
    overlap += ((matrices.Vhat * matrices.q).trace() - (matrices.qhat * matrices.chi).trace()) / 2
    site = (_response(matrices, curvature) * _pulled(overlaps, matrices)).trace() / 2
    return overlap + site + load * sp.Add(*(label.average(label.log) for label in labels))


def _replicon(
    load: sp.Expr,
    variance: sp.Expr,
    labels: list[Label],
    matrices: Matrices,
    curvature: sp.Expr,
) -> sp.Expr:
    """One minus the spectral radius of ``dQ -> chi (alpha E[g' dQ g']) chi``."""
    size = matrices.q.shape[0]
    total = sp.zeros(size**2, size**2)
    for label in labels:
        local = label.slope
        count = local.shape[0]
        known: dict[tuple[int, ...], sp.Expr] = {}
        squares = sp.zeros(count**2, count**2)
        for i, j, k, n in product(range(count), repeat=4):
            key = (*sorted((i, j)), *sorted((k, n)))
            key = min(key, key[2:] + key[:2])
            if key not in known:
                known[key] = label.average(local[i, j] * local[k, n])
            squares[i * count + k, j * count + n] = known[key]
        frame = sp.kronecker_product(label.frame, label.frame)
        total += frame.T * squares * frame
    response = _response(matrices, curvature)
    site = sp.kronecker_product(response, response)
    return 1 - SpectralRadius(*(load * variance**2 * site * total))


def _unknowns(
    overlaps: sp.Matrix, matrices: Matrices, curvature: sp.Expr, basis: sp.Matrix
) -> list[Unknown]:
    response = _response(matrices, curvature)
    updates = {
        "m": (matrices.m, response * matrices.mhat * overlaps),
        "q": (matrices.q, response * _pulled(overlaps, matrices) * response.T),
        "chi": (matrices.chi, response),
    }
    docs = {
        "m": "overlap with the quenched vectors",
        "q": "overlap of two replicas",
        "chi": "susceptibility",
    }
    size = matrices.q.shape[0]
    directions = basis.T if overlaps.shape[0] == basis.shape[0] else sp.eye(size)
    unknowns = []
    for name, (symbols, update) in updates.items():
        for i in range(size):
            for j in range(0 if name == "m" else i, symbols.shape[1]):
                diagonal = name != "m" and i == j
                start = {
                    "uninformed": directions[i, j] / 100
                    if name == "m"
                    else sp.S.Half * int(i == j),
                    "informed": directions[i, j] if name == "m" else sp.Integer(i == j),
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
    expression: sp.Expr, field: VectorField, label: Label, values: tuple[sp.Expr, ...]
) -> sp.Expr:
    local = in_margins(stabilise(expression), field, label.own)
    if UNIFORM in local.free_symbols and UNIFORM not in label.variables:
        raise DerivationError(
            f"{field.where}: the observable {expression} depends on the sum of the components, on "
            "which the loss does not."
        )
    return local.subs(dict(zip(label.variables, values, strict=True)), simultaneous=True)
