"""A transition line in two parameters, and its certified points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.solve.certificate import Transition, errors_along, solutions, state_errors
from replica.solve.problem import Problem, newton
from replica.solve.tables import dataset_of, frame_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Array = NDArray[np.float64]


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
