"""A transition line in two parameters."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.errors import ParameterError
from replica.solve.certificate import Transition, errors_along, solutions, state_errors
from replica.solve.conditions import Condition, Fold, LosesStability
from replica.solve.continuation import at_value, place, trace
from replica.solve.ends import (
    CRITICAL_POINT,
    INSTABILITY,
    SPINODAL,
    is_singular,
    no_continuation,
)
from replica.solve.equations import Equations, kept_nearby
from replica.solve.problem import Problem, newton
from replica.solve.tables import dataset_of, frame_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

logger = logging.getLogger(__name__)
Array = NDArray[np.float64]
#: Step at which the end of a line of two phases is close enough.
_SHORTEST = 1e-3
#: Relative distance at which two phases are about to become one.
_CLOSE = 0.05
#: Change of a stability, minus one, that is none.
_SAME = 1e-6


@dataclass(frozen=True)
class Line:
    """Certified points of a transition line.

    Attributes
    ----------
    condition : str
    critical, along : str
        The parameter that was solved for, and the one along which the line was followed.
    points : tuple of Transition
        In order along the line, which may turn back in both parameters.
    ends : pair of str
        Why the line ends at its first and at its last point, in the words of `replica.solve.ends`.
    missing : tuple of float
        Values of ``over`` at which points were asked for and the line has none.
    """

    condition: str
    critical: str
    along: str
    points: tuple[Transition, ...]
    ends: tuple[str, str]
    missing: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, name: str) -> Array:
        """Return a parameter, an order parameter or an observable along the line."""
        return np.array([point[name] for point in self.points])

    def error(self, name: str) -> Array:
        """Return the certified error of a parameter, an order parameter or an observable."""
        errors = [{**p.observable_error, **p.error} for p in self.points]
        return np.array([error.get(name, 0.0) for error in errors])

    def to_frame(self) -> pd.DataFrame:
        """Return the points as a table, one row a point."""
        return frame_of(self.points, (self.along, self.critical))

    def to_dataset(self) -> xr.Dataset:
        """Return the points as a data set with the dimension ``point``."""
        return dataset_of(
            self.to_frame(), model=self.points[0].model, condition=self.condition,
            critical=self.critical, along=self.along, begins=self.ends[0], ends=self.ends[1],
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings, for JSON."""
        return {
            "condition": self.condition, "critical": self.critical, "along": self.along,
            "ends": list(self.ends), "missing": list(self.missing),
            "points": [point.to_dict() for point in self.points],
        }  # fmt: skip

    def __str__(self) -> str:
        a, c, worst = self.along, self.critical, float(np.max(self.error(self.critical)))
        lines = [f"{self.points[0].model}: {self.condition}, {len(self)} points"]
        for word, point, end in zip(
            ("from", "to"), (self.points[0], self.points[-1]), self.ends, strict=True
        ):
            lines.append(f"  {word:<4} {a} = {point[a]:.10g}, {c} = {point[c]:.10g} ({end})")
        lines.append(f"  largest error of {c} {worst:.1e}")
        bad = [p for p in self.points if not p.good]
        if bad:
            lines.append(
                f"  not certified: {len(bad)} of {len(self)} points, {a} from "
                f"{min(p[a] for p in bad):.6g} to {max(p[a] for p in bad):.6g} (see their status)"
            )
        if self.missing:
            shown = ", ".join(f"{v:g}" for v in self.missing)
            lines.append(f"  no points at {a} = {shown}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Point:
    """A state on a line; without tangent, an isolated one."""

    problem: Problem
    state: Array
    tangent: Array | None


def transition(point: Point, branches: Sequence[str], free: tuple[str, ...]) -> Transition:
    """Certify a point; its free parameters are the critical one and the one along the line.

    Where the error is too large the quadrature is refined, as long as that helps.
    """
    found = _certified(point, branches, free)
    for _ in range(point.problem.phases[0].settings.max_refinements):
        finer = None if found.converged else _refined(point)
        better = found if finer is None else _certified(finer, branches, free)
        if not better.error[free[0]] < 0.5 * found.error[free[0]]:
            break
        point, found = finer or point, better
    return found


def _refined(point: Point) -> Point | None:
    """Solve a point again on a finer quadrature."""
    phases = [phase.refined() for phase in point.problem.phases]
    problem = Problem(phases, point.problem.conditions).renewed(point.state)
    row = None if point.tangent is None else np.eye(problem.size)[-1]
    state = newton(problem, point.state, row)
    return None if state is None else Point(problem, state, point.tangent)


def _certified(point: Point, branches: Sequence[str], free: tuple[str, ...]) -> Transition:
    problem, state = point.problem.renewed(point.state), point.state
    if point.tangent is None:
        errors = deciding = state_errors(problem, state)
    else:
        errors, deciding = errors_along(problem, state, point.tangent, problem.size - 1)
    first, *others = solutions(problem, state, errors, branches, deciding)
    fields = {name: getattr(first, name) for name in first.__dataclass_fields__}
    for other in others:  # a point is certified if both phases are
        fields["residual"] = max(fields["residual"], other.residual)
        if first.converged:
            fields["status"] = other.status
    names = [c.name for c in problem.conditions]
    return Transition(
        **fields, condition=" and ".join(names), critical=free,
        coexisting=others[0] if others else None,
    )  # fmt: skip


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
    end = no_continuation(place(problem, state))
    for found in trace(problem, state, toward, box, step, most):
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
        if not (points and found.end and np.array_equal(found.state, points[-1].state)):
            points.append(Point(problem, found.state, found.tangent))
    return points, end


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
            found = at_value(problem, low.state, high.state, problem.size - 1, value)
            tangent = low.tangent if low.tangent is not None else high.tangent
            if found is None:
                logger.warning("no point of the line at %s = %g", problem.free[1], value)
                continue
            kept.append(Point(problem, found, tangent))
    return kept
