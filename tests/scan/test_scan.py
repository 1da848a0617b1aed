import contextlib
import dataclasses
import io
import json
import re
import signal
import threading
import time

import numpy as np
import pytest
import xarray as xr

import replica
from replica.errors import ParameterError, ScanError
from replica.scan import converged, read, save, scan, status_counts, to_frame
from replica.scan.results import Results

BETA, H = [0.5, 0.8, 1.5], [0.1, 0.2, 0.4, 0.8]


def expected(beta, h):
    m = 1.0
    for _ in range(1000):
        m = np.tanh(beta * (m + h))
    return m


@pytest.fixture
def ds(model):
    return scan(model, {"beta": BETA, "h": H}, progress=False)


def test_values_lie_where_their_parameters_are(ds):
    assert ds["m"].dims == ("beta_", "h")
    for beta in BETA:
        for h in H:
            assert float(ds["m"].sel(beta_=beta, h=h)) == pytest.approx(expected(beta, h))


@pytest.mark.parametrize("n_jobs", [1, 2, -1, -100])
@pytest.mark.parametrize("warm_axis", [None, "h", "beta", "beta_"])
def test_the_way_of_computing_does_not_change_the_result(model, ds, n_jobs, warm_axis):
    other = scan(model, {"beta": BETA, "h": H}, n_jobs=n_jobs, warm_axis=warm_axis, progress=False)
    xr.testing.assert_allclose(ds, other, rtol=1e-12)


def test_rows_follow_the_warm_axis(model):
    scan(model, {"beta": BETA, "h": H}, warm_axis="beta", progress=False)
    assert [len(call["params"]) for call in model.system.calls] == [len(BETA)] * len(H)
    assert all(call["chain"] for call in model.system.calls)
    model.system.calls.clear()
    scan(model, {"beta": BETA, "h": H}, warm_start=False, progress=False)
    assert not any(call["chain"] for call in model.system.calls)


def test_start_reaches_the_solver(model):
    scan(model, {"h": H}, start={"m": 0.25}, progress=False)
    np.testing.assert_array_equal(model.system.calls[0]["starts"], np.full((len(H), 1), 0.25))


def test_attributes_say_where_the_data_come_from(ds):
    assert ds.attrs["model"] == "curie-weiss"
    assert len(ds.attrs["signature"]) == 16
    assert json.loads(ds.attrs["settings"])["damping"] == 0.5
    assert json.loads(ds.attrs["fixed"]) == {}
    assert ds.attrs["complete"] == 1
    assert ds["beta_"].attrs["latex"] == r"\beta"
    assert ds["m"].attrs["ancillary_variables"] == "m_uncertainty"


def test_observables_can_be_chosen(model):
    ds = scan(model, {"h": H}, observables=["test_error"], progress=False)
    assert "test_error" in ds
    assert "m" in ds
    assert "free_energy" not in ds


def test_points_that_fail_are_flagged_and_counted(model):
    ds = scan(model, {"h": [1.0, 6.0, 7.0]}, progress=False)
    assert converged(ds).values.tolist() == [True, False, False]
    assert status_counts(ds) == {"converged": 1, "not converged": 2}


def test_ctrl_c_keeps_the_rows_that_were_done(model):
    ds = scan(model, {"h": [0.1, 0.2, 9.0], "beta": np.linspace(0.1, 1, 64)}, n_jobs=1,
              progress=False)  # fmt: skip
    assert ds.attrs["complete"] == 0
    assert converged(ds).sel(h=[0.1, 0.2]).all()
    assert status_counts(ds) == {"converged": 128, "cancelled": 64}
    assert np.isnan(ds["m"].sel(h=9.0)).all()


