"""Independent numerics for the tests: textbook equations on dense grids, nothing of the package."""

import numpy as np
from scipy import optimize
from scipy.special import ndtr

GRID = np.linspace(-12.0, 12.0, 6_001)
WEIGHT = np.exp(-(GRID**2) / 2) * 4e-3 / np.sqrt(2 * np.pi)


def gaussian_mean(function, mean=0.0, deviation=1.0):
    """``E function(mean + deviation z)`` by the trapezoidal rule on 6001 points."""
    return WEIGHT @ function(mean + deviation * GRID)


def normal_density(x):
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def iterate(step, start, steps=15):
    """Fixed point of ``step``: damped iterations from ``start``, polished by a root finder."""
    x = np.array(start, dtype=float)
    for _ in range(steps):
        x = 0.3 * x + 0.7 * np.array(step(*x))
    result = optimize.root(lambda x: np.array(step(*x)) - x, x, tol=1e-14)
    if np.max(np.abs(result.fun)) > 1e-12 * (1 + np.max(np.abs(result.x))):
        raise RuntimeError(f"the reference iteration did not converge: {result.message}")
    return result.x


def ridge_with_sign_teacher(score, alpha, lam, beta=1.0, start=(0.5, 1.0, 0.5)):
    """Order parameters ``(m, q, spread)`` of a penalised fit of the signs of a Gaussian teacher.

    ``score(omega, spread)`` returns ``(g, dg/domega)`` for the label ``+1``. With ``z`` the
    teacher's field, Stein's lemma gives its conjugate as ``E[z g] - m E[g']``.
    """

    def step(m, q, spread):
        omega = np.sqrt(q) * GRID
        centre, width = m * omega / q, np.sqrt(1 - m**2 / q)
        positive = 2 * ndtr(centre / width) * WEIGHT
        teacher = 2 * (centre * ndtr(centre / width) + width * normal_density(centre / width))
        g, slope = score(omega, spread)
        V_hat = -alpha * positive @ slope
        m_hat = alpha * (teacher * WEIGHT) @ g + m * V_hat
        q_hat = alpha * positive @ g**2
        size = beta * lam + V_hat
        return m_hat / size, (m_hat**2 + q_hat) / size**2, 1 / size

    return iterate(step, start)
