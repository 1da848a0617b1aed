"""Dense linear algebra on matrices, or on many of them along leading axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri

Array = NDArray[np.float64]


class NotPositiveError(ArithmeticError):
    """A matrix that the action inverts is not positive definite here; it is named."""

    def __init__(self, matrix: Any) -> None:
        super().__init__(str(matrix))
        self.matrix = matrix


def nothing() -> None:
    """Stand where an input goes."""
    return None


def factor(matrix: Array, noise: np.random.Generator | None = None) -> Array:
    """Return the lower Cholesky factor, of the matrix or of one with its rounding error.

    Raises
    ------
    NotPositiveError
    """
    if noise is not None:
        # Cholesky's backward error, entry by entry; the scaling makes it independent of units.
        root = np.sqrt(np.abs(np.diagonal(matrix)))
        disturbance = noise.standard_normal(matrix.shape) * np.finfo(float).eps
        matrix = matrix + np.outer(root, root) * (disturbance + disturbance.T) / 2
    found, info = dpotrf(matrix.T, lower=1, clean=1)
    if info != 0 or not np.isfinite(found).all():
        raise NotPositiveError(f"a matrix of size {len(matrix)}")
    return found


def inverse(factor: Array) -> Array:
    """Return the inverse of a matrix from its factor."""
    inverse, info = dpotri(factor, lower=1)
    if info != 0:
        raise NotPositiveError(f"a matrix of size {len(factor)}")
    lower = np.tril(inverse)
    return lower + np.tril(inverse, -1).T


def log_det(factor: Array) -> float:
    """Return the logarithm of the determinant of a matrix from its factor."""
    return float(2 * np.log(np.diagonal(factor)).sum())


def scaled(scale: Any, matrix: Array) -> Array:
    """Return a scalar times a matrix, one for each direction."""
    return np.asarray(scale)[..., None, None] * matrix


def transposed(matrix: Array) -> Array:
    """Return the transpose."""
    return np.swapaxes(matrix, -1, -2)


def product_trace(scale: Any, left: Array, right: Array) -> Any:
    """Return a scalar times the trace of a product, without the product."""
    return scale * np.einsum("...ij,...ji->...", left, right)


def kernel_trace(weights: Array, gram: Array) -> Any:
    """Return the trace of a kernel from the traces of the path-path kernels."""
    outputs = weights.shape[-1] // len(gram)
    return np.einsum("...pq,pq->...", _outputs_traced(weights, outputs), gram)


def _outputs_traced(matrix: Array, outputs: int) -> Array:
    size = matrix.shape[-1] // outputs
    by_output = matrix.reshape(*matrix.shape[:-2], size, outputs, size, outputs)
    return np.einsum("...paqa->...pq", by_output)


def partial_trace(matrix: Array, outer: int) -> Array:
    """Trace over the slower index, of so many values."""
    size = matrix.shape[-1] // outer
    by_block = matrix.reshape(*matrix.shape[:-2], outer, size, outer, size)
    return np.einsum("...aiaj->...ij", by_block)


def blocks(matrix: Array, count: int) -> Array:
    """Repeat a matrix on the diagonal."""
    rows, columns = matrix.shape[-2:]
    result = np.zeros((*matrix.shape[:-2], count, rows, count, columns))
    for i in range(count):
        result[..., i, :, i, :] = matrix
    return result.reshape(*matrix.shape[:-2], count * rows, count * columns)


def agreement(prediction: Array, labels: Array, outputs: int) -> float:
    """Return the share of examples of the same class."""
    if outputs == 1:
        return float(np.mean(np.sign(prediction) == np.sign(labels)))
    classes = (a.reshape(-1, outputs).argmax(axis=1) for a in (prediction, labels))
    return float(np.mean(np.equal(*classes)))
