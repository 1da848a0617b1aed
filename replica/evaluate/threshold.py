"""The threshold of a readout of sparse labels: where the average is stationary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from scipy import optimize

from replica.errors import ConvergenceError
from replica.evaluate.samples import Estimate

#: Distance of thresholds between which the slope of the condition is measured.
_STEP = 1e-4
_FARTHEST = 1e3


@dataclass(frozen=True)
class Threshold:
    """The best threshold, and what is left of the condition that it shall satisfy."""

    threshold: Estimate
    residual: float


def best_threshold(condition: Callable[[float], Estimate]) -> Threshold:
    """Find where the increasing derivative of a convex average vanishes.

    Raises
    ------
    ConvergenceError
        If there is no such threshold of ordinary size.
    """

    def value(b: float) -> float:
        return condition(b).value

    width = 1.0
    while value(-width) > 0 or value(width) < 0:
        width *= 2
        if width > _FARTHEST:
            raise ConvergenceError("no threshold is the best one: the labels are too sparse.")
    b = float(optimize.brentq(value, -width, width, xtol=1e-14, rtol=1e-14))
    at = condition(b)
    slope = (value(b + _STEP) - value(b - _STEP)) / (2 * _STEP)
    error = (at.error + abs(at.value)) / max(slope, 1e-300)
    return Threshold(Estimate(b, error), abs(at.value))


class Averages(Protocol):
    """Averages of combinations, given as pairs of a weight and a margin."""

    def distance(self, terms: list[tuple[float, float]]) -> Estimate:
        """Of squared distances."""

    def multiplier(self, terms: list[tuple[float, float]]) -> Estimate:
        """Of multipliers."""


@dataclass(frozen=True)
class SparseLoad:
    """The average squared distance of sparse labels, and the threshold at which it is least."""

    load: Estimate
    threshold: Estimate


def sparse_load(over: Averages, margin: float, fraction: float) -> SparseLoad:
    """Average over labels of which a fraction is positive, with the best threshold.

    Raises
    ------
    ConvergenceError
        If there is no such threshold of ordinary size.
    """

    def terms(b: float, sign: int) -> list[tuple[float, float]]:
        return [(fraction, margin + b), (sign * (1 - fraction), margin - b)]

    found = best_threshold(lambda b: over.multiplier(terms(b, -1)))
    return SparseLoad(over.distance(terms(found.threshold.value, 1)), found.threshold)
