"""Correlated sites, trained values, trained fields: closed relations, other solvers, samples."""

import math

import numpy as np
import pytest
import sympy as sp
from replica.models import potts_extensions as extended
from scipy.optimize import minimize

from replica import (
    DeclarationError,
    DiscreteLabels,
    Extremised,
    Field,
    Flat,
    Gaussian,
    Model,
    Parameter,
    Quenched,
    Thermal,
    load,
)
from replica.simulate import directed_samples, star_samples, train_row, zero_sum

P = zero_sum(np.eye(3))
U = [["3/2", "1/2", "-1/5"], ["1/2", "9/10", "3/10"], ["-1/5", "3/10", "-1/10"]]


def basis(colours):
    columns = [
        np.array([1.0] * k + [-k] + [0.0] * (colours - k - 1)) / np.sqrt(k * (k + 1))
        for k in range(1, colours)
    ]
    return np.array(columns).T


def test_correlated_sites():
    """Against a separate solver of Gauss-Hermite rules: eigenvalues 1/2 and 2, ``J_i^2 = 6``."""
    solution = load("potts-correlated-directed-3").solve(alpha=2, lam=0.1, rho=6)
    for name, value in (
        ("q", 5.714798), ("m", 5.308549), ("chi", 3.017429),
        ("train_loss", 0.529775), ("test_cross_entropy", 0.876024),
    ):  # fmt: skip
        assert solution[name] == pytest.approx(value, abs=2e-6), name
    alike = extended.correlated("star", 2, (1.0, 1.0), name="alike").solve(alpha=2, rho=6)
    star = load("potts-star-2").solve(alpha=2, rho=6)
    for name in ("q", "m", "chi", "free_energy", "cosine", "replicon"):
        assert alike[name] == pytest.approx(star[name], rel=1e-10), name


@pytest.mark.slow
def test_correlated_sites_on_finite_samples():
    """Gaussian tokens of a diagonal covariance, labels of the softmax, trained rows."""
    sites, runs, (alpha, lam, rho) = 200, 8, (2.0, 0.1, 6.0)
    omega = np.repeat([0.5, 2.0], sites // 2)
    features, found = basis(3) / math.sqrt(3), []
    for seed in range(runs):
        random = np.random.default_rng(seed)
        couplings = random.choice([-1.0, 1.0], size=sites) * math.sqrt(rho)
        tokens = random.normal(size=(round(alpha * sites), sites, 2)) * np.sqrt(omega)[:, None]
        inputs = np.einsum("ck,mjk->mcj", features, tokens) / math.sqrt(sites)
        noise = random.gumbel(size=inputs.shape[:2])
        weights = train_row(inputs, np.argmax(inputs @ couplings + noise, axis=1), lam)
        found.append([weights @ (omega * weights), weights @ (omega * couplings)])
    mean = np.mean(found, axis=0) / sites
    error = np.std(found, axis=0, ddof=1) / sites / math.sqrt(runs)
    solution = load("potts-correlated-directed-3").solve(alpha=alpha, lam=lam, rho=rho)
    for k, name in enumerate(("q", "m")):
        assert abs(mean[k] - solution[name]) < 2.5 * error[k] + 0.02 * solution[name], name


def test_trained_values_balance_the_penalties():
    """Scaling leaves the logits alone: ``lambda q = mu |v|^2``; values ``c P`` only rescale."""
    model = extended.trained_values("star", 3)
    solution = model.solve(alpha=2, lam=0.1, mu=0.5, rho=9)
    v = np.array([[solution[f"v_{i}{j}"] for j in (1, 2)] for i in (1, 2)])
    assert 0.1 * solution["q"] == pytest.approx(0.5 * np.sum(v**2), rel=1e-10)
    c = v[0, 0]
    np.testing.assert_allclose(v, c * np.eye(2), atol=1e-10)
    plain = load("potts-star-3").solve(alpha=2, lam=0.1 / c**2, rho=9)
    assert plain["m"] == pytest.approx(c * solution["m"], rel=1e-9)
    assert plain["chi"] == pytest.approx(c**2 * solution["chi"], rel=1e-9)
    assert plain["train_loss"] == pytest.approx(solution["train_loss"], rel=1e-9)


@pytest.mark.slow
def test_trained_values_find_the_colour_matrix():
    """Without symmetry, against attention and values trained together on samples."""
    model = extended.trained_values("star", U, name="values-of-u")
    alpha, lam, mu, rho, sites, runs = 4.0, 0.05, 0.05, 8.0, 150, 6
    solution = model.solve(alpha=alpha, lam=lam, mu=mu, rho=rho)
    theory = np.array([[solution[f"v_{i}{j}"] for j in (1, 2)] for i in (1, 2)])
    assert lam * solution["q"] == pytest.approx(mu * np.sum(theory**2), rel=1e-9)
    matrix = zero_sum(np.array([[float(sp.Rational(e)) for e in row] for row in U]))
    whitened = basis(3).T @ matrix @ basis(3)
    B, found = basis(3), []
    for seed in range(runs):
        random = np.random.default_rng(seed)
        couplings = random.normal(size=sites)
        couplings *= math.sqrt(rho * sites) / np.linalg.norm(couplings)
        labels, context = star_samples(couplings, matrix, round(alpha * sites), seed)
        tokens = B[context] / math.sqrt(sites)  # (M, L, d), features G = B / sqrt(3)

        def best(v, tokens=tokens, labels=labels):
            inputs = np.einsum("ck,kl,mjl->mcj", B, v.reshape(2, 2), tokens)
            a = train_row(inputs, labels, lam, tolerance=1e-9)
            h = inputs @ a
            norm = np.log(np.sum(np.exp(h), axis=1))
            p = np.exp(h - norm[:, None])
            p[np.arange(len(h)), labels] -= 1
            slope = np.einsum("mc,ck,mjl,j->kl", p, B, tokens, a)
            loss = np.sum(norm - h[np.arange(len(h)), labels])
            energy = loss + lam * a @ a / 2 + sites * mu * v @ v / 2
            return energy / sites, (slope.ravel() / sites + mu * v)

        result = minimize(best, np.eye(2).ravel(), jac=True, method="BFGS", options={"gtol": 1e-6})
        found.append([result.fun, *np.abs(result.x)])
    mean = np.mean(found, axis=0)
    error = np.std(found, axis=0, ddof=1) / math.sqrt(runs)
    expected = [solution["free_energy"], *np.abs(theory.ravel())]
    for k, value in enumerate(expected):
        assert abs(mean[k] - value) < 2.5 * error[k] + 0.03 * max(expected), k
    many = model.solve(alpha=40, lam=lam, mu=mu, rho=rho)
    v = np.array([[many[f"v_{i}{j}"] for j in (1, 2)] for i in (1, 2)])
    aligned = np.sum(v * whitened) / np.linalg.norm(v) / np.linalg.norm(whitened)
    assert abs(aligned) > 0.999


def test_a_field_of_two_colours_is_the_bias_of_logistic_regression():
    """``h_1 - h_2 = z + sqrt(2) b``: a scalar field with labels of a logistic teacher."""
    w, t, h, h0, y, b = sp.symbols("w t h h0 y b", real=True)
    alpha, lam = Parameter("alpha", 3.0, (0, 9)), Parameter("lam", 0.1, (0, 9))
    logistic = Model(
        name="logistic-bias",
        thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2),
        quenched=Quenched(t, Gaussian(0, 4)),
        fields=Field(
            h, alpha, loss=sp.log(1 + sp.exp(-y * (h + b))),
            labels=DiscreteLabels(y, (1, -1), 1 / (1 + sp.exp(-y * (h0 + sp.Rational(7, 5)))), h0),
        ),
        extremised=Extremised(b),
        temperature=0,
    )  # fmt: skip
    one = logistic.solve(alpha=3, lam=0.1)
    two = extended.trained_fields(2, (0.7, -0.7)).solve(alpha=3, lam=0.1, rho=4)
    assert math.sqrt(2) * two["b_1"] == pytest.approx(one["b"], rel=1e-9)
    for name in ("m", "q", "chi", "free_energy", "replicon"):
        assert two[name] == pytest.approx(one[name], rel=1e-9), name


