r"""Capacity of cross-polytopes without margin, as a finite sum.

Without margin the average of the squared distance is the mean number of active generators, that is
the statistical dimension of a cone (Amelunxen, Lotz, McCoy & Tropp, Inf. Inference 3, 224, 2014).
The probability that ``k`` of them are active is a product of an internal and an external angle.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, optimize, special

Array = NDArray[np.float64]


def cross_polytope_distance(radius: float, dimension: int) -> tuple[float, float]:
    """Return the average squared distance without margin, and the error of its quadratures."""
    if radius == 0:
        return 0.5, 0.0
    total, weighted, error = 0.0, 0.0, 0.0
    for k in range(dimension + 1):
        outer, outer_error = _outer(radius, k, dimension)
        inner, inner_error = _inner(radius, k)
        factor = math.exp(
            special.gammaln(dimension + 1) - special.gammaln(k + 1)
            - special.gammaln(dimension - k + 1) + k * math.log(2)
            - (k + 1) / 2 * math.log(2 * math.pi) + k / 2 * math.log(math.pi / 2)
        ) * (radius**2 + k) / radius  # fmt: skip
        share = factor * outer * inner
        total += share
        weighted += k * share
        error += dimension * factor * (outer_error * inner + outer * inner_error)
    return weighted + (dimension + 1) * (1 - total), error + 1e-15 * dimension


def _outer(radius: float, k: int, dimension: int) -> tuple[float, float]:
    def integrand(level: float) -> float:
        rest = math.erf(level / math.sqrt(2)) ** (dimension - k)
        return math.exp(-(k + radius**2) * level**2 / 2) * rest

    high = 13 / math.sqrt(k + radius**2)
    value, error = integrate.quad(integrand, 0, high, epsabs=0, epsrel=1e-13, limit=400)
    return value, error


def _inner(radius: float, k: int) -> tuple[float, float]:
    """Average of ``exp(-S^2/(2 R^2))``, ``S`` a sum of k half-normal variables.

    It is exponentially small: as a Fourier integral, shifted to its saddle point, it has no
    cancellations.
    """
    if k == 0:
        return 1.0, 0.0
    scale = 1 / (radius * math.sqrt(2))

    def exponent(c: float) -> float:
        return c * c / 2 + k * math.log(special.erfcx(c * scale))

    c = float(
        optimize.minimize_scalar(exponent, bounds=(0, 10 * math.sqrt(k) + 10), method="bounded").x
    )

    def integrand(y: float) -> float:
        shifted = special.wofz(1j * (c - 1j * y) * scale)
        log = -((y + 1j * c) ** 2) / 2 + k * np.log(shifted)
        return float(np.exp(log).real) / math.sqrt(2 * math.pi)

    value, error = integrate.quad(integrand, 0, 14, epsabs=0, epsrel=1e-12, limit=400)
    return 2 * value, 2 * error
