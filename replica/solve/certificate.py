"""Certificates of the points of branches and of transition lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import BlockResult, SolveStatus
from replica.solve.differences import derivatives
from replica.solve.equations import CROSSING, STEP, Equations
from replica.solve.problem import Local, Problem
from replica.solve.solution import Solution, make_solution
from replica.solve.tables import dataset_of, frame_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Array = NDArray[np.float64]
_EPS = float(np.finfo(float).eps)
#: Neighbours of a state of which the noise of a condition is taken.
_ROUNDINGS = 16
#: Relative error of the parameters up to which a point of a branch or line counts as certified.
CERTIFIED = 1e-8
#: The same for the unknowns: where a branch turns back they are less certain than the parameter.
_CERTIFIED_UNKNOWNS = 1e-6
#: Errors with a parameter held, in units of the state, above which a curve turns back in it.
_TURNING = 1e-4
#: Scaled residual above which a state is no solution, whatever its linear error estimate.
_SOLVED = 1e-7
#: Unknowns that count as zero, and the weight of the tails that averages leave out (as the solver).
_TINY, _CUT_MASS = 1e-14, 2.5e-17


@dataclass(frozen=True)
class Transition(Solution):
    """A certified saddle point at a transition.

    A `Solution` whose ``error`` holds the error of the critical parameter, too.

    Attributes
    ----------
    condition : str
        What singles the point out.
    critical : tuple of str
        The parameters that were solved for, the critical one first.
    coexisting : Solution or None
        The other phase, at a first-order transition.
    """

    _marginal = 1e-6
    condition: str = ""
    critical: tuple[str, ...] = ()
    coexisting: Solution | None = None

    @property
    def good(self) -> bool:
        """Whether the point is certified, and the phase that coexists with it."""
        return self.converged and (self.coexisting is None or self.coexisting.converged)

    def __str__(self) -> str:
        text, *rest = super().__str__().splitlines()
        critical = [
            f"{n} = {self.parameters[n]:.14g} +- {self.error[n]:.1e}" for n in self.critical
        ]
        residual = f"  residual {self.residual:.1e}"
        lines = [text, f"  {self.condition} at {', '.join(critical)}", *rest[:-1], residual]
        if self.coexisting is not None:
            lines += ["coexists with", str(self.coexisting)]
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """Return the point as a table of one row."""
        return frame_of([self], self.critical)

    def to_dataset(self) -> xr.Dataset:
        """Return the point as a data set with the dimension ``point``."""
        return dataset_of(self.to_frame(), model=self.model, condition=self.condition)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings, for JSON."""
        record = super().to_dict()
        record |= {"condition": self.condition, "critical": list(self.critical)}
        if self.coexisting is not None:
            record["coexisting"] = self.coexisting.to_dict()
        return record


def state_errors(problem: Problem, state: Array, tangent: Array | None = None) -> Array:
    """Return the error of each entry of a state, to first order.

    Parameters
    ----------
    problem : Problem
    state : array
    tangent : array, optional
        Of a curve: its direction in units of the state; the error is that of the distance to the
        curve, in the plane normal to it. A multiple of a coordinate vector holds that entry.

    Returns
    -------
    array
        NaN where the system is singular.
    """
    local, unit, rows = problem.on(state), problem.units(state), problem.row_units(state)
    gaps = _gaps(problem, local, state) / rows
    matrix = local.jacobian() * unit / rows[:, None]
    if tangent is not None:
        matrix, gaps = np.vstack([matrix, tangent]), np.append(gaps, 0.0)
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return np.full(problem.size, np.nan)
    return np.asarray(np.abs(inverse) @ gaps * unit + 4 * _EPS * np.abs(state))


def errors_along(problem: Problem, state: Array, tangent: Array, held: int) -> tuple[Array, Array]:
    """Return the errors of a point of a curve, with one entry held, and those that decide on it.

    Where the curve turns back in that entry both are those of the distance to the curve; where it
    is about to, or even that distance is too uncertain, only the latter.
    """
    row = np.zeros(problem.size)
    row[held] = 1.0
    errors = state_errors(problem, state, row)
    unknowns = problem.size - len(problem.free)
    unit = problem.units(state)
    if certified(errors, problem.accuracy_units(state), unknowns):
        return errors, errors
    distances = state_errors(problem, state, tangent)
    held_still = bool(np.all(errors < _TURNING * unit))
    if held_still or not certified(distances, problem.accuracy_units(state), unknowns):
        return np.fmax(errors, distances), distances
    return distances, distances


def certified(errors: Array, unit: Array, unknowns: int) -> bool:
    """Return whether the errors of a state are small in its units; its unknowns come first."""
    parts = (slice(None, unknowns), _CERTIFIED_UNKNOWNS), (slice(unknowns, None), CERTIFIED)
    return all(bool(np.all(errors[part] <= least * unit[part])) for part, least in parts)


