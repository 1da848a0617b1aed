"""Sparse patterns in Hopfield's memory: Tsodyks & Feigelman, Europhys. Lett. 6, 101 (1988)."""

import math

import numpy as np
import pytest
from independent import gaussian_mean, iterate
from scipy.special import expit

from replica import load

SPARSE = load("hopfield-sparse")


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
        odds = rng.random(N)
        for i in rng.permutation(N):
            spin = 1.0 if odds[i] < expit(fields[i] / T) else 0.0
            if spin != s[i]:
                fields += (spin - s[i]) * J[i]
                s[i] = spin
        if sweep >= rest:
            overlaps.append(s[active[0]].mean() - s[~active[0]].mean())
    return np.mean(overlaps)


@pytest.mark.parametrize(("alpha", "f", "theta"), [(0.05, 0.2, 0.4), (0.1, 0.1, 0.5)])
def test_networks_retrieve_as_predicted(alpha, f, theta):
    """Six networks of 1000 neurons."""
    rng = np.random.default_rng(13)
    runs = [glauber(rng, 1000, 0.05, alpha, f, theta) for _ in range(6)]
    error = np.std(runs, ddof=1) / math.sqrt(6)
    predicted = SPARSE.solve(T=0.05, alpha=alpha, f=f, theta=theta)["retrieval"]
    assert predicted > 0.9
    assert error < 0.03
    assert np.mean(runs) == pytest.approx(predicted, abs=3 * error + 1 / 1000)
