"""Transitions of known models, evaluated with nothing but NumPy and SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import erf, expit, log_ndtr

# Trapezoid sums of these analytic integrands converge exponentially; the step resolves tanh(s z).
_Z = np.linspace(-10, 10, 4001)
_W = np.exp(-(_Z**2) / 2) * (_Z[1] - _Z[0]) / math.sqrt(2 * math.pi)


def average(values: np.ndarray) -> float:
    """Average over a standard normal variable on the grid ``_Z``."""
    return float(_W @ values)


def top(function: Callable[[float], float], low: float, high: float) -> float:
    """Largest value of a function with one maximum."""
    grid = np.linspace(low, high, 25)
    at = min(max(int(np.argmax([function(x) for x in grid])), 1), 23)
    bounds = (grid[at - 1], grid[at + 1])
    best = minimize_scalar(
        lambda x: -function(x), bounds=bounds, method="bounded", options={"xatol": 1e-9}
    )
    return -float(best.fun)


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """First root of a function, between the points of a grid."""
    grid = np.linspace(low, high, 25)
    values = [function(x) for x in grid]
    at = next(i for i in range(24) if values[i] * values[i + 1] < 0)
    return float(brentq(function, grid[at], grid[at + 1], xtol=1e-14, rtol=1e-14))


# -- Hopfield: Amit, Gutfreund & Sompolinsky, Ann. Phys. 173, 30 (1987) ---------------------------


def cold_load(y: float) -> float:
    """Load at zero temperature of the solution with overlap ``erf(y)``."""
    return (erf(y) / y - 2 / math.sqrt(math.pi) * math.exp(-y * y)) ** 2 / 2


class Retrieval:
    """Retrieval solution at a temperature, in terms of the width ``s`` of the field."""

    def __init__(self, T: float, s: float) -> None:
        self.T, self.s = T, s
        if average(np.cosh(s * _Z) ** -2.0) <= T:
            self.load, self.replicon = -math.inf, -math.inf  # no retrieval
            return
        self.b = brentq(
            lambda b: average(np.tanh(s * _Z + b)) - T * b, 1e-9, 1 / T + 1, xtol=1e-15, rtol=1e-15
        )
        field = s * _Z + self.b
        self.m, self.q = T * self.b, average(np.tanh(field) ** 2)
        self.load = s**2 / self.q * (T - (1 - self.q)) ** 2
        self.replicon = 1 - s**2 / self.q * average(np.cosh(field) ** -4.0)
        self.free_energy = hopfield_free_energy(self.m, self.q, self.load, T)


def hopfield_free_energy(m: float, q: float, load: float, T: float) -> float:
    beta = 1 / T
    r = q / (1 - beta * (1 - q)) ** 2
    field = beta * (np.sqrt(load * r) * _Z + m)
    log_cosh = np.abs(field) + np.log1p(np.exp(-2 * np.abs(field)))
    inner = math.log(1 - beta * (1 - q)) - beta * q / (1 - beta * (1 - q))
    return (
        m**2 / 2 + load / (2 * beta) * inner + load * beta * r / 2 * (1 - q) - T * average(log_cosh)
    )


def retrieval_end(T: float) -> float:
    """Largest load of retrieval at a temperature."""
    return top(lambda s: Retrieval(T, s).load, 0.05 / T, 0.8 / T)


def retrieval_replicon(T: float) -> float:
    """Load at which the replicon of retrieval vanishes."""
    s = root(lambda s: Retrieval(T, s).replicon, 0.3 / T, 0.6 / T)
    return Retrieval(T, s).load


def retrieval_meeting() -> tuple[float, float]:
    """Temperature and load at which both happen."""

    def slope(T: float) -> float:
        s = root(lambda s: Retrieval(T, s).replicon, 0.3 / T, 0.6 / T)
        near, far = (
            Retrieval(T, s * (1 + k)).load - Retrieval(T, s * (1 - k)).load for k in (1e-3, 2e-3)
        )
        return (8 * near - far) / (12e-3 * s)

    T = brentq(slope, 0.0245, 0.0256, xtol=1e-14)
    return T, retrieval_replicon(T)


def equal_free_energies(T: float, low: float, high: float) -> float:
    """Load at which retrieval and spin glass have the same free energy."""

    def advantage(s: float) -> float:
        found = Retrieval(T, s)
        load = found.load

        def glass(q: float) -> float:
            width = math.sqrt(load * q) / (1 - (1 - q) / T) / T
            return average(np.tanh(width * _Z) ** 2) - q

        q = brentq(glass, 1 - T + 1e-6, 1, xtol=1e-15, rtol=1e-15)
        return found.free_energy - hopfield_free_energy(0.0, q, load, T)

    s = root(advantage, low, high)
    return Retrieval(T, s).load


# -- Sherrington-Kirkpatrick ----------------------------------------------------------------------


def almeida_thouless(T: float, low: float, high: float) -> float:
    """Field at which the replicon vanishes: de Almeida & Thouless (1978)."""

    def replicon(h: float) -> float:
        def excess(q: float) -> float:
            return average(np.tanh((math.sqrt(q) * _Z + h) / T) ** 2) - q

        q = brentq(excess, 0, 1, xtol=1e-15, rtol=1e-15)
        return average(np.cosh((math.sqrt(q) * _Z + h) / T) ** -4.0) - T**2

    return float(brentq(replicon, low, high, xtol=1e-15, rtol=1e-14))


# -- Binary perceptron with a teacher -------------------------------------------------------------


class Teacher:
    """Bayes-optimal solution with binary weights, in terms of the conjugate ``qhat``."""

    def __init__(self, qhat: float) -> None:
        u = qhat + math.sqrt(qhat) * _Z
        self.q = q = average(np.tanh(u))
        t = math.sqrt(q / (1 - q)) * _Z
        density = np.exp(-(t**2) / 2 - log_ndtr(t)) / math.sqrt(2 * math.pi)
        self.load = qhat * (1 - q) / (2 * average(density**2 * np.exp(log_ndtr(t))))
        log_cosh = np.abs(u) + np.log1p(np.exp(-2 * np.abs(u)))
        labels = 2 * average(np.exp(log_ndtr(t)) * log_ndtr(t))
        self.free_entropy = self.load * labels - qhat * (1 + q) / 2 + average(log_cosh)


# -- Spiked Wigner with Gauss-Bernoulli entries ---------------------------------------------------


class Spike:
    """Bayes-optimal overlap of a scalar channel at signal-to-noise ratio ``s``."""

    def __init__(self, s: float, rho: float) -> None:
        self.s, self.rho = s, rho
        wide = math.sqrt(1 + s / rho)

        def evidence(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            # Logarithm of the evidence against noise alone, and the posterior mean.
            gain = math.log(rho / wide) + y**2 / 2 * (1 - wide**-2)
            off = math.log(1 - rho)
            mean = expit(gain - off) * y * math.sqrt(s) / rho / wide**2
            return np.logaddexp(off, gain), mean

        parts = [evidence(_Z), evidence(wide * _Z)]
        weights = (1 - rho, rho)
        self.overlap = sum(w * average(p[1] ** 2) for w, p in zip(weights, parts, strict=True))
        self.information = sum(w * average(p[0]) for w, p in zip(weights, parts, strict=True))
        self.ratio = s / self.overlap
        # phi = E log Z(s) - s q / 4 at s = lambda q
        self.free_entropy = self.information - s * self.overlap / 4
