"""Softmax regression on argmax labels, as one types it in NumPy for a paper.

The equations are those of Cornacchia et al., arXiv:2203.12094: Newton's method for the proximal
operator at all nodes at once, and damped iteration. Three classes in the plane of class differences
on a tensor Gauss-Hermite rule, many on a fixed sample of all components. No certificate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]
#: Rows: the classes in an orthonormal basis of the plane.
PLANE = np.sqrt(2 / 3) * np.array([[1, 0], [-0.5, np.sqrt(0.75)], [-0.5, -np.sqrt(0.75)]])
_SHIFT = np.linspace(-8.5, 8.5, 69)
_WEIGHT = np.exp(-(_SHIFT**2) / 2) / np.sqrt(2 * np.pi) * (_SHIFT[1] - _SHIFT[0])


def label(u: Array) -> tuple[Array, Array]:
    """Probability of the first class given the field ``u``, and its gradient in the plane."""
    fields = u @ PLANE.T
    gaps = [fields[:, 0] - fields[:, k] for k in (1, 2)]
    below = [ndtr(gap[:, None] + _SHIFT) for gap in gaps]
    density = [np.exp(-((gap[:, None] + _SHIFT) ** 2) / 2) / np.sqrt(2 * np.pi) for gap in gaps]
    slopes = [(density[0] * below[1]) @ _WEIGHT, (density[1] * below[0]) @ _WEIGHT]
    gradient = sum(
        slope[:, None] * (PLANE[0] - PLANE[k]) for slope, k in zip(slopes, (1, 2), strict=True)
    )
    return (below[0] * below[1]) @ _WEIGHT, np.asarray(gradient)


def trained(omega: Array, spread: float, vertices: Array) -> tuple[Array, Array]:
    """Proximal operator of the loss of the first class, and the Hessian of the loss there.

    Fields are projections onto the vertices of the classes, the rows.
    """
    z, one = omega.copy(), np.eye(omega.shape[1])
    for _ in range(100):
        chance = np.exp(z @ vertices.T)
        chance /= chance.sum(axis=1, keepdims=True)
        centre = chance @ vertices
        hessian = np.einsum("nk,ki,kj->nij", chance, vertices, vertices)
        hessian -= centre[:, :, None] * centre[:, None, :]
        force = z - omega + spread * (centre - vertices[0])
        step = np.linalg.solve(one + spread * hessian, force[:, :, None])[:, :, 0]
        z -= step
        if np.max(np.abs(step)) < 1e-12:
            break
    return z, hessian


def solve(
    alpha: float, lam: float, nodes: int = 60, tolerance: float = 1e-8
) -> tuple[dict[str, float], int]:
    """Return the order parameters and the number of iterations."""
    x, weight = np.polynomial.hermite_e.hermegauss(nodes)
    xi = np.stack(np.meshgrid(x, x, indexing="ij"), -1).reshape(-1, 2)
    weights = np.outer(weight, weight).ravel() / (2 * np.pi)
    keep = weights > 1e-18
    xi, weights = xi[keep], weights[keep]
    m, q, chi = 0.5, 1.0, 1.0
    for iteration in range(1, 10_000):  # noqa: B007
        omega = np.sqrt(q) * xi
        rest = np.sqrt(1 - m**2 / q)
        chance, gradient = label(m / q * omega / rest)
        z, hessian = trained(omega, chi, PLANE)
        force = (z - omega) / chi
        stiff = np.linalg.solve(np.eye(2) + chi * hessian, hessian)
        load = 3 * alpha / 2 * weights
        mhat = load @ np.sum(gradient * force, axis=1) / rest
        qhat = (load * chance) @ np.sum(force**2, axis=1)
        Vhat = (load * chance) @ np.trace(stiff, axis1=1, axis2=2)
        new = 1 / (lam + Vhat)
        moved = np.array([new * mhat, new**2 * (mhat**2 + qhat), new])
        change = float(np.max(np.abs(moved / [m, q, chi] - 1)))
        m, q, chi = 0.5 * (moved + np.array([m, q, chi]))
        if change < tolerance:
            break
    return {"m": m, "q": q, "chi": chi}, iteration


def label_of_many(u: Array) -> tuple[Array, Array]:
    """Probability of the first of many classes, and its derivatives in all fields."""
    gaps = u[:, :1] - u[:, 1:]
    below = ndtr(gaps[:, :, None] + _SHIFT)
    density = np.exp(-((gaps[:, :, None] + _SHIFT) ** 2) / 2) / np.sqrt(2 * np.pi)
    together = np.prod(below, axis=1)
    slopes = np.einsum("nkt,t->nk", together[:, None] / below * density, _WEIGHT)
    return together @ _WEIGHT, np.column_stack([slopes.sum(axis=1), -slopes])


def trained_of_many(omega: Array, spread: float) -> tuple[Array, Array]:
    """Proximal operator of the loss of the first class, and the Hessian of the loss there."""
    z, one = omega.copy(), np.eye(omega.shape[1])
    for _ in range(100):
        chance = np.exp(z - z.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        hessian = chance[:, :, None] * (one - chance[:, None, :])
        force = z - omega + spread * (chance - one[0])
        step = np.linalg.solve(one + spread * hessian, force[:, :, None])[:, :, 0]
        z -= step
        if np.max(np.abs(step)) < 1e-10:
            break
    return z, hessian


def solve_many(
    alpha: float, lam: float, classes: int, samples: int, tolerance: float = 1e-6, seed: int = 0
) -> tuple[dict[str, float], int]:
    """Return the order parameters on one sample of fields, and the number of iterations."""
    xi = np.random.default_rng(seed).standard_normal((samples, classes))
    xi -= xi.mean(axis=1, keepdims=True)
    one = np.eye(classes)
    m, q, chi = 0.5, 1.0, 1.0
    for iteration in range(1, 10_000):  # noqa: B007
        omega = np.sqrt(q) * xi
        rest = np.sqrt(1 - m**2 / q)
        chance, gradient = label_of_many(m / q * omega / rest)
        z, hessian = trained_of_many(omega, chi)
        force = (z - omega) / chi
        stiff = np.linalg.solve(one + chi * hessian, hessian)
        load = classes * alpha / (classes - 1)
        mhat = load * np.mean(np.sum(gradient * force, axis=1)) / rest
        qhat = load * np.mean(chance * np.sum(force**2, axis=1))
        Vhat = load * np.mean(chance * np.trace(stiff, axis1=1, axis2=2))
        new = 1 / (lam + Vhat)
        moved = np.array([new * mhat, new**2 * (mhat**2 + qhat), new])
        change = float(np.max(np.abs(moved / [m, q, chi] - 1)))
        m, q, chi = 0.5 * (moved + np.array([m, q, chi]))
        if change < tolerance:
            break
    return {"m": m, "q": q, "chi": chi}, iteration
