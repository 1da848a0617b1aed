"""The first transition point: where a condition changes sign along a branch from a start."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.errors import ConvergenceError, ParameterError
from replica.solve.certificate import Transition
from replica.solve.conditions import Condition, Fold, LosesStability
from replica.solve.continuation import Step, tangent_at, trace
from replica.solve.enter import enter
from replica.solve.equations import ZERO, Equations, kept_at_zero, may_vanish
from replica.solve.locate import locate, vanishing
from replica.solve.point import Start, start_vector
from replica.solve.problem import Problem, newton
from replica.solve.solution import Solution

Array = NDArray[np.float64]
#: Most points of a search in one direction.
POINTS = 300
#: Largest eigenvalue, minus one, that is not taken for an instability.
UNSTABLE = 1e-6
#: An unknown below this size is taken for one that vanishes.
_NO_OTHER = 1e-8


@dataclass(frozen=True)
class Question:
    """What is searched for, and where.

    Attributes
    ----------
    model, system : str, CompiledSystem
    name : str
        The critical parameter.
    values : mapping
        Of all parameters; that of the critical one is where a search without bracket begins.
    box : pair of float
        Where the critical parameter is searched for.
    bracketed : bool
        Whether the box is the user's: then its ends are where searches begin.
    settings : SolverSettings or None
    """

    model: str
    system: CompiledSystem
    name: str
    values: Mapping[str, float]
    box: tuple[float, float]
    bracketed: bool
    settings: SolverSettings | None

    def at(self, value: float) -> dict[str, float]:
        """Return the parameters at a value of the critical one."""
        return {**self.values, self.name: value}

    @property
    def where(self) -> str:
        """The range in words."""
        return f"{self.name} from {self.box[0]:g} to {self.box[1]:g}"

    def beginnings(self, start: Start) -> list[tuple[float, tuple[float, ...]]]:
        """Return the values at which a search begins, with the directions that it takes."""
        if isinstance(start, Solution):
            here = start.parameters[self.name]
            if self.box[0] <= here <= self.box[1]:
                return [(here, (1.0, -1.0))]
        if self.bracketed:
            return [(self.box[0], (1.0,)), (self.box[1], (-1.0,))]
        return [(self.values[self.name], (1.0, -1.0))]


def one_phase(question: Question, condition: Condition, start: Start) -> tuple[Problem, Array]:
    """Find a transition of one phase.

    Raises
    ------
    ConvergenceError
        If the start leads to no solution, or the condition holds nowhere on its branch.
    """
    direct = from_solution(question, condition, start) if isinstance(start, Transition) else None
    if direct is not None:
        return direct
    notes: list[str] = []
    beginnings = question.beginnings(start)
    phases: list[list[tuple[int, ...] | None]] = [[None] for _ in beginnings]
    if isinstance(condition, LosesStability):
        phases = [_symmetries(question, start, question.at(value)) for value, _ in beginnings]
    # The most symmetric phase at every beginning, then those in which less vanishes.
    for rank in range(max(map(len, phases))):
        for (value, signs), choices in zip(beginnings, phases, strict=True):
            begin = None
            if rank < len(choices):
                begin = _entry(question, start, value, choices[rank])
            if begin is None:
                continue
            found: list[tuple[Problem, Array]] = []
            for sign in signs:
                hit, note = _along(question, condition, *begin, sign)
                notes.append(note)
                if hit is not None:
                    found.append(hit)
            if found:
                return min(found, key=lambda item: abs(item[1][-1] - value))
    if not notes:
        # Such as the fold of a branch, where no value of the critical parameter has one solution.
        direct = from_solution(question, condition, start)
        if direct is None:
            raise no_entry(question, start)
        return direct
    raise ConvergenceError(
        f"model {question.model}: {condition.name} was not met on the branch of this start for "
        f"{question.where} ({'; '.join(dict.fromkeys(notes))}); give a start= on another branch or "
        "another bracket=."
    )


def no_entry(question: Question, start: Start) -> ConvergenceError:
    """Return the error of a start that leads to no branch."""
    named = f"the start {start!r}" if isinstance(start, str) else "this start"
    return ConvergenceError(
        f"model {question.model}: {named} leads to no regular solution for {question.where}; give "
        "a start= (a Solution, or values of the order parameters) or a bracket= with a solution at "
        "one of its ends. (A limit such as q = 1 is no regular solution: against a phase of known "
        "free entropy, ask for the condition 'free_entropy=VALUE'.)"
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
    x = np.array([start.order_parameters[n] for n in question.system.unknowns])
    here = start.parameters[question.name]
    params = np.array([question.at(here)[n] for n in question.system.parameters])
    small = [i for i in range(len(x)) if abs(x[i]) < ZERO]
    zeros = kept_at_zero(question.system, params, x, small, question.settings)
    phase = Equations(
        question.model, question.system, question.at(here), [question.name],
        question.settings, zeros,
    )  # fmt: skip
    if isinstance(condition, LosesStability) and not zeros:
        return None
    state = phase.state(x, question.at(here))
    problem = Problem([phase], [condition]).renewed(state)
    found = newton(problem, state)
    near = found is not None and question.box[0] <= found[-1] <= question.box[1]
    near = near and abs(found[-1] - here) < 0.2 * max(abs(here), 1e-2)  # type: ignore[index]
    if found is None or not near:
        return None
    stable = not start.stability > 1 + UNSTABLE
    if stable and not stability(problem, found) < 1 + UNSTABLE:
        return None
    return problem.renewed(found), found


def stability(problem: Problem, state: Array) -> float:
    """Return the largest real part of the eigenvalues of the map's Jacobian in the first phase."""
    rule = problem.on(state).rules[0]
    slopes = rule.slopes(rule.base[None])[0]
    return float(np.linalg.eigvals(slopes).real.max()) if np.all(np.isfinite(slopes)) else np.nan


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
    zeros = kept_at_zero(system, params, x, candidates, question.settings)
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


