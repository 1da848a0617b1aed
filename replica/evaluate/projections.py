r"""Nearest points for a sample of Gaussian vectors, for every shape.

``T = (t_0, t)`` has the component ``t_0`` along the centre first. With the nearest point ``V`` and
the multiplier ``lambda = V_0 - t_0``, the anchor point of the shape is ``(V - T)/lambda``; where
``T`` is inside of the set, the support point (least ``T.S``) stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from replica.declare.shapes import Ball, Ellipsoid, L1Ball, Point, PointCloud, Shape
from replica.evaluate.quadratic_programs import Polyhedron

Array = NDArray[np.float64]
#: Halvings that exhaust the digits of a number between 0 and 1.
_BISECTIONS = 60


@dataclass(frozen=True)
class Projections:
    """Projections of a sample of vectors.

    Attributes
    ----------
    distance : array, shape (samples,)
        Squared distances ``F``.
    multiplier : array, shape (samples,)
        Half their derivatives with respect to the margin.
    divergence : array, shape (samples,)
        Divergence of ``T - V``: by Stein's identity its average with ``margin * multiplier`` added
        is that of ``F``. For points it is the number of active ones.
    anchor : array, shape (samples, D)
        Intrinsic coordinates of the anchor points.
    interior : bool array, shape (samples,)
        Where ``F = 0``.
    violation : float
        Largest relative violation of the conditions of optimality.
    """

    distance: Array
    multiplier: Array
    divergence: Array
    anchor: Array
    interior: NDArray[np.bool_]
    violation: float = 0.0


def project(shape: Shape, vectors: Array, margin: float) -> Projections:
    """Project vectors, one a row, for a shape with numbers in the place of parameters."""
    if isinstance(shape, Point):
        return _project_point(vectors, margin)
    if isinstance(shape, PointCloud):
        return _project_cloud(shape, vectors, margin)
    if isinstance(shape, L1Ball):
        return _project_l1(float(shape.radius), vectors, margin)
    if isinstance(shape, Ellipsoid):
        return _project_ellipsoid(np.array(shape.radii, dtype=float), vectors, margin)
    assert isinstance(shape, Ball)
    return project_ball(float(shape.radius), vectors, margin)


def _project_point(vectors: Array, margin: float) -> Projections:
    gap = np.maximum(margin - vectors[:, 0], 0)
    return Projections(
        gap**2, gap, (gap > 0).astype(np.float64), np.zeros((len(vectors), 0)), gap == 0
    )


def project_ball(radius: float | Array, vectors: Array, margin: float | Array) -> Projections:
    """Project onto ``V_0 - R |v| >= margin``; radius and margin may be one a vector."""
    t0, t = vectors[:, 0] - margin, vectors[:, 1:]
    length = np.sqrt(np.square(t).sum(axis=1))
    dimension = t.shape[1]
    R = np.broadcast_to(np.asarray(radius, dtype=float), len(t0))
    interior = t0 >= R * length
    full = R * t0 <= -length
    touching = ~(interior | full)
    force = np.where(touching, R * length - t0, 0) / (1 + R**2)
    distance = np.where(touching, force**2 * (1 + R**2), np.where(full, t0**2 + length**2, 0))
    multiplier = np.where(touching, force, np.where(full, -t0, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.where(length > 0, R * force / length, 0)
        share = np.where(full, 1 / np.where(multiplier > 0, multiplier, np.inf), 0)
        share = np.where(full, share, np.where(length > 0, R / length, 0))
    # v shrinks by R force; the radial direction and t_0 lose one dimension, the others a share.
    divergence = np.where(full, dimension + 1.0, np.where(touching, 1 + (dimension - 1) * inner, 0))
    return Projections(distance, multiplier, divergence, -share[:, None] * t, interior)


def _project_ellipsoid(radii: Array, vectors: Array, margin: float) -> Projections:
    axes = np.flatnonzero(radii > 0)  # without extent the others take no part
    if not len(axes):
        return _flat(vectors, margin)
    square, t0, t = radii[axes] ** 2, vectors[:, 0] - margin, vectors[:, 1 + axes]
    longest = np.sqrt((square * t**2).sum(axis=1))
    interior = t0 >= longest
    full = (t0 <= -np.sqrt((t**2 / square).sum(axis=1))) & ~interior
    low, high = np.zeros(len(t0)), np.ones(len(t0))
    for _ in range(_BISECTIONS):  # (1 - 2 x) m(x) = t_0 - margin, with mu = x/(1 - x)
        x = (low + high) / 2
        shrink = 1 - x[:, None] * (1 - square)
        above = (1 - 2 * x) * np.sqrt((square * (t / shrink) ** 2).sum(axis=1)) > t0
        low, high = np.where(above, x, low), np.where(above, high, x)
    x = ((low + high) / 2)[:, None]
    e = 1 / (1 - x * (1 - square))
    m = np.sqrt((square * (t * e) ** 2).sum(axis=1))
    pull = x * square * e
    force = x[:, 0] * m
    regimes = [interior, full]
    distance = np.select(
        regimes, [0, t0**2 + (t**2).sum(axis=1)], force**2 + np.square(t * pull).sum(axis=1)
    )
    multiplier = np.select(regimes, [0, -t0], force)
    divergence = np.select(
        regimes, [0, 1.0 + len(axes)], _ellipsoid_divergence(x, square, e, pull, t, m)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [square / longest[:, None], 1 / multiplier[:, None]]
        share = np.select([r[:, None] for r in regimes], shares, square * e / m[:, None])
    anchor = np.zeros((len(t0), len(radii)))
    anchor[:, axes] = np.where(t == 0, 0, -share * t)
    return Projections(distance, multiplier, divergence, anchor, interior)


def _ellipsoid_divergence(
    x: Array, square: Array, e: Array, pull: Array, t: Array, m: Array
) -> Array:
    """Divergence of ``T - V`` on the smooth part of the boundary, by the implicit derivative of x.

    ``V_0 - t_0 = x m`` and ``t_i - v_i = t_i pull_i``, where ``t_0 = margin + (1 - 2 x) m``.
    """
    x1 = x[:, 0]
    slope_m = np.where(m > 0, -(square * t**2 * e**3 * (square - 1)).sum(axis=1) / m, 0)
    rate = -2 * m + (1 - 2 * x1) * slope_m  # d t_0 / dx at fixed t
    d_pull = square * e - pull * e * (square - 1)
    gradient = square * t * e**2 / np.where(m > 0, m, 1)[:, None]  # dm/dt at fixed x
    dx0 = 1 / rate
    dx = -(1 - 2 * x1)[:, None] * gradient / rate[:, None]
    along = -(m + x1 * slope_m) * dx0  # of t_0 - V_0 = -x m
    across = (pull + t * d_pull * dx).sum(axis=1)
    result: Array = along + across
    return result


def _project_l1(radius: float, vectors: Array, margin: float) -> Projections:
    """Project onto ``V_0 - R max|v_i| >= margin``: clip ``|t_i|`` at a level L."""
    t0, t = vectors[:, 0] - margin, vectors[:, 1:]
    size = np.abs(t)
    order = -np.sort(-size, axis=1)
    sums = np.cumsum(np.column_stack([np.zeros(len(t)), order]), axis=1)
    counts = np.arange(t.shape[1] + 1)
    # With m clipped coordinates: R (R L - t_0)_+ = sum of the m excesses over L.
    levels = np.maximum((sums + radius * t0[:, None]) / (counts + radius**2), 0) if radius else None
    if levels is None:
        return _flat(vectors, margin)
    upper = np.column_stack([np.full(len(t), np.inf), order])
    lower = np.column_stack([order, np.zeros(len(t))])
    fits = (levels <= upper) & (levels >= lower)
    clipped = fits.argmax(axis=1)
    level = np.take_along_axis(levels, clipped[:, None], axis=1)[:, 0]
    interior = t0 >= radius * order[:, 0]
    excess = np.maximum(size - level[:, None], 0)
    force = np.maximum(radius * level - t0, 0)
    distance = np.where(interior, 0, force**2 + np.square(excess).sum(axis=1))
    active = (excess > 0).sum(axis=1)
    full = level == 0
    divergence = np.where(interior, 0, np.where(full, t.shape[1] + 1.0, active))
    multiplier = np.where(interior, 0, force)
    largest = np.zeros_like(t)
    np.put_along_axis(largest, size.argmax(axis=1)[:, None], radius, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.where(interior[:, None], largest, excess / force[:, None])
    return Projections(distance, multiplier, divergence, -np.sign(t) * weights, interior)


def _flat(vectors: Array, margin: float) -> Projections:
    point = _project_point(vectors, margin)
    return Projections(
        point.distance, point.multiplier, point.divergence, np.zeros_like(vectors[:, 1:]),
        point.interior,
    )  # fmt: skip


def _project_cloud(shape: PointCloud, vectors: Array, margin: float) -> Projections:
    generators = shape.generators()
    found = polyhedron(shape).nearest(vectors, margin)
    total = found.multipliers.sum(axis=1)
    interior = total == 0
    # One vector at a time costs memory of a batch only.
    support = np.empty(len(vectors), dtype=int)
    for part in np.array_split(np.arange(len(vectors)), max(1, len(vectors) // 1024)):
        support[part] = (vectors[part] @ generators.T).argmin(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (found.multipliers @ generators[:, 1:]) / total[:, None]
    anchor = np.where(interior[:, None], generators[support, 1:], mean)
    return Projections(
        found.squared_distances,
        total,
        (found.multipliers > 0).sum(axis=1).astype(float),
        anchor,
        interior,
        float(found.violation.max(initial=0)),
    )


@lru_cache(maxsize=4)
def polyhedron(shape: PointCloud) -> Polyhedron:
    """Return the polyhedron of a cloud, with its products computed once."""
    return Polyhedron(shape.generators())
