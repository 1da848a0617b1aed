"""Memories as one types them in NumPy: the printed equations on a grid, all points at once.

Averages are sums over equally spaced nodes, equations are iterated with damping until nothing
changes by 1e-10, and there is no certificate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, log_ndtr, wofz

Array = NDArray[np.float64]
_Z = np.linspace(-9, 9, 401)
_WEIGHT = np.exp(-(_Z**2) / 2) / np.sqrt(2 * np.pi) * (_Z[1] - _Z[0])


def hopfield(T: Array, alpha: Array) -> tuple[Array, int]:
    """Return the overlap of retrieval at many points (Amit, Gutfreund & Sompolinsky, 1987)."""
    m, q = np.full_like(T, 0.95), np.full_like(T, 0.95)
    r = np.ones_like(T)
    iterations, change = 0, 1.0
    while change > 1e-10:
        iterations += 1
        fields = (np.sqrt(alpha * r)[:, None] * _Z + m[:, None]) / T[:, None]
        up = np.tanh(fields)
        new = [up @ _WEIGHT, (up**2) @ _WEIGHT]
        new.append(new[1] / (1 - (1 - new[1]) / T) ** 2)
        change = max(float(np.abs(a - b).max()) for a, b in zip(new, (m, q, r), strict=True))
        m, q, r = ((a + b) / 2 for a, b in zip(new, (m, q, r), strict=True))
    return m, iterations


def reconstruction(Delta: Array) -> tuple[Array, int]:
    """Return the overlap with Rademacher patterns at many noises (Goldt et al., 2023)."""
    a = np.full_like(Delta, 0.5)
    iterations, change = 0, 1.0
    while change > 1e-10:
        iterations += 1
        signal = (a / Delta)[:, None]
        new = np.tanh(signal + np.sqrt(signal) * _Z) @ _WEIGHT
        change = float(np.abs(new - a).max())
        a = new
    return a, iterations


def active_competitors(n: int) -> float:
    """Return the mean number of active competitors of one input, as a sum over their number."""
    k = np.arange(1.0, min(n, 80) + 1)[:, None]
    level = np.linspace(-6, 9, 3001)
    logs = -(k + 1) * level**2 / 2 + (n - k) * log_ndtr(level)
    top = logs.max(axis=1, keepdims=True)
    below = top[:, 0] + np.log(np.exp(logs - top).sum(axis=1) * (level[1] - level[0]))
    below += np.log((k[:, 0] + 1) / (2 * np.pi)) / 2
    # The excesses: a Fourier integral through the saddle point of its absolute value.
    low, high = np.zeros_like(k), np.full_like(k, 40.0)
    for _ in range(60):
        c = (low + high) / 2
        slope = c + k * (c - np.sqrt(2 / np.pi) / wofz(1j * c / np.sqrt(2)).real)
        low, high = np.where(slope < 0, c, low), np.where(slope < 0, high, c)
    y = np.linspace(-9, 9, 721)
    logs = -((y + 1j * c) ** 2) / 2 + k * np.log(wofz(1j * (c - 1j * y) / np.sqrt(2)))
    top = logs.real.max(axis=1, keepdims=True)
    sums = np.exp(logs - top).real.sum(axis=1) * (y[1] - y[0]) / np.sqrt(2 * np.pi)
    excess = top[:, 0] + np.log(sums)
    k = k[:, 0]
    choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    weights = np.exp(choose + below + np.log(k + 1) / 2 - k * np.log(2) + excess)
    return float(weights @ k)


def stored_pairs(d: float) -> float:
    """Return the number of pairs that a matrix of size ``d`` can store, by bisection."""
    low, high = 2, int(d * d)
    values: dict[int, float] = {}

    def needed(pairs: int) -> float:
        if pairs not in values:
            values[pairs] = pairs * active_competitors(pairs - 1) - d**2
        return values[pairs]

    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if needed(middle) < 0 else (low, middle)
    return low - needed(low) / (needed(high) - needed(low))
