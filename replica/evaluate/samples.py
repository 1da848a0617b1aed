"""Averages over a fixed sample of Gaussian vectors, with standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.declare.shapes import Shape
from replica.evaluate.projections import Projections, project
from replica.evaluate.settings import CapacitySettings

Array = NDArray[np.float64]


def gaussian_vectors(count: int, components: int, seed: int) -> Array:
    """Return the sample of a seed, one vector a row, the component of the centre first."""
    vectors: Array = np.random.default_rng(seed).standard_normal((count, components))
    return vectors


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error."""

    value: float
    error: float


class Sample:
    """Projections of one sample of vectors for one shape, at any margin."""

    def __init__(self, shape: Shape, settings: CapacitySettings) -> None:
        self.shape, self.settings = shape, settings
        self.dimension = int(shape.dimension)
        self.vectors = gaussian_vectors(settings.samples, self.dimension + 1, settings.seed)
        self._at = lru_cache(maxsize=2)(self._project)

    def at(self, margin: float) -> Projections:
        """Return the projections at a margin."""
        return self._at(float(margin))

    def _project(self, margin: float) -> Projections:
        return project(self.shape, self.vectors, margin)

    def distance(self, terms: list[tuple[float, float]]) -> Estimate:
        """Return the average of a combination of squared distances.

        Parameters
        ----------
        terms : list of (weight, margin)
        """
        plain, stein = np.zeros(len(self.vectors)), np.zeros(len(self.vectors))
        for weight, margin in terms:
            found = self.at(margin)
            plain += weight * found.distance
            stein += weight * (found.divergence + margin * found.multiplier)
        if self.settings.estimator == "distance":
            return mean(plain)
        return controlled(stein, plain, self.vectors)

    def multiplier(self, terms: list[tuple[float, float]]) -> Estimate:
        """Return the average of a combination of multipliers."""
        return mean(sum(w * self.at(k).multiplier for w, k in terms))


def mean(values: Any) -> Estimate:
    """Return the mean of independent values."""
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))


def controlled(stein: Array, plain: Array, vectors: Array) -> Estimate:
    """Return the common mean of two estimators, less what correlates with known averages.

    Both have the same mean (Stein's identity), so that their difference is one control variate;
    the others are the length of the vector and moments of its first component.
    """
    t0 = vectors[:, 0]
    controls = np.column_stack([
        plain - stein, np.square(vectors).sum(axis=1) - vectors.shape[1], t0, t0**2 - 1
    ])  # fmt: skip
    design = np.column_stack([np.ones(len(stein)), controls])
    weights = np.linalg.lstsq(design, stein, rcond=None)[0]
    rest = stein - design @ weights
    spread = np.sqrt(np.square(rest).sum() / max(len(stein) - design.shape[1], 1))
    return Estimate(float(weights[0]), float(spread / np.sqrt(len(stein))))


def geometry(found: Projections, vectors: Array) -> dict[str, Estimate]:
    """Return radius and dimension of the anchor points, by two definitions each.

    ``radius`` and ``dimension`` are ``sqrt(E|s|^2)`` and ``E (t.s/|s|)^2``;
    ``radius_about_mean`` and ``dimension_by_overlap`` are ``sqrt(E|s - E s|^2)`` and
    ``D (E t.s/(|t| |s|))^2``.
    """
    t, s = vectors[:, 1:], found.anchor
    squares = np.square(s).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        along = np.where(squares > 0, (t * s).sum(axis=1) / np.sqrt(squares), 0.0)
        cosine = along / np.sqrt(np.square(t).sum(axis=1))
    about = np.square(s - s.mean(axis=0)).sum(axis=1)
    overlap = mean(cosine)
    dimension = t.shape[1]
    return {
        "radius": _root(mean(squares)),
        "dimension": mean(along**2),
        "radius_about_mean": _root(mean(about)),
        "dimension_by_overlap": Estimate(
            dimension * overlap.value**2, 2 * dimension * abs(overlap.value) * overlap.error
        ),
        "interior": mean(found.interior.astype(float)),
    }


def _root(estimate: Estimate) -> Estimate:
    root = float(np.sqrt(estimate.value))
    return Estimate(root, estimate.error / (2 * root) if root > 0 else 0.0)
