"""Averages over Gaussian vectors of many components, as means over a sample of points.

The points are the same ones at every evaluation, so that a fixed point exists to machine precision;
their replicates give a standard error. The proximal operator is solved for at every point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from replica.calculus.nodes import Average
from replica.calculus.separable import has_kinks
from replica.calculus.vector import VectorAverage, VectorProximal
from replica.compile.envelopes import differentiated, distinct, envelope_problem, written_out
from replica.compile.program import Assign, Larger, Loop, Sample, VectorRootProblem, VectorSolve
from replica.compile.sobol import MAX_DIMENSION
from replica.errors import DerivationError

Fresh = Callable[[], sp.Symbol]


def sample_loop(
    group: list[VectorAverage], fresh: Fresh, roots: list[VectorRootProblem]
) -> tuple[list[Assign], Loop, tuple[sp.Symbol, ...]]:
    """Return the steps before the loop, the loop, and the symbols of the averages.

    Raises
    ------
    DerivationError
        If there are too many variables, or the function of an envelope has kinks.
    """
    node = group[0]
    size = len(node.variables)
    if size > MAX_DIMENSION:
        raise DerivationError(
            f"an average over {size} variables is needed; at most {MAX_DIMENSION} are sampled."
        )
    if any(isinstance(e, Average) for a in group for e in distinct(a.integrand)):
        raise DerivationError("an average within an average over several variables.")
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
    values = [written_out(differentiated(a.integrand), moved, explicit) for a in group]
    outputs = tuple(fresh() for _ in range(len(group) + 1))
    loop = Loop(outputs, (Sample(normal, tuple(body), (sp.S.One, *values)),))
    return before, loop, outputs[1:]


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
