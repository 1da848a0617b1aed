"""A branch of solutions in one parameter, followed through its folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings
from replica.errors import ConvergenceError, ParameterError
from replica.names import options_of
from replica.solve.certificate import errors_along, solutions, state_errors
from replica.solve.conditions import Fold
from replica.solve.continuation import Step, place, trace
from replica.solve.ends import no_continuation
from replica.solve.enter import enter, limits, parameter_key, reachable
from replica.solve.equations import Equations
from replica.solve.locate import locate, vanishing
from replica.solve.point import Start, parameter_values
from replica.solve.problem import Problem
from replica.solve.solution import Solution
from replica.solve.tables import dataset_of, frame_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Branch:
    """Certified points along a branch of solutions.

    Attributes
    ----------
    parameter : str
        The parameter that changes along the branch.
    points : tuple of Solution
        In order along the branch; their ``stability`` exceeds 1 where damped iteration would leave
        it, as between two folds.
    marks : tuple of str
        ``"fold"`` at the points where the branch turns back, ``"second-order"`` where it ends on a
        more symmetric one, else empty.
    ends : pair of str
        Why the branch ends at its first and at its last point, in the words of
        `replica.solve.ends`; ``"NAME = 0 at ..."`` where it ends on a more symmetric one.
    """

    parameter: str
    points: tuple[Solution, ...]
    marks: tuple[str, ...]
    ends: tuple[str, str]

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, name: str) -> Array:
        """Return a quantity along the branch."""
        return np.array([point[name] for point in self.points])

    @property
    def folds(self) -> tuple[Solution, ...]:
        """The points at which the branch turns back."""
        pairs = zip(self.points, self.marks, strict=True)
        return tuple(point for point, mark in pairs if mark == "fold")

    def to_frame(self) -> pd.DataFrame:
        """Return the points as a table, one row a point."""
        return frame_of(self.points, (self.parameter,), mark=self.marks)

    def to_dataset(self) -> xr.Dataset:
        """Return the points as a data set with the dimension ``point``."""
        return dataset_of(
            self.to_frame(), model=self.points[0].model, parameter=self.parameter,
            begins=self.ends[0], ends=self.ends[1],
        )  # fmt: skip

    def __str__(self) -> str:
        p = self.parameter
        lines = [f"{self.points[0].model}: branch in {p}, {len(self)} points"]
        for word, point, end in zip(
            ("from", "to"), (self.points[0], self.points[-1]), self.ends, strict=True
        ):
            lines.append(f"  {word:<4} {p} = {point[p]:.10g} ({end})")
        marked = zip(self.points, self.marks, strict=True)
        lines += [f"  {mark} at {p} = {point[p]:.10g}" for point, mark in marked if mark]
        return "\n".join(lines)


def follow(
    model: Any,
    parameter: str,
    *,
    until: Sequence[float] | None = None,
    start: Start = None,
    step: float = 0.2,
    points: int = 500,
    settings: SolverSettings | None = None,
    backend: str | None = None,
    **fixed: float,
) -> Branch:
    """Follow a branch of solutions in a parameter, through its folds.

    Parameters
    ----------
    model : Model or FunctionalModel
    parameter : str
    until : pair of float, optional
        Range of the parameter, by default its domain, or as far as a thousand times its value. The
        branch ends where it leaves the range.
    start : str, mapping or Solution, optional
        A solution starts at its own parameters. Anything else is solved at the value of
        ``parameter`` in ``fixed``, else at the lower or, where that fails, at the upper end of the
        range.
    step : float
        Largest relative change of an unknown between two points.
    points : int
        Most points in one direction.
    settings : SolverSettings, optional
    backend : str, optional
    **fixed : float
        The other parameters, and where ``parameter`` starts.

    Returns
    -------
    Branch

    Raises
    ------
    ParameterError
        If the question is not well posed.
    ConvergenceError
        If there is no solution to start from.
    """
    system = model.compile(backend)
    name = parameter_key(system, parameter)
    box = limits(system, name, until, "range")
    given = dict(start.parameters) if isinstance(start, Solution) else {}
    options = options_of(follow, "model", "parameter")
    values = parameter_values(system.saddle.parameters, {**given, **fixed}, options)
    if not (0 < step <= 1 and points > 1):
        raise ParameterError("follow: expected a step up to 1 and more than one point.")
    if until is None:
        box = reachable(box, values[name])
    here = {name, parameter} & set(fixed)
    candidates = [values[name]]
    if not here and not isinstance(start, Solution) and until is not None:
        candidates = [*box]
    if not all(box[0] <= p <= box[1] for p in candidates):
        outside = f"{name} = {values[name]:g} is outside the range {box[0]:g}, {box[1]:g}."
        raise ParameterError(outside)
    for p in candidates:
        entered = enter(model.name, system, {**values, name: p}, (name,), start, settings)
        if entered is not None:
            break
    else:
        raise ConvergenceError(
            f"model {model.name}: this start leads to no solution at {name} = "
            f"{' or '.join(f'{p:g}' for p in candidates)}; give a start= that lies on the branch, "
            "or another range."
        )
    equations, state = entered
    branch = start if isinstance(start, str) else "followed"
    (before, first), (after, last) = (
        _half(equations, state, (name, sign), box, step, points) for sign in (-1.0, 1.0)
    )
    line = [*before[:0:-1], *after]
    return Branch(
        parameter=name,
        points=tuple(_certified(p, branch) for p in line),
        marks=tuple(p.mark for p in line),
        ends=(first, last),
    )


@dataclass(frozen=True)
class _Found:
    problem: Problem
    state: Array
    tangent: Array | None
    mark: str = ""


def _half(
    equations: Equations, state: Array, toward: tuple[str, float], box: tuple[float, float],
    step: float, points: int,
) -> tuple[list[_Found], str]:  # fmt: skip
    """Follow a branch in one direction; return its points, and why it ended."""
    problem = Problem([equations])
    found: list[_Found] = []
    last: Step | None = None
    for at in trace(problem, state, toward, {toward[0]: box}, step, points):
        if last is not None and at.end and np.array_equal(at.state, last.state):
            last = at
            break
        if last is not None and at.tangent[-1] * last.tangent[-1] < 0:
            fold = locate(problem, Fold(), last.state, at.state)
            if fold is not None:
                found.append(_Found(fold[0], fold[1], None, "fold"))
        if not problem.is_excluded(at.state):
            found.append(_Found(problem, at.state, at.tangent))
        last = at
    if last is None:
        return [], no_continuation(place(problem, state))
    merged = vanishing(equations, last.state)
    if merged is not None:
        if found and found[-1].state is last.state:
            del found[-1]
        found.append(_Found(*merged, None, "second-order"))
        names = ", ".join(equations.system.unknowns[i] for i in merged[0].phases[0].zeros)
        return found, f"{names} = 0 at {toward[0]} = {merged[1][-1]:.10g}"
    return found, last.end


def _certified(at: _Found, branch: str) -> Solution:
    if at.tangent is None:
        errors = deciding = state_errors(at.problem, at.state)
    else:
        held = at.problem.size - 1
        errors, deciding = errors_along(at.problem, at.state, at.tangent, held)
    return solutions(at.problem, at.state, errors, [branch], deciding)[0]
