"""Finished blocks on disk: a transactional file from which a scan goes on."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from replica.errors import ScanError

_log = logging.getLogger(__name__)
Array = NDArray[np.float64]

# The layout below; a file of another version is refused and not misread.
_VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS systems (
    id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS blocks (
    id INTEGER PRIMARY KEY, system INTEGER NOT NULL, key BLOB NOT NULL, points INTEGER NOT NULL,
    data BLOB NOT NULL, UNIQUE (system, key)
);
CREATE TABLE IF NOT EXISTS points (
    system INTEGER NOT NULL, key BLOB NOT NULL, block INTEGER NOT NULL, place INTEGER NOT NULL,
    PRIMARY KEY (system, key)
) WITHOUT ROWID;
"""
# SQLite takes at least so many values in one statement.
_AT_ONCE = 900
# Another scan that writes holds the file for milliseconds; a minute means that something is wrong.
_PATIENCE = 60.0


class Store:
    """Solved blocks in an SQLite file, keyed by system, settings, starts, and parameters.

    Several scans may use one file at the same time. What was committed stays readable whatever
    happens to the process that wrote it.

    Parameters
    ----------
    path : str or Path
        The file; it and its folder are made where they are missing, the folder with a warning.
    fingerprint : mapping
        What the blocks depend on beside their own key; equal fingerprints share their blocks.
    width : int
        Numbers that a point has.

    Raises
    ------
    ScanError
        If the file cannot be opened, written, or is something else.
    """

    def __init__(self, path: str | Path, fingerprint: Mapping[str, object], width: int) -> None:
        self.path = Path(path)
        self._width = width
        self._committed = 0
        if not self.path.parent.is_dir():
            _log.info("the folder %r is made for the store", str(self.path.parent))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._refused(error.strerror or error) from error
        with self._errors():
            # Only the thread that runs the scan reads and writes; transactions are our own.
            self._file = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        try:
            with self._errors():
                self._prepare()
                text = json.dumps(fingerprint, sort_keys=True, default=str)
                self._system = self._system_id(text)
        except ScanError:
            self._file.close()
            raise

    def _prepare(self) -> None:
        # Readers do not wait for the writer, and a commit does not wait for the disk: a killed
        # process loses nothing, a power cut at most the last commits.
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = NORMAL")
        self._file.execute("PRAGMA cache_size = -32768")
        (version,) = self._file.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise ScanError(
                f"The store {str(self.path)!r} was written by another version of replica; give the "
                "scan another store."
            )
        with self._transaction():
            for statement in _TABLES.split(";"):
                self._file.execute(statement)
            self._file.execute(f"PRAGMA user_version = {_VERSION}")

    def _system_id(self, fingerprint: str) -> int:
        with self._transaction():
            self._file.execute(
                "INSERT OR IGNORE INTO systems (fingerprint) VALUES (?)", (fingerprint,)
            )
        found = self._file.execute("SELECT id FROM systems WHERE fingerprint = ?", (fingerprint,))
        (number,) = found.fetchone()
        return int(number)

    def blocks(self, keys: Sequence[bytes]) -> dict[bytes, Array]:
        """Return the tables of those of some blocks that are there."""
        query = "SELECT key, data FROM blocks WHERE system = ? AND key IN ({})"
        return {key: self._table(data) for key, data in self._select(query, keys)}

    def points(self, keys: Sequence[bytes]) -> dict[bytes, Array]:
        """Return the results of those of some independent points that are there."""
        size = 8 * self._width
        query = (
            f"SELECT points.key, substr(blocks.data, 1 + {size} * points.place, {size}) "
            "FROM points JOIN blocks ON points.block = blocks.id "
            "WHERE points.system = ? AND points.key IN ({})"
        )
        return {key: self._table(data)[0] for key, data in self._select(query, keys)}

    def put(self, blocks: Sequence[tuple[bytes, Array, Sequence[bytes]]]) -> None:
        """Commit blocks.

        Parameters
        ----------
        blocks : sequence of (key, table, keys of the points)
            The last is empty for blocks whose points depend on each other. What is there already
            is left as it is.
        """
        with self._errors(), self._transaction():
            for key, table, points in blocks:
                data = np.ascontiguousarray(table, "<f8").tobytes()
                done = self._file.execute(
                    "INSERT OR IGNORE INTO blocks (system, key, points, data) VALUES (?, ?, ?, ?)",
                    (self._system, key, len(table), data),
                )
                if done.rowcount and points:
                    number = done.lastrowid
                    self._file.executemany(
                        "INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?)",
                        [(self._system, point, number, i) for i, point in enumerate(points)],
                    )
        self._committed += sum(len(table) for _, table, _ in blocks)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _select(self, query: str, keys: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        with self._errors():
            for first in range(0, len(keys), _AT_ONCE):
                some = keys[first : first + _AT_ONCE]
                marks = ",".join("?" * len(some))
                yield from self._file.execute(query.format(marks), (self._system, *some))

    def _table(self, data: bytes) -> Array:
        if len(data) % (8 * self._width):
            raise ScanError(f"The store {str(self.path)!r} holds a block of a wrong size.")
        # A copy, which can be written to and does not keep the bytes alive.
        return np.frombuffer(data, "<f8").reshape(-1, self._width).astype(float)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._file.execute("COMMIT")
        except BaseException:
            # After some errors SQLite has rolled back by itself.
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def _refused(self, reason: object) -> ScanError:
        kept = f" The {self._committed} points committed by this run are kept." * bool(
            self._committed
        )
        return ScanError(f"Cannot use the store {str(self.path)!r}: {reason}.{kept}")
