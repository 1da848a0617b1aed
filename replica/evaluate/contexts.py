r"""Contexts: the average over the region of a manifold that is busiest.

``K`` Gaussian context vectors cut a manifold into regions ``c``; the weights of a context see the
part of the manifold that lies in its region only (Mignacco, Chou & Chung, arXiv:2405.06851), and
the context with the largest average sets the capacity. Reversing all vectors reverses ``c``, so
that one of each pair of opposite regions is enough.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, special, stats

from replica.declare.shapes import Ball, PointCloud, Shape
from replica.errors import ParameterError
from replica.evaluate.balls import point_averages
from replica.evaluate.projections import polyhedron, project_ball
from replica.evaluate.samples import Estimate, controlled, gaussian_vectors, mean
from replica.evaluate.settings import CapacitySettings

Array = NDArray[np.float64]
_REPLICATES = 16


@dataclass(frozen=True)
class ContextAverages:
    """Averages of the squared distance in each region, up to reversal.

    Attributes
    ----------
    regions : dict of tuple of int to Estimate
        By the signs of the region.
    violation : float
        Largest relative violation of the conditions of optimality.
    """

    regions: dict[tuple[int, ...], Estimate]
    violation: float = 0.0

    @property
    def busiest(self) -> Estimate:
        """The largest of them."""
        return max(self.regions.values(), key=lambda estimate: estimate.value)


def correlation_matrix(count: int, correlation: float | Array) -> Array:
    """Return the correlations of the context vectors as a matrix.

    Raises
    ------
    ParameterError
        If there are no vectors with these correlations.
    """
    matrix = np.asarray(correlation, dtype=float)
    if matrix.ndim == 0:
        matrix = np.full((count, count), float(matrix))
        np.fill_diagonal(matrix, 1.0)
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest < -1e-12:
        raise ParameterError(
            f"contexts: {count} vectors cannot have the correlations {matrix[0, -1]:g}: the matrix "
            f"has the negative eigenvalue {smallest:.3g}."
        )
    return matrix


def context_averages(
    shape: Shape, margin: float, correlations: Array, settings: CapacitySettings
) -> ContextAverages:
    """Return the averages of the regions for a shape with numbers in the place of parameters."""
    regions = _regions(len(correlations))
    if isinstance(shape, PointCloud):
        return _cloud(shape, margin, correlations, regions, settings)
    if isinstance(shape, Ball):
        return _ball(shape, margin, correlations, regions, settings)
    point = point_averages(margin)
    found = {}
    for signs in regions:
        share, error = orthant_probability(correlations, np.array(signs))
        found[signs] = Estimate(
            share * point.distance, share * point.error["distance"] + error * point.distance
        )
    return ContextAverages(found)


def _regions(count: int) -> list[tuple[int, ...]]:
    return [(1, *rest) for rest in itertools.product((1, -1), repeat=count - 1)]


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


def _cloud(
    shape: PointCloud,
    margin: float,
    correlations: Array,
    regions: list[tuple[int, ...]],
    settings: CapacitySettings,
) -> ContextAverages:
    generators = shape.generators()
    components, count = generators.shape[1], len(correlations)
    vectors = gaussian_vectors(settings.samples, components, settings.seed)
    random = np.random.default_rng([settings.seed, 1])
    root = _root(correlations)
    fields = np.empty((len(vectors), count, len(generators)))
    for part in np.array_split(np.arange(len(vectors)), max(1, len(vectors) // 1024)):
        standard = random.standard_normal((len(part), count, components))
        fields[part] = root @ standard @ generators.T
    found, violation = {}, 0.0
    nearest = polyhedron(shape).nearest
    for signs in regions:
        # Opposite regions have one law: both are projected, and averaged.
        plain, stein = np.zeros(len(vectors)), np.zeros(len(vectors))
        for way in (1, -1):
            turned = way * np.array(signs)[:, None] * fields
            allowed = np.asarray((turned >= 0).all(axis=1))
            result = nearest(vectors, margin, allowed)
            plain += result.squared_distances / 2
            total = result.multipliers.sum(axis=1)
            stein += ((result.multipliers > 0).sum(axis=1) + margin * total) / 2
            violation = max(violation, float(result.violation.max()))
        if settings.estimator == "distance":
            found[signs] = mean(plain)
        else:
            found[signs] = controlled(stein, plain, vectors)
    if np.array_equal(correlations, np.eye(count)):
        # Independent vectors can be reversed one by one: all regions have one law.
        values = [e.value for e in found.values()]
        error = math.sqrt(sum(e.error**2 for e in found.values())) / len(values)
        together = Estimate(float(np.mean(values)), max(error, 0.0))
        found = dict.fromkeys(found, together)
    return ContextAverages(found, violation)


def _ball(
    shape: Ball,
    margin: float,
    correlations: Array,
    regions: list[tuple[int, ...]],
    settings: CapacitySettings,
) -> ContextAverages:
    radius, dimension, count = float(shape.radius), float(shape.dimension), len(correlations)
    if dimension <= count and dimension != int(dimension):
        raise ParameterError(
            f"contexts: a ball of not more than {count} dimensions needs a whole number of them, "
            f"got D = {dimension:g}."
        )
    power = max(4, math.ceil(math.log2(settings.samples / _REPLICATES)))
    random = np.random.default_rng(settings.seed)
    values: dict[tuple[int, ...], list[float]] = {signs: [] for signs in regions}
    root = _root(correlations)
    for _ in range(_REPLICATES):
        centre, axes = _fields(count + 1, dimension, power, random)
        faces = _faces(radius, margin, centre[:, -1], axes[:, -1], root @ centre[:, :-1, None],
                       root @ axes[:, :-1])  # fmt: skip
        for signs in regions:
            values[signs].append(float(_largest(faces, np.array(signs)).mean()))
    return ContextAverages({signs: mean(rows) for signs, rows in values.items()})


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
            found.append(_Face(members, best.distance, fields, exists))
    return found


def _largest(faces: list[_Face], signs: Array) -> Array:
    """Return the largest squared distance over the faces of a region."""
    largest = np.zeros(len(faces[0].distance))
    for face in faces:
        others = [k for k in range(len(signs)) if k not in face.members]
        inside = face.exists & (signs[others] * face.fields[:, others] >= 0).all(axis=1)
        largest = np.where(inside, np.maximum(largest, face.distance), largest)
    return largest


def _root(correlations: Array) -> Array:
    values, vectors = np.linalg.eigh(correlations)
    root: Array = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    return root
