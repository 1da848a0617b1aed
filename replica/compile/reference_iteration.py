"""The way to a fixed point, in NumPy: damping, Anderson and flow steps.

Twin of iteration.h; the constants and every decision are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.compile.reference_fixed_point import (
    FixedPoint,
    largest_real_part,
    newton_step,
    scaled_maximum,
    scaled_norm,
    solve_linear,
)
from replica.compile.reference_quadrature import RuleMode
from replica.compile.settings import SolverSettings, SolveStatus

Array = NDArray[np.float64]

ANDERSON_DEPTH = 5
PATIENCE = 40  # evaluations before Newton steps are tried at a residual that is not small
NEWTON_RESIDUAL = 1e-3  # Newton steps are tried below it
STEADY_CHANGE = 0.2  # relative change of the contraction that still counts as steady
FLOW_SIZE = 0.1  # where the coordinate of a crossing unknown turns logarithmic
FOLLOWED_RESIDUAL = 1e-8  # at which a solution that was followed is certified


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


class Iteration(FixedPoint):
    """State of the solve of one point, from any start to a small residual."""

    def __init__(
        self, system: Any, settings: SolverSettings, p: Array, stop: Callable[[], bool]
    ) -> None:
        super().__init__(system, settings, p, stop)
        self.anderson_resume = self.newton_resume = 0
        self.step = 1 - settings.damping
        self.forget_jumps()

    def forget_jumps(self) -> None:
        """Say that damping alone has led to the present iterate."""
        self.followed = self.jumped = False

    def follow_root(self, x: Array) -> tuple[Array, Array] | None:
        """Follow the solution of a neighbouring point, whose Jacobian and rule are set.

        Newton steps with that Jacobian, which every step corrects (Broyden's rank-one update), lead
        to the continuation of that solution if they are short and contract fast all the way.
        Returns x and F(x) - x, or None.
        """
        f = self.evaluate(x)
        for _ in range(8):
            if not np.all(np.isfinite(f)):
                return None
            if self.residual(x, f) <= FOLLOWED_RESIDUAL:
                return x, f
            scale = self.units(x)
            delta = newton_step(np.eye(len(x)) - self.jacobian, x, f)
            if self.stopped or delta is None or not scaled_maximum(delta, scale) <= 0.2:
                return None
            trial, kept = self.move_inside(x, delta)
            if kept:
                return None
            g = self.evaluate(trial)
            if not scaled_norm(g, scale) < 0.3 * scaled_norm(f, scale):
                return None
            square = np.sum((delta / scale) ** 2)
            self.jacobian = self.jacobian + np.outer(g, delta / (scale**2 * square))
            x, f = trial, g
        return None

    def _root_step(self, x: Array, f: Array, jacobian: Array) -> tuple[Array, Array] | Outcome:
        """Take a Newton step towards the root of the linear model, if it is near."""
        scale = self.units(x)
        delta = newton_step(np.eye(len(x)) - jacobian, x, f)
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
            delta = newton_step(identity / present - matrix, x, speed)
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
        failed_at = np.inf  # residual norm at the first of these failures
        shortest = min(1e-4, 1 - settings.damping)
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
                # Steps up to the edge of where the map has values do succeed in between: only
                # progress counts.
                if size < 0.99 * failed_at:
                    failures, failed_at = 0, size
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
            old, new = np.abs(f / scale), np.abs(g / scale)
            beyond = (f * g < 0) & (new > 2 * old) & (old > 0.01 * size)
            if ratio > 2 and np.any(beyond) and self.step > shortest:
                # An unknown that matters has gone far beyond its root: not a step of the flow.
                self.step = max(0.25 * self.step, shortest)
                steady = shrinking = 0
                continue
            change = abs((1 - ratio) / self.step - contraction)
            is_steady = ratio < 1 and change < STEADY_CHANGE * contraction
            steady = steady + 1 if is_steady else 0
            shrinking = shrinking + 1 if ratio < 1 else 0
            contraction = (1 - ratio) / self.step
            anderson_sleep -= 1
            if (cosine < 0 and ratio > 0.5) or (ratio > 1 and cosine < 0.9):
                self.step = max(0.5 * self.step, shortest)  # it oscillates or spirals out
            elif ratio < 1 and cosine > 0.3:
                self.step = min(1.2 * self.step, 1 - settings.damping)
            x, f = trial, g
            history = [(x, f), *history[:ANDERSON_DEPTH]]

    def _failure(self, x: Array, f: Array) -> SolveStatus:
        if self.stopped:
            return SolveStatus.CANCELLED
        return SolveStatus.AT_BOUNDARY if self.at_boundary(x, f) else SolveStatus.DIVERGED
