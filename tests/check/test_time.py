"""A check whose cost is out of proportion is left out, and says so."""

import time

import pytest
import sympy as sp

from replica import Average, FunctionalModel, OrderParameter, Parameter, load
from replica.check.run import CHECKS
from replica.errors import ParameterError
from replica.progress import OutOfTime, keep_time, time_limit

y, z, M = sp.symbols("y z M", real=True)
T = Parameter("T", 2.0, (0, 10), "temperature", open="lower")
inner = Average(sp.sqrt(1 + (M + y + z) ** 2), z)
nested = FunctionalModel(
    name="nested",
    free_entropy=-(M**2) / 2 + Average(sp.log(1 + inner), y) / T,
    order_parameters=[OrderParameter(M, rate=0.5, domain=(-5, 5), start=0.3)],
)


def test_an_evaluation_keeps_its_time():
    keep_time()
    with time_limit(-1), pytest.raises(OutOfTime):
        keep_time()
    keep_time()


def test_what_takes_too_long_is_reported_as_not_checked(monkeypatch):
    monkeypatch.setattr("replica.check.run.CHECKS", {n: CHECKS[n] for n in ("solution", "mpmath")})
    begin = time.monotonic()
    report = nested.check(seconds=0.01, progress=False)
    assert time.monotonic() - begin < 60
    assert [item.name for item in report.items] == ["solution"]
    assert report.skipped["mpmath"].startswith(
        "NOT CHECKED: it takes more than 0.01 s, as averages"
    )
    assert "NOT CHECKED" in str(report)
    assert report.to_dict()["skipped"]["mpmath"] == report.skipped["mpmath"]


def test_a_bar_shows_which_check_runs(monkeypatch, capsys):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("replica.check.run.bar_disabled", lambda progress: not progress)
    monkeypatch.setattr("replica.check.run.CHECKS", {"solution": CHECKS["solution"]})
    model = load("hopfield")
    model.check(progress=False)
    assert capsys.readouterr().err == ""
    model.check()
    assert "solution: 100%" in capsys.readouterr().err


def test_time_must_be_positive():
    with pytest.raises(ParameterError, match="positive number of seconds"):
        load("hopfield").check(seconds=0)
