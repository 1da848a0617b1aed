"""Models that the package has never seen: a user's own losses, penalties, priors and couplings."""

import functools
import math

import numpy as np
import pytest
import sympy as sp
from independent import GRID, gaussian_mean, iterate, normal_density, ridge_with_sign_teacher
from scipy.special import expit, lambertw, log_ndtr, ndtr

from replica import (
    Discrete,
    DiscreteLabels,
    Field,
    Flat,
    Gaussian,
    LinearLabels,
    Model,
    Parameter,
    Quenched,
    Rademacher,
    Thermal,
    beta,
    m,
    q,
    sign_labels,
)

alpha = Parameter("alpha", 2.0, (0, math.inf), open="lower")
lam = Parameter("lam", 0.1, (0, math.inf), open="lower")
T = Parameter("T", 0.5, (0, math.inf), open="lower")
Delta = Parameter("Delta", 0.1, (0, math.inf))
w, t, h, y, z, s = sp.symbols("w t h y z s", real=True)
NOISY, SIGN = LinearLabels(y, z, Delta), sign_labels(y, z)


def regression(loss, labels, temperature=0, penalty=lam * w**2 / 2, law=None):
    return Model(
        name="unseen",
        thermal=Thermal(w, Flat(), penalty),
        quenched=Quenched(t, law or Gaussian()),
        fields=Field(h, alpha, loss=loss, labels=labels),
        temperature=temperature,
    )


def compare(solution, expected, rel=1e-9):
    for name, value in zip(solution.order_parameters, expected, strict=True):
        assert solution[name] == pytest.approx(value, rel=rel), name


# -- losses of a residual --------------------------------------------------------------------

HUBER = sp.Piecewise(((y - h) ** 2 / 2, sp.Abs(y - h) <= 1), (sp.Abs(y - h) - sp.S.Half, True))


@pytest.mark.parametrize(("loss", "reach"), [(HUBER, 1.0), (sp.Abs(y - h), 0.0)])
def test_robust_regression(loss, reach):
    """The score of Huber's loss and of the absolute value is linear, then clipped at 1."""
    a, penalty, noise = 1.5, 0.2, 0.8

    def step(m, q, chi):
        total, edge = 1 - 2 * m + q + noise, reach + chi
        u = edge / math.sqrt(total)
        inside = 2 * ndtr(u) - 1
        V_hat = a * inside / edge
        square = total * (inside - 2 * u * normal_density(u)) / edge**2 + 1 - inside
        size = penalty + V_hat
        return V_hat / size, (V_hat**2 + a * square) / size**2, 1 / size

    solution = regression(loss, NOISY).solve(alpha=a, lam=penalty, Delta=noise)
    compare(solution, iterate(step, (0.5, 0.5, 0.5)))


# -- losses of a margin ----------------------------------------------------------------------


def exponential_score(omega, chi):
    g = lambertw(chi * np.exp(-omega)).real / chi
    return g, -g / (1 + chi * g)


def cubed_hinge_score(omega, chi):
    u = np.maximum(0, np.sqrt(1 + 12 * chi * np.maximum(0, 1 - omega)) - 1) / (6 * chi)
    return 3 * u**2, -6 * u / (1 + 6 * chi * u)


def steep_softplus_score(omega, chi):
    v = omega.copy()
    for _ in range(60):
        pull = expit(1 - 3 * v)
        v -= (v - omega - chi * pull) / (1 + 3 * chi * pull * (1 - pull))
    curvature = 3 * expit(1 - 3 * v) * expit(3 * v - 1)
    return (v - omega) / chi, -curvature / (1 + chi * curvature)


@pytest.mark.parametrize(
    ("loss", "score", "accuracy"),
    [
        (sp.exp(-y * h), exponential_score, 1e-9),
        (sp.Max(0, 1 - y * h) ** 3, cubed_hinge_score, 1e-6),  # a kink of g' on the grid
        (sp.log(1 + sp.exp(1 - 3 * y * h)) / 3, steep_softplus_score, 1e-9),
    ],
)
def test_margin_losses_at_zero_temperature(loss, score, accuracy):
    expected = ridge_with_sign_teacher(score, 1.3, 0.4)
    compare(regression(loss, SIGN).solve(alpha=1.3, lam=0.4), expected, accuracy)


