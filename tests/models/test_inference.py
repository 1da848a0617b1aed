"""Bayes-optimal inference: perceptron, compressed sensing, spiked matrices, phase retrieval."""

import math

import numpy as np
import pytest
import sympy as sp
from independent import GRID, WEIGHT, gaussian_mean, iterate
from scipy.optimize import brentq
from scipy.special import expit, log_ndtr

from replica import Discrete, Model, Parameter, Quenched, Thermal, load, m, q, q_d
from replica.solve.point import solve_point

MATCHED = {
    "perceptron-gaussian": {"alpha": 2.0},
    "perceptron-rademacher": {"alpha": 1.1},
    "compressed-sensing": {"alpha": 0.5, "rho": 0.3, "Delta": 0.02},
    "spiked-wigner-rademacher": {"lam": 1.6},
    "spiked-wigner-sparse": {"lam": 1.5, "rho": 0.2},
    "spiked-wigner-ternary": {"lam": 1.5, "rho": 0.3},
    "phase-retrieval": {"alpha": 0.9},
}


@pytest.mark.parametrize("name", MATCHED)
def test_matched_models_are_recognised_and_the_full_equations_agree(name):
    """Nishimori: m = q and q_d = R solve the equations that do not assume it."""
    model, values = load(name), MATCHED[name]
    assert model.saddle_point().bayes_optimal
    assert not model.saddle_point(reduce=False).bayes_optimal
    reduced = model.solve(**values)
    size = reduced["q"] + reduced["V"]
    start = {"m": 0.9 * size, "q": 0.9 * size, "V": 0.1 * size}
    full = solve_point(name, model.compile(reduce=False), values, start=start)
    assert full["m"] == pytest.approx(reduced["q"], rel=1e-8)
    assert full["q"] == pytest.approx(reduced["q"], rel=1e-8)
    assert full["V"] == pytest.approx(reduced["V"], rel=1e-8)
    assert full["free_entropy"] == pytest.approx(reduced["free_entropy"], rel=1e-8)


# -- perceptron ------------------------------------------------------------------------------


def sign_force(q, alpha):
    """``alpha/(pi sqrt(1-q)) E exp(-q t^2/2)/H(sqrt(q) t)`` (Gyorgyi & Tishby 1990)."""
    integrand = lambda t: np.exp(-q * t**2 / 2 - log_ndtr(-math.sqrt(q) * t))  # noqa: E731
    return alpha / (math.pi * math.sqrt(1 - q)) * gaussian_mean(integrand)


@pytest.mark.parametrize("alpha", [0.2, 2.0, 15.0])
def test_gaussian_perceptron_against_its_equation(alpha):
    """Gyorgyi & Tishby (1990): q/(1-q) equals the force; the Bayes error is acos(sqrt q)/pi."""
    root = brentq(lambda q: q / (1 - q) - sign_force(q, alpha), 1e-6, 1 - 1e-6)
    solution = load("perceptron-gaussian").solve(alpha=alpha)
    assert solution["q"] == pytest.approx(root, rel=1e-9)
    assert solution["test_error"] == pytest.approx(math.acos(math.sqrt(root)) / math.pi, rel=1e-9)


def test_gaussian_perceptron_learning_curve():
    """Bayes error -> 0.442/alpha (Opper & Haussler 1991)."""
    solution = load("perceptron-gaussian").solve(alpha=1e3)
    assert 1e3 * solution["test_error"] == pytest.approx(0.442, abs=1e-3)


def test_binary_perceptron_learns_at_once():
    """alpha = 1.245 (entropy zero, Gyorgyi 1990), 1.493 (spinodal, Barbier et al. 2019)."""
    model = load("perceptron-rademacher")
    q = model.solve(alpha=0.9)["q"]
    force = sign_force(q, 0.9)
    assert q == pytest.approx(gaussian_mean(np.tanh, force, math.sqrt(force)), rel=1e-9)
    # The teacher itself has free entropy zero.
    threshold = brentq(lambda alpha: model.solve(alpha=alpha)["free_entropy"], 1.0, 1.4)
    assert threshold == pytest.approx(1.245, abs=5e-4)
    assert model.solve(alpha=1.492)["q"] < 0.9
    assert model.solve(alpha=1.494, throw=False)["q"] == pytest.approx(1, abs=1e-8)


