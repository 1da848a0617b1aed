"""Starting points of branches: the phase that a start leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings, SolveStatus
from replica.compile.system import CompiledSystem
from replica.errors import ParameterError
from replica.names import parameter_name
from replica.solve.equations import CROSSING, ZERO, Equations, kept_at_zero, kept_nearby
from replica.solve.point import Start, start_vector
from replica.solve.problem import Problem, newton
from replica.solve.solution import Solution

Array = NDArray[np.float64]
#: Factor by which a parameter without upper limit is followed.
_REACH = 1e3
#: Largest eigenvalue, minus one, that is not taken for an instability.
UNSTABLE = 1e-6
#: Share of the way back from a fold at which the phase of a start is looked at.
_BESIDE = 1e-2


def parameter_key(system: CompiledSystem, name: str) -> str:
    """Return the Python name of a parameter, given that or its symbol.

    Raises
    ------
    ParameterError
        If the model has no such parameter.
    """
    return parameter_name(system.saddle.parameters, name)


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
    low, high = interval(name, given, what)
    return parameter.validate(low), parameter.validate(high)


def interval(name: str, given: Sequence[float], what: str) -> tuple[float, float]:
    """Return the two ends of an interval of a parameter.

    Raises
    ------
    ParameterError
        If they are no pair of increasing numbers.
    """
    try:
        low, high = (float(end) for end in given)
    except (TypeError, ValueError):
        raise ParameterError(f"{what} of {name}: expected two numbers, got {given!r}.") from None
    if not low < high:
        raise ParameterError(f"{what} of {name}: expected low < high, got {low:g}, {high:g}.")
    return low, high


def reachable(domain: tuple[float, float], value: float) -> tuple[float, float]:
    """Return limits for a search that begins at a value, where the domain has none."""
    low, high = domain
    reach = max(abs(value), 1.0) * _REACH
    if low >= 0 and not np.isfinite(high):
        low = max(low, value / _REACH)
    return max(low, -reach), min(high, reach)


def _here(start: Solution, values: Mapping[str, float]) -> bool:
    """Return whether a solution is one of these parameters."""
    return all(start.parameters[name] == value for name, value in values.items())


def stability(problem: Problem, state: Array, phase: int = 0) -> float:
    """Return the largest real part of the eigenvalues of the map's Jacobian in a phase."""
    rule = problem.on(state).rules[phase]
    slopes = rule.slopes(rule.base[None])[0]
    return float(np.linalg.eigvals(slopes).real.max()) if np.all(np.isfinite(slopes)) else np.nan


def beside(fold: float, inside: float) -> float:
    """Return a value next to a fold, on the side of another value that the branch reaches."""
    return fold + _BESIDE * (inside - fold)


def same_point(first: tuple[Equations, Array], second: tuple[Equations, Array]) -> bool:
    """Return whether states next to a fold, at the same parameters, are on the same branch."""
    one, other = (equations.split(state[None])[1] for equations, state in (first, second))
    size = np.maximum(np.maximum(np.abs(one), np.abs(other)), CROSSING)
    return bool(np.max(np.abs(one - other) / size) < _BESIDE)


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
        Unknowns that are put to zero; by default those that vanish at the solution, and still do
        so where the free parameters change.

    Returns
    -------
    (Equations, array) or None
        None if there is no such solution.
    """
    params = np.array([values[name] for name in system.parameters])
    x = start_vector(system, start, params[None])[0]
    if zeros is not None:
        x[list(zeros)] = 0.0
    elsewhere = isinstance(start, Solution) and not _here(start, values)
    if not isinstance(start, Solution) or (elsewhere and not start.unstable):
        # Newton's method alone might lead from a phase to a saddle.
        found = system.solve_block(params[None], x[None], settings)
        if found.status[0] in (SolveStatus.DIVERGED, SolveStatus.AT_BOUNDARY):
            return None
        x = found.x[0]
    if not np.all(np.isfinite(x)):
        return None
    if zeros is None:
        small = [i for i in range(len(x)) if abs(x[i]) < ZERO]
        zeros = kept_at_zero(system, params, x, small, settings)
        point = x.copy()
        point[list(zeros)] = 0.0
        zeros = kept_nearby(system, params, point, zeros, free, settings)
    point = Equations(model, system, values, (), settings, zeros)
    followed = elsewhere and isinstance(start, Solution) and not start.unstable
    state = newton(Problem([point]), x[point.kept])
    if state is None or (followed and not stability(Problem([point]), state) < 1 + UNSTABLE):
        return None
    equations = point.like(free)
    return equations, np.append(state, [values[name] for name in free])
