"""Training on finite data against the theory, with scikit-learn.

Classes have exactly the fraction ``rho`` (an imbalance of ``1/sqrt(n)`` moves the bias of the hinge
loss at equal clusters a long way) and the centroid exactly the norm ``sqrt(d)``.
"""

import warnings

import numpy as np
import pytest
from scipy.special import expit

from replica import load

from . import mixture_equations as by_hand

linear_model = pytest.importorskip("sklearn.linear_model")
svm = pytest.importorskip("sklearn.svm")

DIMENSION, RUNS = 200, 20

LOSSES = {
    "square": lambda t: (1 - t) ** 2 / 2,
    "hinge": lambda t: np.maximum(0, 1 - t),
    "logistic": lambda t: -np.log(expit(t)),
}


def sample(rng, alpha, rho, Delta, d):
    n = round(alpha * d)
    y = np.where(np.arange(n) < round(rho * n), 1.0, -1.0)
    v = rng.standard_normal(d)
    v *= np.sqrt(d) / np.linalg.norm(v)
    x = np.outer(y, v) / np.sqrt(d) + np.sqrt(Delta) * rng.standard_normal((n, d))
    return x / np.sqrt(d), y, v


def fit(loss, features, y, lam):
    """Weights and bias; only the weights are penalised."""
    if loss == "square":
        model = linear_model.Ridge(alpha=lam, solver="cholesky")
    elif loss == "logistic":
        model = linear_model.LogisticRegression(C=1 / lam, tol=1e-8, max_iter=1000)
    else:
        model = svm.SVC(kernel="linear", C=1 / lam, tol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(features, y)
    return np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])


def run(rng, loss, point):
    d = DIMENSION
    features, y, v = sample(rng, point["alpha"], point["rho"], point["Delta"], d)
    w, b = fit(loss, features, y, point["lam"])
    margin = y * (features @ w + b)
    x = {"m": w @ v / d, "q": w @ w / d, "b": b}
    train_loss = np.mean(LOSSES[loss](margin))
    return {
        **x,
        "test_error": by_hand.test_error(point, x),
        "train_loss": train_loss,
        "train_error": np.mean(margin < 0),
        "free_energy": point["alpha"] * train_loss + point["lam"] * x["q"] / 2,
    }


@pytest.mark.parametrize(
    ("loss", "alpha", "lam", "rho", "Delta"),
    [
        ("square", 2, 0.1, 0.2, 1),
        ("square", 0.5, 0.01, 0.2, 0.3),
        ("logistic", 2, 1, 0.5, 1),
        ("logistic", 0.5, 0.1, 0.2, 1),
        ("hinge", 2, 1, 0.2, 1),
        ("hinge", 1, 0.01, 0.5, 0.3),
    ],
)
def test_training_agrees_with_the_theory(loss, alpha, lam, rho, Delta):
    point = {"alpha": alpha, "lam": lam, "rho": rho, "Delta": Delta}
    rng = np.random.default_rng(20)
    runs = [run(rng, loss, point) for _ in range(RUNS)]
    solution = load(f"gaussian-mixture-{loss}").solve(**point)
    for name in runs[0]:
        values = np.array([r[name] for r in runs])
        standard_error = values.std(ddof=1) / np.sqrt(RUNS)
        finite_size = 3 / DIMENSION * max(abs(solution[name]), 0.1)
        assert abs(values.mean() - solution[name]) < 4 * standard_error + finite_size, name
