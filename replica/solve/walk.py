"""A walk along a branch, to where a condition holds or the branch ends or is no phase any more."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from replica.solve.certificate import certified, state_errors
from replica.solve.conditions import Condition, Fold, Holds, LosesStability
from replica.solve.continuation import Step, place, tangent_at, trace
from replica.solve.ends import no_continuation
from replica.solve.enter import UNSTABLE
from replica.solve.equations import Equations
from replica.solve.locate import locate, vanishing
from replica.solve.problem import Problem, newton
from replica.solve.question import Question

Array = NDArray[np.float64]
#: Most points of a search in one direction.
POINTS = 300
#: A condition whose least value is this share of those beside it is zero there.
_TOUCHING = 1e-6
#: So much larger, at least, than at the point nearest to a double root is a condition at one of the
#: two beside it: nine times, were they equally far; less is a shallow minimum, or rounding.
_RISES = 1.5
#: The same, of the other sign: there it crosses zero twice.
_CROSSING = 1e-9
#: Relative distance of two transitions that are one.
_SAME = 1e-10


def along(
    question: Question,
    condition: Condition,
    equations: Equations,
    state: Array,
    sign: float,
    touched: list[float],
) -> tuple[tuple[Problem, Array] | None, str]:
    """Follow a branch until a condition holds, or it ends, turns back or becomes unstable.

    Parameters
    ----------
    question : Question
    condition : Condition
    equations, state : Equations, array
        Where to begin.
    sign : float
        Of the change of the critical parameter.
    touched : list of float
        Values at which the condition vanishes without a change of sign are added to it.

    Returns
    -------
    (Problem, array) or None
    str
        What was met.
    """
    curve = Problem([equations])
    asks_fold = isinstance(condition, Fold)
    test = Problem([equations], [condition])
    stable = None if isinstance(condition, LosesStability) else watched(equations, state)
    before: tuple[Step, float] | None = None
    name, end = question.name, no_continuation(place(curve, state))
    last = deque[tuple[Array, float]](maxlen=3)
    for at in trace(curve, state, (name, sign), {name: question.box}, most=POINTS):
        value = float(at.tangent[-1] if asks_fold else test.on(at.state).conditions()[0])
        if before is not None and value * before[1] <= 0:
            found = locate(curve, condition, before[0].state, at.state)
            allowed = found is not None and not curve.is_excluded(found[1])
            if found is not None and allowed and not asks_fold:
                allowed = not _beyond_fold(curve, before[0], found[1])
            if found is not None and allowed and excess(stable, found[1]) < UNSTABLE:
                return _at_the_end(condition, equations, found), ""
        if before is not None and at.tangent[-1] * before[0].tangent[-1] < 0:
            return None, _turning(question, condition, equations, *before, at.state)
        if stable is not None and before is not None and excess(stable, at.state) > UNSTABLE:
            lost = locate(curve, LosesStability(), before[0].state, at.state)
            where = at.state[-1] if lost is None else lost[1][-1]
            grown = ", ".join(question.system.unknowns[i] for i in equations.zeros)
            return None, f"the phase without {grown} becomes unstable at {name} = {where:.6g}"
        last.append((at.state, value))
        least = _touching(test, last) if isinstance(condition, Holds) else None
        if least is not None:
            # Two roots between neighbouring points, or one that is double.
            found = locate(curve, condition, last[0][0], least[0]) if least[1] else None
            if found is not None and excess(stable, found[1]) < UNSTABLE:
                return found, ""
            touched.append(float(least[0][-1]))
        before, end = (at, value), at.end
    if before is not None and not asks_fold:
        merged = _where_it_ends(question, condition, equations, *before)
        if isinstance(merged, str):
            return None, merged
        if merged is not None:
            return merged, ""
    return None, end


def _at_the_end(
    condition: Condition, equations: Equations, found: tuple[Problem, Array]
) -> tuple[Problem, Array]:
    """Return a point again, in the more symmetric phase if it is the one in which the branch ends.

    There the equations of the branch are singular, and conditions have no simple root: the replicon
    of a glass vanishes as the square of the distance to the transition at which the glass does.
    """
    problem, state = found
    scale = problem.accuracy_units(state)
    certain = certified(state_errors(problem, state), scale, equations.size)
    if certain or not isinstance(condition, Holds):
        return found
    merged = vanishing(equations, state)
    return (None if merged is None else _holds_at(condition, merged)) or found


def _holds_at(condition: Condition, merged: tuple[Problem, Array]) -> tuple[Problem, Array] | None:
    """Return the point at which a condition holds, if it is the given second-order point."""
    problem, there = merged
    end = Problem(problem.phases, [condition]).renewed(there)
    exact = newton(end, there)
    if exact is None or not abs(exact[-1] - there[-1]) <= _SAME * abs(there[-1]):
        return None
    return end, exact


def _where_it_ends(
    question: Question, condition: Condition, equations: Equations, last: Step, value: float
) -> tuple[Problem, Array] | str | None:
    """Return a transition between the last point of a branch and the phase in which it ends.

    Unknowns that vanish at a pitchfork do so as the square root of the distance and slower, so that
    a branch is not followed up to there.

    Returns
    -------
    (Problem, array), str or None
        The transition, or what is there instead; None where nothing vanishes.
    """
    merged = vanishing(equations, last.state)
    if merged is None:
        return None
    phase, (there,) = merged[0].phases[0], merged[0].parts(merged[1])
    _, x = phase.split(there[None])
    whole = equations.state(x[0], {question.name: float(there[-1])})
    curve, test = Problem([equations]), Problem([equations], [condition])
    low, high = question.box
    rounding = _SAME * abs(there[-1])
    if isinstance(condition, Holds) and low - rounding <= there[-1] <= high + rounding:
        exact = _holds_at(condition, merged)
        if exact is not None:
            return exact
    if value * float(test.on(whole).conditions()[0]) < 0:
        found = locate(curve, condition, last.state, whole)
        if found is not None:
            return found
    vanished = ", ".join(question.system.unknowns[i] for i in phase.zeros)
    verb = "vanishes" if len(phase.zeros) == 1 else "vanish"
    return f"the branch ends at {question.name} = {there[-1]:.6g}, where {vanished} {verb}"


def _touching(test: Problem, last: Sequence[tuple[Array, float]]) -> tuple[Array, bool] | None:
    """Return the state at which a condition vanishes between points at which its sign is the same.

    Parameters
    ----------
    test : Problem
        The curve with the condition.
    last : sequence of (array, float)
        Three neighbouring states and the values there.

    Returns
    -------
    (array, bool) or None
        The state, and whether the condition has the other sign there.
    """
    if len(last) < 3:
        return None
    (low, first), (middle, least), (high, second) = last
    if not (first * second > 0 and abs(least) <= min(abs(first), abs(second))):
        return None
    if max(abs(first), abs(second)) < _RISES * abs(least):
        return None
    curve = Problem(test.phases)
    chord = (high - low) / curve.units(middle)
    length = float(np.linalg.norm(chord))
    ends = sorted(float(chord @ ((at - middle) / curve.units(middle))) for at in (low, high))

    def state(distance: float) -> Array | None:
        guess = middle + distance / length**2 * (high - low)
        return newton(curve, guess, chord / length)

    sign = np.sign(first)

    def size(distance: float) -> float:
        found = state(distance)
        return np.inf if found is None else sign * float(test.on(found).conditions()[0])

    best = minimize_scalar(size, bounds=ends, method="bounded", options={"xatol": _TOUCHING * 1e-2})
    scale = max(abs(first), abs(second))
    if not best.fun <= _TOUCHING * scale:
        return None
    found = state(float(best.x))
    return None if found is None else (found, bool(best.fun < -_CROSSING * scale))


def watched(equations: Equations, state: Array) -> Problem | None:
    """Return the stability of a phase, which a search stays within; None where none is asked.

    A phase that is unstable where it was entered is meant.
    """
    stable = Problem([equations], [LosesStability()]) if equations.zeros else None
    return stable if excess(stable, state) < 0 else None


def excess(stable: Problem | None, state: Array) -> float:
    """Return by how much what vanishes is unstable; minus infinity where that is not asked."""
    return -np.inf if stable is None else float(stable.on(state).conditions()[0])


def _turning(
    question: Question, condition: Condition, equations: Equations,
    last: Step, value: float, after: Array,
) -> str:  # fmt: skip
    """Say where a branch turns back: at a fold, or where it meets its mirror image.

    A condition may hold at the fold itself, as the replicon of some glasses vanishes there.
    """
    before = last.state
    x, y = (equations.split(state[None])[1][0] for state in (before, after))
    for i in np.flatnonzero(x * y < 0):
        share = x[i] / (x[i] - y[i])
        middle = vanishing(equations, before + share * (after - before), [int(i)])
        if middle is not None:
            unknown, name = question.system.unknowns[i], question.name
            return (
                f"the branch ends at {name} = {middle[1][-1]:.6g}, where {unknown} vanishes: ask "
                f'for "second-order" with start={{"{unknown}": 0}}'
            )
    fold = locate(Problem([equations]), Fold(), before, after)
    if fold is None:
        return f"the branch turns back at {question.name} = {after[-1]:.6g}"
    text = f"the branch turns back at {question.name} = {fold[1][-1]:.6g}"
    there = Problem([equations], [condition]).on(fold[1]).conditions()[0]
    if isinstance(condition, Holds) and abs(there) < _TOUCHING * abs(value):
        text += f', where {condition.name} holds at the spinodal itself: ask for "spinodal"'
    return text


def _beyond_fold(curve: Problem, before: Step, state: Array) -> bool:
    """Return whether the branch turns back between a point of it and a state further on."""
    tangent = tangent_at(curve, state)
    if tangent is None:
        return False
    tangent = tangent if tangent @ before.tangent >= 0 else -tangent
    return bool(tangent[-1] * before.tangent[-1] < 0)
