"""Nearest points of every shape: formulas of the regimes, by their definition."""

import numpy as np
import pytest
from scipy.optimize import minimize

from replica.declare.shapes import Ball, Ellipsoid, L1Ball, Point, PointCloud
from replica.evaluate.projections import project

RANDOM = np.random.default_rng(0)
SHAPES = {
    "point": (Point(), lambda v: 0.0 * v.sum()),
    "ball": (Ball(0.7, 3), lambda v: 0.7 * np.linalg.norm(v)),
    "large ball": (Ball(3, 2), lambda v: 3 * np.linalg.norm(v)),
    "ellipsoid": (Ellipsoid((1.0, 0.3, 2.0)), lambda v: np.linalg.norm(v * [1.0, 0.3, 2.0])),
    "flat ellipsoid": (Ellipsoid((1.0, 0.0)), lambda v: abs(v[0])),
    "l1 ball": (L1Ball(0.8, 4), lambda v: 0.8 * np.abs(v).max()),
}


def _dimension(shape):
    return int(float(shape.dimension))


@pytest.mark.parametrize("name", [n for n in SHAPES if n != "l1 ball"])
@pytest.mark.parametrize("margin", [0.0, 0.4, -0.6])
def test_the_distance_is_the_least_one(name, margin):
    """At given ``v`` the best ``V_0`` is known, which leaves a convex function of ``v``."""
    shape, width = SHAPES[name]
    vectors = RANDOM.standard_normal((12, _dimension(shape) + 1)) * 1.5
    found = project(shape, vectors, margin)
    for vector, distance in zip(vectors, found.distance, strict=True):
        t0, t = vector[0], vector[1:]

        def cost(v, t0=t0, t=t):
            return max(0.0, margin + width(v) - t0) ** 2 + np.square(v - t).sum()

        if len(t):
            starts = (t, np.zeros_like(t), 0.5 * t)
            options = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 20000, "maxfev": 20000}
            least = min(
                minimize(cost, s, method="Nelder-Mead", options=options).fun for s in starts
            )
        else:
            least = cost(t)
        assert distance == pytest.approx(least, abs=2e-6)


@pytest.mark.parametrize("margin", [0.0, 0.4, -0.6])
def test_a_cross_polytope_is_the_cloud_of_its_vertices(margin):
    vertices = PointCloud(0.8 * np.vstack([np.eye(4), -np.eye(4)]))
    vectors = np.random.default_rng(3).standard_normal((3000, 5))
    first, second = project(L1Ball(0.8, 4), vectors, margin), project(vertices, vectors, margin)
    for name in ("distance", "multiplier", "divergence", "anchor"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), atol=1e-12)


@pytest.mark.parametrize("name", [*SHAPES, "cloud"])
@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_anchors_multipliers_and_divergences_are_consistent(name, margin):
    shape = PointCloud(RANDOM.standard_normal((9, 4))) if name == "cloud" else SHAPES[name][0]
    vectors = np.random.default_rng(1).standard_normal((40_000, _dimension(shape) + 1))
    found = project(shape, vectors, margin)
    # F = (margin - T.S)_+^2 / |S|^2 at the anchor S.
    points = np.column_stack([np.ones(len(vectors)), found.anchor])
    gap = np.maximum(margin - (vectors * points).sum(axis=1), 0)
    np.testing.assert_allclose(gap**2 / np.square(points).sum(axis=1), found.distance, atol=1e-11)
    np.testing.assert_array_equal(found.interior, found.distance == 0)
    # Envelope theorem, on a few vectors.
    few, step = vectors[:500], 1e-6
    up, down = (project(shape, few, margin + s).distance for s in (step, -step))
    np.testing.assert_allclose((up - down) / (2 * step), 2 * found.multiplier[:500], atol=1e-4)
    # Stein's identity.
    difference = found.distance - found.divergence - margin * found.multiplier
    assert abs(difference.mean()) < 5 * difference.std() / np.sqrt(len(vectors))


@pytest.mark.parametrize("name", ["ball", "large ball", "ellipsoid", "flat ellipsoid", "l1 ball"])
def test_the_divergence_is_the_derivative(name):
    shape, _ = SHAPES[name]
    vectors = np.random.default_rng(2).standard_normal((300, _dimension(shape) + 1))
    found = project(shape, vectors, 0.3)

    def force(at):
        p = project(shape, at, 0.3)
        points = np.column_stack([np.ones(len(at)), p.anchor])
        return p.multiplier[:, None] * points  # V - T

    total, step = np.zeros(len(vectors)), 1e-6
    for i in range(vectors.shape[1]):
        shift = step * np.eye(vectors.shape[1])[i]
        total -= ((force(vectors + shift) - force(vectors - shift)) / (2 * step))[:, i]
    close = np.isclose(total, found.divergence, atol=1e-5)
    assert close.mean() > 0.99  # a vector next to a boundary of regimes has no derivative
