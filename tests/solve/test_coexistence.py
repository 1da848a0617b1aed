"""First-order points that symmetry, rounding or a loss of stability makes hard to see."""

import math

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq
from transitions import equal_free_energies

from replica import (
    Discrete,
    FunctionalModel,
    Model,
    OrderParameter,
    Parameter,
    Quenched,
    Rademacher,
    Thermal,
    beta,
    load,
    m,
)
from replica.errors import ConvergenceError

s, t = sp.symbols("s t", real=True)
h = Parameter("h", 0.0, (-1, 1), "field")
curie_weiss = Model(
    name="curie-weiss",
    thermal=Thermal(s, Rademacher()),
    quenched=Quenched(t, Discrete([1])),
    overlap=beta * m**2 / 2 + beta * h * m,
    temperature=Parameter("T", 0.5, (0, 10), "temperature", open="lower"),
)
UP_AND_DOWN = ({"m": 0.9}, {"m": -0.9})


@pytest.mark.parametrize(
    "options",
    [{}, {"bracket": (0, 0.1)}, {"bracket": (-0.1, 0)}, {"bracket": (-0.1, 0.1)}],
    ids=["where-it-begins", "lower-end", "upper-end", "in-between"],
)
def test_entropies_that_are_equal_at_a_sampled_point_are_seen(options):
    found = curie_weiss.boundary("first-order", "h", start=UP_AND_DOWN, **options)
    assert found.converged
    exact = brentq(lambda x: math.tanh(2 * x) - x, 0.5, 1, xtol=1e-14)
    assert found["m"] == pytest.approx(exact, abs=1e-13)
    assert found.coexisting["m"] == pytest.approx(-exact, abs=1e-13)


@pytest.mark.parametrize("T", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("bracket", [(-0.1, 0.1), (-0.05, 0.037), (-0.013, 0.1), (-1e-3, 3e-3)])
def test_the_error_of_a_critical_value_bounds_the_rounding_of_the_gap(T, bracket):
    # By symmetry the critical field is zero, and the entropies of order one are rounded.
    found = curie_weiss.boundary("first-order", "h", T=T, bracket=bracket, start=UP_AND_DOWN)
    assert abs(found["h"]) <= found.error["h"] < 1e-14


def test_one_phase_from_two_starts_is_no_coexistence():
    with pytest.raises(ConvergenceError, match="both lead to the same phase"):
        curie_weiss.boundary("first-order", "h", start=({"m": 0.9}, {"m": 0.8}))


@pytest.mark.parametrize(("T", "low", "high"), [(0.05, 0.2, 0.3), (0.02, 0.2, 0.3)])
def test_a_variance_that_is_small_is_no_symmetry(T, low, high):
    # Retrieval at small load leaves a variance of 1e-14 and less, which grows with the load.
    found = load("hopfield").boundary("first-order", "alpha", T=T, bracket=(0.001, 0.1))
    assert found.converged
    assert found["alpha"] == pytest.approx(equal_free_energies(T, low / T, high / T), rel=1e-11)
    assert found["V"] > 0


@pytest.fixture(scope="module")
def two_magnets():
    """Two Curie-Weiss magnets n and r; r has the coupling 1.1 + 2 h, and freezes at h = -0.05."""
    n, r = sp.symbols("n r", real=True)
    field = Parameter("h", 0.0, (-0.5, 0.5), "field")
    coupling = sp.Rational(11, 10) + 2 * field
    free_entropy = -(n**2) + sp.log(2 * sp.cosh(2 * (n + field)))
    free_entropy += -coupling * r**2 / 2 + sp.log(2 * sp.cosh(coupling * r))
    return FunctionalModel(
        name="two-magnets",
        free_entropy=free_entropy,
        order_parameters=[
            OrderParameter(n, rate=sp.Rational(1, 2), domain=(-1, 1), start=0.9),
            OrderParameter(r, rate=1 / coupling, domain=(-1, 1), start=0.5),
        ],
    )


def test_phases_are_left_where_they_become_unstable(two_magnets):
    options = {"bracket": (-0.2, 0.1)}
    frozen = two_magnets.boundary(
        "first-order", "h", start=({"n": 0.9, "r": 0.5}, {"n": -0.9, "r": 0.5}), **options
    )
    assert abs(frozen["h"]) <= frozen.error["h"]
    assert frozen["r"] == pytest.approx(brentq(lambda x: math.tanh(1.1 * x) - x, 0.1, 1), abs=1e-9)
    paramagnets = ({"n": 0.9, "r": 0.0}, {"n": -0.9, "r": 0.0})
    with pytest.raises(ConvergenceError, match="free entropies differ by"):
        two_magnets.boundary("first-order", "h", start=paramagnets, **options)
    # Where only the unstable phases are led to, they are what is meant.
    meant = two_magnets.boundary("first-order", "h", start=paramagnets, bracket=(-0.04, 0.1))
    assert (meant["r"], abs(meant["h"]) <= meant.error["h"]) == (0, True)
    assert meant.unstable


@pytest.mark.parametrize("over", [(0.3, 1.5), (0.9, 1.1)])
def test_a_line_whose_phases_become_one_ends_in_a_critical_point(over):
    # At T = 1 both phases meet their spinodals, too, which would be true but say less.
    line = curie_weiss.boundary(
        "first-order", "h", T=0.95, along="T", over=over, bracket=(-0.1, 0.1), start=UP_AND_DOWN
    )
    assert line.ends == (f"T reaches {over[0]}", "the two phases become one (critical point)")
    assert line["T"][-1] == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(line["h"], 0, atol=1e-12)


@pytest.mark.parametrize("bracket", [(0.2, 0.65), (0.2, 2), (0.44, 8)])
def test_far_points_of_one_branch_do_not_hide_a_crossing(bracket):
    # Points on the paramagnet are far apart: of its overlap nothing changes with the temperature.
    z = np.linspace(-12, 12, 4001)
    w = np.exp(-(z**2) / 2) / np.sum(np.exp(-(z**2) / 2))

    def overlap(T):
        def excess(q):
            return w @ np.tanh(np.sqrt(1.5) * q / T * z) ** 2 - q

        return brentq(excess, 0.4, 0.9, xtol=1e-15)

    def advantage(T):  # of the glass, over log(2) + 1 / (4 T^2)
        q = overlap(T)
        field = w @ np.log(np.cosh(np.sqrt(1.5) * q / T * z))
        return field + (2 * q**3 - 3 * q**2) / (4 * T**2)

    expected = brentq(advantage, 0.42, 0.475, xtol=1e-14)
    found = load("p-spin-ising").boundary("first-order", "T", p=3, h=0, bracket=bracket)
    assert found["T"] == pytest.approx(expected, abs=1e-11)
    assert found["q"] == pytest.approx(overlap(expected), abs=1e-10)
    assert found.coexisting["q"] == 0
