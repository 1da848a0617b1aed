"""The declared sites by brute force: constants and weights as plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica.check.report import NotApplicable
from replica.declare.sites import MarchenkoPastur

if TYPE_CHECKING:
    from replica.check.declared import DeclaredFreeEntropy

Array = NDArray[np.float64]
#: Sites over which brute force is affordable.
_MOST = 200
_SPECTRUM = 64


class DeclaredSites:
    """Constants of the sites; one site of weight one where all are alike.

    Attributes
    ----------
    columns : dict of Symbol to array, shape (sites,)
    weights : array, shape (sites,)
    """

    def __init__(self, whole: DeclaredFreeEntropy) -> None:
        self.whole, law = whole, whole.system.sites
        self.columns: dict[sp.Symbol, Array] = {}
        self.weights = np.ones(1)
        if isinstance(law, MarchenkoPastur):
            self.columns, self.weights = _marchenko_pastur(law.x, whole.number(law.ratio))
        elif law is not None:
            self.columns = dict(zip(law.symbols, law.data.values[1:], strict=True))
            self.weights = law.data.values[0]
        if len(self.weights) > _MOST:
            raise NotApplicable(f"plain integrals are for up to {_MOST} sites")
        if whole.system.thermal.prior.free_symbols & set(self.columns):
            raise NotApplicable("the prior differs from site to site")

    @property
    def first(self) -> dict[sp.Symbol, float]:
        """Constants of the first site."""
        return {symbol: float(column[0]) for symbol, column in self.columns.items()}

    def values(self, expression: Any) -> Array:
        """Return an expression of constants and parameters at every site."""
        function = self.whole.function(list(self.columns), sp.sympify(expression), {})
        values = function(*self.columns.values()) if self.columns else function()
        return np.broadcast_to(values, self.weights.shape).astype(float)

    def mean(self, expression: Any) -> float:
        """Return the average over the sites."""
        return float(self.weights @ self.values(expression))


def _marchenko_pastur(x: sp.Symbol, ratio: float) -> tuple[dict[sp.Symbol, Array], Array]:
    """Integrate the density over the eigenvalue itself, by Gauss's rule for its square roots."""
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2
    angle = np.arange(1, _SPECTRUM + 1) * np.pi / (_SPECTRUM + 1)
    places = (low + high) / 2 + (high - low) / 2 * np.cos(angle)
    rule = np.pi / (_SPECTRUM + 1) * np.sin(angle) ** 2 * ((high - low) / 2) ** 2
    weights = rule / (2 * np.pi * ratio * places)
    if ratio > 1:
        places, weights = np.append(places, 0.0), np.append(weights, 1 - 1 / ratio)
    return {x: places}, weights
