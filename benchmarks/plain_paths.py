"""Attention paths as one would write them in NumPy: the article's equations, typed by hand.

All path-path kernels are stored, the gradient is that of the article, and SciPy's BFGS minimises
over triangular factors from the infinitely wide network. There is no certificate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]


def solve(Z: Array, y: Array, heads: tuple[int, int], N: float, T: float) -> tuple[Array, float]:
    """Return ``U_1`` and the action of two layers of equal width."""
    second = heads[1]
    paths = heads[0] * second
    C = np.einsum("mip,niq->pqmn", Z, Z, optimize=True)
    sizes = [paths, second]
    cuts = np.cumsum([n * (n + 1) // 2 for n in sizes])

    def unpack(theta: Array) -> tuple[list[Array], float]:
        factors = []
        for n, part in zip(sizes, np.split(theta[:-1], cuts)[:2], strict=True):
            factor = np.zeros((n, n))
            factor[np.tril_indices(n)] = part
            np.fill_diagonal(factor, np.exp(np.diagonal(factor)))
            factors.append(factor)
        return factors, float(np.exp(theta[-1]))

    def action(theta: Array) -> tuple[float, Array]:
        factors, U_a = unpack(theta)
        U_1, U_2 = (factor @ factor.T for factor in factors)
        inverse_1, inverse_2 = np.linalg.inv(U_1), np.linalg.inv(U_2)
        prior = np.kron(np.eye(heads[0]), inverse_2)
        K = np.einsum("pq,pqmn->mn", U_1, C, optimize=True) + T * np.eye(len(y))
        A = np.linalg.inv(K)
        r = A @ y
        G = np.einsum("pqmn,mn->pq", C, A - np.outer(r, r), optimize=True)
        inner = U_1.reshape(heads[0], second, heads[0], second).trace(axis1=0, axis2=2)
        logs = [np.linalg.slogdet(M)[1] for M in (U_1, U_2, K)]
        value = N * (U_a - np.log(U_a) + np.trace(U_2) / U_a - logs[1] + second * np.log(U_a))
        value += N * (np.sum(prior * U_1) - logs[0] + heads[0] * logs[1]) + logs[2] + y @ r
        by_1 = N * (prior - inverse_1) + (G + G.T) / 2
        by_2 = N * (np.eye(second) / U_a - inverse_2)
        by_2 += N * (heads[0] * inverse_2 - inverse_2 @ inner @ inverse_2)
        by_a = N * (1 - 1 / U_a - np.trace(U_2) / U_a**2 + second / U_a)
        slopes = []
        for factor, gradient in zip(factors, (by_1, by_2), strict=True):
            slope = 2 * gradient @ factor
            slope[np.diag_indices(len(slope))] *= np.diagonal(factor)
            slopes.append(slope[np.tril_indices(len(slope))])
        return float(value), np.concatenate([*slopes, [by_a * U_a]])

    found = minimize(action, np.zeros(cuts[-1] + 1), jac=True, method="BFGS",
                     options={"gtol": 1e-6, "maxiter": 5000})  # fmt: skip
    factors, _ = unpack(found.x)
    return factors[0] @ factors[0].T, float(found.fun)
