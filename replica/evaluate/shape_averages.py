"""Averages of any shape at any margin: by quadrature where there is one, by sampling elsewhere."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Protocol

import numpy as np

from replica.declare.shapes import Ball, Ellipsoid, L1Ball, Point, Shape
from replica.evaluate.averages import Averages
from replica.evaluate.balls import ball_averages, point_averages
from replica.evaluate.cross_polytopes import cross_polytope_distance
from replica.evaluate.ellipsoids import ellipsoid_averages
from replica.evaluate.samples import Estimate, Sample, geometry
from replica.evaluate.settings import CapacitySettings

#: Outputs that describe the anchor points.
GEOMETRY = ("radius", "dimension", "radius_about_mean", "dimension_by_overlap", "interior")
Terms = list[tuple[float, float]]


class ShapeAverages(Protocol):
    """Averages over the Gaussian vector for one shape.

    ``terms`` are pairs of a weight and a margin: the combination has its own error, which is less
    than the sum where one sample serves all of them.
    """

    @property
    def sampled(self) -> bool:
        """Whether the errors are standard errors."""

    @property
    def evaluations(self) -> int:
        """Vectors projected, or nodes used."""

    def distance(self, terms: Terms) -> Estimate:
        """Average of a combination of squared distances."""

    def multiplier(self, terms: Terms) -> Estimate:
        """Average of a combination of multipliers."""

    def geometry(self, margin: float) -> dict[str, Estimate]:
        """Averages over anchor points, named as in `GEOMETRY`."""

    def violation(self, margin: float) -> float:
        """Largest relative violation of the conditions of optimality."""


def shape_averages(shape: Shape, settings: CapacitySettings) -> ShapeAverages:
    """Return what evaluates averages for a shape with numbers in the place of parameters."""
    if isinstance(shape, L1Ball) or not isinstance(shape, (Point, Ball, Ellipsoid)):
        return _Sampled(shape, settings)
    return _Integrated(shape, settings)


class _Integrated:
    def __init__(self, shape: Shape, settings: CapacitySettings) -> None:
        self.shape, self.settings = shape, settings
        self.evaluations = 0
        self.at = lru_cache(maxsize=8)(self._evaluate)
        radii = [r for r in shape.radii if r > 0] if isinstance(shape, Ellipsoid) else []
        self.sampled = len(radii) > 2 and np.ptp(radii) > 0

    def _evaluate(self, margin: float) -> Averages:
        shape = self.shape
        if isinstance(shape, Ball):
            found = ball_averages(float(shape.radius), float(shape.dimension), margin)
        elif isinstance(shape, Ellipsoid):
            found = ellipsoid_averages(np.array(shape.radii, dtype=float), margin, self.settings)
        else:
            found = point_averages(margin)
        self.evaluations += found.evaluations
        return found

    def _combined(self, name: str, terms: Terms) -> Estimate:
        parts = [(w, self.at(float(k))) for w, k in terms]
        value = sum(w * getattr(a, name) for w, a in parts)
        return Estimate(value, sum(abs(w) * a.error[name] for w, a in parts))

    def distance(self, terms: Terms) -> Estimate:
        return self._combined("distance", terms)

    def multiplier(self, terms: Terms) -> Estimate:
        return self._combined("multiplier", terms)

    def geometry(self, margin: float) -> dict[str, Estimate]:
        found = self.at(float(margin))
        radius = math.sqrt(found.radius_squared)
        error = found.error["radius_squared"] / (2 * radius) if radius else 0.0
        # Anchors have mean zero by symmetry.
        about = Estimate(radius, error)
        full = float(self.shape.dimension)
        return {
            "radius": about,
            "dimension": Estimate(found.dimension, found.error["dimension"]),
            "radius_about_mean": about,
            "dimension_by_overlap": Estimate(
                full * found.overlap**2, 2 * full * found.overlap * found.error["overlap"]
            ),
            "interior": Estimate(found.interior, found.error["interior"]),
        }

    def violation(self, margin: float) -> float:
        return 0.0


class _Sampled:
    sampled = True

    def __init__(self, shape: Shape, settings: CapacitySettings) -> None:
        self.shape, self.sample = shape, Sample(shape, settings)
        self.evaluations = settings.samples

    def distance(self, terms: Terms) -> Estimate:
        if isinstance(self.shape, L1Ball) and all(k == 0 for _, k in terms):
            weight = sum(w for w, _ in terms)
            exact = cross_polytope_distance(float(self.shape.radius), self.sample.dimension)
            return Estimate(weight * exact[0], abs(weight) * exact[1])
        return self.sample.distance(terms)

    def multiplier(self, terms: Terms) -> Estimate:
        return self.sample.multiplier(terms)

    def geometry(self, margin: float) -> dict[str, Estimate]:
        return geometry(self.sample.at(margin), self.sample.vectors)

    def violation(self, margin: float) -> float:
        return self.sample.at(margin).violation
