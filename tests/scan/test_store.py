"""The store by itself, and what scans share through it."""

import logging
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import replica
from replica.errors import ScanError
from replica.scan import scan, status_counts
from replica.scan.store import Store

MODEL = "gaussian-mixture-square"
LAM, ALPHA = [0.01, 0.1, 1.0], np.linspace(0.5, 4, 20)


def same(first, second):
    """Whether two data sets are equal to the last bit."""
    first.attrs["created"] = second.attrs["created"] = ""
    xr.testing.assert_identical(first, second)
    return all(
        first[name].values.tobytes() == second[name].values.tobytes() for name in first.variables
    )


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "new" / "s.sqlite", {"model": "a"}, width=3) as opened:
        yield opened


def test_the_log_tells_of_a_folder_that_is_made(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="replica.scan.store")
    Store(tmp_path / "s.sqlite", {}, width=3).close()
    assert not caplog.records
    Store(tmp_path / "mistyped" / "s.sqlite", {}, width=3).close()
    (record,) = caplog.records
    assert record.getMessage() == f"the folder '{tmp_path}/mistyped' is made for the store"


def test_what_is_put_comes_back_bit_by_bit(store):
    table = np.array([[1 / 3, -0.0, np.nan], [5e-324, np.inf, 1e308]])
    store.put([(b"key", table, ())])
    assert store.blocks([b"key", b"other"])[b"key"].tobytes() == table.tobytes()
    assert store.blocks([b"other"]) == {}


def test_what_is_there_is_not_replaced(store):
    store.put([(b"key", np.zeros((1, 3)), ())])
    store.put([(b"key", np.ones((1, 3)), ())])
    np.testing.assert_array_equal(store.blocks([b"key"])[b"key"], np.zeros((1, 3)))


def test_points_are_found_by_themselves(store):
    table = np.arange(6.0).reshape(2, 3)
    store.put([(b"key", table, (b"first", b"second"))])
    found = store.points([b"second", b"third"])
    assert list(found) == [b"second"]
    np.testing.assert_array_equal(found[b"second"], table[1])


def test_many_keys_at_once(store):
    keys = [k.to_bytes(4, "big") for k in range(5000)]
    store.put([(key, np.full((1, 3), k), ()) for k, key in enumerate(keys)])
    found = store.blocks(keys)
    assert [found[key][0, 0] for key in keys] == list(range(5000))


def test_another_system_has_other_blocks(store):
    store.put([(b"key", np.zeros((1, 3)), ())])
    with Store(store.path, {"model": "b"}, width=3) as other:
        assert other.blocks([b"key"]) == {}
    with Store(store.path, {"model": "a"}, width=3) as again:
        assert list(again.blocks([b"key"])) == [b"key"]


def test_files_that_are_no_store(tmp_path):
    (tmp_path / "file").write_text("no folder, and no database" * 100)
    with pytest.raises(ScanError, match="Cannot use the store"):
        Store(tmp_path / "file" / "s.sqlite", {}, width=3)
    with pytest.raises(ScanError, match="not a database"):
        Store(tmp_path / "file", {}, width=3)
    with sqlite3.connect(tmp_path / "new.sqlite") as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(ScanError, match="another version"):
        Store(tmp_path / "new.sqlite", {}, width=3)


def test_a_full_disk_is_one_error_and_what_was_committed_stays(store):
    store.put([(b"small", np.zeros((10, 3)), ())])
    (pages,) = store._file.execute("PRAGMA page_count").fetchone()
    store._file.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(ScanError, match=r"disk is full\. The 10 points committed .* are kept"):
        store.put([(b"large", np.zeros((100_000, 3)), ())])
    assert list(store.blocks([b"small", b"large"])) == [b"small"]


