"""Whether two results are the same solution of a saddle point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings

Array = NDArray[np.float64]
#: Unknowns closer to zero than this are measured against it, as in the solver.
_ZERO_SIZE = 1e-2


def same_solution(
    first: Array, second: Array, errors: Array, settings: SolverSettings | None
) -> NDArray[np.bool_]:
    """Return where two results are the same solution, to their certified errors.

    Errors are of first order, so that they are taken four times, and a hundred times the certified
    tolerance is allowed beside them: distinct solutions of a saddle point are much further apart,
    but in the immediate neighbourhood of a spinodal, where they meet.

    Parameters
    ----------
    first, second : array, shape (..., unknowns)
    errors : array, of the same shape
        Sum of the errors of both.
    settings : SolverSettings or None

    Returns
    -------
    array of bool, shape (...,)
        False where one of them is no number.
    """
    tolerance = (settings or SolverSettings()).certified_tolerance
    size = np.maximum(np.maximum(np.abs(first), np.abs(second)), _ZERO_SIZE)
    with np.errstate(invalid="ignore"):
        gap = np.abs(first - second)
        return np.asarray(np.all(gap <= 4 * errors + 100 * tolerance * size, axis=-1))
