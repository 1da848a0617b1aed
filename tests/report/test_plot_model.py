"""Figures that are computed from a model: iterations and landscapes."""

import numpy as np
import pytest
from independent import gaussian_mean

from replica import load
from replica.errors import ScanError, SettingsError
from replica.report.plot import flow, iterates, landscape, profile

SK = load("sherrington-kirkpatrick")
PERCEPTRON = load("perceptron-rademacher")


@pytest.fixture(autouse=True)
def _no_window():
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    yield
    plt.close("all")


def test_iterates_are_those_of_the_damped_map():
    """q -> E tanh^2(sqrt(q) z / T) of Sherrington & Kirkpatrick (1975), half of the old kept."""
    T, q, expected = 0.5, 0.9, []
    for _ in range(6):
        expected.append(q)
        force = gaussian_mean(lambda x: np.tanh(x) ** 2, 0, np.sqrt(q) / T)
        q = 0.5 * q + 0.5 * force
    found = iterates(SK, {"q": 0.9, "V": 0.1}, T=T, damping=0.5, iterations=5)
    assert found["q"].to_numpy() == pytest.approx(expected, rel=1e-10)
    assert found["iteration"].tolist() == list(range(6))


def test_flow_ends_in_the_solution_and_marks_it():
    ax = flow(SK, T=0.5, starts={"low": {"q": 0.1, "V": 0.9}, "high": {"q": 0.9, "V": 0.1}},
              quantities=["q"])  # fmt: skip
    ends = [line for line in ax.lines if line.get_marker() == "o"]
    solution = SK.solve(T=0.5)["q"]
    assert [float(line.get_ydata()[0]) for line in ends] == pytest.approx([solution] * 2, rel=1e-8)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["low", "high"]
    assert ax.get_ylabel() == "$q$"


def test_iterations_end_at_the_boundary_of_the_domain():
    """Behind the barrier the binary perceptron recovers its teacher, q = 1."""
    found = iterates(PERCEPTRON, {"q": 0.945, "V": 0.055}, alpha=1.45)
    assert found["q"].is_monotonic_increasing
    assert found["q"].iloc[-1] == pytest.approx(1, abs=1e-12)
    assert len(found) < 50


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"damping": 1.0}, SettingsError, "damping"),
        ({"quantities": ["m"]}, ScanError, "no order parameter 'm'; there are q, V"),
    ],
)
def test_mistakes_about_a_flow(options, error, words):
    with pytest.raises(error, match=words):
        flow(SK, T=0.5, **options)


def test_a_profile_is_the_free_entropy():
    """SK: phi(q) = beta^2 (1-q)^2/4 + E log 2 cosh(beta sqrt(q) z)."""
    T = 0.6
    frame = profile(SK, T=T, points=7)
    for q, phi in zip(frame["q"], frame["free_entropy"], strict=True):
        log = gaussian_mean(lambda x: np.logaddexp(x, -x), 0, np.sqrt(q) / T)
        assert phi == pytest.approx((1 - q) ** 2 / (4 * T**2) + log, rel=1e-10)
    assert frame["q"].min() < 0.01  # all the way through the domain
    assert frame["q"].max() > 0.99


def test_a_landscape_marks_stable_and_unstable_saddle_points():
    """Binary perceptron below its spinodal: a maximum, and the barrier before the teacher."""
    ax = landscape(PERCEPTRON, "q", alpha=1.4)
    dots = {line.get_markerfacecolor() == "white": line for line in ax.lines[1:]}
    assert len(ax.lines) == 3
    stable = PERCEPTRON.solve(alpha=1.4)
    assert float(dots[False].get_xdata()[0]) == pytest.approx(stable["q"], rel=1e-8)
    barrier = float(dots[True].get_xdata()[0])
    assert stable["q"] < barrier < 1
    held = PERCEPTRON.compile().map(np.array([1.4]), np.array([barrier, 1 - barrier]))
    assert held[0] == pytest.approx(barrier, abs=1e-4)


def test_a_landscape_between_two_solutions_and_mistakes():
    hopfield = load("hopfield")
    states = tuple(hopfield.solve(alpha=0.05, T=0.3, start=s) for s in ("uninformed", "informed"))
    ax = landscape(hopfield, "m", between=states, alpha=0.05, T=0.3, label="T = 0.3")
    marked = sorted(float(line.get_xdata()[0]) for line in ax.lines[1:])
    assert marked == pytest.approx([states[0]["m"], states[1]["m"]], abs=1e-8)
    assert ax.get_xlim()[0] < 0
    with pytest.raises(ScanError, match="two different states"):
        profile(hopfield, (states[0], states[0]), alpha=0.05, T=0.3)
    with pytest.raises(ScanError, match="no order parameter 'magnetisation'"):
        landscape(SK, "magnetisation", T=0.5)
