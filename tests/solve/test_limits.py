"""Limits are told from regular saddle points, and say which quantities vanish or diverge."""

import math

import pytest
import sympy as sp

from replica import (
    Discrete,
    Field,
    Model,
    Parameter,
    Quenched,
    Status,
    Thermal,
    load,
    sign_labels,
)
from replica.errors import ConvergenceError

RECOVERED = "V vanishes, qhat diverges: the quenched variable is recovered perfectly"


def within_error(solution, expected):
    return abs(solution.free_entropy - expected) <= solution.observable_error["free_entropy"]


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_perfect_recovery_of_a_discrete_teacher_is_a_limit(backend):
    """Only the teacher is left (Gyorgyi 1990): of counted states, the free entropy is zero."""
    model = load("perceptron-rademacher")
    found = model.solve(alpha=1.6, start="informed", throw=False, backend=backend)
    assert found.status is Status.AT_BOUNDARY
    assert found.limit == RECOVERED
    assert found["q"] == pytest.approx(1, abs=1e-12)
    assert found["test_error"] < 1e-6
    assert within_error(found, 0.0)
    with pytest.raises(ConvergenceError, match=r"boundary of its domain.*\(V vanishes, qhat"):
        model.solve(alpha=1.6, start="informed", backend=backend)


@pytest.mark.parametrize("chance", [sp.Rational(1, 2), sp.Rational(1, 4)])
def test_of_a_normalised_prior_the_limit_is_minus_its_entropy(chance):
    w, t, h, y, z = sp.symbols("w t h y z", real=True)
    alpha = Parameter("alpha", 2.5, (0, math.inf), "load", open="lower")
    labels, prior = sign_labels(y, z), Discrete([-1, 2], [chance, 1 - chance])
    model = Model(
        name="unfair", thermal=Thermal(w, prior), quenched=Quenched(t, prior),
        fields=Field(h, alpha, likelihood=labels, labels=labels),
    )  # fmt: skip
    found = model.solve(start="informed", throw=False)
    p = float(chance)
    assert found.limit == RECOVERED
    assert within_error(found, p * math.log(p) + (1 - p) * math.log(1 - p))
    assert found.observable_error["free_entropy"] < 0.1


def test_gaussian_teachers_are_recovered_in_the_same_words():
    found = load("phase-retrieval").solve(alpha=1.2, start="informed", throw=False)
    assert found.status is Status.AT_BOUNDARY
    assert found.limit == RECOVERED


@pytest.mark.parametrize(
    ("name", "values", "limit"),
    [
        ("gardner-spherical", {"alpha": 2.5}, "V vanishes, qhat diverges, Vhat diverges"),
        ("gaussian-mixture-square", {"lam": 0, "alpha": 0.5}, "q diverges, chi diverges"),
    ],
)
def test_other_limits_say_what_vanishes_or_diverges(name, values, limit):
    found = load(name).solve(throw=False, **values)
    assert found.status is Status.AT_BOUNDARY
    assert found.limit == limit
    assert found.to_dict()["limit"] == limit
    assert f"limit: {limit}" in str(found)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sherrington-kirkpatrick", {"T": 1.5}),  # a paramagnet: q = 0 is regular
        ("hopfield", {"T": 1.5}),
        ("spiked-wigner-rademacher", {"lam": 50.0}),  # nearly perfect: V = 2e-12 and qhat = 50
        ("compressed-sensing", {"alpha": 0.5, "Delta": 1e-10}),
        ("gaussian-mixture-square", {"lam": 1e3, "Delta": 1e-3}),
    ],
)
@pytest.mark.parametrize("start", ["uninformed", "informed"])
def test_small_values_are_no_limits(name, values, start):
    found = load(name).solve(start=start, **values)
    assert found.converged
    assert found.limit == ""


def test_branches_list_limits_where_asked_for():
    model = load("perceptron-rademacher")
    (regular,) = model.branches(alpha=1.3)
    assert regular.converged
    limit, same = model.branches(alpha=1.3, limits=True)  # the largest free entropy first
    assert limit.status is Status.AT_BOUNDARY
    assert limit.limit == RECOVERED
    assert same.order_parameters == regular.order_parameters
    assert limit.free_entropy > same.free_entropy
    # What diverges stops anywhere: that makes no two limits.
    assert len(load("gaussian-mixture-square").branches(lam=0, alpha=0.5, limits=True)) == 1
