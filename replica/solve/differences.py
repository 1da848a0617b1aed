"""Derivatives by central differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def jacobian(function: Callable[[Array], Array], x: Array, least: float | Array = 1e-2) -> Array:
    """Differentiate a vector function by central differences of the fourth order.

    Parameters
    ----------
    function : callable
    x : array
    least : float or array
        Least scale of the variables, for those that are near zero; the others are their own.

    Returns
    -------
    array
        ``[i, j]`` is the derivative of component ``i`` with respect to ``x[j]``.
    """
    columns = []
    scales = np.maximum(np.abs(x), least)
    for j, step in enumerate(1e-3 * scales):
        total = np.zeros(())
        for shift, weight in ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12)):
            moved = x.copy()
            moved[j] += shift * step
            total = total + weight * function(moved)
        columns.append(total / step)
    return np.array(columns).T
