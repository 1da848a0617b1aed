"""Measured manifolds: what is done to the data, and what comes out of known clouds."""

import numpy as np
import pytest

from replica import (
    CapacitySettings,
    Contexts,
    ManifoldModel,
    PointCloud,
    SolverSettings,
    measure_manifolds,
)
from replica.errors import DeclarationError, ParameterError, SettingsError
from replica.evaluate.centres import mean_correlation, shared_directions
from replica.evaluate.measured import prepare_clouds

SETTINGS = CapacitySettings(samples=2048)


def rotated(points, dimensions, random):
    """Points of a cloud around a centre of norm 3, in orthonormal axes of a larger space."""
    axes = np.linalg.qr(random.standard_normal((dimensions, points.shape[1] + 1)))[0].T
    return 3 * (axes[0] + (points - points.mean(axis=0)) @ axes[1:])


def test_a_known_cloud_is_found_again():
    random = np.random.default_rng(0)
    points = 0.4 * random.standard_normal((12, 5))
    data = rotated(points, 40, random)
    found = measure_manifolds([data], settings=SETTINGS, subtract_mean=False)
    model = ManifoldModel(name="cloud", shape=PointCloud(points - points.mean(axis=0)))
    expected = model.solve(settings=CapacitySettings(samples=2**14))
    error = np.hypot(found.error["capacity"], expected.error["alpha"])
    assert found["capacity"] == pytest.approx(expected["alpha"], abs=4 * error)
    for name in ("radius", "dimension", "radius_about_mean", "dimension_by_overlap"):
        error = np.hypot(found.error[name], expected.observable_error[name])
        assert found[name] == pytest.approx(expected[name], abs=4 * error)
    assert found.prepared.centre_norms == pytest.approx([3])
    assert found.prepared.clouds[0].dimension == 5


def test_pure_noise_as_in_the_published_example():
    """50 points of noise in 5000 dimensions: capacity 0.04, radius 1.47, dimension 36.2."""
    data = 100 * np.random.default_rng(0).standard_normal((50, 5000))
    found = measure_manifolds([data], settings=SETTINGS, subtract_mean=False)
    assert found["capacity"] == pytest.approx(0.0397, abs=8e-4)
    assert found["radius_about_mean"] == pytest.approx(1.463, abs=0.02)
    assert found["dimension_by_overlap"] == pytest.approx(36.33, abs=0.5)


def test_manifolds_are_averaged_harmonically_and_repeat():
    random = np.random.default_rng(2)
    data = {
        name: random.standard_normal((1, 30)) + 0.3 * random.standard_normal((9, 30))
        for name in "abc"
    }
    found = measure_manifolds(data, settings=SETTINGS)
    frame = found.to_frame()
    assert list(frame.manifold) == ["a", "b", "c"]
    assert found["capacity"] == pytest.approx(1 / (1 / frame.capacity).mean())
    assert found["radius"] == pytest.approx(frame.radius.mean())
    again = measure_manifolds(data, settings=SETTINGS)
    assert again.estimates == found.estimates
    assert "3 manifolds, margin 0: 2048 samples each, seed 0" in str(found)


def test_a_shared_direction_is_found_and_taken_out():
    random = np.random.default_rng(3)
    common = random.standard_normal(80)
    own = random.standard_normal((30, 80))
    centres = own + 2 * common
    directions = shared_directions(centres, 1, seed=0)
    assert abs(directions[:, 0] @ common) / np.linalg.norm(common) > 0.97
    left = centres - centres @ directions @ directions.T
    assert mean_correlation(centres) > 0.7
    assert mean_correlation(left) < 0.15
    data = [c + 0.5 * random.standard_normal((6, 80)) for c in centres]
    prepared = prepare_clouds(data, 1, subtract_mean=False)
    assert prepared.correlation_after < 0.2 < prepared.correlation_before
    assert prepare_clouds(data[:8], "least", subtract_mean=False).shared_rank >= 1


def test_the_gradient_of_the_correlations_is_right():
    from scipy.optimize import check_grad

    from replica.evaluate.centres import _cost

    random = np.random.default_rng(4)
    centres, flat = random.standard_normal((5, 4)), random.standard_normal(8)
    gap = check_grad(lambda x: _cost(x, centres, 2)[0], lambda x: _cost(x, centres, 2)[1], flat)
    assert gap < 1e-5


def test_equal_points_are_flagged():
    points = np.random.default_rng(5).standard_normal((6, 20)) + 3
    found = measure_manifolds([np.vstack([points, points])], subtract_mean=False, settings=SETTINGS)
    plain = measure_manifolds([points], subtract_mean=False, settings=SETTINGS)
    # The axes of the clouds differ by a rotation, and with them the samples.
    error = np.hypot(found.error["capacity"], plain.error["capacity"])
    assert found["capacity"] == pytest.approx(plain["capacity"], abs=4 * error)
    assert "anchor points are not unique" in found.notes[0]
    assert not plain.notes


