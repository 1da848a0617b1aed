"""Derivatives by differences of the fourth order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: Step relative to the scale of a variable.
STEP = 1e-3
_QUARTERS = 5
#: Shifts in steps, and weights over the step. Backward differences are forward ones of a step < 0.
CENTRAL = np.array([-2, -1, 0, 1, 2]), np.array([1, -8, 0, 8, -1]) / 12
FORWARD = np.array([0, 1, 2, 3, 4]), np.array([-25, 48, -36, 16, -3]) / 12


def derivatives(
    function: Callable[[Array], Array],
    points: Array,
    steps: Array,
    low: Array | float = -np.inf,
    high: Array | float = np.inf,
    columns: Sequence[int] | None = None,
) -> Array:
    """Differentiate a vector function at several points.

    Parameters
    ----------
    function : callable
        Takes an array of shape ``(K, n)`` and returns one of shape ``(K, rows)``.
    points : array, shape (B, n)
    steps : array, shape (n,)
    low, high : array or float
        Domain of the variables; next to its edge differences are one-sided.
    columns : sequence of int, optional
        The variables to differentiate by, all by default.

    Returns
    -------
    array, shape (B, rows, columns)
    """
    count, n = points.shape
    chosen = list(range(n)) if columns is None else list(columns)
    if not chosen:  # such as a phase in which every unknown is zero
        return np.empty((count, function(points).shape[-1], 0))
    low, high = np.broadcast_to(low, n), np.broadcast_to(high, n)
    moved = np.repeat(points[:, None, None, :], 5, axis=2).repeat(len(chosen), axis=1)
    weights = np.empty((count, len(chosen), 5))
    for k, j in enumerate(chosen):
        h = steps[j]
        below, above = points[:, j] - 2 * h < low[j], points[:, j] + 2 * h > high[j]
        shifts = np.where(below[:, None], FORWARD[0], CENTRAL[0])
        weights[:, k] = np.where(below[:, None], FORWARD[1], CENTRAL[1]) / h
        shifts = np.where(above[:, None], -FORWARD[0], shifts)
        weights[:, k] = np.where(above[:, None], -FORWARD[1] / h, weights[:, k])
        moved[:, k, :, j] += shifts * h
    values = function(moved.reshape(-1, n))
    values = values.reshape(count, len(chosen), 5, values.shape[-1])
    return np.asarray(np.einsum("bcsr,bcs->brc", values, weights))


def jacobian(
    function: Callable[[Array], Array],
    x: Array,
    least: float | Array = 1e-2,
    low: float | Array = -np.inf,
) -> Array:
    """Differentiate a vector function of one point.

    Parameters
    ----------
    function : callable
    x : array
    least : float or array
        Least scale of the variables, for those that are near zero; the others are their own.
    low : float or array
        Lower ends of their domains; next to them differences are one-sided.

    Returns
    -------
    array
        ``[i, j]`` is the derivative of component ``i`` with respect to ``x[j]``.
    """
    steps = STEP * np.maximum(np.abs(x), least)
    return derivatives(lambda many: np.array([function(one) for one in many]), x[None], steps, low)[
        0
    ]


def best_share(value: Callable[[float], Array | float], good: float, first: float = 1.0) -> float:
    """Return the share of the usual step at which something made of differences is best.

    Next to a pole the usual step is too long; a shorter one than needed adds noise.

    Parameters
    ----------
    value : callable
        The result at a share of the step.
    good : float
        Relative change, under steps of a quarter, that is good enough.
    first : float
        The largest share.
    """
    best, least, share = first, np.inf, first
    coarse = np.asarray(value(share))
    for _ in range(_QUARTERS):
        finer = np.asarray(value(share / 4))
        change = float(np.max(np.abs(finer - coarse) / np.maximum(np.abs(finer), 1.0), initial=0.0))
        if change < good:
            return share
        if change < least:  # not of NaN
            best, least = share / 4, change
        share, coarse = share / 4, finer
    return best
