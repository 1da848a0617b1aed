"""Vector models: reductions by symmetry against the unreduced set, and what is refused."""

import numpy as np
import pytest
import sympy as sp

from replica import (
    ArgmaxLabels,
    Clusters,
    DerivationError,
    Flat,
    Gaussian,
    Model,
    Parameter,
    Quenched,
    Test as NewSample,
    Thermal,
    Train,
    VectorField,
    components,
    is_argmax,
    load,
)
from replica.derive.ansatz import ONE_STEP
from replica.solve.point import solve_point

alpha = Parameter("alpha", 2.0, (0, 100), open="lower")
lam = Parameter("lam", 0.1, (0, 100), open="lower")
w, t = sp.symbols("w t", real=True)


def cross_entropy(y, h):
    return sp.log(sp.Add(*map(sp.exp, h))) - y.dot(h)


def trained(loss, classes=2, penalty=lam * w**2 / 2, labels=None, observables=None):
    h, teacher, y = (components(name, classes) for name in "hzy")
    argmax = ArgmaxLabels(y, teacher)
    return Model(
        name="trained",
        thermal=Thermal(w, Flat(), penalty=penalty, components=classes),
        quenched=None if labels else Quenched(t, Gaussian()),
        fields=VectorField(h, alpha, loss=loss(y, h), labels=labels(y) if labels else argmax),
        temperature=0,
        observables=observables or {
            "test_error": NewSample(1 - is_argmax(y, h)),
            "train_loss": Train(loss(y, h)),
        },
    )  # fmt: skip


def test_matrices_of_exchangeable_classes_are_multiples_of_one():
    model = load("multiclass-cross-entropy-3")
    reduced = model.solve(alpha=2, lam=0.1)
    system = model.compile(reduce=False)
    full = solve_point(model.name, system, {"alpha": 2, "lam": 0.1})
    for name in ("m", "q", "chi"):
        assert full[f"{name}_11"] == pytest.approx(reduced[name], rel=1e-9)
        assert full[f"{name}_22"] == pytest.approx(reduced[name], rel=1e-9)
        assert full[f"{name}_12"] == pytest.approx(0, abs=1e-9)
    for name in ("free_energy", "test_error", "train_loss", "train_error"):
        assert full[name] == pytest.approx(reduced[name], abs=1e-9)
    assert full.replicon == pytest.approx(reduced.replicon, abs=1e-9)


def test_unequal_costs_of_the_classes_lift_the_symmetry():
    """A model of two classes of unequal costs is a binary one, whose equations are scalar."""
    cost = Parameter("cost", 3.0, (0, 10), open="lower")
    model = trained(lambda y, h: (y[0] + cost * y[1]) * cross_entropy(y, h))
    assert [str(s) for s in model.saddle_point().order_parameters] == ["m_11", "q_11", "chi_11"]
    equal = load("multiclass-cross-entropy-2").solve(alpha=2, lam=0.1)
    assert model.solve(alpha=2, lam=0.1, cost=1.0)["q_11"] == pytest.approx(equal["q"], rel=1e-9)
    assert model.solve(alpha=2, lam=0.1, cost=3.0)["q_11"] != pytest.approx(equal["q"], rel=1e-2)


@pytest.mark.parametrize("rho", [0.5, 0.3])
def test_two_clusters_are_the_binary_mixture(rho):
    """The difference of the weights is penalised half as much and has twice the overlaps."""
    overlaps = [[1, -1], [-1, 1]]
    model = trained(
        cross_entropy, labels=lambda y: Clusters(y, overlaps, probabilities=[rho, 1 - rho])
    )
    classes = model.solve(alpha=2, lam=0.1)
    binary = load("gaussian-mixture-logistic-no-bias").solve(alpha=2, lam=0.05, rho=rho)
    assert classes["q_11"] == pytest.approx(binary["q"] / 2, rel=1e-9)
    assert classes["m_11"] == pytest.approx(binary["m"] / np.sqrt(2), rel=1e-9)
    assert classes["m_12"] == pytest.approx(-binary["m"] / np.sqrt(2), rel=1e-9)
    for name in ("test_error", "train_loss", "free_energy", "replicon"):
        assert classes[name] == pytest.approx(binary[name], abs=1e-9), name


