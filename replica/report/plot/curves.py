"""Curves: a quantity against a parameter, all branches of it, and simulations beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.errors import ScanError
from replica.report.labels import label
from replica.report.plot.style import (
    HOLLOW,
    PALETTE,
    alongside,
    draw_legend,
    neighbours,
    new_axes,
    only,
)

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
BRANCH = "branch"
#: How the phases of a system are drawn.
STYLES: dict[str, Any] = {"stable": "-", "metastable": "--", "unstable": ":"}
# An eigenvalue of one is a transition, and its rounding is no instability.
_MARGINAL = 1 + 1e-6
# The label of what belongs to a curve that is named already; legends skip underscores.
_SECONDARY = "_secondary"


def curve(
    ds: xr.Dataset,
    x: str,
    y: str,
    ax: Axes | None = None,
    hue: str | None = None,
    *,
    points: pd.DataFrame | None = None,
    palette: Sequence[str] = PALETTE,
    **style: Any,
) -> Axes:
    """Draw a variable against a parameter.

    Parameters
    ----------
    ds : xarray.Dataset
        The result of a scan. Where it has a dimension ``branch``, sorted by free entropy, each
        branch is followed through the points where the order changes.
    x : str
        The dimension along the horizontal axis.
    y : str
        The variable.
    ax : matplotlib.axes.Axes, optional
        Where to draw (default: a new figure).
    hue : str, optional
        A second dimension: one curve a value, named in a legend.
    points : pandas.DataFrame, optional
        Simulations, drawn as dots: columns named like ``x`` and ``y``, with error bars where there
        is a column ``<y>_error``, and in the colour of their curve where there is one like ``hue``.
    palette : sequence of str
        Colours of the curves.
    **style
        Further properties of the lines, as for ``Axes.plot``.

    Returns
    -------
    matplotlib.axes.Axes
        Lines are solid on the branch of the largest free entropy, dashed on metastable ones, and
        dotted where a branch is unstable. Points that did not converge interrupt the line and are
        hollow markers.
    """
    dims = [x] if hue is None else [hue, x]
    branched = BRANCH in ds.dims and ds.sizes[BRANCH] > 1
    values = only(ds, y, [*([BRANCH] if branched else []), *dims])
    ax = new_axes(ax)
    drawn: set[str] = set()
    colours: dict[float, str] = {}
    count = 1 if hue is None else ds.sizes[hue]
    for i in range(count):
        pick = {} if hue is None else {hue: i}
        given = dict(style)
        given.setdefault("color", palette[(_count(ax) if hue is None else i) % len(palette)])
        if hue is not None:
            value = float(ds[hue].values[i])
            colours[value] = given["color"]
            given.setdefault("label", f"{label(ds, hue)} = {value:g}")
        drawn |= _curves(ax, ds, values.isel(pick), x, given)
    if points is not None:
        _dots(ax, points, x, y, hue, colours)
    ax.set_xlabel(label(ds, x))
    ax.set_ylabel(label(ds, y))
    _legend(ax, drawn, hue is not None)
    return ax


def _curves(
    ax: Axes, ds: xr.Dataset, values: xr.DataArray, x: str, style: Mapping[str, Any]
) -> set[str]:
    """Draw all branches of one colour, and return the phases that occur."""
    table = np.atleast_2d(values.values)
    good = np.atleast_2d(_beside(ds, values, "status")).astype(bool) & np.isfinite(table)
    unstable = np.zeros_like(good)
    if "stability" in ds:
        with np.errstate(invalid="ignore"):
            unstable = good & (np.atleast_2d(_beside(ds, values, "stability")) > _MARGINAL)
    rank = np.repeat(np.arange(len(table))[:, None], table.shape[1], axis=1)
    if len(table) > 1:
        order = _followed(table, good)
        table, good, unstable, rank = (
            np.take_along_axis(a, order, axis=0) for a in (table, good, unstable, rank)
        )
    along = np.asarray(values[x].values, dtype=float)
    seen: set[str] = set()
    named = dict(style)
    for row, fine, loose, place in zip(table, good, unstable, rank, strict=True):
        phases = {
            "stable": fine & ~loose & (place == 0),
            "metastable": fine & ~loose & (place > 0),
            "unstable": loose,
        }
        for phase, mask in phases.items():
            if not mask.any() and not (phase == "stable" and not seen and len(table) == 1):
                continue
            seen |= {phase} if mask.any() else set()
            # The piece between two phases belongs to the less stable one.
            wide = mask if phase == "stable" else neighbours(mask) & fine
            look = {**named} if "linestyle" in named else {**named, "linestyle": STYLES[phase]}
            ax.plot(along, np.where(wide, row, np.nan), **look)
            named["label"] = _SECONDARY
        if len(table) == 1 and not fine.all():
            _hollow(ax, along[~fine], row[~fine], style["color"], alone=not fine.any())
    return seen


def _hollow(ax: Axes, x: Array, y: Array, colour: str, alone: bool) -> None:
    """Mark points without a certified value; what the solver left there may be anything."""
    from matplotlib.lines import Line2D

    marks = Line2D(x, y, **HOLLOW, color=colour, label=_SECONDARY)
    if alone:
        ax.add_line(marks)
    else:  # the vertical axis is that of the certified points
        ax.add_artist(marks)
        ax.update_datalim([(value, 0.0) for value in x], updatey=False)
    ax.autoscale_view()


def _beside(ds: xr.Dataset, values: xr.DataArray, name: str) -> Array:
    """Return another variable at the points of a selected one."""
    whole = ds[name]
    picked = {
        dim: values[dim].values
        for dim in whole.dims
        if dim not in values.dims and dim in values.coords
    }
    return np.asarray(alongside(ds.sel(picked), values, name).values)


def _followed(table: Array, good: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return, for each place along the axis, which branch continues each of the last place."""
    from scipy.optimize import linear_sum_assignment

    count, length = table.shape
    order = np.empty((count, length), dtype=np.intp)
    order[:, 0] = np.arange(count)
    scale = np.nanmax(np.abs(np.where(good, table, np.nan)), initial=1e-300)
    last = np.where(good, table, np.nan)[:, 0].copy()
    for j in range(1, length):
        now = np.where(good[:, j], table[:, j], np.nan)
        cost = np.abs(last[:, None] - now[None, :]) / scale
        # A branch that begins or ends is matched with nothing before one that goes on.
        rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e3))
        order[rows, j] = columns
        following = now[order[:, j]]
        last = np.where(np.isfinite(following), following, last)
    return order