def _gaps(problem: Problem, local: Local, state: Array) -> Array:
    """Residuals on this rule and on a finer one, and round-off, of every equation."""
    here, gaps = local.residual(), []
    row = 0
    for phase, part in zip(problem.phases, problem.parts(state), strict=True):
        coarse, x = here[row : row + phase.size], part[: phase.size]
        gaps.append(np.maximum(np.abs(coarse), np.abs(phase.fine(part))) + 4 * _EPS * np.abs(x))
        row += phase.size
    finer = problem.on(state, fine=True).conditions()
    gaps.append(np.abs(here[row:]) + np.abs(finer - here[row:]) + _rounding(problem, local, state))
    return np.concatenate(gaps)


def _rounding(problem: Problem, local: Local, state: Array) -> Array:
    """Return how far the conditions move where a state is rounded in other ways.

    That is the noise of all terms of which they are made, however these cancel.
    """
    count = len(problem.conditions)
    if not count:
        return np.empty(0)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(_ROUNDINGS, len(state)))
    near = np.clip(state * (1 + 2 * _EPS * signs), problem.low, problem.high)
    with np.errstate(invalid="ignore"):  # an infinite replicon
        values = local.residuals(np.vstack([state, near]))[:, -count:]
        moved = np.max(np.abs(values[1:] - values[:1]), axis=0)
        parts = problem.parts(state[None])
        return moved + np.array([c.rounding(local.rules, parts) for c in problem.conditions])


def solutions(
    problem: Problem,
    state: Array,
    errors: Array,
    branches: Sequence[str],
    deciding: Array | None = None,
) -> list[Solution]:
    """Return the certified solutions of the phases of a state.

    Parameters
    ----------
    problem : Problem
    state, errors : array
    branches : sequence of str
        Names of the phases.
    deciding : array, optional
        The errors that decide whether the solutions are certified, see `errors_along`.
    """
    deciding = errors if deciding is None else deciding
    parts = [problem.parts(array) for array in (state, errors, deciding)]
    return [_solution(*one) for one in zip(problem.phases, *parts, branches, strict=True)]


def _solution(
    equations: Equations, state: Array, errors: Array, deciding: Array, branch: str
) -> Solution:
    system = equations.system
    params, x = (row[0] for row in equations.split(state[None]))
    rule = equations.on(state)
    n = equations.size
    unit = equations.units(state)
    x_error = np.zeros(len(x))
    x_error[equations.kept] = errors[:n]
    x_error[list(equations.zeros)] = equations.broken(state)
    # Where what is positive is tiny, the tails that averages leave out may be all that there is.
    tiny = ~np.array(system.program.vanishing, dtype=bool) & (np.abs(x) < _TINY)
    x_error += np.where(tiny, _CUT_MASS * max(1.0, float(np.max(np.abs(x)))), 0.0)
    jacobian = rule.slopes(state[None])[0]
    finite = bool(np.all(np.isfinite(jacobian)))
    stability = float(np.max(np.linalg.eigvals(jacobian).real)) if finite else np.nan
    better = system.report(params, x, True, equations.settings)
    with np.errstate(invalid="ignore"):  # an infinite replicon
        steps = STEP * unit
        by_state = derivatives(rule.reports, state[None], steps, equations.low, equations.high)[0]
        out_error = np.abs(better - rule.reports(state[None])[0])
        out_error = out_error + np.abs(by_state) @ errors + _EPS * np.abs(better)
    residual = float(np.max(np.abs(equations.fine(state)) / unit[:n], initial=0.0))
    residual = max(residual, equations.broken(state))
    regular = np.isfinite(better[system.outputs.index("free_entropy")])
    if not (regular and residual < _SOLVED):
        status = SolveStatus.NOT_CONVERGED
    elif certified(deciding, equations.accuracy_units(state), n):
        status = SolveStatus.CONVERGED
    else:
        status = SolveStatus.NOT_CERTIFIED
    result = BlockResult(
        x=x[None], out=better[None], residual=np.array([residual]), error=x_error[None],
        out_error=out_error[None], status=np.array([status], dtype=np.int32),
        evaluations=np.array([0], dtype=np.int32), stability=np.array([stability]),
        jacobian=jacobian[None],
    )  # fmt: skip
    values = dict(zip(system.parameters, map(float, params), strict=True))
    found = make_solution(equations.model, values, system, result, 0, branch)
    free = dict(zip(equations.free, map(float, errors[n:]), strict=True))
    return dataclasses.replace(found, error={**found.error, **free})


def uncertain(solution: Solution, free: Sequence[str]) -> str:
    """Say which quantities of a solution keep it from being certified.

    Parameters
    ----------
    solution : Solution
    free : sequence of str
        The parameters that were solved for.
    """
    residual = solution.residual
    if not residual < _SOLVED:
        return f"residual {residual:.1e} of phase {solution.branch!r}"
    values = {**solution.order_parameters, **{n: solution.parameters[n] for n in free}}
    # The scales of parameters and unknowns that may cross zero, and of those that may not.
    for parameter, unknown in ((1.0, CROSSING), (CROSSING, CROSSING), (0.0, 0.0)):
        found = []
        for name, value in values.items():
            least, scale = (
                (CERTIFIED, parameter) if name in free else (_CERTIFIED_UNKNOWNS, unknown)
            )
            if not solution.error[name] <= least * max(abs(value), scale):
                found.append(f"{name} = {value:.6g} has the error {solution.error[name]:.1e}")
        if found:
            return "; ".join(found)
    return f"residual {residual:.1e}"
