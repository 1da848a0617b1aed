"""A transition followed in two parameters, to where its line ends."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from replica.errors import ParameterError
from replica.solve.conditions import Condition, Fold, LosesStability
from replica.solve.continuation import Step, at_value, place, trace
from replica.solve.ends import (
    CRITICAL_POINT,
    INSTABILITY,
    SPINODAL,
    is_singular,
    mirrored,
    no_continuation,
)
from replica.solve.equations import Equations, kept_at_zero, kept_nearby
from replica.solve.line import Point
from replica.solve.problem import Problem, newton

logger = logging.getLogger(__name__)
Array = NDArray[np.float64]
#: Step at which the end of a line of two phases is close enough.
_SHORTEST = 1e-3
#: Relative distance at which two phases are about to become one.
_CLOSE = 0.05
#: Change of a stability, minus one, that is none.
_SAME = 1e-6
#: How often an arc is halved in search of the point where a phase becomes unstable.
_HALVINGS = 30


def widened(
    problem: Problem, state: Array, free: tuple[str, str], values: Mapping[str, float]
) -> tuple[Problem, Array]:
    """Return a transition as a point of a line, with what the second parameter makes grow.

    Raises
    ------
    ParameterError
        If it breaks the symmetry of the phase that loses its stability.
    """
    phases: list[Equations] = []
    states: list[Array] = []
    for one, part in zip(problem.phases, problem.parts(state), strict=True):
        params, x = (row[0] for row in one.split(part[None]))
        zeros = kept_nearby(one.system, params, x, one.zeros, free, one.settings)
        phases.append(one.like(free, values).released(zeros))
        at = dict(zip(one.system.parameters, map(float, params), strict=True))
        states.append(phases[-1].state(x, at))
    wide = Problem(phases, problem.conditions)
    joined = wide.join(states)
    critical = any(isinstance(c, LosesStability) for c in problem.conditions)
    if critical and phases[0].zeros != problem.phases[0].zeros:
        broken = [i for i in problem.phases[0].zeros if i not in phases[0].zeros]
        lost = not phases[0].zeros or not abs(wide.on(joined).conditions()[0]) < _SAME
        if lost:
            names = ", ".join(problem.phases[0].system.unknowns[i] for i in broken)
            raise ParameterError(
                f"model {problem.phases[0].model}: {free[1]} breaks the symmetry that keeps "
                f"{names} at zero, so there is no second-order line along it."
            )
    return wide, joined


def trace_line(
    problem: Problem,
    state: Array,
    box: dict[str, tuple[float, float]],
    step: float,
    most: int,
    at: Sequence[float] | None = None,
) -> tuple[list[Point], tuple[str, str]]:
    """Follow a line in both directions from one of its points.

    Parameters
    ----------
    problem : Problem
        Two free parameters, the critical one and the one along the line.
    state : array
    box : mapping
        Limits of both.
    step : float
    most : int
    at : sequence of float, optional
        Keep only the points at these values of the second parameter.
    """
    along = problem.free[1]
    (before, first), (after, last) = (
        half_line(problem, state, (along, sign), box, step, most) for sign in (-1.0, 1.0)
    )
    points = [*before[:0:-1], *after]
    return (points if at is None else _only(points, at)), (first, last)


def half_line(
    problem: Problem, state: Array, toward: tuple[str, float],
    box: dict[str, tuple[float, float]], step: float, most: int,
) -> tuple[list[Point], str]:  # fmt: skip
    """Follow a line in one direction; return its points, and why it ended.

    Parameters
    ----------
    problem, state, box, step, most
        As of `trace_line`.
    toward : (str, float)
        The parameter and the sign of its change with which it is entered.
    """
    points: list[Point] = []
    before: list[tuple[Condition, float]] = []
    apart: Array | None = None
    stable: float | None = None
    end = no_continuation(place(problem, state))
    for found in trace(problem, state, toward, box, step, most):
        if _is_fold(problem):
            was, stable = stable, _reserve(problem, found.state)
            over = _last_fold(problem, points[-1], found, was, stable) if points else None
            if over is not None:
                return [*points, *over[0]], over[1]
        sides, now = _sides(problem, found.state), _apart(problem, found.state)
        passed = [
            condition
            for (condition, old), (_, new) in zip(before, sides, strict=False)
            if old * new < 0
        ]
        met = _meeting(problem, passed, points[-1].state, found.state) if passed else None
        if met is not None:
            lost = isinstance(met.problem.conditions[-1], LosesStability)
            why = INSTABILITY if lost else SPINODAL
            return [*points, met], CRITICAL_POINT if _near(met.problem, met.state) else why
        if passed or (apart is not None and now.size and now @ apart <= 0):
            # The phases have passed each other: go closer to where they were one.
            last = points[-1]
            if step <= _SHORTEST or last.tangent is None:
                return points, CRITICAL_POINT
            sign = float(np.sign(last.tangent[-1])) or toward[1]
            more, end = half_line(problem, last.state, (toward[0], sign), box, step / 4, most)
            return [*points, *more[1:]], end
        before, apart, end = sides, now, found.end
        if is_singular(end) and _near(problem, found.state):
            end = CRITICAL_POINT
        again = points and found.end and np.array_equal(found.state, points[-1].state)
        if not again and not problem.is_excluded(found.state):
            points.append(Point(problem, found.state, found.tangent))
    return points, end


def _is_fold(problem: Problem) -> bool:
    return len(problem.phases) == 1 and isinstance(problem.conditions[0], Fold)


def _reserve(problem: Problem, state: Array) -> float:
    """Return by how much a phase at its fold is stable in all other directions."""
    rule = problem.on(state).rules[0]
    slopes = rule.slopes(rule.base[None])[0]
    if not np.all(np.isfinite(slopes)):
        return np.nan
    values = np.linalg.eigvals(slopes)
    others = np.delete(values, int(np.argmin(np.abs(values - 1.0))))
    return 1.0 - float(np.max(others.real, initial=-np.inf))


def _last_fold(
    problem: Problem, before: Point, after: Step, stable: float | None, now: float
) -> tuple[list[Point], str] | None:
    """Return the last point of a line of spinodals and why it ends, if it does before a point.

    Beyond, it is a fold of two saddles, or the mirror image of the line itself.
    """
    low, high = before.state, after.state
    phase = problem.phases[0]
    params, x = phase.split(low[None])
    mirror = np.flatnonzero(x[0] * phase.split(high[None])[1][0] < 0)
    zeros = kept_at_zero(phase.system, params[0], x[0], list(mirror), phase.settings)
    if zeros:
        return [], mirrored(", ".join(phase.system.unknowns[i] for i in zeros))
    if stable is None or not stable > _SAME or not now < -_SAME:
        return None
    last: Array | None = None
    for _ in range(_HALVINGS):
        chord = (high - low) / problem.units(low)
        middle = newton(problem, 0.5 * (low + high), chord / np.linalg.norm(chord))
        if middle is None:
            break
        if _reserve(problem, middle) > 0:
            low = last = middle
        else:
            high = middle
    ends = [] if last is None else [Point(problem, last, before.tangent)]
    return ends, INSTABILITY


def _near(problem: Problem, state: Array) -> bool:
    """Return whether there are two phases, and they are about to become one."""
    apart = _apart(problem, state)
    return bool(apart.size and np.linalg.norm(apart) < _CLOSE * np.linalg.norm(state))


def _apart(problem: Problem, state: Array) -> Array:
    """Return the difference of two phases; empty for one."""
    if len(problem.phases) < 2:
        return np.empty(0)
    parts = zip(problem.phases, problem.parts(state), strict=True)
    first, second = (phase.split(part[None])[1][0] for phase, part in parts)
    return np.asarray(first - second)


def _sides(problem: Problem, state: Array) -> list[tuple[Condition, float]]:
    """Return where the line may end, with the side on which a state is; nothing if it does not.

    A phase ends at its spinodal; one of two that coexist also where it loses its stability.
    """
    if not all(c.ends_at_folds for c in problem.conditions):
        return []
    sides: list[tuple[Condition, float]] = []
    for k, rule in enumerate(problem.on(state).rules):
        phase, slopes = rule.equations, rule.slopes(rule.base[None])[0]
        if not np.all(np.isfinite(slopes)):
            return []
        kept, zeros = list(phase.kept), list(phase.zeros)
        block = np.eye(phase.size) - slopes[np.ix_(kept, kept)]
        sides.append((Fold(k), float(np.linalg.slogdet(block)[0])))
        if len(problem.phases) == 2 and zeros:
            growth = np.linalg.eigvals(slopes[np.ix_(zeros, zeros)]).real.max()
            sides.append((LosesStability(k), 1.0 - float(growth)))
    return sides


def _meeting(
    problem: Problem, passed: Sequence[Condition], before: Array, after: Array
) -> Point | None:
    """Return the point at which a line meets the first of the conditions that it passed."""
    guess = 0.5 * (before + after)
    unit = problem.units(guess)
    reach = float(np.linalg.norm((after - before) / unit))
    found: list[tuple[float, Point]] = []
    for condition in passed:
        both = Problem(problem.phases, [*problem.conditions, condition]).renewed(guess)
        state = newton(both, guess)
        if state is None or np.linalg.norm((state - guess) / unit) > reach:
            continue
        distance = float(np.linalg.norm((state - before) / unit))
        found.append((distance, Point(both, state, None)))
    return min(found, key=lambda item: item[0])[1] if found else None


def _only(points: Sequence[Point], at: Sequence[float]) -> list[Point]:
    """Return the points of a line at given values of its last parameter, in the line's order."""
    kept: list[Point] = []
    for low, high in itertools.pairwise(points):
        a, b = low.state[-1], high.state[-1]
        inside = [v for v in at if min(a, b) <= v <= max(a, b) and v != a]
        inside = inside if a <= b else inside[::-1]
        if low is points[0] and a in at:
            kept.append(low)
        for value in inside:
            problem = low.problem if low.tangent is not None else high.problem
            if value == b:
                kept.append(high)
                continue
            found = at_value(problem, low.state, high.state, problem.size - 1, value)
            tangent = low.tangent if low.tangent is not None else high.tangent
            if found is None:
                logger.warning("no point of the line at %s = %g", problem.free[1], value)
                continue
            kept.append(Point(problem, found, tangent))
    return kept
