"""A grid of certified points on one core and on two."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np

import replica
from benchmarks.single import MODEL
from benchmarks.table import Row
from benchmarks.timing import human, interleave
from replica.compile.settings import SolveStatus


class _Terminal(io.StringIO):
    """A stream for which a progress bar is drawn."""

    def isatty(self) -> bool:
        return True


def _on_two(work: Callable[[int], object]) -> None:
    with ThreadPoolExecutor(2) as executor:
        list(executor.map(work, range(2)))


def grid(side: int = 100, rounds: int = 7, control_rounds: int = 150_000) -> list[Row]:
    """Time a scan of ``side * side`` points of the logistic mixture.

    Parameters
    ----------
    side : int
        Points along each of ``lam`` and ``alpha``.
    rounds : int
    control_rounds : int
        Length of the loop of plain C that measures what a second thread is worth here.
    """
    model = replica.load(MODEL)
    system = model.compile("c")
    lam, alpha = np.geomspace(1e-3, 1, side), np.linspace(0.5, 4, side)
    lines = [
        np.stack(
            [
                {"Delta": np.ones(side), "alpha": alpha, "rho": np.full(side, 0.5)}.get(
                    name, np.full(side, value)
                )
                for name in system.parameters
            ],
            axis=1,
        )
        for value in lam
    ]

    def scan(jobs: int) -> object:
        return model.scan(lam=lam, alpha=alpha, Delta=1.0, rho=0.5, n_jobs=jobs, progress=False)

    def kept() -> object:
        """Scan with everything that a long one needs: a new store, and a bar on a terminal."""
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.dict(os.environ, {"CI": ""}),
            contextlib.redirect_stderr(_Terminal()),
        ):
            return model.scan(
                lam=lam, alpha=alpha, Delta=1.0, rho=0.5, n_jobs=2, store=f"{folder}/s.sqlite"
            )

    def blocks(first: int = 0, step: int = 1) -> None:
        for line in lines[first::step]:
            system.solve_block(line, chain=True)

    def control(_: int = 0) -> object:
        return hashlib.pbkdf2_hmac("sha256", b"control", b"salt", control_rounds)

    timings = interleave(
        {
            "scan 1": lambda: scan(1),
            "scan 2": lambda: scan(2),
            "kept": kept,
            "block 1": blocks,
            "block 2": lambda: _on_two(lambda k: blocks(k, 2)),
            "control 1": control,
            "control 2": lambda: _on_two(control),
        },
        rounds,
    )
    results = [system.solve_block(line, chain=True) for line in lines]
    dataset = model.scan(lam=lam, alpha=alpha, Delta=1.0, rho=0.5, progress=False)
    converged = SolveStatus.CONVERGED
    certified = int(np.sum(dataset["status"].values == converged))
    error = max(float(np.max(r.error / np.maximum(np.abs(r.x), 1e-2))) for r in results)
    points = side * side
    scan_gain = timings["scan 1"].best / timings["scan 2"].best
    block_gain = timings["block 1"].best / timings["block 2"].best
    given = 2 * timings["control 1"].best / timings["control 2"].best
    kept_ratio = timings["kept"].best / timings["scan 2"].best
    wall, limit = timings["scan 2"].best, 0.5 * points / 10_000
    return [
        Row(
            f"`scan` of {points:,} points, two threads",
            f"{human(wall)} (processor: {human(timings['scan 2'].best_cpu)}; {certified:,} "
            f"certified, worst relative error {error:.0e})",
            f"< {human(limit)}",
            wall < limit,
        ),
        Row(
            "`scan` with a store and a progress bar: against without",
            f"{kept_ratio:.2f} times ({human(timings['kept'].best)})",
            "≤ 2",
            kept_ratio <= 2,
        ),
        Row("`scan`, one thread", human(timings["scan 1"].best)),
        Row("`scan`: two threads against one", f"{scan_gain:.2f} times", "≥ 1.8", scan_gain >= 1.8),
        Row(
            "`solve_block` a row at a time, two threads",
            f"{human(timings['block 2'].best)} (processor: {human(timings['block 2'].best_cpu)})",
        ),
        Row("`solve_block`, one thread", human(timings["block 1"].best)),
        Row(
            "`solve_block`: two threads against one",
            f"{block_gain:.2f} times",
            "≥ 1.8",
            block_gain >= 1.8,
        ),
        Row("plain C (SHA-256): two threads against one", f"{given:.2f} times"),
    ]
