"""The result of a scan as a labelled, traceable data set, and its files."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import replica
from replica.errors import ScanError
from replica.solve import SolverSettings, Status

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from replica.compile.system import CompiledSystem
    from replica.model import FunctionalModel, Model
    from replica.scan.grid import Grid
    from replica.scan.run import GridResult

# Variables that say how a point was solved, beside those that say what was found.
DIAGNOSTICS = ("status", "residual", "error", "stability", "evaluations")


def to_dataset(
    model: Model | FunctionalModel,
    system: CompiledSystem,
    grid: Grid,
    along: str,
    result: GridResult,
    kept: Sequence[str],
    settings: SolverSettings | None,
    complete: bool,
) -> xr.Dataset:
    """Label the arrays of a scan.

    Parameters
    ----------
    model, system : Model, CompiledSystem
        What was solved.
    grid : Grid
        Where it was solved.
    along : str
        The axis along which the rows of ``result`` run.
    result : GridResult
        What was found.
    kept : sequence of str
        The outputs to keep.
    settings : SolverSettings or None
        The settings of the solver, None for the default.
    complete : bool
        Whether all points were reached.

    Returns
    -------
    xarray.Dataset
    """
    import xarray as xr

    dims = [*grid.outer(along), along]
    shape = [len(grid.axes[name]) for name in dims]

    def variable(values: NDArray[Any], **attributes: str) -> xr.Variable:
        return xr.Variable(dims, values.reshape(shape), attributes).transpose(*grid.axes)

    data: dict[str, xr.Variable] = {}
    for names, values, errors in (
        (system.unknowns, result.x, result.error),
        (system.outputs, result.out, result.out_error),
    ):
        for i, name in enumerate(names):
            if name in kept or names is system.unknowns:
                labels = {"long_name": name.replace("_", " "), "latex": latex_name(name)}
                data[name] = variable(
                    values[..., i], ancillary_variables=f"{name}_uncertainty", **labels
                )
                data[f"{name}_uncertainty"] = variable(
                    errors[..., i], long_name=f"certified error of {labels['long_name']}"
                )
    data["status"] = variable(result.status.astype(np.int8), **_flags())
    data["residual"] = variable(result.residual, long_name="residual of the undamped map")
    data["error"] = variable(
        result.error.max(axis=-1), long_name="largest certified error of the order parameters"
    )
    data["stability"] = variable(
        result.stability, long_name="largest real part of the eigenvalues of the damped flow"
    )
    data["evaluations"] = variable(result.evaluations, long_name="evaluations of the map")
    coordinates = {
        name: (name, values, _parameter_attributes(model, name))
        for name, values in grid.axes.items()
    }
    attributes = _provenance(model, system, grid, along, settings, complete)
    return xr.Dataset(data, coordinates, attributes)


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
    """
    words = _status_words(ds)
    values, counts = np.unique(ds["status"].values, return_counts=True)
    return {
        words[value]: count for value, count in zip(values.tolist(), counts.tolist(), strict=True)
    }


def to_frame(ds: xr.Dataset) -> pd.DataFrame:
    """Return a scan as a table with one row a point.

    Parameters
    ----------
    ds : xarray.Dataset
        The result of a scan.

    Returns
    -------
    pandas.DataFrame
        Parameters first, then the variables of the data set, the status in words.
    """
    frame = ds.to_dataframe().reset_index()
    if "status" in frame:
        frame["status"] = frame["status"].map(_status_words(ds))
    return frame


def _status_words(ds: xr.Dataset) -> dict[int, str]:
    attributes = ds["status"].attrs
    values = np.atleast_1d(attributes["flag_values"]).tolist()
    words = [word.replace("_", " ") for word in attributes["flag_meanings"].split()]
    return dict(zip(values, words, strict=True))


def save(ds: xr.Dataset, path: str | Path) -> Path:
    """Write a scan to a file.

    Parameters
    ----------
    ds : xarray.Dataset
        The result of a scan.
    path : str or Path
        A name that ends in ``.nc`` (netCDF, everything) or ``.csv`` (one row a point, without the
        attributes). Missing folders are made.

    Returns
    -------
    Path
        The file written.
    """
    path = Path(path)
    if path.suffix not in (".nc", ".csv"):
        raise ScanError(f"Cannot write {str(path)!r}: the name must end in .nc or .csv.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".nc":
            ds.to_netcdf(path, engine="h5netcdf")
        else:
            to_frame(ds).to_csv(path, index=False)
    except OSError as error:
        raise ScanError(f"Cannot write {str(path)!r}: {error.strerror or error}.") from error
    return path


def read(path: str | Path) -> xr.Dataset:
    """Read a scan that :func:`save` wrote as netCDF.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    xarray.Dataset
        The whole data set, in memory; the file is closed.
    """
    import xarray as xr

    if not Path(path).is_file():
        raise ScanError(f"There is no file {str(path)!r} to read a scan from.")
    try:
        ds = xr.load_dataset(path, engine="h5netcdf")
    except OSError as error:
        raise ScanError(f"{str(path)!r} is not a netCDF file.") from error
    if "status" not in ds:
        raise ScanError(f"{str(path)!r} holds no scan: it has no status of its points.")
    return ds


def _flags() -> dict[str, Any]:
    return {
        "long_name": "how the solver ended",
        "flag_values": np.arange(len(Status), dtype=np.int8),
        "flag_meanings": " ".join(status.name.lower() for status in Status),
    }


def latex_name(name: str) -> str:
    """Return the LaTeX of a Python name, such as ``lambda`` or ``qhat``."""
    import sympy

    return sympy.latex(sympy.Symbol(name))


def _parameter_attributes(model: Model | FunctionalModel, name: str) -> dict[str, str]:
    parameter = model.parameters[name]
    return {
        "long_name": parameter.doc,
        "symbol": parameter.symbol_name,
        "latex": latex_name(parameter.symbol_name),
    }


def _provenance(
    model: Model | FunctionalModel,
    system: CompiledSystem,
    grid: Grid,
    along: str,
    settings: SolverSettings | None,
    complete: bool,
) -> dict[str, str | int]:
    used = SolverSettings() if settings is None else settings
    return {
        "model": model.name,
        "title": model.title,
        "reference": model.reference,
        "signature": signature(model),
        "fixed": json.dumps(grid.fixed),
        "settings": json.dumps(dataclasses.asdict(used), default=str),
        "backend": str(system.backend),
        "warm_axis": along,
        "complete": int(complete),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "replica_version": replica.__version__,
    }


def signature(model: Model | FunctionalModel) -> str:
    """Return a short fingerprint of the equations that a model stands for.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    str
        Hexadecimal digits that change when the printed equations change.
    """
    saddle = model.saddle_point()
    text = "\n".join(
        f"{symbol} = {expression}"
        for symbol, expression in (*saddle.equations, *saddle.conjugate_equations)
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]
