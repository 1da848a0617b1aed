"""Anchor points against a general solver of convex programs."""

import numpy as np
import pytest
from scipy.optimize import minimize

from replica import (
    Ball,
    Ellipsoid,
    L1Ball,
    Parameter,
    Point,
    PointCloud,
    Segment,
    Simplex,
    anchor_points,
)
from replica.errors import DeclarationError, ParameterError

CLOUD = np.random.default_rng(0).standard_normal((7, 3))
#: Shapes and what must not be less than the margin, smooth for smooth shapes or at corners.
SHAPES = {
    "ball": (Ball(0.6, 3), lambda v: v[:1] - 0.6 * np.linalg.norm(v[1:])),
    "segment": (Segment(0.7), lambda v: v[0] + 0.7 * np.array([v[1], -v[1]])),
    "ellipsoid": (
        Ellipsoid((0.3, 1.2, 0.5)),
        lambda v: v[:1] - np.linalg.norm(np.array([0.3, 1.2, 0.5]) * v[1:]),
    ),
    "l1": (L1Ball(0.8, 3), lambda v: v[0] + 0.8 * np.concatenate([v[1:], -v[1:]])),
    "simplex": (Simplex(0.8, 3), lambda v: v[0] - 0.8 * v[1:]),
    "cloud": (PointCloud(CLOUD), lambda v: v[0] + CLOUD @ v[1:]),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_nearest_vector_is_that_of_a_general_solver(name):
    shape, fields = SHAPES[name]
    vectors = np.random.default_rng(1).standard_normal((12, 1 + int(shape.dimension)))
    vectors[:3, 0] += 4  # some inside
    found = anchor_points(shape, vectors, margin=0.3)
    full = np.column_stack([np.ones(len(vectors)), found.points])
    nearest = vectors + found.multipliers[:, None] * full
    gaps = np.square(nearest - vectors).sum(axis=1)
    np.testing.assert_allclose(gaps, found.squared_distances, atol=1e-12)
    assert found.interior.any()
    assert not found.interior.all()
    for vector, point, distance, inside in zip(
        vectors, nearest, found.squared_distances, found.interior, strict=True
    ):
        assert fields(point).min() >= 0.3 - 1e-9
        best = minimize(
            lambda v, t=vector: np.square(v - t).sum(), np.array([3.0, *0.1 * point[1:]]),
            method="SLSQP", constraints={"type": "ineq", "fun": lambda v: fields(v) - 0.3},
            options={"ftol": 1e-13, "maxiter": 500},
        )  # fmt: skip
        assert best.success
        assert distance == pytest.approx(best.fun, abs=1e-6)
        assert inside == (distance == 0)


def test_anchors_of_a_cloud_lie_in_its_hull_and_are_support_points_inside():
    vectors = np.random.default_rng(2).standard_normal((200, 4))
    found = anchor_points(PointCloud(CLOUD), vectors)
    inside = found.interior
    support = CLOUD[(vectors[inside, 1:] @ CLOUD.T).argmin(axis=1)]
    np.testing.assert_array_equal(found.points[inside], support)
    # No direction takes an anchor out of the hull.
    directions = np.random.default_rng(3).standard_normal((50, 3))
    reach = (found.points @ directions.T).max(axis=0), (CLOUD @ directions.T).max(axis=0)
    assert (reach[0] <= reach[1] + 1e-9).all()


def test_one_vector_may_be_given_alone():
    found = anchor_points(Point(), [-1.0], margin=0.5)
    assert found.squared_distances == pytest.approx([2.25])
    assert found.points.shape == (1, 0)


@pytest.mark.parametrize(
    ("shape", "vectors", "error", "words"),
    [
        (3, np.ones((2, 3)), DeclarationError, "expected a shape such as Ball"),
        (Ball(Parameter("R", 1, (0, 2)), 2), np.ones((2, 3)), DeclarationError, "which R is not"),
        (Ball(-1, 2), np.ones((2, 3)), ParameterError, "a radius must be"),
        (Ball(1, 2.5), np.ones((2, 3)), ParameterError, r"2\.5 dimensions has no coordinates"),
        (Ball(1, 2), np.ones((2, 2)), ParameterError, r"shape \(vectors, 3\), .* got shape \(2, 2"),
        (Ball(1, 2), [np.nan] * 3, ParameterError, "expected finite numbers"),
    ],
)
def test_what_has_no_anchor_points_is_one_sentence(shape, vectors, error, words):
    with pytest.raises(error, match=words) as caught:
        anchor_points(shape, vectors)
    assert "\n" not in str(caught.value)
