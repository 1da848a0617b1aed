"""Capacities of measured manifolds for readouts with a threshold or with contexts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from replica.declare.manifolds import Contexts
from replica.declare.real_numbers import real_expression, real_value
from replica.declare.shapes import PointCloud
from replica.errors import DeclarationError, ParameterError
from replica.evaluate.context_samples import CloudRegions, Labels, RegionAverage
from replica.evaluate.contexts import correlation_matrix, region_averages, symmetric_root
from replica.evaluate.measured import own_settings
from replica.evaluate.samples import Estimate, Sample
from replica.evaluate.settings import CapacitySettings
from replica.evaluate.threads import cores, single_threaded_algebra
from replica.evaluate.threshold import sparse_load


def readout_capacity(
    clouds: Sequence[PointCloud],
    margin: float,
    settings: CapacitySettings,
    positive_fraction: float | None = None,
    contexts: Contexts | None = None,
) -> Estimate:
    """Return the capacity of a readout that has one threshold, or contexts, for all manifolds.

    Raises
    ------
    DeclarationError, ParameterError
        If the fraction is none, or there are no such context vectors.
    ConvergenceError
        If no best threshold is found.
    """
    fraction = None
    if positive_fraction is not None:
        given = real_expression(positive_fraction, "positive_fraction")
        fraction = real_value(given, {}, "positive_fraction")
        if not 0 < fraction < 1:
            raise ParameterError(f"positive_fraction = {fraction:g} is not between 0 and 1.")
    own = [own_settings(settings, index) for index in range(len(clouds))]
    with single_threaded_algebra(), ThreadPoolExecutor(min(cores(), len(clouds))) as executor:
        if contexts is not None:
            if not isinstance(contexts, Contexts):
                raise DeclarationError(
                    f"contexts: expected Contexts(count, correlation), got {contexts!r}."
                )
            correlations = correlation_matrix(contexts, {})
            root = symmetric_root(correlations)

            def region(index: int) -> CloudRegions:
                # Not kept: it holds the fields of all points.
                return CloudRegions(clouds[index], root, own[index])

            regions = _ManyRegions(region, len(clouds), executor)
            load = region_averages(regions, margin, correlations, fraction).busiest.load
        else:
            samples = [Sample(cloud, s) for cloud, s in zip(clouds, own, strict=True)]
            many = _ManySamples(samples, executor)
            load = (
                many.distance([(1.0, margin)])
                if fraction is None
                else sparse_load(many, margin, fraction).load
            )
    return Estimate(1 / load.value, load.error / load.value**2)


def _together(parts: Sequence[Estimate]) -> Estimate:
    """Return the mean of independent estimates."""
    error = math.sqrt(sum(e.error**2 for e in parts)) / len(parts)
    return Estimate(float(np.mean([e.value for e in parts])), error)


class _ManySamples:
    """Averages over samples of many manifolds."""

    def __init__(self, samples: Sequence[Sample], executor: ThreadPoolExecutor) -> None:
        self.samples, self.executor = samples, executor

    def distance(self, terms: list[tuple[float, float]]) -> Estimate:
        return _together(list(self.executor.map(lambda s: s.distance(terms), self.samples)))

    def multiplier(self, terms: list[tuple[float, float]]) -> Estimate:
        return _together(list(self.executor.map(lambda s: s.multiplier(terms), self.samples)))


class _ManyRegions:
    """Regions of many manifolds, averaged."""

    def __init__(
        self, region: Callable[[int], CloudRegions], count: int, executor: ThreadPoolExecutor
    ) -> None:
        self.region, self.count, self.executor = region, count, executor

    def average(self, signs: tuple[int, ...], labels: Labels) -> RegionAverage:
        def one(index: int) -> RegionAverage:
            return self.region(index).average(signs, labels)

        parts: list[Any] = list(self.executor.map(one, range(self.count)))
        return RegionAverage(
            _together([p.estimate for p in parts]),
            float(np.mean([p.plain for p in parts])),
            np.mean([p.slopes for p in parts], axis=0),
            max(p.violation for p in parts),
        )
