"""One pass over a grid: from one start, in one direction, cut into blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from replica.errors import ScanError
from replica.scan.block import Block, Carry
from replica.scan.grid import Grid
from replica.solve import Solution, SolverSettings
from replica.solve.point import Start

if TYPE_CHECKING:
    from replica.compile.system import CompiledSystem

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

# Longest block of a row in which each point starts from its neighbour. Rows are cut by this number
# and never by the number of workers, so that the result does not depend on it.
_POINTS_OF_A_CHAIN = 128
# Points that start by themselves need no company; a few at once make handing out cheap.
_POINTS_ALONE = 32
# Points whose parameters are written down at a time.
_POINTS_IN_A_BATCH = 4096


@dataclass(frozen=True)
class Sweep:
    """A pass over all points of a grid.

    Points are numbered along rows: those run along one axis, and one after the other over the
    remaining axes, the last one fastest.

    Attributes
    ----------
    system : CompiledSystem
    grid : Grid
    along : str
        The axis along which rows run.
    start : str, mapping, Solution or None
        Where the first point of a row starts, and each point where ``chain`` is False.
    chain : bool
        Whether a point starts from the solution of its neighbour in the row.
    direction : str or None
        ``"up"``: rows run towards larger values; ``"down"``: towards smaller ones; None: in the
        order of the axis.
    settings : SolverSettings or None
    number : int
        Number of the sweep in its scan.
    """

    system: CompiledSystem
    grid: Grid
    along: str
    start: Start
    chain: bool
    direction: str | None
    settings: SolverSettings | None
    number: int = 0

    @cached_property
    def length(self) -> int:
        """Points in a row."""
        return len(self.grid.axes[self.along])

    @cached_property
    def rows(self) -> int:
        """Number of rows."""
        return self.grid.size // self.length

    @cached_property
    def order(self) -> Indices:
        """Places on the axis in the order in which a row visits them."""
        values = self.grid.axes[self.along]
        if self.direction is None:
            return np.arange(len(values))
        return np.argsort(values if self.direction == "up" else -values, kind="stable")

    @cached_property
    def visit(self) -> Indices:
        """At which step a row comes to each place on the axis."""
        return np.argsort(self.order)

    @property
    def chained(self) -> bool:
        """Whether points depend on their neighbours; not so in rows of one point."""
        return self.chain and self.length > 1

    @cached_property
    def blocks_in_a_row(self) -> int:
        """Number of blocks of a row."""
        return -(-self.length // _POINTS_OF_A_CHAIN)

    @cached_property
    def count(self) -> int:
        """Number of blocks."""
        if self.chained:
            return self.rows * self.blocks_in_a_row
        return -(-self.grid.size // _POINTS_ALONE)

    def indices(self, block: int) -> Indices:
        """Return the numbers of the points of a block, in the order in which they are solved."""
        if not self.chained:
            first = block * _POINTS_ALONE
            return np.arange(first, min(first + _POINTS_ALONE, self.grid.size))
        row, part = divmod(block, self.blocks_in_a_row)
        first = part * _POINTS_OF_A_CHAIN
        return row * self.length + self.order[first : first + _POINTS_OF_A_CHAIN]

    def places(self, indices: Indices) -> tuple[Indices, Indices]:
        """Return in which block, and where in it, some points are."""
        if not self.chained:
            return np.divmod(indices, _POINTS_ALONE)
        row, place = np.divmod(indices, self.length)
        part, within = np.divmod(self.visit[place], _POINTS_OF_A_CHAIN)
        return row * self.blocks_in_a_row + part, within

    def points(self, indices: Indices) -> Array:
        """Return the parameters of some points, one row a point."""
        return self.grid.at(indices, self.along, self.system.parameters)

    def starts(self, points: Array) -> Array:
        """Return the initial values of some points, one row a point."""
        return start_vectors(self.system, self.start, points)

    def block(self, number: int, kind: str, carry: Carry | None, counted: bool) -> Block:
        """Return one block: all of it, or to ``"check"`` a guess only its first point."""
        indices = self.indices(number)[: 1 if kind == "check" else None]
        points = self.points(indices)
        tag = (self.number, number, kind)
        starts = self.starts(points)
        return Block(points, starts, self.chained, carry, self.settings, tag, counted)

    def batches(self, parts: int) -> Iterator[list[Block]]:
        """Yield blocks without a carry: the first ``parts`` of each row, or all that are alone."""
        wanted: Iterable[int] = range(self.count)
        if self.chained:
            wanted = (
                row * self.blocks_in_a_row + part
                for row in range(self.rows)
                for part in range(min(parts, self.blocks_in_a_row))
            )
        batch: list[int] = []
        points = 0
        for number in wanted:
            batch.append(number)
            points += len(self.indices(number))
            if points >= _POINTS_IN_A_BATCH:
                yield self._together(batch)
                batch, points = [], 0
        if batch:
            yield self._together(batch)

    def _together(self, numbers: list[int]) -> list[Block]:
        """Return several blocks, whose parameters are written down in one go."""
        indices = [self.indices(number) for number in numbers]
        points = self.points(np.concatenate(indices))
        starts = self.starts(points)
        ends = np.cumsum([len(some) for some in indices])
        pieces = zip(numbers, [0, *ends[:-1].tolist()], ends.tolist(), strict=True)
        return [
            Block(
                points[a:b], starts[a:b], self.chained, None, self.settings,
                (self.number, number, "guess"),
            )
            for number, a, b in pieces
        ]  # fmt: skip


def several_starts(start: Start | Sequence[Start]) -> list[Start]:
    """Return the starts that a scan was asked for, one or several.

    Raises
    ------
    ScanError
        If there is none.
    """
    starts = list(start) if isinstance(start, (list, tuple)) else [cast("Start", start)]
    if not starts:
        raise ScanError("start must not be empty: give one start or several.")
    return starts


def start_vectors(system: CompiledSystem, start: Start, points: Array) -> Array:
    """Return the initial values of some points, one row a point."""
    if start is None or isinstance(start, str):
        return system.starts(points, start)
    given = start.order_parameters if isinstance(start, Solution) else start
    starts = system.starts(points)
    for name, value in given.items():
        starts[:, system.unknowns.index(name)] = value
    return starts
