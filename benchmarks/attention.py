"""Factored attention: boxes for three colours against NumPy, a sample of points for ten."""

from __future__ import annotations

import replica
from benchmarks import plain_attention
from benchmarks.table import Row
from benchmarks.timing import human, interleave

POINT = {"alpha": 2.0, "lam": 0.1, "rho": 9.0}
TITLES = {"star": "star of three colours", "directed": "three colours in a uniform context"}


def attention(samples: int = 16_384, rounds: int = 3, nodes: int = 40) -> list[Row]:
    """Time the training of attention on both laws of the data.

    Parameters
    ----------
    samples : int
        Points of the average over nine variables.
    rounds, nodes : int
    """
    rows = []
    for labels, title in TITLES.items():
        model = replica.load(f"potts-{labels}-3")
        timings = interleave(
            {
                "ours": lambda model=model: model.solve(**POINT),
                "plain": lambda labels=labels: plain_attention.solve(labels, **POINT, nodes=nodes),
            },
            rounds,
        )
        exact = model.solve(**POINT)
        plain, iterations = plain_attention.solve(labels, **POINT, nodes=nodes)
        difference = max(abs(plain[n] / exact[n] - 1) for n in plain)
        rows += [
            Row(f"{title}, certified to 1e-10", human(timings["ours"].best)),
            Row(
                f"the same in vectorised NumPy, {nodes}x{nodes} Gauss-Hermite nodes",
                f"{human(timings['plain'].best)} ({iterations} iterations; differs by "
                f"{difference:.0e})",
            ),
            Row("NumPy / replica", f"{timings['plain'].best / timings['ours'].best:.1f}"),
        ]
    ten = replica.load("potts-star-10")
    settings = replica.SolverSettings(samples=samples)
    timing = interleave({"ten": lambda: ten.solve(**POINT, settings=settings)}, 1)["ten"]
    sampled = ten.solve(**POINT, settings=settings)
    error = sampled.error["q"] / sampled["q"]
    rows.append(
        Row(
            f"star of ten colours, {samples:,} points",
            f"{human(timing.best)} (standard error of q: {error:.2%})",
        )
    )
    return rows
