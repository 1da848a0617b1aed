"""Replica-symmetric saddle point of a trained vector model with matrix order parameters.

No symmetry of the classes is assumed. Where the loss does not tell the sum of the components, the
overlaps are those of the weights in the plane of class differences; else all components stay. With
``k`` of them the order parameters are ``M`` (``k x L``, with ``L`` cluster centroids or as many
components of the teacher), ``Q`` and ``chi`` (``k x k``), one of each for every covariance of the
inputs. The damped map keeps ``Q`` and ``chi`` positive, because it is a sum of positive matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import sympy as sp

from replica.calculus.special import stabilise
from replica.calculus.vector import SpectralRadius
from replica.declare.symbols import chi, m, q
from replica.declare.system import System
from replica.declare.variables import Site, Test, Train
from replica.declare.vectors import VectorField, chi_u, plane_basis, q_u
from replica.derive.margins import UNIFORM, in_margins, label_energy
from replica.derive.matrix_site import Covariance, MatrixSite, matrix_site
from replica.derive.replica_symmetric import POSITIVE, REAL
from replica.derive.saddle_point import SaddlePoint, Unknown
from replica.derive.vector_label import Label, label_problem
from replica.errors import DerivationError


def derive_matrix(system: System) -> SaddlePoint:
    """Derive the saddle point of the minimiser of a loss, without symmetries.

    Raises
    ------
    DerivationError
        If the penalty is not quadratic, or no envelope of the loss can be derived.
    """
    (field,) = system.fields
    energies = [label_energy(field, c) for c in range(len(field.h))]
    uniform = any(UNIFORM in energy.free_symbols for energy in energies)
    basis = sp.eye(len(field.h)) if uniform else plane_basis(len(field.h))
    site = matrix_site(system, basis)
    kinds = {label: item for item in site.covariances for label in item.labels}
    labels = [
        label_problem(
            field, own, energy, basis, kinds[own].matrices, site.overlaps, uniform,
            kinds[own].scale(own),
        )
        for own, energy in enumerate(energies)
    ]  # fmt: skip
    conjugates = _conjugates(field.load, site, labels)
    functional = _functional(field.load, site, labels)

    def average(pick: Callable[[Label], sp.Expr]) -> sp.Expr:
        return sp.Add(*(label.average(pick(label)) for label in labels))

    def observable(value: sp.Expr) -> sp.Expr:
        if value.has(Site):
            raise DerivationError(
                f"model {system.name}: Site averages are not available for several components."
            )
        value = _traces(value, system, basis, site)
        value = value.replace(Test, lambda e: average(lambda c: _local(e, field, c)))
        return value.replace(
            Train, lambda e: sp.Add(*(c.after_training(_local(e, field, c)) for c in labels))
        )

    observables = {name: observable(value) for name, value in system.observables.items()}
    unknowns = _unknowns(site, basis)
    stationary = [u.symbol for u in unknowns] + [s for s, _ in conjugates]
    return SaddlePoint(
        name=system.name,
        ansatz="replica symmetric",
        parameters=system.parameters,
        definitions=(),
        conjugates=tuple(conjugates),
        unknowns=tuple(unknowns),
        free_entropy=functional,
        replicon=_replicon(field.load, site, labels),
        observables={"free_energy": -functional, **observables},
        stationary=tuple(stationary),
        zero_temperature=True,
        default_start=system.start if isinstance(system.start, str) else "uninformed",
    )


def _traces(value: sp.Expr, system: System, basis: sp.Matrix, site: MatrixSite) -> sp.Expr:
    """Write the overlaps of exchangeable classes in an observable as means over directions."""
    matrices, *others = (item.matrices for item in site.covariances)
    if others and value.free_symbols & {q, chi, q_u, chi_u}:
        raise DerivationError(
            f"model {system.name}: an observable uses overlaps of exchangeable classes, but with "
            "covariances of several kinds there is an overlap for each."
        )
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
    load: sp.Expr, site: MatrixSite, labels: list[Label]
) -> list[tuple[sp.Symbol, sp.Expr]]:
    pulls = sp.zeros(*site.mhat.shape)
    for label in labels:
        frame, score = label.frame, label.score
        if label.kernel_gradient is None:
            pulls[:, label.own] = frame.T * score.applyfunc(label.average)
        else:
            pulls += frame.T * (score * label.kernel_gradient.T).applyfunc(label.integrate)
    pairs = [(site.mhat[i], load * pulls[i]) for i in range(len(site.mhat))]
    for item in site.covariances:
        pairs += _curvatures(load, item, [labels[c] for c in item.labels])
    return pairs


def _curvatures(
    load: sp.Expr, item: Covariance, labels: list[Label]
) -> list[tuple[sp.Symbol, sp.Expr]]:
    """Conjugates of the overlaps of one covariance."""
    size = item.matrices.q.shape[0]
    squares, curvatures = sp.zeros(size, size), sp.zeros(size, size)
    for label in labels:
        frame, scale = label.frame, item.scale(label.own)
        force = _symmetric(label.score * label.score.T, label.average)
        squares += scale * frame.T * force * frame
        curvatures -= scale * frame.T * _symmetric(label.slope, label.average) * frame
    pairs = []
    for hats, value in ((item.matrices.qhat, squares), (item.matrices.Vhat, curvatures)):
        pairs += [(hats[i, j], load * value[i, j]) for i in range(size) for j in range(i, size)]
    return pairs


def _symmetric(matrix: sp.Matrix, average: Callable[[sp.Expr], sp.Expr]) -> sp.Matrix:
    """Average every entry of a symmetric matrix once."""
    size = matrix.shape[0]
    upper = {(i, j): average(matrix[i, j]) for i in range(size) for j in range(i, size)}
    return sp.Matrix(size, size, lambda i, j: upper[min(i, j), max(i, j)])


def _functional(load: sp.Expr, site: MatrixSite, labels: list[Label]) -> sp.Expr:
    total = -(site.mhat.T * site.covariances[0].matrices.m).trace() + site.potential
    for item in site.covariances:
        at = item.matrices
        total += ((at.Vhat * at.q).trace() - (at.qhat * at.chi).trace()) / 2
    return total + load * sp.Add(*(label.average(label.log) for label in labels))


def _replicon(load: sp.Expr, site: MatrixSite, labels: list[Label]) -> sp.Expr:
    """One minus the spectral radius of ``dQ -> E s G (sum_h s_h alpha E[g' dQ_h g']) G``."""
    kinds = site.covariances
    local = [_squared_slopes(item, [labels[c] for c in item.labels]) for item in kinds]
    blocks = [
        [load * site.squared_response(first, second) * there
         for second, there in zip(kinds, local, strict=True)]
        for first in kinds
    ]  # fmt: skip
    return 1 - SpectralRadius(*sp.Matrix(sp.BlockMatrix(blocks)))


def _squared_slopes(item: Covariance, labels: list[Label]) -> sp.Matrix:
    """``dQ -> E[g' dQ g']`` over labels that see one covariance, as a matrix."""
    size = item.matrices.q.shape[0]
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
        total += item.scale(label.own) ** 2 * frame.T * squares * frame
    return total


def _unknowns(site: MatrixSite, basis: sp.Matrix) -> list[Unknown]:
    docs = {
        "m": "overlap with the quenched vectors",
        "q": "overlap of two replicas",
        "chi": "susceptibility",
    }
    size, count = site.mhat.shape
    directions = basis.T if count == basis.shape[0] else sp.eye(size)
    unknowns = []
    for name, symbols, update in site.updates():
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


def _local(expression: sp.Expr, field: VectorField, label: Label) -> sp.Expr:
    """An observable as a function of the variables of a label."""
    local = in_margins(stabilise(expression), field, label.own)
    if UNIFORM in local.free_symbols and UNIFORM not in label.variables:
        raise DerivationError(
            f"{field.where}: the observable {expression} depends on the sum of the components, on "
            "which the loss does not."
        )
    return local
