"""Values of parameters at which a capacity has a given value."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from replica import Ball, CapacitySettings, ManifoldModel, Parameter, PointCloud, load
from replica.errors import ConvergenceError, ParameterError, SettingsError


@pytest.mark.parametrize(
    ("name", "alpha", "values", "margin"),
    [
        ("manifold-points", 0.25, {}, 1.73558), ("manifold-points", 0.5, {}, 1.03431),
        ("manifold-points", 1, {}, 0.47066), ("manifold-points", 1.5, {}, 0.18611),
        ("manifold-balls", 0.15, {"R": 0.5, "D": 5}, 1.6207),
        ("manifold-balls", 0.3, {"R": 0.5, "D": 5}, 0.6865),
        ("manifold-balls", 0.2, {"R": 1, "D": 5}, 0.7791),
        ("manifold-balls", 0.3, {"R": 0.3, "D": 10}, 0.6899),
    ],
)  # fmt: skip
def test_the_largest_margin_at_a_load(name, alpha, values, margin):
    """Of another program, which finite problems agree with."""
    digits = 5 if name == "manifold-points" else 4
    found = load(name).boundary(f"alpha={alpha}", "kappa", bracket=(0, 3), **values)
    assert found.parameters["kappa"] == pytest.approx(margin, abs=0.51 * 10**-digits)
    assert found["alpha"] == pytest.approx(alpha, rel=1e-12)
    assert found.good
    assert found.error["kappa"] < 1e-10


def test_the_error_of_a_closed_form_is_honest():
    found = load("manifold-points").boundary("alpha = 0.7", "kappa", bracket=(0, 3))
    kappa = found.parameters["kappa"]
    exact = (1 + kappa**2) * norm.cdf(kappa) + kappa * norm.pdf(kappa)
    slope = 2 * (kappa * norm.cdf(kappa) + norm.pdf(kappa))
    assert abs(exact - 1 / 0.7) / slope <= found.error["kappa"] + 1e-15
    assert "alpha = 0.7 at kappa = " in str(found)


def test_a_radius_for_a_capacity_by_a_closed_form():
    found = load("manifold-segments").boundary("alpha=1.6", "R", bracket=(0, 5))
    assert found.parameters["R"] == pytest.approx(math.tan(math.pi / 2 * (1 / 1.6 - 0.5)), rel=1e-9)
    assert found.to_frame().columns[0] == "R"


def test_sampled_capacities_are_smooth_and_their_errors_become_those_of_the_parameter():
    R = Parameter("R", 0.5, (0, 2))
    points = np.vstack([np.eye(3), -np.eye(3)])
    settings = CapacitySettings(samples=2048)
    cloud = ManifoldModel(name="cloud", shape=PointCloud(points, R))
    found = cloud.boundary("alpha=0.9", "R", settings=settings)  # within the domain of R
    assert found["alpha"] == pytest.approx(0.9, rel=1e-10)
    assert found.sampled
    exact = load("manifold-l1-balls").boundary("alpha=0.9", "R", bracket=(0, 2), D=3)
    gap = found.parameters["R"] - exact.parameters["R"]
    assert abs(gap) < 4 * found.error["R"]
    assert found.error["R"] < 0.02


@pytest.mark.parametrize(
    ("condition", "options", "error", "words"),
    [
        ("spinodal", {"bracket": (0, 1)}, ParameterError, "expected 'NAME=VALUE' of one of alpha"),
        ("alpha=x", {"bracket": (0, 1)}, ParameterError, "expected 'NAME=VALUE'"),
        ("alpha=1", {}, ParameterError, r"expected bracket=\(LOW, HIGH\), two different finite"),
        ("alpha=1", {"bracket": 3}, ParameterError, "two different finite values of R, got 3"),
        ("alpha=1", {"bracket": (1, 1)}, ParameterError, "two different finite values"),
        ("alpha=3", {"bracket": (0, 1)}, ConvergenceError, "is nowhere 3 in between; try another"),
        ("alpha=1", {"bracket": (0, 1), "Q": 3}, ParameterError, "Q"),
        ("alpha=1", {"bracket": (0, 1), "backend": "c"}, SettingsError, "no back end 'c'"),
    ],
)
def test_what_cannot_be_found_is_one_sentence(condition, options, error, words):
    with pytest.raises(error, match=words) as caught:
        load("manifold-balls").boundary(condition, "R", **options)
    assert "\n" not in str(caught.value)


def test_an_unknown_parameter_is_one_sentence():
    model = ManifoldModel(name="mine", shape=Ball(0.5, 3))
    with pytest.raises(ParameterError):
        model.boundary("alpha=1", "R", bracket=(0, 1))
