"""Capacities of a finite number of weights, for shapes that know how many manifolds there are.

``p`` manifolds fit where ``p load(p)`` is not more than the number of weights. The number is whole:
between two of them the left side is interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from replica.errors import ConvergenceError, ParameterError

#: Numbers of manifolds between which a threshold is looked for.
FEWEST, _MOST = 2, 1e15
_ITERATIONS = 60


@dataclass(frozen=True)
class Threshold:
    """Where a number of manifolds crosses the capacity.

    Attributes
    ----------
    below : int
        Largest number that fits.
    fraction : float
        Place of the threshold between it and the next.
    slope : float
        Weights that one more manifold takes.
    """

    below: int
    fraction: float
    slope: float

    @property
    def count(self) -> float:
        """Number of manifolds at the threshold."""
        return self.below + self.fraction


def count_threshold(load: Callable[[int], float], weights: float) -> Threshold:
    """Find how many manifolds fit.

    Parameters
    ----------
    load : callable
        Weights a manifold takes, which grow with the number of manifolds slowly.
    weights : float
        Number of weights.

    Raises
    ------
    ParameterError
        If not even two manifolds fit.
    ConvergenceError
        If more fit than can be counted.
    """

    @cache
    def taken(count: int) -> float:
        return count * load(count)

    require_a_few(taken(FEWEST), weights)
    guess = FEWEST
    for _ in range(_ITERATIONS):
        ratio = weights / load(guess) if load(guess) > 0 else math.inf
        if ratio > _MOST:
            raise ConvergenceError(f"more than {_MOST:g} manifolds fit: there is no threshold.")
        following = max(FEWEST, math.floor(ratio))
        if abs(following - guess) <= 1:
            break
        guess = following
    low, high, width = guess, guess + 1, 1
    while taken(low) > weights:
        low, high, width = max(FEWEST, low - width), low, 2 * width
    while taken(high) <= weights:
        low, high, width = high, high + width, 2 * width
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if taken(middle) <= weights else (low, middle)
    slope = taken(high) - taken(low)
    return Threshold(low, (weights - taken(low)) / slope, slope)


def require_a_few(taken: float, weights: float) -> None:
    """Raise ParameterError where the fewest manifolds take more weights than there are."""
    if taken > weights:
        raise ParameterError(
            f"{weights:g} weights are too few: {FEWEST} manifolds need {taken:.4g}."
        )
