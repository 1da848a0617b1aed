"""Averages over sites with mpmath: a sum over a table, or an integral over a spectrum."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp
from mpmath import mp

from replica.calculus.multiprecision import FUNCTIONS
from replica.calculus.spectra import EmpiricalAverage, MarchenkoPasturAverage, SiteAverage
from replica.progress import keep_time
from replica.solve.multiprecision_numbers import integrate

Integrands = Callable[[Mapping[sp.Symbol, Any]], list[Any]]


def site_averages(
    node: SiteAverage, integrands: Integrands, local: Mapping[sp.Symbol, Any]
) -> list[Any]:
    """Average several integrands over the law of one node."""
    if isinstance(node, EmpiricalAverage):
        return _over_table(node, integrands, dict(local))
    assert isinstance(node, MarchenkoPasturAverage)
    return _over_spectrum(node, integrands, dict(local))


def _over_table(
    node: EmpiricalAverage, integrands: Integrands, local: dict[sp.Symbol, Any]
) -> list[Any]:
    total: list[Any] = []
    for weight, *columns in zip(*node.data.values.tolist(), strict=True):
        keep_time()
        local.update(zip(node.symbols, map(mp.mpf, columns), strict=True))
        terms = [mp.mpf(weight) * value for value in integrands(local)]
        total = [a + b for a, b in zip(total or [mp.zero] * len(terms), terms, strict=True)]
    return total


def _over_spectrum(
    node: MarchenkoPasturAverage, integrands: Integrands, local: dict[sp.Symbol, Any]
) -> list[Any]:
    (x,), symbols = node.symbols, list(node.ratio.free_symbols)
    function = sp.lambdify(symbols, node.ratio, modules=[dict(FUNCTIONS), "mpmath"])
    ratio = mp.mpf(function(*(local[s] for s in symbols)))
    root = mp.sqrt(ratio)

    def integrand(angle: Any) -> list[Any]:
        keep_time()
        local[x] = (1 - root) ** 2 + 4 * root * mp.cos(angle / 2) ** 2
        density = 2 * mp.sin(angle) ** 2 / (mp.pi * local[x])
        return [density * value for value in integrands(local)]

    total = integrate(integrand, [mp.zero, mp.pi / 2, mp.pi])
    if ratio <= 1:
        return total
    local[x] = mp.zero
    at_zero = integrands(local)
    return [a + (1 - 1 / ratio) * b for a, b in zip(total, at_zero, strict=True)]
