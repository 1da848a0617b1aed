"""Where a capacity, or what comes with it, has a given value: the largest margin at a load."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from scipy import optimize

from replica.errors import ConvergenceError, ParameterError
from replica.evaluate.settings import CapacitySettings
from replica.evaluate.solve import CapacitySolution
from replica.names import parameter_name
from replica.solve.certificate import Transition
from replica.solve.solution import Solution

#: Distance over which the slope is measured, relative to the bracket.
_STEP = 1e-4


def locate(
    model: Any,
    condition: str,
    parameter: str,
    *,
    bracket: Sequence[float] | None = None,
    settings: CapacitySettings | None = None,
    **fixed: float,
) -> Transition:
    """Find the value of a parameter at which a quantity of a capacity has a given value.

    Parameters
    ----------
    model : ManifoldModel
    condition : str
        ``"NAME=VALUE"`` of the capacity or another quantity of the solution: ``"alpha=0.5"`` and
        the parameter ``kappa`` ask for the largest margin at a load.
    parameter : str
    bracket : pair of float, optional
        Values at which the quantity is below and above; by default the parameter's domain.
    settings : CapacitySettings, optional
        One seed gives one set of vectors for all values.
    **fixed : float
        Values of other parameters.

    Returns
    -------
    Transition
        With the error of the parameter: the error of the quantity over its slope.

    Raises
    ------
    ParameterError
        If the condition or the bracket is none.
    ConvergenceError
        If the quantity does not pass the value in the bracket.
    """
    name, target = _condition(model, condition)
    key = parameter_name(model.parameters, parameter)
    low, high = _bracket(model, key, bracket)
    solved: dict[float, CapacitySolution] = {}

    def gap(value: float) -> float:
        if value not in solved:
            solved[value] = model.solve(
                settings=settings, throw=False, **{**fixed, key: float(value)}
            )
        return solved[value][name] - target

    ends = gap(low), gap(high)
    if not ends[0] * ends[1] <= 0:
        raise ConvergenceError(
            f"model {model.name}: {name} goes from {ends[0] + target:.6g} at {key} = {low:g} to "
            f"{ends[1] + target:.6g} at {high:g} and is nowhere {target:g} in between; try another "
            "bracket=."
        )
    where = float(
        optimize.brentq(gap, low, high, xtol=1e-14 * max(abs(low), abs(high)), rtol=1e-14)
    )
    left = abs(gap(where))
    if not math.isfinite(left):
        raise ConvergenceError(f"model {model.name}: {name} has no value at {key} = {where:g}.")
    step = _STEP * (high - low)
    before, after = max(where - step, low), min(where + step, high)
    slope = abs(gap(after) - gap(before)) / (after - before)
    found = solved[where]
    own = {**found.observable_error, **found.error}[name]
    error = (own + left) / slope if slope > 0 else math.inf
    fields = {f.name: getattr(found, f.name) for f in dataclasses.fields(Solution)}
    fields["error"] = {**found.error, key: error}
    return Transition(**fields, condition=f"{name} = {target:g}", critical=(key,))


def _condition(model: Any, condition: Any) -> tuple[str, float]:
    system = model.compile()
    known = sorted({*system.unknowns, *system.outputs})
    name, equals, number = str(condition).partition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not equals or name.strip() not in known or not math.isfinite(value):
        raise ParameterError(
            f"condition {condition}: expected 'NAME=VALUE' of one of {', '.join(known)}; a "
            "capacity has no other transitions."
        )
    return name.strip(), value


def _bracket(model: Any, key: str, bracket: Sequence[float] | None) -> tuple[float, float]:
    given = model.parameters[key].domain if bracket is None else bracket
    try:
        low, high = sorted(map(float, given))
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ParameterError(
            f"model {model.name}: expected bracket=(LOW, HIGH), two different finite values of "
            f"{key}, got {given!r}."
        )
    return low, high
