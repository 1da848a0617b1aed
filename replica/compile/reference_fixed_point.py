"""The fixed-point map of one point, in NumPy: measures of error, evaluation, domain, Jacobian.

Twin of fixed_point.h; the constants and every decision are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.compile.reference_quadrature import Quadrature, RuleMode
from replica.compile.settings import SolverSettings

Array = NDArray[np.float64]

ZERO_SIZE = 1e-14  # smaller unknowns count as zero
CUT_MASS = 2.5e-17  # of the tails that averages leave out (8.5 and 9 standard deviations)
VANISHING_SIZE = 1e-6  # unknowns that cross zero and are smaller may be on their way to it
CROSSING_SIZE = 1e-2  # scale of an unknown that may cross zero, such as a magnetisation
INFINITE_SIZE = 1e12  # larger unknowns have left for infinity


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


def newton_step(matrix: Array, x: Array, f: Array) -> Array | None:
    """Return the step of linear equations; None if they are singular.

    Elimination rounds: what is zero and is kept there does not move.
    """
    delta = solve_linear(matrix, f)
    return None if delta is None else np.where((x == 0) & (f == 0), 0.0, delta)


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


class FixedPoint:
    """The map of one point, and the rule on which it is evaluated."""

    rule_at: Array
    jacobian: Array
    jacobian_at: Array

    def __init__(
        self, system: Any, settings: SolverSettings, p: Array, stop: Callable[[], bool]
    ) -> None:
        self.system, self.settings, self.p, self._stop = system, settings, p, stop
        self.lower = np.asarray(system.lower, dtype=float)
        self.upper = np.asarray(system.upper, dtype=float)
        self.squares = np.asarray(system.squares, dtype=int)
        self.vanishing = np.asarray(system.vanishing, dtype=bool)
        self.crosses = (self.lower < 0) & (self.upper > 0)
        self.rule = Quadrature.of(settings)
        self.evaluations = 0
        self.stopped = False

    # Measures of error ---------------------------------------------------------------------------

    def unit(self, x: Array) -> Array:
        """Return the size that errors are measured against."""
        natural = np.where(self.squares < 0, 1, np.sqrt(np.maximum(x[self.squares], 1)))
        return np.maximum(np.abs(x), np.where(self.crosses, CROSSING_SIZE * natural, 0))

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

    def evaluate_as_is(self, mode: RuleMode, x: Array) -> Array:
        """Return F(x) - x."""
        self.stopped = self.stopped or self._stop()
        self.rule.set_mode(mode)
        if mode is not RuleMode.FROZEN:
            self.rule_at = x.copy()
        self.rule.lost = False
        with np.errstate(all="ignore"):
            f = np.asarray(self.system.map(self.rule, x, self.p), dtype=float) - x
        self.rule.set_mode(RuleMode.FROZEN)
        self.evaluations += 1
        return f

    def evaluate_as(self, mode: RuleMode, x: Array) -> Array:
        """Return F(x) - x. What is exactly zero and is mapped to rounding is kept there.

        Not what is positive, which has digits however small it is.
        """
        f = self.evaluate_as_is(mode, x)
        return np.where((x == 0) & self.vanishing & self.is_zero(x, f), 0.0, f)

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
                if not np.all(np.isfinite(high)):
                    return None
            if down and (central or not up):
                y[j] = x[j] - h
                width += x[j] - y[j]
                low = self.evaluate_as(RuleMode.FROZEN, y)
                if not np.all(np.isfinite(low)):
                    return None
            if not width > 0:
                return None
            jacobian[:, j] = (high - low) / width
            jacobian[j, j] += 1
        self.jacobian = jacobian
        return jacobian
