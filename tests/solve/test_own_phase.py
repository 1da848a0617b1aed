"""The phase to which a start leads, where the search begins in the only phase that there is.

Binary CDMA: with s = alpha / (Delta + V) every solution is V = E sech^2(s + sqrt(s) z), and the
noise Delta = alpha / s - V(s) is an explicit function of s, whose extrema are the spinodals.
"""

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq, minimize_scalar

from replica import Discrete, Field, LinearLabels, Model, Parameter, Quenched, Thermal
from replica.errors import ConvergenceError

alpha = Parameter("alpha", 0.5, (0, 100), open="lower")
Delta = Parameter("Delta", 0.1, (0, 100), open="lower")
s, x, h, h0, y = sp.symbols("s x h h0 y", real=True)
labels = LinearLabels(y, h0, Delta)
signs = Discrete([-1, 1], [sp.Rational(1, 2)] * 2)
cdma = Model(
    name="binary-cdma",
    thermal=Thermal(s, signs),
    quenched=Quenched(x, signs),
    fields=Field(h, alpha, likelihood=labels, labels=labels),
)

# The field itself is integrated over: its tails are cut nowhere.
fields, STEP = np.linspace(-150, 450, 60001, retstep=True)


def average(values, precision):
    """Average of a function of the field, of mean and variance s."""
    density = np.exp(-((fields - precision) ** 2) / (2 * precision))
    return STEP * values @ density / np.sqrt(2 * np.pi * precision)


def variance(precision):
    """Return V, as an average of 2 / (1 + exp(2 h)), which does not cancel."""
    return average(np.cosh(np.clip(fields, -300, 300)) ** -2.0, precision)


def noise(precision):
    return 0.5 / precision - variance(precision)


def fold(low, high, sign):
    """Return noise and overlap at a maximum (or minimum) of the noise."""
    found = minimize_scalar(
        lambda p: -sign * noise(p), bounds=(low, high), method="bounded", options={"xatol": 1e-9}
    )
    return noise(found.x), 1 - variance(found.x)


def free_entropy(precision):
    log_cosh = np.logaddexp(fields, -fields) - np.log(2)
    energy = -0.25 * np.log(2 * np.pi * 0.5 / precision) - 0.25
    overlap = 1 - variance(precision)
    return energy + average(log_cosh, precision) - precision / 2 * (1 + overlap)


def coexistence():
    """Return the noise of equal free entropies."""

    def gap(value):
        inner = brentq(lambda p: noise(p) - value, 5.5, 100, xtol=1e-14)
        outer = brentq(lambda p: noise(p) - value, 1e-2, 1.58, xtol=1e-14)
        return free_entropy(inner) - free_entropy(outer)

    return brentq(gap, 0.02, 0.06, xtol=1e-14)


BRACKETS = [None, (0.001, 0.2), (0.005, 0.2), (0.0075, 0.2)]


def options(bracket):
    return {} if bracket is None else {"bracket": bracket}


@pytest.mark.parametrize("bracket", BRACKETS)
def test_a_spinodal_is_that_of_the_phase_of_its_start_from_every_bracket(bracket):
    ends = [
        cdma.boundary("spinodal", "Delta", start=start, **options(bracket))
        for start in ("informed", "uninformed")
    ]
    good, bad = fold(5, 8, 1), fold(1, 3, -1)
    assert [end["Delta"] for end in ends] == pytest.approx([good[0], bad[0]], rel=1e-9)
    assert [end["q"] for end in ends] == pytest.approx([good[1], bad[1]], abs=1e-6)


@pytest.mark.parametrize("bracket", BRACKETS[:2])
def test_the_other_phase_of_a_first_order_point_is_found_from_every_bracket(bracket):
    found = cdma.boundary("first-order", "Delta", **options(bracket))
    assert found["Delta"] == pytest.approx(coexistence(), rel=1e-9)
    assert found["q"] > 0.99 > 0.6 > found.coexisting["q"]


@pytest.mark.parametrize("backend", ["c", "numpy"])
@pytest.mark.parametrize("value", [0.0075, 0.007, 0.005, 0.002])
def test_the_error_of_a_tiny_variance_covers_it(backend, value):
    found = cdma.solve(Delta=value, start="informed", backend=backend)
    exact = variance(0.5 / value)  # V itself is nothing next to Delta
    assert abs(found["V"] - exact) <= found.error["V"] < 1e-14
    if value >= 0.007:
        assert found["V"] == pytest.approx(exact, rel=1e-6)


def test_one_phase_only_is_said():
    # Both starts lead to the phase of a large noise, which has no spinodal there.
    with pytest.raises(ConvergenceError, match="both lead to the same phase, and no other was"):
        cdma.boundary("first-order", "Delta", bracket=(0.1, 0.2))


def test_a_branch_ends_before_a_noise_of_zero():
    branch = cdma.follow("Delta", Delta=0.03, start="informed", until=None)
    assert "Delta reaches 0" in branch.ends
    assert np.all(branch["Delta"] > 0)
    line = cdma.boundary("spinodal", "Delta", along="alpha", over=(0.47, 0.5), start="uninformed")
    assert "Delta reaches 0" in line.ends
    assert np.all(line["Delta"] > 0)
