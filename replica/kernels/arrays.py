"""Arrays of numbers that are given, checked before any work."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.errors import DataError

Array = NDArray[np.float64]


def finite_array(value: Any, what: str) -> Array:
    """Return an array of floating-point numbers.

    Raises
    ------
    DataError
        If there is something else in it, or a number that is not finite; ``what`` is named.
    """
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise DataError(
            f"{what}: expected an array of numbers, got {reprlib.repr(value)}."
        ) from None
    if not np.isfinite(array).all():
        raise DataError(f"{what}: there are entries that are not finite numbers.")
    return array
