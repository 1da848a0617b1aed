"""Solve a model on a grid, a row at a time, on all cores."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from replica.errors import ParameterError, ScanError
from replica.scan.dataset import to_dataset
from replica.scan.grid import make_grid, parameter_name
from replica.solve import Solution, SolverSettings, Status
from replica.solve.point import Start, start_vector

if TYPE_CHECKING:
    import xarray as xr

    from replica.compile.system import CompiledSystem
    from replica.model import FunctionalModel, Model

Array = NDArray[np.float64]
_log = logging.getLogger(__name__)

_CANCELLED = list(Status).index(Status.CANCELLED)

# Rows are handed to the threads in bundles of about so many points: small enough for a smooth
# progress bar, large enough that handing out costs nothing beside solving.
_POINTS_IN_A_BUNDLE = 64


@dataclass(frozen=True)
class GridResult:
    """What the solver returned for each point, in arrays of shape (rows, points in a row, ...).

    The fields are those of a ``BlockResult``; points that were not reached have the status of a
    cancelled solve, and NaN elsewhere.
    """

    x: Array
    out: Array
    residual: Array
    error: Array
    out_error: Array
    status: NDArray[np.int_]
    evaluations: NDArray[np.int_]
    stability: Array

    @classmethod
    def empty(cls, rows: int, length: int, unknowns: int, outputs: int) -> GridResult:
        """Return the result of a scan that has not begun."""

        def blank(*last: int) -> Array:
            return np.full((rows, length, *last), np.nan)

        return cls(
            x=blank(unknowns),
            out=blank(outputs),
            residual=blank(),
            error=blank(unknowns),
            out_error=blank(outputs),
            status=np.full((rows, length), _CANCELLED),
            evaluations=np.zeros((rows, length), dtype=int),
            stability=blank(),
        )

    def store(self, row: int, block: Any) -> None:
        """Copy the ``BlockResult`` of one row into its place."""
        for name in self.__dataclass_fields__:
            if name != "status":
                getattr(self, name)[row] = getattr(block, name)
        # Last, so that a row with a status is complete.
        self.status[row] = block.status


def scan(
    model: Model | FunctionalModel,
    axes: Mapping[str, ArrayLike],
    fixed: Mapping[str, float] | None = None,
    *,
    observables: Sequence[str] | None = None,
    settings: SolverSettings | None = None,
    n_jobs: int = -1,
    warm_axis: str | None = None,
    warm_start: bool = True,
    progress: bool = True,
    start: Start = None,
    backend: str | None = None,
) -> xr.Dataset:
    """Solve a model on a grid of parameters.

    Rows of the grid run along one axis and are solved one after the other, each point from the
    solution of its neighbour; different rows run in parallel threads, for which the compiled
    solver releases Python's lock.

    Parameters
    ----------
    model : Model or FunctionalModel
        The model to solve.
    axes : mapping of str to array_like
        Values along each axis of the grid, by parameter name; their order is that of the
        dimensions of the result.
    fixed : mapping of str to float, optional
        Values of other parameters; those not named keep their default.
    observables : sequence of str, optional
        The outputs to keep beside the order parameters (default: all).
    settings : SolverSettings, optional
        Settings of the solver.
    n_jobs : int, default -1
        Number of threads; -1 means all cores that this process may use, -2 all but one.
    warm_axis : str, optional
        The axis along which rows run (default: the last).
    warm_start : bool, default True
        Whether a point starts from the solution of its neighbour in the row. Where several
        solutions coexist this follows one of them: scan the axis in both directions to see
        hysteresis, or switch it off to start every point like a single solve.
    progress : bool, default True
        Whether to show a progress bar (never in a log file or under continuous integration).
    start : str, mapping or Solution, optional
        Start of the first point of each row (of every point without warm starts), as for a single
        solve: ``"uninformed"``, ``"informed"``, values of order parameters, or a solution.
    backend : str, optional
        Back end of the compiler (default: the fastest that works here).

    Returns
    -------
    xarray.Dataset
        Order parameters, outputs, residual, certified errors and status on the grid, with
        attributes from which the scan can be repeated. After Ctrl-C the rows not yet solved have
        the status "not computed" and the attribute ``complete`` is 0.

    Raises
    ------
    ParameterError
        If an axis or a fixed value does not fit the model; nothing has been computed then.
    ScanError
        If an observable is unknown or ``n_jobs`` is not a number of threads.

    Examples
    --------
    >>> import replica
    >>> model = replica.load("gaussian-mixture-square")
    >>> ds = replica.scan.scan(model, {"alpha": [0.5, 2.0]}, {"lam": 0.1}, progress=False)
    >>> ds.sizes["alpha"]
    2
    """
    grid = make_grid(model, axes, fixed or {})
    along = list(grid.axes)[-1] if warm_axis is None else parameter_name(model, warm_axis)
    if along not in grid.axes:
        raise ParameterError(f"The warm-start axis {along!r} is not an axis of this scan.")
    workers = _workers(n_jobs)
    system = model.compile(backend)
    kept = _kept_outputs(system.outputs, observables)
    points = grid.rows(along, system.parameters)
    rows, length, _ = points.shape
    result = GridResult.empty(rows, length, len(system.unknowns), len(system.outputs))
    # Names and values of the start are checked once, before any row is solved.
    start_vector(system, start, points[0, :1])
    cancel = np.zeros(1, dtype=np.int32)

    def solve_row(row: int) -> None:
        starts = _starts(system, start, points[row])
        block = system.solve_block(points[row], starts, settings, chain=warm_start, cancel=cancel)
        result.store(row, block)

    complete = _run_rows(solve_row, rows, length, workers, progress, cancel)
    if not complete:
        _log.warning("Scan interrupted: the rows that were not reached have no values.")
    return to_dataset(model, system, grid, along, result, kept, settings, complete)


def _run_rows(
    solve_row: Callable[[int], None],
    rows: int,
    length: int,
    workers: int,
    progress: bool,
    cancel: NDArray[np.int32],
) -> bool:
    """Run all rows in threads; return False if the user interrupted."""
    size = max(1, _POINTS_IN_A_BUNDLE // length)
    bundles = [range(first, min(first + size, rows)) for first in range(0, rows, size)]

    def solve_bundle(bundle: range) -> int:
        for row in bundle:
            solve_row(row)
        return len(bundle) * length

    executor = ThreadPoolExecutor(workers, thread_name_prefix="replica-scan")
    try:
        futures = [executor.submit(solve_bundle, bundle) for bundle in bundles]
        for future in _with_bar(futures, rows * length, progress):
            future.result()
    except KeyboardInterrupt:
        return False
    finally:
        # The compiled loop, which no signal reaches, looks at this flag.
        cancel[0] = 1
        executor.shutdown(wait=True, cancel_futures=True)
    return True


def _with_bar(futures: list[Future[int]], total: int, progress: bool) -> Iterator[Future[int]]:
    from tqdm.auto import tqdm

    with tqdm(total=total, unit="point", disable=_bar_disabled(progress)) as bar:
        for future in as_completed(futures):
            yield future
            bar.update(future.result())


def _bar_disabled(progress: bool) -> bool | None:
    """Return what tqdm takes: None leaves it to whether the output is a terminal."""
    if not progress or os.environ.get("CI"):
        return True
    # A notebook is no terminal, and yet shows a bar.
    return False if "ipykernel" in sys.modules else None


def _workers(n_jobs: int) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    count = n_jobs if n_jobs > 0 else (cores or 1) + 1 + n_jobs
    if n_jobs == 0:
        raise ScanError("n_jobs must be a number of threads, or -1 for all cores, and not 0.")
    return max(1, count)


def _kept_outputs(outputs: Sequence[str], observables: Sequence[str] | None) -> tuple[str, ...]:
    if observables is None:
        return tuple(outputs)
    for name in observables:
        if name not in outputs:
            raise ScanError(f"There is no observable {name!r}; there are {', '.join(outputs)}.")
    return tuple(observables)


def _starts(system: CompiledSystem, start: Start, points: Array) -> Array:
    """Return the initial values of a row of points."""
    if start is None or isinstance(start, str):
        return system.starts(points, start)
    given = start.order_parameters if isinstance(start, Solution) else start
    starts = system.starts(points)
    for name, value in given.items():
        starts[:, system.unknowns.index(name)] = value
    return starts
