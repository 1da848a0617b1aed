"""Where blocks are solved: threads, processes, or an executor of the caller's, such as Dask's."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from replica.errors import ScanError
from replica.scan.block import Block, solve_blocks, solve_blocks_elsewhere

if TYPE_CHECKING:
    from replica.compile.system import CompiledSystem

# Seconds of work in a task: small enough for a smooth progress bar and little lost work, large
# enough that handing out costs little beside solving.
_TASK_OF_THREADS, _TASK_ELSEWHERE = 0.01, 0.25
# Asking a cluster for its size takes some time, too.
_COUNT_WORKERS_EVERY = 2.0
# Starting a process costs about as much as so many points in Python.
_WORTH_PROCESSES = 500


class Pool(Protocol):
    """What the engine needs of a pool.

    Attributes
    ----------
    width : int
        Tasks that are handed out at a time.
    seconds : float
        What a task should take.
    """

    seconds: float

    @property
    def width(self) -> int:
        """Tasks that are handed out at a time."""

    def submit(self, blocks: Sequence[Block]) -> Future[Any]:
        """Start to solve blocks."""

    def cancel(self) -> None:
        """Give up what has not been finished, and return soon."""

    def close(self) -> None:
        """Give up what has not been finished, and free everything."""


class ThreadPool:
    """Threads, for the compiled solver, which releases Python's lock."""

    seconds = _TASK_OF_THREADS

    def __init__(self, system: CompiledSystem, workers: int) -> None:
        from threadpoolctl import threadpool_limits

        self.width = 2 * workers + 2
        self._system = system
        self._cancel = np.zeros(1, dtype=np.int32)
        self._limits = threadpool_limits(1)
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="replica-scan")

    def submit(self, blocks: Sequence[Block]) -> Future[Any]:
        """Start to solve blocks."""
        return self._executor.submit(solve_blocks, self._system, blocks, self._cancel)

    def cancel(self) -> None:
        """Give up what has not been finished."""
        # The compiled loop, which no signal reaches, looks at this flag.
        self._cancel[0] = 1
        self._executor.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        """Give up what has not been finished, and free everything."""
        self.cancel()
        self._limits.restore_original_limits()


class ExecutorPool:
    """Any executor; every worker compiles the system for itself.

    Parameters
    ----------
    system : CompiledSystem
    executor : concurrent.futures.Executor or dask.distributed.Client
    own : bool
        Whether its processes may be killed to be done with it.
    """

    seconds = _TASK_ELSEWHERE

    def __init__(self, system: CompiledSystem, executor: Any, own: bool = False) -> None:
        self._pickled = pickle.dumps(system)
        self._client = executor if hasattr(executor, "get_executor") else None
        # Dask moves the tasks of a worker that dies to others, by itself.
        self._executor: Executor = (
            executor if self._client is None else self._client.get_executor(pure=False)
        )
        self._own = own
        self._width, self._counted = 8, -np.inf
        self._futures: set[Future[Any]] = set()

    @property
    def width(self) -> int:
        """Tasks that are handed out at a time; a cluster may grow meanwhile."""
        if time.monotonic() > self._counted + _COUNT_WORKERS_EVERY:
            self._counted = time.monotonic()
            if self._client is not None:
                workers = sum(self._client.nthreads().values())
            else:
                workers = int(getattr(self._executor, "_max_workers", 16))
            self._width = max(8, 3 * workers)
        return self._width

    def submit(self, blocks: Sequence[Block]) -> Future[Any]:
        """Start to solve blocks."""
        bare = [block.bare() for block in blocks]
        future = self._executor.submit(solve_blocks_elsewhere, self._pickled, bare)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def cancel(self) -> None:
        """Give up what has not been finished."""
        for future in list(self._futures):
            future.cancel()
        if self._own:
            self._executor.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]

    def close(self) -> None:
        """Give up what has not been finished; an executor of the caller's stays open."""
        self.cancel()


def make_pool(system: CompiledSystem, executor: Any, n_jobs: int, points: int) -> Pool:
    """Return the pool of a scan.

    Parameters
    ----------
    system : CompiledSystem
        What is solved.
    executor : concurrent.futures.Executor, dask.distributed.Client or None
        Where, if the caller has a place.
    n_jobs : int
        Number of workers otherwise, as for `replica.scan.scan`.
    points : int
        Points of the scan.
    """
    if executor is not None:
        return ExecutorPool(system, executor)
    workers = check_workers(executor, n_jobs)
    if system.backend == "numpy" and workers > 1 and points >= _WORTH_PROCESSES:
        return ExecutorPool(system, _processes(workers), own=True)
    return ThreadPool(system, workers)


def _processes(workers: int) -> Executor:
    # Unlike those of the standard library, its processes need no `if __name__ == "__main__"`.
    from loky import ProcessPoolExecutor

    return ProcessPoolExecutor(workers, initializer=_ignore_interrupts)


def _ignore_interrupts() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the scan, which ends its workers


def check_workers(executor: Any, n_jobs: int) -> int:
    """Return the number of workers that ``n_jobs`` stands for.

    Raises
    ------
    ScanError
        If ``n_jobs`` or ``executor`` is no such thing.
    """
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ScanError(
            "executor must be a concurrent.futures.Executor or a dask.distributed.Client, not "
            f"{executor!r}."
        )
    if n_jobs == 0:
        raise ScanError("n_jobs must be a number of workers, or -1 for all cores, and not 0.")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, n_jobs if n_jobs > 0 else (cores or 1) + 1 + n_jobs)


def connect(scheduler: str) -> Any:
    """Return a client of a running Dask cluster.

    Parameters
    ----------
    scheduler : str
        Address of its scheduler (``tcp://host:8786``), or the file that describes it (``.json``).

    Raises
    ------
    ScanError
        If Dask is not installed, or the scheduler does not answer.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ScanError(
            "A Dask cluster needs distributed: pip install 'replica-theory[cluster]'."
        ) from None
    try:
        if scheduler.endswith(".json"):
            return Client(scheduler_file=scheduler)
        return Client(scheduler)
    except (OSError, ValueError) as error:
        raise ScanError(f"No Dask scheduler answers at {scheduler!r}: {error}.") from error
