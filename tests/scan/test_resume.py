"""Scans that are killed, run out of disk, or are interrupted, and go on."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

import replica
from replica.cli import main
from replica.scan import read, scan, status_counts

MODEL = "gaussian-mixture-logistic"
ROWS = ["lambda=1e-3:1:200:log", "alpha=0.5:4:100"]
LONG_ROW = ["lambda=0.01", "alpha=0.5:4:20000"]
WORDS = ["scan", MODEL, "-n", "1", "--quiet"]
POINTS = 20_000


def stored_points(path):
    """Count the points that were solved for what the store has."""
    # A block of one point is the check of a guess, which solves the point before it once more.
    query = "SELECT coalesce(sum(CASE points WHEN 1 THEN 2 ELSE points END), 0) FROM blocks"
    file = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return file.execute(query).fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    finally:
        file.close()


def command(*words):
    with pytest.raises(SystemExit) as caught:
        main(words)
    return caught.value.code


def identical(first, second):
    first, second = read(first), read(second)
    for ds in (first, second):
        for name in ("created", "command"):
            ds.attrs[name] = ""
    xr.testing.assert_identical(first, second)
    return all(first[v].values.tobytes() == second[v].values.tobytes() for v in first.variables)


@pytest.mark.parametrize("ranges", [ROWS, LONG_ROW], ids=["rows", "long row"])
def test_a_killed_scan_goes_on_where_it_was(tmp_path, solved, capsys, ranges):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    store = tmp_path / "killed.sqlite"
    words = [*WORDS, *ranges, "--out"]
    process = subprocess.Popen([sys.executable, "-m", "replica", *words, str(killed)])
    deadline = time.monotonic() + 60
    while not (store.exists() and stored_points(store) > 500):
        assert time.monotonic() < deadline
        assert process.poll() is None, "the scan ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not killed.with_suffix(".nc").exists()
    before = stored_points(store)
    assert 500 < before < POINTS
    assert command(*words, str(killed)) == 0
    resumed = sum(map(len, solved))
    total = POINTS if ranges is ROWS else POINTS + 2 * (POINTS // 128)
    assert resumed == total - before
    assert command(*words, str(whole)) == 0
    assert sum(map(len, solved)) == resumed + total
    assert identical(killed.with_suffix(".nc"), whole.with_suffix(".nc"))
    capsys.readouterr()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of POSIX")
def test_a_disk_that_is_full_ends_the_command_with_one_sentence(tmp_path):
    out = tmp_path / "full"
    code = (
        "import resource, sys\n"
        "from replica.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))\n"
        "main(sys.argv[1:])"
    )
    words = [*WORDS, *ROWS, "--out", str(out)]
    replica.load(MODEL).compile()  # the cache of the compiler is not what is tested
    run = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert run.stderr.startswith("Error: Cannot use the store ")
    assert run.stderr.count("\n") == 1
    assert 0 < stored_points(out.with_suffix(".sqlite")) < POINTS
    assert not out.with_suffix(".nc").exists()


def test_an_interrupted_scan_says_how_to_go_on(model, tmp_path, caplog):
    axes = {"h": [0.1, 0.2, 9.0], "beta": np.linspace(0.1, 1, 64)}
    store = tmp_path / "s.sqlite"
    ds = scan(model, axes, n_jobs=1, store=store, progress=False)
    assert status_counts(ds) == {"converged": 128, "cancelled": 64}
    assert f"goes on with what is kept in '{store}'" in caplog.text
    calls = len(model.system.calls)
    scan(model, axes, n_jobs=1, store=store, progress=False)
    assert len(model.system.calls) == calls + 1
    caplog.clear()
    scan(model, axes, n_jobs=1, progress=False)
    assert "give the scan a store" in caplog.text


def test_a_file_is_written_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("replica.scan.files._POINTS_AT_A_TIME", 7)
    model = replica.load("gaussian-mixture-square")
    axes = {"lam": [0.1, 1.0], "alpha": np.linspace(1, 2, 5), "rho": [0.3, 0.5, 0.6]}
    for options in (
        {"axes": axes},
        {"axes": axes, "warm_axis": "lam"},
        {"axes": axes, "warm_axis": "alpha", "direction": "both", "start": ["informed", None]},
        {"axes": {"alpha": np.linspace(1, 2, 200)}, "direction": "down"},
        {"axes": {"alpha": np.linspace(1, 2, 200)}, "warm_start": False, "retry": True},
    ):
        path = tmp_path / "new" / "scan.nc"
        opened = scan(model, out=path, progress=False, **options)
        held = scan(model, progress=False, **options)
        opened.close()
        whole = read(path)
        held.attrs["created"] = whole.attrs["created"] = ""
        xr.testing.assert_identical(held, whole)
        assert (tmp_path / "new" / "scan.sqlite").exists()
        assert [file.name for file in path.parent.glob("*.part")] == []


def test_opened_data_are_read_when_they_are_used(tmp_path):
    model = replica.load("gaussian-mixture-square")
    ds = model.scan(alpha=[1.0, 2.0, 3.0], out=tmp_path / "s.nc", progress=False)
    assert not ds["test_error"]._in_memory
    assert float(ds["test_error"][1]) == pytest.approx(model.solve(alpha=2.0)["test_error"])
    ds.close()
