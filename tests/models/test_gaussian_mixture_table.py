"""Every reference value of the Gaussian mixture, to its last printed digit."""

import math

import pytest
from scipy.optimize import minimize_scalar

from replica import Status, load

from .reference_values import (
    BAYES,
    BELOW_SMALL_PENALTY,
    CONJUGATES,
    HARD_MARGIN,
    OPTIMAL_PENALTY,
    ORACLE,
    PARAMETERS,
    RIDGELESS,
    SADDLE_POINTS,
    SLOW_MARGIN,
    UNPENALISED,
    assert_printed,
)

LOSS = {name: load(f"gaussian-mixture-{name}") for name in ("square", "hinge", "logistic")}
BAYES_OPTIMAL = load("gaussian-mixture-bayes")


def assert_row(solution, row):
    for name, printed in row.items():
        assert_printed(solution[name], printed)


@pytest.mark.parametrize("backend", ["c", "numpy"])
@pytest.mark.parametrize("row", SADDLE_POINTS, ids=lambda row: " ".join(list(row.values())[:5]))
def test_saddle_point(row, backend):
    values = {name: float(row[name]) for name in PARAMETERS}
    solution = LOSS[row["loss"]].solve(**values, backend=backend)
    assert_printed(values["Delta"] * solution["chi"], row["gamma"])
    assert_row(solution, {k: v for k, v in row.items() if k not in (*PARAMETERS, "loss", "gamma")})


@pytest.mark.parametrize("point", CONJUGATES, ids=str)
def test_conjugates(point):
    loss, *values = point
    assert_row(LOSS[loss].solve(**dict(zip(PARAMETERS, values, strict=True))), CONJUGATES[point])


@pytest.mark.parametrize("point", BAYES, ids=str)
def test_bayes_error(point):
    alpha, rho, Delta = point
    solution = BAYES_OPTIMAL.solve(alpha=alpha, rho=rho, Delta=Delta)
    assert_printed(solution["test_error"], BAYES[point])
    assert solution["m"] == pytest.approx(alpha / (alpha + Delta), rel=1e-13)


@pytest.mark.parametrize("point", ORACLE, ids=str)
def test_oracle_error(point):
    rho, Delta = point
    solution = BAYES_OPTIMAL.solve(alpha=1e11, rho=rho, Delta=Delta)
    assert solution["test_error"] == pytest.approx(float(ORACLE[point]), abs=5e-11 + 2e-12)


@pytest.mark.parametrize("point", HARD_MARGIN, ids=str)
def test_hard_margin(point):
    alpha, rho, Delta = point
    solution = LOSS["hinge"].solve(alpha=alpha, rho=rho, Delta=Delta, lam=1e-5)
    row = dict(HARD_MARGIN[point])
    assert_printed(1 / math.sqrt(solution["q"]), row.pop("kappa"))
    assert_row(solution, row)


@pytest.mark.parametrize("lam", SLOW_MARGIN)
def test_logistic_approaches_the_hard_margin_slowly(lam):
    solution = LOSS["logistic"].solve(alpha=1, rho=0.2, Delta=1, lam=lam)
    assert_printed(solution["test_error"], SLOW_MARGIN[lam])


@pytest.mark.parametrize("point", RIDGELESS, ids=str)
def test_ridgeless(point):
    alpha, rho = point
    assert_row(LOSS["square"].solve(alpha=alpha, rho=rho, lam=1e-12), RIDGELESS[point])


@pytest.mark.parametrize("point", UNPENALISED, ids=str)
def test_without_penalty(point):
    loss, alpha, rho = point
    assert_row(LOSS[loss].solve(alpha=alpha, rho=rho, lam=0), UNPENALISED[point])


@pytest.mark.parametrize("loss", LOSS)
def test_no_penalty_and_no_unique_classifier(loss):
    """Fewer points than dimensions: the loss vanishes on a whole set of weights."""
    solution = LOSS[loss].solve(alpha=0.5, lam=0, throw=False)
    assert solution.status is not Status.CONVERGED


@pytest.mark.parametrize(
    ("point", "loss"), [(p, loss) for p, row in OPTIMAL_PENALTY.items() for loss in row], ids=str
)
def test_optimal_penalty(point, loss):
    Delta, alpha = point
    printed, error = OPTIMAL_PENALTY[point][loss]

    def test_error(log_lam):
        solution = LOSS[loss].solve(alpha=alpha, Delta=Delta, rho=0.2, lam=math.exp(log_lam))
        return solution["test_error"]

    found = minimize_scalar(test_error, bracket=(-1.5, -0.5), tol=1e-7)
    assert_printed(math.exp(found.x), printed)
    assert_printed(found.fun, error)


@pytest.mark.parametrize("point", BELOW_SMALL_PENALTY, ids=str)
def test_logistic_optimum_at_small_penalties(point):
    Delta, alpha = point
    errors = [
        LOSS["logistic"].solve(alpha=alpha, Delta=Delta, rho=0.2, lam=lam)["test_error"]
        for lam in (1e-3, 0.99e-3)
    ]
    assert_printed(errors[0], BELOW_SMALL_PENALTY[point])
    assert errors[1] < errors[0]
