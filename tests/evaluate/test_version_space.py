"""Overlap and volume below capacity, against the compiled equations and random fields."""

import math

import numpy as np
import pytest
from scipy import special

import replica
from replica import Ball, CapacitySettings, Point, Simplex, SolverSettings, version_space
from replica.errors import ConvergenceError, DeclarationError, ParameterError, SettingsError
from replica.evaluate.version_space import log_probabilities

SPHERE = math.log(2 * math.pi * math.e) / 2


@pytest.mark.parametrize(("load", "margin"), [(0.5, 0.0), (1.5, 0.0), (0.5, 0.5)])
def test_points_are_gardners_problem(load, margin):
    exact = replica.load("gardner-spherical").solve(alpha=load, kappa=margin)
    found = version_space(Point(), load, margin, CapacitySettings(samples=2**15))
    assert found.overlap.error < 0.003
    assert abs(found.overlap.value - exact["q"]) < 3 * found.overlap.error
    entropy = exact["free_entropy"] - SPHERE
    assert abs(found.free_entropy.value - entropy) < 3 * found.free_entropy.error


@pytest.mark.parametrize(
    ("d", "pairs", "overlap", "error", "entropy"),
    [
        (8, 6, 0.176, 0.007, None), (8, 10, 0.3786, 0.0030, -0.4118),
        (10, 14, 0.396, 0.004, -0.427), (8, 16, 0.681, 0.024, None),
    ],
)  # fmt: skip
def test_pairs_below_capacity(d, pairs, overlap, error, entropy):
    """Another sample of fields; for 6 and 16 pairs two random walks among the solutions."""
    settings = CapacitySettings(samples=1024, seed=3)
    found = version_space(Simplex(1, pairs - 1), pairs / d**2, settings=settings)
    allowed = 3 * math.hypot(error, found.overlap.error)
    assert found.overlap.value == pytest.approx(overlap, abs=allowed)
    assert found.overlap.error < 0.01
    if entropy is not None:
        assert found.free_entropy.value == pytest.approx(entropy, abs=0.008)


@pytest.mark.parametrize("q", [1e-12, 0.3, 0.9])
@pytest.mark.parametrize(("radius", "margin"), [(1, 0), (1, 0.5), (2, -0.5), (0.4, 0)])
def test_probabilities_are_frequencies(q, radius, margin):
    random = np.random.default_rng(0)
    vectors = random.standard_normal((5, 7))
    noise = random.standard_normal((100_000, 7))
    for vector, log in zip(vectors, log_probabilities(vectors, q, radius, margin), strict=True):
        fields = math.sqrt(q) * vector + math.sqrt(1 - q) * noise
        share = np.mean(fields[:, 0] - margin >= radius * fields[:, 1:].max(axis=1))
        error = math.sqrt(math.exp(log) / len(noise))
        assert share == pytest.approx(math.exp(log), abs=4 * error + 2e-5)


def test_without_overlap_every_score_is_the_largest_as_often():
    vectors = np.random.default_rng(1).standard_normal((3, 41))
    np.testing.assert_allclose(
        log_probabilities(vectors, 1e-14, 1.0, 0.0), -math.log(41), atol=1e-5
    )


def test_two_scores_are_one():
    """One competitor: the difference of two fields is a field of twice the variance."""
    vectors = np.random.default_rng(2).standard_normal((50, 2))
    q = 0.6
    gap = (math.sqrt(q) * (vectors[:, 0] - vectors[:, 1]) - 0.3) / math.sqrt(2 * (1 - q))
    exact = special.log_ndtr(gap)
    np.testing.assert_allclose(log_probabilities(vectors, q, 1.0, 0.3), exact, rtol=1e-9)


def test_errors_are_those_of_the_spread():
    found = [
        version_space(Point(), 0.5, 0.0, CapacitySettings(samples=512, seed=seed))
        for seed in range(30)
    ]
    spread = np.std([f.overlap.value for f in found], ddof=1)
    assert 0.6 < spread / np.mean([f.overlap.error for f in found]) < 1.4
    plain = CapacitySettings(samples=512, estimator="distance")
    assert version_space(Point(), 0.5, 0.0, plain).overlap.error > 2 * found[0].overlap.error


def test_what_it_says():
    text = str(version_space(Point(), 0.5, settings=CapacitySettings(samples=64)))
    assert text.startswith("load 0.5, margin 0: q = ")
    assert "64 samples, seed 0; standard errors" in text


def test_what_is_refused():
    with pytest.raises(ConvergenceError, match="no volume of solutions is left at the load 3"):
        version_space(Point(), 3.0)
    with pytest.raises(DeclarationError, match="not for Ball"):
        version_space(Ball(1, 2), 0.1)
    with pytest.raises(ParameterError, match="a finite load above 0"):
        version_space(Point(), -1)
    with pytest.raises(ParameterError, match="whole number of corners"):
        version_space(Simplex(1, 2.5), 0.1)
    with pytest.raises(SettingsError, match="CapacitySettings"):
        version_space(Point(), 1.0, settings=SolverSettings())
