"""Quasi-random normal points, for averages over many variables.

Scrambled Sobol points integrate smooth functions with an error that falls faster than one over
their number (Owen 1997); independent scramblings make replicates, whose spread is a standard error.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Independent scramblings of a sample; quadrature.h has the same number.
REPLICATES = 16
#: Most variables of an average, with those of the averages inside.
MAX_DIMENSION = 64


@lru_cache(maxsize=4)
def normal_points(dimension: int, samples: int, seed: int) -> NDArray[np.float64]:
    """Standard normal points of shape (replicates, points of one, dimension)."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    rngs = np.random.default_rng(seed).spawn(REPLICATES)
    places = [qmc.Sobol(dimension, rng=rng).random(samples // REPLICATES) for rng in rngs]
    points = ndtri(np.clip(np.array(places), 1e-16, 1 - 1e-16))
    points.flags.writeable = False  # it is shared
    return np.asarray(points)
