"""Closed forms, bounds and limits of the Gaussian mixture."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy.special import ndtr

from replica import load

from . import mixture_equations as by_hand

LOSSES = ("square", "hinge", "logistic")
LOSS = {name: load(f"gaussian-mixture-{name}") for name in LOSSES}
NO_BIAS = {name: load(f"gaussian-mixture-{name}-no-bias") for name in LOSSES}
BAYES = load("gaussian-mixture-bayes")

quick = settings(suppress_health_check=[HealthCheck.too_slow])


def powers(low, high):
    return st.floats(low, high).map(lambda x: 10.0**x)


points = st.fixed_dictionaries(
    {
        "alpha": powers(-2, 2),
        "lam": powers(-3, 1),
        "rho": st.floats(0.05, 0.95),
        "Delta": powers(-1, 1),
    }
)


@settings(quick, max_examples=300)
@given(points)
def test_square_loss_has_a_closed_form(point):
    solution = LOSS["square"].solve(**point)
    exact = by_hand.square_solution(**point)
    for name, value in exact.items():
        assert abs(solution[name] - value) <= 2 * solution.error[name] + 1e-12 * max(
            abs(value), 0.01
        )
    assert solution["test_error"] == pytest.approx(by_hand.test_error(point, exact), rel=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
@settings(quick, max_examples=60)
@given(point=points)
def test_alignment_never_beats_the_bayes_overlap(loss, point):
    """For any loss, cluster fraction and penalty (Cauchy-Schwarz)."""
    solution = LOSS[loss].solve(**point, throw=False)
    bound = point["alpha"] / (point["alpha"] + point["Delta"])
    if solution.converged:
        assert solution["alignment"] ** 2 <= bound * (1 + 1e-9)
        plus, minus = by_hand.clusters(loss, point, solution.order_parameters)
        both, scale = plus + minus, point["Delta"] / point["alpha"]
        exact = 1 / (1 + scale * both.push_square / both.push**2)
        assert solution["alignment"] ** 2 == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("loss", LOSSES)
def test_free_energy_is_the_training_objective(loss):
    point = {"alpha": 1.7, "lam": 0.03, "rho": 0.3, "Delta": 0.8}
    solution = LOSS[loss].solve(**point)
    objective = point["alpha"] * solution["train_loss"] + point["lam"] * solution["q"] / 2
    assert solution["free_energy"] == pytest.approx(objective, rel=1e-13)
    assert solution["free_energy"] == pytest.approx(
        by_hand.free_energy(loss, point, solution.order_parameters), rel=1e-12
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_free_energy_is_stationary(loss):
    """Derivative of the objective in the penalty at fixed order parameters: q/2."""
    point = {"alpha": 1.7, "rho": 0.3, "Delta": 0.8}
    low, high = (LOSS[loss].solve(**point, lam=lam) for lam in (0.1 - 1e-4, 0.1 + 1e-4))
    slope = (high["free_energy"] - low["free_energy"]) / 2e-4
    assert slope == pytest.approx(LOSS[loss].solve(**point, lam=0.1)["q"] / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "lam", "excess"),
    [
        ("square", 10, "1.42e-3"),
        ("logistic", 10, "1.25e-4"),
        ("hinge", 10, "3.4e-5"),
        ("square", 100, "2.2e-5"),
        ("logistic", 100, "1.4e-6"),
    ],
)
def test_strong_penalties_approach_the_bayes_error(loss, lam, excess):
    digits, exponent = excess.split("e")
    unit = 10.0 ** (int(exponent) - len(digits.split(".")[1]))
    solution = LOSS[loss].solve(alpha=2, rho=0.5, Delta=1, lam=lam)
    bayes = BAYES.solve(alpha=2, rho=0.5, Delta=1)
    assert abs(solution["test_error"] - bayes["test_error"] - float(excess)) <= 0.5 * unit


@pytest.mark.parametrize("lam", [1e4, 1e6, 1e8])
@pytest.mark.parametrize("loss", LOSSES)
def test_infinite_penalty_is_bayes_optimal_for_equal_clusters(loss, lam):
    """Every training point pushes alike; the order parameters vanish as powers of lambda."""
    solution = NO_BIAS[loss].solve(alpha=2, rho=0.5, Delta=1, lam=lam)
    bayes = BAYES.solve(alpha=2, rho=0.5, Delta=1)
    assert solution["test_error"] == pytest.approx(bayes["test_error"], abs=1e-15 + 1 / lam**2)
    push = {"square": 1, "hinge": 1, "logistic": 0.5}[loss]
    assert lam * solution["m"] == pytest.approx(2 * push, rel=10 / lam)
    assert lam**2 * solution["q"] == pytest.approx((4 + 2) * push**2, rel=20 / lam)


@pytest.mark.parametrize("loss", LOSSES)
def test_best_threshold_after_training_without_bias_is_bayes_optimal(loss):
    solution = NO_BIAS[loss].solve(alpha=2, rho=0.2, Delta=1, lam=1e6)
    assert solution["best_bias_error"] == pytest.approx(0.1409184308, abs=6e-11)


@pytest.mark.parametrize(
    ("loss", "bias"), [("square", -0.6), ("logistic", math.log(0.25)), ("hinge", -1)]
)
def test_infinite_penalty_predicts_the_majority(loss, bias):
    """Unequal clusters and a learned bias: e_g -> min(rho, 1 - rho)."""
    solution = LOSS[loss].solve(alpha=2, rho=0.2, Delta=1, lam=1e3)
    assert solution["b"] == pytest.approx(bias, rel=0.01)
    assert solution["test_error"] == pytest.approx(0.2, rel=1e-6)
    if loss != "hinge":
        assert solution["alignment"] ** 2 == pytest.approx(2 / (2 + 1 / 0.64), rel=0.01)


@pytest.mark.parametrize("rho", [0.5, 0.2])
def test_interpolation_peak(rho):
    """The ridgeless square loss diverges where samples and dimensions are equal in number."""
    errors = {
        alpha: LOSS["square"].solve(alpha=alpha, rho=rho, lam=1e-8)["test_error"]
        for alpha in (0.5, 0.9, 0.99, 1, 1.01, 1.1, 2)
    }
    assert max(errors, key=errors.get) == 1
    assert errors[1] == pytest.approx(0.5, abs=0.01)
    if rho == 0.5:
        for alpha in (0.5, 0.9, 1.1, 2):
            ratio = abs(alpha - 1) * min(1, alpha) / (alpha + 1)
            assert errors[alpha] == pytest.approx(ndtr(-math.sqrt(ratio)), abs=1e-5)


def test_penalty_removes_the_peak():
    errors = [LOSS["square"].solve(alpha=a, lam=1)["test_error"] for a in np.linspace(0.5, 2, 16)]
    assert np.all(np.diff(errors) < 0)


@pytest.mark.parametrize("alpha", [0.5, 0.999, 1.001, 2])
def test_training_loss_vanishes_below_interpolation(alpha):
    solution = LOSS["square"].solve(alpha=alpha, lam=1e-9)
    assert (solution["train_loss"] < 1e-8) == (alpha < 1)


def test_many_samples():
    """Equal clusters reach the oracle; the square loss keeps a wrong threshold otherwise."""
    oracle = {0.5: 0.1586552539, 0.2: 0.1120665225}
    for loss in LOSSES:
        error = LOSS[loss].solve(alpha=1e7, lam=0.1)["test_error"]
        assert error == pytest.approx(oracle[0.5], abs=1e-6)
    square = LOSS["square"].solve(alpha=1e7, lam=0.1, rho=0.2)
    assert square["test_error"] == pytest.approx(0.1160901675, abs=1e-6)
    logistic = LOSS["logistic"].solve(alpha=1e7, lam=0.1, rho=0.2)
    assert logistic["test_error"] == pytest.approx(oracle[0.2], abs=1e-6)
    assert logistic["m"] == pytest.approx(2, abs=1e-4)
    assert logistic["b"] == pytest.approx(math.log(0.25), abs=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("alpha", [1e3, 1e5, 1e7])
def test_small_spreads_cost_no_digits(loss, alpha):
    """The proximal operator is nearly the identity there; its small deviation is what counts."""
    solution = LOSS[loss].solve(alpha=alpha, lam=0.1, rho=0.2)
    for name in ("m", "q", "chi", "b"):
        assert solution.error[name] <= 1e-13 * abs(solution[name])


@pytest.mark.parametrize("alpha", [1e3, 1e4])
def test_excess_error_at_many_samples(alpha):
    """Equal clusters: Bayes phi(Delta^-1/2) Delta^1/2/(2 alpha), ridgeless (1+Delta)/Delta more."""
    Delta = 0.7
    x = 1 / math.sqrt(Delta)
    oracle = ndtr(-x)
    leading = by_hand.density(x) / x / (2 * alpha)
    bayes = BAYES.solve(alpha=alpha, Delta=Delta, rho=0.5)["test_error"]
    ridgeless = LOSS["square"].solve(alpha=alpha, Delta=Delta, lam=0)["test_error"]
    assert bayes - oracle == pytest.approx(leading, rel=10 / alpha)
    assert ridgeless - oracle == pytest.approx(leading * (1 + Delta) / Delta, rel=10 / alpha)
