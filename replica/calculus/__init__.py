"""The symbolic vocabulary: averages, proximal operators, stable special functions."""

from replica.calculus.nodes import (
    Average,
    LabelAverage,
    MoreauEnvelope,
    Proximal,
    ProximalSlope,
    gaussian_average,
)
from replica.calculus.special import LogNormalCdf, NormalCdf

__all__ = [
    "Average",
    "LabelAverage",
    "LogNormalCdf",
    "MoreauEnvelope",
    "NormalCdf",
    "Proximal",
    "ProximalSlope",
    "gaussian_average",
]
