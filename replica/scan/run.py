"""Solve a model on a grid: from one start or several, in one direction or both."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from replica.errors import ParameterError, ScanError
from replica.names import nearest
from replica.scan.assemble import to_dataset
from replica.scan.block import Block, columns
from replica.scan.branches import MOST_SWEEPS
from replica.scan.chains import Chains
from replica.scan.dataset import make_labels, variables
from replica.scan.engine import Engine
from replica.scan.files import open_scan, write
from replica.scan.grid import Grid, make_grid, parameter_name
from replica.scan.own_starts import try_own_starts
from replica.scan.pools import check_workers, make_pool
from replica.scan.provenance import fingerprint, request
from replica.scan.results import Results
from replica.scan.retry import retry as retry_failures
from replica.scan.store import Store
from replica.scan.sweep import Sweep, several_starts
from replica.solve import SolverSettings
from replica.solve.point import Start, start_vector

if TYPE_CHECKING:
    import xarray as xr

    from replica.compile.system import CompiledSystem
    from replica.model import FunctionalModel, Model

_log = logging.getLogger(__name__)
_DIRECTIONS: dict[str | None, tuple[str | None, ...]] = {
    None: (None,),
    "up": ("up",),
    "down": ("down",),
    "both": ("up", "down"),
}
_RANKED_BY = "free_entropy"


def scan(
    model: Model | FunctionalModel,
    axes: Mapping[str, ArrayLike],
    fixed: Mapping[str, float] | None = None,
    *,
    observables: Sequence[str] | None = None,
    settings: SolverSettings | None = None,
    n_jobs: int = -1,
    executor: Any = None,
    warm_axis: str | None = None,
    warm_start: bool = True,
    direction: str | None = None,
    start: Start | Sequence[Start] = None,
    retry: bool = False,
    store: str | Path | None = None,
    out: str | Path | None = None,
    progress: bool = True,
    backend: str | None = None,
    command: str | None = None,
) -> xr.Dataset:
    """Solve a model on a grid of parameters.

    Rows of the grid run along one axis and are solved one after the other, each point from the
    solution of its neighbour; different rows, and blocks of long ones, run in parallel. The result
    does not depend on how many workers there are.

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
        Number of workers; -1 means all cores that this process may use, -2 all but one. Workers are
        threads for the compiled solver, and processes for the NumPy back end.
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        Where to solve, instead of workers of the scan's own. Each worker compiles the equations for
        its own processor.
    warm_axis : str, optional
        The axis along which rows run (default: the last).
    warm_start : bool, default True
        Whether a point starts from the solution of its neighbour in the row. Where several
        solutions coexist this follows one of them. False starts every point like a single solve.
    direction : {"up", "down", "both"}, optional
        Whether rows run towards larger or smaller values (default: in the order of the axis).
    start : str, mapping or Solution, or a sequence of them, optional
        Start of the first point of each row (of every point without warm starts), as for a single
        solve: ``"uninformed"``, ``"informed"``, values of order parameters, or a solution.
        Several starts or both directions give several sweeps, and the data set a last dimension
        ``branch``: distinct solutions of a point, the largest free entropy first and saddles after
        all phases, with ``found_by`` saying which sweeps found them. Where warm sweeps have come
        together on one solution, their own starts are tried, too.
    retry : bool, default False
        Whether points that did not converge are tried again with more careful settings and from
        their neighbours; see `replica.scan.retry`.
    store : str or Path, optional
        An SQLite file to which every finished block is committed, and which is asked first: the
        same scan goes on where it was interrupted or killed, and another one takes from it what it
        has in common. Several scans may use the same file.
    out : str or Path, optional
        A netCDF file. The result is written there a piece at a time and opened instead of being
        held in memory; ``store`` is then the same name ending in ``.sqlite`` by default.
    progress : bool, default True
        Whether to show a progress bar (never in a log file or under continuous integration).
    backend : str, optional
        Back end of the compiler (default: the fastest that works here).
    command : str, optional
        What to note as the command that made the data (default: that of this process).

    Returns
    -------
    xarray.Dataset
        Order parameters, outputs, residual, certified errors and status on the grid, with
        attributes from which the scan can be repeated. After Ctrl-C the points not yet solved have
        the status "cancelled" and the attribute ``complete`` is 0.

    Raises
    ------
    ParameterError
        If an axis or a fixed value does not fit the model; nothing has been computed then.
    ScanError
        If an option is no such thing, or a file cannot be written; what was computed before is in
        the store.

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
    _check_direction(direction, warm_start)
    check_workers(executor, n_jobs)
    if out is not None and Path(out).suffix != ".nc":
        raise ScanError(f"Cannot write {str(out)!r}: the name must end in .nc.")
    system = model.compile(backend)
    kept = _kept_outputs(system.outputs, observables)
    sweeps = _sweeps(system, grid, along, start, warm_start, direction, settings)
    if len(sweeps) > 1 and _RANKED_BY not in system.outputs:
        raise ScanError(f"Model {model.name!r} has no {_RANKED_BY} to rank its branches by.")
    if out is not None and store is None:
        store = Path(out).with_suffix(".sqlite")
    layout = columns(system)
    opened = None if store is None else Store(store, fingerprint(model, system), layout.width)
    results = [Results(sweep, layout, opened if out is not None else None) for sweep in sweeps]
    pool = engine = None
    try:
        pool = make_pool(system, executor, n_jobs, grid.size * len(sweeps))
        engine = Engine(layout, pool, opened, progress, grid.size * len(sweeps))
        ranked_by = system.outputs.index(_RANKED_BY) if len(sweeps) > 1 else 0
        complete = _run(engine, results, retry, ranked_by)
        _log.info("%d points solved, %d from the store.", engine.solved, engine.found)
        names = [name for name, _, _ in _sweep_names(start, direction)]
        attributes = request(settings, names, retry, command)
        attributes["complete"] = int(complete)
        found = variables(system, kept, names if len(names) > 1 else (), retry)
        labels = make_labels(model, system, grid, along, found, attributes)
        if not complete:
            hint = (
                "give the scan a store to be able to go on another time"
                if opened is None
                else f"the same command or call goes on with what is kept in {str(opened.path)!r}"
            )
            _log.warning("Scan interrupted: %s.", hint)
        if out is None:
            return to_dataset(labels, results, ranked_by)
        write(labels, results, ranked_by, out)
        return open_scan(out)
    finally:
        for thing in (engine, pool, opened):
            if thing is not None:
                thing.close()