def gibbs_hinge_score(omega, V, beta=2.0):
    """``E exp(-beta (1-h)_+)`` is a sum of two normal distribution functions."""
    width = math.sqrt(V)
    above = log_ndtr((omega - 1) / width)
    tilt = -beta * (1 - omega) + beta**2 * V / 2
    below = tilt + log_ndtr((1 - omega - beta * V) / width)
    total = np.logaddexp(above, below)
    edge = np.exp(-((omega - 1) ** 2) / (2 * V) - total) / math.sqrt(2 * math.pi * V)
    share = np.exp(below - total)
    # The two terms from the edge cancel in the first derivative, not in the second.
    g = beta * share
    return g, beta * (beta * share - edge) - g**2


def gibbs_logistic_score(omega, V, beta=2.0):
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    field = omega[:, None] + math.sqrt(V) * nodes
    weight = weights * expit(field) ** beta
    total, pull = weight.sum(axis=1), expit(-field)
    g = beta * (weight * pull).sum(axis=1) / total
    second = (weight * (beta**2 * pull**2 - beta * pull * (1 - pull))).sum(axis=1) / total
    return g, second - g**2


@pytest.mark.parametrize(
    ("loss", "score"),
    [
        (sp.Max(0, 1 - y * h), gibbs_hinge_score),
        (sp.log(1 + sp.exp(-y * h)), gibbs_logistic_score),
    ],
)
def test_gibbs_learning_at_finite_temperature(loss, score):
    expected = ridge_with_sign_teacher(score, 1.3, 0.4, beta=2.0)
    solution = regression(loss, SIGN, T).solve(alpha=1.3, lam=0.4, T=0.5)
    compare(solution, expected, rel=1e-8)


def test_low_temperature_leads_to_the_minimiser():
    """Order parameters at T approach those at T = 0 linearly, however cold."""
    loss = sp.log(1 + sp.exp(-y * h))
    limit, warm = regression(loss, SIGN).solve(), regression(loss, SIGN, T)
    for small in (0.02, 2e-3):
        gaps = [warm.solve(T=T_)["m"] - limit["m"] for T_ in (2 * small, small)]
        assert gaps[0] == pytest.approx(2 * gaps[1], rel=3 * small)
    assert warm.solve(T=2e-3)["V"] / 2e-3 == pytest.approx(limit["chi"], rel=0.01)


def test_cold_gibbs_learning_of_a_kink():
    """The weight exp(-500 loss) lives far from the student's field: nothing is cut off."""
    solution = regression(sp.Max(0, 1 - y * h), SIGN, T).solve(T=2e-3)
    start = [1.01 * value for value in solution.order_parameters.values()]
    score = functools.partial(gibbs_hinge_score, beta=500.0)
    expected = ridge_with_sign_teacher(score, 2.0, 0.1, beta=500.0, start=start)
    compare(solution, expected, rel=1e-7)


# -- labels ----------------------------------------------------------------------------------


def test_noisy_signs():
    """Least squares on logistic labels: a linear signal plus noise (Bussgang's theorem)."""
    labels = DiscreteLabels(y, (sp.S.One, -sp.S.One), 1 / (1 + sp.exp(-3 * y * z)), z)
    solution = regression((y - h) ** 2 / 2, labels).solve(alpha=2.0, lam=0.1)
    gain = gaussian_mean(lambda x: x * np.tanh(1.5 * x))
    linear = regression((y - h) ** 2 / 2, NOISY)
    scaled = linear.solve(alpha=2.0, lam=0.1, Delta=1 / gain**2 - 1)
    assert solution["m"] == pytest.approx(gain * scaled["m"], rel=1e-10)
    assert solution["q"] == pytest.approx(gain**2 * scaled["q"], rel=1e-10)


# -- penalties and priors --------------------------------------------------------------------


def test_quartic_penalty():
    """The estimator solves Vhat s + 4 lambda s^3 = field."""
    a, penalty, noise = 2.0, 0.3, 0.1

    def step(m, q, chi):
        V_hat = a / (1 + chi)
        q_hat = a * (1 - 2 * m + q + noise) / (1 + chi) ** 2
        width = math.sqrt(V_hat**2 + q_hat)

        def estimate(field):  # Cardano's formula in its hyperbolic form
            scale = math.sqrt(V_hat / (12 * penalty))
            return 2 * scale * np.sinh(np.arcsinh(3 * field / (2 * V_hat * scale)) / 3)

        response = gaussian_mean(lambda x: 1 / (V_hat + 12 * penalty * estimate(x) ** 2), 0, width)
        return V_hat * response, gaussian_mean(lambda x: estimate(x) ** 2, 0, width), response

    model = regression((y - h) ** 2 / 2, NOISY, penalty=lam * w**4)
    compare(model.solve(alpha=a, lam=penalty, Delta=noise), iterate(step, (0.5, 0.5, 0.5)))


