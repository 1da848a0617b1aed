"""The first-order point: where the free entropies of two branches are equal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from replica.errors import ConvergenceError
from replica.solve.conditions import Condition, EqualEntropies, Fold, LosesStability
from replica.solve.continuation import Step, at_value, trace
from replica.solve.enter import UNSTABLE, beside, enter, same_point, stability
from replica.solve.equations import CROSSING, Equations
from replica.solve.locate import locate
from replica.solve.point import Start, start_vector
from replica.solve.problem import Problem, newton
from replica.solve.question import Question, no_entry
from replica.solve.solution import Solution
from replica.solve.walk import POINTS, excess, watched

Array = NDArray[np.float64]
#: Relative distance at which a start has led to a phase.
_REACHED = 1e-3
#: A relative difference of this size is rounding.
_ROUNDING = 8 * float(np.finfo(float).eps)
#: Free entropies of one phase that was followed twice differ by less.
_NO_GAP = 1e-10


def two_phases(question: Question, starts: Sequence[Start]) -> tuple[Problem, Array]:
    """Find a point of equal free entropies of the branches of two starts.

    Phases are left where they become unstable. A start that leads to unstable phases only means
    them.

    Raises
    ------
    ConvergenceError
        If the starts lead to one phase, or their free entropies are nowhere equal.
    """
    arcs = [
        [arc for begin in question.beginnings(start) for arc in _arcs(question, start, *begin)]
        for start in starts
    ]
    for start, reached in zip(starts, arcs, strict=True):
        if not reached:
            raise no_entry(question, start)
    found = _equal(question, *map(_meant, arcs))
    if isinstance(found, str):
        more = [list(_beside_folds(question, *one)) for one in zip(starts, arcs, strict=True)]
        wider = [[*reached, *new] for reached, new in zip(arcs, more, strict=True)]
        if any(more):
            found = _equal(question, *map(_meant, wider))
    if isinstance(found, str):
        raise ConvergenceError(
            f"model {question.model}: the phases of the two starts have no equal free entropies "
            f"for {question.where} ({found}); give start=(first, second) with one on each branch, "
            "or another bracket=."
        )
    return _named(*found, starts)


def _equal(
    question: Question, firsts: Sequence[_Arc], seconds: Sequence[_Arc]
) -> tuple[Problem, Array] | str:
    """Return the first point of equal free entropies of two of the arcs, or what was seen."""
    seen: list[float] = []
    one_phase = become_one = False
    for first, second in itertools.product(firsts, seconds):
        problem = Problem([first.equations, second.equations], [EqualEntropies()])
        gaps: list[float] = []
        merged = False
        for guess, gap in _crossings(first, second):
            gaps.append(gap)
            if guess is None:
                continue
            near = problem.join(guess)
            found = None if same_phase(problem, near) else newton(problem, near)
            if same_phase(problem, near if found is None else found):
                merged = True
            elif found is not None and _inside(question, problem, found):
                return problem, found
        if not merged:
            seen += gaps
        elif max(map(abs, gaps)) < _NO_GAP:
            one_phase = True
        else:
            become_one = True
    if any(seen):
        text = f"where they coexist the free entropies differ by {min(seen):.3g} to {max(seen):.3g}"
        if min(seen) < 0 < max(seen):
            text += "; where they cross Newton's method does not converge to two phases"
        return text
    if become_one:
        return "where the free entropies are equal the phases are one"
    if one_phase:
        return "both lead to the same phase, and no other was found"
    return "they do not coexist anywhere while both are stable"


def _named(problem: Problem, state: Array, starts: Sequence[Start]) -> tuple[Problem, Array]:
    """Return the two phases in the order of the starts.

    A start is that of the phase to which it leads at the transition, wherever the search began.
    Where both lead to one, or elsewhere, the starts are those of the phases that they lie near.
    """
    first = problem.phases[0]
    system, parts = first.system, problem.parts(state)
    params = first.split(parts[0][None])[0]
    phases = np.array(
        [p.split(part[None])[1][0] for p, part in zip(problem.phases, parts, strict=True)]
    )
    begins = np.array([start_vector(system, start, params)[0] for start in starts])
    ends = system.solve_block(np.repeat(params, len(begins), axis=0), begins, first.settings).x

    def distances(points: Array) -> Array:
        size = np.maximum(np.max(np.abs(phases), axis=0), CROSSING)
        gaps = np.linalg.norm((points[:, None] - phases[None]) / size, axis=2)
        return np.where(np.isfinite(gaps), gaps, np.inf)

    reached = distances(ends)
    led = [int(np.argmin(row)) if np.min(row) < _REACHED else None for row in reached]
    if None in led or led[0] == led[1]:
        near = distances(begins) ** 2  # of which starts on one side of both phases differ, too
        swapped = near[0, 1] + near[1, 0] < near[0, 0] + near[1, 1]
    else:
        swapped = led[0] == 1
    if not swapped:
        return problem, state
    turned = Problem(problem.phases[::-1], [EqualEntropies()])
    return turned, turned.join(parts[::-1])


def _inside(question: Question, problem: Problem, state: Array) -> bool:
    """Return whether the critical value lies in its range, up to rounding."""
    if problem.is_excluded(state):
        return False
    low, high = question.box
    rounding = _ROUNDING * max(abs(low), abs(high), 1.0)
    return bool(low - rounding <= state[-1] <= high + rounding)


@dataclass(frozen=True)
class _Arc:
    """A branch as a function of the critical parameter, whose values increase.

    ``beside`` are values next to its folds.
    """

    equations: Equations
    states: Array
    stable: bool
    beside: tuple[float, ...] = ()
    known: dict[float, tuple[Array, float]] = field(default_factory=dict)

    def at(self, value: float) -> tuple[Array, float]:
        """Return state and free entropy at a value of the parameter, between two points or on one.

        Free entropies are not interpolated: that error may be larger than what tells phases apart.
        """
        if value not in self.known:
            k = int(np.searchsorted(self.states[:, -1], value))
            state = self.states[k]
            if state[-1] != value:
                curve, low = Problem([self.equations]), self.states[k - 1]
                share = (value - low[-1]) / (state[-1] - low[-1])
                found = at_value(curve, low, state, len(state) - 1, value)
                state = low + share * (state - low) if found is None else found
            outputs = self.equations.on(state).reports(state[None])[0]
            free_entropy = self.equations.system.outputs.index("free_entropy")
            self.known[value] = state, float(outputs[free_entropy])
        return self.known[value]


def _meant(arcs: Sequence[_Arc]) -> Sequence[_Arc]:
    return [arc for arc in arcs if arc.stable] or arcs


def _arcs(question: Question, start: Start, value: float, signs: Sequence[float]) -> Iterator[_Arc]:
    """Follow the branch of a start to its folds, and while it is stable; none if there is none."""
    name, system = question.name, question.system
    entered = enter(question.model, system, question.at(value), [name], start, question.settings)
    if entered is None:
        return
    equations, state = entered
    points: dict[float, Array] = {}
    turns: list[float] = []
    for sign in signs:
        half, fold = _half(question, equations, state, sign)
        points |= {float(one[-1]): one for one in half}
        turns += [beside(float(half[-1][-1]), value)] if fold else []
    states = np.array([points[p] for p in sorted(points)])
    stable = bool(stability(Problem([equations]), state) < 1 + UNSTABLE)
    yield _Arc(equations, states, stable, tuple(turns))


def _beside_folds(question: Question, start: Start, arcs: Sequence[_Arc]) -> Iterator[_Arc]:
    """Follow the other phases to which a start leads next to the folds of its branches.

    Where the search began, it may lead to the only phase that there is.
    """
    for arc in arcs:
        for value in () if isinstance(start, Solution) else arc.beside:
            for other in _arcs(question, start, value, (1.0, -1.0)):
                one, two = arc.at(value)[0], other.at(value)[0]
                if not same_point((arc.equations, one), (other.equations, two)):
                    yield other


def _half(
    question: Question, equations: Equations, state: Array, sign: float
) -> tuple[list[Array], bool]:
    """Follow a branch in one direction, to the point where it turns back or becomes unstable.

    Returns
    -------
    list of array
    bool
        Whether it turns back at the last one.
    """
    curve = Problem([equations])
    stable = watched(equations, state)
    before: Step | None = None
    toward = (question.name, sign)
    states: list[Array] = []
    for step in trace(curve, state, toward, {question.name: question.box}, most=POINTS):
        ended: Condition | None = None
        if before is not None and step.tangent[-1] * before.tangent[-1] < 0:
            ended = Fold()
        elif excess(stable, step.state) > UNSTABLE:
            ended = LosesStability()
        if ended is None:
            states.append(step.state)
        elif before is not None:
            last = locate(curve, ended, before.state, step.state)
            if last is not None:
                states.append(last[1])
            return states, last is not None and isinstance(ended, Fold)
        before = step
    return states, False


def _crossings(first: _Arc, second: _Arc) -> Iterator[tuple[list[Array] | None, float]]:
    """Return guesses where the free entropies of two arcs cross, and the gaps between them."""
    p, r = first.states[:, -1], second.states[:, -1]
    low, high = max(p[0], r[0]), min(p[-1], r[-1])
    common = np.union1d(p, r)
    common = common[(common >= low) & (common <= high)]
    before: tuple[float, Array, Array] | None = None
    for value in common:
        (one, entropy), (other, second_entropy) = first.at(value), second.at(value)
        gap = entropy - second_entropy
        # Where symmetry makes the entropies equal only rounding is left of the gap, or nothing.
        if abs(gap) <= _ROUNDING * max(abs(entropy), abs(second_entropy)):
            gap = 0.0
        yield None, gap
        if gap == 0:
            yield [one, other], gap
        elif before is not None and gap * before[0] < 0:
            share = before[0] / (before[0] - gap)
            pairs = ((before[1], one), (before[2], other))
            yield [a + share * (b - a) for a, b in pairs], gap
        before = gap, one, other


def same_phase(problem: Problem, state: Array) -> bool:
    """Return whether the two phases of a state have become one.

    Coarsely: where they merge, each is certain to a root of the rounding error only, and a state
    may be a guess.
    """
    parts = zip(problem.phases, problem.parts(state), strict=True)
    one, other = (phase.split(part[None])[1][0] for phase, part in parts)
    scale = np.maximum(np.maximum(np.abs(one), np.abs(other)), 1e-3)
    return bool(np.max(np.abs(one - other) / scale) < 1e-4)
