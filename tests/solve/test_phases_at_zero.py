"""Models whose symmetric phase has every unknown at zero, so that no equation is left in it."""

import dataclasses
import math

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq

from replica import FunctionalModel, OrderParameter, Parameter, Status
from replica.errors import ConvergenceError, ParameterError
from replica.solve.certificate import uncertain

m, mhat = sp.symbols("m mhat", real=True)
T = Parameter("T", 0.8, (0, math.inf), open="lower")
D = Parameter("D", 0.2, (-5, 5), "crystal field")
h = Parameter("h", 0.0, (-5, 5), "field")
magnetisation = OrderParameter(m, conjugate=mhat, domain=(-1, 1), start=(0.001, 0.99))
curie_weiss = FunctionalModel(
    "curie-weiss", -mhat * m + m**2 / (2 * T) + sp.log(2 * sp.cosh(mhat + h / T)), [magnetisation]
)
blume_capel = FunctionalModel(
    "blume-capel",
    -mhat * m + m**2 / (2 * T) + sp.log(1 + 2 * sp.exp(-D / T) * sp.cosh(mhat + h / T)),
    [magnetisation],
)


def entropy_gap(field, temperature):
    """Free entropy of the ferromagnet over that of the paramagnet, for spins of size one."""
    weight = 2 * math.exp(-field / temperature)

    def phi(x):
        return -(x**2) / (2 * temperature) + math.log(1 + weight * math.cosh(x / temperature))

    def force(x):
        y = x / temperature
        return weight * math.sinh(y) / (1 + weight * math.cosh(y)) - x

    x = brentq(force, 0.6, 1, xtol=1e-15)
    return phi(x) - phi(0)


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_the_critical_temperature_of_curie_and_weiss(backend):
    found = curie_weiss.boundary("second-order", "T", bracket=(0.5, 2), backend=backend)
    assert found.converged
    assert found["T"] == pytest.approx(1, abs=1e-14)
    assert found["m"] == 0


def test_a_value_of_what_vanishes():
    found = curie_weiss.boundary("m=0.1", "T", bracket=(0.5, 2))
    assert found["T"] == pytest.approx(0.1 / math.atanh(0.1), abs=1e-13)


def test_the_paramagnet_is_followed():
    branch = curie_weiss.follow("T", start={"m": 0}, until=(0.5, 2))
    assert branch.ends == ("T reaches 0.5", "T reaches 2")
    np.testing.assert_array_equal(branch["m"], 0)
    stability = [point.stability for point in branch.points]
    np.testing.assert_allclose(stability, 1 / branch["T"], rtol=1e-10)
    np.testing.assert_allclose(branch["free_entropy"], math.log(2), rtol=1e-14)


def test_a_first_order_transition_to_the_paramagnet():
    found = blume_capel.boundary("first-order", "D", T=0.25, bracket=(0.3, 0.6))
    expected = brentq(entropy_gap, 0.45, 0.48, args=(0.25,), xtol=1e-15)
    assert found["D"] == pytest.approx(expected, abs=1e-13)
    assert found.coexisting["m"] == 0


def test_a_line_on_which_the_paramagnet_loses_its_stability():
    line = blume_capel.boundary("second-order", "D", along="T", over=[0.4, 0.5, 0.6])
    x = 2 * (1 / line["T"] - 1)
    np.testing.assert_allclose(line["D"], line["T"] * np.log(x), atol=1e-13)


def test_two_roots_between_neighbouring_points_are_no_touching():
    half = sp.Rational(1, 2)
    found = curie_weiss.boundary(
        (m - half) ** 2 - sp.Rational(1, 10**6), "T", bracket=(0.5, 0.99), start="informed"
    )
    assert found["T"] == pytest.approx(0.501 / math.atanh(0.501), abs=1e-12)
    with pytest.raises(ConvergenceError, match=r"touched at T = 0\.91023"):
        curie_weiss.boundary((m - half) ** 2, "T", bracket=(0.5, 0.99), start="informed")