def test_laplace_prior_at_finite_temperature():
    """Gibbs sampling with the penalty lambda |w|: the site is a nested average."""
    a, penalty, noise, b = 1.5, 0.5, 0.2, 2.0
    values = np.linspace(-9, 9, 1801)
    fields = GRID[::15]

    def step(m, q, V):
        V_hat = a * b / (1 + b * V)
        q_hat = V_hat**2 * (1 - 2 * m + q + noise) / a
        width = math.sqrt(V_hat**2 + q_hat)
        exponent = width * fields[:, None] * values - V_hat * values**2 / 2
        exponent -= b * penalty * np.abs(values)
        weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        mean, square = (weight @ values**k / weight.sum(axis=1) for k in (1, 2))
        law = normal_density(fields) * (fields[1] - fields[0])
        return V_hat * law @ (square - mean**2), law @ mean**2, law @ (square - mean**2)

    model = regression((y - h) ** 2 / 2, NOISY, T, penalty=lam * sp.Abs(w))
    solution = model.solve(alpha=a, lam=penalty, Delta=noise, T=1 / b)
    compare(solution, iterate(step, (0.5, 0.5, 0.3)), rel=1e-4)


def test_a_discrete_prior_of_three_values():
    """Bayes-optimal estimation of entries -1, 0, 2 from noisy projections."""
    values, law = np.array([-1.0, 0.0, 2.0]), np.array([0.2, 0.5, 0.3])
    prior = Discrete([-1, 0, 2], [sp.Rational(1, 5), sp.S.Half, sp.Rational(3, 10)])
    model = Model(
        name="three-values",
        thermal=Thermal(w, prior),
        quenched=Quenched(t, prior),
        fields=Field(h, alpha, likelihood=NOISY, labels=NOISY),
    )
    a, noise = 1.2, 0.5

    def step(mse):
        precision = a / (noise + mse)

        def variance(x):
            weight = law * np.exp(x[:, None] * values - precision * values**2 / 2)
            mean, square = (weight @ values**k / weight.sum(axis=1) for k in (1, 2))
            return square - mean**2

        return [
            sum(
                p * gaussian_mean(variance, precision * v, math.sqrt(precision))
                for p, v in zip(law, values, strict=True)
            )
        ]

    assert model.saddle_point().bayes_optimal
    (mse,) = iterate(step, [1.0])
    solution = model.solve(alpha=a, Delta=noise)
    assert solution["V"] == pytest.approx(mse, rel=1e-9)
    assert solution["q"] == pytest.approx(law @ values**2 - mse, rel=1e-9)


# -- couplings -------------------------------------------------------------------------------

sigma = Parameter("sigma", 0.5, (0, math.inf), "width of the random field")


def random_field(temperature):
    """Ferromagnet in a Gaussian random field: a pair term linear in q (Schneider & Pytte 1977)."""
    return Model(
        name="random-field-ising",
        thermal=Thermal(s, Rademacher()),
        quenched=Quenched(t, Discrete([1])),
        pair=beta**2 * sigma**2 * q / 2,
        overlap=beta * m**2 / 2,
        temperature=temperature,
        start="informed",
    )


def test_random_field_ferromagnet():
    """m = E tanh((m + sigma z)/T); at T = 0 order below sigma = sqrt(2/pi) (Schneider & Pytte)."""
    magnetisation, _ = iterate(
        lambda m, _: [gaussian_mean(lambda x: np.tanh(x / 0.4), m, 0.5)] * 2, (0.9, 0.9)
    )
    assert random_field(T).solve(T=0.4, sigma=0.5)["m"] == pytest.approx(magnetisation, rel=1e-9)
    cold = random_field(sp.S.Zero)
    critical = math.sqrt(2 / math.pi)
    assert cold.solve(sigma=critical + 0.01)["m"] < 1e-8
    ordered = cold.solve(sigma=critical - 0.01)["m"]
    assert ordered == pytest.approx(math.erf(ordered / (critical - 0.01) / math.sqrt(2)), rel=1e-9)
    assert ordered > 0.1
