"""More classes than product rules reach: averages are sampled, and say how well."""

import numpy as np
import pytest
from replica.models.multiclass_perceptron import bayes, square, trained

from replica import Gaussian, SolverSettings, load

from . import many_classes_equations as equations

#: Mean of the largest of K normal variables, over K - 1.
PULL = {5: 0.2907411184, 10: 1.5387527308 / 9}


def test_a_solution_says_that_it_is_sampled():
    solution = load("multiclass-cross-entropy-5").solve(
        alpha=2, lam=1, settings=SolverSettings(samples=1024)
    )
    assert solution.sampled
    assert "one standard error" in str(solution)
    assert not load("multiclass-cross-entropy-3").solve(alpha=2, lam=1).sampled


@pytest.mark.parametrize("classes", [5, pytest.param(10, marks=pytest.mark.slow)])
def test_square_loss_in_closed_form(classes):
    alpha, lam, pull = 2.0, 1.0, PULL[classes]
    chi = (-(lam + alpha - 1) + np.sqrt((lam + alpha - 1) ** 2 + 4 * lam)) / (2 * lam)
    m = alpha * chi * pull / (1 + chi)
    a = alpha * chi**2 / (1 + chi) ** 2
    exact = {
        "m": m,
        "q": (m**2 + a * (1 / classes - 2 * m * pull)) / (1 - a),
        "chi": chi,
        "q_u": a / classes / (1 - a),
    }
    found = trained(square, classes, "square", "Ridge classification").solve(alpha=alpha, lam=lam)
    assert found.converged
    for name, value in exact.items():
        assert abs(found[name] - value) < 5 * found.error[name] + 1e-12
        assert found.error[name] < 3e-3 * value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alpha", "q", "error"), [(1, 0.373405361, 0.479037060), (2, 0.596470779, 0.370925265)]
)
def test_posterior_of_four_classes(alpha, q, error):
    """Three variables, by boxes; a separate Gauss-Hermite rule reached nine digits."""
    found = bayes(Gaussian(), 4, "gaussian").solve(alpha=alpha)
    assert not found.sampled
    assert found["q"] == pytest.approx(q, abs=2e-9)
    assert found["test_error"] == pytest.approx(error, abs=2e-9)


@pytest.mark.slow
def test_square_loss_of_four_classes():
    found = trained(square, 4, "square", "Ridge classification").solve(alpha=2, lam=1)
    assert not found.sampled
    exact = {
        "m": 0.200998044244, "q": 0.071976802192, "chi": 0.4142135624,
        "test_error": 0.388500159449, "train_loss": 0.213475557084, "free_energy": 0.560804665105,
    }  # fmt: skip
    for name, value in exact.items():
        assert found[name] == pytest.approx(value, abs=1e-10), name


@pytest.mark.parametrize("classes", [5, pytest.param(10, marks=pytest.mark.slow)])
def test_posterior_of_many_classes(classes):
    """Against Monte Carlo of the same map with all components of the fields."""
    model = load("multiclass-bayes-gaussian-5")
    model = model if classes == 5 else bayes(Gaussian(), classes, "gaussian")
    found = model.solve(alpha=2)
    information, error = equations.bayes(found["q"], classes, 20_000, seed=1)
    own = found.observable_error["qhat"]
    assert abs(found["qhat"] - 2 * information) < 5 * np.hypot(2 * error, own)
    assert 2 * error < 0.01 * found["qhat"]


@pytest.mark.parametrize(
    ("classes", "lam", "samples"),
    [(5, 1.0, 20_000), pytest.param(10, 0.1, 4_000, marks=pytest.mark.slow)],
)
def test_softmax_regression(classes, lam, samples):
    """The solution is a fixed point of equations that were written out by hand."""
    found = load(f"multiclass-cross-entropy-{classes}").solve(alpha=2, lam=lam)
    point = [found[name] for name in ("m", "q", "chi")]
    assert found.error["q"] < 2e-3 * found["q"]
    image, (e_m, e_q, e_chi) = equations.cross_entropy(*point, 2.0, lam, classes, samples, seed=1)
    assert max(e_m, e_q, e_chi) < 0.03
    for value, again, error in zip(
        point, image, (e_m + e_chi, 2 * (e_m + e_q + e_chi), e_chi), strict=True
    ):
        assert abs(again / value - 1) < 4 * error
