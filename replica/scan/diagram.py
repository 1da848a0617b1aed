"""Phase diagrams over two parameters whose points are spent where phases meet."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.compile.system import CompiledSystem
from replica.errors import ParameterError, ScanError
from replica.scan.block import CANCELLED, Block, columns
from replica.scan.dataset import latex_name, parameter_attributes, status_flags
from replica.scan.engine import Engine
from replica.scan.grid import make_grid, parameter_name
from replica.scan.missed import better, points_to_check, symmetric_starts
from replica.scan.phases import Condition, Quantities, classify, make_test
from replica.scan.pools import make_pool
from replica.scan.provenance import fingerprint, provenance, request
from replica.scan.quadtree import Labels, Points, refine
from replica.scan.store import Store
from replica.scan.sweep import several_starts, start_vectors
from replica.solve import SolverSettings
from replica.solve.enter import interval
from replica.solve.point import Start, start_vector

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from replica.model import FunctionalModel, Model

Array = NDArray[np.float64]
_log = logging.getLogger(__name__)
#: Label of points at which no start led to a certified solution.
UNSOLVED = "unsolved"
_OTHER = "other"
_POINTS_IN_A_BLOCK = 32
_MOST_PHASES = 100


def phase_diagram(
    model: Model | FunctionalModel,
    phases: Mapping[str, Condition],
    over: Mapping[str, Sequence[float]],
    fixed: Mapping[str, float] | None = None,
    *,
    resolution: int = 256,
    cells: int = 16,
    log: Sequence[str] = (),
    start: Start | Sequence[Start] = ("uninformed", "informed"),
    settings: SolverSettings | None = None,
    n_jobs: int = -1,
    executor: Any = None,
    store: str | Path | None = None,
    progress: bool = True,
    backend: str | None = None,
) -> xr.Dataset:
    """Draw a phase diagram over two parameters with few solves.

    A coarse grid is refined where neighbouring points are in different phases, down to the given
    resolution: the boundaries are as sharp as on a uniform grid of that resolution.

    Parameters
    ----------
    model : Model or FunctionalModel
    phases : mapping of str to condition
        The phases by name; the first whose condition holds is that of the point. A condition is a
        SymPy expression (``m > 0.5``, ``sp.Symbol("replicon") < 0``), a function of a mapping of
        names to arrays, or True. Its quantities are parameters, order parameters and outputs of
        the stable solution with the largest free entropy, and those of the solution of one start,
        by its name (``m_informed``). Points where none holds are in the phase "other".
    over : mapping of str to (low, high)
        The two parameters and their intervals.
    fixed : mapping of str to float, optional
        Values of other parameters; those not named keep their default.
    resolution : int
        Cells along each side of the finest grid, rounded up to ``cells`` times a power of two.
    cells : int
        Cells along each side at first. A phase that lies between their corners and touches no
        boundary that was found is not seen.
    log : sequence of str
        Parameters on a logarithmic scale.
    start : str, mapping, or sequence of them
        Every point is solved from each of these starts, never from a neighbour, so that the result
        does not depend on a path. Mappings are called ``start_0``, ``start_1``, ...
    settings, n_jobs, executor, store, progress, backend
        As for `scan`.

    Returns
    -------
    xarray.Dataset
        On the finest grid: ``phase`` (everywhere), ``evaluated`` (where the equations were
        solved), and there the quantities that conditions may use, and ``status``: converged where
        a stable solution is certified. The attribute ``solves`` counts solved points and starts;
        ``absent`` names phases without any point, to which perhaps no start leads; ``missed`` is
        the number of points, of some that are checked, at which a symmetric phase is better.

    Raises
    ------
    ParameterError, ScanError
        If the question is not well posed; nothing has been computed then.
    """
    names = [parameter_name(model, name) for name in over]
    if len(set(names)) != 2:
        raise ParameterError(f"A phase diagram is over two parameters, not {len(set(names))}.")
    _check_names(list(phases))
    for what, value in (("resolution", resolution), ("cells", cells)):
        if not isinstance(value, int) or value < 1:
            raise ScanError(f"{what} must be a positive integer, not {value!r}.")
    levels = max(0, math.ceil(math.log2(resolution / cells)))
    logarithmic = {parameter_name(model, name) for name in log}
    sides = cells * 2**levels + 1
    axes = {
        name: _axis(name, ends, sides, name in logarithmic)
        for name, ends in zip(names, over.values(), strict=True)
    }
    grid = make_grid(model, axes, fixed or {})
    system = model.compile(backend)
    starts = _named_starts(start)
    first = _params(grid.fixed, axes, system, np.zeros((1, 2), dtype=np.intp))
    for one in starts.values():  # names and values are checked before anything is solved
        start_vector(system, one, first)
    if "free_entropy" not in system.outputs:
        raise ScanError(
            f"Model {model.name!r} has no free_entropy that tells which phase counts; a scan gives "
            "its solution on a grid."
        )
    quantities = Quantities(system, tuple(starts))
    conditions = [
        make_test(name, condition, quantities.names, model) for name, condition in phases.items()
    ]
    layout = columns(system)
    opened = None if store is None else Store(store, fingerprint(model, system), layout.width)
    values = {name: np.full((sides, sides), np.nan) for name in quantities.names}
    status = np.full((sides, sides), CANCELLED, dtype=np.int8)
    pool = engine = None
    try:
        pool = make_pool(system, executor, n_jobs, sides * len(starts))
        engine = Engine(layout, pool, opened, progress, 0)
        running = engine

        def evaluate(points: Points) -> Labels:
            params = _params(grid.fixed, axes, system, points)
            vectors = [start_vectors(system, one, params) for one in starts.values()]
            tables = _solve(running, params, vectors, settings)
            found, state = quantities.of(params, tables, layout)
            for name, kept in values.items():
                kept[points[:, 0], points[:, 1]] = found[name]
            status[points[:, 0], points[:, 1]] = state
            return classify(conditions, found, state)

        labels, evaluated = refine(evaluate, (cells, cells), levels)
        solves = engine.solved + engine.found
        some = points_to_check(labels, evaluated)
        params = _params(grid.fixed, axes, system, some)
        symmetric = []
        if isinstance(system, CompiledSystem):
            symmetric = symmetric_starts(system, params, settings)
        tables = _solve(running, params, symmetric, settings)
        known = values["free_entropy"][some[:, 0], some[:, 1]]
        missed = better(tables, layout, system.outputs.index("free_entropy"), known)
    finally:
        for thing in (engine, pool, opened):
            if thing is not None:
                thing.close()
    words = [*phases, _OTHER, UNSOLVED]
    absent = [name for number, name in enumerate(phases) if not np.any(labels == number)]
    if absent:
        _log.warning(
            "model %s: no start leads to %s anywhere; give more of them, as values of order "
            "parameters, if there is such a phase (start=[%s, {...}]).",
            model.name, ", ".join(map(repr, absent)), ", ".join(map(repr, starts)),
        )  # fmt: skip
    if np.any(missed):
        at = zip(system.parameters, params[np.argmax(missed)], strict=True)
        _log.warning(
            "model %s: at %d of %d points that were checked no start leads to a symmetric phase of "
            "larger free entropy (such as %s); give one more start, in which order parameters are "
            "zero.",
            model.name, np.count_nonzero(missed), len(missed),
            ", ".join(f"{name} = {value:g}" for name, value in at),
        )  # fmt: skip
    attributes = {
        "absent": ", ".join(absent),
        "missed": int(np.count_nonzero(missed)),
        **request(settings, tuple(starts), False, None),
        "solves": solves,
        "conditions": json.dumps({name: str(value) for name, value in phases.items()}),
    }
    return _dataset(model, system, grid, values, (status, labels, evaluated), words, attributes)


def boundaries(ds: xr.Dataset) -> pd.DataFrame:
    """Return where phases of a diagram meet: a row for each pair of neighbours that differ.

    Parameters
    ----------
    ds : xarray.Dataset
        The result of `phase_diagram`.

    Returns
    -------
    pandas.DataFrame
        Columns: the two parameters, at the middle of the pair; ``uncertainty``, half of what the
        pair is apart in the parameter in which it differs, named in ``across``; the two phases.
    """
    import pandas as pd

    x, y = map(str, ds["phase"].dims)
    words = str(ds["phase"].attrs["flag_meanings"]).split()
    labels = ds["phase"].values
    rows = []
    for axis, name in enumerate((x, y)):
        first = labels[:-1] if axis == 0 else labels[:, :-1]
        second = labels[1:] if axis == 0 else labels[:, 1:]
        i, j = np.nonzero(first != second)
        step = (1, 0) if axis == 0 else (0, 1)
        ends = [
            (ds[x].values[i + a * step[0]], ds[y].values[j + a * step[1]]) for a in (0, 1)
        ]  # fmt: skip
        low, high = ends[0][axis], ends[1][axis]
        rows.append(
            pd.DataFrame({
                x: (ends[0][0] + ends[1][0]) / 2,
                y: (ends[0][1] + ends[1][1]) / 2,
                "across": name,
                "uncertainty": np.abs(high - low) / 2,
                "phase": [words[k].replace("_", " ") for k in first[i, j]],
                "other_phase": [words[k].replace("_", " ") for k in second[i, j]],
            })
        )  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise ScanError("A phase diagram needs at least one phase: a name and its condition.")
    if len(names) > _MOST_PHASES:
        raise ScanError(f"A phase diagram has at most {_MOST_PHASES} phases, not {len(names)}.")
    for name in names:
        if not isinstance(name, str) or "_" in name or name.split() != name.split(" "):
            raise ScanError(f"phase {name!r}: expected words joined by single spaces.")
        if name in (_OTHER, UNSOLVED):
            raise ScanError(f"phase {name!r}: this name is taken; choose another one.")


def _axis(name: str, ends: Sequence[float], count: int, logarithmic: bool) -> Array:
    low, high = interval(name, ends, "interval")
    if logarithmic and low <= 0:
        raise ParameterError(f"interval of {name}: a logarithmic scale needs a positive interval.")
    return np.geomspace(low, high, count) if logarithmic else np.linspace(low, high, count)


def _named_starts(start: Start | Sequence[Start]) -> dict[str, Start]:
    return {
        one if isinstance(one, str) else f"start_{number}": one
        for number, one in enumerate(several_starts(start))
    }


def _params(
    fixed: Mapping[str, float], axes: Mapping[str, Array], system: CompiledSystem, points: Points
) -> Array:
    """Return the parameters of lattice points, one row a point."""
    at = {name: line[points[:, k]] for k, (name, line) in enumerate(axes.items())}
    columns = [at[n] if n in at else np.full(len(points), fixed[n]) for n in system.parameters]
    return np.stack(columns, axis=1)


def _solve(
    engine: Engine, params: Array, starts: Sequence[Array], settings: SolverSettings | None
) -> list[Array]:
    """Solve points from all starts; return a table for each start."""
    blocks, cuts = [], range(0, len(params), _POINTS_IN_A_BLOCK)
    tables: dict[tuple[int, int], Array] = {}
    engine.extend(len(params) * len(starts))
    for number, vectors in enumerate(starts):
        blocks += [
            Block(
                params[a : a + _POINTS_IN_A_BLOCK], vectors[a : a + _POINTS_IN_A_BLOCK], False,
                settings=settings, tag=(number, a),
            )
            for a in cuts
        ]  # fmt: skip

    def done(block: Block, table: Array) -> list[Block]:
        tables[block.tag] = table
        return []

    if not engine.run([blocks], done):
        raise KeyboardInterrupt
    return [np.concatenate([tables[k, a] for a in cuts]) for k in range(len(starts))]


def _dataset(
    model: Model | FunctionalModel,
    system: CompiledSystem,
    grid: Any,
    values: Mapping[str, Array],
    maps: tuple[NDArray[Any], Labels, NDArray[np.bool_]],
    words: Sequence[str],
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    import xarray as xr

    dims = tuple(grid.axes)
    status, labels, evaluated = maps
    flags = {
        "long_name": "phase",
        "flag_values": np.arange(len(words), dtype=np.int8),
        "flag_meanings": " ".join(word.replace(" ", "_") for word in words),
    }
    data: dict[str, Any] = {
        "phase": (dims, labels, flags),
        "evaluated": (dims, evaluated, {"long_name": "where the equations were solved"}),
        "status": (dims, status, status_flags(False)),
    }
    data |= {
        name: (dims, column, {"long_name": name.replace("_", " "), "latex": latex_name(name)})
        for name, column in values.items()
    }
    coordinates = {
        name: (name, line, parameter_attributes(model, name)) for name, line in grid.axes.items()
    }
    return xr.Dataset(data, coordinates, provenance(model, system, grid, attributes))
