"""Figures of scans, drawn into given axes; nothing global is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from replica.errors import ScanError
from replica.report.labels import label
from replica.scan import converged

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of Okabe and Ito, distinct for colour-blind readers."""


def curve(
    ds: xr.Dataset,
    x: str,
    y: str,
    ax: Axes | None = None,
    hue: str | None = None,
    *,
    palette: Sequence[str] = PALETTE,
    **style: Any,
) -> Axes:
    """Draw a variable against a parameter.

    Parameters
    ----------
    ds : xarray.Dataset
        The result of a scan.
    x : str
        The dimension along the horizontal axis.
    y : str
        The variable.
    ax : matplotlib.axes.Axes, optional
        Where to draw (default: a new figure).
    hue : str, optional
        A second dimension: one curve a value, named in a legend.
    palette : sequence of str
        Colours of the curves.
    **style
        Further properties of the lines, as for ``Axes.plot``.

    Returns
    -------
    matplotlib.axes.Axes
        Points that did not converge interrupt the line and are hollow markers.
    """
    values = _only(ds, y, [x] if hue is None else [x, hue])
    good = _only_status(ds, values)
    ax = _axes(ax)
    if hue is None:
        colour = {} if "color" in style else {"color": palette[len(ax.lines) % len(palette)]}
        _line(ax, values[x].values, values.values, good.values, **colour, **style)
    else:
        symbol = label(ds, hue)
        for i, value in enumerate(values[hue].values):
            pick = {hue: i}
            _line(
                ax,
                values[x].values,
                values.isel(pick).values,
                good.isel(pick).values,
                **{"color": palette[i % len(palette)], "label": f"{symbol} = {value:g}", **style},
            )
        ax.legend(frameon=False)
    ax.set_xlabel(label(ds, x))
    ax.set_ylabel(label(ds, y))
    return ax


def phase_diagram(
    ds: xr.Dataset,
    x: str,
    y: str,
    quantity: str,
    ax: Axes | None = None,
    *,
    levels: Sequence[float] = (),
    **style: Any,
) -> Axes:
    """Draw a variable as colours over two parameters.

    Parameters
    ----------
    ds : xarray.Dataset
        The result of a scan.
    x, y : str
        The dimensions along the axes.
    quantity : str
        The variable.
    ax : matplotlib.axes.Axes, optional
        Where to draw (default: a new figure).
    levels : sequence of float
        Values of the variable at which to draw a line.
    **style
        Further properties of the colours, as for ``Axes.pcolormesh``.

    Returns
    -------
    matplotlib.axes.Axes
        Points that did not converge have no colour and a hollow marker.
    """
    values = _only(ds, quantity, [x, y]).transpose(y, x)
    good = _only_status(ds, values).values
    ax = _axes(ax)
    shown = np.where(good, values.values, np.nan)
    along_x, along_y = values[x].values, values[y].values
    # Pixels stay pixels in a vector file: a large grid of outlined cells is slow and shows seams.
    options = {"shading": "nearest", "cmap": "viridis", "rasterized": True, **style}
    colours = ax.pcolormesh(along_x, along_y, shown, **options)
    if len(levels):
        lines = ax.contour(along_x, along_y, shown, levels=sorted(levels), colors="white")
        ax.clabel(lines, fmt="%g")
    if not good.all():
        rows, columns = np.nonzero(~good)
        ax.plot(along_x[columns], along_y[rows], **_HOLLOW, color="black", label="not converged")
    figure = ax.get_figure()
    if figure is not None:
        figure.colorbar(colours, ax=ax, label=label(ds, quantity))
    ax.set_xlabel(label(ds, x))
    ax.set_ylabel(label(ds, y))
    return ax


_HOLLOW: dict[str, Any] = {"linestyle": "none", "marker": "o", "fillstyle": "none", "markersize": 4}


def _line(ax: Axes, x: Any, y: Any, good: Any, **style: Any) -> None:
    (drawn,) = ax.plot(x, np.where(good, y, np.nan), **style)
    if not good.all():
        hollow = {**_HOLLOW, "color": drawn.get_color(), "label": "_not converged"}
        ax.plot(x[~good], y[~good], **hollow)


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _only(ds: xr.Dataset, name: str, dims: list[str]) -> xr.DataArray:
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


def _only_status(ds: xr.Dataset, values: xr.DataArray) -> xr.DataArray:
    extra = [dim for dim in ds["status"].dims if dim not in values.dims]
    return converged(ds).squeeze(extra).transpose(*values.dims)


def _listed(names: Any) -> str:
    return ", ".join(map(str, names))
