"""Attention with four colours and more: sampled averages against sums of NumPy, closed forms."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from replica.models import potts_attention as attention

from replica import SolverSettings, load

sys.path.insert(0, str(Path(__file__).parent))
import potts_equations as by_hand


def test_many_colours_with_the_square_loss():
    """Six colours, where the averages have five variables: all algebra (see three colours)."""
    colours, alpha, lam, rho = 6, 2.0, 0.1, 9.0
    s0, share, dimension = (colours - 1) / colours**2, 1 / colours, colours - 1
    b = lam + alpha * dimension * share - share
    chi = (-b + math.sqrt(b**2 + 4 * lam * share)) / (2 * lam * share)
    k = 1 / (1 + chi * share)
    gain = rho * chi * alpha * k * s0
    m = gain / (1 + gain * share)
    fixed = alpha * k**2 * s0 * (1 - m * share) ** 2
    slope = alpha * k**2 * dimension * share**2
    q = (m**2 / rho + chi**2 * fixed) / (1 - chi**2 * slope)
    solution = attention.star(6, loss=attention.square, name="s6").solve(
        alpha=alpha, lam=lam, rho=rho
    )
    for name, value in (("q", q), ("m", m), ("chi", chi)):
        assert solution[name] == pytest.approx(value, rel=1e-10), name


def expect_fixed_point(solution, features, directed, points):
    """Conjugates on independent sets of points, within the two standard errors."""
    state = [solution[name] for name in ("q", "m", "chi")]
    alpha, rho = (solution.parameters[name] for name in ("alpha", "rho"))
    found = [
        by_hand.conjugates(features, rho, alpha, directed, state, one, other)
        for one, other in points
    ]
    mean = np.mean(found, axis=0)
    error = np.std(found, axis=0, ddof=1) / math.sqrt(len(found)) if len(found) > 1 else 0 * mean
    for k, name in enumerate(("qhat", "mhat", "Vhat")):
        allowed = 5 * math.hypot(error[k], solution.observable_error[name]) + 1e-6
        assert abs(solution[name] - mean[k]) < allowed, name
        assert allowed < 0.03 * mean[k], name


def random_points(dimension, count, sets):
    for seed in range(sets):
        draw = np.random.default_rng(seed).normal
        yield tuple((draw(size=(count, dimension)), np.full(count, 1 / count)) for _ in range(2))


def test_four_colours_with_a_uniform_context():
    """The sampled average over six variables against product rules of NumPy."""
    settings = SolverSettings(samples=16_384)
    solution = load("potts-directed-4").solve(alpha=2, lam=0.3, rho=4, settings=settings)
    assert solution.sampled
    features = by_hand.feature_map(4)
    x, w = by_hand.normal_grid(3, 17, 5.5)
    keep = w > 1e-8
    points = x[keep], w[keep] / w[keep].sum()
    expect_fixed_point(solution, features, True, [(points, None)])
    least = by_hand.entropy_of_labels(features, 4.0)
    assert solution["least_cross_entropy"] == pytest.approx(least, abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["potts-star-10", "potts-directed-10"])
def test_ten_colours(name):
    """Averages over 9 and 18 variables against plain Monte Carlo."""
    solution = load(name).solve(alpha=2, rho=9, settings=SolverSettings(samples=8192))
    assert solution.sampled
    points = random_points(9, 3000, 8)
    expect_fixed_point(solution, by_hand.feature_map(10), "directed" in name, points)
