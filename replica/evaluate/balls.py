r"""Points and balls: averages as one-dimensional integrals.

The vector enters by ``t_0`` and by the length ``t`` of its other ``D`` components, of which the
integrals over ``t_0`` are elementary (Chung, Lee & Sompolinsky, Phys. Rev. X 8, 031003, 2018). The
anchor of full support has length ``t/(kappa - t_0)``, for which the integral over ``t`` is an
incomplete gamma function instead.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, special

from replica.evaluate.averages import Averages

Array = NDArray[np.float64]
#: Standard deviations beyond which a Gaussian density is below the smallest rounding.
_REACH = 13.0
_ABSOLUTE = 1e-13


def point_averages(margin: float) -> Averages:
    """Return the averages of a single point, in closed form."""
    cdf, pdf = float(special.ndtr(margin)), _pdf(margin)
    distance = (1 + margin**2) * cdf + margin * pdf
    multiplier = margin * cdf + pdf
    rounding = {
        "distance": 4e-16 * (distance + abs(margin) * pdf),
        "multiplier": 4e-16 * (pdf + abs(margin) * cdf),
        "radius_squared": 0.0, "dimension": 0.0, "interior": 2e-16,
        "overlap": 0.0,
    }  # fmt: skip
    return Averages(distance, multiplier, 0.0, 0.0, 1 - cdf, 1.0, rounding)


def ball_averages(radius: float, dimension: float, margin: float) -> Averages:
    """Return the averages of a ball, by adaptive quadrature."""
    if radius == 0:
        flat = point_averages(margin)
        return Averages(
            flat.distance, flat.multiplier, 0.0, dimension, flat.interior, 1.0,
            {**flat.error, "dimension": 0.0},
        )  # fmt: skip

    def over_length(t: float) -> Array:
        density = math.exp(_log_chi(t, dimension))
        return density * np.array(_inner(t, radius, margin))

    centre = math.sqrt(max(dimension - 1, 0.0))
    low, high = max(0.0, centre - _REACH), centre + _REACH
    first, gap, count = _integrate(over_length, low, high, _scales(radius, margin, low, high))

    def over_gap(s: float) -> Array:
        inside = (radius * s) ** 2 / 2
        outer = radius**2 * special.gammaincc(dimension / 2, inside)
        full = dimension * special.gammainc(dimension / 2 + 1, inside) / s**2
        return np.array([_pdf(margin - s) * (outer + full)])

    top = max(margin, 0.0) + _REACH
    points = _scales(1 / radius, 0.0, 0.0, top, centre)
    second, gap2, count2 = _integrate(over_gap, 0.0, top, points)
    # Below s = 0, t_0 exceeds the margin, and the anchor is on the surface.
    squared = float(second[0]) + radius**2 * float(special.ndtr(-margin))
    distance, multiplier, interior = map(float, first)
    # The exponent of the density holds the logarithm of a gamma function.
    rounding = 4e-16 * (1 + dimension * math.log1p(dimension))
    gap, gap2 = gap + rounding * distance, gap2 + rounding * squared
    error = {
        "distance": gap, "multiplier": gap, "interior": gap,
        "radius_squared": gap2, "dimension": 0.0, "overlap": 0.0,
    }  # fmt: skip
    return Averages(distance, multiplier, squared, dimension, interior, 1.0, error, count + count2)


def _inner(t: float, radius: float, margin: float) -> tuple[float, float, float]:
    """Integrals over ``t_0`` of distance, multiplier and of the interior."""
    low, high = margin - t / radius, margin + t * radius
    touching, slope = _moments(low, high, margin + radius * t)
    free, free_slope = _moments(-math.inf, low, margin)
    weight = float(special.ndtr(low))
    return (
        touching / (1 + radius**2) + free + t * t * weight,
        slope / (1 + radius**2) + free_slope,
        float(special.ndtr(-high)),
    )


def _moments(low: float, high: float, c: float) -> tuple[float, float]:
    """Integrals of ``(c - x)**2`` and ``c - x`` over the standard normal law between two bounds."""
    mass = _mass(low, high)
    ends, edges = _pdf(low) - _pdf(high), _edge(high) - _edge(low)
    return (1 + c * c) * mass - 2 * c * ends - edges, c * mass - ends


def _mass(low: float, high: float) -> float:
    if low > 0:  # in the tail that is small
        return float(special.ndtr(-low) - special.ndtr(-high))
    return float(special.ndtr(high) - special.ndtr(low))


def _edge(x: float) -> float:
    return 0.0 if math.isinf(x) else x * _pdf(x)


def _pdf(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi) if abs(x) < 40 else 0.0


def _log_chi(t: float, dimension: float) -> float:
    """Logarithm of the density of the chi law."""
    if t == 0:
        return math.log(math.sqrt(2 / math.pi)) if dimension == 1 else -math.inf
    norm = (1 - dimension / 2) * math.log(2) - math.lgamma(dimension / 2)
    return norm + (dimension - 1) * math.log(t) - t * t / 2


def _scales(radius: float, margin: float, low: float, high: float, *more: float) -> list[float]:
    """Places at which an integrand may turn sharply: where ``t/R`` passes a Gaussian."""
    wanted = [radius * (margin + shift) for shift in (-6.0, -2.0, 0.0, 2.0, 6.0)]
    wanted += [(low + high) / 2, *more, *(m * radius for m in more)]
    return sorted({x for x in wanted if low < x < high})


def _integrate(
    function: object, low: float, high: float, points: list[float]
) -> tuple[Array, float, int]:
    value, error, info = integrate.quad_vec(
        function, low, high, epsabs=_ABSOLUTE, epsrel=1e-13, points=points, limit=2000,
        full_output=True, norm="max",
    )  # fmt: skip
    return value, float(error), int(info.neval)