def test_a_line_says_which_points_it_has_not():
    over = [0.1, 0.2, 0.3, 0.4]
    line = blume_capel.boundary("first-order", "D", along="T", over=over, bracket=(0.3, 0.6))
    assert list(line["T"]) == over[:3]  # the tricritical temperature is 1/3
    assert line.missing == (0.4,)
    assert line.to_dict()["missing"] == [0.4]
    assert "no points at T = 0.4" in str(line)
    assert "not certified" not in str(line)


def test_a_line_says_how_many_of_its_points_are_not_certified():
    line = blume_capel.boundary(
        "first-order", "D", along="T", over=[0.1, 0.2, 0.3], bracket=(0.3, 0.6)
    )
    first, second, third = line.points
    failed = dataclasses.replace(first, status=Status.NOT_CERTIFIED)
    half = dataclasses.replace(
        second,
        coexisting=dataclasses.replace(second.coexisting, status=Status.NOT_CERTIFIED),
    )
    assert [point.good for point in (failed, half, third)] == [False, False, True]
    worse = dataclasses.replace(line, points=(failed, half, third))
    assert "not certified: 2 of 3 points, T from 0.1 to 0.2" in str(worse)


def test_what_is_not_certified_is_named():
    found = blume_capel.boundary("first-order", "D", T=0.25, bracket=(0.3, 0.6))
    assert found.good
    for name, error in {"D": 2e-8, "m": 3e-6}.items():
        worse = dataclasses.replace(found, error={**found.error, name: error})
        text = uncertain(worse, worse.critical)
        assert text == f"{name} = {found[name]:.6g} has the error {error:.1e}"
    assert "residual 1.0e-03 of phase" in uncertain(dataclasses.replace(found, residual=1e-3), ())


# -- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("second_order", "did you mean 'second-order'"),
        ("AT", "did you mean 'at'"),
        ("spinodals", "did you mean 'spinodal'"),
        ("tricritical", "expected one of 'second-order', 'replicon'"),
        ("mm=0.3", "did you mean 'm'"),
        (lambda point: point["m"], "a SymPy expression that vanishes .* got a function"),
        (None, "got None"),
        ({"m": 1}, "got {'m': 1}"),
        ("T=0.3", "depends on T alone, and not on h"),
        (T - 0.3, "depends on T alone, and not on h"),
        ("entropy", "no entropy of its own"),
    ],
)
def test_a_condition_that_is_none_is_refused_with_what_was_meant(condition, message):
    with pytest.raises(ParameterError, match=message) as caught:
        curie_weiss.boundary(condition, "h", bracket=(-1, 1))
    assert "\n" not in str(caught.value)


def test_a_functional_may_declare_its_entropy():
    # d(T phi)/dT at a stationary point.
    entropy = -m * mhat + sp.log(2 * sp.cosh(mhat + h / T)) - h / T * sp.tanh(mhat + h / T)
    model = FunctionalModel(
        "spins", curie_weiss.free_entropy, [magnetisation], observables={"entropy": entropy}
    )
    with pytest.raises(ConvergenceError, match="entropy = 0 was not met"):
        model.boundary("entropy", "T", bracket=(0.5, 0.9), start="informed")


@pytest.mark.parametrize("value", [0.5, 5])
def test_a_critical_value_beside_a_bracket_is_refused(value):
    with pytest.raises(ParameterError, match="searched for in the bracket, from both ends"):
        blume_capel.boundary("second-order", "D", T=0.5, D=value, bracket=(0, 1))


def test_a_quantity_that_may_have_been_meant_is_named_alone():
    with pytest.raises(ParameterError, match=r"did you mean 'free_entropy'\?\).*of the model\.$"):
        blume_capel.boundary("free_energy=0.3", "D", T=0.5)
    with pytest.raises(ParameterError, match=r"did you mean 'mhat'\?\)\.$"):
        blume_capel.boundary(sp.Symbol("m_hat") - 1, "D", T=0.5)
    with pytest.raises(ParameterError, match="depends on T alone, and not on D"):
        blume_capel.boundary("T=0.3", "D")


def test_one_order_parameter_vanishes():
    with pytest.raises(ConvergenceError, match="where m vanishes"):
        curie_weiss.boundary("m=0.5", "T", bracket=(0.95, 2), start="informed")
