"""What a sweep found, block by block: in memory, or in the store with only the keys in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.scan.block import CANCELLED, Block, Columns
from replica.scan.sweep import Indices, Sweep

if TYPE_CHECKING:
    from replica.scan.store import Store

Array = NDArray[np.float64]
# The table of a block, or its key in the store, and the status of its points.
Entry = tuple[Array | bytes, NDArray[np.int8]]

# Blocks that are read from the store at a time.
_AT_ONCE = 256


class Results:
    """The accepted blocks of a sweep.

    Parameters
    ----------
    sweep : Sweep
    columns : Columns
    store : Store, optional
        Where tables can be read again; they are kept in memory where it is not given.

    Attributes
    ----------
    status : array of int8, shape (points,)
        Status of each point, in the order of the sweep's numbers.
    rung : array of int8, shape (points,)
        Rung of the retry ladder that gave the result, 0 where it is the first one.
    """

    def __init__(self, sweep: Sweep, columns: Columns, store: Store | None) -> None:
        self.sweep, self.columns = sweep, columns
        self.status = np.full(sweep.grid.size, CANCELLED, dtype=np.int8)
        self.rung = np.zeros(sweep.grid.size, dtype=np.int8)
        self._store = store
        self._tables: list[Array | bytes | None] = [None] * sweep.count
        self._better: dict[int, Array] = {}

    def entry(self, block: Block, table: Array) -> Entry:
        """Return what has to be kept of a block until it is accepted."""
        status = table[:, self.columns.status].astype(np.int8)
        return (table if self._store is None else block.key), status

    def accept(self, number: int, entry: Entry) -> None:
        """Make a block part of the result."""
        self._tables[number], self.status[self.sweep.indices(number)] = entry

    def replace(self, index: int, row: Array, rung: int) -> None:
        """Put the better result of a rung of the retry ladder in the place of one point."""
        if self.status[index] == row[self.columns.status]:
            return
        self.put(index, row)
        self.rung[index] = rung

    def put(self, index: int, row: Array) -> None:
        """Put another result in the place of one point."""
        self._better[index] = row
        self.status[index] = row[self.columns.status]

    def table(self, indices: Indices) -> Array:
        """Return the results of some points, one row a point."""
        table = self.columns.blank(len(indices))
        numbers, within = self.sweep.places(indices)
        order = np.argsort(numbers, kind="stable")
        present, firsts = np.unique(numbers[order], return_index=True)
        for some in range(0, len(present), _AT_ONCE):
            blocks = self._blocks(present[some : some + _AT_ONCE].tolist())
            ends = [*firsts[1:].tolist(), len(order)]
            for k, block in enumerate(blocks, start=some):
                if block is not None:
                    where = order[firsts[k] : ends[k]]
                    table[where] = block[within[where]]
        if self._better:
            for k in np.flatnonzero(np.isin(indices, list(self._better))).tolist():
                table[k] = self._better[int(indices[k])]
        return table

    def _blocks(self, numbers: list[int]) -> list[Array | None]:
        entries: list[Any] = [self._tables[number] for number in numbers]
        if self._store is None:
            return entries
        tables = self._store.blocks([entry for entry in entries if entry is not None])
        return [None if entry is None else tables[entry] for entry in entries]