def test_a_scan_that_cannot_write_ends_with_one_error(model, tmp_path, monkeypatch):
    prepare = Store._prepare

    def small(self):
        prepare(self)
        self._file.execute("PRAGMA max_page_count = 40")

    grid = {"beta": np.linspace(0.1, 2, 200), "h": np.linspace(0, 1, 100)}
    with monkeypatch.context() as patch:
        patch.setattr(Store, "_prepare", small)
        with pytest.raises(ScanError, match=r"Cannot use the store .* full"):
            scan(model, grid, store=tmp_path / "s.sqlite", progress=False)
    with sqlite3.connect(tmp_path / "s.sqlite") as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    file.close()
    (tmp_path / "file").write_text("no folder")
    calls = len(model.system.calls)
    with pytest.raises(ScanError, match="Cannot use the store"):
        scan(model, grid, store=tmp_path / "file" / "s.sqlite", progress=False)
    assert len(model.system.calls) == calls  # before any work


def test_the_same_scan_again_solves_nothing(tmp_path, solved):
    model = replica.load(MODEL)
    options = {"lam": LAM, "alpha": ALPHA, "store": tmp_path / "s.sqlite", "progress": False}
    first = model.scan(**options)
    count = sum(map(len, solved))
    assert count == 60
    again = model.scan(**options, observables=["test_error"])
    assert sum(map(len, solved)) == count
    assert same(first[["m", "test_error"]], again[["m", "test_error"]])
    assert same(first, model.scan(lam=LAM, alpha=ALPHA, progress=False))


def test_a_row_is_shared_where_the_way_to_it_is_the_same(tmp_path, solved):
    model = replica.load(MODEL)
    options = {"store": tmp_path / "s.sqlite", "progress": False}
    model.scan(lam=LAM, alpha=ALPHA, **options)
    solved.clear()
    model.scan(lam=[0.1, 0.5], alpha=ALPHA, **options)
    assert sum(map(len, solved)) == len(ALPHA)
    solved.clear()
    model.scan(lam=[0.1], alpha=ALPHA[::-1], **options)  # another way
    assert sum(map(len, solved)) == len(ALPHA)


def test_points_that_start_by_themselves_are_shared_one_by_one(tmp_path, solved):
    model = replica.load(MODEL)
    options = {"store": tmp_path / "s.sqlite", "progress": False, "warm_start": False}
    model.scan(lam=LAM, alpha=ALPHA, **options)
    solved.clear()
    more = np.sort([*ALPHA, 1.2345])
    mixed = model.scan(alpha=more, lam=[*LAM, 3.0], **options)
    todo = np.concatenate(solved)
    assert len(todo) == len(more) + len(LAM)
    assert same(mixed, model.scan(alpha=more, lam=[*LAM, 3.0], warm_start=False, progress=False))
    solved.clear()
    model.scan(alpha=more, lam=[*LAM, 3.0], **options)
    assert not solved


@pytest.mark.parametrize(
    "change",
    [
        {"settings": replica.SolverSettings(damping=0.6)},
        {"start": "informed"},
        {"start": {"m": 0.3}},
        {"backend": "numpy"},
        {"rho": 0.4},
    ],
    ids=str,
)
def test_what_changes_the_result_is_not_taken_from_the_store(tmp_path, solved, change):
    model = replica.load(MODEL)
    options = {"alpha": ALPHA[:5], "store": tmp_path / "s.sqlite", "progress": False}
    model.scan(**options)
    solved.clear()
    model.scan(**options, **change)
    assert sum(map(len, solved)) == 5


def test_two_processes_write_into_one_store(tmp_path, solved):
    """Two scans that overlap, at the same time; then a third one has everything."""
    model = replica.load(MODEL)
    code = (
        "import sys, numpy as np, replica\n"
        "model = replica.load(sys.argv[1])\n"
        "lam = np.geomspace(1e-3, 1, 150)[int(sys.argv[3]):][:100]\n"
        "model.scan(lam=lam, alpha=np.linspace(0.5, 4, 20), store=sys.argv[2], progress=False,"
        " n_jobs=1)"
    )
    path = str(tmp_path / "s.sqlite")
    writers = [
        subprocess.Popen([sys.executable, "-c", code, MODEL, path, first]) for first in ("0", "50")
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    file.close()
    lam = np.geomspace(1e-3, 1, 150)
    ds = model.scan(lam=lam, alpha=ALPHA, store=path, progress=False)
    assert not solved
    assert status_counts(ds) == {"converged": 3000}
    assert same(ds, model.scan(lam=lam, alpha=ALPHA, progress=False))
