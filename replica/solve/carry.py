"""A transition carried along its line to other parameters, from the place where it was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from replica.errors import ConvergenceError, ParameterError
from replica.solve.certificate import Transition
from replica.solve.conditions import Condition, Fold
from replica.solve.ends import reaches
from replica.solve.enter import UNSTABLE, stability
from replica.solve.equations import ZERO, Equations, kept_at_zero, kept_nearby
from replica.solve.problem import Problem, newton
from replica.solve.question import Question
from replica.solve.solution import Solution
from replica.solve.trace_line import half_line, widened

Array = NDArray[np.float64]
#: Largest step along the line, and most points of it.
_STEP, _POINTS = 0.2, 300


def phase_at(
    question: Question, solution: Solution, values: dict[str, float]
) -> tuple[Equations, Array]:
    """Return the phase of a solution at parameters, and its state, with what vanishes at zero."""
    system = question.system
    x = np.array([solution.order_parameters[n] for n in system.unknowns])
    params = np.array([values[n] for n in system.parameters])
    small = [i for i in range(len(x)) if abs(x[i]) < ZERO]
    zeros = kept_at_zero(system, params, x, small, question.settings)
    point = x.copy()
    point[list(zeros)] = 0.0
    zeros = kept_nearby(system, params, point, zeros, [question.name], question.settings)
    phase = Equations(
        question.model, system, values, [question.name], question.settings, zeros
    )  # fmt: skip
    return phase, phase.state(x, values)


def carried(
    question: Question, condition: Condition, start: Transition, halves: Sequence[Solution]
) -> tuple[Problem, Array] | None:
    """Follow a transition from its own parameters to those of a question.

    The parameters that differ are changed one after the other.

    Parameters
    ----------
    question : Question
    condition : Condition
        That of the transition.
    start : Transition
    halves : sequence of Solution
        Its phases.

    Returns
    -------
    (Problem, array) or None
        None if the start is no such transition, or its line does not lead there.

    Raises
    ------
    ConvergenceError
        If it is a spinodal, and its line ends before: a search elsewhere would find another one.
    """
    name = question.name
    if start.condition != condition.name or start.critical[:1] != (name,):
        return None
    values = dict(start.parameters)
    phases, states = zip(*(phase_at(question, half, values) for half in halves), strict=True)
    problem = Problem(phases, [condition])
    problem = problem.renewed(problem.join(states))
    state = newton(problem, problem.join(states))
    if state is None:
        return None
    for other, value in question.values.items():
        if other == name or value == values[other]:
            continue
        try:
            moved = _moved(problem, state, values, other, value)
        except ParameterError:  # it breaks the symmetry of the phase
            return None
        if isinstance(moved, str):
            if not isinstance(condition, Fold):
                return None
            raise ConvergenceError(
                f"model {question.model}: the line of this spinodal does not lead from {other} = "
                f"{values[other]:g} to {other} = {value:g} ({moved}); give another start=."
            )
        problem, state = moved
        values[other] = value
    if question.bracketed and not question.box[0] <= state[-1] <= question.box[1]:
        return None
    for number, half in enumerate(halves):
        stable = not half.stability > 1 + UNSTABLE
        if stable and not stability(problem, state, number) < 1 + UNSTABLE:
            return None  # a saddle
    return problem.renewed(state), state


def _moved(
    problem: Problem, state: Array, values: dict[str, float], other: str, value: float
) -> tuple[Problem, Array] | str:
    """Return a transition at another value of one parameter, or why its line ends before."""
    name, system = problem.free[0], problem.phases[0].system
    here = {**values, name: float(state[-1])}
    wide, begin = widened(problem, state, (name, other), here)
    box = {
        name: system.saddle.parameters[name].domain,
        other: (min(here[other], value), max(here[other], value)),
    }
    points, why = half_line(
        wide, begin, (other, float(np.sign(value - here[other]))), box, _STEP, _POINTS
    )
    if not points or points[-1].state[-1] != value:
        return "it turns back" if why == reaches(other, here[other]) else why
    last = points[-1].state
    at = {**here, name: float(last[-2]), other: value}
    narrow = Problem([phase.like((name,), at) for phase in wide.phases], wide.conditions)
    narrow = narrow.renewed(last[:-1])
    found = newton(narrow, last[:-1])
    return why if found is None else (narrow, found)
