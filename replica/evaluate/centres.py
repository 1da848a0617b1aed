r"""Directions that the centres of measured manifolds have in common.

Correlated centres lower the capacity, and a readout that ignores what they share does as well as
any for unbiased labels: that subspace is projected out (Cohen, Chung, Lee & Sompolinsky,
Nat. Commun. 11, 746, 2020). It minimises the squared correlations of what is left of the centres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Array = NDArray[np.float64]
_RESTARTS = 4
#: A centre that keeps less than this share of its norm has been projected out.
_LEFT = 1e-3


def mean_correlation(centres: Array) -> float:
    """Return the mean modulus of the cosine of two centres."""
    cosines = _cosines(centres @ centres.T)
    count = len(centres)
    return float((np.abs(cosines).sum() - count) / max(count * (count - 1), 1))


def shared_directions(centres: Array, rank: int | None, seed: int) -> Array:
    """Find the directions that centres share.

    Parameters
    ----------
    centres : array, shape (manifolds, dimensions)
    rank : int or None
        Number of directions; None takes the number that leaves the least mean correlation.
    seed : int
        Of the starts.

    Returns
    -------
    array, shape (dimensions, rank)
        Orthonormal columns.
    """
    count = len(centres)
    coordinates, basis = _within_span(centres)
    if rank is not None:
        return basis @ _best(coordinates, min(rank, basis.shape[1]), seed)
    best, least = np.zeros((coordinates.shape[1], 0)), mean_correlation(centres)
    for candidate in range(1, min(count - 1, coordinates.shape[1])):
        directions = _best(coordinates, candidate, seed)
        left = coordinates - coordinates @ directions @ directions.T
        shares = np.linalg.norm(left, axis=1) / np.linalg.norm(coordinates, axis=1)
        if shares.min() < _LEFT:
            break
        correlation = mean_correlation(left)
        if correlation < least:
            best, least = directions, correlation
    return basis @ best


def dimension_of_span(centres: Array) -> int:
    """Return how many independent directions centres have."""
    return int(_within_span(centres)[1].shape[1])


def _within_span(centres: Array) -> tuple[Array, Array]:
    left, values, right = np.linalg.svd(centres, full_matrices=False)
    keep = values > 1e-10 * values[0]
    return left[:, keep] * values[keep], right[keep].T


def _best(centres: Array, rank: int, seed: int) -> Array:
    """Minimise over subspaces: the columns of a matrix span one, whatever their basis."""
    dimension = centres.shape[1]
    if rank == 0:
        return np.zeros((dimension, 0))
    random = np.random.default_rng(seed)
    # The leading axes of the centres, and random subspaces.
    starts = [np.eye(dimension)[:, :rank]]
    starts += [random.standard_normal((dimension, rank)) for _ in range(_RESTARTS)]
    best = None
    for start in starts:
        found = optimize.minimize(
            _cost, start.ravel(), args=(centres, rank), jac=True, method="L-BFGS-B",
            options={"maxiter": 400},
        )  # fmt: skip
        if best is None or found.fun < best.fun:
            best = found
    assert best is not None
    directions: Array = np.linalg.qr(best.x.reshape(dimension, rank))[0]
    return directions


def _cost(flat: Array, centres: Array, rank: int) -> tuple[float, Array]:
    """Half the sum of squared cosines of the centres off a subspace, and its gradient."""
    matrix = flat.reshape(-1, rank)
    inverse = np.linalg.pinv(matrix)  # rank x dimension
    off = np.eye(len(matrix)) - matrix @ inverse
    left = centres @ off
    gram = left @ left.T
    norms = np.maximum(np.diag(gram), 1e-300)
    products = np.outer(np.sqrt(norms), np.sqrt(norms))
    cosines = gram / products
    value = 0.5 * float(np.square(cosines).sum())
    slope = cosines / products
    slope[np.diag_indices_from(slope)] -= np.square(cosines).sum(axis=1) / norms
    by_projector = centres.T @ slope @ centres  # with respect to off, symmetric
    gradient = -2 * off @ by_projector @ inverse.T
    return value, gradient.ravel()


def _cosines(gram: Array) -> Array:
    norms = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    cosines: Array = gram / np.outer(norms, norms)
    return cosines
