"""Run blocks: what the store has comes from there, the rest is solved and committed."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.errors import ScanError
from replica.progress import bar_disabled
from replica.scan.block import CANCELLED, Block, Columns

if TYPE_CHECKING:
    from replica.scan.pools import Pool
    from replica.scan.store import Store

Array = NDArray[np.float64]
Done = Callable[[Block, Array], Iterable[Block]]
_log = logging.getLogger(__name__)

# Finished blocks are committed together so often, in seconds.
_COMMIT_EVERY = 0.2
# Blocks that one task may have, however short they are.
_BLOCKS_IN_A_TASK = 256


class Engine:
    """Solve blocks in a pool, through a store.

    Parameters
    ----------
    columns : Columns
        What a point has.
    pool : Pool
        Where blocks are solved.
    store : Store, optional
        Where they are kept.
    progress : bool
        Whether to show a bar.
    total : int
        Points of which the bar shows the progress.

    Attributes
    ----------
    solved, found : int
        Points that were solved, and that the store had.
    """

    def __init__(
        self, columns: Columns, pool: Pool, store: Store | None, progress: bool, total: int
    ) -> None:
        from tqdm.auto import tqdm

        self.solved = self.found = 0
        self._columns, self._pool, self._store = columns, pool, store
        self._bar = tqdm(total=total, unit="point", disable=bar_disabled(progress))
        self._ready: deque[Block] = deque()
        self._finished: SimpleQueue[Future[Any]] = SimpleQueue()
        self._running: dict[Future[Any], Sequence[Block]] = {}
        self._uncommitted: list[tuple[bytes, Array, Sequence[bytes]]] = []
        self._last_commit = time.monotonic()
        self._seconds = 0.0

    def run(self, batches: Iterable[Sequence[Block]], done: Done) -> bool:
        """Solve blocks.

        Parameters
        ----------
        batches : iterable of sequences of Block
            Taken one at a time, when there is nothing else to do.
        done : callable
            Called in this thread with each block and its table, in any order; returns blocks that
            follow from it.

        Returns
        -------
        bool
            Whether all was done; False after Ctrl-C.

        Raises
        ------
        ScanError
            If the store cannot be written, or the pool has broken.
        """
        source = iter(batches)
        try:
            while self._refill(source, done) or self._running:
                self._collect(done)
            self._commit()
        except KeyboardInterrupt:
            self._pool.cancel()
            self._keep_what_finished()
            return False
        except BaseException as error:
            self._pool.cancel()
            if isinstance(error, ScanError):  # of the store, which would only fail again
                raise
            self._keep_what_finished()
            if isinstance(error, BrokenExecutor):
                raise ScanError(
                    f"The workers of the scan have died ({type(error).__name__}: {error}); blocks "
                    "that were finished are kept where there is a store, and the same call goes on."
                ) from error
            raise
        return True

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()

    def extend(self, points: int) -> None:
        """Let the bar expect more points."""
        if not self._bar.disable:
            self._bar.total += points
            self._bar.refresh()

    def advance(self, points: int) -> None:
        """Let the bar show points that no block counts."""
        self._bar.update(points)

    def _refill(self, source: Iterator[Sequence[Block]], done: Done) -> bool:
        """Keep the pool busy; return whether there is something running."""
        while len(self._running) < self._pool.width:
            while not self._ready:
                batch = next(source, None)
                if batch is None:
                    return bool(self._running)
                self._add(batch, done)
            self._submit()
        return True

    def _add(self, blocks: Sequence[Block], done: Done) -> None:
        """Take blocks from the store, and what follows from them; the others become ready."""
        while blocks:
            tables = self._look_up(blocks)
            follow: list[Block] = []
            for block in blocks:
                table = tables.get(block.key)
                if table is None:
                    self._ready.append(block)
                    continue
                missing = np.isnan(table[:, self._columns.status])
                self._count(block, len(block.points) - int(missing.sum()), found=True)
                if missing.any():
                    self._ready.append(block.part(missing, _Part(block, table, missing)))
                else:
                    follow += done(block, table)
            blocks = follow

    def _look_up(self, blocks: Sequence[Block]) -> dict[bytes, Array]:
        """Return the tables that the store has; where it has single points, NaN for the others."""
        if self._store is None:
            return {}
        tables = self._store.blocks([block.key for block in blocks])
        alone = [block for block in blocks if not block.chain and block.key not in tables]
        keys = [block.point_keys() for block in alone]
        points = self._store.points([key for some in keys for key in some])
        missing = np.full(self._columns.width, np.nan)
        for block, some in zip(alone, keys, strict=True):
            if not points.keys().isdisjoint(some):
                tables[block.key] = np.stack([points.get(key, missing) for key in some])
        return tables

    def _submit(self) -> None:
        """Hand out so many blocks that a task takes about the time that suits the pool."""
        each = self._seconds / self.solved if self.solved else np.inf
        task, points = [self._ready.popleft()], 0
        while self._ready and len(task) < _BLOCKS_IN_A_TASK:
            points += len(task[-1].points)
            if points * each >= self._pool.seconds:
                break
            task.append(self._ready.popleft())
        future = self._pool.submit(task)
        self._running[future] = task
        future.add_done_callback(self._finished.put)

    def _collect(self, done: Done) -> None:
        """Wait for a task, or for the time to commit, and take all that has finished."""
        if not self._running:
            return
        try:
            future = self._finished.get(timeout=_COMMIT_EVERY)
            while True:
                self._take(future, done)
                future = self._finished.get_nowait()
        except Empty:
            pass
        if time.monotonic() - self._last_commit > _COMMIT_EVERY:
            self._commit()

    def _take(self, future: Future[Any], done: Done) -> None:
        task = self._running.pop(future)
        seconds, tables = future.result()
        self._seconds += seconds
        follow: list[Block] = []
        for block, table in zip(task, tables, strict=True):
            self._count(block, len(table), found=False)
            block, table = _completed(block, table)
            self._keep(block, table)
            follow += done(block, table)
        self._add(follow, done)

    def _keep(self, block: Block, table: Array) -> None:
        if self._store is not None:
            keys = () if block.chain else block.point_keys()
            self._uncommitted.append((block.key, table, keys))

    def _commit(self) -> None:
        if self._store is not None and self._uncommitted:
            self._store.put(self._uncommitted)
            self._uncommitted = []  # only now: Ctrl-C may have come before
        self._last_commit = time.monotonic()

    def _keep_what_finished(self) -> None:
        """Commit the blocks that were finished when the user interrupted."""
        for future, task in self._running.items():
            if future.cancelled() or not future.done() or future.exception() is not None:
                continue
            for block, table in zip(task, future.result()[1], strict=True):
                # A block that was cut short would not be the same another time.
                if not (table[:, self._columns.status] == CANCELLED).any():
                    self._keep(*_completed(block, table))
        self._running.clear()
        self._commit()

    def _count(self, block: Block, points: int, found: bool) -> None:
        if found:
            self.found += points
        else:
            self.solved += points
        if block.counted and not self._bar.disable:
            self._bar.initial += points * found  # no work of this run: no part of its rate
            self._bar.update(points)


@dataclass(frozen=True)
class _Part:
    """What the store had of a block whose other points are being solved."""

    block: Block
    table: Array
    missing: NDArray[np.bool_]


def _completed(block: Block, table: Array) -> tuple[Block, Array]:
    """Return a block, and its table, of which only a part had to be solved."""
    if not isinstance(block.tag, _Part):
        return block, table
    part = block.tag
    part.table[part.missing] = table
    return part.block, part.table
