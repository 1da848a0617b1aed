"""Equations of softmax regression and of Bayes-optimal classification of K classes, by Monte Carlo.

All K components of the fields are kept, without margins, and averages are means over Gaussian
vectors: setting and notation of Cornacchia et al., arXiv:2203.12094, in the plane of class
differences. Every function returns its averages with their standard errors.
"""

import numpy as np
from scipy.special import ndtr

_T = np.linspace(-8, 8, 81)
_WEIGHT = np.exp(-(_T**2) / 2) / np.sqrt(2 * np.pi) * (_T[1] - _T[0])


def labels(u):
    """P(argmax(u + noise) = y) and its derivatives in u_y, from the common noise of class y."""
    count, classes = u.shape
    chance, slope = np.empty((count, classes)), np.empty((count, classes, classes))
    for y in range(classes):
        gap = u[:, y, None] - np.delete(u, y, axis=1)
        below = ndtr(gap[:, :, None] + _T)
        product = np.prod(below, axis=1)
        chance[:, y] = product @ _WEIGHT
        density = np.exp(-((gap[:, :, None] + _T) ** 2) / 2) / np.sqrt(2 * np.pi)
        part = np.einsum("nkt,t->nk", product[:, None] / below * density, _WEIGHT)
        slope[:, y, np.arange(classes) != y] = -part
        slope[:, y, y] = part.sum(axis=1)
    return chance, slope


def mean(values):
    """Mean and standard error."""
    return np.mean(values), np.std(values) / np.sqrt(len(values))


def bayes(q, classes, samples, seed):
    """``E sum_y |grad G_y|^2 / G_y / ((K-1)(1-q))``, by which q_hat is alpha times."""
    xi = np.random.default_rng(seed).standard_normal((samples, classes))
    chance, slope = labels(np.sqrt(q / (1 - q)) * xi)
    information = np.sum(slope**2, axis=2) / np.maximum(chance, 1e-300)
    return mean(information.sum(axis=1) / ((classes - 1) * (1 - q)))


def trained(omega, spread, own):
    """Field after training on a label: minimum of softmax loss plus distance, and the Hessian."""
    z = omega.copy()
    for _ in range(100):
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        gradient = p + (z - omega) / spread
        gradient[:, own] -= 1
        hessian = p[:, :, None] * (np.eye(p.shape[1]) - p[:, None, :])
        step = np.linalg.solve(hessian + np.eye(p.shape[1]) / spread, gradient[:, :, None])
        z = z - step[:, :, 0]
        if np.max(np.abs(step)) < 1e-12:
            break
    return z, hessian


def cross_entropy(m, q, chi, alpha, lam, classes, samples, seed):
    """Updates of ``m``, ``q`` and ``chi`` with the relative standard errors of the conjugates."""
    xi = np.random.default_rng(seed).standard_normal((samples, classes))
    omega = np.sqrt(q) * (xi - xi.mean(axis=1, keepdims=True))
    rest = 1 - m**2 / q
    chance, slope = labels(m / q * omega / np.sqrt(rest))
    pull, force, response = (np.zeros(samples) for _ in range(3))
    for y in range(classes):
        z, hessian = trained(omega, chi, y)
        g = (z - omega) / chi
        pull += np.sum(slope[:, y] * g, axis=1) / np.sqrt(rest)
        force += chance[:, y] * np.sum(g**2, axis=1)
        stiff = np.linalg.solve(np.eye(classes) + chi * hessian, hessian)
        response += chance[:, y] * np.trace(stiff, axis1=1, axis2=2)
    (mhat, e1), (qhat, e2), (Vhat, e3) = (
        mean(alpha / (classes - 1) * values) for values in (pull, force, response)
    )
    new = 1 / (lam + Vhat)
    errors = e1 / abs(mhat), e2 / qhat, e3 / Vhat
    return (new * mhat, new**2 * (mhat**2 + qhat), new), errors
