"""Saddle points at 30 digits: the same symbolic equations, evaluated with mpmath.

`evaluate` gives the equations at a point, `verify` the verdict on a solution: its true residual,
the solution to about 25 digits, and whether its certificate holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from mpmath import mp

from replica.derive.saddle_point import SaddlePoint
from replica.errors import ParameterError
from replica.solve.differences import jacobian
from replica.solve.multiprecision import Expressions, Plan
from replica.solve.solution import Solution

if TYPE_CHECKING:
    from replica.compile.system import CompiledSystem

_GUARD = 5
#: A true error may exceed the certified one by this factor, or be a few units in the last place.
_SLACK = 10.0
#: A last refinement below this leaves an error of rounding only.
_NEAR = 1e-7
_ULPS = 16 * np.finfo(float).eps


@dataclass(frozen=True)
class Evaluation:
    """The equations of a saddle point at given values of its unknowns.

    Attributes
    ----------
    updates : mapping
        Right-hand sides of the equations of the unknowns, by name.
    outputs : mapping
        Conjugates, free entropy, replicon and observables, by name.
    """

    updates: Mapping[str, Any]
    outputs: Mapping[str, Any]


class HighPrecision:
    """A saddle point that is evaluated with mpmath.

    Parameters
    ----------
    saddle : SaddlePoint
    digits : int
    """

    def __init__(self, saddle: SaddlePoint, digits: int = 30) -> None:
        if not 10 <= digits <= 1000:
            raise ParameterError(f"digits = {digits}: expected a number from 10 to 1000.")
        self.saddle, self.digits = saddle, digits
        outputs: dict[str, sp.Expr] = {str(s): s for s, _ in saddle.conjugates}
        outputs["free_entropy"] = saddle.free_entropy
        if saddle.replicon is not None:
            outputs["replicon"] = saddle.replicon
        self._results = outputs | dict(saddle.observables)

    @cached_property
    def _definitions(self) -> list[tuple[sp.Symbol, Expressions]]:
        return [(s, Expressions([e])) for s, e in self.saddle.definitions]

    @cached_property
    def _updates(self) -> Plan:
        return Plan(self.saddle.conjugates, [u.update for u in self.saddle.unknowns])

    @cached_property
    def _outputs(self) -> Plan:
        return Plan(self.saddle.conjugates, list(self._results.values()))

    def environment(self, values: Mapping[str, Any]) -> dict[sp.Symbol, Any]:
        """Return values by symbol; parameters that are not named keep their default."""
        local: dict[sp.Symbol, Any] = {}
        with mp.workdps(self.digits + _GUARD):
            for name, parameter in self.saddle.parameters.items():
                local[parameter] = mp.mpf(values.get(name, parameter.default))
            for symbol in self.saddle.order_parameters:
                if str(symbol) not in values:
                    raise ParameterError(f"no value is given for the order parameter {symbol}.")
                local[symbol] = mp.mpf(values[str(symbol)])
            for symbol, expression in self._definitions:
                (local[symbol],) = expression(local)
        return local

    def updates(self, local: Mapping[sp.Symbol, Any]) -> tuple[dict[sp.Symbol, Any], list[Any]]:
        """Return the environment with the conjugates, and the updates of the unknowns."""
        with mp.workdps(self.digits + _GUARD):
            return self._updates(local)

    def outputs(self, local: Mapping[sp.Symbol, Any]) -> dict[str, Any]:
        """Return conjugates, free entropy, replicon and observables, by name."""
        with mp.workdps(self.digits + _GUARD):
            return dict(zip(self._results, self._outputs(local)[1], strict=True))


def evaluate(saddle: SaddlePoint, values: Mapping[str, Any], digits: int = 30) -> Evaluation:
    """Evaluate the equations of a saddle point with mpmath.

    Parameters
    ----------
    saddle : SaddlePoint
    values : mapping
        Values of the order parameters and of the parameters, by name; parameters that are not
        named keep their default.
    digits : int

    Raises
    ------
    ParameterError
        If an order parameter has no value.
    """
    precise = HighPrecision(saddle, digits)
    local = precise.environment(values)
    updates = dict(zip(map(str, saddle.order_parameters), precise.updates(local)[1], strict=True))
    return Evaluation(updates, precise.outputs(local))


@dataclass(frozen=True)
class Verification:
    """Verdict of mpmath on a solution in double precision.

    Attributes
    ----------
    digits : int
        Digits of the evaluation.
    residual : mapping
        ``F(x) - x`` of every equation at the double-precision solution.
    order_parameters, outputs : mapping
        The solution refined to about ``digits - 5`` digits, as mpmath numbers.
    step : float
        Size of the last refinement, relative.
    true_error, certified_error : mapping
        Error of the double-precision solution, and what its certificate says.
    within : bool
        Whether every true error is within ten times the certified one, or a few units in the last
        place.
    """

    model: str
    digits: int
    residual: Mapping[str, float]
    order_parameters: Mapping[str, Any]
    outputs: Mapping[str, Any]
    step: float
    true_error: Mapping[str, float]
    certified_error: Mapping[str, float]
    within: bool

    def __str__(self) -> str:
        verdict = "within its certificate" if self.within else "NOT within its certificate"
        lines = [f"{self.model}: evaluated with {self.digits} digits, {verdict}"]
        shown = self.digits - _GUARD
        for name, value in {**self.order_parameters, **self.outputs}.items():
            line = f"  {name:<14} {mp.nstr(value, shown)}"
            if name in self.true_error:
                error, certified = self.true_error[name], self.certified_error[name]
                line += f"  error {error:.1e} (certified {certified:.1e})"
            lines.append(line)
        lines.append(f"  last refinement {self.step:.1e}")
        return "\n".join(lines)


def verify(model: Any, solution: Solution, digits: int = 30) -> Verification:
    """Compare a solution with the same equations at high precision.

    Parameters
    ----------
    model : Model or FunctionalModel
    solution : Solution
    digits : int

    Returns
    -------
    Verification
    """
    return verify_system(model.compile(), solution, digits)


def verify_system(
    system: CompiledSystem, solution: Solution, digits: int = 30, refine: bool = True
) -> Verification:
    """Compare a solution of a compiled system with its symbolic equations at high precision.

    Parameters
    ----------
    system : CompiledSystem
    solution : Solution
    digits : int
    refine : bool
        Else the equations are evaluated once, which gives the errors of the unknowns alone.
    """
    saddle = system.saddle
    precise = HighPrecision(saddle, digits)
    start = np.array([solution.order_parameters[str(s)] for s in saddle.order_parameters])
    if not np.all(np.isfinite(start)):
        raise ParameterError("the solution to verify has no finite order parameters.")
    params = np.array([solution.parameters[name] for name in system.parameters])
    inverse = np.linalg.pinv(np.eye(len(start)) - jacobian(lambda x: system.map(params, x), start))
    local = precise.environment({**solution.parameters, **solution.order_parameters})
    symbols = saddle.order_parameters
    first: list[float] = []
    step = 1.0
    with mp.workdps(digits + _GUARD):
        goal = mp.mpf(10) ** (_GUARD - digits)
        for _ in range(2 + digits // 6 if refine else 1):
            gaps = [f - local[s] for f, s in zip(precise.updates(local)[1], symbols, strict=True)]
            first = first or [float(g) for g in gaps]
            moves = [
                mp.fsum(float(c) * g for c, g in zip(row, gaps, strict=True)) for row in inverse
            ]
            sizes = [max(abs(local[s]), mp.mpf("0.01")) for s in symbols]
            following = float(max(abs(m) / size for m, size in zip(moves, sizes, strict=True)))
            if not following < step:  # no progress beyond round-off, or NaN
                break
            step = following
            for symbol, move in zip(symbols, moves, strict=True):
                local[symbol] += move
            if step < goal:
                break
        refined = {str(s): local[s] for s in symbols}
        true = {n: float(abs(refined[n] - x)) for n, x in solution.order_parameters.items()}
        outputs = precise.outputs(local) if refine else {}
        reported = {**solution.conjugates, **solution.observables}
        true |= {n: float(abs(outputs[n] - x)) for n, x in reported.items() if n in outputs}
    certified = {**solution.observable_error, **solution.error}
    scales = {n: max(abs(x), 0.01) for n, x in reported.items()}
    for unknown in saddle.unknowns:  # one that may cross zero is rounded like its terms
        size = abs(solution.order_parameters[str(unknown.symbol)])
        scales[str(unknown.symbol)] = max(size, 1.0) if unknown.domain[0] < 0 else size
    allowed = {n: max(_SLACK * certified[n], _ULPS * scale) for n, scale in scales.items()}
    for name, rounding in _passed_on(system, params, start, scales).items():
        allowed[name] = max(allowed[name], rounding)
    within = step < _NEAR and all(error <= allowed[n] for n, error in true.items())
    return Verification(
        model=solution.model,
        digits=digits,
        residual=dict(zip(map(str, symbols), first, strict=True)),
        order_parameters=refined,
        outputs=outputs,
        step=step,
        true_error=true,
        certified_error={n: float(certified[n]) for n in true},
        within=bool(within),
    )


def _passed_on(
    system: CompiledSystem, params: np.ndarray, x: np.ndarray, scales: Mapping[str, float]
) -> dict[str, float]:
    """Return what the rounding of the unknowns makes of the outputs.

    The conjugate of an order parameter that is zero but for rounding is no better than that.
    """
    slopes = np.abs(jacobian(lambda one: system.report(params, one), x))
    rounding = slopes @ np.array([_ULPS * scales[name] for name in system.unknowns])
    return {
        name: float(size)
        for name, size in zip(system.outputs, rounding, strict=True)
        if name in scales and np.isfinite(size)
    }