@pytest.mark.parametrize(
    "readout",
    [{}, {"positive_fraction": 0.2}, {"contexts": Contexts(2, 0.5)},
     {"contexts": Contexts(1), "positive_fraction": 0.2}],
)  # fmt: skip
def test_other_readouts_of_one_manifold_are_those_of_its_cloud(readout):
    points = 0.4 * np.random.default_rng(0).standard_normal((12, 5))
    data = rotated(points, 40, np.random.default_rng(1))
    found = measure_manifolds([data, data], settings=SETTINGS, subtract_mean=False)
    cloud = PointCloud(points - points.mean(axis=0))
    model = ManifoldModel(name="cloud", shape=cloud, **readout)
    expected = model.solve(settings=CapacitySettings(samples=2**12, seed=1))
    capacity = found.capacity(**readout)
    error = np.hypot(capacity.error, expected.error["alpha"])
    assert capacity.value == pytest.approx(expected["alpha"], abs=4 * error)
    assert capacity.error < 0.02 * capacity.value
    if not readout:
        assert capacity.value == pytest.approx(found["capacity"], rel=1e-12)


def test_different_manifolds_share_the_threshold_of_a_readout():
    """One threshold for all is worse than one for each, and better than none."""
    random = np.random.default_rng(2)
    points = [r * random.standard_normal((9, 4)) for r in (0.1, 1.5)]
    data = [rotated(p, 30, random) for p in points]
    both = measure_manifolds(data, settings=SETTINGS, subtract_mean=False)
    shared = both.capacity(positive_fraction=0.1)
    each = [
        measure_manifolds([d], settings=SETTINGS, subtract_mean=False).capacity(
            positive_fraction=0.1
        )
        for d in data
    ]
    best = 2 / sum(1 / e.value for e in each)
    assert both["capacity"] < shared.value < best


@pytest.mark.parametrize(
    ("readout", "error", "words"),
    [
        ({"positive_fraction": 1.0}, ParameterError, "positive_fraction = 1 is not between 0 and"),
        ({"positive_fraction": "x"}, DeclarationError, "positive_fraction: expected a finite"),
        ({"contexts": 2}, DeclarationError, r"expected Contexts\(count, correlation\), got 2"),
        ({"contexts": Contexts(3, -0.9)}, ParameterError, r"cannot have the correlations -0\.9"),
    ],
)
def test_wrong_readouts_are_one_sentence(readout, error, words):
    found = measure_manifolds([np.eye(4), np.eye(4) + 1], subtract_mean=False, settings=SETTINGS)
    with pytest.raises(error, match=words):
        found.capacity(**readout)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "at least one array"),
        ([np.ones(4)], r"manifold 0: .*shape \(points, coordinates\), got shape \(4,\)"),
        ([np.ones((1, 4))], "manifold 0: expected at least two points, got 1"),
        ([np.ones((3, 4)), np.ones((3, 5))], "same number of coordinates, got 4 and 5"),
        ([np.full((3, 4), np.nan)], "not finite numbers"),
        ([[["a", "b"], ["c", "d"]]], "not an array of real numbers"),
        ([np.array([[1.0, 2.0], [-1.0, -2.0]])], "its centre is zero"),
    ],
)
def test_wrong_data_are_one_sentence(data, words):
    with pytest.raises(DeclarationError, match=words) as caught:
        measure_manifolds(data, subtract_mean=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rank", [-1, 0.5, "many", True])
def test_a_wrong_number_of_shared_directions_is_one_sentence(rank):
    with pytest.raises(DeclarationError, match="shared_rank"):
        measure_manifolds([np.eye(4), np.eye(4) + 1], shared_rank=rank)


def test_directions_that_leave_no_centre_are_one_sentence():
    random = np.random.default_rng(1)
    data = [c + 0.1 * random.standard_normal((6, 9)) for c in random.standard_normal((4, 1, 9))]
    with pytest.raises(DeclarationError, match=r"3 directions .* span 3 dimensions after the mean"):
        measure_manifolds(data, shared_rank=3)
    with pytest.raises(DeclarationError, match=r"span 4 dimensions\.$"):
        measure_manifolds(data, shared_rank=4, subtract_mean=False)
    with pytest.raises(DeclarationError, match=r"1 directions .* span 1 dim"):
        measure_manifolds(data[:2], shared_rank=1)


def test_wrong_margins_and_settings_are_one_sentence():
    data = [np.eye(4), np.eye(4) + 1]
    with pytest.raises(DeclarationError, match="margin: expected a finite real number"):
        measure_manifolds(data, margin=float("nan"))
    with pytest.raises(SettingsError, match="takes CapacitySettings"):
        measure_manifolds(data, settings=SolverSettings())
