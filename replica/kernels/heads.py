"""Heads of attention: how much the order parameter between paths uses each, and removing some."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from replica.errors import DataError

Array = NDArray[np.float64]


def head_scores(weights: Array, heads: Sequence[int]) -> list[Array]:
    """Return the score of each head, layer by layer, the largest of all being one.

    The score of a head is the sum of the absolute entries of the order parameter that belong to a
    path, or a pair of paths, through this head.

    Parameters
    ----------
    weights : ndarray, shape (paths, paths)
        Order parameter between paths; with several outputs, (paths x outputs, paths x outputs).
    heads : sequence of int
        Heads of each layer, the first layer first.

    Raises
    ------
    DataError
        If the matrix does not have a row for each path.
    """
    weights = np.asarray(weights, dtype=float)
    uses = [[_through(weights, heads, layer, head) for head in range(n)]
            for layer, n in enumerate(heads)]  # fmt: skip
    sums = [np.array([np.abs(weights[u[:, None] | u]).sum() for u in line]) for line in uses]
    largest = max(line.max() for line in sums)
    return [line / largest for line in sums]


def prune(weights: Array, heads: Sequence[int], removed: Iterable[tuple[int, int]]) -> Array:
    """Return the order parameter without the paths through some heads.

    Parameters
    ----------
    weights : ndarray
        As for `head_scores`.
    heads : sequence of int
    removed : iterable of pairs of int
        Layer and head, both counted from one.

    Raises
    ------
    DataError
        If there is no such head, or the matrix does not have a row for each path.
    """
    kept = np.array(weights, dtype=float)
    for layer, head in removed:
        if not (1 <= layer <= len(heads) and 1 <= head <= heads[layer - 1]):
            raise DataError(
                f"there is no head {head} in layer {layer}; the layers have "
                f"{', '.join(map(str, heads))} heads."
            )
        gone = _through(kept, heads, layer - 1, head - 1)
        kept[gone, :] = 0.0
        kept[:, gone] = 0.0
    return kept


def _through(weights: Array, heads: Sequence[int], layer: int, head: int) -> NDArray[np.bool_]:
    """Whether each row belongs to a path through a head, both counted from zero."""
    paths = math.prod(heads)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or weights.shape[0] % paths:
        raise DataError(
            f"the order parameter has shape {weights.shape}, expected a row and a column for each "
            f"of the {paths} paths."
        )
    index = np.indices(tuple(heads))[layer].reshape(-1)
    return np.repeat(index == head, len(weights) // paths)