# -- compressed sensing ----------------------------------------------------------------------


def gauss_bernoulli_mmse(precision, rho):
    """Minimal mean square error of a Gauss-Bernoulli scalar seen with noise 1/precision."""

    def variance(r):  # r = x + noise
        log = -(r**2) / 2 * (1 / (1 + 1 / precision) - precision)
        share = expit(log + math.log(rho / (1 - rho)) - math.log(1 + precision) / 2)
        shrink = precision / (1 + precision)
        return share / (1 + precision) + share * (1 - share) * (shrink * r) ** 2

    nonzero = gaussian_mean(variance, 0, math.sqrt(1 + 1 / precision))
    return rho * nonzero + (1 - rho) * gaussian_mean(variance, 0, math.sqrt(1 / precision))


@pytest.mark.parametrize(
    ("alpha", "rho", "Delta"), [(0.5, 0.3, 0.05), (0.9, 0.5, 1e-3), (2.0, 0.1, 1.0)]
)
def test_compressed_sensing_against_state_evolution(alpha, rho, Delta):
    """Krzakala et al. (2012): mse = mmse(alpha/(Delta + mse)), iterated from no information."""
    (mse,) = iterate(lambda e: [gauss_bernoulli_mmse(alpha / (Delta + e), rho)], [rho])
    solution = load("compressed-sensing").solve(alpha=alpha, rho=rho, Delta=Delta)
    assert solution["mse"] == pytest.approx(mse, rel=1e-8)


@pytest.mark.parametrize(("alpha", "rho"), [(0.6, 0.4), (0.5, 0.1)])
def test_noise_sensitivity_of_compressed_sensing(alpha, rho):
    """mse -> rho Delta/(alpha - rho) for small noise and alpha > rho (Wu & Verdu 2012)."""
    Delta = 1e-10
    solution = load("compressed-sensing").solve(alpha=alpha, rho=rho, Delta=Delta, start="informed")
    assert solution["mse"] / Delta == pytest.approx(rho / (alpha - rho), rel=0.01)
    below = load("compressed-sensing").solve(alpha=0.9 * rho, rho=rho, Delta=Delta)
    assert below["mse"] > 1e-3


# -- spiked matrices -------------------------------------------------------------------------


@pytest.mark.parametrize("lam", [1.1, 2.0, 5.0])
def test_rademacher_spike_against_its_integral(lam):
    """q = E tanh(lam q + sqrt(lam q) z) (Deshpande, Abbe & Montanari 2017)."""
    (overlap,) = iterate(lambda q: [gaussian_mean(np.tanh, lam * q, math.sqrt(lam * q))], [0.9])
    solution = load("spiked-wigner-rademacher").solve(lam=lam)
    assert solution["q"] == pytest.approx(overlap, rel=1e-9)
    field = lam * overlap, math.sqrt(lam * overlap)
    log = gaussian_mean(lambda x: np.logaddexp(x, -x), *field)
    phi = log - lam * overlap / 2 - lam * overlap**2 / 4
    assert solution["free_entropy"] == pytest.approx(phi, rel=1e-9)


def test_spikes_are_found_above_one():
    """The transition of a centred spike is at lambda = 1 (Lesieur, Krzakala & Zdeborova 2017)."""
    model = load("spiked-wigner-rademacher")
    assert model.solve(lam=0.98)["q"] < 1e-8
    # q = (lam - 1) + O((lam - 1)^2)
    assert model.solve(lam=1.002)["q"] == pytest.approx(0.002, rel=0.02)
    for name in ("spiked-wigner-sparse", "spiked-wigner-ternary"):
        assert load(name).solve(lam=0.98, rho=0.5)["q"] < 1e-8
        assert load(name).solve(lam=1.02, rho=0.5)["q"] > 1e-3


