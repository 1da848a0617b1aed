"""Several classes: boxes for three of them against NumPy, a sample of points for ten."""

from __future__ import annotations

from typing import Any

import replica
from benchmarks import plain_softmax
from benchmarks.table import Row
from benchmarks.timing import human, interleave


def classes(samples: int = 16_384, rounds: int = 3, nodes: int = 60) -> list[Row]:
    """Time softmax regression on labels of a teacher.

    Parameters
    ----------
    samples : int
        Points of the average over nine variables.
    rounds, nodes : int
    """
    point = {"alpha": 2.0, "lam": 0.1}
    three = replica.load("multiclass-cross-entropy-3")
    ten = replica.load("multiclass-cross-entropy-10")
    settings = replica.SolverSettings(samples=samples)
    timings = interleave(
        {
            "ours": lambda: three.solve(**point),
            "plain": lambda: plain_softmax.solve(point["alpha"], point["lam"], nodes),
        },
        rounds,
    )
    found: dict[str, Any] = {}

    def many_ours() -> None:
        found["ours"] = ten.solve(**point, settings=settings)

    def many_plain() -> None:
        found["plain"] = plain_softmax.solve_many(point["alpha"], point["lam"], 10, samples)

    many = interleave({"ours": many_ours, "plain": many_plain}, 1)
    exact = three.solve(**point)
    plain, iterations = plain_softmax.solve(point["alpha"], point["lam"], nodes)
    difference = max(abs(plain[n] / exact[n] - 1) for n in plain)
    sampled, (alike, steps) = found["ours"], found["plain"]
    error = sampled.error["q"] / sampled["q"]
    apart = abs(alike["q"] / sampled["q"] - 1)
    return [
        Row(
            "three classes, cross-entropy, certified to 1e-10",
            human(timings["ours"].best),
            "< 1 s",
            timings["ours"].best < 1,
        ),
        Row(
            f"the same in vectorised NumPy, {nodes}x{nodes} Gauss-Hermite nodes",
            f"{human(timings['plain'].best)} ({iterations} iterations; differs by "
            f"{difference:.0e})",
        ),
        Row("NumPy / replica", f"{timings['plain'].best / timings['ours'].best:.1f}"),
        Row(
            f"ten classes, {samples:,} points",
            f"{human(many['ours'].best)} (standard error of q: {error:.1%})",
            "< 5 min",
            many["ours"].best < 300,
        ),
        Row(
            "the same in vectorised NumPy, no standard error",
            f"{human(many['plain'].best)} ({steps} iterations; q differs by {apart:.1%})",
        ),
        Row("NumPy / replica", f"{many['plain'].best / many['ours'].best:.1f}"),
    ]
