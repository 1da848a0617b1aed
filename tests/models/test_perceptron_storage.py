"""Storage capacity: spherical weights (Gardner 1988) and binary ones (Krauth & Mezard 1989)."""

import math

import numpy as np
import pytest
from independent import gaussian_mean, iterate, normal_density
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import log_ndtr

from replica import Status, load

SPHERICAL = load("gardner-spherical")
VIOLATION = load("gardner-least-violation")
BINARY = load("krauth-mezard")


def capacity(kappa):
    """Gardner (1988): 1/alpha_c = E (kappa + z)_+^2; 2 without margin."""
    return 1 / quad(lambda z: (kappa + z) ** 2 * normal_density(z), -kappa, 40)[0]


def mills(x):
    return np.exp(-(x**2) / 2 - log_ndtr(x)) / np.sqrt(2 * np.pi)


def overlap_force(q, alpha, kappa):
    """``alpha E[(phi/H)^2]/(1-q)`` with H at (kappa - sqrt(q) z)/sqrt(1-q)."""
    argument = lambda w: mills((w - kappa) / np.sqrt(1 - q)) ** 2  # noqa: E731
    return alpha * gaussian_mean(argument, 0, np.sqrt(q)) / (1 - q)


@pytest.mark.parametrize(("alpha", "kappa"), [(0.3, 0.0), (1.5, 0.0), (0.4, 0.7), (3.0, -0.5)])
def test_spherical_volume(alpha, kappa):
    """Gardner (1988): q/(1-q)^2 = alpha E[(phi/H)^2]/(1-q), and the log-volume."""
    q = brentq(lambda q: q / (1 - q) ** 2 - overlap_force(q, alpha, kappa), 1e-6, 1 - 1e-6)
    solution = SPHERICAL.solve(alpha=alpha, kappa=kappa)
    assert solution["q"] == pytest.approx(q, rel=1e-9)
    log = gaussian_mean(lambda w: log_ndtr((w - kappa) / math.sqrt(1 - q)), 0, math.sqrt(q))
    volume = (math.log(1 - q) + q / (1 - q)) / 2 + alpha * log
    sphere = math.log(2 * math.pi * math.e) / 2
    assert solution["free_entropy"] - sphere == pytest.approx(volume, rel=1e-9)
    assert solution.replicon > 0


@pytest.mark.parametrize("kappa", [0.0, 0.5, 1.0])
def test_volume_vanishes_at_the_capacity(kappa):
    """1 - q vanishes linearly at alpha_c(kappa), so two points extrapolate to it."""
    alpha_c = capacity(kappa)
    points = np.array([1 - 2e-4, 1 - 1e-4]) * alpha_c
    spread = np.array([SPHERICAL.solve(alpha=a, kappa=kappa)["V"] for a in points])
    root = points[0] - spread[0] * (points[1] - points[0]) / (spread[1] - spread[0])
    assert root == pytest.approx(alpha_c, rel=1e-6)
    beyond = SPHERICAL.solve(alpha=1.05 * alpha_c, kappa=kappa, throw=False)
    assert beyond.status is Status.AT_BOUNDARY


@pytest.mark.parametrize(("ratio", "kappa"), [(1.001, 0.0), (1.5, 0.0), (2.0, 0.8), (4.0, -0.3)])
def test_least_violation_in_closed_form(ratio, kappa):
    """chi = 1/(sqrt(a) - 1), E = (sqrt(a) - 1)^2/2, a = alpha/alpha_c (Griniasty & Gutfreund)."""
    solution = VIOLATION.solve(alpha=ratio * capacity(kappa), kappa=kappa)
    root = math.sqrt(ratio)
    assert solution["chi"] == pytest.approx(1 / (root - 1), rel=1e-9)
    assert solution["free_energy"] == pytest.approx((root - 1) ** 2 / 2, rel=1e-9)


def test_no_violation_below_the_capacity_is_a_boundary():
    assert VIOLATION.solve(alpha=1.5, throw=False).status is Status.AT_BOUNDARY


def binary(alpha, kappa):
    (q,) = iterate(
        lambda q: [
            gaussian_mean(lambda x: np.tanh(x) ** 2, 0, overlap_force(q, alpha, kappa) ** 0.5)
        ],
        [0.5],
    )
    hat = overlap_force(q, alpha, kappa)
    log = gaussian_mean(lambda w: log_ndtr((w - kappa) / math.sqrt(1 - q)), 0, math.sqrt(q))
    spins = gaussian_mean(lambda x: np.logaddexp(x, -x), 0, math.sqrt(hat))
    return q, -hat * (1 - q) / 2 + spins + alpha * log


@pytest.mark.parametrize(("alpha", "kappa"), [(0.4, 0.0), (0.833, 0.0), (0.3, 0.6)])
def test_binary_weights_against_their_integrals(alpha, kappa):
    q, entropy = binary(alpha, kappa)
    solution = BINARY.solve(alpha=alpha, kappa=kappa)
    assert solution["q"] == pytest.approx(q, rel=1e-10)
    assert solution["free_entropy"] == pytest.approx(entropy, abs=1e-11)


def test_binary_capacity():
    """The entropy vanishes at alpha = 0.833 (Krauth & Mezard 1989; Ding & Sun 2019 prove it)."""
    root = brentq(lambda alpha: BINARY.solve(alpha=alpha)["free_entropy"], 0.7, 0.9)
    assert root == pytest.approx(0.833, abs=5e-4)
    assert root == pytest.approx(brentq(lambda a: binary(a, 0.0)[1], 0.83, 0.84), abs=1e-9)