def _along(
    question: Question, condition: Condition, equations: Equations, state: Array, sign: float
) -> tuple[tuple[Problem, Array] | None, str]:
    """Follow a branch until a condition holds, or it ends, turns back or becomes unstable.

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
    name, end = question.name, "there is no direction to go"
    for at in trace(curve, state, (name, sign), {name: question.box}, most=POINTS):
        value = float(at.tangent[-1] if asks_fold else test.on(at.state).conditions()[0])
        if before is not None and value * before[1] <= 0:
            found = locate(curve, condition, before[0].state, at.state)
            allowed = found is not None and (
                asks_fold or not _beyond_fold(curve, before[0], found[1])
            )
            if found is not None and allowed and excess(stable, found[1]) < UNSTABLE:
                return found, ""
        if before is not None and at.tangent[-1] * before[0].tangent[-1] < 0:
            return None, _turning(question, equations, before[0].state, at.state)
        if stable is not None and before is not None and excess(stable, at.state) > UNSTABLE:
            lost = locate(curve, LosesStability(), before[0].state, at.state)
            where = at.state[-1] if lost is None else lost[1][-1]
            grown = ", ".join(question.system.unknowns[i] for i in equations.zeros)
            return None, f"the phase without {grown} becomes unstable at {name} = {where:.6g}"
        before, end = (at, value), at.end
    return None, end


def watched(equations: Equations, state: Array) -> Problem | None:
    """Return the stability of a phase, which a search stays within; None where none is asked.

    A phase that is unstable where it was entered is meant.
    """
    stable = Problem([equations], [LosesStability()]) if equations.zeros else None
    return stable if excess(stable, state) < 0 else None


def excess(stable: Problem | None, state: Array) -> float:
    """Return by how much what vanishes is unstable; minus infinity where that is not asked."""
    return -np.inf if stable is None else float(stable.on(state).conditions()[0])


def _turning(question: Question, equations: Equations, before: Array, after: Array) -> str:
    """Say where a branch turns back: at a fold, or where it meets its mirror image."""
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
    return f"the branch turns back at {question.name} = {after[-1]:.6g}"


def _beyond_fold(curve: Problem, before: Step, state: Array) -> bool:
    """Return whether the branch turns back between a point of it and a state further on."""
    tangent = tangent_at(curve, state)
    if tangent is None:
        return False
    tangent = tangent if tangent @ before.tangent >= 0 else -tangent
    return bool(tangent[-1] * before.tangent[-1] < 0)
