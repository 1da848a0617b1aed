"""The solver of the compiled systems, in NumPy: for machines without a compiler, and as reference.

The algorithm is that of solver.h, step by step. Damping chooses the branch; Anderson steps are
taken once the residual contracts steadily, and are taken back if they end near a saddle; Newton's
method follows the damped flow as implicit Euler steps, and jumps to its end only where the flow is
stable and the linear model predicts the residual.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from replica.compile.reference_fixed_point import (
    ZERO_SIZE,
    largest_real_part,
    scaled_maximum,
    scaled_norm,
    solve_linear,
)
from replica.compile.reference_iteration import WrongBranchError
from replica.compile.reference_quadrature import Quadrature, RuleMode
from replica.compile.reference_zeros import Zeros
from replica.compile.settings import BlockResult, SolverSettings, SolveStatus
from replica.compile.sobol import REPLICATES

Array = NDArray[np.float64]


class NumericSystem(Protocol):
    """What the solver needs to know of a system."""

    n_unknown: int
    n_output: int
    lower: Array
    upper: Array
    vanishing: Array
    sampled: bool

    def map(self, rule: Quadrature, x: Array, p: Array) -> Array:
        """Return F(x; p)."""

    def report(self, rule: Quadrature, x: Array, p: Array) -> Array:
        """Return the outputs at x."""


class ReferenceSolver:
    """Solve a NumPy system with the algorithm of the compiled solver.

    Parameters
    ----------
    system : NumericSystem
    settings : SolverSettings
    """

    def __init__(self, system: NumericSystem, settings: SolverSettings | None = None) -> None:
        self.system = system
        self.settings = settings or SolverSettings()

    def map(self, params: Array, x: Array, fine: bool = False) -> Array:
        """Return F(x) with a rule adapted at x; with ``fine`` on the bisected rule."""
        return self._once(self.system.map, params, x, fine)

    def report(self, params: Array, x: Array, fine: bool = False) -> Array:
        """Return the outputs at x, in the same way."""
        return self._once(self.system.report, params, x, fine)

    def evaluate_block(
        self, params: Array, x: Array, base_params: Array, base_x: Array, report: bool = False
    ) -> Array:
        """Return F, or the outputs, at many states on one rule that is adapted at a base state."""
        function = self.system.report if report else self.system.map
        rule = Quadrature.of(self.settings)
        with np.errstate(all="ignore"):
            function(rule, base_x, base_params)
            rule.set_mode(RuleMode.FROZEN)
            return np.array([function(rule, *point) for point in zip(x, params, strict=True)])

    def _once(self, function: Any, params: Array, x: Array, fine: bool) -> Array:
        rule = Quadrature.of(self.settings)
        rule.set_mode(RuleMode.FINE if fine else RuleMode.ADAPT)
        with np.errstate(all="ignore"):
            return np.asarray(function(rule, np.asarray(x, float), np.asarray(params, float)))

    def solve_block(
        self, params: Array, starts: Array, chain: bool = False, cancel: Any = None
    ) -> BlockResult:
        """Solve the points one after the other.

        Parameters
        ----------
        params : array, shape (B, parameters)
        starts : array, shape (B, unknowns)
        chain : bool
            Start each point at the last converged solution; where that fails, at its own start.
        cancel : array of one int, optional
            The solve stops when it becomes nonzero.
        """
        params = np.atleast_2d(np.asarray(params, dtype=float))
        starts = np.atleast_2d(np.asarray(starts, dtype=float))
        points, n, m = len(params), self.system.n_unknown, self.system.n_output
        result = BlockResult(
            x=np.empty((points, n)),
            out=np.full((points, m), np.nan),
            residual=np.full(points, np.nan),
            error=np.full((points, n), np.nan),
            out_error=np.full((points, m), np.nan),
            status=np.empty(points, np.int32),
            evaluations=np.zeros(points, np.int32),
            stability=np.full(points, np.nan),
            jacobian=np.full((points, n, n), np.nan),
        )

        def stop() -> bool:
            return cancel is not None and bool(np.ravel(cancel)[0])

        warm: _Point | None = None
        followable = False  # the point before is a stable solution
        for b in range(points):
            if stop():  # the points that are left cost nothing
                result.x[b:], result.status[b:] = np.nan, SolveStatus.CANCELLED
                break
            ways = [False] if not chain or warm is None else [True, True, False]
            for attempt, from_warm in enumerate(ways if followable else ways[-2:]):
                point = _Point(self.system, self.settings, params[b], stop)
                start = warm.x if warm is not None and from_warm else starts[b]
                if warm is not None and followable and attempt == 0:
                    status = point.follow(warm)
                else:
                    status = point.solve(start)
                result.evaluations[b] += point.evaluations
                # A fixed point that the flow leaves is only kept where the caller has asked for it.
                unstable = from_warm and point.certified and largest_real_part(point.jacobian) > 1
                settled = status is SolveStatus.CONVERGED and not unstable
                if settled or status is SolveStatus.CANCELLED:
                    break
            result.x[b], result.status[b], result.residual[b] = point.x, status, point.last_residual
            if point.certified:
                result.error[b], result.jacobian[b] = point.error, point.jacobian
                result.stability[b] = largest_real_part(point.jacobian)
            if status != SolveStatus.CANCELLED:
                result.out[b], result.out_error[b] = point.report()
            followable = False
            if status == SolveStatus.CONVERGED:
                warm = point
                followable = chain and self.settings.newton and result.stability[b] < 1
        return result


class _Point(Zeros):
    """The solve of one point, with its certificate."""

    x: Array
    last_residual: float
    error: Array
    certified = False
    shifts: tuple[Array, ...] = ()  # of the fixed point, with each replicate of the samples alone
    sampling: Array  # the standard errors that this gives
    inherited = False  # the rule is that of a neighbouring point

    def follow(self, neighbour: _Point) -> SolveStatus:
        """Solve only if the solution of a neighbour continues to this point."""
        self.x, _ = self.move_inside(neighbour.x, np.zeros_like(neighbour.x))
        self.last_residual = np.nan
        self.jacobian, self.rule_at = neighbour.jacobian, neighbour.rule_at
        self.rule = neighbour.rule
        self.rule.tolerance = self.settings.quadrature_tolerance
        self.rule.set_inner(self.settings.inner_panels)
        self.inherited = self.followed = True
        found = self.follow_root(self.x)
        if found is None:
            return SolveStatus.NOT_CONVERGED
        self.x, f = found
        try:
            return self._certify(f)
        except WrongBranchError:
            return SolveStatus.NOT_CONVERGED

    def solve(self, start: Array) -> SolveStatus:
        """Solve from a start."""
        self.x, _ = self.move_inside(start, np.zeros_like(start))
        penalty = 25
        while True:
            try:
                status, self.x, f = self.approach(self.x)
                self.last_residual = self.residual(self.x, f)
                if status == SolveStatus.CONVERGED:
                    status = self._certify(f)
                return status
            except WrongBranchError as wrong:
                if wrong.at_root:
                    self.newton_resume = self.evaluations + penalty
                self.x = self.checkpoint
                self.forget_jumps()
                self.anderson_resume = self.evaluations + penalty
                penalty *= 4

    def _certify(self, f: Array) -> SolveStatus:
        """Bound the error by the difference between the frozen map and the fine one.

        It is amplified by (I - J)^-1, and joined by that of round-off. The rule is refined, and the
        equations are solved again, until the requested tolerance is met.
        """
        settings, identity = self.settings, np.eye(len(f))
        f = self.settle_zeros(f)
        for refinement in range(settings.max_refinements + 1):
            if refinement > 0:
                if not self.inherited:
                    self.rule.tolerance = max(1e-2 * self.rule.tolerance, 1e-16)
                    self.rule.set_inner(2 * self.rule.inner_panels)
                self.inherited = False
                f = self.evaluate_as(RuleMode.ADAPT, self.x)
                if not np.all(np.isfinite(f)):
                    return SolveStatus.DIVERGED
            inverse = None
            for _ in range(3):
                jacobian = self.differentiate(self.x, f, central=True)
                inverse = None if jacobian is None else solve_linear(identity - jacobian, identity)
                if jacobian is None or inverse is None:
                    return SolveStatus.NOT_CERTIFIED
                f = self._polish(f, inverse)
                if self.stopped:
                    return SolveStatus.CANCELLED
                if self.distance(self.x, self.jacobian_at) < 1e-6:
                    break
            self.last_residual = self.residual(self.x, f)
            stable = largest_real_part(self.jacobian, self.x, f) < 1
            if not stable and (self.followed or self.jumped):
                raise WrongBranchError(at_root=True)
            scale = self.units(self.x)
            fine = self.evaluate_as(RuleMode.FINE, self.x)
            if inverse is None or not np.all(np.isfinite(fine)):
                return SolveStatus.NOT_CERTIFIED
            delta = self._moves(inverse, fine)
            rounding = 4 * np.finfo(float).eps * np.abs(self.x)
            if self.last_residual > 0.01 * settings.tolerance:
                # Newton steps could not reduce it: it is rounding inside the map.
                rounding = np.maximum(rounding, np.abs(f))
            noise = np.abs(inverse) @ rounding
            self.error = np.abs(delta) + noise
            self.certified = bool(np.all(np.isfinite(self.error)))
            if not self.certified:
                return SolveStatus.NOT_CERTIFIED
            counts = ~self.is_zero(self.x, delta)
            worst = np.max((self.error / scale)[counts], initial=0)
            trial, kept = self.move_inside(self.x, delta)
            if worst < 0.1 and not kept:
                self.x = trial
            self.settle_positive(noise)
            if worst <= settings.certified_tolerance:
                return self._replicate(f, inverse)
            if np.max((noise / scale)[counts], initial=0) > settings.certified_tolerance:
                break
        return SolveStatus.NOT_CERTIFIED

    def _replicate(self, f: Array, inverse: Array) -> SolveStatus:
        """Join the standard errors that the replicates of the samples give the fixed point."""
        if getattr(self.system, "sampled", False):
            shifts = []
            for replicate in range(REPLICATES):
                self.rule.replicate = replicate
                shifts.append(inverse @ (self.evaluate_as(RuleMode.FROZEN, self.x) - f))
            self.rule.replicate = None
            self.shifts = tuple(shifts)
            self.sampling = standard_error(shifts)
            self.error = self.error + self.sampling
            self.certified = bool(np.all(np.isfinite(self.error)))
        return SolveStatus.CONVERGED if self.certified else SolveStatus.NOT_CERTIFIED

    def _moves(self, inverse: Array, f: Array) -> Array:
        """Return the Newton step; what is zero and is kept there does not move."""
        return np.where((self.x == 0) & (f == 0), 0.0, inverse @ f)

    def _polish(self, f: Array, inverse: Array) -> Array:
        """Take Newton steps with one Jacobian; return the new F(x) - x."""
        for _ in range(6):
            if self.residual(self.x, f) <= 0.01 * self.settings.tolerance:
                break
            delta, scale = self._moves(inverse, f), self.units(self.x)
            trial, kept = self.move_inside(self.x, delta)
            if not scaled_maximum(delta, scale) < 0.1 or kept:
                break
            g = self.evaluate(trial)
            if not scaled_norm(g, scale) < 0.5 * scaled_norm(f, scale):
                break
            self.x, f = trial, g
        return f

    def report(self) -> tuple[Array, Array]:
        """Return the outputs on the fine rule, and their errors, to first order and of its cuts."""
        with np.errstate(all="ignore"):
            self.rule.set_mode(RuleMode.FINE)
            out = np.asarray(self.system.report(self.rule, self.x, self.p), dtype=float)
            self.rule.set_mode(RuleMode.FROZEN)
            if not self.certified:
                return out, np.full_like(out, np.nan)
            self.rule.tails = True
            coarse = np.asarray(self.system.report(self.rule, self.x, self.p))
            error = np.abs(out - coarse) + np.finfo(float).eps * np.abs(out)
            steps = 1e-6 * np.maximum(self.unit(self.x), ZERO_SIZE)
            for i, h in enumerate(steps):
                y = self.x.copy()
                y[i] += h if y[i] + h <= self.upper[i] else -h
                moved = np.asarray(self.system.report(self.rule, y, self.p))
                known = self.error[i] - (self.sampling[i] if self.shifts else 0)
                error += np.abs((moved - coarse) / (y[i] - self.x[i])) * known
            self.rule.tails = False
            values = []
            for replicate, shift in enumerate(self.shifts):
                self.rule.replicate = replicate
                y, _ = self.move_inside(self.x, shift)
                values.append(np.asarray(self.system.report(self.rule, y, self.p)))
            self.rule.replicate = None
            if values:
                error += standard_error(values)
        return out, error


def standard_error(values: Sequence[Array]) -> Array:
    """Standard error of a mean over replicates."""
    return np.asarray(np.std(values, axis=0, ddof=1) / np.sqrt(len(values)))
