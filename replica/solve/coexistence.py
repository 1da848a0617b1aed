"""The first-order point: where the free entropies of two branches are equal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replica.errors import ConvergenceError
from replica.solve.conditions import Condition, EqualEntropies, Fold, LosesStability
from replica.solve.continuation import Step, trace
from replica.solve.enter import enter
from replica.solve.equations import Equations
from replica.solve.locate import locate
from replica.solve.point import Start
from replica.solve.problem import Problem, newton
from replica.solve.question import Question, no_entry
from replica.solve.walk import POINTS, UNSTABLE, excess, watched

Array = NDArray[np.float64]
#: A relative difference of this size is rounding.
_ROUNDING = 8 * float(np.finfo(float).eps)


def two_phases(question: Question, starts: Sequence[Start]) -> tuple[Problem, Array]:
    """Find a point of equal free entropies of the branches of two starts.

    Phases are left where they become unstable. A start that leads to unstable phases only means
    them.

    Raises
    ------
    ConvergenceError
        If the starts lead to one phase, or their free entropies are nowhere equal.
    """
    arcs = [list(_arcs(question, start)) for start in starts]
    for start, reached in zip(starts, arcs, strict=True):
        if not reached:
            raise no_entry(question, start)
    gaps: list[float] = []
    merged = False
    for first, second in itertools.product(*map(_meant, arcs)):
        problem = Problem([first.equations, second.equations], [EqualEntropies()])
        for guess, gap in _crossings(first, second):
            gaps.append(gap)
            if guess is None:
                continue
            near = problem.join(guess)
            found = None if same_phase(problem, near) else newton(problem, near)
            if same_phase(problem, near if found is None else found):
                merged = True
            elif found is not None and _inside(question, found):
                return problem, found
    seen = "they lead to the same phase, or never coexist while both are stable"
    if any(gaps) and not merged:
        seen = f"where they coexist the free entropies differ by {min(gaps):.3g} to {max(gaps):.3g}"
    raise ConvergenceError(
        f"model {question.model}: the phases of the two starts have no equal free entropies for "
        f"{question.where} ({seen}); give start=(first, second) with one on each branch, or "
        "another bracket=."
    )


def _inside(question: Question, state: Array) -> bool:
    """Return whether the critical value lies in its range, up to rounding."""
    low, high = question.box
    rounding = _ROUNDING * max(abs(low), abs(high), 1.0)
    return bool(low - rounding <= state[-1] <= high + rounding)


@dataclass(frozen=True)
class _Arc:
    """A branch as a function of the critical parameter, whose values increase."""

    equations: Equations
    states: Array
    entropies: Array
    stable: bool


def _meant(arcs: Sequence[_Arc]) -> Sequence[_Arc]:
    return [arc for arc in arcs if arc.stable] or arcs


def _arcs(question: Question, start: Start) -> Iterator[_Arc]:
    """Follow a branch to its folds, and while it is stable, from every place where it begins."""
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
            points |= {float(one[-1]): one for one in _half(question, equations, state, sign)}
        states = np.array([points[p] for p in sorted(points)])
        entropies = [equations.on(s).reports(s[None])[0, at] for s in states]
        stable = not equations.zeros or watched(equations, state) is not None
        yield _Arc(equations, states, np.array(entropies), stable)


def _half(question: Question, equations: Equations, state: Array, sign: float) -> Iterator[Array]:
    """Follow a branch in one direction, to the point where it turns back or becomes unstable."""
    curve = Problem([equations])
    stable = watched(equations, state)
    before: Step | None = None
    toward = (question.name, sign)
    for step in trace(curve, state, toward, {question.name: question.box}, most=POINTS):
        ended: Condition | None = None
        if before is not None and step.tangent[-1] * before.tangent[-1] < 0:
            ended = Fold()
        elif excess(stable, step.state) > UNSTABLE:
            ended = LosesStability()
        if ended is None:
            yield step.state
        elif before is not None:
            last = locate(curve, ended, before.state, step.state)
            if last is not None:
                yield last[1]
            return
        before = step


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

    one, other = np.interp(common, p, first.entropies), np.interp(common, r, second.entropies)
    gaps = one - other
    # Where symmetry makes the entropies equal only rounding is left of the gap, or nothing.
    gaps[np.abs(gaps) <= _ROUNDING * np.maximum(np.abs(one), np.abs(other))] = 0.0
    for i, gap in enumerate(gaps):
        yield None, float(gap)
        share = 1.0
        if i and gap * gaps[i - 1] < 0:
            share = gaps[i - 1] / (gaps[i - 1] - gap)
        elif gap != 0:
            continue
        value = common[i] if share == 1 else common[i - 1] + share * (common[i] - common[i - 1])
        yield [between(first, value), between(second, value)], float(gap)


def same_phase(problem: Problem, state: Array) -> bool:
    """Return whether the two phases of a state have become one.

    Coarsely: where they merge, each is certain to a root of the rounding error only, and a state
    may be a guess.
    """
    parts = zip(problem.phases, problem.parts(state), strict=True)
    one, other = (phase.split(part[None])[1][0] for phase, part in parts)
    scale = np.maximum(np.maximum(np.abs(one), np.abs(other)), 1e-3)
    return bool(np.max(np.abs(one - other) / scale) < 1e-4)
