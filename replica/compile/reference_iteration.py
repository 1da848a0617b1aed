"""The way to a fixed point, in NumPy: damping, Anderson and flow steps.

Twin of the iteration in solver.h; the constants and every decision are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.compile.reference_quadrature import Quadrature, RuleMode
from replica.compile.settings import SolverSettings, SolveStatus

Array = NDArray[np.float64]

ANDERSON_DEPTH = 5
PATIENCE = 40  # evaluations before Newton steps are tried at a residual that is not small
ZERO_SIZE = 1e-14  # smaller unknowns count as zero
CROSSING_SIZE = 1e-2  # scale of an unknown that may cross zero, such as a magnetisation
INFINITE_SIZE = 1e12  # larger unknowns have left for infinity
NEWTON_RESIDUAL = 1e-3  # Newton steps are tried below it
STEADY_CHANGE = 0.2  # relative change of the contraction that still counts as steady
FLOW_SIZE = 0.1  # where the coordinate of a crossing unknown turns logarithmic


class Outcome(Enum):
    """How a sequence of Newton steps ended."""

    ROOT = "at a root, or at its round-off floor"
    NO_PROGRESS = "damping is as good here"
    NEAR_SADDLE = "an Anderson step has come near a saddle and may have crossed it"


class WrongBranchError(Exception):
    """The iteration has left the branch of damping; the caller goes back to the checkpoint."""

    def __init__(self, at_root: bool) -> None:
        super().__init__()
        self.at_root = at_root


def largest_real_part(jacobian: Array, x: Array | None = None, f: Array | None = None) -> float:
    """Return the largest real part of the eigenvalues.

    With ``x`` and ``f``, of the block of the unknowns that do not sit at an exact zero of the map:
    a symmetry that the start has is kept, as damping keeps it.
    """
    if x is not None and f is not None:
        keep = (x != 0) | (f != 0)
        jacobian = jacobian[np.ix_(keep, keep)]
    if jacobian.size == 0:
        return -np.inf
    if not np.all(np.isfinite(jacobian)):
        return np.nan
    return float(np.max(np.linalg.eigvals(jacobian).real))


def solve_linear(matrix: Array, vector: Array) -> Array | None:
    """Solve a linear system; None if it is singular."""
    try:
        return np.asarray(np.linalg.solve(matrix, vector))
    except np.linalg.LinAlgError:
        return None


def scaled_maximum(f: Array, scale: Array) -> float:
    """Return the largest entry in units of ``scale``."""
    return float(np.max(np.abs(f) / scale))


def scaled_norm(f: Array, scale: Array) -> float:
    """Return the Euclidean norm in units of ``scale``."""
    return float(np.linalg.norm(f / scale))


class Iteration:
    """State of the solve of one point, from any start to a small residual."""

    def __init__(
        self, system: Any, settings: SolverSettings, p: Array, stop: Callable[[], bool]
    ) -> None:
        self.system, self.settings, self.p, self._stop = system, settings, p, stop
        self.lower = np.asarray(system.lower, dtype=float)
        self.upper = np.asarray(system.upper, dtype=float)
        self.crosses = (self.lower < 0) & (self.upper > 0)
        self.rule = Quadrature(settings.quadrature_tolerance, settings.inner_panels)
        self.evaluations = 0
        self.stopped = False
        self.anderson_resume = self.newton_resume = 0
        self.step = 1 - settings.damping
        self.forget_jumps()

    def forget_jumps(self) -> None:
        """Say that damping alone has led to the present iterate."""
        self.followed = self.jumped = False

    # Measures of error ---------------------------------------------------------------------------

    def unit(self, x: Array) -> Array:
        """Return the size that errors are measured against."""
        return np.maximum(np.abs(x), np.where(self.crosses, CROSSING_SIZE, 0))

    def units(self, x: Array) -> Array:
        """Return the same, never zero."""
        return np.where(np.abs(x) < ZERO_SIZE, CROSSING_SIZE, self.unit(x))

    @staticmethod
    def is_zero(x: Array, f: Array) -> NDArray[np.bool_]:
        """Return which unknowns count as zero."""
        return (np.abs(x) < ZERO_SIZE) & (np.abs(x + f) < ZERO_SIZE)

    def residual(self, x: Array, f: Array) -> float:
        """Return the scaled residual of the undamped map."""
        ratio = np.abs(f) / np.maximum(self.unit(x), np.finfo(float).tiny)
        return float(np.max(np.where(self.is_zero(x, f), 0, ratio)))

    def distance(self, x: Array, y: Array) -> float:
        """Return the largest scaled difference."""
        return scaled_maximum(x - y, self.units(y))

    # Evaluation ----------------------------------------------------------------------------------

    def evaluate_as(self, mode: RuleMode, x: Array) -> Array:
        """Return F(x) - x."""
        self.stopped = self.stopped or self._stop()
        self.rule.set_mode(mode)
        if mode is RuleMode.ADAPT:
            self.rule_at = x.copy()
        with np.errstate(all="ignore"):
            f = np.asarray(self.system.map(self.rule, x, self.p), dtype=float) - x
        self.rule.set_mode(RuleMode.FROZEN)
        self.evaluations += 1
        return f

    def evaluate(self, x: Array) -> Array:
        """Return F(x) - x with the frozen rule, renewed when x has left its place."""
        near = self.distance(x, self.rule_at) < 0.5
        return self.evaluate_as(RuleMode.FROZEN if near else RuleMode.ADAPT, x)

    def move_inside(self, x: Array, move: Array) -> tuple[Array, bool]:
        """Return x + move kept inside the domain, and whether something was kept back."""
        with np.errstate(all="ignore"):
            y = x + move
            low = (y < self.lower) | ((y == self.lower) & (x > self.lower))
            high = ~low & ((y > self.upper) | ((y == self.upper) & (x < self.upper)))
            share = np.where(self.lower == 0, 1e-3, 0.1)
            y = np.where(low, self.lower + share * (x - self.lower), y)
            share = np.where(self.upper == 0, 1e-3, 0.1)
            y = np.where(high, self.upper - share * (self.upper - x), y)
        return y, bool(np.any(low | high))

    def at_boundary(self, x: Array, f: Array) -> bool:
        """Return whether an unknown has run away, or is pushed against an edge."""
        with np.errstate(all="ignore"):
            target = x + f
            low = x - self.lower <= 1e-12 * np.abs(self.lower) + ZERO_SIZE
            high = self.upper - x <= 1e-12 * np.abs(self.upper) + ZERO_SIZE
        low &= np.isfinite(self.lower) & ~(target >= self.lower)
        high &= np.isfinite(self.upper) & ~(target <= self.upper)
        return bool(np.any(low | high | (np.abs(x) > INFINITE_SIZE)))

    def differentiate(self, x: Array, f: Array, central: bool) -> Array | None:
        """Return the Jacobian of the frozen map by differences; None if it is not finite."""
        self.jacobian_at = x.copy()
        jacobian = np.empty((len(x), len(x)))
        steps = np.maximum((6e-6 if central else 3e-8) * self.unit(x), 1e-2 * ZERO_SIZE)
        for j, h in enumerate(steps):
            high = low = f
            width = 0.0
            up, down = x[j] + h <= self.upper[j], x[j] - h >= self.lower[j]
            y = x.copy()
            if up:
                y[j] = x[j] + h
                width += y[j] - x[j]
                high = self.evaluate_as(RuleMode.FROZEN, y)
            if down and (central or not up):
                y[j] = x[j] - h
                width += x[j] - y[j]
                low = self.evaluate_as(RuleMode.FROZEN, y)
            if not width > 0:
                return None
            jacobian[:, j] = (high - low) / width
            jacobian[j, j] += 1
        if not np.all(np.isfinite(jacobian)):
            return None
        self.jacobian = jacobian
        return jacobian

    # Steps ---------------------------------------------------------------------------------------

    def _root_step(self, x: Array, f: Array, jacobian: Array) -> tuple[Array, Array] | Outcome:
        """Take a Newton step towards the root of the linear model, if it is near."""
        scale = self.units(x)
        delta = solve_linear(np.eye(len(x)) - jacobian, f)
        if delta is None:
            return Outcome.NO_PROGRESS
        length = scaled_maximum(delta, np.maximum(scale, np.where(self.crosses, FLOW_SIZE, 0)))
        trial, kept = self.move_inside(x, delta)
        if not length <= 0.5 and not (kept and length <= 1 + 1e-9):
            return Outcome.NO_PROGRESS
        g = self.evaluate(trial)
        if scaled_norm(g, scale) < (1 if kept else 0.3) * scaled_norm(f, scale):
            return trial, g
        return Outcome.ROOT if self.residual(x, f) < 1e-8 else Outcome.NO_PROGRESS

    def _coordinate(self, x: Array) -> tuple[Array, Array]:
        """Return dx/du and its derivative for the coordinates u of flow steps.

        An unknown with lower bound 0 moves in its logarithm, one that crosses zero in an inverse
        sinh.
        """
        logarithmic = ~self.crosses & (self.lower == 0) & (x > 0)
        slope = np.where(self.crosses, np.hypot(x, FLOW_SIZE), np.where(logarithmic, x, 1))
        return slope, np.where(self.crosses, x / slope, np.where(logarithmic, 1, 0))

    def _along_coordinate(self, x: Array, move: Array) -> Array:
        with np.errstate(all="ignore"):
            crossing = FLOW_SIZE * np.sinh(np.arcsinh(x / FLOW_SIZE) + move) - x
            logarithmic = (self.lower == 0) & (x > 0)
            positive = np.where(logarithmic, x * np.expm1(move), move)
        return np.where(self.crosses, crossing, positive)

    def _flow_step(self, x: Array, f: Array, jacobian: Array) -> tuple[Array, Array] | None:
        """Take an implicit Euler step of the flow, as long as it stays true to it."""
        identity = np.eye(len(x))
        slope, bend = self._coordinate(x)
        speed = f / slope
        matrix = (jacobian - identity) * slope / slope[:, None] - np.diag(speed * bend)
        size = float(np.linalg.norm(speed))
        rate = largest_real_part(matrix, x, f)
        tau = min(0.5 / rate if rate > 0 else np.inf, 1e3 / size)
        for _ in range(40):
            if not tau > 2:
                break
            present, tau = tau, 0.3 * tau
            delta = solve_linear(identity / present - matrix, speed)
            if delta is None or not np.max(np.abs(delta)) <= 1:
                continue
            # Longer than the time to the end of the linear flow: that jump has been tried.
            remaining = float(np.linalg.norm(delta)) / size
            if present > 4 * remaining:
                tau = 2 * remaining
                continue
            trial, _ = self.move_inside(x, self._along_coordinate(x, delta))
            g = self.evaluate(trial)
            mismatch = g / self._coordinate(trial)[0] - delta / present
            if np.linalg.norm(mismatch) < 0.3 * size:
                return trial, g
        return None

    def _newton_steps(self, x: Array, f: Array) -> tuple[Outcome, Array, Array, bool]:
        """Follow the flow with few Jacobians, and jump to its end where that is in sight."""
        moved = False
        while self.evaluations < self.settings.max_evaluations and not self.stopped:
            if self.distance(x, self.rule_at) > 0.02:
                f = self.evaluate_as(RuleMode.ADAPT, x)
            jacobian = self.differentiate(x, f, central=False)
            if jacobian is None:
                break
            stable = largest_real_part(jacobian, x, f) < 1
            if not stable and self.jumped:
                return Outcome.NEAR_SADDLE, x, f, moved
            taken, before = False, np.inf
            while stable and not self.stopped:
                residual = self.residual(x, f)
                if not residual < 0.1 * before:
                    break
                step = self._root_step(x, f, jacobian)
                if step is Outcome.ROOT and not taken:
                    return Outcome.ROOT, x, f, moved
                if isinstance(step, Outcome):
                    break
                x, f = step
                moved = taken = True
                if self.residual(x, f) <= self.settings.tolerance:
                    return Outcome.ROOT, x, f, moved
                before = residual
            if self.at_boundary(x, f):
                break
            if taken:
                continue
            followed = self._flow_step(x, f, jacobian)
            if followed is None:
                break
            x, f = followed
            moved = True
        return Outcome.NO_PROGRESS, x, f, moved

    def _anderson_move(self, history: list[tuple[Array, Array]], scale: Array) -> Array | None:
        """Move to the combination of the history that has the least residual."""
        m = min(len(history) - 1, ANDERSON_DEPTH, len(scale))
        if m < 1:
            return None
        dx = np.array([history[j][0] - history[j + 1][0] for j in range(m)])
        df = np.array([history[j][1] - history[j + 1][1] for j in range(m)])
        f = history[0][1]
        gram = (df / scale) @ (df / scale).T
        gram += 1e-15 * np.trace(gram) * np.eye(m)
        weight = solve_linear(gram, (df / scale) @ (f / scale))
        if weight is None:
            return None
        move = self.step * f - weight @ (dx + self.step * df)
        return move if np.all(np.isfinite(move)) else None

    def approach(self, x: Array) -> tuple[SolveStatus, Array, Array]:
        """Iterate from x until the residual meets the tolerance or cannot be reduced further."""
        settings = self.settings
        steady = shrinking = failures = anderson_sleep = 0
        anderson_penalty, newton_penalty = 2, 20
        began, contraction = self.evaluations, 0.0
        f = self.evaluate_as(RuleMode.ADAPT, x)
        if not np.all(np.isfinite(f)):
            return self._failure(x, f), x, f
        history = [(x, f)]
        while True:
            residual, scale = self.residual(x, f), self.units(x)
            if self.stopped:
                return SolveStatus.CANCELLED, x, f
            if self.at_boundary(x, f):
                return SolveStatus.AT_BOUNDARY, x, f
            if residual <= settings.tolerance:
                return SolveStatus.CONVERGED, x, f
            if self.evaluations >= settings.max_evaluations:
                return SolveStatus.NOT_CONVERGED, x, f
            size = scaled_norm(f, scale)
            near = residual < NEWTON_RESIDUAL and shrinking >= 1
            late = self.evaluations - began >= PATIENCE
            if settings.newton and self.evaluations >= self.newton_resume and (near or late):
                if not self.jumped:
                    self.checkpoint = x
                outcome, x, f, moved = self._newton_steps(x, f)
                self.followed = self.followed or moved
                if outcome is Outcome.ROOT:
                    return SolveStatus.CONVERGED, x, f
                if outcome is Outcome.NEAR_SADDLE:
                    raise WrongBranchError(at_root=False)
                newton_penalty = 20 if moved else 2 * newton_penalty
                self.newton_resume = self.evaluations + newton_penalty
                if moved:
                    steady = shrinking = 0
                    history = [(x, f)]
                    continue
            accelerate = settings.acceleration and self.evaluations >= self.anderson_resume
            move = None
            if accelerate and steady >= 2 and anderson_sleep <= 0:
                move = self._anderson_move(history, scale)
            if move is not None:
                reach = min(0.3, 3 * size / max(contraction, 1e-12))
                if scaled_maximum(move, scale) <= reach:
                    trial, _ = self.move_inside(x, move)
                    g = self.evaluate(trial)
                    if scaled_norm(g, scale) < 0.8 * size:
                        if not self.jumped:
                            self.checkpoint = x
                        self.least = scaled_norm(g, scale)
                        self.jumped = True
                        anderson_penalty = 2
                        x, f = trial, g
                        history = [(x, f), *history[:ANDERSON_DEPTH]]
                        continue
                anderson_sleep = anderson_penalty
                anderson_penalty = min(2 * anderson_penalty, 64)
            trial, _ = self.move_inside(x, self.step * f)
            g = self.evaluate(trial)
            if not np.all(np.isfinite(g)):
                failures += 1
                if failures > 12:
                    return self._failure(trial, g), x, f
                self.step *= 0.25
                steady = shrinking = 0
                continue
            new_size = scaled_norm(g, scale)
            ratio = new_size / size
            dot = float((f / scale) @ (g / scale))
            cosine = dot / (new_size * size) if new_size > 0 else 1.0
            if self.jumped and ratio > 1 and cosine > 0.5 and new_size > 2 * self.least:
                raise WrongBranchError(at_root=False)
            change = abs((1 - ratio) / self.step - contraction)
            is_steady = ratio < 1 and change < STEADY_CHANGE * contraction
            steady = steady + 1 if is_steady else 0
            shrinking = shrinking + 1 if ratio < 1 else 0
            contraction = (1 - ratio) / self.step
            anderson_sleep -= 1
            if (cosine < 0 and ratio > 0.5) or (ratio > 1 and cosine < 0.9):
                self.step = max(0.5 * self.step, 1e-4)  # it oscillates or spirals out
            elif ratio < 1 and cosine > 0.3:
                self.step = min(1.2 * self.step, 1 - settings.damping)
                failures = 0
            x, f = trial, g
            history = [(x, f), *history[:ANDERSON_DEPTH]]

    def _failure(self, x: Array, f: Array) -> SolveStatus:
        if self.stopped:
            return SolveStatus.CANCELLED
        return SolveStatus.AT_BOUNDARY if self.at_boundary(x, f) else SolveStatus.DIVERGED
