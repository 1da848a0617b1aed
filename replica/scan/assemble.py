"""From the results of sweeps to the values of variables, a piece of the grid at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.scan.block import Columns
from replica.scan.branches import merge_branches
from replica.scan.dataset import BRANCH, Labels, Variable
from replica.scan.results import Results

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Merged:
    """Tables of some points, of shape (branches, points, ...)."""

    tables: Array
    found_by: NDArray[np.int64]
    rungs: NDArray[np.int8]

    @property
    def branches(self) -> int:
        """Most branches that one of the points has."""
        present = (self.found_by > 0).any(axis=1)
        return int(np.flatnonzero(present)[-1]) + 1 if present.any() else 1


def merged(results: Sequence[Results], indices: NDArray[np.intp], free_entropy: int) -> Merged:
    """Return the results of some points, where there are several sweeps as ranked branches."""
    first = results[0]
    if len(results) == 1:
        table = first.table(indices)[None]
        return Merged(table, np.ones(table.shape[:2], np.int64), first.rung[indices][None])
    tables = np.stack([result.table(indices) for result in results])
    rungs = np.stack([result.rung[indices] for result in results])
    tables, found_by, rank = merge_branches(
        tables, first.columns, free_entropy, first.sweep.settings
    )
    return Merged(tables, found_by, np.take_along_axis(rungs, rank, axis=0))


def values(variable: Variable, points: Merged, columns: Columns, branches: int) -> NDArray[Any]:
    """Return the values of one variable at some points, of shape (branches, points)."""
    if variable.name == "found_by":
        data: NDArray[Any] = points.found_by
    elif variable.name == "retry":
        data = points.rungs
    elif variable.column is None:
        data = points.tables[..., columns.error].max(axis=-1)
    else:
        data = points.tables[..., variable.column]
    return data[:branches].astype(variable.dtype)


def slabs(shape: Sequence[int], most: int) -> Iterator[tuple[slice, ...]]:
    """Cut an array into pieces of at most ``most`` elements, in the order of its elements."""
    depth = next(d for d in range(len(shape)) if np.prod(shape[d + 1 :]) <= most)
    step = max(1, most // int(np.prod(shape[depth + 1 :])))
    for outer in np.ndindex(*shape[:depth]):
        for first in range(0, shape[depth], step):
            here = slice(first, min(first + step, shape[depth]))
            rest = (slice(0, n) for n in shape[depth + 1 :])
            yield (*(slice(k, k + 1) for k in outer), here, *rest)


def slab_indices(shape: Sequence[int], slab: Sequence[slice]) -> NDArray[np.intp]:
    """Return the numbers of the elements of a piece of an array."""
    mesh = np.meshgrid(*(np.arange(s.start, s.stop) for s in slab), indexing="ij")
    return np.ravel_multi_index(mesh, shape).ravel()


def to_dataset(labels: Labels, results: Sequence[Results], free_entropy: int) -> xr.Dataset:
    """Return the whole result in memory.

    Parameters
    ----------
    labels : Labels
    results : sequence of Results
        What each sweep found.
    free_entropy : int
        Number of the output by which branches are ranked.
    """
    import xarray as xr

    columns = results[0].columns
    points = merged(results, np.arange(int(np.prod(labels.shape))), free_entropy)
    several = len(results) > 1
    count = points.branches
    coordinates = {
        name: (name, line, labels.parameters[name]) for name, line in labels.axes.items()
    }
    data = {}
    for variable in labels.variables:
        array = values(variable, points, columns, count)
        array = array.reshape(-1, *labels.shape) if several else array.reshape(labels.shape)
        dims = [BRANCH, *labels.dims] if several else labels.dims
        data[variable.name] = xr.Variable(dims, array, variable.attributes).transpose(
            *labels.axes, *([BRANCH] * several)
        )
    return xr.Dataset(data, coordinates, labels.attributes)
