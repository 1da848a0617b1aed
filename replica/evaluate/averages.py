"""What the evaluation of a shape at a margin returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Names of the averages over the Gaussian vector, in the order in which they are computed.
NAMES = ("distance", "multiplier", "radius_squared", "dimension", "interior", "overlap")


@dataclass(frozen=True)
class Averages:
    """Averages for one shape and margin, with their errors.

    Attributes
    ----------
    distance, multiplier : float
        Of the squared distance, and half its derivative with respect to the margin.
    radius_squared, dimension : float
        Of ``|s|**2`` and ``(t.s/|s|)**2`` over anchor points ``s``.
    interior : float
        Probability that the vector lies inside of the set; there the support point stands for the
        anchor.
    overlap : float
        Of the cosine between ``-t`` and ``s``.
    error : dict
        Absolute error of each, by name.
    """

    distance: float
    multiplier: float
    radius_squared: float
    dimension: float
    interior: float
    overlap: float
    error: dict[str, float]
    evaluations: int = 0

    @classmethod
    def of(cls, values: Sequence[float], errors: Sequence[float], evaluations: int) -> Averages:
        """Return averages from values and errors in the order of `NAMES`."""
        distance, multiplier, squared, dimension, interior, overlap = map(float, values)
        error = dict(zip(NAMES, map(float, errors), strict=True))
        return cls(distance, multiplier, squared, dimension, interior, overlap, error, evaluations)
