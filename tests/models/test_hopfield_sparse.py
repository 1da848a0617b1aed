"""Sparse patterns in Hopfield's memory: Tsodyks & Feigelman, Europhys. Lett. 6, 101 (1988)."""

import math

import numpy as np
import pytest
from independent import gaussian_mean, iterate
from scipy.special import expit, logit
from scipy.stats import norm

from replica import load

SPARSE = load("hopfield-sparse")
COLD = load("hopfield-sparse-zero-temperature")


def signal_to_noise(T, alpha, f, theta):
    """``(M, q, C)``: overlap, activity squared and susceptibility of fields with their reaction.

    The field is ``(xi - f) M - theta`` with noise of variance ``alpha q/(1-C)^2``, and the other
    patterns' reaction to the neuron is ``alpha s/(1-C)``, of which ``alpha s`` is self-coupling.
    """

    def step(M, q, C):
        deviation = math.sqrt(alpha * q) / (1 - C) / T
        reaction = alpha * C / (2 * (1 - C))
        means = [((xi - f) * M - theta + reaction) / T for xi in (1, 0)]
        active = [gaussian_mean(expit, mean, deviation) for mean in means]
        squares = [gaussian_mean(lambda x: expit(x) ** 2, mean, deviation) for mean in means]
        q = f * squares[0] + (1 - f) * squares[1]
        return active[0] - active[1], q, (f * active[0] + (1 - f) * active[1] - q) / T

    return iterate(step, [0.99, f, 0.01])


@pytest.mark.parametrize(
    ("T", "alpha", "f", "theta"),
    [(0.05, 0.1, 0.1, 0.5), (0.05, 0.2, 0.1, 0.6), (0.1, 0.05, 0.2, 0.4), (0.05, 0.4, 0.05, 0.6)],
)
def test_retrieval_against_signal_and_noise(T, alpha, f, theta):
    M, q, C = signal_to_noise(T, alpha, f, theta)
    solution = SPARSE.solve(T=T, alpha=alpha, f=f, theta=theta)
    assert solution["retrieval"] == pytest.approx(M, rel=1e-9)
    assert solution["q"] == pytest.approx(q, rel=1e-9)
    assert solution["V"] == pytest.approx(T * C, rel=1e-7)


def cold_signal_to_noise(alpha, f, theta):
    """The same at T = 0, where a neuron is active if its field with half the reaction is positive.

    ``(M, q, C)`` and the energy per neuron, of the overlap, the noise and the threshold.
    """

    def step(M, q, C):
        deviation = math.sqrt(alpha * q) / (1 - C)
        means = [(xi - f) * M - theta + alpha * C / (2 * (1 - C)) for xi in (1, 0)]
        active, density = ([g(mean / deviation) for mean in means] for g in (norm.cdf, norm.pdf))
        response = f * density[0] + (1 - f) * density[1]
        return active[0] - active[1], f * active[0] + (1 - f) * active[1], response / deviation

    M, q, C = iterate(step, [0.99, f, 0.01])
    # The other patterns: alpha q/2 of self-coupling less the susceptible noise alpha q/2(1-C)^2.
    energy = -f * (1 - f) * M**2 / 2 + theta * q + alpha * q / 2 - alpha * q / (2 * (1 - C) ** 2)
    return M, q, C, energy


@pytest.mark.parametrize(
    ("alpha", "f", "theta"), [(0.1, 0.1, 0.5), (0.2, 0.1, 0.6), (0.4, 0.05, 0.6), (0.05, 0.3, 0.2)]
)
def test_retrieval_at_zero_temperature(alpha, f, theta):
    M, q, C, energy = cold_signal_to_noise(alpha, f, theta)
    solution = COLD.solve(alpha=alpha, f=f, theta=theta)
    assert solution["retrieval"] == pytest.approx(M, rel=1e-10)
    assert solution["q"] == pytest.approx(q, rel=1e-10)
    assert solution["chi"] == pytest.approx(C, rel=1e-9)
    assert solution["free_energy"] == pytest.approx(energy, rel=1e-10)


def test_zero_temperature_is_the_limit_of_low_ones():
    where = {"alpha": 0.3, "f": 0.1, "theta": 0.55}
    cold = COLD.solve(**where)
    distances = [
        abs(SPARSE.solve(T=T, **where)["retrieval"] - cold["retrieval"]) for T in (0.02, 0.01)
    ]
    assert distances[1] < 0.3 * distances[0] < 2e-3  # as T^2
    assert cold.replicon == -math.inf


def test_retrieval_at_zero_temperature_ends():
    """The other equations have a solution just below, and none above."""
    end = COLD.boundary("spinodal", "alpha", f=0.2, theta=0.4, bracket=(0.1, 0.4))
    below = cold_signal_to_noise(0.9999 * end["alpha"], 0.2, 0.4)[0]
    assert below == pytest.approx(end["retrieval"], abs=0.01)
    with pytest.raises(RuntimeError):
        cold_signal_to_noise(1.001 * end["alpha"], 0.2, 0.4)


def test_sparse_patterns_are_more():
    """The best load grows like 1/(2 f |log f|) (Tsodyks & Feigelman): slowly, from below."""
    shares = []
    for f, theta in ((0.1, 0.55), (0.05, 0.6), (0.02, 0.65)):
        end = SPARSE.boundary("spinodal", "alpha", f=f, T=0.02, theta=theta)
        shares.append(end["alpha"] * 2 * f * abs(math.log(f)))
    assert 0.15 < shares[0] < shares[1] < shares[2] < 1


def glauber(rng, N, T, alpha, f, theta, sweeps=40, rest=10):
    """Active share of a pattern less that of the other neurons, in heat-bath dynamics."""
    active = rng.random((round(alpha * N), N)) < f
    patterns = active - f
    J = patterns.T @ patterns / (N * f * (1 - f))
    np.fill_diagonal(J, 0)
    s = active[0].astype(float)
    fields, overlaps = J @ s - theta, []
    for sweep in range(sweeps):
        needed = T * logit(rng.random(N)) if T else np.zeros(N)
        for i in rng.permutation(N):
            spin = 1.0 if fields[i] > needed[i] else 0.0
            if spin != s[i]:
                fields += (spin - s[i]) * J[i]
                s[i] = spin
        if sweep >= rest:
            overlaps.append(s[active[0]].mean() - s[~active[0]].mean())
    return np.mean(overlaps)


@pytest.mark.parametrize(
    ("T", "alpha", "f", "theta"),
    [(0.05, 0.05, 0.2, 0.4), (0.05, 0.1, 0.1, 0.5), (0.0, 0.1, 0.2, 0.4)],
)
def test_networks_retrieve_as_predicted(T, alpha, f, theta):
    """Six networks of 1000 neurons."""
    rng = np.random.default_rng(13)
    runs = [glauber(rng, 1000, T, alpha, f, theta) for _ in range(6)]
    error = np.std(runs, ddof=1) / math.sqrt(6)
    where = {"alpha": alpha, "f": f, "theta": theta}
    solution = SPARSE.solve(T=T, **where) if T else COLD.solve(**where)
    predicted = solution["retrieval"]
    assert predicted > 0.9
    assert error < 0.03
    assert np.mean(runs) == pytest.approx(predicted, abs=3 * error + 1 / 1000)
