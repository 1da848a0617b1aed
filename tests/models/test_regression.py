"""Ridge, LASSO and logistic regression of a teacher, against other theories of the same thing."""

import math

import numpy as np
import pytest
from independent import normal_density, ridge_with_sign_teacher
from scipy.integrate import quad
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import expit, ndtr

from replica import SolverSettings, load

RIDGE, RIDGE_SIGN = load("ridge-linear"), load("ridge-sign")
LASSO, LOGISTIC = load("lasso"), load("logistic-sign")


def marchenko_pastur(function, alpha):
    """Mean of a function of the eigenvalues of ``X^T X/N``, ``alpha N`` rows of unit variance."""
    low, high = (1 - math.sqrt(alpha)) ** 2, (1 + math.sqrt(alpha)) ** 2
    # s = centre + radius cos(angle) removes the square roots at the edges.
    centre, radius = (low + high) / 2, (high - low) / 2

    def integrand(angle):
        s = centre + radius * math.cos(angle)
        return function(s) * (radius * math.sin(angle)) ** 2 / (2 * math.pi * s)

    continuous = quad(integrand, 0, math.pi, epsabs=1e-13, epsrel=1e-12, limit=200)[0]
    return continuous + max(0.0, 1 - alpha) * function(0.0)


@pytest.mark.parametrize(
    ("alpha", "lam", "Delta"), [(2.0, 0.1, 0.1), (0.5, 0.3, 0.5), (5.0, 2.0, 0.0), (0.9, 1e-2, 1.0)]
)
def test_ridge_against_random_matrices(alpha, lam, Delta):
    """Bias and variance from the Marchenko-Pastur law (Hastie et al. 2022, theorem 5)."""
    solution = RIDGE.solve(alpha=alpha, lam=lam, Delta=Delta)
    bias = marchenko_pastur(lambda s: (lam / (s + lam)) ** 2, alpha)
    variance = marchenko_pastur(lambda s: s / (s + lam) ** 2, alpha)
    assert solution["mse"] == pytest.approx(bias + Delta * variance, rel=1e-9)
    assert solution["m"] == pytest.approx(
        marchenko_pastur(lambda s: s / (s + lam), alpha), rel=1e-10
    )
    assert solution["chi"] == pytest.approx(
        marchenko_pastur(lambda s: 1 / (s + lam), alpha), rel=1e-10
    )
    assert 2 * solution["test_loss"] == pytest.approx(solution["mse"] + Delta, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.5, 0.95, 1.05, 3.0])
def test_least_squares_without_ridge(alpha):
    """Minimum norm: Delta/(alpha-1), or 1 - alpha + Delta alpha/(1-alpha) (Hastie et al. 2022)."""
    Delta = 0.3
    expected = Delta / (alpha - 1)
    if alpha < 1:
        expected = 1 - alpha + Delta * alpha / (1 - alpha)
    solution = RIDGE.solve(alpha=alpha, lam=1e-8, Delta=Delta)
    assert solution["mse"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("alpha", "lam"), [(2.0, 0.1), (0.7, 0.5)])
def test_ridge_on_signs_against_random_matrices(alpha, lam):
    """sign(z) = sqrt(2/pi) z + uncorrelated noise of variance 1 - 2/pi (Bussgang's theorem)."""
    solution = RIDGE_SIGN.solve(alpha=alpha, lam=lam)
    gain = math.sqrt(2 / math.pi)
    shrunk = marchenko_pastur(lambda s: s / (s + lam), alpha)
    squared = marchenko_pastur(lambda s: (s / (s + lam)) ** 2, alpha)
    noise = marchenko_pastur(lambda s: s / (s + lam) ** 2, alpha)
    overlap, norm = gain * shrunk, gain**2 * squared + (1 - gain**2) * noise
    assert solution["m"] == pytest.approx(overlap, rel=1e-10)
    assert solution["q"] == pytest.approx(norm, rel=1e-10)
    expected = math.acos(overlap / math.sqrt(norm)) / math.pi
    assert solution["test_error"] == pytest.approx(expected, rel=1e-9)


def soft_threshold_errors(signal, noise, threshold):
    """``E (eta(X) - x)^2`` and ``P(eta != 0)`` for ``X = x + noise z``, ``x ~ N(0, signal^2)``."""
    total = math.hypot(signal, noise)
    u = threshold / total
    tail, density = ndtr(-u), normal_density(u)
    # With eta(X) = X - clip(X): E eta^2 and E x eta = signal^2 P(|X| > threshold).
    square = 2 * total**2 * ((1 + u**2) * tail - u * density)
    return square - 4 * signal**2 * tail + signal**2, 2 * tail


