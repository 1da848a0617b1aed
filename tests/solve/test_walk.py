"""Conditions of one's own at awkward places: at the end of a branch, without a change of sign."""

import math

import pytest
import sympy as sp

from replica import Discrete, Model, Parameter, Quenched, Rademacher, Thermal, beta, load, m
from replica.errors import ConvergenceError, ParameterError
from replica.solve import walk
from replica.solve.equations import accuracy_scale

s, t, magnetisation = sp.symbols("s t m", real=True)
curie_weiss = Model(
    name="curie-weiss",
    thermal=Thermal(s, Rademacher()),
    quenched=Quenched(t, Discrete([1])),
    overlap=beta * m**2 / 2,
    temperature=Parameter("T", 0.5, (0, 10), "temperature", open="lower"),
)
WIDE = {"bracket": (0.2, 1.5)}


def temperature(value):
    """Temperature at which the magnetisation has a value."""
    return value / math.atanh(value)


@pytest.mark.parametrize("value", [0.5, 1e-2, 1e-3, 1e-5])
def test_a_small_order_parameter_is_met_just_before_it_vanishes(value):
    found = curie_weiss.boundary(f"m={value}", "T", **WIDE)
    assert found.converged
    assert found["T"] == pytest.approx(temperature(value), abs=1e-14)


def test_an_order_parameter_that_is_nowhere_reached_says_where_the_branch_ends():
    with pytest.raises(ConvergenceError, match="branch ends at T = 1, where m, q vanish"):
        curie_weiss.boundary("m=-0.001", "T", **WIDE)


@pytest.mark.parametrize(
    "touching",
    [
        (magnetisation - 0.5) ** 2,
        -((magnetisation - sp.Rational(1, 2)) ** 4),
        sp.Abs(magnetisation - 0.5),
        sp.cos(2 * sp.pi * magnetisation) + 1,
    ],
    ids=["square", "fourth-power", "modulus", "cosine"],
)
def test_a_condition_that_does_not_change_sign_is_refused_in_true_words(touching):
    with pytest.raises(ConvergenceError, match="without a change of sign") as caught:
        curie_weiss.boundary(touching, "T", **WIDE)
    assert "was not met" not in str(caught.value)
    place = float(str(caught.value).partition("touched at T = ")[2].split()[0])
    assert place == pytest.approx(temperature(0.5), abs=2e-5)


def test_a_minimum_that_is_not_zero_is_not_touched():
    with pytest.raises(ConvergenceError, match="was not met"):
        curie_weiss.boundary((magnetisation - 0.5) ** 2 + 1e-3, "T", **WIDE)


def test_a_change_of_sign_after_a_place_that_is_touched_is_found():
    found = curie_weiss.boundary((magnetisation - 0.5) ** 2 * (magnetisation - 0.2), "T", **WIDE)
    assert found["T"] == pytest.approx(temperature(0.2), abs=1e-14)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("m=nan", "expected a finite number"),
        ("m=inf", "expected a finite number"),
        ("m<0.5", "not a comparison"),
        ("m >= 0.5", "not a comparison"),
        (sp.Symbol("m") < 0.5, "not a comparison"),
        (sp.Ne(sp.Symbol("m"), 0.5), "not a comparison"),
        (True, "not a comparison"),
        (sp.I * sp.Symbol("m"), "a real, finite expression"),
        (sp.Symbol("m") - sp.oo, "a real, finite expression"),
    ],
)
def test_what_is_no_condition_is_refused_in_one_sentence(condition, message):
    with pytest.raises(ParameterError, match=message) as caught:
        curie_weiss.boundary(condition, "T", **WIDE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{}, *({"bracket": (a, b)} for a in (0.1, 0.2) for b in (1, 2))]
)
def test_a_condition_without_a_simple_root_is_met_where_the_branch_ends(options):
    # The replicon of the glass vanishes as (1 - T)^2, that of the paramagnet is 1 - 1/T^2.
    found = load("sherrington-kirkpatrick").boundary("at", "T", h=0, **options)
    assert abs(found["T"] - 1) <= found.error["T"] < 1e-14
    assert found["q"] == 0


def test_a_condition_beyond_the_bracket_is_not_met():
    with pytest.raises(ConvergenceError, match="ends at T = 1, where q vanishes"):
        load("sherrington-kirkpatrick").boundary("at", "T", h=0, bracket=(0.3, 0.9999))


@pytest.mark.parametrize(
    ("domain", "scale"), [((-5, 5), 1), ((-0.1, 0.1), 0.1), ((0, 5), 0), ((-math.inf, math.inf), 1)]
)
def test_near_zero_errors_are_small_next_to_the_range_of_a_parameter(domain, scale):
    model = Model(
        name="magnet",
        thermal=Thermal(sp.Symbol("s", real=True), Rademacher()),
        quenched=Quenched(sp.Symbol("t", real=True), Discrete([1])),
        overlap=Parameter("J", 0.05, domain) * m**2 / 2,
    )
    assert accuracy_scale(model.compile("numpy"), "J") == scale


def test_a_condition_that_is_far_away_is_not_searched_for_at_every_point(monkeypatch):
    # The free entropy is flat there, and has a least value at every third point by rounding.
    searches = []
    search = walk.minimize_scalar
    monkeypatch.setattr(
        walk, "minimize_scalar", lambda *a, **k: searches.append(1) or search(*a, **k)
    )
    with pytest.raises(ConvergenceError, match="was not met"):
        load("dense-memory-zero-temperature").boundary("free_entropy=77", "alpha")
    assert len(searches) < 5
