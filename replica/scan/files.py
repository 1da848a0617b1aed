"""Scans in files: netCDF and CSV, whole or piece by piece."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from replica.errors import ScanError
from replica.scan.assemble import merged, slab_indices, slabs, values
from replica.scan.dataset import BRANCH, Labels
from replica.scan.points import to_frame
from replica.scan.results import Results

if TYPE_CHECKING:
    import xarray as xr

# Points that are in memory at a time while a file is written.
_POINTS_AT_A_TIME = 32_768


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
    with _replacing(path) as new:
        if path.suffix == ".nc":
            ds.to_netcdf(new, engine="h5netcdf")
        else:
            to_frame(ds).to_csv(new, index=False)
    return path


def write(labels: Labels, results: Sequence[Results], free_entropy: int, path: str | Path) -> Path:
    """Write the result of a scan as netCDF, a piece at a time.

    Parameters
    ----------
    labels : Labels
    results : sequence of Results
        What each sweep found.
    free_entropy : int
        Number of the output by which branches are ranked.
    path : str or Path
        The file.
    """
    import h5netcdf

    pieces = list(slabs(labels.shape, _POINTS_AT_A_TIME))
    several = len(results) > 1
    columns = results[0].columns
    count = 1
    if several:
        count = max(
            merged(results, slab_indices(labels.shape, slab), free_entropy).branches
            for slab in pieces
        )
    dims = (*labels.axes, *([BRANCH] * several))
    sizes = {BRANCH: count} if several else {}
    sizes |= {name: len(line) for name, line in labels.axes.items()}
    turned = [labels.dims.index(name) for name in labels.axes]
    path = Path(path)
    with _replacing(path) as new, h5netcdf.File(new, "w") as file:
        file.dimensions = sizes
        file.attrs.update(labels.attributes)
        for name, line in labels.axes.items():
            axis = file.create_variable(name, (name,), float, fillvalue=np.nan)
            axis[...] = line
            axis.attrs.update(labels.parameters[name])
        for variable in labels.variables:
            fill = np.nan if variable.dtype is np.float64 else None
            made = file.create_variable(variable.name, dims, variable.dtype, fillvalue=fill)
            made.attrs.update(variable.attributes)
        for slab in pieces:
            points = merged(results, slab_indices(labels.shape, slab), free_entropy)
            place = tuple(slab[k] for k in turned)
            size = [s.stop - s.start for s in slab]
            for variable in labels.variables:
                array = values(variable, points, columns, count).reshape(-1, *size)
                array = array.transpose(*(1 + k for k in turned), 0)
                if several:
                    file[variable.name][(*place, slice(None))] = array
                else:
                    file[variable.name][place] = array[..., 0]
    return path


def open_scan(path: str | Path) -> xr.Dataset:
    """Open a scan without reading it: values are read when they are used."""
    import xarray as xr

    return xr.open_dataset(path, engine="h5netcdf")


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a file to write that takes the place of another one when it is complete."""
    new = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield new
        new.replace(path)
    except (OSError, RuntimeError) as error:  # h5py says some of them as RuntimeError
        reason = getattr(error, "strerror", None) or error
        raise ScanError(f"Cannot write {str(path)!r}: {reason}.") from error
    finally:
        with contextlib.suppress(OSError):
            new.unlink()


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
