r"""Contexts: the average over the region of a manifold that is busiest.

``K`` Gaussian context vectors cut a manifold into regions ``c``; the weights of a context see the
part of the manifold that lies in its region only (Mignacco, Chou & Chung, arXiv:2405.06851), and
the context with the largest average sets the capacity. Reversing all vectors reverses ``c``, so
that one of each pair of opposite regions is enough.

With sparse labels every context has a threshold ``b`` and components ``a`` of its weights along the
context vectors (for unbiased labels both vanish). With ``s^2 = 1 + a.Phi a`` the squared norm of
the weights, that of the part across the context vectors being one, the average

    f E d^2(T + a.R, K^c(s margin + b)) + (1 - f) E d^2(T - a.R, K^c(s margin - b))

is convex in ``(a, b)``, and its minimum is what the context can do.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy import integrate, optimize, special, stats

from replica.declare.manifolds import MOST_CONTEXTS, Contexts
from replica.declare.real_numbers import real_value
from replica.declare.shapes import Ball, Point, PointCloud, Shape
from replica.errors import ConvergenceError, ParameterError
from replica.evaluate.context_samples import (
    BallRegions,
    CloudRegions,
    Labels,
    RegionAverage,
    RegionSample,
)
from replica.evaluate.samples import Estimate
from replica.evaluate.settings import CapacitySettings
from replica.evaluate.shape_averages import shape_averages
from replica.evaluate.threshold import sparse_load

Array = NDArray[np.float64]
#: Slopes of the average in threshold and components that count as zero.
_FLAT = 1e-8
#: Distance over which the curvature is measured.
_STEP = 1e-3
_ZERO = Estimate(0.0, 0.0)


@dataclass(frozen=True)
class RegionLoad:
    """What a region takes of the capacity.

    Attributes
    ----------
    load : Estimate
        Average squared distance.
    threshold : Estimate
        Best threshold of the readout there, zero for unbiased labels.
    component : Estimate
        Norm of the weights along the context vectors, in units of that across.
    """

    load: Estimate
    threshold: Estimate = _ZERO
    component: Estimate = _ZERO


@dataclass(frozen=True)
class ContextAverages:
    """Averages of the squared distance in each region, up to reversal.

    Attributes
    ----------
    regions : dict of tuple of int to RegionLoad
        By the signs of the region.
    violation : float
        Largest relative violation of the conditions of optimality.
    """

    regions: dict[tuple[int, ...], RegionLoad]
    violation: float = 0.0

    @property
    def busiest(self) -> RegionLoad:
        """The one with the largest load."""
        return max(self.regions.values(), key=lambda region: region.load.value)


def correlation_matrix(
    contexts: Contexts, values: Mapping[sp.Symbol, float], what: str = "contexts"
) -> Array:
    """Return the correlations of the context vectors at values of parameters.

    Raises
    ------
    ParameterError
        If their number is no small whole number, or there are no vectors with these correlations.
    """
    count = real_value(contexts.count, values, f"{what}: the number of contexts")
    if not (count == int(count) and 1 <= count <= MOST_CONTEXTS):
        raise ParameterError(
            f"{what}: the number of context vectors must be a whole number from 1 to "
            f"{MOST_CONTEXTS}, got {count:g}."
        )
    given, entry = contexts.correlation, f"{what}: a correlation of contexts"
    if isinstance(given, sp.MatrixBase):
        entries = [real_value(e, values, entry) for e in given]
        matrix = np.reshape(np.array(entries, dtype=float), given.shape)
    else:
        matrix = np.full((int(count), int(count)), real_value(given, values, entry))
        np.fill_diagonal(matrix, 1.0)
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest < -1e-12:
        raise ParameterError(
            f"{what}: {count:g} vectors cannot have the correlations {matrix[0, -1]:g}: the matrix "
            f"has the negative eigenvalue {smallest:.3g}."
        )
    return matrix


def context_averages(
    shape: Shape,
    margin: float,
    correlations: Array,
    settings: CapacitySettings,
    fraction: float | None = None,
) -> ContextAverages:
    """Return the averages of the regions for a shape with numbers in the place of parameters.

    Parameters
    ----------
    shape : Shape
    margin : float
    correlations : array, shape (vectors, vectors)
    settings : CapacitySettings
    fraction : float, optional
        Of positive labels, where they are sparse.
    """
    root = symmetric_root(correlations)
    sample: RegionSample
    if isinstance(shape, PointCloud):
        sample = CloudRegions(shape, root, settings)
    elif isinstance(shape, Ball):
        sample = BallRegions(shape, root, settings)
    else:
        return _point(margin, correlations, fraction)
    return region_averages(sample, margin, correlations, fraction)


def _regions(count: int) -> list[tuple[int, ...]]:
    return [(1, *rest) for rest in itertools.product((1, -1), repeat=count - 1)]


def _point(margin: float, correlations: Array, fraction: float | None) -> ContextAverages:
    """Return the share of points in each region times the load of all of them.

    Components along the context vectors would be a random part of the threshold, which is of no use
    as the load is a convex function of it.
    """
    over = shape_averages(Point(), CapacitySettings())
    if fraction is None:
        load, threshold = over.distance([(1.0, margin)]), _ZERO
    else:
        best = sparse_load(over, margin, fraction)
        load, threshold = best.load, best.threshold
    shares = {
        signs: orthant_probability(correlations, np.array(signs))
        for signs in _regions(len(correlations))
    }
    return ContextAverages({
        signs: RegionLoad(
            Estimate(share * load.value, share * load.error + error * load.value), threshold
        )
        for signs, (share, error) in shares.items()
    })  # fmt: skip


def region_averages(
    sample: RegionSample, margin: float, correlations: Array, fraction: float | None = None
) -> ContextAverages:
    """Return the averages of the regions over a sample; see `context_averages`.

    Raises
    ------
    ConvergenceError
        If no best threshold is found.
    """
    # Independent vectors can be reversed one by one: all regions have one law.
    alike = np.array_equal(correlations, np.eye(len(correlations)))
    found: dict[tuple[int, ...], RegionLoad] = {}
    best: _Best | None = None
    violation = 0.0
    for signs in _regions(len(correlations)):
        turned = correlations * np.outer(signs, signs)
        if fraction is None:
            best = _Best(np.zeros(len(signs) + 1), _ZERO, _ZERO, 0.0)
        elif best is None or not alike:
            best = _minimise(_Region(sample, signs, margin, turned, fraction))
        region = _Region(sample, signs, margin, turned, fraction)
        average = region.average(best.x)
        found[signs] = RegionLoad(average.estimate, best.threshold, best.component)
        violation = max(violation, average.violation, best.slope)
    if alike:
        values = [region.load.value for region in found.values()]
        error = math.sqrt(sum(r.load.error**2 for r in found.values())) / len(values)
        one = next(iter(found.values()))
        load = Estimate(float(np.mean(values)), error)
        found = dict.fromkeys(found, RegionLoad(load, one.threshold, one.component))
    return ContextAverages(found, violation)


@dataclass(frozen=True)
class _Region:
    """The average of one region, as a function of the components and the threshold."""

    sample: RegionSample
    signs: tuple[int, ...]
    margin: float
    turned: Array
    fraction: float | None

    def average(self, x: Array) -> RegionAverage:
        f = self.fraction
        terms = [(1.0, 1)] if f is None else [(f, 1), (1 - f, -1)]
        norm = math.sqrt(1 + x[:-1] @ self.turned @ x[:-1])
        return self.sample.average(self.signs, Labels(terms, norm * self.margin, x[:-1], x[-1]))

    def slopes(self, x: Array, average: RegionAverage) -> Array:
        """Return independent values whose mean is the gradient."""
        by_margin = self.margin * (self.turned @ x[:-1])
        by_margin /= math.sqrt(1 + x[:-1] @ self.turned @ x[:-1])
        rows = average.slopes[:, :-1].copy()
        rows[:, :-1] += average.slopes[:, -1:] * by_margin
        return rows

    def value(self, x: Array) -> tuple[float, Array]:
        average = self.average(x)
        return average.plain, self.slopes(x, average).mean(axis=0)


@dataclass(frozen=True)
class _Best:
    """Where the average of a region is least."""

    x: Array
    threshold: Estimate
    component: Estimate
    slope: float


def _minimise(region: _Region) -> _Best:
    """Minimise over the components and the threshold, of which the average is a convex function.

    The plain mean of a sample is a smooth function too, with an exact gradient. The errors of the
    place are those of the gradient, through the curvature.
    """
    size = len(region.signs) + 1
    found = optimize.minimize(
        region.value, np.zeros(size), jac=True, method="BFGS", options={"gtol": _FLAT / 10}
    )
    slope = float(np.abs(found.jac).max())
    if not slope < _FLAT:
        raise ConvergenceError(
            f"contexts: no best threshold was found (the average has the slope {slope:.1e}): the "
            "labels are too sparse for the sample."
        )
    rows = region.slopes(found.x, region.average(found.x))
    steps = _STEP * np.eye(size)
    curvature = np.array([
        (region.value(found.x + step)[1] - region.value(found.x - step)[1]) / (2 * _STEP)
        for step in steps
    ])  # fmt: skip
    inverse = np.linalg.pinv((curvature + curvature.T) / 2)
    spread = inverse @ np.atleast_2d(np.cov(rows.T)) @ inverse / len(rows)
    along, errors = found.x[:-1], np.sqrt(np.diag(spread))
    norm = math.sqrt(along @ region.turned @ along)
    own = math.sqrt(max(np.trace(region.turned @ spread[:-1, :-1]), 0.0))
    threshold = Estimate(float(found.x[-1]), float(errors[-1]))
    return _Best(found.x, threshold, Estimate(norm, own), slope)


def orthant_probability(correlations: Array, signs: NDArray[np.int_]) -> tuple[float, float]:
    """Probability that correlated Gaussian variables have given signs, and its error."""
    count = len(correlations)
    pairs = np.triu_indices(count, 1)
    common = float(correlations[pairs][0]) if count > 1 else 0.0
    if count > 3 and np.all(correlations[pairs] == common) and 0 <= common < 1:
        slope = math.sqrt(common / (1 - common))
        value, error = integrate.quad(
            lambda z: math.exp(-z * z / 2) * special.ndtr(signs * slope * z).prod(),
            -12, 12, epsabs=1e-14, epsrel=1e-12, limit=400, points=[0.0],
        )  # fmt: skip
        return value / math.sqrt(2 * math.pi), error
    turned = correlations * np.outer(signs, signs)
    if count <= 3:
        angles = float(np.arcsin(np.clip(turned[pairs], -1, 1)).sum())
        return 2.0**-count + angles / (2 ** (count - 1) * math.pi), 1e-16
    law = stats.multivariate_normal(
        np.zeros(count), turned, allow_singular=True, seed=0, abseps=1e-7, maxpts=10**6
    )
    return float(law.cdf(np.zeros(count))), 1e-6


def symmetric_root(correlations: Array) -> Array:
    """Return the symmetric root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(correlations)
    root: Array = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    return root
