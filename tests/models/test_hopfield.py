"""Hopfield's memory: Amit, Gutfreund & Sompolinsky (AGS), Ann. Phys. 173, 30 (1987)."""

import math

import numpy as np
import pytest
from independent import gaussian_mean
from scipy.optimize import brentq, minimize_scalar
from scipy.special import erf

from replica import load

WARM = load("hopfield")
COLD = load("hopfield-zero-temperature")


def load_of(y):
    """AGS at T = 0: the load as an explicit function of y = m / sqrt(2 alpha r)."""
    return (erf(y) / y - 2 / math.sqrt(math.pi) * math.exp(-(y**2))) ** 2 / 2


def retrieval(T, alpha):
    """AGS at T > 0: (m, q, r, free energy without self-coupling) from explicit integrals.

    With b = beta m and s = beta sqrt(alpha r), m(b, s) = T b fixes b, and then alpha is explicit.
    """

    def at(s):
        b = brentq(lambda b: gaussian_mean(np.tanh, b, s) / b - T, 1e-8, 2 / T)
        q = gaussian_mean(lambda x: np.tanh(x) ** 2, b, s)
        return b, q, s**2 / q * (T - (1 - q)) ** 2

    fold = minimize_scalar(lambda s: -at(s)[2], bounds=(1e-2, 0.6 / T), options={"xatol": 1e-3})
    s = brentq(lambda s: at(s)[2] - alpha, 1e-3, fold.x)
    b, q, _ = at(s)
    m, r, beta = T * b, (T * s) ** 2 / alpha, 1 / T
    log = gaussian_mean(lambda x: np.logaddexp(x, -x), b, s)
    gap = 1 - beta * (1 - q)
    free = m**2 / 2 + alpha / 2 * (1 + T * (math.log(gap) - beta * q / gap) + beta * r * (1 - q))
    return m, q, r, free - T * log


def test_capacity_at_zero_temperature():
    """alpha_c = 0.138 with m = 0.967 there (AGS); digits: the maximum of alpha(y)."""
    best = minimize_scalar(lambda y: -load_of(y), bounds=(1, 2), options={"xatol": 1e-12})
    capacity = load_of(best.x)
    assert capacity == pytest.approx(0.138, abs=5e-4)
    below = COLD.solve(alpha=capacity * (1 - 1e-7))
    assert below["m"] == pytest.approx(erf(best.x), abs=1e-3)
    assert erf(best.x) == pytest.approx(0.967, abs=5e-4)
    assert COLD.solve(alpha=capacity * (1 + 1e-5))["m"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.02, 0.1, 0.13, 0.1375])
def test_retrieval_at_zero_temperature(alpha):
    """AGS: m = erf(y), r = (m/y)^2/(2 alpha), E = (alpha (1 - r) - m^2)/2 - alpha/2."""
    y = brentq(lambda y: load_of(y) - alpha, 1.52, 10)
    solution = COLD.solve(alpha=alpha)
    r = (erf(y) / y) ** 2 / (2 * alpha)
    assert solution["m"] == pytest.approx(erf(y), rel=1e-11)
    assert solution["qhat"] == pytest.approx(alpha * r, rel=1e-10)
    energy = (alpha * (1 - r) - erf(y) ** 2) / 2
    assert solution["free_energy"] == pytest.approx(energy - alpha / 2, rel=1e-11)


def test_spin_glass_at_zero_temperature():
    """AGS: E = -1/pi - sqrt(2 alpha/pi); the self-coupling adds -alpha/2."""
    solution = COLD.solve(alpha=0.1, start="uninformed")
    expected = -1 / math.pi - math.sqrt(0.2 / math.pi) - 0.05
    assert solution["m"] == pytest.approx(0, abs=1e-9)
    assert solution["free_energy"] == pytest.approx(expected, rel=1e-12)


