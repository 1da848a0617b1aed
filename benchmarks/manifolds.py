"""Capacity of point clouds: quadratic programs in batches against one at a time."""

from __future__ import annotations

import math
import resource
import sys
import time

import numpy as np

from benchmarks import qp_loop
from benchmarks.table import Row
from benchmarks.timing import human, interleave
from replica import CapacitySettings, PointCloud, measure_manifolds
from replica.evaluate.samples import Sample
from replica.evaluate.threads import single_threaded_algebra

#: Points, dimensions and radius of the clouds.
CLOUDS = ((10, 5, 1.0), (50, 20, 0.5), (200, 50, 1.0))


def manifolds(
    loop_samples: int = 4000, rounds: int = 3, large: tuple[int, int, int] = (100, 500, 1000)
) -> list[Row]:
    """Compare the cost of one standard error, and measure many large manifolds.

    Parameters
    ----------
    loop_samples : int
        Programs that the loops solve.
    rounds : int
    large : tuple of int
        Manifolds, points and dimensions of the large measurement.
    """
    rows: list[Row] = []
    for points, dimension, radius in CLOUDS:
        with single_threaded_algebra():
            rows += _one_cloud(points, dimension, radius, loop_samples, rounds)
    return [*rows, _large(*large)]


def _one_cloud(points: int, dimension: int, radius: float, samples: int, rounds: int) -> list[Row]:
    random = np.random.default_rng(0)
    cloud = PointCloud(radius / math.sqrt(dimension) * random.standard_normal((points, dimension)))
    generators = cloud.generators()
    _, wanted = qp_loop.capacity(generators, samples, 1, qp_loop.least_squares)
    few = 128
    while _error(cloud, few) > wanted:
        few *= 2
    candidates = {"batched": lambda: _error(cloud, few)}
    names = {"SciPy nnls": qp_loop.least_squares, "CVXOPT": qp_loop.interior_point()}
    for name, distance in names.items():
        if distance is not None:
            candidates[name] = lambda distance=distance: qp_loop.capacity(
                generators, samples, 1, distance
            )
    timings = interleave(candidates, rounds)
    own = timings.pop("batched").best_cpu
    what = f"{points} points in {dimension} dimensions, standard error {wanted:.2g} of 1/alpha"
    return [
        Row(
            f"{what}: a loop of {samples} programs by {name} against {few} in a batch",
            f"{human(timing.best_cpu)} / {human(own)} = {timing.best_cpu / own:.0f}",
            "at least 10",
            timing.best_cpu / own >= 10,
        )
        for name, timing in timings.items()
    ]


def _error(cloud: PointCloud, samples: int) -> float:
    # Without the products that a cloud keeps: each run starts anew.
    fresh = PointCloud(cloud.array)
    return Sample(fresh, CapacitySettings(samples=samples, seed=1)).distance([(1.0, 0.0)]).error


def _large(count: int, points: int, dimensions: int) -> Row:
    random = np.random.default_rng(0)
    rank = min(60, dimensions // 2)

    def manifold() -> np.ndarray:
        centre = random.standard_normal((1, dimensions))
        axes = random.standard_normal((rank, dimensions)) / math.sqrt(rank)
        noise = 0.3 * random.standard_normal((points, dimensions))
        return centre + 0.6 * random.standard_normal((points, rank)) @ axes + noise

    clouds = [manifold() for _ in range(count)]
    begin, begin_cpu = time.perf_counter(), time.process_time()
    found = measure_manifolds(clouds, settings=CapacitySettings(samples=128))
    wall, cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    error = found.error["capacity"] / found["capacity"]
    # Of the whole process, with the data themselves.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Row(
        f"{count} manifolds of {points} points in {dimensions} dimensions, 128 programs each",
        f"{human(wall)} ({human(cpu)} of processors), relative standard error {error:.1e}, "
        f"{peak / 1e9:.1f} GB at most ({8 * count * points * dimensions / 1e9:.1f} GB of data)",
    )
