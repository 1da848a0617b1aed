"""Logistic regression on Gaussian covariates as one writes it in NumPy: vectorised, no certificate.

The equations of Loureiro et al. (arXiv:2102.08127) for labels that are signs of the teacher's
field: a Gauss-Legendre grid for the student's field, Newton steps for all proximal operators at
once, damped iteration.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

Array = NDArray[np.float64]
_PANELS, _ORDER, _CUT = 20, 16, 9.0


def _trained(field: Array, chi: float) -> Array:
    """Return the minimum of ``(v - field)**2/(2 chi) + log(1 + exp(-v))``, by safe Newton steps."""
    low, high = field, field + chi
    value = field + chi * expit(-field) / 2
    for _ in range(60):
        slope = expit(-value)
        excess = value - field - chi * slope
        low, high = np.where(excess > 0, low, value), np.where(excess > 0, value, high)
        newton = value - excess / (1 + chi * slope * (1 - slope))
        inside = (newton >= low) & (newton <= high)
        following = np.where(inside, newton, (low + high) / 2)
        change = np.max(np.abs(following - value))
        value = following
        if change < 1e-13 * (1 + chi):
            break
    return value


def solve(
    omega: Array, power: Array, rho: float, alpha: float, lam: float, tolerance: float = 1e-10
) -> tuple[dict[str, float], int]:
    """Return m, q and chi, and the number of iterations.

    Parameters
    ----------
    omega, power : array, shape (d,)
        Eigenvalues, and squared weights of the teacher seen through the features.
    rho : float
        Variance of the teacher's field.
    """
    node, weight = np.polynomial.legendre.leggauss(_ORDER)
    edges = np.linspace(-_CUT, _CUT, _PANELS + 1)
    half = _CUT / _PANELS
    z = (edges[:-1, None] + half * (node + 1)).ravel()
    weight = np.tile(half * weight, _PANELS) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    m, q, chi = 0.1, 0.5, 0.5
    gap, iterations = np.inf, 0
    while gap >= tolerance and iterations < 20_000:
        iterations += 1
        field = np.sqrt(q) * z
        value = _trained(field, chi)
        slope = expit(-value)
        curvature = slope * (1 - slope) / (1 + chi * slope * (1 - slope))
        width = np.sqrt(rho - m**2 / q)
        margin = m / q * field / width
        density = np.exp(-(margin**2) / 2) / np.sqrt(2 * np.pi) / width
        chance = weight * ndtr(margin)
        mhat = 2 * alpha * np.sum(weight * density * slope)
        qhat = 2 * alpha * np.sum(chance * slope**2)
        Vhat = 2 * alpha * np.sum(chance * curvature)
        stiffness = lam + Vhat * omega
        new = (
            float(mhat * np.mean(omega**2 * power / stiffness)),
            float(np.mean((mhat**2 * omega**3 * power + qhat * omega**2) / stiffness**2)),
            float(np.mean(omega / stiffness)),
        )
        gap = max(abs(a - b) / abs(a) for a, b in zip(new, (m, q, chi), strict=True))
        m, q, chi = (0.5 * a + 0.5 * b for a, b in zip(new, (m, q, chi), strict=True))
    return {"m": m, "q": q, "chi": chi}, iterations