@pytest.mark.parametrize(
    ("alpha", "lam", "rho", "Delta"),
    [(0.6, 0.1, 0.2, 0.01), (1.5, 0.5, 0.1, 0.2), (0.4, 0.02, 0.1, 1e-3), (0.8, 2.0, 0.9, 0.1)],
)
def test_lasso_against_state_evolution(alpha, lam, rho, Delta):
    """Bayati & Montanari (2012): tau^2 = Delta/alpha + mse/alpha and the calibration of lambda."""

    def errors(tau, theta):
        spike, active = soft_threshold_errors(1.0, tau, theta)
        rest, false = soft_threshold_errors(0.0, tau, theta)
        return rho * spike + (1 - rho) * rest, rho * active + (1 - rho) * false

    def effective_noise(ratio):  # theta = ratio tau
        gap = lambda tau: Delta + errors(tau, ratio * tau)[0] - alpha * tau**2  # noqa: E731
        return brentq(gap, 1e-6, 100, xtol=1e-15, rtol=1e-14)

    def calibration(ratio):
        tau = effective_noise(ratio)
        return ratio * tau * (alpha - errors(tau, ratio * tau)[1]) - lam

    lowest = brentq(lambda a: 2 * ((1 + a**2) * ndtr(-a) - a * normal_density(a)) - alpha, -0.5, 5)
    ratio = brentq(calibration, max(lowest, 0) + 1e-3, 20, xtol=1e-14)
    tau = effective_noise(ratio)
    solution = LASSO.solve(alpha=alpha, lam=lam, rho=rho, Delta=Delta)
    assert solution["mse"] == pytest.approx(errors(tau, ratio * tau)[0], rel=1e-9)
    assert 1 / solution["Vhat"] * lam == pytest.approx(ratio * tau, rel=1e-9)


def test_basis_pursuit_recovers_beyond_the_phase_transition():
    """Minimal l1 norm without noise: Donoho & Tanner's line (Donoho, Maleki & Montanari 2009)."""
    rho = 0.2

    def risk(a):
        return rho * (1 + a**2) + 2 * (1 - rho) * ((1 + a**2) * ndtr(-a) - a * normal_density(a))

    alpha_c = minimize_scalar(risk, bounds=(0, 5), options={"xatol": 1e-10}).fun
    # mse = rho - 2 m + q cancels here, which limits what can be certified.
    settings = SolverSettings(certified_tolerance=1e-7)

    def fit(alpha, lam):
        return LASSO.solve(alpha=alpha, lam=lam, rho=rho, Delta=0, settings=settings)

    above = [fit(alpha_c + 0.05, lam) for lam in (2e-4, 1e-4)]
    below = fit(alpha_c - 0.02, 1e-4)
    # Above, only the bias of the penalty is left, quadratic in it.
    assert above[0]["mse"] == pytest.approx(4 * above[1]["mse"], rel=0.02)
    assert below["mse"] > 1e-3


def logistic_score(omega, spread):
    """``(g, g')`` of the loss log(1 + exp(-h)) at the label +1."""
    v = omega + spread / 2
    for _ in range(30):
        v -= (v - omega - spread * expit(-v)) / (1 + spread * expit(v) * expit(-v))
    curvature = expit(v) * expit(-v)
    return (v - omega) / spread, -curvature / (1 + spread * curvature)


@pytest.mark.parametrize(("alpha", "lam"), [(2.0, 0.1), (0.5, 1.0), (5.0, 0.1)])
def test_logistic_regression_against_its_equations(alpha, lam):
    """Aubin, Krzakala, Lu & Zdeborova (2020), solved on a grid."""
    m, q, chi = ridge_with_sign_teacher(logistic_score, alpha, lam)
    solution = LOGISTIC.solve(alpha=alpha, lam=lam)
    assert solution["m"] == pytest.approx(m, rel=1e-9)
    assert solution["q"] == pytest.approx(q, rel=1e-9)
    assert solution["chi"] == pytest.approx(chi, rel=1e-9)
    assert solution["test_error"] == pytest.approx(math.acos(m / math.sqrt(q)) / math.pi, rel=1e-9)


def test_logistic_regression_against_fits():
    """Ten fits of 800 samples in 400 dimensions."""
    N, alpha, lam = 400, 2.0, 0.1
    random = np.random.default_rng(1)
    overlaps = []
    for _ in range(10):
        teacher = random.normal(size=N)
        x = random.normal(size=(int(alpha * N), N)) / math.sqrt(N)
        y = np.sign(x @ teacher)

        def objective(w, x=x, y=y):
            margin = y * (x @ w)
            gradient = -x.T @ (y * expit(-margin)) + lam * w
            return np.logaddexp(0, -margin).sum() + lam * w @ w / 2, gradient

        w = minimize(objective, np.zeros(N), jac=True, method="L-BFGS-B").x
        overlaps.append([w @ teacher / N, w @ w / N])
    mean, error = np.mean(overlaps, axis=0), np.std(overlaps, axis=0) / math.sqrt(9)
    solution = LOGISTIC.solve(alpha=alpha, lam=lam)
    assert abs(mean[0] - solution["m"]) < 4 * error[0]
    assert abs(mean[1] - solution["q"]) < 4 * error[1]
