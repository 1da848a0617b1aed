"""The first-order point: where the free entropies of two branches are equal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replica.errors import ConvergenceError
from replica.solve.conditions import EqualEntropies
from replica.solve.continuation import Step, trace
from replica.solve.enter import enter
from replica.solve.equations import Equations
from replica.solve.point import Start
from replica.solve.problem import Problem, newton
from replica.solve.search import POINTS, Question, no_entry

Array = NDArray[np.float64]


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
            raise no_entry(question, start)
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
                Problem([equations]), state, (name, sign), {name: question.box}, most=POINTS
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
