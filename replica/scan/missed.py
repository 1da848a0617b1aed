"""Whether the starts of a phase diagram miss a better phase: symmetric ones, at some points.

A phase in which order parameters vanish is often reached by no start that has them, as a paramagnet
next to a first-order line. Everything else that is missed stays unseen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.scan.block import CONVERGED, Columns
from replica.scan.quadtree import Labels, Points
from replica.solve.equations import kept_at_zero, may_vanish

Array = NDArray[np.float64]
#: Most points that are checked, and the share of the evaluated ones.
_MOST, _SHARE = 24, 1 / 16
#: Factor of a start in which what is positive is small.
_SMALL = 1e-2
#: Relative difference of free entropies that tells two phases.
_DIFFERENT = 1e-8


def points_to_check(labels: Labels, evaluated: NDArray[np.bool_]) -> Points:
    """Return some of the evaluated points of a diagram, next to boundaries where there are any."""
    differs = np.zeros_like(evaluated)
    for axis in (0, 1):
        change = np.diff(labels, axis=axis) != 0
        before = [slice(None), slice(None)]
        after = [slice(None), slice(None)]
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        differs[tuple(before)] |= change
        differs[tuple(after)] |= change
    near = np.argwhere(differs & evaluated)
    points = near if len(near) else np.argwhere(evaluated)
    count = min(_MOST, len(points), max(1, int(_SHARE * np.count_nonzero(evaluated))))
    return points[np.linspace(0, len(points) - 1, count).astype(int)]


def symmetric_starts(
    system: CompiledSystem, params: Array, settings: SolverSettings | None
) -> list[Array]:
    """Return starts in which everything is zero that the equations keep there.

    Parameters
    ----------
    system : CompiledSystem
    params : array, shape (points, parameters)
    settings : SolverSettings or None

    Returns
    -------
    list of array, shape (points, unknowns)
        Empty where the equations keep nothing at zero.
    """
    candidates = may_vanish(system)
    if not candidates:
        return []
    base = [system.starts(params, kind) for kind in ("uninformed", "informed")]
    positive = np.array([low == 0 for low, _ in system.program.domains])
    base.append(np.where(positive, _SMALL * base[0], base[0]))
    for vectors in base:
        for point, x in zip(params, vectors, strict=True):
            zeros = kept_at_zero(system, point, x, candidates, settings)
            if not zeros:
                return []
            x[list(zeros)] = 0.0
    return base


def better(
    tables: Sequence[Array], columns: Columns, free_entropy: int, known: Array
) -> NDArray[np.bool_]:
    """Return at which points one of some solutions is stable and has a larger free entropy.

    Parameters
    ----------
    tables : sequence of array, shape (points, columns)
    columns : Columns
    free_entropy : int
        Number of that output.
    known : array, shape (points,)
        Its value in the diagram; NaN where nothing is known.
    """
    found = np.zeros(len(known), dtype=bool)
    for table in tables:
        value = table[:, columns.out.start + free_entropy]
        error = table[:, columns.out_error.start + free_entropy]
        good = (table[:, columns.status] == CONVERGED) & (table[:, columns.stability] < 1)
        found |= good & (value > known + error + _DIFFERENT * np.maximum(np.abs(known), 1))
    return found
