"""The first transition point: where a condition changes sign along a branch from a start."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from replica.errors import ConvergenceError, ParameterError
from replica.solve.carry import carried, phase_at
from replica.solve.certificate import Transition
from replica.solve.conditions import Condition, Fold, LosesStability
from replica.solve.continuation import trace
from replica.solve.enter import UNSTABLE, beside, enter, same_point, stability
from replica.solve.equations import CROSSING, ZERO, Equations, kept_at_zero, kept_nearby, may_vanish
from replica.solve.point import Start, start_vector
from replica.solve.problem import Problem, newton
from replica.solve.question import Question, no_entry
from replica.solve.solution import Solution
from replica.solve.walk import POINTS, along

Array = NDArray[np.float64]
#: An unknown below this size is taken for one that vanishes.
_NO_OTHER = 1e-8
#: Relative change of the critical parameter over which a transition is followed directly.
NEAR = 0.2


def one_phase(question: Question, condition: Condition, start: Start) -> tuple[Problem, Array]:
    """Find a transition of one phase.

    Raises
    ------
    ConvergenceError
        If the start leads to no solution, or the condition holds nowhere on its branch.
    """
    direct = None
    if isinstance(start, Transition):
        direct = carried(question, condition, start, [start])
        if direct is None:
            direct = from_solution(question, condition, start)
    if direct is not None:
        return direct
    notes: list[str] = []
    touched: list[float] = []
    others: list[tuple[Problem, Array]] = []  # folds of phases to which the start leads elsewhere
    elsewhere: list[float] = []  # where next to them it leads to another phase
    beginnings = question.beginnings(start)
    phases: list[list[tuple[int, ...] | None]] = [[None] for _ in beginnings]
    if isinstance(condition, LosesStability):
        beginnings += question.ends(start)
        phases = [_symmetries(question, start, question.at(value)) for value, _ in beginnings]
    # The most symmetric phase at every beginning, then those in which less vanishes.
    for rank in range(max(map(len, phases))):
        entered = False
        for (value, signs), choices in zip(beginnings, phases, strict=True):
            begin = None
            if rank < len(choices) and not (entered and not question.bracketed):
                begin = _entry(question, start, value, choices[rank])
            if begin is None:
                continue
            entered = True
            found: list[tuple[Problem, Array]] = []
            for sign in signs:
                hit, note = along(question, condition, *begin, sign, touched)
                notes.append(note)
                if hit is not None:
                    found.append(hit)
            if found:
                best = min(found, key=lambda item: abs(item[1][-1] - value))
                led: bool | float = True
                if isinstance(condition, Fold):
                    led = _leads(question, start, begin, best[1][-1])
                if led is True:
                    return best
                others.append(best)
                elsewhere += [] if led is False else [led]
    if others:
        return _own_fold(question, start, others, elsewhere)
    if not notes:
        # Such as the fold of a branch, where no value of the critical parameter has one solution.
        direct = from_solution(question, condition, start)
        if direct is None:
            raise no_entry(question, start)
        return direct
    if touched:
        raise ConvergenceError(
            f"model {question.model}: {condition.name} is touched at {question.name} = "
            f"{touched[0]:.6g} without a change of sign, and such a point cannot be certified: "
            "give a condition that changes sign there."
        )
    raise ConvergenceError(
        f"model {question.model}: {condition.name} was not met on the branch of this start for "
        f"{question.where} ({'; '.join(dict.fromkeys(notes))}); give a start= on another branch or "
        "another bracket=."
    )


def from_solution(
    question: Question, condition: Condition, start: Start
) -> tuple[Problem, Array] | None:
    """Try Newton's method on the augmented system from a solution.

    It knows of no branch: from a stable solution it may arrive on an unstable one, beyond a fold,
    which is no answer.
    """
    if not isinstance(start, Solution):
        return None
    here = start.parameters[question.name]
    phase, state = phase_at(question, start, question.at(here))
    if isinstance(condition, LosesStability) and not phase.zeros:
        return None
    problem = Problem([phase], [condition]).renewed(state)
    found = newton(problem, state)
    near = found is not None and question.box[0] <= found[-1] <= question.box[1]
    near = near and abs(found[-1] - here) < NEAR * max(abs(here), 1e-2)  # type: ignore[index]
    if found is None or not near:
        return None
    stable = not start.stability > 1 + UNSTABLE
    if stable and not stability(problem, found) < 1 + UNSTABLE:
        return None
    return problem.renewed(found), found


def _entry(
    question: Question, start: Start, value: float, zeros: tuple[int, ...] | None
) -> tuple[Equations, Array] | None:
    """Return phase and state where a search begins."""
    entered = enter(
        question.model, question.system, question.at(value), [question.name], start,
        question.settings, zeros,
    )  # fmt: skip
    if zeros and entered is not None:
        equations, state = entered
        _, x = equations.split(state[None])
        others = [i for i in may_vanish(question.system) if i not in zeros]
        if any(abs(x[0, i]) < _NO_OTHER for i in others):
            return None  # what should not vanish does so: the phase of more zeros
    return entered


def _leads(
    question: Question, start: Start, begin: tuple[Equations, Array], fold: float
) -> bool | float:
    """Return whether a start leads to a branch next to its fold, too.

    Where the search began it may lead to the only phase there is, which is another one. Values of
    order parameters without a bracket mean the phase in which they lie there.

    Returns
    -------
    bool or float
        False where it leads to no regular solution next to the fold; the value of the critical
        parameter there where it leads to another phase, nearer to the start.
    """
    if isinstance(start, Solution) or not (question.bracketed or _named(start)):
        return True
    name, (equations, state) = question.name, begin
    value = beside(fold, state[-1])
    box, sign = (min(state[-1], value), max(state[-1], value)), float(np.sign(value - state[-1]))
    if sign == 0:
        return True
    *_, last = trace(Problem([equations]), state, (name, sign), {name: box}, most=POINTS)
    if last.state[-1] != value:
        return True
    entered = enter(
        question.model, question.system, question.at(value), [name], start, question.settings
    )
    if entered is None:
        return False
    if same_point((equations, last.state), entered):
        return True
    # A start that falls out of its phase before the end of that leads elsewhere, too.
    params, here = equations.split(last.state[None])
    there = entered[0].split(entered[1][None])[1]
    begins = start_vector(question.system, start, params)
    size = np.maximum(np.maximum(np.abs(here), np.abs(there)), CROSSING)
    near, far = (float(np.linalg.norm((begins - x) / size)) for x in (there, here))
    return float(value) if near < far else True


def _named(start: Start) -> bool:
    return start is None or isinstance(start, str)


def _own_fold(
    question: Question, start: Start, others: Sequence[tuple[Problem, Array]],
    elsewhere: Sequence[float],
) -> tuple[Problem, Array]:  # fmt: skip
    """Return the fold of the phase to which a start leads next to folds of other phases.

    Parameters
    ----------
    question, start : Question, Start
    others : sequence of (Problem, array)
        These folds.
    elsewhere : sequence of float
        Where the start leads to another phase.

    Raises
    ------
    ConvergenceError
        If that has no fold in the range.
    """
    notes: list[str] = []
    for value in elsewhere:
        begin = _entry(question, start, value, None)
        if begin is None:
            continue
        both = [along(question, Fold(), *begin, sign, []) for sign in (1.0, -1.0)]
        found = [hit for hit, _ in both if hit is not None]
        if found:
            return min(found, key=lambda item: abs(item[1][-1] - value))
        notes += [note for _, note in both]
    if not notes or not question.bracketed:
        return others[0]
    name = question.name
    at = " and ".join(f"{name} = {found[1][-1]:.6g}" for found in others)
    raise ConvergenceError(
        f"model {question.model}: the spinodal at {at} is that of another phase than the one to "
        f"which this start leads next to it ({name} = {elsewhere[0]:.6g}), and that one has no "
        f"spinodal for {question.where} ({'; '.join(dict.fromkeys(notes))}); give another start= "
        "or another bracket=."
    )


def _without(x: Array, zeros: Sequence[int]) -> Array:
    point = x.copy()
    point[list(zeros)] = 0.0
    return point


def _symmetries(
    question: Question, start: Start, values: Mapping[str, float]
) -> list[tuple[int, ...] | None]:
    """Return the sets of unknowns that symmetric phases keep at zero, the largest first.

    Raises
    ------
    ParameterError
        If there are none.
    """
    system = question.system
    params = np.array([values[name] for name in system.parameters])
    x = start_vector(system, start, params[None])[0]
    candidates = [i for i in range(len(x)) if abs(x[i]) < ZERO] or may_vanish(system)
    here = kept_at_zero(system, params, x, candidates, question.settings)
    zeros = kept_nearby(system, params, _without(x, here), here, [question.name], question.settings)
    if here and not zeros:
        raise ParameterError(
            f"model {question.model}: {question.name} breaks the symmetry that keeps "
            f"{', '.join(system.unknowns[i] for i in here)} at zero at {question.name} = "
            f"{values[question.name]:g}, so there is no second-order transition in it."
        )
    if not zeros:
        raise ParameterError(
            f"model {question.model}: the equations keep no order parameter at zero at "
            f"{question.name} = {values[question.name]:g}, so no symmetric phase can lose its "
            "stability; give another start=, or other parameters."
        )
    # Such as a glass, whose magnetisation vanishes and whose overlap does not.
    fewer = [
        some
        for count in range(len(zeros) - 1, 0, -1)
        for some in itertools.combinations(zeros, count)
        if all(x[i] != 0 for i in zeros if i not in some)
        and kept_at_zero(system, params, x, some, question.settings) == some
    ]
    return [zeros, *fewer]
