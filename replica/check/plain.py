"""Plain numerics for brute force: dense grids, panels between break points, zooming in.

Nothing here is fast or clever, and nothing is shared with the compiled equations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy import optimize, special
from sympy.core.relational import Relational

from replica.progress import keep_time

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

#: Gaussian integrals are cut at this many standard deviations.
_CUT = 9.0
_SHIFT = 0.0173
#: Offsets from a centre, dense near it and far-reaching.
_OFFSETS = np.sinh(np.linspace(-14.0, 14.0, 281))
#: Mass below ``exp(-_DEPTH)`` times the largest is left out.
_DEPTH = 45.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_PANELS = 8


def normal_average(
    function: Function, mean: float, deviation: float, tolerance: float = 1e-10, most: int = 2**13
) -> tuple[float, float]:
    """Average over a Gaussian variable by the trapezoidal rule, refined until it stands still.

    Returns
    -------
    value, error : float
        The error is the change at the last refinement.
    """
    count = 128
    # Off the centre, where a symmetric function may be singular.
    x = np.linspace(-_CUT, _CUT, count + 1) + _SHIFT
    values = function(mean + deviation * x)
    while True:
        keep_time()
        density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        terms = np.where(density * values == 0, 0.0, density * values)
        fine = float(np.sum(terms)) * 2 * _CUT / count
        coarse = float(np.sum(terms[::2])) * 4 * _CUT / count
        error = abs(fine - coarse)
        if error <= tolerance * max(abs(fine), 1.0) or count >= most or not np.isfinite(error):
            return fine, error
        between = (x[1:] + x[:-1]) / 2
        x = _interleave(x, between)
        values = _interleave(values, function(mean + deviation * between))
        count *= 2


def _interleave(outer: Array, inner: Array) -> Array:
    result = np.empty(len(outer) + len(inner))
    result[::2], result[1::2] = outer, inner
    return result


def log_integral(
    log_weight: Function, centre: Array, scale: float, breaks: Sequence[float] = ()
) -> Array:
    """``log int exp(log_weight(x)) dx`` over the real line, one integral a row.

    Parameters
    ----------
    log_weight : callable
        Takes and returns arrays of shape ``(rows, points)``.
    centre : array, shape (rows,)
        Points near the mass, on the scale of ``scale``.
    breaks : sequence of float
        Jumps and kinks, between which the integrand is smooth.
    """
    x = centre[:, None] + scale * _OFFSETS
    rows = np.arange(len(centre))
    for _ in range(4):
        keep_time()
        heights = _finite_or(log_weight(x), -np.inf)
        inside = heights > np.max(heights, axis=1, keepdims=True) - _DEPTH
        last = x.shape[1] - 1
        low = x[rows, np.maximum(np.argmax(inside, axis=1) - 1, 0)]
        high = x[rows, np.minimum(last - np.argmax(inside[:, ::-1], axis=1) + 1, last)]
        x = np.linspace(low, high, 65, axis=1)
    inner = [np.clip(b, low, high) for b in sorted(breaks)]
    edges = np.stack([low, *inner, high], axis=1)
    steps = np.arange(_PANELS) / _PANELS
    width = np.diff(edges, axis=1)[:, :, None] / _PANELS
    left = edges[:, :-1, None] + steps * width * _PANELS
    nodes = left[..., None] + width[..., None] * (_NODES + 1) / 2
    weights = np.broadcast_to(width[..., None] * _WEIGHTS / 2, nodes.shape)
    flat = (len(centre), -1)
    heights = _finite_or(log_weight(nodes.reshape(flat)), -np.inf)
    with np.errstate(divide="ignore"):
        heights = heights + np.log(weights.reshape(flat))
    total: Array = special.logsumexp(heights, axis=1)
    return total


def minimum(energy: Function, centre: Array, scale: float) -> Array:
    """``min_x energy(x)``, one minimum a row, of a function with one valley, walls allowed."""
    x = centre[:, None] + scale * _OFFSETS[::2]
    rows = np.arange(len(centre))
    best = np.full(len(centre), np.inf)
    for _ in range(18):  # each narrows the bracket four times
        heights = _finite_or(energy(x), np.inf)
        at = np.argmin(heights, axis=1)
        best = np.minimum(best, heights[rows, at])
        low = x[rows, np.maximum(at - 1, 0)]
        high = x[rows, np.minimum(at + 1, x.shape[1] - 1)]
        x = np.linspace(low, high, 9, axis=1)
    return best


def roots(function: Callable[[Array], Array], span: float = 1e4) -> list[float]:
    """Sign changes of a function of one variable, located by sampling."""
    x = span * np.sinh(np.linspace(-16.0, 16.0, 1602)) / np.sinh(16.0)
    values = np.broadcast_to(function(x), x.shape)
    changes = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
    return [
        float(optimize.brentq(function, x[i], x[i + 1], xtol=1e-14, rtol=1e-14)) for i in changes
    ]


def break_points(expression: sp.Basic, variable: sp.Symbol) -> list[float]:
    """Where a function of one variable, all else being numbers, has jumps or kinks."""
    arguments: list[sp.Expr] = [
        atom.args[0] for atom in expression.atoms(sp.Heaviside, sp.Abs, sp.sign)
    ]
    arguments += [relation.lhs - relation.rhs for relation in expression.atoms(Relational)]
    for atom in expression.atoms(sp.Max, sp.Min):
        arguments += [a - b for i, a in enumerate(atom.args) for b in atom.args[i + 1 :]]
    found: set[float] = set()
    for argument in arguments:
        if variable in argument.free_symbols:
            found |= set(roots(sp.lambdify(variable, argument, "numpy")))
    return sorted(found)


def _finite_or(values: Array, instead: float) -> Array:
    return np.where(np.isnan(values), instead, values)
