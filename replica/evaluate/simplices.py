r"""Simplices of orthogonal corners: averages as finite sums, at any margin and number of corners.

The nearest point of ``{V_0 >= margin + R max_i v_i}`` pushes the ``k`` largest components down to a
common level ``L`` and ``V_0`` up to ``R L + margin``. Corners are exchangeable, so that an average
is a sum over ``k``, with the probability ``w_k`` that ``k`` of them are active. In the coordinates
``L`` and ``x_i = t_i - L > 0`` (of which the squared distance is ``F = sum x_i^2 + u^2`` with
``u = sum x_i/R``) the density factorises: ``L`` is Gaussian with the weight ``Phi(L)^(n-k)`` of the
corners that stay below, and the ``x_i`` are half normal with the weight ``exp(margin u - u^2/2)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from replica.errors import ConvergenceError

Array = NDArray[np.float64]
#: Exponent below the largest one at which a density is cut.
_DROP = 45.0
#: Nodes per standard deviation of an integrand at its peak, and the widest step in components.
_NODES, _STEP = 8, 1 / 32
#: Probability of an active number below which the sum may end.
_NEGLIGIBLE = 1e-19
_ROUNDING = 4e-16


@dataclass(frozen=True)
class SimplexAverages:
    """Averages over the Gaussian vector, exact but for the error that stands beside each.

    Attributes
    ----------
    distance, squared : float
        Of the squared distance ``F``, and of ``F**2``.
    multiplier : float
        Of the multiplier, half the derivative of ``distance`` with respect to the margin.
    active : float
        Mean number of active corners.
    interior : float
        Probability that no corner is active.
    centre, centre_squared : float
        Of ``V_0`` at the nearest point, and of its square.
    defect : float
        What the probabilities of all numbers of active corners lack to one.
    evaluations : int
    """

    distance: float
    squared: float
    multiplier: float
    active: float
    interior: float
    centre: float
    centre_squared: float
    defect: float
    evaluations: int

    @property
    def relative_error(self) -> float:
        """Relative error of the averages: the defect, and the rounding of the terms."""
        return self.defect + 1e-14


def simplex_averages(radius: float, corners: int, margin: float) -> SimplexAverages:
    """Return the averages of a simplex.

    Parameters
    ----------
    radius : float
        Positive.
    corners : int
    margin : float

    Raises
    ------
    ConvergenceError
        If the probabilities do not add up to one.
    """
    sums, evaluations = np.zeros(7), 0
    log_choices = 0.0  # sum of logarithms of ratios: differences of log-gamma functions lose digits
    for k in range(corners + 1):
        below = _level(radius, corners, k, margin)
        above = _excess(radius, k, margin)
        damping = margin**2 * k / (2 * (k + radius**2))
        log_share = log_choices - damping - k * math.log(2) + below.log + above.log
        share = math.sqrt(k + radius**2) / radius * math.exp(log_share)
        evaluations += below.nodes + above.nodes
        distance = k + margin * above.mean
        spread = 2 * k + 3 * margin * above.mean + margin**2 * above.variance
        centre = radius * below.mean + margin
        moments = (
            distance, distance**2 + spread, above.mean, k, centre,
            centre**2 + radius**2 * below.variance,
        )  # fmt: skip
        sums += share * np.array([1.0, *moments])
        if k == 0:
            interior = share
        if share < _NEGLIGIBLE and sums[0] > 0.5:
            break
        log_choices += math.log((corners - k) / (k + 1)) if k < corners else 0.0
    defect = abs(float(sums[0]) - 1)
    if not defect < 1e-8:
        raise ConvergenceError(
            f"a simplex of {corners} corners at R = {radius:g} and the margin {margin:g}: the "
            f"probabilities of its faces add up to {sums[0]:.10g} instead of one."
        )
    _, first, second, multiplier, active, centre, centre_squared = map(float, sums)
    return SimplexAverages(
        first, second, multiplier, active, interior, centre, centre_squared, defect, evaluations
    )


@dataclass(frozen=True)
class _Factor:
    """Logarithm of a factor of a probability; mean and variance of its variable; nodes used."""

    log: float
    mean: float
    variance: float
    nodes: int


def _level(radius: float, corners: int, k: int, margin: float) -> _Factor:
    """Average of ``Phi(L)^(n-k)`` over the Gaussian level, and the moments of the level with it."""
    stiffness, rest = k + radius**2, corners - k
    mean = -radius * margin / stiffness
    if rest == 0:
        return _Factor(0.0, mean, 1 / stiffness, 0)

    def slope(level: float) -> float:
        return rest * _hazard(level) - stiffness * (level - mean)

    width = 1.0
    while slope(mean + width) > 0:
        width *= 2
    peak = float(optimize.brentq(slope, mean, mean + width, xtol=1e-10))
    hazard = _hazard(peak)
    deviation = 1 / math.sqrt(stiffness + rest * hazard * (peak + hazard))
    # The exponent is more curved than that of the Gaussian, on both sides of its peak.
    reach = math.sqrt(2 * _DROP / stiffness)
    level = _grid(peak, reach, min(deviation / _NODES, _STEP))
    exponent = rest * special.log_ndtr(level) - stiffness * (level - mean) ** 2 / 2
    highest = float(exponent.max())
    weights = np.exp(exponent - highest)
    step = level[1] - level[0]
    total = float(weights.sum())
    first = float(weights @ (level - peak)) / total
    second = float(weights @ (level - peak) ** 2) / total
    log = highest + math.log(total * step * math.sqrt(stiffness / (2 * math.pi)))
    return _Factor(log, peak + first, second - first**2, len(level))


def _hazard(level: float) -> float:
    """Derivative of ``log Phi``."""
    return math.sqrt(2 / math.pi) / float(special.erfcx(-level / math.sqrt(2)))


def _excess(radius: float, k: int, margin: float) -> _Factor:
    """Average of ``exp(margin u - u^2/2)`` over half-normal ``x_i``, and the moments of ``u``.

    The Gaussian factor is a Fourier integral over ``y``. Shifted to its saddle point ``y + i c`` it
    has no cancellations, however many variables there are; ``u`` and ``u^2`` are ``c - i y`` and
    ``1 + (c - i y)^2`` in it.
    """
    if k == 0:
        return _Factor(0.0, 0.0, 0.0, 0)

    def slope(c: float) -> float:
        w = (c - margin) / radius
        return c - k / radius * _mean_half_normal(w)

    high = 1.0
    while slope(high) < 0:
        high *= 2
    c = float(optimize.brentq(slope, 0, high, xtol=1e-8))
    w = (c - margin) / radius
    tilted = _mean_half_normal(w)
    # Variance of a half-normal variable with the weight exp(-w x): 1 - w mean - mean^2.
    curvature = 1 + k / radius**2 * max(1 - w * tilted - tilted**2, 0.0)
    y = _grid(0.0, math.sqrt(2 * _DROP), 1 / (_NODES * math.sqrt(curvature)))
    start = complex(_log_laplace(np.array([w + 0j]))[0])
    exponent = -(y**2) / 2 - 1j * c * y + k * (_log_laplace(w - 1j * y / radius) - start)
    weights = np.exp(exponent)
    step = y[1] - y[0]
    total = float(weights.sum().real)
    shift = -1j * y
    first = float((weights @ shift).real) / total
    second = float((weights @ shift**2).real) / total
    log = c * c / 2 + k * start.real + math.log(total * step / math.sqrt(2 * math.pi))
    return _Factor(log, c + first, 1 + second - first**2, len(y))


def _mean_half_normal(w: float) -> float:
    """Mean of a half-normal variable with the weight ``exp(-w x)``: of a normal one at -w, cut."""
    return _hazard(-w) - w


def _log_laplace(w: NDArray[Any]) -> NDArray[Any]:
    """Logarithm of the average of ``exp(-w x)`` over a half-normal variable."""
    if w[0].real < -30:  # the tail beyond zero is below rounding
        return w**2 / 2 + math.log(2)
    return np.asarray(np.log(special.wofz(1j * w / math.sqrt(2))))


def _grid(centre: float, reach: float, step: float) -> Array:
    count = math.ceil(reach / step)
    grid: Array = centre + step * np.arange(-count, count + 1, dtype=np.float64)
    return grid