@pytest.fixture
def heeds_ctrl_c():
    """A shell that starts tests in the background has them ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_ctrl_c_ends_a_long_row_of_the_real_engine(monkeypatch, backend):
    """In threads, and in processes for the NumPy back end; the signal comes from outside."""
    model = replica.load("gaussian-mixture-logistic")
    accept = Results.accept
    interrupts = []

    def accept_and_interrupt(self, number, entry):
        accept(self, number, entry)
        if not interrupts:
            interrupts.append(number)
            main = threading.main_thread().ident
            threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT)).start()

    monkeypatch.setattr(Results, "accept", accept_and_interrupt)
    ds = scan(model, {"alpha": np.linspace(0.5, 5, 400_000)}, progress=False, backend=backend)
    counts = status_counts(ds)
    assert ds.attrs["complete"] == 0
    assert counts["converged"] > 0
    assert counts["cancelled"] > 0
    assert np.isnan(ds["m"].values[-1])


def test_an_exception_of_the_engine_ends_the_scan(model, monkeypatch):
    def fail(*args, **kwargs):
        raise FloatingPointError("in the engine")

    monkeypatch.setattr(type(model.system), "solve_block", fail)
    with pytest.raises(FloatingPointError, match="in the engine"):
        scan(model, {"h": H}, progress=False)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"axes": {"h": [11.0]}}, ParameterError, "outside"),
        ({"axes": {"h": H}, "warm_axis": "beta"}, ParameterError, "not an axis"),
        ({"axes": {"h": H}, "n_jobs": 0}, ScanError, "n_jobs"),
        ({"axes": {"h": H}, "observables": ["mass"]}, ScanError, "no observable 'mass'"),
        ({"axes": {"h": H}, "start": "hopeful"}, ParameterError, "start 'hopeful'"),
        ({"axes": {"h": H}, "start": {"q": 1.0}}, ParameterError, "start value of 'q'"),
    ],
)
def test_mistakes_are_found_before_any_work(model, options, error, words):
    with pytest.raises(error, match=words):
        scan(model, progress=False, **options)
    assert not model.system.calls


@pytest.mark.parametrize("axes", [(100, 100), (10_000, 1), (1, 10_000)])
def test_bookkeeping_costs_little(model, monkeypatch, axes):
    block = model.system.solve_block(
        np.full((128, 2), 0.5), np.ones((128, 1)), None, chain=True, cancel=None
    )
    pieces = [
        dataclasses.replace(
            block, **{name: value[:n] for name, value in dataclasses.asdict(block).items()}
        )
        for n in range(130)
    ]
    monkeypatch.setattr(
        type(model.system), "solve_block", lambda self, points, *_, **__: pieces[len(points)]
    )
    grid = {"beta": np.linspace(0.1, 2, axes[0]), "h": np.linspace(0, 1, axes[1])}
    scan(model, grid, progress=False)
    begin = time.perf_counter()
    scan(model, grid, progress=False)
    assert time.perf_counter() - begin < 0.5


def test_netcdf_returns_everything(ds, tmp_path):
    path = save(ds, tmp_path / "new" / "scan.nc")
    again = read(path)
    xr.testing.assert_identical(again["m"], ds["m"])
    assert again.attrs == ds.attrs
    assert status_counts(again) == {"converged": 12}


def test_csv_has_one_row_a_point(ds, tmp_path):
    text = save(ds, tmp_path / "scan.csv").read_text()
    head, *rows = text.splitlines()
    assert head.startswith("beta_,h,m,m_uncertainty,")
    assert len(rows) == 12
    assert all(",converged," in row for row in rows)
    assert list(to_frame(ds).columns[:2]) == ["beta_", "h"]


def test_files_that_cannot_be_written_or_read(ds, tmp_path):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "bad.nc").write_text("no data")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(ScanError, match=r"must end in \.nc or \.csv"):
        save(ds, tmp_path / "scan.txt")
    with pytest.raises(ScanError, match="Cannot write"):
        save(ds, tmp_path / "file" / "scan.nc")
    with pytest.raises(ScanError, match="no file"):
        read(tmp_path / "missing.nc")
    with pytest.raises(ScanError, match="not a netCDF file"):
        read(tmp_path / "bad.nc")
    with pytest.raises(ScanError, match="holds no scan"):
        read(tmp_path / "other.nc")


def test_the_bar_is_quiet_under_continuous_integration(model, capsys, monkeypatch):
    monkeypatch.setenv("CI", "true")
    scan(model, {"h": H}, progress=True)
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    """A stream for which a bar is drawn."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    "options",
    [
        {"axes": {"h": np.linspace(-1, 1, 500)}},
        {"axes": {"h": np.linspace(-1, 1, 500)}, "direction": "up", "start": {"m": -1.0}},
        {"axes": {"beta": np.linspace(1, 2, 40), "h": np.linspace(0, 1, 300)}},
        {"axes": {"beta": np.linspace(1, 2, 40), "h": [0.1, 0.2, 6.0]}, "warm_start": False},
        {"axes": {"h": [0.1, 6.0, 7.0]}, "retry": True},
    ],
)
def test_the_bar_ends_at_the_end(model, tmp_path, monkeypatch, options):
    """All points are counted once, guessed, followed, retried, or from the store."""
    monkeypatch.setenv("CI", "")
    for _ in range(2):
        with contextlib.redirect_stderr(Terminal()) as stream:
            scan(model, store=tmp_path / "s.sqlite", **options)
        last = stream.getvalue().rstrip().split("\r")[-1]
        assert "100%" in last
        done, total = re.search(r"(\d+)/(\d+) \[", last).groups()
        assert done == total
        assert "point/s" in stream.getvalue()


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_warm_start_leaves_a_branch_that_has_become_unstable(backend):
    """Cooling a spin glass through its transition does not stay in the paramagnet."""
    model = replica.load("sherrington-kirkpatrick")
    ds = scan(model, {"T": np.linspace(1.5, 0.3, 7)}, {"h": 0.0}, progress=False, backend=backend)
    overlap = ds["q"].values
    assert converged(ds).all()
    assert np.all(overlap[:3] < 1e-6)
    assert np.all(overlap[3:] > 0.05)
