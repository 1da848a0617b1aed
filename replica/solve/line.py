"""A transition line in two parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from replica.solve.certificate import Transition, errors_along, solutions, state_errors
from replica.solve.conditions import Fold
from replica.solve.continuation import Step, at_value, trace
from replica.solve.problem import Problem, newton
from replica.solve.search import same_phase
from replica.solve.tables import frame_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Array = NDArray[np.float64]
#: Step at which the end of a line of two phases is close enough.
_SHORTEST = 1e-3


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
        Why the line ends at its first and at its last point.
    """

    condition: str
    critical: str
    along: str
    points: tuple[Transition, ...]
    ends: tuple[str, str]

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
        import xarray as xr

        ds = xr.Dataset.from_dataframe(self.to_frame().rename_axis("point"))
        return ds.assign_attrs(
            model=self.points[0].model, condition=self.condition, critical=self.critical,
            along=self.along, begins=self.ends[0], ends=self.ends[1],
        )  # fmt: skip

    def __str__(self) -> str:
        first, last = self.points[0], self.points[-1]
        worst = float(np.max(self.error(self.critical)))
        return "\n".join(
            f"{text}"
            for text in (
                f"{first.model}: {self.condition}, {self.critical} along {self.along}, "
                f"{len(self)} points, largest error {worst:.1e}",
                f"  from {self.along} = {first[self.along]:.10g}, {self.critical} = "
                f"{first[self.critical]:.10g}: {self.ends[0]}",
                f"  to   {self.along} = {last[self.along]:.10g}, {self.critical} = "
                f"{last[self.critical]:.10g}: {self.ends[1]}",
            )
        )


@dataclass(frozen=True)
class Point:
    """A state on a line; without tangent, an isolated one."""

    problem: Problem
    state: Array
    tangent: Array | None


def transition(point: Point, branches: Sequence[str], free: tuple[str, ...]) -> Transition:
    """Certify a point; its free parameters are the critical one and the one along the line."""
    problem, state = point.problem.renewed(point.state), point.state
    if point.tangent is None:
        errors = state_errors(problem, state)
    else:
        errors = errors_along(problem, state, point.tangent, problem.size - 1)
    first, *others = solutions(problem, state, errors, branches)
    fields = {name: getattr(first, name) for name in first.__dataclass_fields__}
    names = [c.name for c in problem.conditions]
    return Transition(
        **fields, condition=" and ".join(names), critical=free,
        coexisting=others[0] if others else None,
    )  # fmt: skip


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
        _half(problem, state, (along, sign), box, step, most) for sign in (-1.0, 1.0)
    )
    points = [*before[:0:-1], *after]
    return (points if at is None else _only(points, at)), (first, last)


def _half(
    problem: Problem, state: Array, toward: tuple[str, float],
    box: dict[str, tuple[float, float]], step: float, most: int,
) -> tuple[list[Point], str]:  # fmt: skip
    """Follow a line in one direction; return its points, and why it ended."""
    points: list[Point] = []
    signs: list[float] = []
    end = "there is no direction to go"
    for found in trace(problem, state, toward, box, step, most):
        now = _sides(problem, found.state)
        if any(old * new < 0 for old, new in zip(signs, now, strict=False)):
            return _ended(problem, points, found, toward, box, step, most)
        signs, end = now, found.end
        points.append(Point(problem, found.state, found.tangent))
        if len(problem.phases) == 2 and same_phase(problem, found.state):
            return points, "the two phases become one (critical point)"
    return points, end


def _ended(
    problem: Problem, points: list[Point], beyond: Step, toward: tuple[str, float],
    box: dict[str, tuple[float, float]], step: float, most: int,
) -> tuple[list[Point], str]:  # fmt: skip
    """End a line between its last point and one beyond the spinodal of a phase."""
    last = points[-1]
    if len(problem.phases) == 1:
        met = _meeting(problem, last.state, beyond)
        return ([*points, met] if met is not None else points), "meets a spinodal of its phase"
    if step > _SHORTEST and last.tangent is not None:
        sign = float(np.sign(last.tangent[-1])) or toward[1]
        more, end = _half(problem, last.state, (toward[0], sign), box, step / 4, most)
        return [*points, *more[1:]], end
    return points, "the two phases become one (critical point)"


def _sides(problem: Problem, state: Array) -> list[float]:
    """Return on which side of its folds every phase is; nothing if that does not matter."""
    if not all(c.ends_at_folds for c in problem.conditions):
        return []
    signs = []
    for rule, phase in zip(problem.on(state).rules, problem.phases, strict=True):
        matrix = rule.slopes(rule.base[None])[0][np.ix_(phase.kept, phase.kept)]
        finite = bool(np.all(np.isfinite(matrix)))
        signs.append(float(np.linalg.slogdet(np.eye(phase.size) - matrix)[0]) if finite else 0.0)
    return signs


def _meeting(problem: Problem, before: Array, after: Step) -> Point | None:
    """Return the point at which a line meets the spinodal of its phase."""
    guess = 0.5 * (before + after.state)
    both = Problem(problem.phases, [*problem.conditions, Fold()]).renewed(guess)
    found = newton(both, guess)
    if found is None:
        return None
    reach = np.linalg.norm((after.state - before) / problem.units(guess))
    near = np.linalg.norm((found - guess) / problem.units(guess)) <= reach
    return Point(both, found, None) if near else None


def _only(points: Sequence[Point], at: Sequence[float]) -> list[Point]:
    """Return the points of a line at given values of its last parameter, in the line's order."""
    kept: list[Point] = []
    for low, high in zip(points[:-1], points[1:], strict=True):
        a, b = low.state[-1], high.state[-1]
        inside = [v for v in at if min(a, b) <= v <= max(a, b) and v != a]
        inside = inside if a <= b else inside[::-1]
        if low is points[0] and a in at:
            kept.append(low)
        for value in inside:
            problem = low.problem if low.tangent is not None else high.problem
            found = at_value(problem, low.state, high.state, problem.size - 1, value)
            tangent = low.tangent if low.tangent is not None else high.tangent
            if found is not None:
                kept.append(Point(problem, found, tangent))
    return kept