@pytest.mark.parametrize(("lam", "rho"), [(1.2, 0.3), (0.8, 0.05), (3.0, 0.1)])
def test_sparse_spikes_against_scalar_errors(lam, rho):
    """1 - q = mmse(lam q), with entries of variance 1/rho (Lesieur et al. 2017)."""
    sparse = load("spiked-wigner-sparse").solve(lam=lam, rho=rho, start="informed")
    q = sparse["q"]
    assert 1 - q == pytest.approx(gauss_bernoulli_mmse(lam * q / rho, rho) / rho, rel=1e-8)
    ternary = load("spiked-wigner-ternary").solve(lam=lam, rho=rho, start="informed")
    hat, size = ternary["qhat"], 1 / math.sqrt(rho)

    def mean(x):
        odds = rho / 2 * np.exp(-hat / (2 * rho)) / (1 - rho)
        up, down = odds * np.exp(x * size), odds * np.exp(-x * size)
        return size * (up - down) / (1 + up + down)

    overlap = rho * size * gaussian_mean(mean, hat * size, math.sqrt(hat))
    assert hat == pytest.approx(lam * ternary["q"], rel=1e-12)
    assert ternary["q"] == pytest.approx(overlap, rel=1e-8)


def test_two_groups_are_hard_below_the_published_asymmetry():
    """Below rho = 1/2 - 1/sqrt(12) = 0.211 the transition is of first order (Barbier et al. 2016,
    Caltagirone, Lelarge & Miolane 2018): the spike exists before it can be found."""
    lam = Parameter("lam", 1.0, (0, math.inf), symbol="lambda")
    rho = Parameter("rho", 0.1, (0, 1), open="both")
    x, spike = sp.symbols("x x_0", real=True)
    law = Discrete([sp.sqrt((1 - rho) / rho), -sp.sqrt(rho / (1 - rho))], [rho, 1 - rho])
    model = Model(
        name="two-groups",
        thermal=Thermal(x, law),
        quenched=Quenched(spike, law),
        pair=lam * q**2 / 4,
        overlap=lam * m**2 / 2 - lam * q_d**2 / 4,
    )
    assert model.saddle_point().bayes_optimal
    hard = [model.solve(lam=0.99, rho=0.15, start=s)["q"] for s in ("uninformed", "informed")]
    assert hard[0] < 1e-8
    assert hard[1] > 0.1
    easy = [model.solve(lam=0.99, rho=0.3, start=s)["q"] for s in ("uninformed", "informed")]
    assert max(easy) < 1e-8


# -- phase retrieval -------------------------------------------------------------------------


def test_phase_retrieval_against_its_integral():
    """Barbier et al. (2019): the posterior of |z| has the mean |z| tanh(w |z|/V)."""
    alpha = 0.9
    solution = load("phase-retrieval").solve(alpha=alpha)
    q, V = solution["q"], solution["V"]
    w = math.sqrt(q) * GRID[::4, None]
    z = np.abs(w + math.sqrt(1 - q) * GRID[None, ::4])
    g = (z * np.tanh(w * z / V) - w) / V
    force = 16 * WEIGHT[::4] @ g**2 @ WEIGHT[::4]
    assert q / (1 - q) == pytest.approx(alpha * force, rel=1e-8)


def test_phase_retrieval_thresholds():
    """Weak recovery at 1/2 (Mondelli & Montanari 2019), full recovery by message passing at
    1.128 (Barbier et al. 2019)."""
    model = load("phase-retrieval")
    assert model.solve(alpha=0.49)["q"] < 1e-8
    assert model.solve(alpha=0.51)["q"] > 1e-3
    assert model.solve(alpha=1.127)["q"] < 0.95
    assert model.solve(alpha=1.130, throw=False)["q"] == pytest.approx(1, abs=1e-6)
