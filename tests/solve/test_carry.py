"""Transitions that are followed from where they were found to other parameters."""

import math

import pytest
import sympy as sp
from transitions import equal_free_energies, retrieval_end

from replica import FunctionalModel, OrderParameter, Parameter, load
from replica.errors import ConvergenceError

m, mhat = sp.symbols("m mhat", real=True)
T = Parameter("T", 0.8, (0, math.inf), open="lower")
h = Parameter("h", 0.0, (-5, 5), "field")
curie_weiss = FunctionalModel(
    "curie-weiss",
    -mhat * m + m**2 / (2 * T) + sp.log(2 * sp.cosh(mhat + h / T)),
    [OrderParameter(m, conjugate=mhat, domain=(-1, 1), start=(0.001, 0.99))],
)


def spinodal_field(temperature):
    """Field at which the magnetisation against it ends."""
    size = math.sqrt(1 - temperature)
    return size - temperature * math.atanh(size)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("temperature", [0.1, 0.58, 0.7, 0.99])
def test_a_spinodal_stays_on_its_branch(sign, temperature):
    start = {"m": 0.9 * sign}
    found = curie_weiss.boundary("spinodal", "h", T=0.6, start=start, bracket=(-1, 1))
    there = curie_weiss.boundary("spinodal", "h", T=temperature, start=found)
    assert there["h"] == pytest.approx(-sign * spinodal_field(temperature), abs=1e-13)
    assert there["m"] == pytest.approx(sign * math.sqrt(1 - temperature), abs=1e-9)


def test_a_spinodal_that_does_not_lead_there_is_no_other_one():
    found = curie_weiss.boundary("spinodal", "h", T=0.6, start="informed", bracket=(-1, 1))
    words = r"does not lead from T = 0\.6 to T = 1\.01 \(it turns back\)"
    with pytest.raises(ConvergenceError, match=words):
        curie_weiss.boundary("spinodal", "h", T=1.01, start=found)


@pytest.mark.parametrize("temperature", [0.1, 0.3, 0.9])
def test_the_lines_of_a_memory_are_followed_far(temperature):
    hopfield = load("hopfield")
    end = hopfield.boundary("spinodal", "alpha", T=0.5)
    there = hopfield.boundary("spinodal", "alpha", T=temperature, start=end)
    assert there["alpha"] == pytest.approx(retrieval_end(temperature), rel=1e-8)
    equal = hopfield.boundary("first-order", "alpha", T=0.5)
    there = hopfield.boundary("first-order", "alpha", T=temperature, start=equal)
    low, high = {0.1: (0.2, 0.3), 0.3: (0.17, 0.25), 0.9: (0.03, 0.3)}[temperature]
    expected = equal_free_energies(temperature, low / temperature, high / temperature)
    assert there["alpha"] == pytest.approx(expected, rel=1e-10)
    assert there["m"] > 0.4
    assert there.coexisting["m"] == 0


def test_a_point_of_a_line_is_the_same_along_either_axis():
    glass = load("sherrington-kirkpatrick")
    found = glass.boundary("at", "h", T=0.5, bracket=(0.01, 3))
    across = glass.boundary("at", "T", h=0.2, bracket=(0.1, 1), start=found)
    back = glass.boundary("at", "h", T=across["T"], start=found)
    assert back["h"] == pytest.approx(0.2, abs=1e-12)
