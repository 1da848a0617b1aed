"""Training three classes on finite data against the theory, with SciPy and NumPy.

A teacher of ``d`` coordinates, ``alpha d`` samples; the mean over seeded runs must lie within four
standard errors of the theory, plus a bias of order ``1/d``.
"""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from replica import load

CLASSES, DIMENSION, RUNS = 3, 200, 16


def sample(rng, alpha):
    """Return scaled inputs, one-hot labels and the teacher."""
    x = rng.standard_normal((round(alpha * DIMENSION), DIMENSION)) / np.sqrt(DIMENSION)
    teacher = rng.standard_normal((DIMENSION, CLASSES))
    return x, np.eye(CLASSES)[np.argmax(x @ teacher, axis=1)], teacher


def fit(loss, x, y, lam):
    """Return the minimiser: of a linear system, or by quasi-Newton descent."""
    if loss == "square":
        return np.linalg.solve(x.T @ x + lam * np.eye(DIMENSION), x.T @ y)

    def objective(flat):
        w = flat.reshape(DIMENSION, CLASSES)
        h = x @ w
        value = np.sum(logsumexp(h, axis=1)) - np.sum(h * y) + lam * np.sum(w**2) / 2
        return value, (x.T @ (softmax(h, axis=1) - y) + lam * w).ravel()

    found = minimize(
        objective, np.zeros(DIMENSION * CLASSES), jac=True, method="L-BFGS-B",
        options={"gtol": 1e-6, "ftol": 1e-13, "maxiter": 2000},
    )  # fmt: skip
    return found.x.reshape(DIMENSION, CLASSES)


def run(rng, loss, alpha, lam):
    x, y, teacher = sample(rng, alpha)
    w = fit(loss, x, y, lam)
    h = x @ w
    losses = {
        "square": np.sum((y - h) ** 2, axis=1) / 2,
        "cross-entropy": logsumexp(h, axis=1) - np.sum(h * y, axis=1),
    }
    fresh = rng.standard_normal((20_000, DIMENSION)) / np.sqrt(DIMENSION)
    wrong = np.argmax(fresh @ w, axis=1) != np.argmax(fresh @ teacher, axis=1)
    # Per direction of the plane of class differences.
    centred = w - w.mean(axis=1, keepdims=True)
    scale = DIMENSION * (CLASSES - 1)
    return {
        "m": np.sum(centred * teacher) / scale,
        "q": np.sum(centred**2) / scale,
        "train_loss": np.mean(losses[loss]),
        "test_error": np.mean(wrong),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "alpha", "lam"),
    [("square", 2, 0.1), ("cross-entropy", 2, 0.1), ("cross-entropy", 1, 1)],
)
def test_training_agrees_with_the_theory(loss, alpha, lam):
    rng = np.random.default_rng(20260101)
    runs = [run(rng, loss, alpha, lam) for _ in range(RUNS)]
    theory = load(f"multiclass-{loss}-{CLASSES}").solve(alpha=alpha, lam=lam)
    for name in runs[0]:
        values = np.array([r[name] for r in runs])
        error = values.std(ddof=1) / np.sqrt(RUNS)
        bias = abs(theory[name]) / DIMENSION
        assert abs(values.mean() - theory[name]) < 4 * error + bias, name
        assert error < 0.03 * abs(theory[name]), name  # the comparison says something
