"""Probabilities of two correlated normal variables to relative accuracy, in C and NumPy.

``P(X <= a, Y <= b)`` is the mass of a wedge in the plane of two independent normal variables. In
polar coordinates around its apex the radial integral is elementary and positive, so that nothing
cancels however small the probability or however near the correlation to one or minus one: with the
distance ``R`` of the apex from the origin and the angle ``t`` to the origin's direction,
``2 pi P = int [exp(-R^2/2) + sqrt(2 pi) C exp(-S^2/2) Phi(C)] dt``, ``C = R cos t``,
``S = R sin t``. The origin is outside of the wedge, else the opposite one is taken.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

ORDER = 32
#: Nodes where the wedge is narrower than this angle, and its chord at the origin than this length.
SHORT_ORDER, ANGLE, CHORD = 16, 1.6, 4.0
#: Twice the depth below its largest value, in e-folds, at which the integrand is cut.
DEPTH = 80.0
NAME = "rv_normal_wedge"
_ROOT = math.sqrt(2 * math.pi)
Array = np.ndarray[Any, np.dtype[np.float64]]


def normal_wedge(correlation: float, a: Any, b: Any) -> Array:
    """Return ``P(X <= a, Y <= b)`` elementwise, for a correlation inside (-1, 1)."""
    a, b = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(b, dtype=float))
    inside = (a > 0) & (b > 0)
    x, y = np.where(inside, -a, a), np.where(inside, -b, b)
    root = math.sqrt((1 - correlation) * (1 + correlation))
    c = (y - correlation * x) / root
    square = x * x + c * c
    low = -np.arctan2(x, c)
    high = low + math.atan2(root, -correlation)
    turn = 2 * np.pi * np.floor((low + high) / (4 * np.pi))
    low, high = low - turn, high - turn
    # One end may be near the direction to the origin, where the mass is.
    first = low <= 2 * np.pi - high
    near = np.where(first, low, 2 * np.pi - high)
    with np.errstate(divide="ignore", over="ignore"):
        share = np.where(near < np.pi / 2, np.sin(near) ** 2 + DEPTH / square, 1.0)
    reach = np.where(share < 1, np.arcsin(np.sqrt(np.minimum(share, 1.0))), 4 * np.pi)
    high = np.where(first, np.minimum(high, reach), high)
    low = np.where(first, low, np.maximum(low, 2 * np.pi - reach))
    stretch, middle = np.tan((high - low) / 4), (low + high) / 2
    away, radius = np.exp(-square / 2), np.sqrt(square)
    cosine, sine = radius * np.cos(middle), radius * np.sin(middle)
    total = np.zeros_like(square)
    short = (high - low < ANGLE) & (radius * (high - low) < CHORD)
    for order, chosen in ((SHORT_ORDER, short), (ORDER, ~short)):
        if not np.any(chosen):
            continue
        for node, weight in zip(*np.polynomial.legendre.leggauss(order), strict=True):
            t = stretch * node
            scale = 1 / (1 + t * t)
            one, other = (1 - t * t) * scale, 2 * t * scale
            along, across = cosine * one - sine * other, sine * one + cosine * other
            peak = _ROOT * along * np.exp(-across * across / 2) * special.ndtr(along)
            total = total + np.where(chosen, weight * scale * (away + peak), 0.0)
    return np.where(inside, special.ndtr(a) - special.ndtr(-b), 0.0) + total * stretch / np.pi


def c_normal_wedge() -> str:
    """Return the same as a C function."""
    rules = [np.polynomial.legendre.leggauss(order) for order in (ORDER, SHORT_ORDER)]
    nodes, weights = (
        ", ".join(repr(float(v)) for rule in rules for v in rule[part]) for part in (0, 1)
    )
    turn, half = repr(2 * math.pi), repr(math.pi / 2)
    return f"""static double {NAME}(double correlation, double a, double b)
{{
    static const double nodes[] = {{{nodes}}};
    static const double weights[] = {{{weights}}};
    const int inside = a > 0 && b > 0;
    const double x = inside ? -a : a, y = inside ? -b : b;
    const double root = sqrt((1 - correlation) * (1 + correlation));
    const double c = (y - correlation * x) / root, square = x * x + c * c;
    double low = -atan2(x, c), high = low + atan2(root, -correlation);
    const double turn = {turn} * floor((low + high) / (2 * {turn}));
    low -= turn;
    high -= turn;
    const int first = low <= {turn} - high;
    const double near = first ? low : {turn} - high;
    const double share = near < {half} ? sin(near) * sin(near) + {DEPTH!r} / square : 1.0;
    if (share < 1) {{
        const double reach = asin(sqrt(share));
        if (first) high = fmin(high, reach);
        else low = fmax(low, {turn} - reach);
    }}
    const double stretch = tan((high - low) / 4), middle = (low + high) / 2;
    const double away = rv_exp(-square / 2), radius = sqrt(square);
    const double cosine = radius * cos(middle), sine = radius * sin(middle);
    const int brief = high - low < {ANGLE!r} && radius * (high - low) < {CHORD!r};
    const int begin = brief ? {ORDER} : 0, end = brief ? {ORDER + SHORT_ORDER} : {ORDER};
    double total = 0;
    #pragma omp simd reduction(+ : total)
    for (int j = begin; j < end; j++) {{
        const double t = stretch * nodes[j], scale = 1 / (1 + t * t);
        const double one = (1 - t * t) * scale, other = 2 * t * scale;
        const double along = cosine * one - sine * other, across = sine * one + cosine * other;
        const double peak = {_ROOT!r} * along * rv_exp(-across * across / 2) * rv_normal_cdf(along);
        total += weights[j] * scale * (away + peak);
    }}
    return (inside ? rv_normal_cdf(a) - rv_normal_cdf(-b) : 0.0) + total * stretch / {math.pi!r};
}}"""
