"""The script that one writes first: one quadratic program after the other, and the plain mean."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def interior_point() -> Callable[[Array, Array], float] | None:
    """Return the squared distance by CVXOPT, as in the published analyses; None without it."""
    try:
        from cvxopt import matrix, solvers
    except ImportError:
        return None
    solvers.options["show_progress"] = False

    def distance(generators: Array, target: Array) -> float:
        size = len(target)
        found = solvers.qp(
            matrix(np.eye(size)), matrix(-target),
            matrix(-generators), matrix(np.zeros(len(generators))),
        )  # fmt: skip
        point = np.array(found["x"]).ravel()
        return float(np.square(point - target).sum())

    return distance


def least_squares(generators: Array, target: Array) -> float:
    """Return the squared distance by SciPy's nonnegative least squares."""
    from scipy.optimize import nnls

    multipliers, _ = nnls(generators.T, -target)
    return float(np.square(multipliers @ generators).sum())


def capacity(
    generators: Array, samples: int, seed: int, distance: Callable[[Array, Array], float]
) -> tuple[float, float]:
    """Return ``1/alpha`` of a cloud without margin, and its standard error."""
    random = np.random.default_rng(seed)
    values = [
        distance(generators, random.standard_normal(generators.shape[1])) for _ in range(samples)
    ]
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(samples))
