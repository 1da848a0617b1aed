"""The result of a scan as a labelled, traceable data set."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import replica
from replica.scan.block import Columns
from replica.scan.branches import NO_BRANCH, merge_branches
from replica.scan.results import Results
from replica.solve import SolverSettings, Status

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from replica.compile.system import CompiledSystem
    from replica.model import FunctionalModel, Model
    from replica.scan.grid import Grid

Array = NDArray[np.float64]

# Variables that say how a point was solved, beside those that say what was found.
DIAGNOSTICS = (
    "status", "residual", "error", "stability", "evaluations", "found_by", "retry",
)  # fmt: skip
BRANCH = "branch"
_NO_BRANCH_WORD = "no branch"


@dataclass(frozen=True)
class Variable:
    """One variable of the data set: what it is called, and which column it comes from."""

    name: str
    column: int | None
    attributes: dict[str, Any]
    dtype: type[np.generic] = np.float64


@dataclass(frozen=True)
class Labels:
    """Everything that a scan's data set says beside its numbers.

    Attributes
    ----------
    dims : tuple of str
        Dimensions in the order in which points are numbered: the row comes last.
    axes : mapping of str to ndarray
        Values along the dimensions, in their final order.
    parameters : mapping of str to dict
        Attributes of the coordinates.
    variables : tuple of Variable
    attributes : dict
        Provenance.
    """

    dims: tuple[str, ...]
    axes: Mapping[str, Array]
    parameters: Mapping[str, dict[str, str]]
    variables: tuple[Variable, ...]
    attributes: dict[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Points along each of the dimensions ``dims``."""
        return tuple(len(self.axes[name]) for name in self.dims)


def variables(
    system: CompiledSystem, kept: Sequence[str], sweeps: Sequence[str], retried: bool
) -> tuple[Variable, ...]:
    """Return the variables of a scan.

    Parameters
    ----------
    system : CompiledSystem
        What was solved.
    kept : sequence of str
        The outputs to keep.
    sweeps : sequence of str
        What the sweeps are called, where there are several.
    retried : bool
        Whether failed points were tried again.
    """
    columns = Columns(len(system.unknowns), len(system.outputs))
    found: list[Variable] = []
    for names, values, errors in (
        (system.unknowns, columns.x, columns.error),
        (system.outputs, columns.out, columns.out_error),
    ):
        for i, name in enumerate(names):
            if name not in kept and names is not system.unknowns:
                continue
            word, uncertainty = name.replace("_", " "), f"{name}_uncertainty"
            labels = {"long_name": word, "latex": latex_name(name)}
            found += [
                Variable(name, values.start + i, {"ancillary_variables": uncertainty, **labels}),
                Variable(
                    uncertainty, errors.start + i, {"long_name": f"certified error of {word}"}
                ),
            ]
    for name, column, dtype, words in (
        ("status", columns.status, np.int8, "how the solver ended"),
        ("residual", columns.residual, np.float64, "residual of the undamped map"),
        ("error", None, np.float64, "largest certified error of the order parameters"),
        (
            "stability", columns.stability, np.float64,
            "largest real part of the eigenvalues of the damped flow",
        ),
        ("evaluations", columns.evaluations, np.int32, "evaluations of the map"),
    ):  # fmt: skip
        attributes = _flags(bool(sweeps)) if name == "status" else {"long_name": words}
        found.append(Variable(name, column, attributes, dtype))
    if sweeps:
        masks = 1 << np.arange(len(sweeps), dtype=np.int32)
        words = " ".join(sweep.replace(" ", "_") for sweep in sweeps)
        attributes = {
            "long_name": "sweeps that found the branch", "flag_masks": masks, "flag_meanings": words
        }  # fmt: skip
        found.append(Variable("found_by", None, attributes, np.int32))
    if retried:
        attributes = {"long_name": "rung of the retry ladder, 0 where it was not needed"}
        found.append(Variable("retry", None, attributes, np.int8))
    return tuple(found)


@dataclass(frozen=True)
class Merged:
    """Tables of some points, of shape (branches, points, ...)."""

    tables: Array
    found_by: NDArray[np.int32]
    rungs: NDArray[np.int8]

    @property
    def branches(self) -> int:
        """Most branches that one of the points has."""
        present = (self.found_by > 0).any(axis=1)
        return int(np.flatnonzero(present)[-1]) + 1 if present.any() else 1


def merged(results: Sequence[Results], indices: NDArray[np.intp], free_entropy: int) -> Merged:
    """Return the results of some points, where there are several sweeps as ranked branches."""
    tables = np.stack([result.table(indices) for result in results])
    rungs = np.stack([result.rung[indices] for result in results])
    if len(results) == 1:
        return Merged(tables, np.ones(tables.shape[:2], np.int32), rungs)
    first = results[0]
    tables, found_by, rank = merge_branches(
        tables, first.columns, free_entropy, first.sweep.settings
    )
    return Merged(tables, found_by, np.take_along_axis(rungs, rank, axis=0))


