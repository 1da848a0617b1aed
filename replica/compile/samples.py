"""Averages over Gaussian vectors of many components, as means over a sample of points.

The points are the same ones at every evaluation, so that a fixed point exists to machine precision;
their replicates give a standard error. The proximal operator is solved for at every point. An
average inside one over many variables is sampled along with it: one inner point an outer point is
enough where the inner average enters linearly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.calculus.nodes import Average
from replica.calculus.separable import has_kinks
from replica.calculus.trees import distinct
from replica.calculus.vector import VectorAverage, VectorProximal, common_factor
from replica.compile.envelopes import differentiated, envelope_problem, written_out
from replica.compile.expressions import outermost
from replica.compile.inner import MAX_INNER_DIMENSION
from replica.compile.program import Assign, Larger, Loop, Sample, VectorRootProblem, VectorSolve
from replica.compile.regions import MAX_DIMENSION as BOX_DIMENSION
from replica.compile.sobol import MAX_DIMENSION
from replica.errors import DerivationError

Fresh = Callable[[], sp.Symbol]
#: Most variables of a proximal operator; vector_root.h reserves room for as many.
MAX_ROOT = 32


def is_sampled(group: list[VectorAverage]) -> bool:
    """Whether averages, or those inside them, have too many variables for product rules."""
    inner = (n for a in group for n in outermost(a.integrand) if isinstance(n, VectorAverage))
    return len(group[0].variables) > BOX_DIMENSION or any(
        len(node.variables) > MAX_INNER_DIMENSION for node in inner
    )


def sample_loop(
    group: list[VectorAverage], fresh: Fresh, roots: list[VectorRootProblem]
) -> tuple[list[Assign], Loop, tuple[sp.Symbol, ...]]:
    """Return the steps before the loop, the loop, and the symbols of the averages.

    Raises
    ------
    DerivationError
        If there are too many variables, the function of an envelope has kinks, or an inner average
        does not enter linearly.
    """
    node = group[0]
    size = len(node.variables)
    before: list[Assign] = []
    body: list[Assign | VectorSolve] = []

    def store(expression: sp.Expr, where: list[Any]) -> sp.Symbol:
        symbol = fresh()
        where.append(Assign(symbol, expression))
        return symbol

    factor = _cholesky(node.args[3], lambda e: store(e, before))
    mean = [store(mu, before) for mu in node.args[2]]
    normal = tuple(fresh() for _ in range(size))
    at = [
        store(mean[i] + sp.Add(*(factor[i, j] * normal[j] for j in range(i + 1))), body)
        for i in range(size)
    ]
    solved: tuple[sp.Symbol, ...] = ()
    energy = sp.S.Zero
    problem = envelope_problem(node)
    if problem is not None:
        function, bound, _, spread = problem
        if size > MAX_ROOT:
            raise DerivationError(
                f"a proximal operator of {size} variables is needed; at most {MAX_ROOT} are solved "
                "for."
            )
        if has_kinks(function):
            raise DerivationError(
                f"a loss with kinks or a constraint with {size} margins is needed; product rules "
                "integrate them for at most 3 (four classes)."
            )
        solved = tuple(fresh() for _ in range(2 * size + size * size))
        values, force = sp.Matrix(solved[:size]), sp.Matrix(solved[size : 2 * size])
        body.append(VectorSolve(solved, len(roots), tuple(at)))
        roots.append(VectorRootProblem(tuple(bound), function, sp.ImmutableMatrix(spread)))
        local = function.subs(dict(zip(bound, values, strict=True)), simultaneous=True)
        energy = local + (force.T * sp.Matrix(spread) * force)[0, 0] / 2

    def explicit(envelope: sp.Expr) -> sp.Expr:
        indices = envelope.indices
        if isinstance(envelope, VectorProximal):
            return solved[indices[0]]
        if not indices:
            return energy
        if len(indices) == 1:
            return solved[size + indices[0]]
        return solved[2 * size + indices[0] * size + indices[1]]

    moved = dict(zip(node.variables, at, strict=True))
    integrands = [differentiated(a.integrand) for a in group]
    inner = _inner_points(integrands, moved, fresh, lambda e: store(e, before), body)
    normal += inner.normal
    if len(normal) > MAX_DIMENSION:
        raise DerivationError(
            f"an average over {len(normal)} variables is needed; at most {MAX_DIMENSION} are "
            "sampled."
        )
    values = [
        written_out(e.xreplace(inner.names), moved, explicit).xreplace(inner.values)
        for e in integrands
    ]
    outputs = tuple(fresh() for _ in range(len(group) + 1))
    loop = Loop(outputs, (Sample(normal, tuple(body), (sp.S.One, *values)),))
    return before, loop, outputs[1:]


@dataclass(frozen=True)
class _InnerPoints:
    """Inner averages at one inner point: normal variables, a name of each average, its value."""

    normal: tuple[sp.Symbol, ...]
    names: dict[sp.Expr, sp.Expr]
    values: dict[sp.Expr, sp.Expr]


def _inner_points(
    integrands: list[sp.Expr],
    moved: dict[sp.Symbol, sp.Symbol],
    fresh: Fresh,
    store: Callable[[sp.Expr], sp.Symbol],
    body: list[Assign | VectorSolve],
) -> _InnerPoints:
    """Draw the variables of inner averages once a point, in ``body``."""
    nodes = list(dict.fromkeys(n for e in integrands for n in outermost(e)))
    for node in nodes:
        if not isinstance(node, VectorAverage) or _nested(node):
            raise DerivationError(
                "averages inside one over many variables must be over Gaussian vectors, without "
                "averages inside."
            )
    if not all(_linear(e) for e in integrands):
        raise DerivationError(
            "an average over many variables inside another one enters nonlinearly, so that the two "
            "cannot be sampled together."
        )
    normal: list[sp.Symbol] = []
    points: dict[tuple[sp.Basic, ...], dict[sp.Symbol, sp.Symbol]] = {}
    values: dict[sp.Expr, sp.Expr] = {}
    names: dict[sp.Expr, sp.Expr] = {}
    for node in nodes:
        law = tuple(node.args[1:])
        if law not in points:
            own = tuple(fresh() for _ in node.variables)
            scale, pattern = common_factor(node.args[3])
            deviation = store(sp.sqrt(Larger(scale, sp.Float(1e-300))))
            factor = _cholesky(pattern, store)
            points[law] = {}
            for i, variable in enumerate(node.variables):
                noise = sp.Add(*(factor[i, j] * own[j] for j in range(i + 1)))
                points[law][variable] = symbol = fresh()
                body.append(Assign(symbol, node.args[2][i].xreplace(moved) + deviation * noise))
            normal += own
        names[node] = sp.Dummy("inner", real=True)
        values[names[node]] = node.integrand.xreplace({**moved, **points[law]})
    return _InnerPoints(tuple(normal), names, values)


def _nested(node: VectorAverage) -> bool:
    return any(isinstance(e, Average) for e in distinct(node.integrand))


def _linear(expression: sp.Expr) -> bool:
    """Whether inner averages enter an expression linearly, each term with one at most."""
    if isinstance(expression, Average) or next(iter(outermost(expression)), None) is None:
        return True
    if isinstance(expression, sp.Add):
        return all(map(_linear, expression.args))
    if isinstance(expression, sp.Mul):
        factors = [a for a in expression.args if next(iter(outermost(a)), None) is not None]
        return len(factors) == 1 and _linear(factors[0])
    return False


def _cholesky(covariance: sp.Matrix, store: Callable[[sp.Expr], sp.Symbol]) -> sp.Matrix:
    """Lower triangular root of a covariance, worked out entry by entry at run time."""
    size = covariance.shape[0]
    factor = sp.zeros(size, size)
    for j in range(size):
        rest = covariance[j, j] - sp.Add(*(factor[j, k] ** 2 for k in range(j)))
        factor[j, j] = store(sp.sqrt(Larger(rest, sp.Float(1e-300))))
        for i in range(j + 1, size):
            entry = covariance[i, j] - sp.Add(*(factor[i, k] * factor[j, k] for k in range(j)))
            factor[i, j] = store(entry / factor[j, j]) if entry != 0 else sp.S.Zero
    return factor
