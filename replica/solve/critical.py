"""Values of a parameter at which something happens: a condition holds, a branch ends.

Three questions, one function `critical`:

- *Where does a condition hold?* A root in the parameter over warm-started solves.
- *Which value of the parameter belongs to a given value of an unknown?* The equations are solved
  for the parameter, with that unknown held. This follows a branch around a fold, and it solves
  problems without a scale at zero temperature, where only the ratio of some unknowns is
  determined and the equations fix the parameter instead (capacities, separability).
- *Where does a branch turn back?* The fold (spinodal), where the parameter is stationary along the
  branch.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy import optimize

from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.errors import ConvergenceError, ParameterError
from replica.solve.held import Held
from replica.solve.point import Start, parameter_values, solve_point
from replica.solve.solution import Solution

Array = NDArray[np.float64]
#: Points at which a branch is followed in search of its fold.
_FOLD_GRID = 16


def critical(
    model: Any,
    parameter: str,
    *,
    condition: str | sp.Expr | None = None,
    instead_of: str | None = None,
    value: float | None = None,
    bracket: Sequence[float] | None = None,
    fold: bool = False,
    start: Start = None,
    settings: SolverSettings | None = None,
    backend: str | None = None,
    **fixed: float,
) -> Solution:
    """Solve for the value of a parameter.

    Parameters
    ----------
    model : Model or FunctionalModel
    parameter : str
        The parameter to solve for.
    condition : str or Expr, optional
        An output (``"entropy"``, ``"replicon"``, any observable), or an expression of outputs,
        order parameters and parameters, that shall have ``value`` (0 by default) within
        ``bracket``.
    instead_of : str, optional
        An unknown that is held at ``value`` while the parameter is solved for.
    value : float, optional
    bracket : pair of float, optional
        Interval of the parameter; with ``fold``, of the unknown.
    fold : bool
        With ``instead_of``: find where the parameter is stationary along the branch that this
        unknown parametrises.
    start : str, mapping or Solution, optional
        As in `solve`.
    settings : SolverSettings, optional
    backend : str, optional
    **fixed : float
        Values of the other parameters.

    Returns
    -------
    Solution
        The saddle point at the critical value, which is among its ``parameters``; ``error`` holds
        the error of the parameter too.

    Raises
    ------
    ParameterError
        If the question is not well posed.
    ConvergenceError
        If there is no such value, or it cannot be certified.
    """
    system = model.compile(backend)
    name = _parameter_name(system, parameter)
    if name in fixed or parameter in fixed:
        raise ParameterError(f"parameter {parameter!r} is solved for, so it takes no value.")
    if (condition is None) == (instead_of is None):
        raise ParameterError("critical: expected either a condition or instead_of.")
    if fold and instead_of is None:
        raise ParameterError("critical: a fold needs instead_of, the unknown along the branch.")
    values = parameter_values(system.saddle.parameters, fixed)
    if condition is not None:
        low, high = _bracket(bracket, f"parameter {name}", system.saddle.parameters[name].validate)
        goal = _condition(system, condition, 0.0 if value is None else float(value))
        return _root(model.name, system, name, values, goal, (low, high), start, settings)
    assert instead_of is not None
    if instead_of not in system.unknowns:
        known = ", ".join(system.unknowns)
        raise ParameterError(f"instead_of={instead_of!r}: the order parameters are {known}.")
    held = Held(model.name, system, name, instead_of, values, settings or SolverSettings())
    if fold:
        if value is not None:
            raise ParameterError("critical: a fold takes a bracket of the unknown, not a value.")
        ends = _bracket(bracket, f"order parameter {instead_of}", held.validate)
        return _fold(held, ends, start)
    if value is None:
        raise ParameterError(f"critical: the value at which {instead_of} is held is missing.")
    limits = None
    if bracket is not None:
        validate = system.saddle.parameters[name].validate
        limits = _bracket(bracket, f"parameter {name}", validate)
    return held.solution(held.solve(held.validate(value), start, limits))


def _parameter_name(system: CompiledSystem, name: str) -> str:
    for key, parameter in system.saddle.parameters.items():
        if name in (key, parameter.symbol_name):
            return key
    known = ", ".join(system.parameters) or "none"
    raise ParameterError(f"parameter {name!r} is unknown; the model has {known}.")


def _bracket(
    bracket: Sequence[float] | None, what: str, validate: Callable[[float], float]
) -> tuple[float, float]:
    if bracket is None:
        raise ParameterError(f"critical: a bracket (low, high) of the {what} is missing.")
    try:
        low, high = (float(end) for end in bracket)
    except (TypeError, ValueError):
        raise ParameterError(
            f"bracket of the {what}: expected two numbers, got {bracket!r}."
        ) from None
    if not low < high:
        raise ParameterError(f"bracket of the {what}: expected low < high, got {low:g}, {high:g}.")
    return validate(low), validate(high)


# -- a condition ----------------------------------------------------------------------------------

Goal = Callable[[Mapping[str, float]], float]


def _condition(system: CompiledSystem, condition: str | sp.Expr, value: float) -> Goal:
    known = {*system.outputs, *system.unknowns, *system.parameters}
    aliases = {p.symbol_name: key for key, p in system.saddle.parameters.items()}
    if isinstance(condition, str):
        expression: sp.Expr = sp.Symbol(condition)
    else:
        expression = sp.sympify(condition)
    names = {s: aliases.get(str(s), str(s)) for s in expression.free_symbols}
    unknown = sorted(set(names.values()) - known)
    if unknown or not names:
        raise ParameterError(
            f"condition {condition}: expected outputs, order parameters or parameters of the "
            f"model ({', '.join(sorted(known))})."
        )
    function = sp.lambdify(list(names), expression, "numpy")

    def goal(point: Mapping[str, float]) -> float:
        return float(function(*(point[n] for n in names.values()))) - value

    return goal


def _point(system: CompiledSystem, solution: Solution) -> dict[str, float]:
    point = {**solution.parameters, **solution.order_parameters, **solution.conjugates}
    point |= solution.observables
    point["replicon"] = math.nan if solution.replicon is None else solution.replicon
    return point


def _root(
    model: str, system: CompiledSystem, name: str, values: Mapping[str, float], goal: Goal,
    bracket: tuple[float, float], start: Start, settings: SolverSettings | None,
) -> Solution:  # fmt: skip
    solved: dict[float, Solution] = {}
    gaps: dict[float, float] = {}

    def gap(p: float) -> float:
        at = {**values, name: p}
        if solved:
            nearest = solved[min(solved, key=lambda other: abs(other - p))]
            found = solve_point(model, system, at, nearest, settings, throw=False)
        if not solved or not found.converged:
            found = solve_point(model, system, at, start, settings)
        solved[p], gaps[p] = found, goal(_point(system, found))
        if not math.isfinite(gaps[p]):
            raise ConvergenceError(
                f"model {model}: the condition is undefined at {name}={p:g}.", found
            )
        return gaps[p]

    low, high = bracket
    if gap(low) * gap(high) > 0:
        raise ConvergenceError(
            f"model {model}: the condition does not change sign in {name} from {low:g} to "
            f"{high:g} (excess {gaps[low]:.3g} and {gaps[high]:.3g}).",
            solved[high],
        )
    root = float(optimize.brentq(gap, low, high, xtol=1e-300, rtol=4 * np.finfo(float).eps))
    if root not in solved:
        gap(root)
    solution = solved[root]
    if abs(gaps[root]) > 1e-6 * max(abs(gaps[low]), abs(gaps[high])):
        raise ConvergenceError(
            f"model {model}: the condition jumps at {name}={root:.10g}, where the branch changes, "
            "and holds nowhere in the bracket.",
            solution,
        )
    return _with_parameter_error(system, solution, name, goal, (root, solved, gaps))


def _with_parameter_error(
    system: CompiledSystem, solution: Solution, name: str, goal: Goal,
    history: tuple[float, Mapping[float, Solution], Mapping[float, float]],
) -> Solution:  # fmt: skip
    """Add the error of the parameter: that of the condition over its slope."""
    root, _, gaps = history
    others = sorted(gaps, key=lambda p: abs(p - root))
    far = next((p for p in others if abs(p - root) > 1e-6 * max(abs(root), 1e-3)), others[-1])
    slope = abs((gaps[far] - gaps[root]) / (far - root))
    params = np.array([solution.parameters[key] for key in system.parameters])
    x = np.array([solution.order_parameters[key] + solution.error[key] for key in system.unknowns])
    shifted = dict(zip(system.outputs, system.report(params, x, fine=True), strict=True))
    shifted = {**solution.parameters, **dict(zip(system.unknowns, x, strict=True)), **shifted}
    error = (abs(goal(shifted) - gaps[root]) + abs(gaps[root])) / slope
    error += 4 * np.finfo(float).eps * abs(root)
    return dataclasses.replace(solution, error={**solution.error, name: float(error)})


# -- a fold ---------------------------------------------------------------------------------------


def _fold(held: Held, bracket: tuple[float, float], start: Start) -> Solution:
    """Find where the parameter is stationary along the branch."""
    solved: dict[float, Array] = {}

    def slope(u: float) -> float:
        if u not in solved:
            if solved:
                nearest = min(solved, key=lambda other: abs(other - u))
                solved[u] = held.solve(u, solved[nearest])
            else:
                solved[u] = held.solve(u, start)
        return held.slope(solved[u])

    grid = np.linspace(*bracket, _FOLD_GRID)
    slopes = [slope(float(u)) for u in grid]
    turns = [
        (float(a), float(b))
        for (a, s), (b, t) in itertools.pairwise(zip(grid, slopes, strict=True))
        if s * t <= 0
    ]
    if not turns:
        raise ConvergenceError(
            f"model {held.model}: no fold, the parameter {held.parameter} is monotonic in "
            f"{held.unknown} from {bracket[0]:g} to {bracket[1]:g}.",
            held.solution(solved[float(grid[-1])]),
        )
    low, high = turns[0]
    top = float(optimize.brentq(slope, low, high, xtol=1e-13, rtol=1e-12))
    slope(top)
    # The slope is known to about ten digits, and so is the unknown; the parameter to all of them.
    curvature = abs(slopes[0] - slopes[-1]) / (bracket[1] - bracket[0])
    noise = 1e-10 * abs(solved[top][-1]) / max(abs(top), 1e-2)
    return held.solution(solved[top], noise / curvature if curvature else math.inf)