@pytest.mark.slow
def test_fields_trained_on_finite_samples():
    """Three colours; fields are inputs of their own, large, so that the penalty spares them."""
    alpha, lam, rho, sites, runs, fields = 3.0, 0.1, 4.0, 200, 8, np.array([1.0, 0.0, -1.0])
    solution = extended.trained_fields(3, fields).solve(alpha=alpha, lam=lam, rho=rho)
    found = []
    for seed in range(runs):
        random = np.random.default_rng(seed)
        couplings = random.normal(size=sites)
        couplings *= math.sqrt(rho * sites) / np.linalg.norm(couplings)
        _, context = directed_samples(couplings, P, round(alpha * sites), seed)
        inputs = P.T[context].transpose(0, 2, 1) / math.sqrt(sites)
        noise = random.gumbel(size=inputs.shape[:2])
        labels = np.argmax(inputs @ couplings + fields + noise, axis=1)
        extra = np.broadcast_to(100 * basis(3), (len(inputs), 3, 2))
        weights = train_row(np.concatenate([inputs, extra], axis=2), labels, lam)
        own, b = weights[:sites], 100 * weights[sites:]
        found.append([own @ own / sites, own @ couplings / sites, *b])
    mean = np.mean(found, axis=0)
    error = np.std(found, axis=0, ddof=1) / math.sqrt(runs)
    for k, name in enumerate(("q", "m", "b_1", "b_2")):
        assert abs(mean[k] - solution[name]) < 2.5 * error[k] + 0.02 * abs(solution[name]), name


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda: extended.correlated("ring", 3, (1.0, 2.0)), "'star' or 'directed', got 'ring'"),
        (lambda: extended.trained_fields(3, (1, -1)), "2 fields are given, expected 3"),
        (lambda: extended.trained_values("star", [[1, 0, 0], [0, 1, 0]]), "shape (2, 3)"),
        (lambda: extended.trained_values("star", 1), "two colours at least"),
        (lambda: extended.directed(3, [[1, 0], [0, 1]]), "is of 2 colours, the Potts model of 3"),
        (lambda: extended.star("rgb"), "expected a colour matrix"),
    ],
)
def test_bad_declarations_are_named_in_one_sentence(declare, words):
    with pytest.raises(DeclarationError) as error:
        declare()
    assert words in str(error.value)
    assert str(error.value).count(". ") == 0
