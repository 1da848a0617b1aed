"""The symbolic vocabulary: averages, proximal operators, stable special functions."""

from replica.calculus.nodes import (
    Average,
    LabelAverage,
    MoreauEnvelope,
    Proximal,
    ProximalSlope,
    gaussian_average,
)

__all__ = [
    "Average",
    "LabelAverage",
    "MoreauEnvelope",
    "Proximal",
    "ProximalSlope",
    "gaussian_average",
]
