"""Capacities: where hard constraints cease to be satisfiable."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from replica.declare.system import System
from replica.errors import ConvergenceError, ParameterError
from replica.solve.conditions import Capacity
from replica.solve.equations import Equations
from replica.solve.point import Start, start_vector
from replica.solve.problem import Problem, newton
from replica.solve.question import Question
from replica.solve.search import from_solution

Array = NDArray[np.float64]
#: Damped sweeps of the other unknowns, with which a search begins.
_SWEEPS = 60
#: Scaled residual below which the root search has found a solution.
_FOUND = 1e-7


def scale_free(model: Any) -> Any:
    """Return a model at the point where its constraints can just be satisfied.

    The volume of solutions has shrunk to one there, so the temperature plays no part any more and
    the equations at zero temperature hold, in which only ratios of the order parameters count.

    Raises
    ------
    ParameterError
        If the model has other fields than hard constraints.
    """
    hard = isinstance(model, System) and model.fields
    if not hard or any(field.constraint is None for field in model.fields):
        raise ParameterError(
            f"model {model.name}: a capacity needs hard constraints, fields with constraint=."
        )
    if model.zero_temperature:
        return model
    return dataclasses.replace(model, temperature=0, observables={})


def capacity(question: Question, start: Start) -> tuple[Problem, Array]:
    """Find the capacity.

    Raises
    ------
    ParameterError
        If the equations have a scale, and so fix no capacity.
    ConvergenceError
        If there is none.
    """
    system = question.system
    if "chi" not in system.unknowns:
        raise ParameterError(f"model {question.model}: it has no susceptibility chi that diverges.")
    direct = from_solution(question, Capacity(system), start)
    if direct is not None:
        return direct
    here = question.at(question.values[question.name])
    phase = Equations(question.model, system, here, [question.name], question.settings)
    problem = Problem([phase], [Capacity(system)])
    held = system.unknowns.index("chi")
    for guess in _candidates(question, phase, held, start):
        root = _search(problem, guess)
        found = None if root is None else newton(problem, root)
        if found is None or not question.box[0] <= found[-1] <= question.box[1]:
            continue
        twice = found.copy()
        twice[held] = 2.0
        other = newton(Problem([phase], [Capacity(system, 2.0)]), twice)
        if other is None or abs(other[-1] - found[-1]) > 1e-6 * abs(found[-1]):
            raise ParameterError(
                f"model {question.model}: its equations at zero temperature have a scale, so they "
                "fix no capacity."
            )
        return problem, found
    raise ConvergenceError(
        f"model {question.model}: no capacity was found for {question.where}; give a start= or a "
        "bracket=."
    )


def _candidates(question: Question, phase: Equations, held: int, start: Start) -> list[Array]:
    """States to search from, the most promising first."""
    swept: list[tuple[Array, float]] = []
    for p in _grid(question):
        values = question.at(p)
        params = np.array([values[name] for name in question.system.parameters])
        x = start_vector(question.system, start, params[None])[0]
        state = _swept(phase, np.append(x, p), held)
        if state is not None:
            swept.append((state, float(phase.fine(state)[held])))
    crossing = [
        state
        for pair in itertools.pairwise(swept)
        if pair[0][1] * pair[1][1] <= 0
        for state, _ in sorted(pair, key=lambda item: abs(item[1]))
    ]
    nearest = [state for state, _ in sorted(swept, key=lambda item: abs(item[1]))]
    return [*crossing, *nearest[:3]]


def _grid(question: Question) -> list[float]:
    """Values of the parameter from which the search begins."""
    low, high = question.box
    here = question.values[question.name]
    if math.isfinite(low) and math.isfinite(high):
        inner = np.linspace(low, high, 15)[1:-1]
        if low > 0 and high / low > 10:
            inner = np.geomspace(low, high, 15)[1:-1]
    elif low >= 0:
        inner = (here or 1.0) * 10.0 ** np.arange(-2, 3.6, 0.5)
    else:
        inner = here + np.array([-4, -2, -1, -0.5, 0.0, 0.5, 1, 2, 4])
    return [float(p) for p in inner if low < p < high]


def _swept(phase: Equations, state: Array, held: int) -> Array | None:
    """Move the unknowns but for the held one towards their equations by damped sweeps."""
    state[held] = 1.0
    for _ in range(_SWEEPS):
        step = 0.5 * phase.fine(state)
        if not np.all(np.isfinite(step)):
            return None
        step[held] = 0.0
        state[:-1] += step
        if np.max(np.abs(step) / phase.units(state)[:-1]) < 1e-4:
            break
    return state


def _search(problem: Problem, guess: Array) -> Array | None:
    """Find a root by Powell's hybrid method, positive quantities on a logarithmic scale."""
    logarithmic = problem.low >= 0

    def place(z: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.where(logarithmic, np.exp(z), z)

    def equations(z: Array) -> Array:
        state = place(z)
        residual = problem.on(state).residual() / problem.row_units(state)
        return np.where(np.isfinite(residual), residual, 1e10)

    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(logarithmic, np.log(guess), guess)
    z[np.abs(z) < 1e-12] = 0.0  # else the difference steps are relative to it
    if not np.all(np.isfinite(z)):
        return None
    found = optimize.root(equations, z, method="hybr", options={"xtol": 1e-12})
    good = np.max(np.abs(equations(found.x))) < _FOUND
    return place(found.x) if good else None
