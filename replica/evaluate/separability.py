r"""Finite problems: the largest margin of given points, and capacities of given manifolds.

The vector of least norm with ``Z w >= 1`` separates the rows of ``Z`` with the largest margin,
``1/|w|``. It is a least-distance problem, which is one nonnegative least-squares problem (Lawson &
Hanson, *Solving Least Squares Problems*, 1974, chapter 23).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from replica.declare.shapes import checked_points
from replica.errors import DeclarationError
from replica.evaluate.samples import Estimate, mean

Array = NDArray[np.float64]
#: Residual of the least-squares problem below which there is no separating vector.
_INSEPARABLE = 1e-9


def largest_margin(points: ArrayLike, labels: ArrayLike) -> tuple[float, Array]:
    """Separate labelled points by a hyperplane through the origin with the largest margin.

    Parameters
    ----------
    points : array_like, shape (points, dimensions)
    labels : array_like, shape (points,)
        Numbers +1 and -1.

    Returns
    -------
    margin : float
        Distance of the closest points from the hyperplane; NaN where the points are not separable.
    normal : array, shape (dimensions,)
        Of norm one; NaN where the points are not separable.

    Raises
    ------
    DeclarationError
        If shapes do not fit, or a label is not +1 or -1.
    """
    rows = checked_points(points, "points")
    signs = np.asarray(labels, dtype=float)
    if signs.shape != (len(rows),) or not np.isin(signs, (-1, 1)).all():
        raise DeclarationError(
            f"labels: expected {len(rows)} numbers +1 or -1, got an array of shape {signs.shape}."
        )
    matrix = np.vstack([(signs[:, None] * rows).T, np.ones(len(rows))])
    target = np.zeros(len(matrix))
    target[-1] = 1.0
    multipliers, residual = nnls(matrix, target)
    if residual < _INSEPARABLE:
        return float("nan"), np.full(rows.shape[1], np.nan)
    rest = matrix @ multipliers - target
    normal = -rest[:-1] / rest[-1]
    length = float(np.linalg.norm(normal))
    return 1 / length, normal / length


def projected_capacity(
    manifolds: Sequence[ArrayLike], samples: int = 500, seed: int = 0
) -> Estimate:
    """Number of manifolds per dimension at which random projections of them stay separable.

    Parameters
    ----------
    manifolds : sequence of array_like, shape (points, dimensions)
    samples : int
        Pairs of random labels and Gaussian vectors, of which each is projected onto the cone of the
        labelled points.
    seed : int

    Returns
    -------
    Estimate
        Capacity and standard error. No assumption is made on centres and axes (Chou et al.,
        "Geometry linked to untangling efficiency"); points that are not separable at all give
        the number of manifolds per dimension of the data.

    Raises
    ------
    DeclarationError
        If an array has a wrong shape or fewer than two points.
    """
    arrays = [checked_points(m, f"manifold {i}") for i, m in enumerate(manifolds)]
    owner = np.repeat(np.arange(len(arrays)), [len(a) for a in arrays])
    rows = np.concatenate(arrays)
    random = np.random.default_rng(seed)
    values = np.empty(samples)
    for index in range(samples):
        labels = random.choice([-1.0, 1.0], len(arrays))
        vector = random.standard_normal(rows.shape[1])
        generators = (labels[owner][:, None] * rows).T
        multipliers, _ = nnls(generators, vector)
        values[index] = np.square(generators @ multipliers).sum()
    load = mean(values)
    count = len(arrays)
    return Estimate(count / load.value, count * load.error / load.value**2)
