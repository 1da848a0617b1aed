"""Answer what a row of a table asks: a point, a critical value, the least value of a quantity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize

from replica.errors import ConvergenceError, TableError
from replica.report.regression.declaration import Row

if TYPE_CHECKING:
    from replica.model import FunctionalModel, Model
    from replica.solve import Solution

# Step of the second difference, in the logarithm of the parameter or as a share of the bracket.
_STEP = 1e-2
_XTOL = 1e-9
_GRID = 33


def answer(
    model: Model | FunctionalModel, row: Row, quantities: tuple[str, ...]
) -> dict[str, tuple[float, float]]:
    """Return the value and the certified error of each quantity of a row.

    Raises
    ------
    ConvergenceError
        If there is no certified answer.
    """
    if row.kind == "optimum":
        return optimum(model, row.question, row.parameters, row.start, quantities)
    if row.kind == "boundary":
        question = dict(row.question)
        condition, parameter = question.pop("condition"), question.pop("parameter")
        question |= {"start": row.start, **row.parameters}
        solution: Any = model.boundary(condition, parameter, **question)
    else:
        given: dict[str, Any] = dict(row.parameters)
        solution = model.solve(start=row.start, **given)
    return {name: value_and_error(model, solution, name) for name in quantities}


def value_and_error(
    model: Model | FunctionalModel, solution: Solution, name: str
) -> tuple[float, float]:
    """Return a value of a solution and its certified error; a given parameter has none."""
    for key, parameter in model.parameters.items():
        if name in (key, parameter.symbol_name):
            return solution.parameters[key], solution.error.get(key, 0.0)
    errors = solution.error if name in solution.order_parameters else solution.observable_error
    return solution[name], errors[name]


def optimum(
    model: Model | FunctionalModel,
    question: Mapping[str, Any],
    parameters: Mapping[str, float],
    start: Any,
    quantities: tuple[str, ...],
) -> dict[str, tuple[float, float]]:
    """Minimise a quantity over a parameter.

    Parameters
    ----------
    model : Model or FunctionalModel
    question : mapping
        ``parameter``, ``minimise`` and ``bracket``, the interval to search; it is searched on a
        logarithmic scale where both ends are positive.
    parameters : mapping
        Values of the other parameters.
    start : str, mapping or None
    quantities : tuple of str
        What to return.

    Returns
    -------
    dict of str to (float, float)
        Values and errors at the minimum. A minimum is flat: an error ``e`` of the quantity leaves
        the parameter uncertain by ``sqrt(2 e / curvature)``, which the other errors contain.

    Raises
    ------
    ConvergenceError
        If a point has no certified solution, or the least value is at an end of the bracket.
    """
    parameter, wanted = question["parameter"], question["minimise"]
    bracket = question.get("bracket")
    if not (isinstance(bracket, (list, tuple)) and len(bracket) == 2 and bracket[0] < bracket[1]):
        raise TableError(
            f"optimum: expected a bracket [low, high] of {parameter}, got {bracket!r}."
        )
    logarithmic = bracket[0] > 0
    low, high = map(math.log, bracket) if logarithmic else map(float, bracket)

    def solve(x: float) -> Any:
        value = math.exp(x) if logarithmic else x
        point: dict[str, Any] = {**parameters, parameter: value}
        return model.solve(start=start, **point)

    def goal(x: float) -> float:
        return value_and_error(model, solve(x), wanted)[0]

    # There may be several minima: a grid finds the deepest.
    grid = np.linspace(low, high, _GRID)
    on_grid = [goal(x) for x in grid]
    deepest = min(max(int(np.argmin(on_grid)), 1), _GRID - 2)
    found = optimize.minimize_scalar(
        goal,
        bounds=(grid[deepest - 1], grid[deepest + 1]),
        method="bounded",
        options={"xatol": _XTOL * (high - low)},
    )
    x = float(found.x)
    step = _STEP if logarithmic else _STEP * (high - low)
    best = solve(x)
    least, noise = value_and_error(model, best, wanted)
    noise += 4 * np.finfo(float).eps * max(map(abs, on_grid))
    # Next to an end of the bracket there may be a minimum that is less deep than the end itself.
    if not low + step < x < high - step or least > min(on_grid) + noise:
        raise ConvergenceError(
            f"model {model.name}: {wanted} has no minimum in {parameter} inside the bracket "
            f"[{bracket[0]:g}, {bracket[1]:g}]."
        )
    curvature = (goal(x + step) - 2 * least + goal(x - step)) / step**2
    if curvature <= 0:
        raise ConvergenceError(
            f"model {model.name}: {wanted} is too flat in {parameter} near the minimum."
        )
    width = math.sqrt(2 * noise / curvature) + _XTOL * (high - low)
    beside = solve(x + width)
    values = {}
    for name in quantities:
        value, error = value_and_error(model, best, name)
        values[name] = value, error + abs(value_and_error(model, beside, name)[0] - value)
    return values
