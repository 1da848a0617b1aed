"""Finite problems against the theory, within the errors of a few seeded ones."""

import math

import numpy as np
import pytest

from replica import CapacitySettings, ManifoldModel, PointCloud, load
from replica.errors import DeclarationError
from replica.evaluate.separability import largest_margin, projected_capacity


def test_the_largest_margin_of_points_is_where_they_are_at_capacity():
    random, alpha, size = np.random.default_rng(0), 0.5, 120
    margins = []
    for _ in range(12):
        points = random.standard_normal((int(alpha * size), size))
        margin, normal = largest_margin(points, random.choice([-1, 1], len(points)))
        assert np.linalg.norm(normal) == pytest.approx(1)
        margins.append(margin)
    error = np.std(margins, ddof=1) / math.sqrt(len(margins))
    theory = load("manifold-points").solve(kappa=np.mean(margins))["alpha"]
    slope = 1.1  # of the capacity in the margin, there
    assert theory == pytest.approx(alpha, abs=3 * slope * error)
    assert error < 0.06


def _separable(clouds, labels, size):
    """Whether manifolds of random axes are separable, by the largest margin of all points."""
    rows = np.concatenate([points * y for points, y in zip(clouds, labels, strict=True)])
    return not math.isnan(largest_margin(rows, np.ones(len(rows)))[0])


def test_clouds_are_separable_up_to_their_capacity():
    """The largest number of nested random clouds that is separable, over the dimension."""
    random, size, instances = np.random.default_rng(1), 60, 6
    shape = PointCloud(1 / np.sqrt(5) * np.random.default_rng(0).standard_normal((10, 5)))
    generators = shape.generators()
    found = []
    for _ in range(instances):
        axes = random.standard_normal((90, 6, size))
        clouds, labels = generators @ axes, random.choice([-1, 1], 90)
        low, high = 10, 90
        while high - low > 1:
            middle = (low + high) // 2
            if _separable(clouds[:middle], labels[:middle], size):
                low = middle
            else:
                high = middle
        found.append((low + 0.5) / size)
    error = np.std(found, ddof=1) / math.sqrt(instances)
    theory = ManifoldModel(name="cloud", shape=shape).solve(
        settings=CapacitySettings(samples=2**13)
    )["alpha"]
    assert np.mean(found) == pytest.approx(theory, abs=3 * max(error, 0.012))
    assert error < 0.05


def test_inseparable_points_say_so():
    margin, normal = largest_margin([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], [1, 1, 1])
    assert math.isnan(margin)
    assert np.isnan(normal).all()


def test_labels_of_a_wrong_shape_are_one_sentence():
    with pytest.raises(DeclarationError, match=r"labels: expected 3 numbers \+1 or -1"):
        largest_margin(np.ones((3, 2)), [1, -1])
    with pytest.raises(DeclarationError, match=r"labels"):
        largest_margin(np.ones((3, 2)), [1, 0, 2])


def test_capacity_under_random_projections_of_a_given_sample():
    random = np.random.default_rng(5)
    points = random.standard_normal((6, 4, 40)) + 2 * random.standard_normal((6, 1, 40))
    found = projected_capacity(list(points), samples=500, seed=6)
    assert found.value == pytest.approx(1.0467935692, abs=6e-11)
    assert found.error == pytest.approx(0.031, abs=6e-4)
