"""Memories with p-spin interactions: Gardner, J. Phys. A 20, 3453 (1987)."""

import math

import numpy as np
import pytest
from independent import gaussian_mean
from scipy.optimize import brentq, minimize_scalar
from scipy.special import erf, expit

from replica import load

WARM = load("dense-memory")
COLD = load("dense-memory-zero-temperature")


def cold_load(y, p):
    """Load at T = 0 as a function of y = m^(p-1)/sqrt(2 alpha (p-1)!), where m = erf(y)."""
    return erf(y) ** (2 * p - 2) / (2 * math.factorial(p - 1) * y**2)


def retrieval(b, T, p):
    """``(m, q, alpha, s)`` at T > 0 as functions of the pattern's field b = beta m^(p-1)/(p-1)!."""
    m = (b * T * math.factorial(p - 1)) ** (1 / (p - 1))
    s = brentq(lambda s: gaussian_mean(np.tanh, b, s) - m, 1e-9, 1e3)
    q = gaussian_mean(lambda x: np.tanh(x) ** 2, b, s)
    return m, q, (s * T) ** 2 * math.factorial(p - 1) / q ** (p - 1), s


def warm_end(T, p):
    """``(alpha, b, largest b)``: where retrieval ends, and the field without other patterns."""
    highest = 1 / (T * math.factorial(p - 1))
    grid = np.linspace(0, highest, 4001)[1:]
    grid = grid[np.tanh(grid) > (grid / highest) ** (1 / (p - 1)) + 1e-12]
    some = grid[:: max(1, len(grid) // 60)]
    k = np.argmax([retrieval(b, T, p)[2] for b in some])
    best = minimize_scalar(
        lambda b: -retrieval(b, T, p)[2], bounds=some[[k - 1, k + 1]], method="bounded",
        options={"xatol": 1e-9},
    )  # fmt: skip
    return -best.fun, best.x, grid[-1]


@pytest.mark.parametrize(
    ("p", "known", "overlap"),
    [
        (3, 0.12609521538534, 0.838482272576), (4, 0.032976686532564, 0.917921940163),
        (5, 0.0071988564174589, 0.947242524582), (6, 0.001313996138135, 0.961987235012),
    ],
)  # fmt: skip
def test_retrieval_ends_where_the_explicit_load_is_largest(p, known, overlap):
    """T = 0; also the digits of an earlier evaluation of the same formula."""
    best = minimize_scalar(lambda y: -cold_load(y, p), bounds=(0.5, 4), options={"xatol": 1e-12})
    end = COLD.boundary("spinodal", "alpha", p=p, bracket=(0.2 * known, 2 * known))
    assert end["alpha"] == pytest.approx(-best.fun, rel=1e-10)
    assert end["alpha"] == pytest.approx(known, rel=1e-12)
    assert end["m"] == pytest.approx(overlap, rel=1e-9)


@pytest.mark.parametrize(("p", "alpha"), [(3, 0.05), (3, 0.12), (4, 0.03), (5, 0.007)])
def test_retrieval_at_zero_temperature(p, alpha):
    """m = erf(m^(p-1)/sqrt(2 alpha (p-1)!))."""
    best = minimize_scalar(lambda y: -cold_load(y, p), bounds=(0.5, 4))
    y = brentq(lambda y: cold_load(y, p) - alpha, best.x, 30, xtol=1e-15)
    assert COLD.solve(p=p, alpha=alpha)["m"] == pytest.approx(erf(y), rel=1e-11)


@pytest.mark.parametrize(("p", "T", "alpha"), [(3, 0.1, 0.05), (3, 0.2, 0.1), (4, 0.05, 0.02)])
def test_retrieval_at_finite_temperature(p, T, alpha):
    """Overlaps and free energy of the printed equations, along the field of the pattern."""
    _, lowest, highest = warm_end(T, p)
    b = brentq(lambda b: retrieval(b, T, p)[2] - alpha, lowest, highest, xtol=1e-15)
    m, q, _, s = retrieval(b, T, p)
    solution = WARM.solve(p=p, T=T, alpha=alpha)
    assert solution["m"] == pytest.approx(m, rel=1e-9)
    assert solution["q"] == pytest.approx(q, rel=1e-9)
    groups = math.factorial(p)
    free = (p - 1) * m**p / groups - T * gaussian_mean(lambda x: np.logaddexp(x, -x), b, s)
    free -= alpha / (2 * T * groups) * (1 + (p - 1) * q**p - p * q ** (p - 1))
    assert solution["free_energy"] == pytest.approx(free, rel=1e-10)


@pytest.mark.parametrize(("p", "T"), [(3, 0.02), (3, 0.05), (3, 0.2), (4, 0.05)])
def test_end_of_retrieval_at_finite_temperature(p, T):
    expected, b, _ = warm_end(T, p)
    end = WARM.boundary("spinodal", "alpha", p=p, T=T, bracket=(0.1 * expected, 1.3 * expected))
    assert end["alpha"] == pytest.approx(expected, rel=1e-9)
    assert end["m"] == pytest.approx(retrieval(b, T, p)[0], rel=1e-3)


def test_two_phases_at_zero_overlap():
    """What vanishes is exactly zero and has a free entropy: log 2 + alpha beta^2/(2 p!)."""
    solution = WARM.solve(T=0.2, alpha=0.1, start={"m": 0, "q": 0, "V": 1})
    assert solution.free_entropy == pytest.approx(math.log(2) + 0.1 / (2 * 0.04 * 6), rel=1e-12)
    cold = COLD.solve(alpha=0.05, start={"m": 0})
    assert cold["m"] == 0
    # -e = sqrt(2 qhat/pi), with the variance of the field qhat = alpha/(p-1)!, and its reaction.
    expected = 2 * math.sqrt(0.025 / (2 * math.pi))
    assert cold.free_entropy == pytest.approx(expected, rel=1e-12)


def glauber(rng, N, alpha, T, sweeps, rest):
    """Overlap of heat-bath dynamics of three-spin interactions, started on a pattern."""
    patterns = rng.choice([-1.0, 1.0], (N, round(alpha * N**2)))
    s = patterns[:, 0].copy()
    sums, overlaps = patterns.T @ s, []
    for sweep in range(sweeps):
        for i in rng.permutation(N):
            others = sums - patterns[i] * s[i]
            field = patterns[i] @ (others**2 - (N - 1)) / (2 * N**2)
            spin = 1.0 if rng.random() < expit(2 * field / T) else -1.0
            if spin != s[i]:
                sums += 2 * spin * patterns[i]
                s[i] = spin
        if sweep >= rest:
            overlaps.append(s @ patterns[:, 0] / N)
    return np.mean(overlaps)


@pytest.mark.parametrize(("T", "alpha"), [(0.1, 0.05), (0.2, 0.04)])
def test_a_network_retrieves_as_predicted(T, alpha):
    """Six networks of 200 spins and ``alpha N^2`` patterns, each pattern written exactly."""
    rng = np.random.default_rng(3)
    runs = [glauber(rng, 200, alpha, T, 40, 10) for _ in range(6)]
    error = np.std(runs, ddof=1) / math.sqrt(6)
    predicted = WARM.solve(T=T, alpha=alpha)["m"]
    assert error < 0.01
    assert np.mean(runs) == pytest.approx(predicted, abs=3 * error + 1 / 200)
