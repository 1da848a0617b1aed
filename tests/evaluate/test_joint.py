"""Correlated manifolds: exact results, limits, and the same problem in other words."""

import math

import numpy as np
import pytest

from replica import (
    CapacitySettings,
    ManifoldModel,
    PointCloud,
    SolverSettings,
    joint_capacity,
    projected_capacity,
)
from replica.errors import DeclarationError, ParameterError, SettingsError

CLOUD = np.random.default_rng(0).standard_normal((10, 5)) / np.sqrt(5)


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_independent_manifolds_have_the_capacity_of_one(margin):
    settings = CapacitySettings(samples=2048)
    found = joint_capacity([CLOUD] * 3, np.eye(3), margin, settings=settings)
    model = ManifoldModel(name="cloud", shape=PointCloud(CLOUD), margin=margin)
    one = model.solve(settings=CapacitySettings(samples=2**13))
    error = math.hypot(found.error, one.error["alpha"])
    assert found.value == pytest.approx(one["alpha"], abs=4 * error)
    assert found.error < 0.01


@pytest.mark.parametrize("estimator", ["controlled", "distance"])
def test_points_have_the_capacity_two_however_they_are_correlated(estimator):
    """Cover (1965): the number of labellings that are separable is that of any points."""
    random = np.random.default_rng(1).standard_normal((5, 7))
    settings = CapacitySettings(samples=2048, seed=3, estimator=estimator)
    found = joint_capacity([np.zeros((2, 1))] * 5, random @ random.T, settings=settings)
    assert found.value == pytest.approx(2, abs=4 * found.error)
    assert found.error < 0.06


def test_a_direction_that_all_centres_share_is_useless_for_many_manifolds():
    """Up to one part in their number, by which random labels are not balanced."""
    rho = 0.8
    model = ManifoldModel(name="cloud", shape=PointCloud(CLOUD), centre_correlation=rho)
    limit = model.solve(settings=CapacitySettings(samples=2**13))["alpha"]
    excess = []
    for count in (5, 20):
        covariance = (1 - rho) * np.eye(count) + rho
        found = joint_capacity([CLOUD] * count, covariance, settings=CapacitySettings(samples=1024))
        excess.append(found.value / limit - 1)
        assert found.error / limit < 0.02
    assert 0.03 < excess[0] < 0.12
    assert abs(excess[1]) < 0.035


def test_the_covariance_of_data_gives_the_capacity_of_their_projections():
    random = np.random.default_rng(5)
    points = random.standard_normal((6, 4, 40)) + 2 * random.standard_normal((6, 1, 40))
    clouds, directions = [], []
    for manifold in points:
        centre = manifold.mean(axis=0)
        left, sizes, axes = np.linalg.svd(manifold - centre, full_matrices=False)
        keep = sizes > 1e-10
        clouds.append((left * sizes)[:, keep])
        directions.append(np.vstack([centre, axes[keep]]))
    directions = np.vstack(directions)
    found = joint_capacity(
        clouds, directions @ directions.T, settings=CapacitySettings(samples=1024)
    )
    other = projected_capacity(list(points), 2000, seed=1)
    assert found.value == pytest.approx(other.value, abs=4 * math.hypot(found.error, other.error))
    assert found.error < 0.03


@pytest.mark.parametrize(
    ("covariance", "words"),
    [
        (np.eye(4), r"expected the shape \(2, 2\) for centres, or \(12, 12\) .*, got \(4, 4\)"),
        ([[1, 0.5], [0.4, 1]], "symmetric matrix of finite numbers"),
        ([[1, np.nan], [np.nan, 1]], "symmetric matrix of finite numbers"),
        ([[1, 2], [2, 1]], "positive semidefinite matrix, got the eigenvalue -1"),
        ([[1, 2], [2]], "matrix of real numbers"),
    ],
)
def test_a_wrong_covariance_is_one_sentence(covariance, words):
    with pytest.raises(DeclarationError, match=words):
        joint_capacity([CLOUD, CLOUD], covariance)


def test_wrong_manifolds_margins_and_settings_are_one_sentence():
    with pytest.raises(DeclarationError, match="manifold 1: expected at least two points"):
        joint_capacity([CLOUD, CLOUD[:1]], np.eye(2))
    with pytest.raises(DeclarationError, match="at least one array"):
        joint_capacity([], np.eye(2))
    with pytest.raises(DeclarationError, match="margin: expected a finite real number"):
        joint_capacity([CLOUD], [[1]], margin=float("inf"))
    with pytest.raises(SettingsError, match="CapacitySettings"):
        joint_capacity([CLOUD], [[1]], settings=SolverSettings())


def test_equal_centres_cannot_have_a_margin_with_both_labels():
    points = np.zeros((2, 1))
    with pytest.raises(ParameterError, match=r"no weights have the margin 0\.1 .* singular"):
        joint_capacity([points, points], np.ones((2, 2)), 0.1)
