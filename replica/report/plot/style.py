"""What all figures share: colours, axes, labels, and how they are written to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from replica.errors import ScanError
from replica.scan import converged

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of Okabe and Ito, distinct for colour-blind readers."""

HOLLOW: dict[str, Any] = {"linestyle": "none", "marker": "o", "fillstyle": "none", "markersize": 4}
"""Markers of points that have no certified value."""

# Inches: the column of a two-column journal, at which text of ten points is readable.
_SIZE = (4.2, 3.1)


def new_axes(ax: Axes | None) -> Axes:
    """Return the given axes, or those of a new figure of the width of a column."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=_SIZE, layout="constrained")[1]


def draw_legend(ax: Axes, *entries: Any, **options: Any) -> None:
    """Draw the legend where the user's style has it.

    Matplotlib warns of places that it had to search for long, unless they were asked for.
    """
    from matplotlib import rcParams

    ax.legend(*entries, loc=rcParams["legend.loc"], **options)


def save(drawn: Axes | Figure, path: str | Path, dpi: int = 300) -> Path:
    """Write a figure so that a journal takes it.

    Parameters
    ----------
    drawn : Axes or Figure
    path : str or Path
        The ending chooses the format: ``.pdf`` and ``.svg`` are vectors whose text stays text.
    dpi : int
        Resolution of pixels, also of those inside a vector file.

    Returns
    -------
    Path

    Raises
    ------
    ScanError
        If the file cannot be written, or its format is unknown.
    """
    import matplotlib as mpl

    figure: Any = drawn.get_figure() if hasattr(drawn, "get_xlabel") else drawn
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Type 42 is TrueType, which publishers ask for; without dates, equal figures are equal.
        with mpl.rc_context(
            {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "replica"}
        ):
            metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
            figure.savefig(path, dpi=dpi, metadata=metadata.get(path.suffix[1:]))
    except (OSError, ValueError) as error:  # matplotlib names an unknown format by ValueError
        reason = getattr(error, "strerror", None) or error
        raise ScanError(f"Cannot write {str(path)!r}: {reason}.") from error
    return path


def only(ds: xr.Dataset, name: str, dims: list[str]) -> xr.DataArray:
    """Return a variable over the given dimensions, after checking that it has no others."""
    for dim in dims:
        if dim not in ds.dims:
            raise ScanError(f"The scan has no axis {dim!r}; it has {_listed(ds.dims)}.")
    if name not in ds.data_vars:
        raise ScanError(f"The scan has no variable {name!r}; it has {_listed(ds.data_vars)}.")
    values = ds[name].squeeze([d for d in ds[name].dims if ds.sizes[d] == 1 and d not in dims])
    extra = [str(dim) for dim in values.dims if dim not in dims]
    if extra:
        raise ScanError(
            f"The scan also runs over {_listed(extra)}: choose one value with "
            f"ds.sel({extra[0]}=...), or show it as another axis or as hue."
        )
    return values.transpose(*dims)


def alongside(ds: xr.Dataset, values: xr.DataArray, name: str = "status") -> xr.DataArray:
    """Return another variable over the dimensions of a chosen one; for the status, its success."""
    other = converged(ds) if name == "status" else ds[name]
    extra = [dim for dim in other.dims if dim not in values.dims]
    return other.squeeze(extra).transpose(*values.dims)


def neighbours(mask: np.ndarray) -> np.ndarray:
    """Return a mask widened by one place on both sides."""
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    return wide


def _listed(names: Any) -> str:
    return ", ".join(map(str, names))
