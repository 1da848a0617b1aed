"""The first transition point: where a condition changes sign along a branch from a start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.errors import ConvergenceError, ParameterError
from replica.solve.conditions import Condition, EqualEntropies, Fold, LosesStability
from replica.solve.continuation import Step, tangent_at, trace
from replica.solve.enter import enter
from replica.solve.equations import ZERO, Equations, kept_at_zero
from replica.solve.locate import locate
from replica.solve.point import Start, start_vector
from replica.solve.problem import Problem, newton
from replica.solve.solution import Solution

Array = NDArray[np.float64]
_POINTS = 300


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
    direct = from_solution(question, condition, start)
    if direct is not None:
        return direct
    entered = False
    notes: list[str] = []
    for value, signs in question.beginnings(start):
        found: list[tuple[Problem, Array]] = []
        begin = _entry(question, condition, start, value)
        if begin is None:
            continue
        entered = True
        for sign in signs:
            hit, note = _along(question, condition, *begin, sign)
            notes.append(note)
            if hit is not None:
                found.append(hit)
        if found:
            return min(found, key=lambda item: abs(item[1][-1] - value))
    if not entered:
        raise _no_entry(question, start)
    raise ConvergenceError(
        f"model {question.model}: {condition.name} was not met on the branch of this start for "
        f"{question.where} ({'; '.join(dict.fromkeys(notes))}); give a start= on another branch or "
        "another bracket=."
    )


def _no_entry(question: Question, start: Start) -> ConvergenceError:
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
    """Try Newton's method on the augmented system from a solution."""
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
    return (problem.renewed(found), found) if near and found is not None else None


def _entry(
    question: Question, condition: Condition, start: Start, value: float
) -> tuple[Equations, Array] | None:
    """Return phase and state where a search begins."""
    values = question.at(value)
    zeros = None
    if isinstance(condition, LosesStability):
        zeros = _symmetry(question, start, values)
    return enter(
        question.model, question.system, values, [question.name], start, question.settings, zeros
    )


def _symmetry(question: Question, start: Start, values: Mapping[str, float]) -> tuple[int, ...]:
    """Return the unknowns that the symmetric phase keeps at zero.

    Raises
    ------
    ParameterError
        If there are none.
    """
    system = question.system
    params = np.array([values[name] for name in system.parameters])
    x = start_vector(system, start, params[None])[0]
    candidates = [i for i in range(len(x)) if abs(x[i]) < ZERO]
    if not candidates:
        # Not those that vanish in a limit only, such as a variance.
        candidates = [i for i, u in enumerate(system.saddle.unknowns) if not u.symbol.is_positive]
    zeros = kept_at_zero(system, params, x, candidates, question.settings)
    if not zeros:
        raise ParameterError(
            f"model {question.model}: the equations keep no order parameter at zero at "
            f"{question.name} = {values[question.name]:g}, so no symmetric phase can lose its "
            "stability; give another start=, or other parameters."
        )
    return zeros


def _along(
    question: Question, condition: Condition, equations: Equations, state: Array, sign: float
) -> tuple[tuple[Problem, Array] | None, str]:
    """Follow a branch until a condition holds, or it turns back; return what was met."""
    curve = Problem([equations])
    asks_fold = isinstance(condition, Fold)
    test = Problem([equations], [condition])
    before: tuple[Step, float] | None = None
    name, end = question.name, "there is no direction to go"
    for at in trace(curve, state, (name, sign), {name: question.box}, most=_POINTS):
        value = float(at.tangent[-1] if asks_fold else test.on(at.state).conditions()[0])
        if before is not None and value * before[1] <= 0:
            found = locate(curve, condition, before[0].state, at.state)
            if found is not None and (asks_fold or not _beyond_fold(curve, before[0], found[1])):
                return found, ""
        if before is not None and at.tangent[-1] * before[0].tangent[-1] < 0:
            return None, f"the branch turns back at {name} = {at.state[-1]:.6g}"
        before, end = (at, value), at.end
    return None, end