def _run(engine: Engine, results: Sequence[Results], retry: bool, ranked_by: int) -> bool:
    """Solve all sweeps; return False if the user interrupted."""
    chains = [Chains(result.sweep, result.columns, result) for result in results]

    def batches() -> Iterator[list[Block]]:
        for chain, result in zip(chains, results, strict=True):
            yield from result.sweep.batches(chain.parts)

    def done(block: Block, table: Any) -> list[Block]:
        return chains[block.tag[0]].done(block, table)

    complete = engine.run(batches(), done) and try_own_starts(engine, results, ranked_by)
    if retry:
        complete = complete and all(retry_failures(engine, result) for result in results)
    return complete


def _sweep_names(
    start: Start | Sequence[Start], direction: str | None
) -> list[tuple[str, Start, str | None]]:
    """Return name, start and direction of each sweep."""
    names: list[tuple[str, Start, str | None]] = []
    for number, one in enumerate(several_starts(start)):
        word = one if isinstance(one, str) else "default" if one is None else f"start {number}"
        names += [
            (word if way is None else f"{word} {way}", one, way) for way in _DIRECTIONS[direction]
        ]
    return names


def _sweeps(
    system: CompiledSystem,
    grid: Grid,
    along: str,
    start: Start | Sequence[Start],
    chain: bool,
    direction: str | None,
    settings: SolverSettings | None,
) -> list[Sweep]:
    names = _sweep_names(start, direction)
    if len(names) > MOST_SWEEPS:
        raise ScanError(
            f"A scan has at most {MOST_SWEEPS} sweeps (starts times directions), not {len(names)}; "
            "scan with some of the starts at a time."
        )
    sweeps = [
        Sweep(system, grid, along, one, chain, way, settings, number)
        for number, (_, one, way) in enumerate(names)
    ]
    # Names and values of the starts are checked once, before anything is solved.
    for sweep in sweeps:
        start_vector(system, sweep.start, sweep.points(np.array([0])))
    return sweeps


def _check_direction(direction: str | None, warm_start: bool) -> None:
    if direction not in _DIRECTIONS:
        raise ScanError(f"direction must be 'up', 'down' or 'both', not {direction!r}.")
    if direction is not None and not warm_start:
        raise ScanError(
            f"direction={direction!r} needs warm starts: without them a row has no direction."
        )


def _kept_outputs(outputs: Sequence[str], observables: Sequence[str] | None) -> tuple[str, ...]:
    if observables is None:
        return tuple(outputs)
    for name in observables:
        if name not in outputs:
            meant = nearest(name, outputs)
            hint = f"did you mean {meant}?" if meant else f"there are {', '.join(outputs)}."
            raise ScanError(f"There is no observable {name!r}; {hint}")
    return tuple(observables)
