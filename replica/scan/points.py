"""Questions about a finished scan: which points have a solution, and which have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from replica.scan.dataset import BRANCH, NO_BRANCH_WORD

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


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
    """Return the points of a scan that were solved without success.

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
    fine = [code for code, word in words.items() if word in ("converged", "cancelled")]
    where = np.argwhere(~np.isin(status.values, fine))[:most]
    table = {str(name): ds[name].values[where[:, axis]] for axis, name in enumerate(status.dims)}
    codes = status.values[tuple(where.T)]
    return pd.DataFrame({**table, "status": [words[code] for code in codes.tolist()]})


def failures_text(ds: xr.Dataset, most: int = 5) -> str:
    """Return a list of the first points that failed, and what can be done; empty if none did."""
    found = failures(ds)
    if found.empty:
        return ""
    lines = ["Without a certified solution:"]
    for record in found[:most].to_dict("records"):
        status = record.pop("status")
        place = ", ".join(f"{name} = {value:g}" for name, value in record.items())
        lines.append(f"  {place}: {status}")
    if len(found) > most:
        lines.append(f"  and {len(found) - most} more, flagged in the data")
    if not ds.attrs.get("retry"):
        lines.append("A retry tries them again with more careful settings: --retry, or retry=True.")
    return "\n".join(lines)


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
        frame = frame[frame["status"] != NO_BRANCH_WORD].reset_index(drop=True)
    return frame


def _status_words(ds: xr.Dataset) -> dict[int, str]:
    attributes = ds["status"].attrs
    codes = np.atleast_1d(attributes["flag_values"]).tolist()
    words = [word.replace("_", " ") for word in attributes["flag_meanings"].split()]
    return dict(zip(codes, words, strict=True))


def _best_status(ds: xr.Dataset) -> xr.DataArray:
    status = ds["status"]
    return status.isel({BRANCH: 0}) if BRANCH in status.dims else status
