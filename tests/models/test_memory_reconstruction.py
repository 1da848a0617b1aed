"""Memories from connectivity: Goldt, Krzakala, Zdeborova & Brunel, PLoS Comput. Biol. 19 (2023)."""

import itertools
import math

import numpy as np
import pytest
from independent import gaussian_mean, iterate
from scipy import special
from scipy.integrate import quad
from scipy.stats import norm

from replica import load

RADEMACHER = load("memory-reconstruction-rademacher")
SPARSE = load("memory-reconstruction-sparse")
SKEWED = load("memory-reconstruction-skewed")
#: Far below zero the threshold cuts nothing off, and Delta = nu**2.
LINEAR = -100.0

PRIORS = {
    "rademacher": lambda rho: ([1.0, -1.0], [0.5, 0.5]),
    "sparse": lambda rho: ([-1.0, 0.0, 1.0], [rho / 2, 1 - rho, rho / 2]),
    "skewed": lambda rho: ([1 - rho, -rho], [rho, 1 - rho]),
}


def variance_of_channel(nu, tau):
    """1/Delta: mean squared score, of silent synapses and of active ones by plain quadrature."""
    silent = norm.pdf(tau / nu) ** 2 / (nu**2 * norm.cdf(tau / nu))
    score = lambda J: ((J + tau) / nu**2) ** 2 * norm.pdf((J + tau) / nu) / nu  # noqa: E731
    return 1 / (silent + quad(score, 0, max(0, -tau) + 40 * nu, points=[max(0.0, -tau)])[0])


def posterior_mean_and_variance(B, A, values, weights):
    """Of the law with weights ``exp(B x - A x**2/2)``."""
    values, weights = np.array(values), np.array(weights)
    logs = np.multiply.outer(B, values) - A * values**2 / 2 + np.log(weights)
    p = np.exp(logs - logs.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    mean = p @ values
    return mean, p @ values**2 - mean**2


def state_evolution(Delta, values, weights):
    """Overlap ``a = E[x <x>]`` in the scalar channel of signal a/Delta, from an informed start."""
    second = np.dot(weights, np.square(values))

    def step(a):
        g = abs(a) / Delta
        mean = lambda B: posterior_mean_and_variance(B, g, values, weights)[0]  # noqa: E731
        return [
            sum(
                w * x * gaussian_mean(mean, g * x, math.sqrt(g))
                for x, w in zip(values, weights, strict=True)
            )
        ]

    return iterate(step, [0.95 * second])[0]


@pytest.mark.parametrize(
    ("nu", "tau", "known"),
    [(0.2, 0, 0.048881), (0.3, 0.1, 0.124810), (0.5, 0.5, None), (0.5, -0.3, None)],
)
def test_information_of_the_rectified_channel(nu, tau, known):
    """Known are the values of the authors' own unit tests."""
    Delta = RADEMACHER.solve(nu=nu, tau=tau)["Delta"]
    assert Delta == pytest.approx(variance_of_channel(nu, tau), rel=1e-8)
    if known:
        assert Delta == pytest.approx(known, abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "Delta", "rho"),
    [
        ("rademacher", 0.3, None), ("rademacher", 0.9, None), ("sparse", 0.05, 0.3),
        ("sparse", 0.005, 0.1), ("skewed", 0.02, 0.3), ("skewed", 0.005, 0.1),
    ],
)  # fmt: skip
def test_overlap_against_state_evolution(kind, Delta, rho):
    model = load(f"memory-reconstruction-{kind}")
    given = {} if rho is None else {"rho": rho}
    solution = model.solve(nu=math.sqrt(Delta), tau=LINEAR, start="informed", **given)
    values, weights = PRIORS[kind](rho)
    a = state_evolution(Delta, values, weights)
    assert solution["Delta"] == pytest.approx(Delta, rel=1e-14)
    assert solution["q"] == pytest.approx(a, rel=1e-9)
    second = np.dot(weights, np.square(values))
    assert solution["mse"] == pytest.approx(second - a, rel=1e-8)
    if kind == "skewed":  # the integral of the paper, eq. for patterns of 1 - rho and -rho

        def integrand(z):
            u, half = math.sqrt(a / Delta) * z, a / Delta / 2
            first = (1 - rho) * np.exp(half) + rho * np.exp(u)
            second = (1 - rho) + rho * np.exp(u + half)
            return (np.exp(2 * half) - 1) * np.exp(u) / (first * second)

        printed = (rho * (1 - rho)) ** 2 * gaussian_mean(integrand)
        assert printed == pytest.approx(a, rel=1e-9)


