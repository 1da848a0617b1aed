"""Exact points on a branch: where a condition holds between two of its points, where it ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from replica.solve.conditions import Condition, LosesStability
from replica.solve.equations import Equations, kept_at_zero, kept_nearby
from replica.solve.problem import Problem, newton

Array = NDArray[np.float64]
#: An unknown that was this small when the curve ended is tried at zero.
_VANISHING = 1e-2
#: How often an arc is divided in search of a transition.
_HALVINGS = 30


def locate(
    problem: Problem, condition: Condition, before: Array, after: Array
) -> tuple[Problem, Array] | None:
    """Return the point between two points of a curve at which a condition holds.

    Parameters
    ----------
    problem : Problem
        The curve.
    condition : Condition
    before, after : array
        States between which the condition changes sign.

    Returns
    -------
    (Problem, array) or None
        The augmented problem and its solution.
    """
    unit = problem.units(0.5 * (before + after))
    reach = float(np.linalg.norm((after - before) / unit))
    augmented = Problem(problem.phases, [condition]).renewed(0.5 * (before + after))
    low, high = before, after
    first, last = (augmented.on(at).conditions()[0] for at in (low, high))
    for _ in range(_HALVINGS):
        share = 0.5
        if first * last < 0:
            share = min(max(first / (first - last), 0.05), 0.95)
        guess = low + share * (high - low)
        fitted = augmented.renewed(guess)
        found = newton(fitted, guess)
        if found is not None and np.linalg.norm((found - guess) / unit) <= reach:
            return fitted, found
        if not first * last < 0:
            return None
        chord = (high - low) / problem.units(guess)
        centre = newton(problem, guess, chord / np.linalg.norm(chord))
        if centre is None:
            return None
        value = augmented.on(centre).conditions()[0]
        if value * first <= 0:
            high, last = centre, value
        else:
            low, first = centre, value
    return None


def vanishing(
    equations: Equations, state: Array, unknowns: Sequence[int] = ()
) -> tuple[Problem, Array] | None:
    """Return the second-order point at which unknowns of a phase vanish, next to a state.

    Parameters
    ----------
    equations : Equations
    state : array
    unknowns : sequence of int, optional
        Which ones; those that are small, by default.
    """
    params, x = (row[0] for row in equations.split(state[None]))
    small = [i for i in range(len(x)) if i in equations.zeros or i in unknowns]
    if not unknowns:
        small = [i for i in range(len(x)) if abs(x[i]) < _VANISHING]
    if len(small) == len(equations.zeros):
        return None
    zeros = kept_at_zero(equations.system, params, x, small, equations.settings)
    without = x.copy()
    without[list(zeros)] = 0.0
    free, settings = equations.free, equations.settings
    zeros = kept_nearby(equations.system, params, without, zeros, free, settings)
    if set(zeros) <= set(equations.zeros):
        return None
    values = {**equations.values, **Problem([equations]).parameters(state)}
    phase = Equations(
        equations.model, equations.system, values, equations.free, equations.settings, zeros
    )
    problem = Problem([phase], [LosesStability()])
    found = newton(problem, phase.state(x, values))
    near = found is not None and abs(found[-1] - state[-1]) < 0.05 * abs(state[-1])
    return (problem, found) if near and found is not None else None
