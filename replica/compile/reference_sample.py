"""Averages over samples of normal points, and proximal operators there: twin of sample.h."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.compile.reference_quadrature import Quadrature
from replica.compile.sobol import normal_points

Array = NDArray[np.float64]


def average_sample(rule: Quadrature, fn: Callable[[Array], Sequence[Any]], dimension: int) -> Array:
    """Return the averages over the points of all replicates, or of the one the rule is limited to.

    ``fn`` takes points of shape (dimension, points) and returns the values of each integrand.
    """
    points = normal_points(rule.width, rule.samples, rule.seed)[:, :, :dimension]
    if rule.replicate is not None:
        points = points[rule.replicate : rule.replicate + 1]
    return np.array([np.mean(v) for v in fn(points.reshape(-1, dimension).T)])


def vector_solve(
    slopes: Callable[[Array], tuple[Array, Array]], spread: Array, targets: Array
) -> tuple[Array, Array, Array]:
    """Proximal operators at many targets, gradients there, and ``H (1 + S H)^-1``.

    Parameters
    ----------
    slopes : callable
        Of values of shape (n, points), to gradients (n, points) and Hessians (n, n, points).
    spread : array, shape (n, n)
    targets : array, shape (n, points)
    """
    identity = np.eye(len(spread))

    def residual(v: Array) -> tuple[Array, Array]:
        gradient, hessian = slopes(v)
        return v - targets + spread @ gradient, identity + spread @ np.moveaxis(hessian, -1, 0)

    v = np.array(targets)
    gap, matrix = residual(v)
    for _ in range(100):
        step = np.linalg.solve(matrix, gap.T[..., None])[..., 0].T
        size, reach = np.linalg.norm(gap, axis=0), np.ones(v.shape[1])
        for _ in range(40):
            following = v - reach * step
            gap, matrix = residual(following)
            short = np.linalg.norm(gap, axis=0) > (1 - 0.25 * reach) * size
            # At the root itself rounding decides, and the step is as good as any.
            short &= np.max(np.abs(step), axis=0) > 1e-13
            if not np.any(short):
                break
            reach = np.where(short, reach / 2, reach)
        change = np.max(np.abs(following - v) / (1 + np.abs(following)), initial=0)
        v = following
        if not change > 1e-11:
            break
    gradient, hessian = slopes(v)
    stacked = np.moveaxis(hessian, -1, 0)
    stiffness = np.linalg.solve(identity + stacked @ spread, stacked)
    return v, gradient, np.asarray(stiffness.transpose(1, 2, 0))
