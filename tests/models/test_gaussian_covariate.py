"""Gaussian covariates: closed forms, the isotropic model, finite systems, arrays and their laws."""

import numpy as np
import pytest
import sympy as sp
from mpmath import mp
from replica.models.gaussian_covariate import (
    covariate,
    gaussian_covariate,
    omega,
    t,
    w,
)
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

import replica as rp
from replica import (
    Covariates,
    Empirical,
    Model,
    Quenched,
    Thermal,
    covariates,
    covariates_of_data,
    load,
)
from replica.scan.provenance import signature

LOSSES = ("square", "logistic", "hinge")


def a_system(d=60, p=40, seed=3):
    """Covariances of correlated features that a linear map and noise made, with a teacher."""
    rng = np.random.default_rng(seed)
    spread = np.diag(np.arange(1, p + 1) ** -0.7)
    mixing = rng.normal(size=(d, p)) / np.sqrt(p)
    Psi = spread
    Phi = spread @ mixing.T
    Omega = mixing @ spread @ mixing.T + 0.05 * np.eye(d)
    return Psi, Phi, Omega, rng.normal(size=p) * np.sqrt(p / np.trace(Psi))


def samples(system, n, rng):
    """Teacher's fields and student's features."""
    Psi, Phi, Omega, theta = system
    p, d = Phi.shape
    joint = np.block([[Psi, Phi], [Phi.T, Omega]])
    values, vectors = np.linalg.eigh(joint)
    x = rng.normal(size=(n, p + d)) @ (vectors * np.sqrt(np.clip(values, 0, None))).T
    return x[:, :p] @ theta / np.sqrt(p), x[:, p:]


def ridge_by_deterministic_equivalents(system, alpha, lam, noise):
    """Test error of ridge regression: bias and variance at the effective penalty (no replicas).

    Hastie, Montanari, Rosset & Tibshirani (2022), for a covariance that is not diagonalised.
    """
    Psi, Phi, Omega, theta = system
    d, p = len(Omega), len(theta)
    cross = Phi.T @ theta / np.sqrt(p)
    n = alpha * d

    def excess(kappa):
        return n - np.trace(np.linalg.solve(Omega + kappa * np.eye(d), Omega)) - lam * d / kappa

    kappa = brentq(excess, 1e-9, 1e6, xtol=1e-15, rtol=1e-14)
    resolvent = np.linalg.inv(Omega + kappa * np.eye(d))
    best = np.linalg.solve(Omega, cross)
    hidden = theta @ Psi @ theta / p - cross @ best
    bias = kappa**2 * best @ resolvent @ Omega @ resolvent @ best
    freedom = np.trace(Omega @ resolvent @ Omega @ resolvent) / n
    return hidden + (bias + freedom * (hidden + noise)) / (1 - freedom)


@pytest.mark.parametrize(("alpha", "lam"), [(2.0, 0.1), (0.5, 0.01), (1.0, 1e-3)])
def test_ridge_is_its_deterministic_equivalent(alpha, lam):
    system = a_system()
    found = gaussian_covariate("square", covariates(*system)).solve(alpha=alpha, lam=lam, Delta=0.1)
    expected = ridge_by_deterministic_equivalents(system, alpha, lam, 0.1)
    assert found["mse"] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("loss", ["square", "logistic"])
def test_identity_covariances_give_the_isotropic_model(loss):
    """Psi = Phi = Omega = 1: teacher and student of the pages about one space."""
    d = 7
    one, theta = np.eye(d), np.ones(d)
    model = gaussian_covariate(loss, covariates(one, one, one, theta))
    other = load("ridge-linear" if loss == "square" else "logistic-sign")
    for alpha, lam in ((2.0, 0.1), (0.4, 0.7)):
        here, there = (x.solve(alpha=alpha, lam=lam) for x in (model, other))
        for name in ("m", "q", "chi", "free_entropy", "train_loss", "replicon"):
            assert here[name] == pytest.approx(there[name], rel=1e-10)


def test_independent_features_learn_nothing():
    """No covariance of teacher and student: m = 0, and everything is noise."""
    d = 5
    given = covariates(np.eye(d), np.zeros((d, d)), np.eye(d), np.ones(d))
    found = gaussian_covariate("square", given).solve(alpha=3.0, lam=0.2, Delta=0.0)
    assert found["m"] == pytest.approx(0, abs=1e-14)
    assert found["mse"] == pytest.approx(1 + found["q"], rel=1e-12)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 3.0])
