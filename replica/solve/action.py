"""Solve an action: the lowest of several minima, or all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from replica.compile.action.system import STARTS, CompiledAction
from replica.compile.settings import SolverSettings
from replica.solve.branches import find_branches
from replica.solve.point import parameter_values, solve_point, start_vector
from replica.solve.solution import Solution, Status

#: Random starts of `action_branches`, and the decades of their eigenvalues on either side.
_RANDOM_STARTS, _DECADES = 6, 2.0


def solve_action(
    model: str,
    system: CompiledAction,
    given: Mapping[str, float],
    start: Any = None,
    settings: SolverSettings | None = None,
    throw: bool = True,
) -> Solution:
    """Minimise an action at one point, by default from every start of `STARTS`.

    Raises
    ------
    ParameterError
        If the action has no value at the start.
    ConvergenceError
        If there is no certified solution and ``throw`` is set; it carries the failed solution.
    """
    values = parameter_values(system.saddle.parameters, given)
    point = np.array([values[name] for name in system.parameters])
    first = start_vector(system, start, point[None, :])[0]  # type: ignore[arg-type]
    system.require_value(point, first)

    def solve(one: Any, strict: bool) -> Solution:
        return solve_point(model, system, given, one, settings, strict)  # type: ignore[arg-type]

    if start is not None:
        return solve(start, throw)
    found = [solve(kind, False) for kind in STARTS]
    # A minimum that is not certified may still be the lowest: then it is the answer, and says so.
    minima = [s for s in found if s.status in (Status.CONVERGED, Status.NOT_CERTIFIED)]
    if not minima:
        return solve("uninformed", throw)
    best = min(solution["action"] for solution in minima)
    margin = 1e-9 * max(1.0, abs(best))
    lowest = [solution for solution in minima if solution["action"] <= best + margin]
    # The first one counts where several starts lead to the same minimum.
    chosen = next((solution for solution in lowest if solution.converged), lowest[0])
    return chosen if chosen.converged or not throw else solve(chosen.branch, throw)


def action_branches(
    model: str,
    system: CompiledAction,
    given: Mapping[str, float],
    starts: Sequence[Any] | None = None,
    settings: SolverSettings | None = None,
    seed: int = 0,
    limits: bool = False,
) -> list[Solution]:
    """Minimise an action from several starts and return the distinct minima, the lowest first.

    Parameters
    ----------
    starts : sequence, optional
        By default those of `STARTS` and six random ones (seeded) over four decades.
    limits : bool
        List where the action has no value, too.
    """
    if starts is None:
        values = parameter_values(system.saddle.parameters, given)
        point = np.array([[values[name] for name in system.parameters]])
        random = np.random.default_rng(seed)
        starts = [*STARTS, *(_random(system, point, random) for _ in range(_RANDOM_STARTS))]
    compiled: Any = system
    return find_branches(model, compiled, given, starts, settings, limits=limits)


def _random(system: CompiledAction, point: Any, random: np.random.Generator) -> dict[str, float]:
    """Return the declared start with random eigenvectors, its eigenvalues over some decades."""
    base = system.coordinates.values(system.coordinates.from_entries(system.starts(point)[0]))
    entries: list[float] = []
    for value in base.values():
        size = len(value) if np.ndim(value) else 1
        factors = 10 ** random.uniform(-_DECADES, _DECADES, size)
        if not np.ndim(value):
            entries.append(float(value * factors[0]))
            continue
        vectors = np.linalg.qr(random.standard_normal((size, size)))[0]
        matrix = vectors @ np.diag(factors * np.diagonal(value)) @ vectors.T
        entries += list(matrix[np.triu_indices(size)])
    return dict(zip(system.unknowns, entries, strict=True))
