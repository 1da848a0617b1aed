"""Scans of a million points: how long, and in how much memory; each in a new interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

from benchmarks.table import Row
from benchmarks.timing import human

_SCAN = """
import json, resource, sys, time
import numpy as np
import replica

name, axes, folder = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
model = replica.load(name)
grid = {k: np.geomspace(*v[:3]) if v[3] else np.linspace(*v[:3]) for k, v in axes.items()}
# A few points first: what is loaded and compiled once is no part of the time or of the memory.
model.scan(**{k: v[:2] for k, v in grid.items()}, out=folder + "/few.nc", progress=False)
unit = 1 if sys.platform == "darwin" else 1024
peak = lambda: unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before, begin = peak(), time.perf_counter()
ds = model.scan(**grid, out=folder + "/scan.nc", progress=False)
seconds = time.perf_counter() - begin
counts = replica.scan.status_counts(ds)
print(json.dumps({"seconds": seconds, "cpu": time.process_time(), "before": before,
                  "peak": peak(), "converged": counts.get("converged", 0)}))
"""

# Axes as first value, last value, and whether logarithmic.
_MODELS = {
    "sherrington-kirkpatrick": {"h": (0.01, 1.0, False), "T": (2.0, 0.3, False)},
    "gaussian-mixture-logistic": {"lam": (1e-3, 1.0, True), "alpha": (0.5, 4.0, False)},
}
_LIMIT, _MEMORY = 300, 100e6


def scale(side: int = 1000) -> list[Row]:
    """Time scans of ``side * side`` points that stream to a store and a file.

    Parameters
    ----------
    side : int
        Points along each of two parameters; a tenth of them is scanned before, to see how the
        memory grows.
    """
    rows = []
    for name, axes in _MODELS.items():
        small, large = (_run(name, axes, (rows_of, side)) for rows_of in (max(2, side // 10), side))
        points = side * side
        grown = large["peak"] - small["peak"]
        rows += [
            Row(
                f"{points:,} points of `{name}`, to a store and a file",
                f"{human(large['seconds'])} (processor: {human(large['cpu'])}; "
                f"{large['converged']:,} certified)",
                f"< {_LIMIT} s",
                large["seconds"] < _LIMIT,
            ),
            Row(
                "memory at most, and before the scan",
                f"{large['peak'] / 1e6:.0f} MB, {large['before'] / 1e6:.0f} MB",
            ),
            Row(
                "memory more than for a tenth of the points",
                f"{grown / 1e6:.0f} MB",
                f"< {_MEMORY / 1e6:.0f} MB",
                grown < _MEMORY,
            ),
        ]
    return rows


def _run(
    name: str, axes: dict[str, tuple[float, float, bool]], counts: tuple[int, int]
) -> dict[str, float]:
    sized = {
        axis: (first, last, count, log)
        for (axis, (first, last, log)), count in zip(axes.items(), counts, strict=True)
    }
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [sys.executable, "-c", _SCAN, name, json.dumps(sized), folder],
            check=True,
            capture_output=True,
            text=True,
        )
    result: dict[str, float] = json.loads(run.stdout)
    return result
