"""Certified points as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import replica
from replica.solve.solution import Solution

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def frame_of(
    points: Sequence[Solution], first: Sequence[str], **columns: Sequence[Any]
) -> pd.DataFrame:
    """Return a table with one row a point.

    Parameters
    ----------
    points : sequence of Solution
    first : sequence of str
        Parameters whose columns come first.
    **columns : sequence
        More columns, one entry a point.

    Returns
    -------
    pandas.DataFrame
        Parameters, unknowns, conjugates, observables and ``replicon``; the error of each in a
        column ``NAME_uncertainty``; ``status``, ``residual``, ``stability`` and ``branch``.
    """
    import pandas as pd

    rows = []
    for point in points:
        named = {**point.parameters, **point.order_parameters, **point.conjugates}
        named |= point.observables
        row: dict[str, Any] = {name: point.parameters[name] for name in first}
        row |= named
        if point.replicon is not None:
            row["replicon"] = point.replicon
        errors = {**point.observable_error, **point.error}
        row |= {f"{name}_uncertainty": value for name, value in errors.items()}
        row |= {
            "status": point.status.name.lower(),
            "residual": point.residual,
            "stability": point.stability,
            "branch": point.branch,
        }
        rows.append(row)
    frame = pd.DataFrame(rows)
    for name, values in columns.items():
        frame[name] = list(values)
    return frame


def dataset_of(frame: pd.DataFrame, **attributes: str) -> xr.Dataset:
    """Return a table of points as a data set with the dimension ``point``."""
    import xarray as xr

    ds = xr.Dataset.from_dataframe(frame.rename_axis("point"))
    return ds.assign_attrs(**attributes, replica_version=replica.__version__)


def save(found: Any, path: Path) -> None:
    """Write a transition, a line or a branch as netCDF (``.nc``), else as CSV.

    Parameters
    ----------
    found : Transition, Line or Branch
    path : Path
    """
    if path.suffix == ".nc":
        found.to_dataset().to_netcdf(path, engine="h5netcdf")
    else:
        found.to_frame().to_csv(path, index=False)
