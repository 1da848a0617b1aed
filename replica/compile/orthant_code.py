"""Orthant probabilities of equally correlated normal variables, in C and NumPy.

Two variables: ``Phi(a) Phi(b)`` plus an integral over the angle ``asin(correlation)`` of positive
terms (Plackett 1954; Drezner & Wesolowsky 1990), ten Gauss-Legendre nodes; where the correlation is
negative the terms would cancel, and near one they have a peak: see `bivariate_code`. More
variables: the average over their common factor by a trapezoidal sum.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np
from scipy import special

from replica.compile.bivariate_code import NAME, c_normal_wedge, normal_wedge

ORDER, FLAT = 10, 0.5  # nodes for correlations up to one half
LONG_ORDER, STEEP = 24, 0.8  # and up to this one, where it is not known beforehand
LEAST = 1e-70  # what a probability is at least: logs, and ratios of a fourth power, stay finite
STEP, CUT = 0.3, 8.7


def _list(values: Any) -> str:
    return ", ".join(repr(float(v)) for v in values)


def angle_rule(correlation: float, order: int = ORDER) -> list[tuple[float, float, float]]:
    """``(weight, twice the sine, half the inverse squared cosine)`` of each node."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    angle = math.asin(correlation)
    places = (nodes + 1) / 2 * angle
    scale = weights * angle / (4 * math.pi)
    return [
        (float(w), 2 * math.sin(t), 0.5 / math.cos(t) ** 2)
        for w, t in zip(scale, places, strict=True)
    ]


def factor_rule() -> tuple[list[float], list[float]]:
    """Nodes and weights of the trapezoidal sum over a standard normal variable."""
    count = round(CUT / STEP)
    nodes = [STEP * k for k in range(-count, count + 1)]
    return nodes, [STEP * math.exp(-t * t / 2) / math.sqrt(2 * math.pi) for t in nodes]


def normal_orthant(correlation: Any, *limits: Any) -> Any:
    """Evaluate `replica.calculus.orthant.NormalOrthant` elementwise."""
    rho = float(correlation)
    if not -1 < rho < 1:
        return np.full(np.broadcast(*limits).shape, np.nan)
    if len(limits) == 2:
        if not 0 <= rho < STEEP:
            return np.maximum(normal_wedge(rho, *limits), LEAST)
        a, b = map(np.asarray, limits)
        total = special.ndtr(a) * special.ndtr(b)
        squares, product = a * a + b * b, a * b
        order = ORDER if rho <= FLAT else LONG_ORDER
        for weight, sine, secant in angle_rule(rho, order):
            total = total + weight * np.exp(-(squares - sine * product) * secant)
        return np.maximum(total, LEAST)
    share, rest = math.sqrt(rho), math.sqrt(1 - rho)
    total = 0.0
    for t, weight in zip(*factor_rule(), strict=True):
        terms = (special.ndtr((np.asarray(a) + share * t) / rest) for a in limits)
        total = total + weight * reduce(np.multiply, terms)
    return np.maximum(total, LEAST)


def is_general(correlation: Any, count: int) -> bool:
    """Whether the probability needs the function of any correlation."""
    return not correlation.is_number or (count == 2 and not 0 <= correlation <= FLAT)


def c_name(correlation: float | None, count: int) -> str:
    """Name of the C function for one correlation (or any) and number of variables."""
    if correlation is None:
        return f"rv_normal_orthant_{count}"
    digits = repr(correlation).replace(".", "_").replace("-", "m")
    return f"rv_normal_orthant_{count}_{digits}"


def c_function(correlation: float | None, count: int) -> str:
    """C function for one correlation and number of variables, branch-free where they are two."""
    name = c_name(correlation, count)
    if correlation is None:
        places, shares = np.polynomial.legendre.leggauss(LONG_ORDER)
        return (
            f"{c_normal_wedge()}\n\n"
            f"static double {name}(double correlation, double a, double b)\n{{\n"
            f"    if (!(correlation >= 0 && correlation < {STEEP!r}))\n"
            f"        return rv_max({NAME}(correlation, a, b), {LEAST!r});\n"
            f"    static const double nodes[] = {{{_list((places + 1) / 2)}}};\n"
            f"    static const double weights[] = {{{_list(shares / (4 * math.pi))}}};\n"
            "    const double angle = asin(correlation), squares = a * a + b * b;\n"
            "    double total = 0;\n"
            f"    for (int j = 0; j < {LONG_ORDER}; j++) {{\n"
            "        const double sine = sin(angle * nodes[j]), secant = 0.5 / (1 - sine * sine);\n"
            "        total += weights[j] * rv_exp(-(squares - 2 * sine * a * b) * secant);\n    }\n"
            "    total = rv_normal_cdf(a) * rv_normal_cdf(b) + angle * total;\n"
            f"    return rv_max(total, {LEAST!r});\n}}"
        )
    if count == 2:
        lines = [
            f"    total += {weight!r} * rv_exp(-(squares - {sine!r} * product) * {secant!r});"
            for weight, sine, secant in angle_rule(correlation)
        ]
        body = "\n".join(lines)
        return (
            f"RV_INLINE double {name}(double a, double b)\n{{\n"
            "    const double squares = a * a + b * b, product = a * b;\n"
            "    double total = rv_normal_cdf(a) * rv_normal_cdf(b);\n"
            f"{body}\n    return rv_max(total, {LEAST!r});\n}}"
        )
    arguments = ", ".join(f"double a{i}" for i in range(count))
    nodes, weights = factor_rule()
    share, rest = math.sqrt(correlation), 1 / math.sqrt(1 - correlation)
    term = " * ".join(f"rv_normal_cdf((a{i} + shift) * {rest!r})" for i in range(count))
    return (
        f"static double {name}({arguments})\n{{\n"
        f"    static const double shifts[] = {{{', '.join(repr(share * t) for t in nodes)}}};\n"
        f"    static const double weights[] = {{{', '.join(map(repr, weights))}}};\n"
        "    double total = 0;\n    #pragma omp simd reduction(+ : total)\n"
        f"    for (int j = 0; j < {len(nodes)}; j++) {{\n        const double shift = shifts[j];\n"
        f"        total += weights[j] * {term};\n    }}\n"
        f"    return rv_max(total, {LEAST!r});\n}}"
    )