def test_random_features_by_the_stieltjes_transform(gamma):
    """Ridge on random features: chi from the closed resolvent of the Marchenko-Pastur law."""
    alpha, lam, kappa1, kappastar = 2.0, 0.05, 0.8, 0.5
    found = load("random-features-square").solve(
        alpha=alpha, lam=lam, kappa1=kappa1, kappastar=kappastar, gamma=gamma, Delta=0.1
    )
    with mp.workdps(40):
        g, l, a, b = (mp.mpf(v) for v in (gamma, lam, kappa1**2, kappastar**2))
        per_feature = mp.mpf(alpha) / g

        def resolvent(
            z,
        ):  # E 1/(x + z), the root of g z s^2 + (z + 1 - g) s - 1 = 0 that is positive
            linear = z + 1 - g
            return (-linear + mp.sqrt(linear**2 + 4 * g * z)) / (2 * g * z)

        def averages(V):
            z = (l / V + b) / a
            s, slope = resolvent(z), mp.diff(resolvent, z)
            # In l + V (a x + b) = V a (x + z) everything is a resolvent or its slope.
            chi = 1 / V - l / V / (V * a) * s
            m = g / V * (1 - z * s)
            q_noise = (1 - 2 * l * s / (V * a) - l**2 * slope / (V * a) ** 2) / V**2
            q_teacher = g / V**2 * (1 - 2 * z * s - z**2 * slope + (b / a) * (s + z * slope))
            return chi, m, q_noise, q_teacher

        V = mp.findroot(lambda v: v - per_feature / (1 + averages(v)[0]), mp.mpf(found["Vhat"]))
        chi, m1, noise, teacher = averages(V)
        m = V * m1
        # q = qhat noise + V^2 teacher, qhat = per_feature (1 - 2m + q + Delta)/(1 + chi)^2
        share = per_feature / (1 + chi) ** 2 * noise
        q = (V**2 * teacher + share * (1 - 2 * m + mp.mpf("0.1"))) / (1 - share)
    for name, value in {"chi": chi, "m": m, "q": q}.items():
        assert found[name] == pytest.approx(float(value), rel=1e-10), name


def test_a_spectrum_of_one_value_is_a_number():
    """Omega = c: the inputs of the isotropic model have variance c."""
    c = 2.5
    sites = Empirical({omega: np.full(3, c)}, weights=[1, 2, 3])
    model = covariate(
        "logistic", "one-value", "One value", sites=sites, quenched=Quenched(t, rp.Gaussian())
    )
    found = model.solve(alpha=2.0, lam=0.1)
    # w -> w/sqrt(c): penalty lam/c at variance one.
    same = load("logistic-sign").solve(alpha=2.0, lam=0.1 / c)
    assert found["test_error"] == pytest.approx(same["test_error"], rel=1e-11)
    assert found["q"] == pytest.approx(same["q"], rel=1e-11)


def test_a_non_quadratic_penalty_over_sites():
    """The lasso in a metric of two values: soft thresholds in closed form."""
    lam = rp.Parameter("lam", 0.1, (0, 9), "penalty", open="lower")
    a, b = 1.3, 0.4
    h, y, z0 = sp.symbols("h y z", real=True)
    scale = sp.Symbol("a", positive=True)
    model = Model(
        name="weighted-lasso",
        thermal=Thermal(w, rp.Flat(), penalty=lam * sp.Abs(w), metric=scale),
        quenched=Quenched(t, rp.Gaussian()),
        sites=Empirical({scale: [a, b]}),
        fields=rp.Field(h, 2, loss=(y - h) ** 2 / 2, labels=rp.LinearLabels(y, z0, 0.1)),
        temperature=0,
    )
    found = model.solve()
    m = q = chi = 0.0
    for c in (a, b):
        deviation = np.sqrt(found["qhat"] * c + (found["mhat"] * c) ** 2)
        curvature, edge = found["Vhat"] * c, 0.1 / deviation
        active = 2 * norm.sf(edge)
        second = deviation**2 * ((1 + edge**2) * active - 2 * edge * norm.pdf(edge))
        m += c * found["mhat"] * c * active / curvature / 2
        q += c * second / curvature**2 / 2
        chi += c * active / curvature / 2
    assert [found["m"], found["q"], found["chi"]] == pytest.approx([m, q, chi], rel=1e-10)
    numpy = model.solve(backend="numpy")
    assert numpy["q"] == pytest.approx(found["q"], rel=1e-12)


