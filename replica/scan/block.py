"""The unit of work of a scan: a block of points, what identifies it, and what comes back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings, SolveStatus

if TYPE_CHECKING:
    from replica.compile.system import CompiledSystem

Array = NDArray[np.float64]

CONVERGED, CANCELLED = int(SolveStatus.CONVERGED), int(SolveStatus.CANCELLED)


@dataclass(frozen=True)
class Columns:
    """Where the results of a point stand in its row of a table of float64.

    Status and evaluations are small integers, which a float64 holds exactly, so that one array
    carries everything through processes, the store, and files.

    Attributes
    ----------
    unknowns, outputs : int
        Number of unknowns and of outputs of the system.
    """

    unknowns: int
    outputs: int

    @property
    def x(self) -> slice:
        """Columns of the unknowns."""
        return slice(0, self.unknowns)

    @property
    def error(self) -> slice:
        """Columns of the errors of the unknowns."""
        return slice(self.unknowns, 2 * self.unknowns)

    @property
    def out(self) -> slice:
        """Columns of the outputs."""
        return slice(2 * self.unknowns, 2 * self.unknowns + self.outputs)

    @property
    def out_error(self) -> slice:
        """Columns of the errors of the outputs."""
        return slice(self.out.stop, self.out.stop + self.outputs)

    @property
    def residual(self) -> int:
        """Column of the residual."""
        return 2 * (self.unknowns + self.outputs)

    @property
    def stability(self) -> int:
        """Column of the stability."""
        return self.residual + 1

    @property
    def status(self) -> int:
        """Column of the status."""
        return self.residual + 2

    @property
    def evaluations(self) -> int:
        """Column of the evaluations of the map."""
        return self.residual + 3

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.residual + 4

    def blank(self, points: int) -> Array:
        """Return the table of points that were not reached."""
        table = np.full((points, self.width), np.nan)
        table[:, self.status] = CANCELLED
        table[:, self.evaluations] = 0
        return table

    def table(self, result: Any) -> Array:
        """Return a ``BlockResult`` as a table."""
        table = np.empty((len(result.status), self.width))
        table[:, self.x], table[:, self.error] = result.x, result.error
        table[:, self.out], table[:, self.out_error] = result.out, result.out_error
        table[:, self.residual], table[:, self.stability] = result.residual, result.stability
        table[:, self.status], table[:, self.evaluations] = result.status, result.evaluations
        return table


def columns(system: CompiledSystem) -> Columns:
    """Return the columns of the results of a system."""
    return Columns(len(system.unknowns), len(system.outputs))


@dataclass(frozen=True)
class Carry:
    """The last solution of a row so far, from which its next block goes on."""

    point: Array
    x: Array

    @cached_property
    def digest(self) -> bytes:
        """What identifies it."""
        return _digest(self.point, self.x)


@dataclass(frozen=True)
class Block:
    """Points that are solved by one call, with all that decides the result.

    Attributes
    ----------
    points : array, shape (points, parameters)
    starts : array, shape (points, unknowns)
    chain : bool
        Whether each point starts from the solution of the one before it.
    carry : Carry, optional
        The solution before the first point.
    settings : SolverSettings, optional
    tag : any
        What the block is for; no part of its identity, as the next one.
    counted : bool
        Whether its points count for the progress of the scan.
    """

    points: Array
    starts: Array
    chain: bool
    carry: Carry | None = None
    settings: SolverSettings | None = None
    tag: Any = None
    counted: bool = True

    @cached_property
    def key(self) -> bytes:
        """What identifies the block among all blocks of one system."""
        carried = b"" if self.carry is None else self.carry.digest
        kind = b"chain" if self.chain else b"cold"
        return _digest(self.points, self.starts, _settings_key(self.settings), kind, carried)

    def point_keys(self) -> list[bytes]:
        """Return what identifies each point of a block whose points do not depend on each other."""
        settings = _settings_key(self.settings)
        return [
            _digest(point, start, settings, b"point")
            for point, start in zip(self.points, self.starts, strict=True)
        ]

    def solve(self, system: CompiledSystem, cancel: NDArray[np.int32] | None = None) -> Array:
        """Solve the block and return its table."""
        points, starts = self.points, self.starts
        if self.carry is not None:
            # Solved once more, from itself, so that the compiled loop has it to go on from.
            points = np.concatenate([self.carry.point[None], points])
            starts = np.concatenate([self.carry.x[None], starts])
        result = system.solve_block(points, starts, self.settings, chain=self.chain, cancel=cancel)
        return columns(system).table(result)[len(points) - len(self.points) :]

    def part(self, chosen: NDArray[np.bool_], tag: Any) -> Block:
        """Return some points of a block whose points do not depend on each other."""
        return dataclasses.replace(
            self, points=self.points[chosen], starts=self.starts[chosen], tag=tag
        )

    def bare(self) -> Block:
        """Return what decides the result, to be sent to another process."""
        return Block(self.points, self.starts, self.chain, self.carry, self.settings)


@lru_cache(maxsize=64)
def _settings_key(settings: SolverSettings | None) -> bytes:
    used = SolverSettings() if settings is None else settings
    return json.dumps(dataclasses.asdict(used), default=str).encode()


def _digest(*parts: Array | bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else np.ascontiguousarray(part, "<f8").tobytes()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.digest()


def solve_blocks(
    system: CompiledSystem, blocks: Sequence[Block], cancel: NDArray[np.int32] | None = None
) -> tuple[float, list[Array]]:
    """Solve blocks one after the other; return the seconds that they took, and their tables."""
    begin = time.perf_counter()
    tables = [block.solve(system, cancel) for block in blocks]
    return time.perf_counter() - begin, tables


def solve_blocks_elsewhere(pickled: bytes, blocks: Sequence[Block]) -> tuple[float, list[Array]]:
    """Solve blocks in another process, which compiles the system once, for its own processor."""
    from threadpoolctl import threadpool_limits

    system = _system(pickled)
    with threadpool_limits(1):  # there is a process a core: none needs threads of its own
        return solve_blocks(system, blocks)


@lru_cache(maxsize=4)
def _system(pickled: bytes) -> CompiledSystem:
    system: CompiledSystem = pickle.loads(pickled)
    return system
