"""The same scan in threads, in processes, and on a cluster."""

import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr
from loky import ProcessPoolExecutor as LokyExecutor

import replica
from replica.errors import ScanError
from replica.scan import pools, scan, status_counts
from replica.scan.results import Results

MODEL = "gaussian-mixture-square"
AXES = {"lam": np.geomspace(0.01, 1, 12), "alpha": np.linspace(0.5, 4, 300)}


@pytest.fixture(scope="module")
def expected():
    return scan(replica.load(MODEL), AXES, progress=False, n_jobs=1)


def assert_same(first, second):
    first, second = first.copy(), second.copy()
    first.attrs["created"] = second.attrs["created"] = ""
    xr.testing.assert_identical(first, second)


def test_an_executor_of_the_standard_library(expected):
    with ThreadPoolExecutor(2) as executor:
        assert_same(scan(replica.load(MODEL), AXES, executor=executor, progress=False), expected)
        assert executor.submit(int, "1").result() == 1  # it is the caller's, and stays open


def test_other_processes(expected, solved, tmp_path):
    with LokyExecutor(2) as executor:
        options = {"store": tmp_path / "s.sqlite", "progress": False}
        ds = scan(replica.load(MODEL), AXES, executor=executor, **options)
    assert not solved  # nothing in this process
    assert_same(ds, expected)
    assert_same(scan(replica.load(MODEL), AXES, **options), expected)
    assert not solved


def test_a_model_of_the_user_goes_to_other_processes(solved, tmp_path):
    """Processes that do not know the file in which it is declared."""
    path = tmp_path / "glass.py"
    path.write_text(
        "import sympy as sp\n"
        "from replica import Model, Parameter, Rademacher, Thermal, beta, q\n"
        "T = Parameter('T', 1.5, (0, 10), 'temperature', open='lower')\n"
        "s = sp.Symbol('s', real=True)\n"
        "glass = Model(name='my-glass', thermal=Thermal(s, Rademacher()),\n"
        "              pair=beta**2 * q**2 / 4, temperature=T)\n"
    )
    model, axes = replica.load(str(path)), {"T": np.linspace(1.5, 0.5, 20)}
    with LokyExecutor(1) as executor:
        there = scan(model, axes, executor=executor, progress=False)
    assert not solved
    assert_same(there, scan(model, axes, progress=False))


def test_the_numpy_back_end_runs_in_processes(solved, monkeypatch):
    model = replica.load("sherrington-kirkpatrick")
    axes = {"h": [0.3, 0.5], "T": np.linspace(2, 0.8, 20)}
    here = scan(model, axes, backend="numpy", n_jobs=2, progress=False)
    assert sum(map(len, solved)) == 40  # too few to start processes for
    solved.clear()
    monkeypatch.setattr(pools, "_WORTH_PROCESSES", 1)
    there = scan(model, axes, backend="numpy", n_jobs=2, progress=False)
    assert not solved
    assert_same(here, there)
    scan(model, axes, backend="numpy", n_jobs=1, progress=False)
    assert sum(map(len, solved)) == 40


def test_workers_that_die_end_the_scan_with_one_error(monkeypatch, tmp_path, expected):
    # That of the standard library may hang when a worker dies while it reads (CPython issue 94777).
    with LokyExecutor(1) as executor:
        process = executor.submit(os.getpid).result()
        accept = Results.accept

        def accept_and_kill(self, number, entry):
            accept(self, number, entry)
            os.kill(process, signal.SIGKILL)

        options = {"store": tmp_path / "s.sqlite", "progress": False}
        with monkeypatch.context() as patch:
            patch.setattr(Results, "accept", accept_and_kill)
            with pytest.raises(ScanError, match="workers of the scan have died"):
                scan(replica.load(MODEL), AXES, executor=executor, **options)
    assert_same(scan(replica.load(MODEL), AXES, **options), expected)


def test_ctrl_c_leaves_an_executor_of_the_caller_alone(model):
    """Tasks that have not begun are given up; the others are not waited for."""
    given = []

    class Slow:
        def submit(self, *arguments):
            future = Future()
            given.append(future)
            if len(given) == 3:
                future.set_running_or_notify_cancel()
                future.set_exception(KeyboardInterrupt())
            return future

    grid = {"h": np.linspace(0, 1, 64), "beta": np.linspace(0.1, 1, 64)}
    ds = scan(model, grid, executor=Slow(), progress=False)
    assert status_counts(ds) == {"cancelled": 64 * 64}
    assert all(future.cancelled() for k, future in enumerate(given) if k != 2)


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0",
            silence_logs=50,
        ) as workers,
        distributed.Client(workers) as client,
    ):  # fmt: skip
        yield client


@pytest.mark.slow
def test_a_dask_cluster_of_which_a_worker_is_killed(cluster, expected, solved, monkeypatch):
    """Its tasks go to the other one, and the result is that of one thread, bit by bit."""
    processes = cluster.run(os.getpid)
    killed = []
    accept = Results.accept

    def accept_and_kill(self, number, entry):
        accept(self, number, entry)
        if not killed:
            killed.append(next(iter(processes.values())))
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(Results, "accept", accept_and_kill)
    # Tasks of a few points, so that the worker dies in the middle of one.
    monkeypatch.setattr(pools.ExecutorPool, "seconds", 0.0)
    ds = scan(replica.load(MODEL), AXES, executor=cluster, progress=False)
    assert killed
    assert not solved
    assert_same(ds, expected)
    assert cluster.submit(int, "1").result() == 1  # the client is the caller's, and stays open


@pytest.mark.slow
def test_the_command_takes_the_address_of_a_scheduler(cluster, tmp_path, capsys, monkeypatch):
    from replica.cli import main

    monkeypatch.setattr("logging.basicConfig", lambda **_: None)  # the cluster logs, too
    words = ["scan", MODEL, "alpha=0.5:4:20", "--quiet", "--out", str(tmp_path / "s")]
    with pytest.raises(SystemExit) as caught:
        main([*words, "--scheduler", cluster.scheduler.address])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("20 points, all converged")


def test_a_scheduler_that_is_not_there(monkeypatch):
    distributed = pytest.importorskip("distributed")

    def absent(*_, **__):
        raise OSError("timed out")

    monkeypatch.setattr(distributed, "Client", absent)
    with pytest.raises(ScanError, match="No Dask scheduler answers at 'tcp://nowhere:1'"):
        pools.connect("tcp://nowhere:1")
