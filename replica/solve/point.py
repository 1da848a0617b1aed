"""Solve one point from one start."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.errors import ConvergenceError, ParameterError
from replica.names import parameter_name
from replica.solve.solution import Solution, make_solution

logger = logging.getLogger(__name__)
Start = str | Mapping[str, float] | Solution | None


def parameter_values(
    parameters: Mapping[str, Any], given: Mapping[str, float], options: Iterable[str] = ()
) -> dict[str, float]:
    """Complete and validate parameter values.

    Parameters
    ----------
    parameters : mapping of str to Parameter
    given : mapping
    options : iterable of str
        Keywords that the caller takes too, one of which may have been meant.

    Raises
    ------
    ParameterError
        If a name is unknown or a value is outside its domain.
    """
    values = {name: p.default for name, p in parameters.items()}
    for name, value in given.items():
        key = parameter_name(parameters, name, options)
        values[key] = parameters[key].validate(value)
    return values


def start_vector(system: CompiledSystem, start: Start, params: np.ndarray) -> np.ndarray:
    """Return the initial values of one point as an array of shape ``(1, unknowns)``."""
    if isinstance(start, Solution):
        start = start.order_parameters
    if start is None or isinstance(start, str):
        return system.starts(params, start)
    if not isinstance(start, Mapping):
        raise ParameterError(
            "start: expected 'informed', 'uninformed', a Solution, or a mapping of order "
            f"parameters to numbers, got {start!r}."
        )
    vector = system.starts(params)
    for name, value in start.items():
        if name not in system.unknowns:
            known = ", ".join(system.unknowns)
            raise ParameterError(f"start value of {name!r}: the order parameters are {known}.")
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ParameterError(
                f"start value of {name!r}: expected a number, got {value!r}."
            ) from None
        low, high = system.program.domains[system.unknowns.index(name)]
        if not np.isfinite(number) or not low <= number <= high:
            raise ParameterError(f"start value {name} = {number:g} is outside [{low:g}, {high:g}].")
        vector[0, system.unknowns.index(name)] = number
    return vector


def solve_point(
    model: str,
    system: CompiledSystem,
    given: Mapping[str, float],
    start: Start = None,
    settings: SolverSettings | None = None,
    throw: bool = True,
) -> Solution:
    """Solve one point from one start.

    Raises
    ------
    ConvergenceError
        If there is no certified solution and ``throw`` is set; it carries the failed solution.
    """
    values = parameter_values(system.saddle.parameters, given, ("start", "settings", "backend"))
    params = np.array([[values[name] for name in system.parameters]], dtype=float)
    vector = start_vector(system, start, params)
    result = system.solve_block(params, vector, settings)
    branch = start if isinstance(start, str) else system.saddle.default_start
    if start is not None and not isinstance(start, str):
        branch = "given start"
    solution = make_solution(model, values, system, result, 0, branch)
    if isinstance(start, Solution) and start.stability < 1 < solution.stability:
        logger.warning(
            "model %s: the start is stable and the solution is not (stability %.3g); start='%s' "
            "may lead to the phase that replaces it.",
            model, solution.stability, system.saddle.default_start,
        )  # fmt: skip
    if throw:
        require_converged(solution)
    return solution


def require_converged(solution: Solution) -> None:
    """Raise `ConvergenceError` where a solution is not certified."""
    if solution.converged:
        return
    where = ", ".join(f"{k}={v:g}" for k, v in solution.parameters.items())
    limit = f"{solution.limit}; " if solution.limit else ""
    raise ConvergenceError(
        f"model {solution.model} at {where}: {solution.status.value} "
        f"({limit}residual {solution.residual:.1e} after {solution.evaluations} evaluations)",
        solution,
    )
