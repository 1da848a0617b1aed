"""Long rows in parallel: blocks of a row are guessed at once, and kept where the row goes there.

A row is followed from its first point to its last, each point from its neighbour. Where there are
many rows, they keep all cores busy. Where there are few, all blocks of a row begin at the same
time, each from the start of the row: a guess. Then the first point of each block is solved from
the last solution of the block before it. If that gives the same solution as the guess, the row
would have gone there, and the guess is kept; if it gives another one (the row follows a branch to
which the start does not lead), the block is solved again from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from replica.scan.block import CONVERGED, Block, Carry, Columns
from replica.scan.branches import same_rows
from replica.scan.results import Entry, Results
from replica.scan.sweep import Sweep

Array = NDArray[np.float64]

# With fewer rows than this, the blocks of a row are guessed: a property of the grid, and not of the
# machine, so that the result does not depend on where it is computed.
_FEW_ROWS = 32


@dataclass(frozen=True)
class _Solved:
    """What the row needs to know of a block that is not accepted yet."""

    entry: Entry
    first: Array
    carry: Carry | None


@dataclass
class _Row:
    """How far a row has come."""

    next: int = 0
    carry: Carry | None = None
    guesses: dict[int, _Solved] = field(default_factory=dict)
    checks: dict[tuple[int, bytes], Array] = field(default_factory=dict)
    asked: set[tuple[str, int, bytes]] = field(default_factory=set)


class Chains:
    """The rows of a sweep, from blocks in any order.

    Parameters
    ----------
    sweep : Sweep
    columns : Columns
    results : Results
        Takes the blocks that belong to the result.
    """

    def __init__(self, sweep: Sweep, columns: Columns, results: Results) -> None:
        self._sweep, self._columns, self._results = sweep, columns, results
        self._guessing = sweep.rows < _FEW_ROWS
        self._rows: dict[int, _Row] = {}

    @property
    def parts(self) -> int:
        """How many blocks of each row can begin at once."""
        return self._sweep.blocks_in_a_row if self._guessing else 1

    def done(self, block: Block, table: Array) -> list[Block]:
        """Take a solved block and return those that follow from it."""
        _, number, kind = block.tag
        if not self._sweep.chained:
            self._results.accept(number, self._results.entry(block, table))
            return []
        index, part = divmod(number, self._sweep.blocks_in_a_row)
        if kind == "check" and index not in self._rows:
            return []  # of a guess that the row did not need
        row = self._rows.setdefault(index, _Row())
        follow: list[Block] = []
        if kind == "check":
            assert block.carry is not None
            row.checks[part, block.carry.digest] = table
        else:
            solved = _Solved(
                self._results.entry(block, table), table[0].copy(), self._last(block, table)
            )
            if kind == "follow":
                self._advance(row, number, solved)
            else:
                row.guesses[part] = solved
                # As the block before it is kept as it is, nearly always, the check need not wait.
                for later in (part, part + 1):
                    before = row.guesses.get(later - 1)
                    if before and later in row.guesses and before.carry and later > row.next:
                        follow += self._ask(row, number - part + later, "check", before.carry)
        follow += self._settle(row, number - part)
        if row.next == self._sweep.blocks_in_a_row:
            del self._rows[index]
        return follow

    def _settle(self, row: _Row, first: int) -> list[Block]:
        """Accept what can be accepted, and return what must be solved to go on."""
        while row.next < self._sweep.blocks_in_a_row:
            part, number = row.next, first + row.next
            guess = row.guesses.get(part)
            if row.carry is None:
                if guess is None:
                    # Nothing to go on from: the start of the row is as good here.
                    return [] if part < self.parts else self._ask(row, number, "guess", None)
            elif not self._guessing:
                return self._ask(row, number, "follow", row.carry)
            else:
                check = row.checks.get((part, row.carry.digest))
                if guess is None:
                    return []
                if check is None:
                    return self._ask(row, number, "check", row.carry)
                if not self._same(guess.first, check[0]):
                    return self._ask(row, number, "follow", row.carry)
                row.checks.pop((part, row.carry.digest))
            self._advance(row, number, row.guesses.pop(part))
        return []

    def _advance(self, row: _Row, number: int, solved: _Solved) -> None:
        self._results.accept(number, solved.entry)
        row.guesses.pop(row.next, None)
        row.next += 1
        row.carry = solved.carry or row.carry

    def _ask(self, row: _Row, number: int, kind: str, carry: Carry | None) -> list[Block]:
        question = (kind, number, b"" if carry is None else carry.digest)
        if question in row.asked:
            return []
        row.asked.add(question)
        # The points of a guess that is replaced have been counted with the guess.
        counted = kind == "guess" or (kind == "follow" and not self._guessing)
        return [self._sweep.block(number, kind, carry, counted)]

    def _last(self, block: Block, table: Array) -> Carry | None:
        """Return the last solution of a block."""
        good = np.flatnonzero(table[:, self._columns.status] == CONVERGED)
        if not len(good):
            return None
        # Copies, which do not keep the whole batch alive.
        return Carry(block.points[good[-1]].copy(), table[good[-1], self._columns.x].copy())

    def _same(self, first: Array, second: Array) -> bool:
        both = first[self._columns.status] == second[self._columns.status] == CONVERGED
        return both and bool(
            same_rows(first[None], second[None], self._columns, self._sweep.settings)[0]
        )
