"""Equations with one unknown held at a value and one parameter unknown instead."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from replica.compile.settings import BlockResult, SolverSettings, SolveStatus
from replica.compile.system import CompiledSystem
from replica.errors import ConvergenceError, ParameterError
from replica.solve.differences import jacobian
from replica.solve.point import Start, start_vector
from replica.solve.solution import Solution, make_solution

Array = NDArray[np.float64]
#: Damped sweeps of the other unknowns, from which a root search starts.
_SWEEPS = 60
#: Scaled residual below which a root search has found a solution, before the polish.
_FOUND = 1e-7
_EPS = float(np.finfo(float).eps)


class Held:
    """A compiled system in which a parameter is solved for and an unknown is given.

    A state is the array of all unknowns, followed by the parameter.
    """

    def __init__(
        self, model: str, system: CompiledSystem, parameter: str, unknown: str,
        values: Mapping[str, float], settings: SolverSettings,
    ) -> None:  # fmt: skip
        self.model, self.system, self.settings = model, system, settings
        self.parameter, self.unknown = parameter, unknown
        self._params = np.array([values[name] for name in system.parameters])
        self._at = system.parameters.index(parameter)
        self._held = system.unknowns.index(unknown)
        self._free = [i for i in range(len(system.unknowns) + 1) if i != self._held]
        low = np.array([d[0] for d in system.program.domains])
        self._signed = ~(low >= 0)
        lower = system.saddle.parameters[parameter].domain[0]
        # Positive quantities are searched for on a logarithmic scale.
        self._logarithmic = np.append(~self._signed, lower >= 0)[self._free]
        self.evaluations = 0

    def validate(self, value: float) -> float:
        """Return a value of the held unknown, or raise `ParameterError`."""
        number = float(value)
        low, high = self.system.program.domains[self._held]
        if not (math.isfinite(number) and low < number < high):
            raise ParameterError(
                f"order parameter {self.unknown} = {number:g} is outside ({low:g}, {high:g})."
            )
        return number

    # -- the equations -----------------------------------------------------------------------

    def map(self, state: Array, fine: bool = False) -> Array:
        """Evaluate the fixed-point map at a state."""
        self.evaluations += 1
        params = self._params.copy()
        params[self._at] = state[-1]
        return self.system.map(params, state[:-1], fine, self.settings)

    def _scale(self, x: Array) -> Array:
        return np.maximum(np.abs(x), np.where(self._signed, 1e-2, 1e-300))

    def residual(self, state: Array, fine: bool = False) -> Array:
        """Return the scaled residual of all equations."""
        x = state[:-1]
        return (self.map(state, fine) - x) / self._scale(x)

    def _derivatives(self, state: Array) -> Array:
        """Jacobian of ``F - x`` with respect to all unknowns and the parameter."""
        derivative = jacobian(self.map, state)
        derivative[:, :-1] -= np.eye(len(state) - 1)
        return derivative

    def slope(self, state: Array) -> float:
        """Return the derivative of the parameter by the held unknown, along the branch."""
        derivative = self._derivatives(state)
        tangent = np.linalg.solve(derivative[:, self._free], -derivative[:, self._held])
        return float(tangent[-1])

    # -- solving -----------------------------------------------------------------------------

    def solve(
        self, value: float, start: Start | Array = None, bracket: tuple[float, float] | None = None
    ) -> Array:
        """Return the state at which the unknown has a value.

        Parameters
        ----------
        value : float
        start : str, mapping, Solution or array, optional
            Where the search starts; an array is a neighbouring state.
        bracket : pair of float, optional
            Where the parameter is searched for.

        Raises
        ------
        ConvergenceError
            If no solution is found.
        """
        best: Array | None = None
        least = math.inf
        for candidate in self._candidates(value, start, bracket):
            state = self._search(candidate)
            size = float(np.max(np.abs(self.residual(state))))
            if math.isnan(size):
                continue
            outside = bracket is not None and not bracket[0] <= state[-1] <= bracket[1]
            if size < _FOUND and not outside:
                return self._polished(state)
            if size < least:
                best, least = state, size
        where = "" if bracket is None else f" from {bracket[0]:g} to {bracket[1]:g}"
        message = (
            f"model {self.model}: no value of {self.parameter}{where} was found at which "
            f"{self.unknown} = {value:g} solves the equations (residual {least:.1e}); give a start "
            "or a bracket."
        )
        raise ConvergenceError(message, None if best is None else self.solution(best))

    def _candidates(
        self, value: float, start: Start | Array, bracket: tuple[float, float] | None
    ) -> list[Array]:
        """States to start from, the most promising first."""
        first: list[Array] = []
        if isinstance(start, np.ndarray):
            neighbour = start.copy()
            neighbour[self._held] = value
            first, start = [neighbour], dict(zip(self.system.unknowns, start, strict=False))
        elif isinstance(start, Solution):
            x = start_vector(self.system, start, self._params[None])[0]
            neighbour = np.append(x, start.parameters[self.parameter])
            neighbour[self._held] = value
            first = [neighbour]
        swept = []
        for p in self._grid(bracket):
            params = self._params.copy()
            params[self._at] = p
            x = start_vector(self.system, start, params[None])[0]
            state = self._swept(np.append(x, p), value)
            if state is not None:
                swept.append((state, float(self.residual(state)[self._held])))
        crossing = [
            state
            for pair in itertools.pairwise(swept)
            if pair[0][1] * pair[1][1] <= 0
            for state, _ in sorted(pair, key=lambda item: abs(item[1]))
        ]
        nearest = [state for state, _ in sorted(swept, key=lambda item: abs(item[1]))]
        return [*first, *crossing, *nearest[:3]]

    def _grid(self, bracket: tuple[float, float] | None) -> list[float]:
        """Values of the parameter from which the search starts."""
        parameter = self.system.saddle.parameters[self.parameter]
        low, high = parameter.domain if bracket is None else bracket
        here = float(self._params[self._at])
        if math.isfinite(low) and math.isfinite(high):
            inner = np.linspace(low, high, 15)[1:-1]
            if low > 0 and high / low > 10:
                inner = np.geomspace(low, high, 15)[1:-1]
        elif low >= 0:
            inner = (here or 1.0) * 10.0 ** np.arange(-2, 3.6, 0.5)
        else:
            inner = here + np.array([-4, -2, -1, -0.5, 0.0, 0.5, 1, 2, 4])
        return [float(p) for p in inner if low < p < high]

    def _swept(self, state: Array, value: float) -> Array | None:
        """Move the other unknowns towards their equations by damped sweeps."""
        state[self._held] = value
        for _ in range(_SWEEPS):
            image = self.map(state)
            if not np.all(np.isfinite(image)):
                return None
            step = 0.5 * (image - state[:-1])
            step[self._held] = 0.0
            state[:-1] += step
            if np.max(np.abs(step) / self._scale(state[:-1])) < 1e-4:
                break
        return state

    def _search(self, state: Array) -> Array:
        """Find a root from a state by Powell's hybrid method."""
        state = state.copy()

        def place(z: Array) -> Array:
            with np.errstate(over="ignore"):
                state[self._free] = np.where(self._logarithmic, np.exp(z), z)
            return state

        def equations(z: Array) -> Array:
            found = self.residual(place(z))
            return np.where(np.isfinite(found), found, 1e10)

        free = state[self._free]
        with np.errstate(invalid="ignore", divide="ignore"):
            z = np.where(self._logarithmic, np.log(free), free)
        z[np.abs(z) < 1e-12] = 0.0  # else the difference steps are relative to it
        if not np.all(np.isfinite(z)):
            return state
        found = optimize.root(equations, z, method="hybr", options={"xtol": 1e-12})
        return place(found.x).copy()

    def _polished(self, state: Array) -> Array:
        """Take Newton steps on the fine rule as long as they reduce the residual."""
        size = float(np.max(np.abs(self.residual(state, fine=True))))
        derivative = self._derivatives(state)[:, self._free]
        if not np.all(np.isfinite(derivative)):
            return state
        inverse = np.linalg.pinv(derivative)
        for _ in range(6):
            following = state.copy()
            following[self._free] -= inverse @ (self.map(state, fine=True) - state[:-1])
            new = float(np.max(np.abs(self.residual(following, fine=True))))
            if not new < size:
                break
            state, size = following, new
        return state

    # -- the certificate ---------------------------------------------------------------------

    def solution(self, state: Array, uncertainty: float = 0.0) -> Solution:
        """Certify a state.

        Parameters
        ----------
        state : array
        uncertainty : float
            Error of the held unknown, where that is itself the result of a search.
        """
        x, params = state[:-1], self._params.copy()
        params[self._at] = state[-1]
        derivative = self._derivatives(state)
        fine, coarse = self.map(state, fine=True), self.map(state)
        scale = self._scale(x)
        error = np.zeros(len(state))
        if np.all(np.isfinite(derivative)):
            inverse = np.abs(np.linalg.pinv(derivative[:, self._free]))
            gap = np.maximum(np.abs(fine - x), np.abs(coarse - x)) + 4 * _EPS * np.abs(x)
            error[self._free] = inverse @ gap
            along = np.linalg.pinv(derivative[:, self._free]) @ derivative[:, self._held]
            along[-1] *= uncertainty  # the parameter is stationary where the held unknown is found
            error[self._free] += np.abs(along) * uncertainty
            error[self._held] = uncertainty
            eigenvalues = np.linalg.eigvals(derivative[:, :-1] + np.eye(len(x)))
            stability = float(np.max(eigenvalues.real))
        else:
            error[:], stability = math.nan, math.nan
        better = self._report(state, fine=True)
        with np.errstate(invalid="ignore"):  # an infinite replicon
            by_state = jacobian(self._report, state)
            out_error = np.abs(better - self._report(state)) + np.abs(by_state) @ error
        residual = float(np.max(np.abs(fine - x) / scale))
        certified = self.settings.certified_tolerance
        if not residual < _FOUND:
            status = SolveStatus.NOT_CONVERGED
        elif np.all(error[:-1] <= np.maximum(certified, 2 * uncertainty) * scale):
            status = SolveStatus.CONVERGED
        else:
            status = SolveStatus.NOT_CERTIFIED
        result = BlockResult(
            x=x[None], out=better[None], residual=np.array([residual]), error=error[None, :-1],
            out_error=out_error[None], status=np.array([status], dtype=np.int32),
            evaluations=np.array([self.evaluations], dtype=np.int32),
            stability=np.array([stability]), jacobian=derivative[None, :, :-1],
        )  # fmt: skip
        names = self.system.parameters
        values: dict[str, Any] = dict(zip(names, map(float, params), strict=True))
        branch = f"{self.unknown} held"
        solution = make_solution(self.model, values, self.system, result, 0, branch)
        errors = {**solution.error, self.parameter: float(error[-1])}
        return dataclasses.replace(solution, error=errors)

    def _report(self, state: Array, fine: bool = False) -> Array:
        params = self._params.copy()
        params[self._at] = state[-1]
        return self.system.report(params, state[:-1], fine, self.settings)