def fitted(loss, x, y, lam):
    """Weights of the minimiser, without intercept, of the summed loss plus lam |w|^2/2."""
    if loss == "square":
        return Ridge(alpha=lam, fit_intercept=False).fit(x, y).coef_
    if loss == "logistic":
        learner = LogisticRegression(C=1 / lam, fit_intercept=False, tol=1e-8, max_iter=1000)
    else:
        learner = LinearSVC(C=1 / lam, loss="hinge", fit_intercept=False, tol=1e-7, max_iter=10**6)
    return learner.fit(x, y).coef_[0]


@pytest.mark.parametrize("loss", LOSSES)
def test_finite_systems(loss):
    """Measured q, m and error of 24 samples are within four standard errors, and 1/d."""
    system, lam, alpha, rng = a_system(d=100, p=70), 0.3, 1.5, np.random.default_rng(8)
    given = covariates(*system)
    theory = gaussian_covariate(loss, given).solve(alpha=alpha, lam=lam)
    Psi, Phi, Omega, theta = system
    d, p = len(Omega), len(theta)
    rows = []
    for _ in range(24):
        field, v = samples(system, int(alpha * d), rng)
        noise = np.sqrt(0.1) * rng.normal(size=len(field))
        y = field + noise if loss == "square" else np.sign(field)
        weights = fitted(loss, v / np.sqrt(d), y, lam)
        q, m = weights @ Omega @ weights / d, theta @ Phi @ weights / np.sqrt(p * d)
        R = theta @ Psi @ theta / p
        error = R - 2 * m + q if loss == "square" else np.arccos(m / np.sqrt(q * R)) / np.pi
        rows.append([m, q, error])
    mean, deviation = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1) / np.sqrt(len(rows))
    names = ["m", "q", "mse" if loss == "square" else "test_error"]
    expected = np.array([theory[name] for name in names])
    assert np.all(np.abs(mean - expected) < 4 * deviation + 2 * np.abs(expected) / d)
    assert np.all(deviation < 0.05 * np.abs(expected)), "else the test says nothing"


def test_data_are_their_own_covariances():
    """A linear teacher on the features themselves: nothing is hidden, the fit is the teacher."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6))
    weights = rng.normal(size=6)
    given = covariates_of_data(x, x @ weights)
    assert given.self_overlap == pytest.approx(np.mean(given.omega * given.teacher**2), rel=1e-10)
    assert np.sum(given.teacher**2) / 6 == pytest.approx(np.sum(weights**2), rel=1e-8)


def test_stored_scans_know_their_data():
    first, second = (
        covariate("square", "same-name", "T", sites=Empirical({omega: values}),
                  quenched=Quenched(t, rp.Gaussian()))
        for values in ([1.0, 2.0], [1.0, 2.0 + 1e-15])
    )  # fmt: skip
    assert signature(first) != signature(second)
    again = covariate("square", "same-name", "T", sites=Empirical({omega: np.array([1.0, 2.0])}),
                      quenched=Quenched(t, rp.Gaussian()))  # fmt: skip
    assert signature(first) == signature(again)


def test_one_program_serves_all_tables():
    """Tables are data of the call: models that differ in them share their compiled code."""
    models = [
        gaussian_covariate("square", Covariates(values, np.ones_like(values), norm))
        for values, norm in ((np.ones(3), 1.0), (np.array([0.1, 5.0]), 2.7))
    ]
    assert models[0].compile("c").source == models[1].compile("c").source
    ones, two = (model.solve(alpha=2.0, lam=0.1) for model in models)
    assert ones["chi"] == pytest.approx(load("ridge-linear").solve(alpha=2.0)["chi"], rel=1e-11)
    assert two["chi"] != pytest.approx(ones["chi"], rel=1e-3)
    assert models[0].solve(alpha=2.0, lam=0.1)["chi"] == ones["chi"]  # after the other one ran
