"""Finite problems against the theory, within the errors of a few seeded ones."""

import math

import numpy as np
import pytest

from replica import CapacitySettings, Contexts, ManifoldModel, PointCloud, load
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


def _threshold(separable, low, high, size):
    """Largest number of nested manifolds that is separable, over the dimension."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if separable(middle) else (low, middle)
    return (low + 0.5) / size


def _agree(found, theory, least_error):
    error = max(np.std(found, ddof=1) / math.sqrt(len(found)), least_error)
    assert np.mean(found) == pytest.approx(theory, abs=3 * error)


def _can_be_separated(clouds, labels, keep=None, bias=False):
    """Whether labelled points of manifolds are separable, by the largest margin of all of them."""
    points = np.concatenate(clouds)
    if bias:
        points = np.column_stack([points, np.full(len(points), math.sqrt(points.shape[1]))])
    rows = points * np.repeat(labels, [len(c) for c in clouds])[:, None]
    rows = rows if keep is None else rows[keep]
    return not math.isnan(largest_margin(rows, np.ones(len(rows)))[0])


SHAPE = PointCloud(1 / np.sqrt(5) * np.random.default_rng(0).standard_normal((10, 5)))


def test_clouds_are_separable_up_to_their_capacity():
    random, size, found = np.random.default_rng(1), 60, []
    for _ in range(6):
        clouds = SHAPE.generators() @ random.standard_normal((90, 6, size))
        labels = random.choice([-1, 1], 90)
        found.append(
            _threshold(lambda p, c=clouds, y=labels: _can_be_separated(c[:p], y[:p]), 10, 90, size)
        )
    model = ManifoldModel(name="cloud", shape=SHAPE)
    _agree(found, model.solve(settings=CapacitySettings(samples=2**13))["alpha"], 0.012)


@pytest.mark.parametrize(("f", "most"), [(0.5, 240), (0.1, 500)])
def test_points_of_sparse_labels_are_separable_up_to_their_capacity(f, most):
    """With a threshold that is free, and labels of which every tenth is positive."""
    random, size, found = np.random.default_rng(2), 80, []
    labels = np.where(np.arange(most) % round(1 / f) == 0, 1, -1)
    for _ in range(8):
        points = random.standard_normal((most, 1, size))
        found.append(_threshold(
            lambda p, c=points: _can_be_separated(c[:p], labels[:p], bias=True), 20, most, size
        ))  # fmt: skip
    _agree(found, load("manifold-points-sparse").solve(f=f)["alpha"], 0.05)


@pytest.mark.parametrize("f", [None, 0.1])
def test_one_context_of_clouds_is_separable_up_to_its_capacity(f):
    """Points on one side of a context vector, with a threshold where labels are sparse."""
    random, size, most = np.random.default_rng(3), 50, 100 if f is None else 180
    model = ManifoldModel(name="gated", shape=SHAPE, contexts=Contexts(1), positive_fraction=f)
    found = []
    for _ in range(10):
        clouds = SHAPE.generators() @ random.standard_normal((most, 6, size))
        labels = random.choice([-1, 1], most)
        if f is not None:
            labels = np.where(np.arange(most) % 10 == 0, 1, -1)
        keep = (clouds @ random.standard_normal(size) >= 0).ravel()

        def separable(p, c=clouds, y=labels, k=keep):
            return _can_be_separated(c[:p], y[:p], k[: 10 * p], bias=f is not None)

        found.append(_threshold(separable, 5, most, size))
    _agree(found, model.solve(settings=CapacitySettings(samples=2**13))["alpha"], 0.02)


@pytest.mark.parametrize(("R", "D", "alpha"), [(0.5, 5, 0.3), (1.0, 5, 0.2)])
def test_the_largest_margin_of_balls_is_where_they_are_at_capacity(R, D, alpha):
    """Cutting planes: the worst points of balls are added until the margin is that of all."""
    random, size, margins = np.random.default_rng(5), 80, []
    for _ in range(20):
        count = round(alpha * size)
        labels = random.choice([-1.0, 1.0], count)
        centres = random.standard_normal((count, size)) * labels[:, None]
        axes = random.standard_normal((count, D, size))
        points = centres
        for _ in range(40):
            margin, normal = largest_margin(points, np.ones(len(points)))
            along = axes @ normal
            worst = -R * along / np.linalg.norm(along, axis=1)[:, None]
            fields = (centres + np.einsum("md,mdn->mn", worst, axes)) @ normal
            if fields.min() > margin - 1e-3:
                break
            low = fields < margin - 1e-3
            added = centres[low] + np.einsum("md,mdn->mn", worst[low], axes[low])
            points = np.concatenate([points, added])
        else:
            pytest.fail("the margin of all points was not reached")
        margins.append(margin)
    kappa, error = np.mean(margins), np.std(margins, ddof=1) / math.sqrt(len(margins))
    ball = load("manifold-balls")
    found = [ball.solve(R=R, D=D, kappa=k)["alpha"] for k in (kappa - 0.05, kappa, kappa + 0.05)]
    slope = (found[2] - found[0]) / 0.1
    assert found[1] == pytest.approx(alpha, abs=3 * abs(slope) * max(error, 0.02))


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