def test_first_order_line_at_zero_temperature():
    """Retrieval states are ground states below alpha = 0.051 (AGS)."""

    def gap(alpha):
        retrieved, glass = COLD.solve(alpha=alpha), COLD.solve(alpha=alpha, start="uninformed")
        return retrieved["free_energy"] - glass["free_energy"]

    assert brentq(gap, 0.03, 0.1) == pytest.approx(0.0515, abs=5e-4)


@pytest.mark.parametrize(("T", "alpha"), [(0.1, 0.05), (0.5, 0.05), (0.05, 0.13), (0.7, 0.01)])
def test_retrieval_at_finite_temperature(T, alpha):
    """The saddle point of AGS, solved along its explicit parametrisation."""
    m, q, r, free = retrieval(T, alpha)
    solution = WARM.solve(T=T, alpha=alpha)
    assert solution["m"] == pytest.approx(m, rel=1e-9)
    assert solution["q"] == pytest.approx(q, rel=1e-9)
    assert solution["qhat"] == pytest.approx(alpha * r / T**2, rel=1e-8)
    assert solution["free_energy"] == pytest.approx(free - alpha / 2, rel=1e-9)
    assert solution.replicon > 0


def test_low_temperature_retrieval_is_unstable():
    """AGS: the replicon (T - (1-q))^2 - alpha E sech^4 changes sign at a tiny temperature."""
    alpha = 0.13
    signs = [WARM.solve(T=T, alpha=alpha).replicon > 0 for T in (0.005, 0.02)]
    assert signs == [False, True]
    solution = WARM.solve(T=0.02, alpha=alpha)
    field = solution["mhat"], math.sqrt(solution["qhat"])
    sech4 = gaussian_mean(lambda x: np.cosh(x) ** -4.0, *field)
    expected = 1 - alpha * sech4 / (0.02 - (1 - solution["q"])) ** 2
    assert solution.replicon == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("alpha", [0.05, 0.5])
def test_spin_glass_transition(alpha):
    """T_g = 1 + sqrt(alpha) (AGS); the paramagnet is unstable below."""
    T_g = 1 + math.sqrt(alpha)
    assert WARM.solve(T=T_g + 0.01, alpha=alpha, start="uninformed")["q"] < 1e-8
    below = WARM.solve(T=T_g - 0.01, alpha=alpha, start="uninformed")
    assert below["q"] > 1e-3
    assert below["m"] == pytest.approx(0, abs=1e-8)
    # Also from the default temperature, at which the paramagnet lies beyond the pole of its action.
    transition = WARM.boundary("second-order", "T", alpha=alpha, start="uninformed")
    assert transition["T"] == pytest.approx(T_g, rel=1e-10)


def glauber(rng, N, T, alpha, sweeps=40, rest=10):
    """Overlap of random sequential heat-bath dynamics, started on a pattern."""
    patterns = rng.choice([-1.0, 1.0], (round(alpha * N), N))
    J = patterns.T @ patterns / N
    np.fill_diagonal(J, 0)
    s = patterns[0].copy()
    fields, overlaps = J @ s, []
    for sweep in range(sweeps):
        noise = T * np.arctanh(2 * rng.random(N) - 1)  # a spin is up where its field exceeds it
        for i, threshold in zip(rng.permutation(N), noise, strict=True):
            spin = 1.0 if fields[i] > threshold else -1.0
            if spin != s[i]:
                fields += 2 * spin * J[i]
                s[i] = spin
        if sweep >= rest:
            overlaps.append(s @ patterns[0] / N)
    return np.mean(overlaps)


@pytest.mark.parametrize(("T", "alpha"), [(0.2, 0.05), (0.4, 0.05), (0.7, 0.01)])
def test_networks_retrieve_as_predicted(T, alpha):
    """Four networks of 1500 spins, away from the load at which finite ones forget."""
    rng = np.random.default_rng(11)
    runs = [glauber(rng, 1500, T, alpha) for _ in range(4)]
    error = np.std(runs, ddof=1) / 2
    predicted = WARM.solve(T=T, alpha=alpha)["m"]
    assert error < 0.02
    assert np.mean(runs) == pytest.approx(predicted, abs=3 * error + 1 / 1500)
