"""Gaussian clusters with covariances given as arrays, and with the square loss."""

import numpy as np
import pytest
import sympy as sp
from replica.models.cluster_mixture import alike, cluster_mixture
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax as share

from replica import (
    Clusters,
    DeclarationError,
    Empirical,
    Field,
    Flat,
    Model,
    Parameter,
    Quenched,
    Test as NewSample,
    Thermal,
    Train,
    VectorField,
    clusters_of_arrays,
    clusters_of_data,
    components,
)

from . import cluster_equations as equations

alpha = Parameter("alpha", 2.0, (0, 100), open="lower")
lam = Parameter("lam", 0.1, (0, 100), open="lower")
w, t, h, y, omega = sp.symbols("w t h y Omega", real=True)


def arrays(clusters, sites, seed=0):
    """Centroids and spectra at every site, and the same in another basis."""
    rng = np.random.default_rng(seed)
    v, s = rng.normal(size=(clusters, sites)), rng.uniform(0.3, 2, (clusters, sites))
    basis = np.linalg.qr(rng.normal(size=(sites, sites)))[0]
    return v, s, v @ basis.T, np.array([basis * row @ basis.T for row in s])


@pytest.mark.parametrize(
    ("loss", "clusters", "odds"),
    [
        ("cross-entropy", 2, (0.3, 0.7)),
        ("square", 2, (0.3, 0.7)),
        pytest.param("cross-entropy", 3, (0.2, 0.3, 0.5), marks=pytest.mark.slow),
    ],
)
def test_a_covariance_for_every_cluster(loss, clusters, odds):
    """Against the equations of all components, with weights solved for site by site."""
    v, s, centroids, covariances = arrays(clusters, 12)
    given = clusters_of_arrays(centroids, covariances, odds)
    found = cluster_mixture(loss, given).solve(alpha=2, lam=0.5)
    (M, Q, chi), (*_, train_loss) = equations.solve(loss, v, s, odds, 2.0, 0.5, nodes=24)
    assert found["train_loss"] == pytest.approx(train_loss, abs=1e-9)
    if loss == "cross-entropy":  # overlaps of class differences
        basis = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
        frame = basis if clusters == 3 else basis[:1, :2]
    else:
        frame = np.eye(clusters)
    M, Q, chi = frame @ M, frame @ Q @ frame.T, frame @ chi @ frame.T
    for i in range(len(frame)):
        for c in range(clusters):
            assert found[f"m_{i + 1}{c + 1}"] == pytest.approx(M[i, c], abs=1e-9)
            for j in range(i, len(frame)):
                entry = f"{c + 1}_{i + 1}{j + 1}"
                assert found[f"q_{entry}"] == pytest.approx(Q[c, i, j], abs=1e-9)
                assert found[f"chi_{entry}"] == pytest.approx(chi[c, i, j], abs=1e-9)


@pytest.mark.parametrize("loss", ["cross-entropy", "square"])
def test_two_clusters_of_one_covariance_are_the_binary_mixture(loss):
    """The scalar declaration: a metric of the sites, and the centroid in its units."""
    sites, odds = 15, (0.4, 0.6)
    v, s, centroids, covariances = arrays(2, sites, seed=1)
    energy = sp.log(1 + sp.exp(-y * h)) if loss == "cross-entropy" else (1 - y * h) ** 2 / 2
    binary = Model(
        name="binary",
        sites=Empirical({omega: s[0], t: v[0] / s[0]}),
        thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2, metric=omega),
        quenched=Quenched(t),
        fields=Field(
            h, alpha, loss=energy, clusters={y: {1: odds[0], -1: odds[1]}},
            mean=y * sp.Symbol("m", real=True), variance=1,
        ),
        temperature=0,
        observables={"test_error": NewSample(sp.Heaviside(-y * h)), "train_loss": Train(energy)},
    )  # fmt: skip
    given = clusters_of_arrays([centroids[0], -centroids[0]], covariances[0], odds)
    classes = cluster_mixture(loss, given).solve(alpha=2, lam=0.2)
    if loss == "cross-entropy":  # the difference of the rows has half the penalty
        scalar = binary.solve(alpha=2, lam=0.1)
        assert classes["q_11"] == pytest.approx(scalar["q"] / 2, rel=1e-9)
        assert classes["m_11"] == pytest.approx(scalar["m"] / np.sqrt(2), rel=1e-9)
        assert classes["chi_11"] == pytest.approx(scalar["chi"] / 2, rel=1e-9)
        names = ("test_error", "train_loss", "free_energy", "replicon")
    else:  # outputs (1 + f)/2 and (1 - f)/2 apart from a common part without overlap
        scalar = binary.solve(alpha=2, lam=0.2)
        difference = classes["q_11"] + classes["q_22"] - 2 * classes["q_12"]
        assert difference == pytest.approx(scalar["q"], rel=1e-9)
        assert classes["m_11"] - classes["m_21"] == pytest.approx(scalar["m"], rel=1e-9)
        names = ("test_error", "replicon")
    for name in names:
        assert classes[name] == pytest.approx(scalar[name], abs=1e-9), name


