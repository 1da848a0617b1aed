"""The sub-command that locates transitions."""

import json

import pandas as pd
import pytest
import xarray as xr


def test_a_critical_value(run):
    code, out, _ = run("boundary", "hopfield-zero-temperature", "spinodal", "alpha")
    assert code == 0
    assert "spinodal at alpha = 0.1379055664949" in out
    code, out, _ = run("boundary", "krauth-mezard", "entropy", "alpha", "--json")
    record = json.loads(out)
    assert (code, record["condition"], record["critical"]) == (0, "free_entropy = 0", ["alpha"])
    assert record["parameters"]["alpha"] == pytest.approx(0.8330786, abs=1e-7)


def test_a_condition_with_a_value_and_a_bracket(run):
    words = ("gaussian-mixture-square", "test_error=0.2", "alpha", "lambda=0.1")
    code, out, _ = run("boundary", *words, "--bracket", "0.5:20", "--json")
    record = json.loads(out)
    assert code == 0
    assert record["observables"]["test_error"] == pytest.approx(0.2, abs=1e-12)
    assert record["parameters"]["lam"] == 0.1


def test_a_line_and_its_files(run, tmp_path):
    words = ("gardner-spherical", "capacity", "alpha", "--along")
    csv, netcdf = tmp_path / "new" / "line.csv", tmp_path / "line.nc"
    code, out, _ = run("boundary", *words, "kappa=0:1:3", "-o", str(csv))
    assert code == 0
    assert "capacity, 3 points" in out
    assert list(pd.read_csv(csv)["kappa"]) == [0, 0.5, 1]
    code, out, _ = run("boundary", *words, "kappa=0:1", "-o", str(netcdf), "--json")
    record = json.loads(out)
    assert record["ends"] == ["kappa reaches 0", "kappa reaches 1"]
    with xr.open_dataset(netcdf) as ds:
        assert ds.sizes["point"] == len(record["points"])
        assert ds.attrs["along"] == "kappa"


def test_two_starts_for_two_phases(run):
    starts = ("--start", "informed", "--start", "uninformed")
    code, out, _ = run("boundary", "hopfield", "first-order", "alpha", "T=0.3", *starts)
    assert code == 0
    assert "coexists with" in out


def test_a_start_of_words_and_one_of_values(run):
    words = ("boundary", "hopfield", "first-order", "alpha", "T=0.3", "--json")
    code, out, _ = run(*words)
    expected = json.loads(out)["parameters"]["alpha"]
    for starts in (
        ("--start", "informed", "--start", "m=0"),
        ("--start", "m=0.9", "--start", "m=0"),
        ("--start", "m=0.9", "--start", "q=0.9", "--start", "uninformed"),
    ):
        code, out, err = run(*words, *starts)
        record = json.loads(out)
        assert code == 0, err
        assert record["parameters"]["alpha"] == pytest.approx(expected, rel=1e-10)
        assert abs(record["coexisting"]["order_parameters"]["m"]) < 1e-6
    # Values of several order parameters are one start.
    words = ("boundary", "hopfield", "spinodal", "alpha", "T=0.3")
    code, out, _ = run(*words, "--start", "m=0.9", "--start", "q=0.9")
    assert code == 0
    code, _, err = run(*words, "--start", "m=0.9", "--start", "m=0")
    assert code == 2
    assert "expected one start" in err


def test_what_is_not_found_exits_with_one_and_what_is_wrong_with_two(run):
    code, out, err = run("boundary", "krauth-mezard", "q=0.9999", "alpha", "--bracket", "0.1:0.2")
    assert (code, out) == (1, "")
    assert err.startswith("Not found: model krauth-mezard")
    code, _, err = run("boundary", "krauth-mezard", "volume", "alpha")
    assert code == 2
    assert "condition volume" in err
    code, _, err = run("boundary", "krauth-mezard", "entropy", "alpha", "--along", "kappa=1")
    assert code == 2
    assert "name=low:high" in err
