"""Timing on a machine that has other work: alternate the candidates, keep the best of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Timing:
    """Wall and processor seconds of repeated runs of one candidate."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def best(self) -> float:
        """Shortest wall time: what the work takes where nothing disturbs it."""
        return min(self.wall)

    @property
    def best_cpu(self) -> float:
        """Least processor time of all threads."""
        return min(self.cpu)

    @property
    def median(self) -> float:
        """Median wall time: what it took here, with the other work of the machine."""
        return median(self.wall)


def interleave(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Timing]:
    """Run all candidates in turn, several times, so that a busy moment hits them alike.

    Parameters
    ----------
    candidates : mapping
        Names and functions without argument; each is run once more before, untimed.
    rounds : int
    """
    for run in candidates.values():
        run()
    wall: dict[str, list[float]] = {name: [] for name in candidates}
    cpu: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            begin, begin_cpu = time.perf_counter(), time.process_time()
            run()
            wall[name].append(time.perf_counter() - begin)
            cpu[name].append(time.process_time() - begin_cpu)
    return {name: Timing(tuple(wall[name]), tuple(cpu[name])) for name in candidates}


def human(seconds: float) -> str:
    """Write a duration with three digits and its unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
