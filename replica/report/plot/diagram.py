"""Phase diagrams: a quantity as colours over two parameters, transition lines, names of phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from replica.errors import ScanError
from replica.report.labels import label, name_label
from replica.report.plot.phases import draw_phases, is_phases
from replica.report.plot.style import HOLLOW, PALETTE, alongside, draw_legend, new_axes, only
from replica.scan.dataset import latex_name

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


def phase_diagram(
    ds: xr.Dataset | None,
    x: str,
    y: str,
    quantity: str | None = None,
    ax: Axes | None = None,
    *,
    levels: Sequence[float] = (),
    lines: Mapping[str, Any] | Sequence[Any] = (),
    regions: Mapping[str, tuple[float, float]] | None = None,
    **style: Any,
) -> Axes:
    """Draw a phase diagram over two parameters: colours, lines, or both.

    Parameters
    ----------
    ds : xarray.Dataset or None
        The result of a scan; None for a diagram of lines only.
    x, y : str
        The parameters along the axes.
    quantity : str, optional
        The variable that the colours show; ``"phase"`` of an adaptive diagram shows its phases.
    ax : matplotlib.axes.Axes, optional
        Where to draw (default: a new figure).
    levels : sequence of float
        Values of the variable at which to draw a line.
    lines : mapping of str to line, or sequence of line
        Transition lines by the name that the legend gives them: what ``model.boundary`` returns,
        or tables with columns named like ``x`` and ``y``. Without names a legend says what
        condition each one meets, where the line knows it. Points that are not converged
        interrupt a line.
    regions : mapping of str to (float, float), optional
        Names of phases and where to write them.
    **style
        Further properties of the colours, as for ``Axes.pcolormesh``.

    Returns
    -------
    matplotlib.axes.Axes
        Points that did not converge have no colour and a hollow marker.
    """
    ax = new_axes(ax)
    if (ds is None) != (quantity is None):
        raise ScanError("phase_diagram: colours need a scan and a quantity, lines need neither.")
    if ds is not None and quantity is not None:
        if quantity in ds and is_phases(ds, quantity):
            draw_phases(ax, ds, x, y, **style)
        else:
            _colours(ax, ds, x, y, quantity, levels, style)
    names = list(lines) if isinstance(lines, Mapping) else [_condition(line) for line in lines]
    tables = list(lines.values()) if isinstance(lines, Mapping) else list(lines)
    for i, (name, table) in enumerate(zip(names, tables, strict=True)):
        _line(ax, _frame(table), x, y, name, i, ds is not None)
    for name, (at_x, at_y) in (regions or {}).items():
        if ds is None:
            ax.update_datalim([(at_x, at_y)])
            ax.autoscale_view()
        text = ax.text(at_x, at_y, name, ha="center", va="center", zorder=4)
        _outlined(text, 2.5, ds is not None)
    for axis, name in ((ax.xaxis, x), (ax.yaxis, y)):
        known = ds is not None and name in ds.coords
        axis.set_label_text(
            label(ds, name) if known and ds is not None else name_label(name, latex_name(name))
        )
    if any(names):
        draw_legend(ax, frameon=ds is not None, framealpha=0.85, fontsize="small")
    return ax


def _colours(
    ax: Axes,
    ds: xr.Dataset,
    x: str,
    y: str,
    quantity: str,
    levels: Sequence[float],
    style: Mapping[str, Any],
) -> None:
    values = only(ds, quantity, [x, y]).transpose(y, x)
    good = alongside(ds, values).values
    shown = np.where(good, values.values, np.nan)
    along_x, along_y = values[x].values, values[y].values
    # Pixels stay pixels in a vector file: a large grid of outlined cells is slow and shows seams.
    options = {"shading": "nearest", "cmap": "viridis", "rasterized": True, **style}
    colours = ax.pcolormesh(along_x, along_y, shown, **options)
    if len(levels):
        contours = ax.contour(along_x, along_y, shown, levels=sorted(levels), colors="white")
        ax.clabel(contours, fmt="%g")
    if not good.all():
        rows, columns = np.nonzero(~good)
        ax.plot(along_x[columns], along_y[rows], **HOLLOW, color="black", label="_not converged")
    figure = ax.get_figure()
    if figure is not None:
        figure.colorbar(colours, ax=ax, label=label(ds, quantity))


def _line(
    ax: Axes, table: pd.DataFrame, x: str, y: str, name: str, number: int, on_colours: bool
) -> None:
    for column in (x, y):
        if column not in table:
            known = ", ".join(map(str, table.columns))
            raise ScanError(f"The line {name or number} has no column {column!r}; it has {known}.")
    good = np.ones(len(table), dtype=bool)
    if "status" in table:
        good = (table["status"] == "converged").to_numpy()
    limits = ax.get_xlim(), ax.get_ylim()
    (drawn,) = ax.plot(
        np.where(good, table[x], np.nan),
        np.where(good, table[y], np.nan),
        color="black" if on_colours else PALETTE[number % len(PALETTE)],
        linestyle=_DASHES[number % len(_DASHES)],
        label=name or "_line",
        zorder=3,
    )
    _outlined(drawn, 3.0, on_colours)
    if on_colours:  # the colours say how far the diagram goes
        ax.set(xlim=limits[0], ylim=limits[1])


def _outlined(artist: Any, width: float, wanted: bool) -> None:
    """Set an artist off from the colours behind it."""
    if wanted:
        from matplotlib.patheffects import withStroke

        artist.set_path_effects([withStroke(linewidth=width, foreground="white")])


def _frame(line: Any) -> pd.DataFrame:
    if hasattr(line, "to_frame"):
        return line.to_frame()
    if hasattr(line, "to_dataframe"):
        return line.to_dataframe().reset_index()
    if hasattr(line, "columns"):
        return line
    raise ScanError(f"A line is a result of model.boundary or a table, not {type(line).__name__}.")


def _condition(line: Any) -> str:
    attributes = getattr(line, "attrs", {})
    return str(getattr(line, "condition", attributes.get("condition", "")))
