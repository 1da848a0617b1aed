r"""Ellipsoids: averages over a direction, with the length of the vector and ``t_0`` integrated.

For ``t = r e`` the touching regime is traced by ``t_0 = kappa + r g(x)``, ``0 < x < 1``: the
equation for the multiplier need not be solved if it is the integration variable. The length then
has the law ``r^(D-1) exp(-(1 + g^2) r^2/2 - kappa g r)``, one integral for all directions. In the
other regimes the length is bounded by ``t_0``: incomplete gamma functions. In two dimensions
equal steps on logarithmic scales converge exponentially, beyond directions are randomised Sobol
points, and the spread of the randomisations is the error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, special, stats

from replica.evaluate.averages import NAMES, Averages
from replica.evaluate.balls import ball_averages
from replica.evaluate.settings import CapacitySettings

Array = NDArray[np.float64]
_REACH = 11.0
_RADIAL_NODES = 64
_REPLICATES = 16
#: Steps on logarithmic scales that are tried in turn, and where these end.
_STEPS = (0.26, 0.18, 0.125)
_FAR = 34.0


def ellipsoid_averages(radii: Array, margin: float, settings: CapacitySettings) -> Averages:
    """Return the averages of an ellipsoid.

    Parameters
    ----------
    radii : array, shape (D,)
    margin : float
    settings : CapacitySettings
        ``samples`` is the number of directions beyond two dimensions.
    """
    axes = radii[radii > 0]
    if len(axes) < 2 or np.ptp(axes) <= 1e-15 * axes.max():
        radius = float(axes[0]) if len(axes) else 0.0
        return ball_averages(radius, max(len(axes), 1), margin)
    if len(axes) == 2:
        return _in_the_plane(axes, margin, settings.tolerance)
    return _in_space(axes, margin, settings)


def _in_the_plane(radii: Array, margin: float, tolerance: float) -> Averages:
    previous, evaluations = None, 0
    for step in _STEPS:
        # The tangent of the angle, and mu, on logarithmic scales: the same digits at any radii.
        w = np.arange(-_FAR, _FAR + step / 2, step)
        directions = np.column_stack([1 / np.hypot(1, np.exp(w)), 1 / np.hypot(1, np.exp(-w))])
        over = _Directions(radii, directions, margin, step / np.cosh(w) / math.pi)
        low, high = -2 * np.log(radii.max()) - _FAR, -2 * np.log(radii.min()) + _FAR
        u = np.arange(low, high + step / 2, step)
        x, y = over.balanced(np.exp(u))
        values, inner = over.averages(x, y, step * x * y, groups=1)
        evaluations += len(w) * len(u)
        if previous is not None:
            gap = np.abs(values[0] - previous) + inner
            if gap.max() <= min(tolerance, 1e-11) * max(1.0, np.abs(values[0]).max()):
                break
        previous = values[0]
    return Averages.of(values[0], gap, evaluations)


def _in_space(radii: Array, margin: float, settings: CapacitySettings) -> Averages:
    power = max(2, math.ceil(math.log2(settings.samples / _REPLICATES)))
    directions = _sphere(len(radii), power, settings.seed)
    over = _Directions(radii, directions, margin, np.full(len(directions), 1 / len(directions)))
    (coarse, _), (values, inner) = (
        over.averages(x, 1 - x, weights, groups=_REPLICATES)
        for x, weights in (_legendre(24), _legendre(48))
    )
    spread = values.std(axis=0, ddof=1) / math.sqrt(_REPLICATES)
    error = spread + np.abs((values - coarse).mean(axis=0)) + inner
    return Averages.of(values.mean(axis=0), error, len(directions) * 48)


@lru_cache(maxsize=4)
def _sphere(dimension: int, power: int, seed: int) -> Array:
    """Return randomised Sobol points on the sphere, one randomisation after the other."""
    random = np.random.default_rng(seed)
    parts = []
    for _ in range(_REPLICATES):
        points = stats.qmc.Sobol(dimension, scramble=True, rng=random).random_base2(power)
        normal = special.ndtri(np.clip(points, 1e-16, 1 - 1e-16))
        parts.append(normal / np.sqrt(np.square(normal).sum(axis=1))[:, None])
    return np.concatenate(parts)


@dataclass(frozen=True)
class _Directions:
    """Averages over the lengths of vectors of some directions."""

    radii: Array
    directions: Array
    margin: float
    weights: Array

    @property
    def balance(self) -> float:
        """The scale of ``mu = balance x/(1 - x)``, in the middle of those of the axes."""
        return float(np.exp(-2 * np.log(self.radii).mean()))

    def balanced(self, mu: Array) -> tuple[Array, Array]:
        """Return ``x`` and ``1 - x`` at values of ``mu``."""
        return mu / (self.balance + mu), self.balance / (self.balance + mu)

    def _means(self, values: Array, groups: int) -> Array:
        """Average values of shape (directions, names) over groups of directions."""
        shares = (values * (self.weights * groups)[:, None]).reshape(groups, -1, len(NAMES))
        result: Array = shares.sum(axis=1)
        return result

    def averages(self, x: Array, y: Array, weights: Array, groups: int) -> tuple[Array, float]:
        """Return means over groups of directions, and the error of the adaptive quadrature.

        Parameters
        ----------
        x, y, weights : arrays, shape (nodes,)
            Nodes, ``1 - x`` and weights of a rule between 0 and 1.
        groups : int
        """
        parts = [
            self._touching(chunk, x, y) @ weights
            for chunk in np.array_split(self.directions, max(1, len(self.directions) // 256))
        ]
        touching = self._means(np.concatenate(parts), groups)
        rest, error = self._other_regimes(groups)
        return touching + rest, error

    def _touching(self, directions: Array, x: Array, y: Array) -> Array:
        """Integrands along ``x``, of shape (directions, names, nodes)."""
        square, axes = self.radii**2, directions[:, :, None] ** 2
        dimension = len(square)
        c = self.balance
        e = 1 / (y + c * x * square[:, None])
        slope_e = -(e**2) * (c * square[:, None] - 1)
        weighted = square[:, None] * axes
        m = np.sqrt((weighted * e**2).sum(axis=1))
        slope_m = (weighted * e * slope_e).sum(axis=1) / m
        g = (y - c * x) * m
        speed = np.abs(-(1 + c) * m + (y - c * x) * slope_m)
        force = c * x * m
        distance = force**2 + (axes * (c * x * square[:, None] * e) ** 2).sum(axis=1)
        squares = (weighted * square[:, None] * e**2).sum(axis=1)
        aligned = (weighted * e).sum(axis=1) ** 2 / squares
        rates = (distance, force, squares / m**2, aligned, np.zeros_like(m), np.sqrt(aligned))
        powers = (2, 1, 0, 2, 0, 0)
        stretch = 1 + g**2
        moments = self._radial(g / np.sqrt(stretch), dimension)
        terms = [
            rate * speed * moments[p] * stretch ** (-(dimension + p + 1) / 2)
            for rate, p in zip(rates, powers, strict=True)
        ]
        return np.stack(terms, axis=1)

    def _radial(self, slope: Array, dimension: int) -> list[Array]:
        """Integrals of ``rho^(D + p) exp(-rho^2/2 - kappa h rho)``, with their constants."""
        reach = _REACH + abs(self.margin)
        low = max(0.0, math.sqrt(dimension) - reach)
        high = math.sqrt(dimension + 2) + reach
        node, weight = _legendre(_RADIAL_NODES)
        rho = low + (high - low) * node
        log_norm = (1 - dimension / 2) * math.log(2) - math.lgamma(dimension / 2)
        log_norm -= math.log(2 * math.pi) / 2
        fixed = dimension * np.log(rho) + log_norm - (rho**2 + self.margin**2) / 2
        weights = (high - low) * weight * rho ** np.arange(3)[:, None]
        if self.margin == 0:
            totals = weights @ np.exp(fixed)
            return [np.full(slope.shape, total) for total in totals]
        tilt = np.exp(fixed - self.margin * slope[..., None] * rho)
        return list(np.moveaxis(tilt @ weights.T, -1, 0))

    def _other_regimes(self, groups: int) -> tuple[Array, float]:
        square, axes = self.radii**2, self.directions**2
        longest = np.sqrt(axes @ square)
        edge = np.sqrt(axes @ (1 / square))
        surface = (axes @ square**2) / longest**2
        aligned = (axes @ square) ** 2 / (axes @ square**2)
        half = len(square) / 2

        def below(bound: Array) -> tuple[Array, Array]:
            inside = bound**2 / 2
            return special.gammainc(half, inside), 2 * half * special.gammainc(half + 1, inside)

        def inside(s: float) -> Array:
            mass, second = below(s / longest)
            columns = (
                0 * mass,
                0 * mass,
                surface * mass,
                aligned * second,
                mass,
                np.sqrt(aligned) * mass,
            )
            return _pdf(self.margin + s) * np.stack(columns, axis=1)

        def full(s: float) -> Array:
            mass, second = below(s / edge)
            columns = (s**2 * mass + second, s * mass, second / s**2, second, 0 * mass, mass)
            return _pdf(self.margin - s) * np.stack(columns, axis=1)

        total, error = np.zeros((groups, len(NAMES))), 0.0
        scale = (float(np.median(longest)), float(np.median(edge)))
        for function, top, middle in (
            (inside, max(-self.margin, 0.0), scale[0]),
            (full, max(self.margin, 0.0), scale[1]),
        ):
            high = top + _REACH + 2

            def mean(s: float, function: Callable[[float], Array] = function) -> Array:
                return self._means(function(s), groups)

            value, gap = integrate.quad_vec(
                mean, 0.0, high, epsabs=1e-13, epsrel=1e-12, norm="max", limit=500,
                points=[p for p in (middle, 3 * middle, top or 1.0) if p < high],
            )  # fmt: skip
            total, error = total + value, error + float(gap)
        return total, error


@lru_cache(maxsize=16)
def _legendre(count: int) -> tuple[Array, Array]:
    node, weight = np.polynomial.legendre.leggauss(count)
    return (node + 1) / 2, weight / 2


def _pdf(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
