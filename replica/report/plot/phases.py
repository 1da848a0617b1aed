"""Regions of named phases, as light colours with a legend beside the axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from replica.report.plot.style import PALETTE, only

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# Share of white in a region, so that lines and names on it stay readable.
_TINT = 0.55
_UNSOLVED = "unsolved"


def is_phases(ds: xr.Dataset, quantity: str) -> bool:
    """Whether a variable holds names of phases rather than numbers."""
    return quantity == "phase" and "flag_meanings" in ds[quantity].attrs


def draw_phases(ax: Axes, ds: xr.Dataset, x: str, y: str, **style: Any) -> None:
    """Draw the phases of a diagram that `replica.scan.phase_diagram` made.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    ds : xarray.Dataset
    x, y : str
        The parameters along the axes.
    **style
        As for ``Axes.pcolormesh``.
    """
    from matplotlib.colors import ListedColormap, to_rgb
    from matplotlib.patches import Patch

    phases = only(ds, "phase", [x, y]).transpose(y, x)
    words = [w.replace("_", " ") for w in str(phases.attrs["flag_meanings"]).split()]
    colours: list[Any] = [
        tuple(1 - (1 - _TINT) * (1 - part) for part in to_rgb(PALETTE[i % len(PALETTE)]))
        for i in range(len(words))
    ]
    if words[-1] == _UNSOLVED:
        colours[-1] = "white"
    options = {"shading": "nearest", "rasterized": True, **style}
    ax.pcolormesh(
        phases[x].values, phases[y].values, phases.values,
        cmap=ListedColormap(colours), vmin=-0.5, vmax=len(words) - 0.5, **options,
    )  # fmt: skip
    present = [i for i in range(len(words)) if bool(np.any(phases.values == i))]
    patches = [
        Patch(facecolor=colours[i], edgecolor="0.5", linewidth=0.5, label=words[i]) for i in present
    ]
    legend = ax.legend(
        handles=patches, frameon=False, fontsize="small", loc="lower left",
        bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2, handlelength=1.2, columnspacing=1.2,
    )  # fmt: skip
    # Kept when a legend of lines is made; without a clip, the layout of the figure sees it.
    ax.add_artist(legend)
    legend.set_clip_on(False)
