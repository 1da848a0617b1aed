"""Order parameters that are matrices, as heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from replica.errors import ScanError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def heat_map(
    matrix: ArrayLike, ax: Axes | None = None, labels: Sequence[str] | None = None
) -> Axes:
    """Draw a matrix in colours that diverge from zero, with its colour bar.

    Parameters
    ----------
    matrix : array_like, shape (paths, paths)
    ax : Axes, optional
        Where to draw (default: new axes).
    labels : sequence of str, optional
        Names of the rows and columns.

    Returns
    -------
    Axes

    Raises
    ------
    ScanError
        If it is no square matrix, or the labels do not fit.
    """
    import matplotlib.pyplot as plt

    values = np.asarray(matrix, dtype=float)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise ScanError(f"heat map: expected a square matrix, got shape {values.shape}.")
    if labels is not None and len(labels) != len(values):
        raise ScanError(f"heat map: expected {len(values)} labels, got {len(labels)}.")
    ax = ax or plt.gca()
    largest = float(np.abs(values).max()) or 1.0
    image = ax.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest)
    ax.figure.colorbar(image, ax=ax)
    places = range(len(values)) if labels is not None else []
    ax.set_xticks(places, labels or [], rotation=45, ha="right", fontsize="x-small")
    ax.set_yticks(places, labels or [], fontsize="x-small")
    return ax