def test_covariances_that_are_multiples_of_one():
    """Arrays without anisotropy, and variances without arrays, are the same declaration."""
    sites, variances = 8, (0.5, 1.5)
    v = np.random.default_rng(2).normal(size=(2, sites))
    given = clusters_of_arrays(v, np.array([a * np.eye(sites) for a in variances]))
    label, field = components("y", 2), components("h", 2)
    plain = Model(
        name="plain",
        thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2, components=2),
        fields=VectorField(
            field, alpha, loss=sp.log(sp.exp(field[0]) + sp.exp(field[1])) - label.dot(field),
            labels=Clusters(label, v @ v.T / sites, variance=variances),
        ),
        temperature=0,
    ).solve()  # fmt: skip
    found = cluster_mixture("cross-entropy", given).solve()
    assert found["q_1_11"] == pytest.approx(0.5 * plain["q_11"], rel=1e-9)
    assert found["chi_2_11"] == pytest.approx(1.5 * plain["chi_11"], rel=1e-9)
    assert found["m_12"] == pytest.approx(plain["m_12"], rel=1e-9)
    assert found["free_energy"] == pytest.approx(plain["free_energy"], rel=1e-10)
    assert found.replicon == pytest.approx(plain.replicon, abs=1e-9)


def test_square_loss_of_three_clusters():
    """Orthogonal centroids: the declaration without arrays against equations of all components."""
    found = alike("square", 3).solve(alpha=1.5, lam=0.3, rho=2.0, Delta=0.7)
    centroids, spectra = np.sqrt(2.0 * 3) * np.eye(3), np.full((3, 3), 0.7)
    (M, Q, chi), (*_, train_loss) = equations.solve(
        "square", centroids, spectra, np.full(3, 1 / 3), 1.5, 0.3, nodes=8
    )
    assert found["m_11"] == pytest.approx(M[0, 0], abs=1e-9)
    assert found["m_12"] == pytest.approx(M[0, 1], abs=1e-9)
    assert 0.7 * found["q_11"] == pytest.approx(Q[0, 0, 0], abs=1e-9)
    assert 0.7 * found["q_12"] == pytest.approx(Q[0, 0, 1], abs=1e-9)
    assert 0.7 * found["chi_11"] == pytest.approx(chi[0, 0, 0], abs=1e-9)
    assert found["train_loss"] == pytest.approx(train_loss, abs=1e-9)
    # Errors: fields before and after training are Gaussian.
    rng = np.random.default_rng(3)
    h = M[:, 0] + rng.standard_normal((400_000, 3)) @ np.linalg.cholesky(Q[0]).T
    gain = np.linalg.inv(np.eye(3) + chi[0])
    after = (h + np.eye(3)[0] @ chi[0]) @ gain
    for name, values in (("test_error", h), ("train_error", after)):
        wrong = np.mean(np.argmax(values, axis=1) != 0)
        error = np.sqrt(wrong * (1 - wrong) / len(h))
        assert abs(found[name] - wrong) < 4 * error, name


def fit(loss, x, one, penalty):
    """Minimise the loss of fields ``x w``, by linear algebra or by descent."""
    dimension, count = x.shape[1], one.shape[1]
    if loss == "square":
        return np.linalg.solve(x.T @ x + penalty * np.eye(dimension), x.T @ one)

    def objective(flat):
        weights = flat.reshape(dimension, count)
        z = x @ weights
        value = np.sum(logsumexp(z, axis=1)) - np.sum(z * one) + penalty * np.sum(weights**2) / 2
        return value, (x.T @ (share(z, axis=1) - one) + penalty * weights).ravel()

    found = minimize(objective, np.zeros(dimension * count), jac=True, method="L-BFGS-B",
                     options={"gtol": 1e-6, "maxiter": 2000})  # fmt: skip
    return found.x.reshape(dimension, count)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["cross-entropy", "square"])
