"""Several solutions at a point: which are the same, and which is the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from replica.scan.block import CONVERGED, Columns
from replica.solve import SolverSettings
from replica.solve.enter import UNSTABLE
from replica.solve.same import same_solution

Array = NDArray[np.float64]

#: Most sweeps, of which one integer says which of them found a branch.
MOST_SWEEPS = 63
# Status of a branch that a point does not have.
NO_BRANCH = -1


def same_rows(
    first: Array, second: Array, columns: Columns, settings: SolverSettings | None
) -> NDArray[np.bool_]:
    """Return where two tables, of shape (points, columns), have the same solution."""
    errors = first[:, columns.error] + second[:, columns.error]
    return same_solution(first[:, columns.x], second[:, columns.x], errors, settings)


def merge_branches(
    tables: Array, columns: Columns, free_entropy: int, settings: SolverSettings | None
) -> tuple[Array, NDArray[np.int64], NDArray[np.intp]]:
    """Return the distinct solutions of each point, the largest free entropy first.

    Saddles, of whatever free entropy, come after all phases.

    Parameters
    ----------
    tables : array, shape (sweeps, points, columns)
        What each sweep found.
    columns : Columns
    free_entropy : int
        Number of the output by which solutions are ranked.
    settings : SolverSettings or None

    Returns
    -------
    tables : array, shape (sweeps, points, columns)
        Branches, NaN where there are fewer. A point without solution keeps, as its only branch,
        what the first sweep had there.
    found_by : array of int, shape (sweeps, points)
        Bit ``s`` is set where sweep ``s`` found the branch.
    rank : array of int, shape (sweeps, points)
        The sweep whose result stands for the branch.
    """
    sweeps, points, _ = tables.shape
    good = tables[:, :, columns.status] == CONVERGED
    kept = good.copy()
    kept[0] |= ~good.any(axis=0)
    found = np.where(kept, np.int64(1) << np.arange(sweeps, dtype=np.int64)[:, None], 0)
    for later in range(1, sweeps):
        for earlier in range(later):
            same = same_rows(tables[earlier], tables[later], columns, settings)
            same &= good[earlier] & good[later] & kept[earlier] & kept[later]
            found[earlier, same] |= np.int64(1) << later
            kept[later, same] = False
            found[later, same] = 0
    value = np.where(kept & good, tables[:, :, columns.out.start + free_entropy], -np.inf)
    order = np.where(kept & good, tables[:, :, columns.stability] > 1 + UNSTABLE, 2)
    error = np.where(kept & good, tables[:, :, columns.out_error.start + free_entropy], 0.0)
    # Equal to their errors (a solution and its mirror image) they stay in the order of the sweeps,
    # so that a branch does not change its number from point to point.
    rank = np.tile(np.arange(sweeps)[:, None], points)
    column = np.arange(points)
    for _ in range(sweeps - 1):
        for k in range(sweeps - 1):
            a, b = rank[k].copy(), rank[k + 1].copy()
            with np.errstate(invalid="ignore"):
                margin = error[a, column] + error[b, column] + 1e-12 * np.abs(value[a, column])
                swap = value[b, column] > value[a, column] + np.nan_to_num(margin, posinf=0)
            apart = order[b, column] - order[a, column]
            swap = (apart < 0) | ((apart == 0) & swap)
            rank[k], rank[k + 1] = np.where(swap, b, a), np.where(swap, a, b)
    merged = np.take_along_axis(tables, rank[:, :, None], axis=0)
    present = np.take_along_axis(kept, rank, axis=0)
    merged[~present] = np.nan
    merged[..., columns.status][~present] = NO_BRANCH
    merged[..., columns.evaluations][~present] = 0
    return merged, np.take_along_axis(found, rank, axis=0).astype(np.int64), rank
