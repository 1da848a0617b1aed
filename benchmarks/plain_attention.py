"""Factored attention of three colours as one types it in NumPy for a paper.

The equations of a masked token given uniform context, or of the centre of a star: a tensor
Gauss-Hermite rule, softmaxes of teacher and student as products of exponentials, Newton's method
for the proximal operator at all nodes at once, and damped iteration. No certificate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.plain_softmax import trained

Array = NDArray[np.float64]
#: Rows: the colours in an orthonormal basis of the plane, over the root of their number.
FEATURES = np.array([[1, 1], [-1, 1], [0, -2]]) / np.sqrt([2, 6]) / np.sqrt(3)


def grid(nodes: int) -> tuple[Array, Array]:
    """Nodes and weights of two standard normal variables, without those that weigh nothing."""
    x, weight = np.polynomial.hermite_e.hermegauss(nodes)
    xi = np.stack(np.meshgrid(x, x, indexing="ij"), -1).reshape(-1, 2)
    weights = np.outer(weight, weight).ravel() / (2 * np.pi)
    keep = weights > 1e-13 * weights.max()
    return xi[keep], weights[keep]


def label(omega: Array, m: float, q: float, rho: float, rule: tuple[Array, Array]) -> tuple:
    """Probability of the first colour given the student's field, and its pull on the couplings."""
    noise, weights = rule
    outer = np.exp(m / q * omega @ FEATURES.T)
    inner = np.exp(np.sqrt(max(rho - m**2 / q, 0)) * noise @ FEATURES.T)
    inverse = 1 / (outer @ inner.T)
    chance = outer[:, 0] * (inverse @ (weights * inner[:, 0]))
    pairs = np.stack(
        [
            outer[:, 0] * outer[:, c] * (inverse**2 @ (weights * inner[:, 0] * inner[:, c]))
            for c in range(3)
        ],
        axis=1,
    )
    return chance, chance[:, None] * FEATURES[0] - pairs @ FEATURES


def solve(
    labels: str,
    alpha: float,
    lam: float,
    rho: float,
    nodes: int = 40,
    tolerance: float = 1e-8,
) -> tuple[dict[str, float], int]:
    """Return the order parameters and the number of iterations.

    Parameters
    ----------
    labels : str
        ``"star"`` or ``"directed"``.
    alpha, lam, rho : float
    nodes : int
        Of the rule, a variable.
    tolerance : float
        Of the relative change of the order parameters.
    """
    rule = xi, weights = grid(nodes)
    m, q, chi = 1.0, 1.0, 1.0
    for iteration in range(1, 10_000):  # noqa: B007
        if labels == "star":
            omega = m * FEATURES[0] + np.sqrt(q) * xi
            chance, pull = np.full(len(xi), 1 / 3), FEATURES[0] / 3
        else:
            omega = np.sqrt(q) * xi
            chance, pull = label(omega, m, q, rho, rule)
        z, hessian = trained(omega, chi, FEATURES)
        force = (z - omega) / chi
        stiff = np.linalg.solve(np.eye(2) + chi * hessian, hessian)
        load = 3 * alpha * weights
        mhat = load @ np.sum(pull * force, axis=1)
        qhat = (load * chance) @ np.sum(force**2, axis=1)
        Vhat = (load * chance) @ np.trace(stiff, axis1=1, axis2=2)
        new = 1 / (lam + Vhat)
        moved = np.array([new * rho * mhat, new**2 * (rho * mhat**2 + qhat), new])
        change = float(np.max(np.abs(moved / [m, q, chi] - 1)))
        m, q, chi = 0.5 * (moved + np.array([m, q, chi]))
        if change < tolerance:
            break
    return {"m": m, "q": q, "chi": chi}, iteration
