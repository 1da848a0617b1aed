"""Points that did not converge, tried again: from their neighbours, and with more careful settings.

The ladder is climbed rung by rung, and a point leaves it with its first certified solution:

1. the settings as given, from the converged neighbours on the grid;
2. damping of at least 0.8, 5 times the evaluations, twice the inner panels, and 2 more refinements,
   from the neighbours and from the point's own start;
3. damping of at least 0.95, 20 times the evaluations, 4 times the inner panels, 4 more refinements,
   and no acceleration, from the same.

Settings of another kind, such as those of a capacity, bring their own ladder.

What was rescued may help its own neighbours: before the next rung, the first is repeated as long
as it does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings, SolveStatus
from replica.scan.block import CANCELLED, CONVERGED, Block
from replica.scan.engine import Engine
from replica.scan.results import Results

Array = NDArray[np.float64]

_NOT_CERTIFIED = int(SolveStatus.NOT_CERTIFIED)
_MOST_EVALUATIONS, _MOST_PANELS, _MOST_REFINEMENTS = 10**8, 64, 20
# Points of which the starts are written down at a time.
_POINTS_IN_A_BATCH = 256


def ladder(settings: Any) -> tuple[Any, ...]:
    """Return the settings of the rungs, from those of the scan."""
    if (own := getattr(settings, "ladder", None)) is not None:
        rungs: tuple[Any, ...] = own()
        return rungs
    given = settings or SolverSettings()

    def careful(damping: float, more: int, panels: int, refinements: int) -> SolverSettings:
        return dataclasses.replace(
            given,
            damping=max(given.damping, damping),
            max_evaluations=min(given.max_evaluations * more, _MOST_EVALUATIONS),
            inner_panels=min(given.inner_panels * panels, _MOST_PANELS),
            max_refinements=min(given.max_refinements + refinements, _MOST_REFINEMENTS),
        )

    return (
        given,
        careful(0.8, 5, 2, 2),
        dataclasses.replace(careful(0.95, 20, 4, 4), acceleration=False),
    )


def retry(engine: Engine, results: Results) -> bool:
    """Try the failed points of a sweep again.

    Parameters
    ----------
    engine : Engine
    results : Results
        Better results are put into it.

    Returns
    -------
    bool
        Whether all was done; False after Ctrl-C.
    """
    rungs = ladder(results.sweep.settings)
    for number in range(1, len(rungs) + 1):
        todo, rung = _failed(results), number
        while len(todo):
            before = results.rung.copy()
            if not _climb(engine, results, todo, rung, rungs[rung - 1]):
                return False
            # What was rescued may help its own neighbours.
            rescued, rung = results.rung != before, 1
            beside = [
                k for k in _failed(results).tolist() if rescued[_neighbours(results, k)].any()
            ]
            todo = np.array(beside, dtype=np.intp)
    return True


def _climb(
    engine: Engine,
    results: Results,
    todo: NDArray[np.intp],
    rung: int,
    settings: Any,
) -> bool:
    """Try some points with the settings of one rung."""
    better: list[tuple[int, Array]] = []

    def done(block: Block, table: Array) -> list[Block]:
        row = _best(results, table)
        if row is not None:
            better.append((block.tag, row))
        engine.advance(1)
        return []

    def batches() -> Iterator[list[Block]]:
        for batch in _blocks(results, todo, settings, own=rung > 1):
            engine.extend(len(batch))
            yield batch

    complete = engine.run(batches(), done)
    # Only now, so that it does not matter in which order the points were done.
    for index, row in better:
        results.replace(index, row, rung)
    return complete


def _blocks(
    results: Results, todo: NDArray[np.intp], settings: Any, own: bool
) -> Iterator[list[Block]]:
    sweep, columns = results.sweep, results.columns
    for first in range(0, len(todo), _POINTS_IN_A_BATCH):
        batch = []
        for index in todo[first : first + _POINTS_IN_A_BATCH].tolist():
            around = _neighbours(results, index)
            around = around[results.status[around] == CONVERGED]
            starts = results.table(around)[:, columns.x]
            point = sweep.points(np.array([index]))
            if own:
                starts = np.concatenate([starts, sweep.starts(point)])
            if len(starts):
                points = np.repeat(point, len(starts), axis=0)
                batch.append(Block(points, starts, False, None, settings, index, counted=False))
        yield batch


def _failed(results: Results) -> NDArray[np.intp]:
    return np.flatnonzero((results.status != CONVERGED) & (results.status != CANCELLED))


def _best(results: Results, table: Array) -> Array | None:
    """Return the first solution that is stable and certified, or lacks the certificate only."""
    columns = results.columns
    status = table[:, columns.status]
    # A start at an unstable fixed point stays there, and was not what the caller asked for.
    stable = ~(table[:, columns.stability] > 1)
    for wanted in (CONVERGED, _NOT_CERTIFIED):
        found = np.flatnonzero((status == wanted) & stable)
        if len(found):
            return table[found[0]]
    return None


def _neighbours(results: Results, index: int) -> NDArray[np.intp]:
    """Return the points beside a point: in its row first, as the row is followed."""
    sweep = results.sweep
    row, place = divmod(index, sweep.length)
    step = sweep.visit[place]
    around = [
        row * sweep.length + sweep.order[s] for s in (step - 1, step + 1) if 0 <= s < sweep.length
    ]
    outer = [len(sweep.grid.axes[name]) for name in sweep.grid.outer(sweep.along)]
    where = np.unravel_index(row, outer) if outer else ()
    for axis, position in enumerate(where):
        stride = int(np.prod(outer[axis + 1 :])) * sweep.length
        around += [index + s * stride for s in (-1, 1) if 0 <= int(position) + s < outer[axis]]
    return np.array(around, dtype=np.intp)
