"""A solution where the declared start leads nowhere: continued from the default parameters.

Some starts are too far from the solution. The weights of largest margin, for one, grow with the
load, and from weights of order one the susceptibility underflows before they arrive. Solutions on
the way from the defaults of the parameters, each the start of the next, lead there.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping

from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.solve.point import Start, parameter_values, require_converged, solve_point
from replica.solve.solution import Solution, Status

logger = logging.getLogger(__name__)
_LOST = (Status.DIVERGED, Status.AT_BOUNDARY)
#: Residual above which an unknown on the boundary of its domain is no limit of solutions.
_MOVING = 1e-6
_FIRST, _LEAST = 0.25, 1 / 64


def solve_or_continue(
    model: str,
    system: CompiledSystem,
    given: Mapping[str, float],
    start: Start = None,
    settings: SolverSettings | None = None,
    throw: bool = True,
) -> Solution:
    """Solve one point; where the declared start is lost, continue from the default parameters.

    Raises
    ------
    ConvergenceError
        If there is no certified solution and ``throw`` is set; it carries the failed solution.
    """
    solution = solve_point(model, system, given, start, settings, throw=False)
    if start is None and solution.status in _LOST and not solution.residual < _MOVING:
        solution = continue_from_defaults(model, system, given, settings) or solution
    if throw:
        require_converged(solution)
    return solution


def continue_from_defaults(
    model: str,
    system: CompiledSystem,
    given: Mapping[str, float],
    settings: SolverSettings | None = None,
) -> Solution | None:
    """Solve at the default parameters, and follow the solution to the given ones.

    Parameters move together, positive ones geometrically. Returns None where the way is blocked.
    """
    target = parameter_values(system.saddle.parameters, given, ("start", "settings", "backend"))
    defaults = {name: p.default for name, p in system.saddle.parameters.items()}
    if target == defaults:
        return None
    found = solve_point(model, system, defaults, None, settings, throw=False)
    if not found.converged:
        return None
    known, done, step = [(0.0, found)], 0.0, _FIRST
    while done < 1:
        there = min(1.0, done + step)
        values = {name: _between(defaults[name], target[name], there) for name in target}
        start = _predicted(known, there, system)
        found = solve_point(model, system, values, start, settings, throw=False)
        if found.converged or (found.status is Status.NOT_CERTIFIED and found.residual < _MOVING):
            known, done, step = [*known[-1:], (there, found)], there, 1.5 * step
        elif step < 2 * _LEAST:
            logger.info("model %s: no way from the default parameters beyond %s", model, values)
            return None
        else:
            step /= 2
    return dataclasses.replace(found, branch="continued from the default parameters")


def _between(first: float, last: float, share: float) -> float:
    if share == 1 or first == last:
        return last
    if first > 0 and last > 0:
        return math.exp((1 - share) * math.log(first) + share * math.log(last))
    return (1 - share) * first + share * last


def _predicted(
    known: list[tuple[float, Solution]], share: float, system: CompiledSystem
) -> dict[str, float]:
    """Extrapolate the last two solutions; logarithms of what is positive."""
    (now, last), (before, first) = known[-1], known[0]
    there, point = last.order_parameters, first.order_parameters
    ratio = (share - now) / (now - before) if now > before else 0.0
    start = {}
    for name, (low, high) in zip(system.unknowns, system.program.domains, strict=True):
        a, b = point[name], there[name]
        positive = low == 0 and a > 0 and b > 0
        value = b * (b / a) ** ratio if positive else b + ratio * (b - a)
        start[name] = value if low < value < high else b
    return start