def values(variable: Variable, points: Merged, columns: Columns, branches: int) -> NDArray[Any]:
    """Return the values of one variable at some points, of shape (branches, points)."""
    if variable.name == "found_by":
        data: NDArray[Any] = points.found_by
    elif variable.name == "retry":
        data = points.rungs
    elif variable.column is None:
        data = points.tables[..., columns.error].max(axis=-1)
    else:
        data = points.tables[..., variable.column]
    return data[:branches].astype(variable.dtype)


def slabs(shape: Sequence[int], most: int) -> Iterator[tuple[slice, ...]]:
    """Cut an array into pieces of at most ``most`` elements, in the order of its elements."""
    depth = next(d for d in range(len(shape)) if np.prod(shape[d + 1 :]) <= most)
    step = max(1, most // int(np.prod(shape[depth + 1 :])))
    for outer in np.ndindex(*shape[:depth]):
        for first in range(0, shape[depth], step):
            here = slice(first, min(first + step, shape[depth]))
            rest = (slice(0, n) for n in shape[depth + 1 :])
            yield (*(slice(k, k + 1) for k in outer), here, *rest)


def slab_indices(shape: Sequence[int], slab: Sequence[slice]) -> NDArray[np.intp]:
    """Return the numbers of the elements of a piece of an array."""
    mesh = np.meshgrid(*(np.arange(s.start, s.stop) for s in slab), indexing="ij")
    return np.ravel_multi_index(mesh, shape).ravel()


def to_dataset(labels: Labels, results: Sequence[Results], free_entropy: int) -> xr.Dataset:
    """Return the whole result in memory.

    Parameters
    ----------
    labels : Labels
    results : sequence of Results
        What each sweep found.
    free_entropy : int
        Number of the output by which branches are ranked.
    """
    import xarray as xr

    columns = results[0].columns
    points = merged(results, np.arange(int(np.prod(labels.shape))), free_entropy)
    several = len(results) > 1
    count = points.branches
    data = {}
    for variable in labels.variables:
        array = values(variable, points, columns, count)
        array = array.reshape(-1, *labels.shape) if several else array.reshape(labels.shape)
        dims = [BRANCH, *labels.dims] if several else labels.dims
        data[variable.name] = xr.Variable(dims, array, variable.attributes).transpose(
            *([BRANCH] * several), *labels.axes
        )
    return xr.Dataset(data, _coordinates(labels), labels.attributes)


def _coordinates(labels: Labels) -> dict[str, Any]:
    return {name: (name, line, labels.parameters[name]) for name, line in labels.axes.items()}


def converged(ds: xr.Dataset) -> xr.DataArray:
    """Return where the points of a scan are certified solutions.

    Parameters
    ----------
    ds : xarray.Dataset
        The result of a scan.

    Returns
    -------
    xarray.DataArray of bool
    """
    codes = {word: value for value, word in _status_words(ds).items()}
    return ds["status"] == codes["converged"]


def status_counts(ds: xr.Dataset) -> dict[str, int]:
    """Return how many points of a scan ended with each status that occurs.

    Parameters
    ----------
    ds : xarray.Dataset
        The result of a scan.

    Returns
    -------
    dict of str to int
        A point with several branches counts once, with its best one.
    """
    words = _status_words(ds)
    codes, counts = np.unique(_best_status(ds).values, return_counts=True)
    return {words[code]: count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}


def failures(ds: xr.Dataset, most: int | None = None) -> pd.DataFrame:
    """Return the points of a scan that have no certified solution.

    Parameters
    ----------
    ds : xarray.Dataset
        The result of a scan.
    most : int, optional
        Return only the first of them.

    Returns
    -------
    pandas.DataFrame
        One row a point: its parameters and its status in words.
    """
    import pandas as pd

    words = _status_words(ds)
    status = _best_status(ds)
    good = next(code for code, word in words.items() if word == "converged")
    where = np.argwhere(status.values != good)[:most]
    table = {str(name): ds[name].values[where[:, axis]] for axis, name in enumerate(status.dims)}
    codes = status.values[tuple(where.T)]
    return pd.DataFrame({**table, "status": [words[code] for code in codes.tolist()]})


def to_frame(ds: xr.Dataset) -> pd.DataFrame:
    """Return a scan as a table with one row a point, or a branch of a point.

    Parameters
    ----------
    ds : xarray.Dataset
        The result of a scan.

    Returns
    -------
    pandas.DataFrame
        Parameters first, then the variables of the data set, status and origin in words.
    """
    frame = ds.to_dataframe().reset_index()
    if "status" in frame:
        frame["status"] = frame["status"].map(_status_words(ds))
    if "found_by" in frame:
        words = [word.replace("_", " ") for word in ds["found_by"].attrs["flag_meanings"].split()]
        frame["found_by"] = [
            "+".join(word for k, word in enumerate(words) if mask >> k & 1)
            for mask in frame["found_by"]
        ]
        frame = frame[frame["status"] != _NO_BRANCH_WORD].reset_index(drop=True)
    return frame


def _status_words(ds: xr.Dataset) -> dict[int, str]:
    attributes = ds["status"].attrs
    codes = np.atleast_1d(attributes["flag_values"]).tolist()
    words = [word.replace("_", " ") for word in attributes["flag_meanings"].split()]
    return dict(zip(codes, words, strict=True))


def _best_status(ds: xr.Dataset) -> xr.DataArray:
    status = ds["status"]
    return status.isel({BRANCH: 0}) if BRANCH in status.dims else status


def _flags(several: bool) -> dict[str, Any]:
    codes = [*range(len(Status)), *([NO_BRANCH] * several)]
    words = [status.name.lower() for status in Status]
    words += [_NO_BRANCH_WORD.replace(" ", "_")] * several
    return {
        "long_name": "how the solver ended",
        "flag_values": np.array(codes, dtype=np.int8),
        "flag_meanings": " ".join(words),
    }


def latex_name(name: str) -> str:
    """Return the LaTeX of a Python name, such as ``lambda`` or ``qhat``."""
    import sympy

    return sympy.latex(sympy.Symbol(name))


def make_labels(
    model: Model | FunctionalModel,
    system: CompiledSystem,
    grid: Grid,
    along: str,
    found: Sequence[Variable],
    attributes: Mapping[str, Any],
) -> Labels:
    """Return what the data set of a scan says.

    Parameters
    ----------
    model, system : Model, CompiledSystem
        What was solved.
    grid : Grid
        Where it was solved.
    along : str
        The axis along which rows run.
    found : sequence of Variable
    attributes : mapping
        How the scan was asked for; the provenance of the model is added.
    """
    parameters = {
        name: {
            "long_name": model.parameters[name].doc,
            "symbol": model.parameters[name].symbol_name,
            "latex": latex_name(model.parameters[name].symbol_name),
        }
        for name in grid.axes
    }
    provenance = {
        "model": model.name,
        "title": model.title,
        "reference": model.reference,
        "signature": signature(model),
        "fixed": json.dumps(grid.fixed),
        "backend": str(system.backend),
        "warm_axis": along,
        **attributes,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "replica_version": replica.__version__,
    }
    return Labels((*grid.outer(along), along), grid.axes, parameters, tuple(found), provenance)


def request(
    settings: SolverSettings | None, sweeps: Sequence[str], retried: bool, command: str | None
) -> dict[str, Any]:
    """Return the attributes that say how a scan was asked for."""
    used = SolverSettings() if settings is None else settings
    return {
        "settings": json.dumps(dataclasses.asdict(used), default=str),
        "sweeps": ", ".join(sweeps),
        "retry": int(retried),
        "command": shlex.join(sys.argv) if command is None else command,
    }


def fingerprint(model: Model | FunctionalModel, system: CompiledSystem) -> dict[str, str]:
    """Return what the results of a model depend on beside parameters, starts, and settings.

    The source of the compiled program is part of it: it has the quadrature and the solver, too.
    """
    return {
        "signature": signature(model),
        "program": hashlib.sha256(system.source.encode()).hexdigest(),
        "backend": str(system.backend),
        "version": replica.__version__,
    }


def signature(model: Model | FunctionalModel) -> str:
    """Return a short fingerprint of what a model stands for.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    str
        Hexadecimal digits that change when anything that is solved for or reported changes: the
        ansatz, the free entropy, the equations and their domains, the observables. Names and
        sentences that only explain do not matter.
    """
    saddle = model.saddle_point()
    lines = [
        f"ansatz {saddle.ansatz}, zero temperature {saddle.zero_temperature}",
        f"parameters {', '.join(saddle.parameters)}",
        f"free entropy = {saddle.free_entropy}",
        f"replicon = {saddle.replicon}",
    ]
    for kind, pairs in (
        ("definition", saddle.definitions),
        ("equation", saddle.equations),
        ("conjugate", saddle.conjugate_equations),
        ("constraint", saddle.constraints),
        ("observable", saddle.observables.items()),
        ("domain", ((unknown.symbol, unknown.domain) for unknown in saddle.unknowns)),
    ):
        lines += [f"{kind} {name} = {expression}" for name, expression in pairs]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
