r"""Many small quadratic programs over one polyhedron: nearest points, in batches.

For targets ``T`` the nearest points of ``{V : S V >= margin}`` are ``V = T + S^T u``, where
``u >= 0`` minimises ``u.G.u/2 - u.h`` with ``G = S S^T`` and ``h = margin - S T``. All targets
share ``G``, so that the active-set method of Lawson & Hanson (*Solving Least Squares Problems*,
1974, chapter 23) advances on a whole batch at once: slopes are one matrix product, and the small
linear systems of the active sets one batched factorisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from replica.errors import ConvergenceError, ParameterError
from replica.evaluate.threads import single_threaded_algebra

Array = NDArray[np.float64]
#: Violation of a constraint, relative to the size of target and constraint, that is rounding.
_ROUNDING = 1e-12
#: Numbers in the largest array of a batch, to stay within the cache of a processor.
_NUMBERS_IN_A_BATCH = 400_000


@dataclass(frozen=True)
class NearestPoints:
    """Nearest points of a polyhedron.

    Attributes
    ----------
    points : array, shape (targets, dimensions)
    multipliers : array, shape (targets, constraints)
        Nonnegative, zero for constraints that are not active.
    squared_distances : array, shape (targets,)
    violation : array, shape (targets,)
        Largest violation of the optimality conditions, relative to the size of the problem: how
        far the answer is from an exact one.
    """

    points: Array
    multipliers: Array
    squared_distances: Array
    violation: Array


def nearest_points(constraints: ArrayLike, margin: ArrayLike, targets: ArrayLike) -> NearestPoints:
    """Find the nearest points of ``{V : constraints @ V >= margin}`` to many targets.

    Parameters
    ----------
    constraints : array_like, shape (constraints, dimensions)
    margin : float or array_like, shape (constraints,)
    targets : array_like, shape (targets, dimensions)

    Raises
    ------
    ParameterError
        If shapes do not fit, or no vector satisfies all constraints.
    """
    rows = np.atleast_2d(np.asarray(constraints, dtype=float))
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ParameterError(
            f"constraints: expected a matrix of finite numbers, got shape {rows.shape}."
        )
    margins = np.broadcast_to(np.asarray(margin, dtype=float), len(rows)).astype(float)
    vectors = np.atleast_2d(np.asarray(targets, dtype=float))
    if vectors.ndim != 2 or vectors.shape[1] != rows.shape[1]:
        raise ParameterError(
            f"targets of shape {vectors.shape} do not fit constraints of shape {rows.shape}."
        )
    if not (np.isfinite(margins).all() and np.isfinite(vectors).all()):
        raise ParameterError("margins and targets: expected finite numbers.")
    if not is_feasible(rows, margins):
        raise ParameterError(
            f"infeasible program: no vector satisfies all {len(rows)} constraints "
            f"(margin {margins.max():g})."
        )
    with single_threaded_algebra():
        return Polyhedron(rows).nearest(vectors, margins)


def is_feasible(constraints: Array, margins: Array) -> bool:
    """Whether some vector satisfies ``constraints @ V >= margins`` (Farkas, by least distance)."""
    if margins.max() <= 0:
        return True
    matrix = np.vstack([constraints.T, margins])
    target = np.zeros(len(matrix))
    target[-1] = 1.0
    _, residual = nnls(matrix, target)
    return bool(residual > 1e-9)


class Polyhedron:
    """The vectors on the right side of every row of a matrix, by a margin.

    Parameters
    ----------
    rows : array, shape (constraints, dimensions)
    """

    def __init__(self, rows: Array) -> None:
        self.rows = np.ascontiguousarray(rows, dtype=float)
        self.gram = self.rows @ self.rows.T
        self.norms = np.sqrt(np.diag(self.gram))

    def nearest(
        self, targets: Array, margins: float | Array, allowed: NDArray[np.bool_] | None = None
    ) -> NearestPoints:
        """Find the nearest points.

        Parameters
        ----------
        targets : array, shape (targets, dimensions)
        margins : float or array, shape (constraints,)
        allowed : bool array, shape (targets, constraints), optional
            Which constraints hold for which target (default: all).

        Raises
        ------
        ConvergenceError
            If a program could not be solved to rounding.
        """
        count = len(self.rows)
        size = max(16, _NUMBERS_IN_A_BATCH // max(count, self.rows.shape[1]))
        multipliers = np.zeros((len(targets), count))
        for first in range(0, len(targets), size):
            part = slice(first, first + size)
            mask = None if allowed is None else allowed[part]
            multipliers[part] = self._batch(targets[part], margins, mask)
        points = targets + multipliers @ self.rows
        slack = points @ self.rows.T - margins
        if allowed is not None:
            slack = np.where(allowed, slack, np.inf)
        scale = self._scale(targets, margins)[:, None]
        below = np.maximum(-slack, 0) / scale
        # Active constraints must be tight, on the scale of the same sizes.
        loose = np.where(multipliers > 0, np.abs(slack), 0) / scale
        violation = np.maximum(below.max(axis=1), loose.max(axis=1))
        if not (violation < 1e-6).all():
            raise ConvergenceError(
                f"{int((~(violation < 1e-6)).sum())} of {len(targets)} quadratic programs were not "
                f"solved (largest relative violation {np.nanmax(violation):.1e}): the points are "
                "too close to each other, or differ too much in size."
            )
        squared = np.square(points - targets).sum(axis=1)
        return NearestPoints(points, multipliers, squared, violation)

    def _scale(self, targets: Array, margins: float | Array) -> Array:
        lengths = np.sqrt(np.square(targets).sum(axis=1))
        scale: Array = self.norms.max() * (1 + lengths) + np.abs(margins).max()
        return scale

    def _batch(
        self, targets: Array, margins: float | Array, allowed: NDArray[np.bool_] | None
    ) -> Array:
        linear = margins - targets @ self.rows.T
        tolerance = _ROUNDING * self._scale(targets, margins)
        if allowed is not None:
            linear = np.where(allowed, linear, -np.inf)
        result = np.zeros_like(linear)
        open_ = np.flatnonzero((linear > tolerance[:, None]).any(axis=1))
        active = _Active(self.gram, linear[open_], tolerance[open_])
        for _ in range(4 * len(self.rows) + 20):
            done = active.advance()
            if done.any():
                result[open_[done]] = active.multipliers[done]
                open_ = open_[~done]
                active = active.only(~done)
            if not len(open_):
                return result
        for index, h in zip(open_, active.linear, strict=True):
            result[index] = self._alone(h)
        return result

    def _alone(self, linear: Array) -> Array:
        """Solve one program that made no progress by least distance, without the products."""
        mask = np.isfinite(linear)
        rows = self.rows[mask]
        target = np.linalg.lstsq(rows, linear[mask], rcond=None)[0]
        multipliers = np.zeros(len(linear))
        if np.allclose(rows @ target, linear[mask], atol=1e-9 * np.abs(linear[mask]).max()):
            multipliers[mask] = nnls(rows.T, target)[0]
        return multipliers


class _Active:
    """The state of a batch: active sets, padded to a common size, and their multipliers."""

    def __init__(self, gram: Array, linear: Array, tolerance: Array) -> None:
        self.gram, self.linear, self.tolerance = gram, linear, tolerance
        count = len(linear)
        self.multipliers = np.zeros_like(linear)
        self.sets = np.zeros((count, 0), dtype=int)  # indices of active constraints
        self.sizes = np.zeros(count, dtype=int)
        self.settled = np.ones(count, dtype=bool)  # the system of the active set is solved

    def only(self, keep: NDArray[np.bool_]) -> _Active:
        """Return the state of some of the programs."""
        other = object.__new__(_Active)
        other.gram = self.gram
        for name in ("linear", "tolerance", "multipliers", "sets", "sizes", "settled"):
            setattr(other, name, getattr(self, name)[keep])
        return other

    def advance(self) -> NDArray[np.bool_]:
        """Add the most violated constraint where an active set is settled, and solve all sets.

        Returns
        -------
        bool array
            Programs that are solved.
        """
        done = self._enter()
        moving = np.flatnonzero(~done)
        if len(moving):
            self._solve(moving)
        return done

    def _enter(self) -> NDArray[np.bool_]:
        done = np.zeros(len(self.linear), dtype=bool)
        idle = np.flatnonzero(self.settled)
        if not len(idle):
            return done
        slopes = self.linear[idle] - self.multipliers[idle] @ self.gram
        slopes[self.multipliers[idle] > 0] = -np.inf
        best = slopes.argmax(axis=1)
        largest = slopes[np.arange(len(idle)), best]
        finished = ~(largest > self.tolerance[idle])
        done[idle[finished]] = True
        enter, columns = idle[~finished], best[~finished]
        if self.sizes.max(initial=0) == self.sets.shape[1]:
            self.sets = np.pad(self.sets, ((0, 0), (0, 4)))
        self.sets[enter, self.sizes[enter]] = columns
        self.sizes[enter] += 1
        return done

    def _solve(self, moving: NDArray[np.intp]) -> None:
        """Solve the systems of the active sets; step back where a multiplier turns negative."""
        width = int(self.sizes[moving].max())
        sets = self.sets[moving, :width]
        inside = np.arange(width) < self.sizes[moving, None]
        matrix = self.gram[sets[:, :, None], sets[:, None, :]]
        matrix *= inside[:, :, None] & inside[:, None, :]
        matrix[:, np.arange(width), np.arange(width)] += ~inside
        right = np.where(inside, np.take_along_axis(self.linear[moving], sets, axis=1), 0.0)
        try:
            solved = np.linalg.solve(matrix, right[..., None])[..., 0]
        except np.linalg.LinAlgError:
            solved = (np.linalg.pinv(matrix) @ right[..., None])[..., 0]
        current = np.where(inside, np.take_along_axis(self.multipliers[moving], sets, axis=1), 0.0)
        negative = inside & (solved <= 0)
        bad = np.asarray(negative.any(axis=1))
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.where(negative, current / (current - solved), 1.0)
        steps = np.where(np.isnan(steps), 0.0, steps)
        step = np.minimum(steps.min(axis=1), 1.0)[:, None]
        moved = np.where(bad[:, None], current + step * (solved - current), solved)
        leaving = bad[:, None] & inside & (negative & (steps <= step) | (moved <= 0))
        moved = np.where(leaving, 0.0, moved)
        values = np.zeros((len(moving), len(self.gram)))
        rows = np.broadcast_to(np.arange(len(moving))[:, None], sets.shape)
        values[rows[inside], sets[inside]] = moved[inside]
        self.multipliers[moving] = values
        self.settled[moving] = ~bad
        if bad.any():
            self._leave(moving[bad], leaving[bad])

    def _leave(self, which: NDArray[np.intp], leaving: NDArray[np.bool_]) -> None:
        width = leaving.shape[1]
        order = np.argsort(
            leaving | (np.arange(width) >= self.sizes[which, None]), axis=1, kind="stable"
        )
        self.sets[which, :width] = np.take_along_axis(self.sets[which, :width], order, axis=1)
        self.sizes[which] -= leaving.sum(axis=1)
