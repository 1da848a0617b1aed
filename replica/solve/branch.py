"""A branch of solutions in one parameter, followed through its folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.errors import ConvergenceError, ParameterError
from replica.solve.certificate import CERTIFIED, solutions, state_errors
from replica.solve.conditions import Condition, Fold, LosesStability
from replica.solve.continuation import Step, trace
from replica.solve.equations import ZERO, Equations, kept_at_zero
from replica.solve.point import Start, parameter_values, start_vector
from replica.solve.problem import Problem, newton
from replica.solve.solution import Solution
from replica.solve.tables import frame_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Array = NDArray[np.float64]
#: An unknown that was this small when the curve ended is tried at zero.
_VANISHING = 1e-2
#: How often an arc is divided in search of a transition.
_HALVINGS = 30


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
        Why the branch ends at its first and at its last point.
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
        import xarray as xr

        ends = {"begins": self.ends[0], "ends": self.ends[1]}
        ds = xr.Dataset.from_dataframe(self.to_frame().rename_axis("point"))
        return ds.assign_attrs(model=self.points[0].model, parameter=self.parameter, **ends)


# -- entering a branch ----------------------------------------------------------------------------


def parameter_key(system: CompiledSystem, name: str) -> str:
    """Return the Python name of a parameter, given that or its symbol.

    Raises
    ------
    ParameterError
        If the model has no such parameter.
    """
    for key, parameter in system.saddle.parameters.items():
        if name in (key, parameter.symbol_name):
            return key
    known = ", ".join(system.parameters) or "none"
    raise ParameterError(f"parameter {name!r} is unknown; the model has {known}.")


def limits(
    system: CompiledSystem, name: str, given: Sequence[float] | None, what: str
) -> tuple[float, float]:
    """Return the range of a parameter: the given one, else its domain.

    Raises
    ------
    ParameterError
        If the range is no pair of increasing numbers inside the domain.
    """
    parameter = system.saddle.parameters[name]
    if given is None:
        return parameter.domain
    try:
        low, high = (float(end) for end in given)
    except (TypeError, ValueError):
        raise ParameterError(f"{what} of {name}: expected two numbers, got {given!r}.") from None
    if not low < high:
        raise ParameterError(f"{what} of {name}: expected low < high, got {low:g}, {high:g}.")
    return parameter.validate(low), parameter.validate(high)


def enter(
    model: str,
    system: CompiledSystem,
    values: Mapping[str, float],
    free: Sequence[str],
    start: Start,
    settings: SolverSettings | None = None,
    zeros: Sequence[int] | None = None,
) -> tuple[Equations, Array] | None:
    """Return the equations of the phase that a start leads to, and its state.

    Parameters
    ----------
    model, system : str, CompiledSystem
    values : mapping
        Of all parameters.
    free : sequence of str
        Parameters that become part of the state.
    start : str, mapping or Solution, optional
    settings : SolverSettings, optional
    zeros : sequence of int, optional
        Unknowns that are put to zero; by default those that vanish at the solution.

    Returns
    -------
    (Equations, array) or None
        None if there is no such solution.
    """
    params = np.array([values[name] for name in system.parameters])
    x = start_vector(system, start, params[None])[0]
    if zeros is not None:
        x[list(zeros)] = 0.0
    if not isinstance(start, Solution):
        found = system.solve_block(params[None], x[None], settings)
        x = found.x[0]
    if not np.all(np.isfinite(x)):
        return None
    if zeros is None:
        small = [i for i in range(len(x)) if abs(x[i]) < ZERO]
        zeros = kept_at_zero(system, params, x, small, settings)
    point = Equations(model, system, values, (), settings, zeros)
    state = newton(Problem((point,)), x[point.kept])
    if state is None:
        return None
    equations = point.like(free)
    return equations, np.append(state, [values[name] for name in free])


# -- following ------------------------------------------------------------------------------------


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
        Range of the parameter, by default its domain. The branch ends where it leaves the range.
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
    values = parameter_values(system.saddle.parameters, {**given, **fixed})
    here = {name, parameter} & set(fixed)
    candidates = [values[name]]
    if not here and not isinstance(start, Solution) and until is not None:
        candidates = [*box]
    if not all(box[0] <= p <= box[1] for p in candidates):
        raise ParameterError(f"{name} = {values[name]:g} is outside the range {box[0]:g}, {box[1]:g}.")
    for p in candidates:
        entered = enter(model.name, system, {**values, name: p}, (name,), start, settings)
        if entered is not None:
            break
    else:
        raise ConvergenceError(
            f"model {model.name}: no solution at {name} = {', '.join(f'{p:g}' for p in candidates)} "
            "from this start; give a start= that lies on the branch, or another range."
        )
    equations, state = entered
    branch = start if isinstance(start, str) else "followed"
    halves = []
    for sign in (-1.0, 1.0):
        halves.append(_half(equations, state, (name, sign), box, step, points))
    (before, first), (after, last) = halves
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
    problem = Problem((equations,))
    found: list[_Found] = []
    last: Step | None = None
    for at in trace(problem, state, toward, {toward[0]: box}, step, points):
        if last is not None and at.tangent[-1] * last.tangent[-1] < 0:
            fold = locate(problem, Fold(), last.state, at.state)
            if fold is not None:
                found.append(_Found(fold[0], fold[1], None, "fold"))
        found.append(_Found(problem, at.state, at.tangent))
        last = at
    if last is None:
        return [], "there is no direction to go"
    merged = vanishing(equations, last.state)
    if merged is not None:
        found[-1] = _Found(*merged, None, "second-order")
        names = ", ".join(equations.system.unknowns[i] for i in merged[0].phases[0].zeros)
        return found, f"{names} = 0 at {toward[0]} = {merged[1][-1]:.10g}"
    return found, last.end


def _certified(at: _Found, branch: str) -> Solution:
    errors = state_errors(at.problem, at.state) if at.tangent is None else None
    if at.tangent is not None:
        along = np.zeros(at.problem.size)
        along[-1] = 1.0  # at this value of the parameter, unless that turns back here
        errors = state_errors(at.problem, at.state, along)
        if not np.all(errors <= CERTIFIED * at.problem.units(at.state)):
            errors = state_errors(at.problem, at.state, at.tangent)
    assert errors is not None
    return solutions(at.problem, at.state, errors, [branch], CERTIFIED)[0]


def locate(
    problem: Problem, condition: Condition, before: Array, after: Array
) -> tuple[Problem, Array] | None:
    """Return the point between two points of a curve at which a condition holds.

    Parameters
    ----------
    problem : Problem
        The curve.
    condition : Condition
    before, after : array
        States between which the condition changes sign.

    Returns
    -------
    (Problem, array) or None
        The augmented problem and its solution.
    """
    unit = problem.units(0.5 * (before + after))
    reach = float(np.linalg.norm((after - before) / unit))
    augmented = Problem(problem.phases, condition).renewed(0.5 * (before + after))
    low, high = before, after
    first, last = (augmented.on(at).condition() for at in (low, high))
    for _ in range(_HALVINGS):
        share = 0.5
        if first * last < 0:
            share = min(max(first / (first - last), 0.05), 0.95)
        guess = low + share * (high - low)
        fitted = augmented.renewed(guess)
        found = newton(fitted, guess)
        if found is not None and np.linalg.norm((found - guess) / unit) <= reach:
            return fitted, found
        if not first * last < 0:
            return None
        chord = (high - low) / problem.units(guess)
        centre = newton(problem, guess, chord / np.linalg.norm(chord))
        if centre is None:
            return None
        value = augmented.on(centre).condition()
        if value * first <= 0:
            high, last = centre, value
        else:
            low, first = centre, value
    return None


def vanishing(equations: Equations, state: Array) -> tuple[Problem, Array] | None:
    """Return the second-order point at which unknowns of a phase vanish, next to a state."""
    params, x = (row[0] for row in equations.split(state[None]))
    small = [i for i in range(len(x)) if abs(x[i]) < _VANISHING]
    if len(small) == len(equations.zeros):
        return None
    zeros = kept_at_zero(equations.system, params, x, small, equations.settings)
    if set(zeros) <= set(equations.zeros):
        return None
    values = {**equations.values, **Problem((equations,)).parameters(state)}
    phase = Equations(
        equations.model, equations.system, values, equations.free, equations.settings, zeros
    )
    problem = Problem((phase,), LosesStability())
    found = newton(problem, phase.state(x, values))
    near = found is not None and abs(found[-1] - state[-1]) < 0.05 * abs(state[-1])
    return (problem, found) if near and found is not None else None

