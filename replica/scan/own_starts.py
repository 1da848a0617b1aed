"""Points at which sweeps have come together, solved from the starts of these sweeps themselves.

A sweep that follows its row stays on a branch. Where two of them are on the same one, as when the
row began outside of the other phase, none would ever see that phase, although a start leads to it
further on: it would be missing there, even where it is the best one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from replica.scan.block import CONVERGED, Block
from replica.scan.branches import same_rows
from replica.scan.engine import Engine
from replica.scan.results import Results

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
# Points whose results are compared at a time, and that are solved by one call.
_POINTS_IN_A_BATCH, _POINTS_IN_A_BLOCK = 4096, 32


def try_own_starts(engine: Engine, results: Sequence[Results], free_entropy: int) -> bool:
    """Solve the points at which sweeps have the same solution from the starts of the sweeps.

    Parameters
    ----------
    engine : Engine
    results : sequence of Results
        Of all sweeps. A solution that none of them had replaces one that another has, too, or a
        worse one.
    free_entropy : int
        Number of the output by which solutions are ranked.

    Returns
    -------
    bool
        Whether all was done; False after Ctrl-C.
    """
    if len(results) < 2 or not results[0].sweep.chained:
        return True
    new: list[tuple[list[int], int, Array]] = []

    def done(block: Block, table: Array) -> list[Block]:
        sweeps, indices = block.tag
        fresh = table[:, results[0].columns.status] == CONVERGED
        for result in results:
            fresh &= ~_same(results, result.table(indices), table)
        new.extend((sweeps, int(indices[k]), table[k]) for k in np.flatnonzero(fresh))
        engine.advance(len(table))
        return []

    complete = engine.run(_batches(engine, results), done)
    # Only now, so that it does not matter in which order the points were done.
    for sweeps, index, row in sorted(new, key=lambda item: item[:2]):
        _take(results, sweeps, index, row, free_entropy)
    return complete


def _batches(engine: Engine, results: Sequence[Results]) -> Iterator[list[Block]]:
    sweeps = [result.sweep for result in results]
    first: dict[int, list[int]] = {}  # both directions of a start are one start
    for number, sweep in enumerate(sweeps):
        first.setdefault(id(sweep.start), []).append(number)
    for begin in range(0, sweeps[0].grid.size, _POINTS_IN_A_BATCH):
        indices = np.arange(begin, min(begin + _POINTS_IN_A_BATCH, sweeps[0].grid.size))
        together = _together(results, [result.table(indices) for result in results])
        batch: list[Block] = []
        for numbers in first.values():
            chosen = indices[together[numbers].any(axis=0)]
            sweep = sweeps[numbers[0]]
            for k in range(0, len(chosen), _POINTS_IN_A_BLOCK):
                some = chosen[k : k + _POINTS_IN_A_BLOCK]
                points = sweep.points(some)
                starts, tag = sweep.starts(points), (numbers, some)
                batch.append(Block(points, starts, False, None, sweep.settings, tag, counted=False))
        engine.extend(sum(len(block.points) for block in batch))
        yield batch


def _together(results: Sequence[Results], tables: Sequence[Array]) -> Flags:
    """Return where each sweep has the solution of another one, shape ``(sweeps, points)``."""
    status = results[0].columns.status
    together = np.zeros((len(tables), len(tables[0])), dtype=bool)
    for a, b in itertools.combinations(range(len(tables)), 2):
        same = _same(results, tables[a], tables[b])
        same &= (tables[a][:, status] == CONVERGED) & (tables[b][:, status] == CONVERGED)
        together[a] |= same
        together[b] |= same
    return together


def _same(results: Sequence[Results], first: Array, second: Array) -> Flags:
    return same_rows(first, second, results[0].columns, results[0].sweep.settings)


def _take(
    results: Sequence[Results], sweeps: list[int], index: int, row: Array, free_entropy: int
) -> None:
    """Put a new solution in the place of one that is not needed, or of a worse one."""
    columns = results[0].columns
    tables = [result.table(np.array([index])) for result in results]
    if any(_same(results, table, row[None])[0] for table in tables):
        return  # another start has led to it, too
    together = _together(results, tables)[:, 0]
    spare = [k for k in sweeps if together[k] or tables[k][0, columns.status] != CONVERGED]
    value = columns.out.start + free_entropy
    worse = [k for k in sweeps if tables[k][0, value] < row[value]]
    if spare or worse:
        results[(spare or worse)[-1]].put(index, row)
