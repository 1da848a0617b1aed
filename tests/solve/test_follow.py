"""Branches through folds, against closed forms."""

import math

import numpy as np
import pytest
from scipy.special import erfinv
from transitions import Spike, Teacher, cold_load

from replica import load
from replica.errors import ConvergenceError, ParameterError


def test_the_whole_branch_of_hopfield_at_zero_temperature():
    branch = load("hopfield-zero-temperature").follow("alpha", until=(0.05, 0.2))
    y = erfinv(branch["m"])
    exact = np.array([cold_load(v) for v in y])
    inner = np.abs(branch["m"]) < 1 - 1e-6  # else erfinv has few digits
    assert np.max(np.abs(branch["alpha"] / exact - 1)[inner]) < 1e-10
    assert all(point.converged for point in branch.points)
    assert branch.ends == ("alpha reaches 0.05", "alpha reaches 0.05")
    # Stable up to the fold, unstable beyond it.
    (fold,) = branch.folds
    assert fold["alpha"] == pytest.approx(0.1379055664949, abs=1e-12)
    at = branch.points.index(fold)
    growth = np.array([point.stability for point in branch.points])
    assert np.all(growth[:at] < 1)
    assert np.all(growth[at + 1 :] > 1)
    assert branch["m"][0] > fold["m"] > branch["m"][-1]


def test_the_middle_branch_of_the_binary_teacher():
    branch = load("perceptron-rademacher").follow("alpha", until=(1, 2))
    for point in branch.points:
        assert Teacher(point["qhat"]).load == pytest.approx(point["alpha"], rel=1e-10)
    (fold,) = branch.folds
    assert fold["alpha"] == pytest.approx(1.4926318182, abs=1e-9)
    unstable = [point for point in branch.points if point.stability > 1 + 1e-6]
    assert len(unstable) > 5
    # A point of it starts other questions: there no damped iteration stays.
    again = load("perceptron-rademacher").boundary("q=0.9", "alpha", start=unstable[0])
    assert again.stability > 1
    assert Teacher(again["qhat"]).q == pytest.approx(0.9, abs=1e-10)


def test_two_folds_and_a_continuous_end():
    rho = 0.1
    branch = load("spiked-wigner-sparse").follow(
        "lam", until=(0.01, 3), start="informed", lam=1.5, rho=rho
    )
    assert branch.marks.count("fold") == 2
    for point in branch.points:
        if point["q"] > 1e-8:
            spike = Spike(point["lam"] * point["q"], rho)
            assert spike.ratio == pytest.approx(point["lam"], rel=1e-8)
    for fold in branch.folds:
        s = fold["lam"] * fold["q"]
        slope = (Spike(s * 1.0001, rho).ratio - Spike(s / 1.0001, rho).ratio) / 2e-4
        assert abs(slope) < 1e-6
    first = branch.points[branch.marks.index("second-order")]
    assert first["lam"] == pytest.approx(1, abs=1e-10)
    assert first["q"] == 0
    assert "q = 0 at lam = 1" in branch.ends[0]


def test_a_branch_starts_from_a_solution_and_goes_both_ways():
    model = load("gaussian-mixture-logistic")
    start = model.solve(lam=0.3, rho=0.2)
    branch = model.follow("lam", start=start, until=(0.1, 1))
    assert branch.points[0]["lam"] == 0.1
    assert branch.points[-1]["lam"] == 1
    assert {point["rho"] for point in branch.points} == {0.2}
    for point in branch.points[::6]:
        plain = model.solve(lam=point["lam"], rho=0.2)
        assert plain["test_error"] == pytest.approx(point["test_error"], rel=1e-10)
        assert plain.free_entropy == pytest.approx(point.free_entropy, rel=1e-10)


def test_a_smaller_step_gives_more_points():
    model = load("gardner-spherical")
    few, many = (model.follow("alpha", until=(0.5, 1.5), step=step) for step in (0.2, 0.05))
    assert len(many) > 2 * len(few)


def test_a_branch_that_runs_into_a_limit_says_so():
    branch = load("gardner-spherical").follow("alpha", until=(0.5, 3))
    assert "limit at alpha = 2" in branch.ends[1] or "limit at alpha = 1.99" in branch.ends[1]
    assert branch["alpha"].max() < 2


def test_a_branch_is_a_table():
    branch = load("hopfield-zero-temperature").follow("alpha", until=(0.1, 0.2))
    frame, ds = branch.to_frame(), branch.to_dataset()
    assert frame.columns[0] == "alpha"
    assert list(frame["mark"]).count("fold") == 1
    assert math.isclose(frame["alpha"].max(), branch.folds[0]["alpha"])
    assert ds.sizes == {"point": len(branch)}
    assert ds.attrs["begins"] == "alpha reaches 0.1"
    assert "fold at alpha = 0.1379055665" in str(branch)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("beta", {}), "'beta' is unknown"),
        (("alpha", {"until": (2, 1)}), "expected low < high"),
        (("alpha", {"until": (1, 2), "alpha": 3}), r"alpha = 3 is outside the range 1, 2"),
        (("alpha", {"start": {"m": 1}}), "start value of 'm'"),
    ],
)
def test_ill_posed_questions_get_one_sentence(arguments, message):
    parameter, options = arguments
    with pytest.raises(ParameterError, match=message):
        load("krauth-mezard").follow(parameter, **options)


def test_no_solution_to_start_from():
    with pytest.raises(ConvergenceError, match=r"no solution at alpha = 2\.5 or 3; give a start="):
        load("gardner-spherical").follow("alpha", until=(2.5, 3))