def test_training_on_a_sample_agrees(loss):
    """Two clusters of different covariances in 200 dimensions, 20 seeded samples."""
    sites, runs, odds, load_, penalty = 200, 20, (0.4, 0.6), 2.0, 0.3
    v, s, centroids, covariances = arrays(2, sites, seed=4)
    theory = cluster_mixture(loss, clusters_of_arrays(centroids, covariances, odds)).solve(
        alpha=load_, lam=penalty
    )
    rng = np.random.default_rng(5)

    def sample(count):
        own = (rng.random(count) < odds[1]).astype(int)
        noise = np.sqrt(s[own]) * rng.standard_normal((count, sites))
        return (v[own] / np.sqrt(sites) + noise) / np.sqrt(sites), own

    measured = []
    for _ in range(runs):
        x, own = sample(round(load_ * sites))
        weights = fit(loss, x, np.eye(2)[own], penalty)
        fresh, labels = sample(20_000)
        measured.append(np.mean(np.argmax(fresh @ weights, axis=1) != labels))
    error = np.std(measured, ddof=1) / np.sqrt(runs)
    assert abs(np.mean(measured) - theory["test_error"]) < 4 * error + 1 / sites
    assert error < 0.05 * theory["test_error"]


def test_moments_of_data():
    """Classes of a data set: means, one covariance within classes, shares."""
    rng = np.random.default_rng(6)
    own = np.array(["b", "a", "c"])[rng.integers(0, 3, 300)]
    x = rng.normal(size=(300, 5)) + (own == "a")[:, None]
    given = clusters_of_data(x, own)
    means = np.stack([x[own == c].mean(axis=0) for c in "abc"])
    assert given.probabilities == pytest.approx([np.mean(own == c) for c in "abc"])
    overlaps = given.centroids @ given.centroids.T / 5
    assert overlaps == pytest.approx(means @ means.T)
    within = sum((x[own == c] - means[k]).T @ (x[own == c] - means[k]) for k, c in enumerate("abc"))
    assert np.sort(given.spectra[0]) == pytest.approx(np.linalg.eigvalsh(within / 300))


centroids = np.array([[1.0, 0, 0], [0, 1, 0]])
turned = np.array([[2.0, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: clusters_of_arrays(centroids[0], np.eye(3)), "at least two clusters by features"),
        (lambda: clusters_of_arrays(centroids, np.eye(2)), r"shape \(3, 3\), not empty, got one"),
        (lambda: clusters_of_arrays(centroids, np.ones((3, 3, 3))), r"expected .* \(2, 3, 3\)"),
        (lambda: clusters_of_arrays(centroids, np.diag([1, 1, -1])), "must not be negative"),
        (lambda: clusters_of_arrays(centroids, np.triu(np.ones((3, 3)))), "a symmetric matrix"),
        (lambda: clusters_of_arrays(centroids, np.full((3, 3), np.nan)), "NaN or infinity"),
        (
            lambda: clusters_of_arrays(centroids, [np.diag([1, 2, 3]), turned]),
            "clusters 1 and 2 have no common eigenvectors",
        ),
        (lambda: clusters_of_arrays(centroids, np.eye(3), [1, 0, 0]), "probabilities"),
        (
            lambda: clusters_of_arrays(centroids, np.eye(3), [1, 1]).labels(components("y", 2)),
            "2 probabilities that sum to 1",
        ),
        (lambda: clusters_of_data(np.ones((4, 2)), [1, 2, 1]), "one for each of 4 samples"),
        (lambda: clusters_of_data(np.ones((4, 2)), [1, 1, 1, 1]), "at least two classes"),
        (lambda: clusters_of_data(np.ones(4), [1, 1, 1, 2]), "samples by features"),
        (lambda: Clusters(components("y", 2), np.eye(2), variance=(1, 2, 3)), "one variance or 2"),
        (lambda: Clusters(components("y", 2), np.eye(2), variance=(1, -2)), "not be negative"),
        (lambda: cluster_mixture("hinge", clusters_of_arrays(centroids, np.eye(3))), "one of"),
    ],
)
def test_arrays_that_are_none_are_refused_in_a_sentence(build, message):
    with pytest.raises(DeclarationError, match=message):
        build()


def test_constants_of_the_sites_belong_to_the_clusters():
    label, field = components("y", 2), components("h", 2)
    s = sp.Symbol("s", nonnegative=True)

    def model(variance=s, sites=(1.0, 2.0), loss=1, **thermal):
        return Model(
            name="sites",
            sites=Empirical({s: sites}),
            thermal=Thermal(w, Flat(), penalty=w**2 / 2, components=2, **thermal),
            fields=VectorField(
                field, alpha, loss=loss * (label - field).dot(label - field),
                labels=Clusters(label, sp.eye(2), variance=variance),
            ),
            temperature=0,
        )  # fmt: skip

    assert model().name == "sites"
    with pytest.raises(DeclarationError, match="the variance of cluster 1 must not be negative"):
        model(variance=s - 2)
    with pytest.raises(DeclarationError, match="appears nowhere"):
        model(variance=1)
    with pytest.raises(DeclarationError, match="unbound symbol 's'"):
        model(loss=s)
    with pytest.raises(DeclarationError, match="no metric, no labels of a teacher"):
        model(metric=s)