def test_two_clusters_with_the_square_loss_keep_the_sum_of_the_components():
    """One-hot targets: the difference of the outputs is the binary problem of the same penalty."""
    model = trained(
        lambda y, h: (y - h).dot(y - h) / 2,
        labels=lambda y: Clusters(y, [[1, -1], [-1, 1]]),
    )
    names = [str(s) for s in model.saddle_point().order_parameters]
    assert len(names) == 4 + 3 + 3
    classes = model.solve(alpha=2, lam=0.3)
    binary = load("gaussian-mixture-square-no-bias").solve(alpha=2, lam=0.3, rho=0.5)
    # The weights are w_1 = u/2 + s, w_2 = -u/2 + s with the binary u and an s without overlap.
    difference = classes["q_11"] + classes["q_22"] - 2 * classes["q_12"]
    assert difference == pytest.approx(binary["q"], rel=1e-9)
    assert classes["m_11"] - classes["m_21"] == pytest.approx(binary["m"], rel=1e-9)
    assert classes["test_error"] == pytest.approx(binary["test_error"], abs=1e-9)


def test_three_clusters_against_an_evaluation_with_its_own_proximal_operator():
    """Conjugates of one cluster by Gauss-Hermite quadrature, with a damped Newton proximal map."""
    model = load("cluster-mixture-cross-entropy-3")
    solution = model.solve(alpha=2.0, lam=0.5, rho=2.0, Delta=1.0)
    basis = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
    q, chi = solution["q_11"], solution["chi_11"]
    assert solution["q_22"] == pytest.approx(q, rel=1e-9)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / np.sqrt(2 * np.pi)
    z = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    weight = np.outer(weights, weights).ravel()
    mean = np.array([solution["m_11"], solution["m_21"]])
    omega = mean + np.sqrt(q) * z
    v = omega.copy()
    for _ in range(200):
        logits = v @ basis
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        force = p @ basis.T - basis[:, 0]
        hessian = np.einsum("nk,ik,jk->nij", p, basis, basis)
        hessian -= np.einsum("ni,nj->nij", p @ basis.T, p @ basis.T)
        step = np.linalg.solve(np.eye(2) + chi * hessian, (v - omega + chi * force)[..., None])
        v -= step[..., 0]
    score = (v - omega) / chi
    pull = 2.0 * (weight @ score) / 3
    assert solution["mhat_11"] == pytest.approx(pull[0], abs=1e-7)
    assert solution["mhat_21"] == pytest.approx(pull[1], abs=1e-7)
    square = 2.0 * (weight @ (score**2).sum(axis=1)) / 2
    assert (solution["qhat_11"] + solution["qhat_22"]) / 2 == pytest.approx(square, abs=1e-7)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: trained(lambda y, h: sp.Abs(h[0] - y[0]) + h[1] ** 2), "kinks"),
        (lambda: trained(lambda y, h: -(h - y).dot(h - y)), "not convex"),
        (lambda: trained(cross_entropy, penalty=lam * sp.Abs(w)), "must be Gaussian"),
        (
            lambda: trained(
                cross_entropy, observables={"sum": NewSample(sum(components("h", 2)) ** 2)}
            ),
            "sum of the components",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_derived_is_refused_in_a_sentence(build, message):
    with pytest.raises(DerivationError, match=message):
        build().saddle_point()


def test_replica_symmetry_breaking_of_vectors_is_refused():
    with pytest.raises(DerivationError, match="replica-symmetric"):
        trained(cross_entropy).saddle_point(ansatz=ONE_STEP)
