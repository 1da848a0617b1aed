r"""Averages over the part of a manifold that lies in a region of context vectors, by sampling.

The fields of the context vectors are ``R_k.S``, with a Gaussian matrix ``R`` beside the Gaussian
vector ``T``. Weights have components ``a_k`` along the context vectors and a threshold ``b``: for
the label ``y`` the point nearest to ``T + y a.R`` is asked for, at a margin that ``y b`` is added
to. Slopes in ``a`` and ``b`` follow from the multipliers (envelope theorem).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from replica.declare.shapes import Ball, PointCloud
from replica.errors import ParameterError
from replica.evaluate.projections import polyhedron, project_ball
from replica.evaluate.samples import Estimate, controlled, gaussian_vectors, mean
from replica.evaluate.settings import CapacitySettings

Array = NDArray[np.float64]
_REPLICATES = 16


@dataclass(frozen=True)
class Labels:
    """Labels and the margin at which points with them are asked for.

    Attributes
    ----------
    terms : sequence of (weight, label)
    margin : float
        Without threshold, in units of the weights across the context vectors.
    along : array, shape (vectors,)
        Components of the weights along the context vectors, which are turned into the region.
    threshold : float
    """

    terms: Sequence[tuple[float, int]]
    margin: float
    along: Array
    threshold: float


@dataclass(frozen=True)
class RegionAverage:
    """The average of a region.

    Attributes
    ----------
    estimate : Estimate
    plain : float
        Plain mean of the squared distance, of which the slopes are exact.
    slopes : array, shape (independent values, vectors + 2)
        Whose means are the slopes of the plain mean in ``along``, ``threshold`` and ``margin``.
    violation : float
    """

    estimate: Estimate
    plain: float
    slopes: Array
    violation: float = 0.0


class RegionSample(Protocol):
    """Common random numbers for all regions."""

    def average(self, signs: tuple[int, ...], labels: Labels) -> RegionAverage:
        """Return the average of the region with the given signs of the context fields."""


class CloudRegions:
    """Regions of a point cloud, by quadratic programs."""

    def __init__(self, shape: PointCloud, root: Array, settings: CapacitySettings) -> None:
        self.settings, self.polyhedron = settings, polyhedron(shape)
        generators = shape.generators()
        components, count = generators.shape[1], len(root)
        self.vectors = gaussian_vectors(settings.samples, components, settings.seed)
        random = np.random.default_rng([settings.seed, 1])
        self.contexts = np.empty((len(self.vectors), count, components))
        for part in np.array_split(np.arange(len(self.vectors)), max(1, len(self.vectors) // 1024)):
            self.contexts[part] = root @ random.standard_normal((len(part), count, components))
        self.fields = self.contexts @ generators.T

    def average(self, signs: tuple[int, ...], labels: Labels) -> RegionAverage:
        """Return the average of the region with the given signs of the context fields."""
        count = len(self.vectors)
        plain, stein, violation = np.zeros(count), np.zeros(count), 0.0
        slopes = np.zeros((count, len(signs) + 2))
        # Opposite regions have one law: both are projected, and averaged.
        for way in (1, -1):
            turn = way * np.array(signs)[:, None]
            fields = turn * self.fields
            allowed = np.asarray((fields >= 0).all(axis=1))
            shift = labels.along @ (turn * self.contexts) if labels.along.any() else 0.0
            for weight, label in labels.terms:
                share, margin = weight / 2, labels.margin + label * labels.threshold
                found = self.polyhedron.nearest(self.vectors + label * shift, margin, allowed)
                total = found.multipliers.sum(axis=1)
                pull = np.einsum("nka,na->nk", fields, found.multipliers)
                active = (found.multipliers > 0).sum(axis=1)
                plain += share * found.squared_distances
                stein += share * (active + margin * total - label * (pull @ labels.along))
                slopes += 2 * share * np.column_stack([-label * pull, label * total, total])
                violation = max(violation, float(found.violation.max()))
        if self.settings.estimator == "distance":
            estimate = mean(plain)
        else:
            estimate = controlled(stein, plain, self.vectors)
        return RegionAverage(estimate, float(plain.mean()), slopes, violation)


class BallRegions:
    """Regions of a ball, by projections on its sections, over a randomised Sobol sequence."""

    def __init__(self, shape: Ball, root: Array, settings: CapacitySettings) -> None:
        self.radius, dimension, count = float(shape.radius), float(shape.dimension), len(root)
        if dimension <= count and dimension != int(dimension):
            raise ParameterError(
                f"contexts: a ball of not more than {count} dimensions needs a whole number of "
                f"them, got D = {dimension:g}."
            )
        power = max(4, math.ceil(math.log2(settings.samples / _REPLICATES)))
        random = np.random.default_rng(settings.seed)
        drawn = [_fields(count + 1, dimension, power, random) for _ in range(_REPLICATES)]
        centre, axes = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
        self.t0, self.t = centre[:, -1], axes[:, -1]
        self.r0, self.r = root @ centre[:, :-1, None], root @ axes[:, :-1]

    def average(self, signs: tuple[int, ...], labels: Labels) -> RegionAverage:
        """Return the average of the region with the given signs of the context fields."""
        turn = np.array(signs)[:, None]
        r0, r = turn * self.r0, turn * self.r
        plain, slopes = np.zeros(len(r0)), np.zeros((len(r0), len(signs) + 2))
        for weight, label in labels.terms:
            pull = label * labels.along
            t0, t = self.t0 + r0[..., 0] @ pull, self.t + pull @ r
            margin = labels.margin + label * labels.threshold
            distance, force, fields = _largest(_faces(self.radius, margin, t0, t, r0, r))
            plain += weight * distance
            slopes += (
                2
                * weight
                * np.column_stack([-label * force[:, None] * fields, label * force, force])
            )
        # One value for each of the independent sequences.
        rows = plain.reshape(_REPLICATES, -1).mean(axis=1)
        slopes = slopes.reshape(_REPLICATES, -1, slopes.shape[1]).mean(axis=1)
        return RegionAverage(mean(rows), float(plain.mean()), slopes)


def _fields(
    vectors: int, dimension: float, power: int, random: np.random.Generator
) -> tuple[Array, Array]:
    """Draw Gaussian vectors up to a rotation of the axes of the ball.

    The components of the first are rotated into the first axis, those of the second into the first
    two, and so on (Bartlett's decomposition), so that few random numbers are needed.

    Returns
    -------
    centre : array, shape (samples, vectors)
    axes : array, shape (samples, vectors, min(vectors, dimension))
    """
    width = int(min(vectors, dimension))
    places = [(j, i) for j in range(vectors) for i in range(min(j + 1, width))]
    sobol = stats.qmc.Sobol(vectors + len(places), scramble=True, rng=random)
    uniform = np.clip(sobol.random_base2(power), 1e-15, 1 - 1e-15)
    centre = special.ndtri(uniform[:, :vectors])
    axes = np.zeros((len(uniform), vectors, width))
    for column, (j, i) in enumerate(places, start=vectors):
        if i == j:  # a length; one sign of it is as good as the other but in one dimension
            law = stats.chi(dimension - j)
            axes[:, j, i] = law.ppf(uniform[:, column])
        else:
            axes[:, j, i] = special.ndtri(uniform[:, column])
    return centre, axes


@dataclass(frozen=True)
class _Face:
    """Best anchor among the points of a ball at which some context fields vanish."""

    members: tuple[int, ...]
    distance: Array
    multiplier: Array
    fields: Array
    exists: NDArray[np.bool_]


def _faces(radius: float, margin: float, t0: Array, t: Array, r0: Array, r: Array) -> list[_Face]:
    """Solve the problem on every intersection of the ball with hyperplanes ``r_k.S = 0``.

    The squared distance is the largest ``(margin - T.S)_+^2/|S|^2`` over the region, which is
    quasi-concave: its maximum is the one on the intersection that holds it, so that all
    intersections are tried. Each is a ball again, about the point of it next to the centre.
    """
    count, width = r.shape[1], r.shape[2]
    found = []
    for size in range(min(count, width) + 1):
        for members in itertools.combinations(range(count), size):
            chosen = r[:, members, :]
            if size:
                gram = chosen @ chosen.transpose(0, 2, 1)
                solve = np.linalg.solve(gram, np.concatenate(
                    [-r0[:, members, :], chosen @ t[:, :, None]], axis=2))  # fmt: skip
                inside = (chosen.transpose(0, 2, 1) @ solve).transpose(2, 0, 1)
                nearest, along = inside
            else:
                nearest, along = np.zeros_like(t), np.zeros_like(t)
            left = radius**2 - np.square(nearest).sum(axis=1)
            exists = left >= 0
            across = t - along if size < width else np.zeros_like(t)
            stretch = np.sqrt(1 + np.square(nearest).sum(axis=1))
            vectors = np.column_stack([(t0 + (t * nearest).sum(axis=1)) / stretch, across])
            section = np.sqrt(np.maximum(left, 0)) / stretch
            best = project_ball(section, vectors, margin / stretch)
            anchor = nearest + stretch[:, None] * best.anchor * (size < width)
            fields = r0[..., 0] + (r @ anchor[:, :, None])[..., 0]
            # The squared distance is that of the anchor (1, s) times the squared multiplier.
            multiplier = np.sqrt(best.distance / (1 + np.square(anchor).sum(axis=1)))
            found.append(_Face(members, best.distance, multiplier, fields, exists))
    return found


def _largest(faces: list[_Face]) -> tuple[Array, Array, Array]:
    """Return the largest squared distance where no field is negative, its multiplier and fields."""
    largest, multiplier = (np.zeros(len(faces[0].distance)) for _ in range(2))
    fields = np.zeros_like(faces[0].fields)
    for face in faces:
        others = [k for k in range(fields.shape[1]) if k not in face.members]
        inside = face.exists & (face.fields[:, others] >= 0).all(axis=1)
        better = inside & (face.distance > largest)
        largest = np.where(better, face.distance, largest)
        multiplier = np.where(better, face.multiplier, multiplier)
        fields = np.where(better[:, None], face.fields, fields)
    return largest, multiplier, fields
