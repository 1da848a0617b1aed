"""Branches of models whose phase diagrams are published."""

import numpy as np
import pytest
from transitions import equal_free_energies, retrieval_end

import replica
from replica.errors import ScanError
from replica.scan import failures, scan, status_counts, to_frame


def test_hopfield_has_two_phases_up_to_its_capacity():
    """Amit, Gutfreund & Sompolinsky (1987): retrieval ends at 0.138 and is the best below 0.051."""
    model = replica.load("hopfield-zero-temperature")
    alpha = np.linspace(0.03, 0.15, 121)
    ds = scan(model, {"alpha": alpha}, start=["informed", "uninformed"], progress=False)
    two = ds["m"].notnull().all("branch").values
    # The last point of the grid before 0.1379.
    assert alpha[two].max() == pytest.approx(0.137)
    retrieves_best = ds["m"].values[:, 0] > 0.5
    assert alpha[retrieves_best].max() == pytest.approx(0.051, abs=2e-3)
    assert np.all(ds["m"].values[two & ~retrieves_best, 1] > 0.9)
    words = ds["found_by"].attrs["flag_meanings"].split()
    assert words == ["informed", "uninformed"]
    # Beyond its end both starts find the spin glass.
    np.testing.assert_array_equal(ds["found_by"].values[~two, 0], 3)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_scan_leaves_the_paramagnet_below_the_transition(direction):
    """Without a field q = 0 solves the equations of Sherrington and Kirkpatrick at every T."""
    model = replica.load("sherrington-kirkpatrick")
    T = np.linspace(0.5, 1.5, 6)
    ds = scan(model, {"T": T}, direction=direction, progress=False)
    np.testing.assert_array_equal(np.ravel(ds["q"].values) > 1e-3, T < 1)
    assert np.nanmax(ds["stability"].values) < 1
    kept = model.solve(T=0.5, start={"q": 0.0})
    assert kept["q"] < 1e-12
    assert kept.stability == pytest.approx(4, abs=1e-6)  # 1/T**2


def test_a_point_counts_once_whatever_branches_it_has():
    model = replica.load("hopfield-zero-temperature")
    ds = scan(
        model, {"alpha": [0.1, 0.2]}, start=["informed", "uninformed"], progress=False,
        warm_start=False,
    )  # fmt: skip
    assert status_counts(ds) == {"converged": 2}
    frame = to_frame(ds)
    assert list(frame.columns[:2]) == ["alpha", "branch"]
    assert len(frame) == 3
    assert set(frame["found_by"]) == {"informed", "uninformed", "informed+uninformed"}
    assert failures(ds).empty


def test_a_model_without_free_entropy_has_no_ranking(model):
    with pytest.raises(ScanError, match="no free_entropy to rank"):
        scan(model, {"h": [0.1, 0.2]}, direction="both", progress=False)
    assert not model.system.calls


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"direction": "sideways"}, "'up', 'down' or 'both'"),
        ({"direction": "up", "warm_start": False}, "needs warm starts"),
        ({"start": []}, "start must not be empty"),
        ({"executor": 3}, "executor must be"),
        ({"out": "scan.csv"}, "must end in .nc"),
    ],
)
def test_options_that_are_none(model, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScanError, match=words):
        scan(model, {"h": [0.1, 0.2]}, progress=False, **options)
    assert not model.system.calls
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("starts", "direction"), [(40, None), (16, "both")])
def test_many_sweeps_lose_nothing(starts, direction):
    """Which sweeps found a branch is one bit a sweep, and more of them than an int32 has."""
    model = replica.load("hopfield-zero-temperature")
    some = [{"m": m} for m in np.linspace(0.1, 0.97, starts)]
    ds = scan(model, {"alpha": [0.05]}, start=some, direction=direction, progress=False)
    sweeps = starts * (2 if direction else 1)
    found = ds["found_by"].values[0]
    assert np.bitwise_or.reduce(found[found > 0]) == 2**sweeps - 1
    frame = to_frame(ds)
    assert sum(len(words.split("+")) for words in frame["found_by"]) == sweeps


def test_more_sweeps_than_bits_are_refused_at_once():
    model = replica.load("hopfield-zero-temperature")
    with pytest.raises(ScanError, match="at most 63 sweeps"):
        scan(model, {"alpha": [0.05]}, start=[{"m": 0.5}] * 64, progress=False)


@pytest.mark.parametrize("options", [{}, {"direction": "down"}, {"direction": "both"}])
def test_the_best_phase_comes_first_though_the_sweeps_begin_in_the_other(options):
    """At the smallest load the uninformed start leads to the memory, at the next ones to the glass.

    Both exist from there up to the end of the memory at 0.1033, and are equally good at 0.0450.
    """
    model = replica.load("hopfield")
    alpha = np.linspace(0.01, 0.19, 10)
    starts = ["informed", "uninformed"]
    ds = scan(model, {"alpha": alpha}, {"T": 0.3}, start=starts, progress=False, **options)
    best, other = ds["m"].values[:, 0], ds["m"].values[:, 1]
    end = retrieval_end(0.3)
    equal = equal_free_energies(0.3, 0.17 / 0.3, 0.25 / 0.3)
    np.testing.assert_array_equal(best > 0.9, alpha < equal)
    both = (alpha > 0.02) & (alpha < end)
    np.testing.assert_array_equal(np.isfinite(other[both]), True)
    np.testing.assert_array_equal(np.isnan(other[alpha > end]), True)
    first, second = ds["free_entropy"].values.T
    assert np.all(first[both] >= second[both])


def test_a_saddle_comes_after_the_phases():
    """Below its freezing temperature the paramagnet has the larger free entropy, and is none."""
    model = replica.load("sherrington-kirkpatrick")
    starts = [{"q": 0.0}, "informed"]
    ds = scan(model, {"T": [0.5, 0.7]}, start=starts, progress=False)
    assert np.all(ds["q"].values[:, 0] > 0.1)
    np.testing.assert_array_equal(ds["q"].values[:, 1], 0)
    np.testing.assert_allclose(
        ds["free_entropy"].values[:, 1], np.log(2) + 0.25 / ds["T"].values ** 2, rtol=1e-13
    )
    assert np.all(ds["free_entropy"].values[:, 1] > ds["free_entropy"].values[:, 0])
    glass, paramagnet = model.branches(starts, T=0.5)
    assert (glass["q"] > 0.1, paramagnet["q"]) == (True, 0)
