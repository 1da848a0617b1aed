"""Associative memories: certified solutions against the same equations in vectorised NumPy."""

from __future__ import annotations

import numpy as np

import replica
from benchmarks import plain_memories
from benchmarks.table import Row
from benchmarks.timing import human, interleave


def memories(side: int = 40, d: float = 40.0, rounds: int = 3) -> list[Row]:
    """Time retrieval on a grid, reconstruction along a line, and the capacity of factual recall.

    Parameters
    ----------
    side : int
        Points along each axis of the grid, and a tenth of those of the line.
    d : float
        Dimension of the vectors that are recalled.
    rounds : int
    """
    hopfield = replica.load("hopfield")
    reading = replica.load("memory-reconstruction-rademacher")
    recall = replica.load("factual-recall")
    T, alpha = np.linspace(0.1, 0.5, side), np.linspace(0.005, 0.05, side)
    grid = [a.ravel() for a in np.meshgrid(T, alpha, indexing="ij")]
    Delta = np.linspace(0.05, 0.8, 10 * side)
    timings = interleave(
        {
            "retrieval": lambda: hopfield.scan(T=T, alpha=alpha, progress=False),
            "plain retrieval": lambda: plain_memories.hopfield(*grid),
            "reading": lambda: reading.scan(nu=np.sqrt(Delta), tau=-100, progress=False),
            "plain reading": lambda: plain_memories.reconstruction(Delta),
            "recall": lambda: recall.solve(d=d),
            "plain recall": lambda: plain_memories.stored_pairs(d),
        },
        rounds,
    )
    retrieved, rounds_m = plain_memories.hopfield(*grid)
    ours = hopfield.scan(T=T, alpha=alpha, progress=False)
    read, rounds_a = plain_memories.reconstruction(Delta)
    ours_read = reading.scan(nu=np.sqrt(Delta), tau=-100, progress=False)
    pairs, plain_pairs = recall.solve(d=d)["p"], plain_memories.stored_pairs(d)
    certified = int((ours.status == 0).sum()), int((ours_read.status == 0).sum())
    differences = (
        np.abs(ours["m"].transpose("T", "alpha").values.ravel() - retrieved).max(),
        np.abs(ours_read["q"].values.ravel() - read).max(),
        abs(pairs - plain_pairs) / pairs,
    )
    what = (
        (f"Hopfield, {side**2:,} points, {certified[0]:,} certified", "retrieval",
         f"{rounds_m} iterations of all; "),
        (f"memory reconstruction, {10 * side} noises, {certified[1]} certified", "reading",
         f"{rounds_a} iterations of all; "),
        (f"factual recall, pairs at d = {d:g}, certified", "recall", ""),
    )  # fmt: skip
    rows: list[Row] = []
    for (title, key, note), difference in zip(what, differences, strict=True):
        own, plain = timings[key].best, timings[f"plain {key}"].best
        rows += [
            Row(title, human(own)),
            Row("the same in vectorised NumPy", f"{human(plain)} ({note}differs by "
                f"{difference:.0e})"),
            Row("NumPy / replica", f"{plain / own:.1f}"),
        ]  # fmt: skip
    return rows