def _beyond_fold(curve: Problem, before: Step, state: Array) -> bool:
    """Return whether the branch turns back between a point of it and a state further on."""
    tangent = tangent_at(curve, state)
    if tangent is None:
        return False
    tangent = tangent if tangent @ before.tangent >= 0 else -tangent
    return bool(tangent[-1] * before.tangent[-1] < 0)


# -- two phases -----------------------------------------------------------------------------------


def two_phases(question: Question, starts: Sequence[Start]) -> tuple[Problem, Array]:
    """Find a point of equal free entropies of the branches of two starts.

    Raises
    ------
    ConvergenceError
        If the starts lead to one phase, or their free entropies are nowhere equal.
    """
    arcs = [list(_arcs(question, start)) for start in starts]
    for start, reached in zip(starts, arcs, strict=True):
        if not reached:
            raise _no_entry(question, start)
    gaps: list[float] = []
    merged = False
    for first in arcs[0]:
        for second in arcs[1]:
            for guess, gap in _crossings(first, second):
                gaps.append(gap)
                if guess is None:
                    continue
                phases = [first.equations, second.equations]
                problem = Problem(phases, [EqualEntropies()])
                found = newton(problem, problem.join(guess))
                merged = merged or (found is not None and same_phase(problem, found))
                if found is not None and not same_phase(problem, found):
                    return problem, found
    seen = "they lead to the same phase, or never coexist"
    if gaps and not merged:
        seen = f"where they coexist the free entropies differ by {min(gaps):.3g} to {max(gaps):.3g}"
    raise ConvergenceError(
        f"model {question.model}: the phases of the two starts have no equal free entropies for "
        f"{question.where} ({seen}); give start=(first, second) with one on each branch, or "
        "another bracket=."
    )


@dataclass(frozen=True)
class _Arc:
    equations: Equations
    states: Array
    entropies: Array


def _arcs(question: Question, start: Start) -> Iterator[_Arc]:
    """Follow a branch up to its folds, from every place where a search begins."""
    name, system = question.name, question.system
    at = system.outputs.index("free_entropy")
    for value, signs in question.beginnings(start):
        entered = enter(
            question.model, system, question.at(value), [name], start, question.settings
        )
        if entered is None:
            continue
        equations, state = entered
        points: dict[float, Array] = {}
        for sign in signs:
            before: Step | None = None
            for step in trace(
                Problem([equations]), state, (name, sign), {name: question.box}, most=_POINTS
            ):
                if before is not None and step.tangent[-1] * before.tangent[-1] < 0:
                    break
                points[float(step.state[-1])] = step.state
                before = step
        states = np.array([points[p] for p in sorted(points)])
        entropies = [equations.on(s).reports(s[None])[0, at] for s in states]
        yield _Arc(equations, states, np.array(entropies))


def _crossings(first: _Arc, second: _Arc) -> Iterator[tuple[list[Array] | None, float]]:
    """Return guesses where the free entropies of two arcs cross, and the gaps between them."""
    p, r = first.states[:, -1], second.states[:, -1]
    low, high = max(p[0], r[0]), min(p[-1], r[-1])
    common = np.union1d(p, r)
    common = common[(common >= low) & (common <= high)]
    if not len(common):
        return

    def between(arc: _Arc, value: float) -> Array:
        columns = arc.states.T
        return np.array([np.interp(value, arc.states[:, -1], column) for column in columns])

    gaps = np.interp(common, p, first.entropies) - np.interp(common, r, second.entropies)
    for i, gap in enumerate(gaps):
        yield None, float(gap)
        if i and gap * gaps[i - 1] < 0:
            share = gaps[i - 1] / (gaps[i - 1] - gap)
            value = common[i - 1] + share * (common[i] - common[i - 1])
            yield [between(first, value), between(second, value)], float(gap)


def same_phase(problem: Problem, state: Array) -> bool:
    """Return whether the two phases of a state have become one."""
    parts = zip(problem.phases, problem.parts(state), strict=True)
    one, other = (phase.split(part[None])[1][0] for phase, part in parts)
    scale = np.maximum(np.maximum(np.abs(one), np.abs(other)), 1e-3)
    return bool(np.max(np.abs(one - other) / scale) < 1e-4)
