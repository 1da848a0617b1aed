"""Predictions of a kernel that combines paths, and what each pair of paths contributes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from replica.errors import DataError
from replica.kernels.arrays import finite_array
from replica.kernels.features import PathFeatures

Array = NDArray[np.float64]


@dataclass(frozen=True)
class KernelPredictor:
    """Gaussian process with the kernel ``sum_pq weights_pq C^pq`` between examples.

    Parameters
    ----------
    weights : ndarray, shape (paths x outputs, paths x outputs)
        Order parameter between paths, times the variance of the prior input weights.
    features : PathFeatures
        Training examples.
    labels : array_like, shape (examples,) or (examples, outputs)
    temperature : float
        Variance of the noise of the labels.

    Raises
    ------
    DataError
        If the weights are no symmetric matrix of a row for each path and output, the labels do not
        fit the examples and the outputs, the temperature is negative, or the kernel is singular.
    """

    weights: Array
    features: PathFeatures
    labels: ArrayLike
    temperature: float

    def __post_init__(self) -> None:
        weights = finite_array(self.weights, "weights of the paths")
        rows, paths = len(weights) if weights.ndim else 0, self.features.paths
        if weights.shape != (rows, rows) or rows == 0 or rows % paths:
            raise DataError(
                f"weights of the paths: expected a row and a column for each of the {paths} paths "
                f"(and outputs), got shape {weights.shape}."
            )
        if not np.allclose(weights, weights.T, rtol=1e-10, atol=1e-12 * np.abs(weights).max()):
            raise DataError("weights of the paths: expected a symmetric matrix.")
        if not self.temperature >= 0:
            raise DataError(f"temperature: expected zero or more, got {self.temperature!r}.")
        object.__setattr__(self, "weights", weights)

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return len(self.weights) // self.features.paths

    @cached_property
    def kernel(self) -> Array:
        """Kernel between the training examples, the output the faster index."""
        return self.features.kernel(self.weights)

    @cached_property
    def _targets(self) -> Array:
        targets = finite_array(self.labels, "labels").reshape(-1)
        expected = self.features.examples * self.outputs
        if targets.size != expected:
            raise DataError(f"labels: expected {expected} of them, got {targets.size}.")
        return targets

    @cached_property
    def _factor(self) -> tuple[Array, bool]:
        kernel = self.kernel + self.temperature * np.eye(len(self.kernel))
        try:
            return cho_factor(kernel, lower=True)
        except LinAlgError:
            raise DataError(
                f"the kernel is singular at temperature {self.temperature:g}; expected a "
                "temperature above zero, or fewer examples."
            ) from None

    @cached_property
    def dual(self) -> Array:
        """Coefficients ``(K + T)^{-1} y`` of the examples."""
        return cho_solve(self._factor, self._targets)

    def mean(self, features: PathFeatures) -> Array:
        """Return the predictions for new examples, shape (examples,) or (examples, outputs)."""
        return self._shaped(features.kernel(self.weights, self.features) @ self.dual)

    def variance(self, features: PathFeatures) -> Array:
        """Return the variances of the predictions, without the noise of the labels."""
        cross = features.kernel(self.weights, self.features)
        by_output = self.weights.reshape(
            features.paths, self.outputs, features.paths, self.outputs
        )  # fmt: skip
        prior = np.einsum(
            "mip,paqa,miq->ma", features.values, by_output, features.values, optimize=True
        ).reshape(-1)
        explained = np.einsum("mn,nm->m", cross, cho_solve(self._factor, cross.T))
        return self._shaped(prior - explained)

    def decomposition(self, features: PathFeatures) -> Array:
        """Return what each pair of paths contributes to the predictions of a single output.

        Returns
        -------
        ndarray, shape (examples, paths, paths)
            Its sum over both paths is `mean`.
        """
        if self.outputs != 1:
            raise DataError("the decomposition by paths is that of a single output.")
        projected = np.einsum("niq,n->iq", self.features.values, self.dual)
        terms = np.einsum("mip,iq->mpq", features.values, projected, optimize=True)
        return terms * self.weights

    def alignment(self) -> tuple[Array, Array]:
        """Return how the labels overlap with the kernel's eigenvectors.

        Returns
        -------
        eigenvalues : ndarray
            Of the training kernel, the largest first.
        overlaps : ndarray
            ``|v_k . y| / sqrt(number of labels)``.
        """
        values, vectors = np.linalg.eigh(self.kernel)
        overlaps = np.abs(vectors.T @ self._targets) / np.sqrt(len(self._targets))
        return values[::-1], overlaps[::-1]

    def _shaped(self, values: Array) -> Array:
        return values if self.outputs == 1 else values.reshape(-1, self.outputs)