def test_free_entropy_is_the_potential_of_state_evolution():
    """-a^2/(4 Delta) - a/(2 Delta) + E log cosh(a/Delta + sqrt(a/Delta) z), beside log 2."""
    Delta = 0.4
    solution = RADEMACHER.solve(nu=math.sqrt(Delta), tau=LINEAR)
    a, g = solution["q"], solution["q"] / Delta
    log = gaussian_mean(lambda x: np.logaddexp(x, -x), g, math.sqrt(g))
    assert solution.free_entropy == pytest.approx(log - a * g / 4 - g / 2, rel=1e-10)


@pytest.mark.parametrize("rho", [0.25, 0.5])
def test_zero_overlap_is_unstable_below_the_squared_second_moment(rho):
    """Delta_c = 1, rho^2 and (rho (1 - rho))^2; a rectifier only changes Delta."""
    where = {"tau": LINEAR, "rho": rho}
    for model, moment in ((SPARSE, rho), (SKEWED, rho * (1 - rho))):
        assert model.boundary("second-order", "nu", **where)["nu"] == pytest.approx(
            moment, rel=1e-9
        )
    half = RADEMACHER.boundary("second-order", "nu", tau=0)["nu"]
    assert variance_of_channel(half, 0) == pytest.approx(1, rel=1e-8)


def test_noise_helps_behind_a_threshold():
    """At tau = 0.5 nothing leaks through without noise: found only for .1885 < nu < .7827."""
    ends = [
        RADEMACHER.boundary("second-order", "nu", tau=0.5, bracket=bracket)["nu"]
        for bracket in ((0.1, 0.3), (0.6, 1.2))
    ]
    assert ends == pytest.approx([0.188512335, 0.782666041590], abs=1e-9)
    assert RADEMACHER.solve(nu=0.15, tau=0.5)["q"] < 1e-6
    assert RADEMACHER.solve(nu=0.3, tau=0.5)["q"] > 0.1


def message_passing(rng, N, nu, tau, values, weights, patterns=1, sweeps=50):
    """Overlap with the memories of a run of approximate message passing on one network.

    Every neuron has a belief over the entries of all patterns together. It starts on the memories'
    side: from the other one, skewed patterns of density close to 1/2 are read as their mirror
    image, a fixed point of its own, and several patterns in another order.
    """
    x = rng.choice(values, (N, patterns), p=weights)
    z = np.triu(rng.standard_normal((N, N)), 1)
    J = np.maximum(0, x @ x.T / math.sqrt(N) + nu * (z + z.T) - tau)
    silent = -norm.pdf(tau / nu) / (nu * norm.cdf(tau / nu))
    S = np.where(J > 0, (J + tau) / nu**2, silent) / math.sqrt(N)
    np.fill_diagonal(S, 0)
    signal = 1 / variance_of_channel(nu, tau)
    states = np.array(list(itertools.product(values, repeat=patterns)))
    logs = np.array(list(itertools.product(np.log(weights), repeat=patterns))).sum(axis=1)
    before, a = np.zeros_like(x), 0.1 * (x + rng.standard_normal(x.shape) * np.std(x))
    covariance = np.zeros((patterns, patterns))
    for _ in range(sweeps):
        B = S @ a - signal * before @ covariance
        before = a
        norms = np.einsum("kp,pq,kq->k", states, signal * a.T @ a / N, states)
        belief = special.softmax(B @ states.T - norms / 2 + logs, axis=1)
        a = belief @ states
        second = np.einsum("ik,kp,kq->pq", belief, states, states) / N
        covariance = second - a.T @ a / N
    return np.einsum("ip,ip->p", x, a).mean() / N


@pytest.mark.parametrize(
    ("kind", "nu", "tau", "rho", "patterns"),
    [
        ("rademacher", 0.5, 0.2, None, 1), ("rademacher", 0.5, -0.3, None, 1),
        ("sparse", 0.15, 0.0, 0.4, 1), ("skewed", 0.1, 0.05, 0.4, 1),
        ("rademacher", 0.5, 0.1, None, 3), ("sparse", 0.15, 0.0, 0.4, 2),
        ("skewed", 0.1, -0.05, 0.4, 2),
    ],
)  # fmt: skip
def test_message_passing_reads_memories_as_predicted(kind, nu, tau, rho, patterns):
    """Five networks of 1000 neurons with rectified synapses; several patterns decouple."""
    values, weights = PRIORS[kind](rho)
    rng = np.random.default_rng(20)
    runs = [message_passing(rng, 1000, nu, tau, values, weights, patterns) for _ in range(5)]
    error = np.std(runs, ddof=1) / math.sqrt(len(runs))
    given = {} if rho is None else {"rho": rho}
    predicted = load(f"memory-reconstruction-{kind}").solve(nu=nu, tau=tau, **given)["q"]
    assert error < 0.03 * predicted
    assert np.mean(runs) == pytest.approx(predicted, abs=3 * error)