def _dots(
    ax: Axes, points: pd.DataFrame, x: str, y: str, hue: str | None, colours: Mapping[float, str]
) -> None:
    for name in (x, y):
        if name not in points:
            known = ", ".join(map(str, points.columns))
            raise ScanError(f"The points have no column {name!r}; they have {known}.")
    groups: Any = points.groupby(hue) if hue is not None and hue in points else [(None, points)]
    for value, group in groups:
        colour = "black" if value is None else colours.get(float(value), "black")
        error = group.get(f"{y}_error")
        ax.errorbar(
            group[x], group[y], error, fmt="o", markersize=3.5, color=colour, capsize=2,
            linewidth=1, label=_SECONDARY, zorder=3,
        )  # fmt: skip


def _count(ax: Axes) -> int:
    """Return how many curves there are already."""
    return sum(line.get_label() != _SECONDARY for line in ax.lines)


def _legend(ax: Axes, drawn: set[str], named: bool) -> None:
    """Name the curves and, where there are several, the phases."""
    from matplotlib.lines import Line2D

    handles, labels = ax.get_legend_handles_labels()
    if len(drawn) > 1:
        for phase in (name for name in STYLES if name in drawn):
            handles.append(Line2D([], [], color="0.35", linestyle=STYLES[phase]))
            labels.append(phase)
    if named or len(drawn) > 1:
        draw_legend(ax, handles, labels, frameon=False)
