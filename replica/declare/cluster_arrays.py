"""Clusters given as arrays: from centroids and covariances to constants of the sites.

In common eigenvectors ``u_i`` of the covariances every direction is a site, with the components
``v_c,i = u_i.v_c`` of the centroids and the eigenvalues of the covariances as its constants.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import sympy as sp

from replica.declare.clusters import Clusters
from replica.declare.covariances import symmetric
from replica.declare.sites import Empirical, numbers
from replica.errors import DeclarationError

#: Commutators of this share of the product of two covariances are rounding.
_ROUNDING = 1e-8


@dataclass(frozen=True)
class ClusterArrays:
    """Centroids and spectra of clusters in the common eigenbasis of their covariances.

    Attributes
    ----------
    centroids : array, shape (clusters, d)
        An input of cluster ``c`` is ``centroids[c]/sqrt(d)`` plus noise.
    spectra : array, shape (clusters, d) or (1, d)
        Eigenvalues of the covariances of the noise, one row where it is the same for all clusters.
    probabilities : tuple of float
    """

    centroids: Any
    spectra: Any
    probabilities: tuple[float, ...]

    @property
    def _symbols(self) -> tuple[list[sp.Symbol], list[sp.Symbol]]:
        count = len(self.centroids)
        centroids = [sp.Symbol(f"v_{c + 1}", real=True) for c in range(count)]
        if len(self.spectra) == 1:
            return centroids, [sp.Symbol("Omega", nonnegative=True)]
        return centroids, [sp.Symbol(f"Omega_{c + 1}", nonnegative=True) for c in range(count)]

    def labels(self, label: Any) -> Clusters:
        """Return the law of one-hot labels, for the symbols of a label."""
        centroids, spectra = self._symbols
        column = sp.Matrix(centroids)
        variance = tuple(spectra) if len(spectra) > 1 else spectra[0]
        return Clusters(label, column * column.T, self.probabilities, variance)

    def sites(self) -> Empirical:
        """Return the constants of the sites."""
        centroids, spectra = self._symbols
        rows = [*self.centroids, *self.spectra]
        return Empirical(dict(zip((*centroids, *spectra), rows, strict=True)))


def clusters_of_arrays(
    centroids: Any, covariances: Any, probabilities: Any = None
) -> ClusterArrays:
    """Diagonalise the covariances of Gaussian clusters.

    Parameters
    ----------
    centroids : array, shape (clusters, d)
        An input of cluster ``c`` is ``centroids[c]/sqrt(d)`` plus noise.
    covariances : array, shape (d, d) or (clusters, d, d)
        Covariance of the noise, of all clusters or of each. Several must have common eigenvectors.
    probabilities : array, shape (clusters,), optional
        Equal by default.

    Raises
    ------
    DeclarationError
        If shapes do not fit, a covariance is not symmetric or has negative eigenvalues, or two of
        them do not commute.
    """
    import numpy as np

    shape = np.shape(centroids)
    if len(shape) != 2 or shape[0] < 2:
        raise DeclarationError(
            f"centroids: expected an array of at least two clusters by features, got shape {shape}."
        )
    count, d = shape
    v = numbers(centroids, shape, "centroids")
    many = np.ndim(covariances) == 3
    whole = numbers(covariances, (count, d, d) if many else (d, d), "covariances of the clusters")
    matrices = whole if many else whole[None]
    names = [f"of cluster {c + 1}" for c in range(count)] if many else ["of the clusters"]
    matrices = [symmetric(a, name) for a, name in zip(matrices, names, strict=True)]
    for (first, a), (second, b) in combinations(enumerate(matrices, 1), 2):
        if np.max(np.abs(a @ b - b @ a)) > _ROUNDING * np.max(np.abs(a)) * np.max(np.abs(b)):
            raise DeclarationError(
                f"covariances of the clusters: those of clusters {first} and {second} have no "
                "common eigenvectors, which is not supported; give one covariance for all (such as "
                "their mean), or covariances that commute."
            )
    # Whatever distinguishes directions shows in a combination of weights without a pattern.
    weights = np.sqrt(np.arange(2, 2 + len(matrices)))
    sizes = np.array([np.max(np.abs(a)) or 1.0 for a in matrices])
    basis = np.linalg.eigh(np.tensordot(weights / sizes, np.array(matrices), 1))[1]
    spectra = np.array([np.einsum("ji,jk,ki->i", basis, a, basis) for a in matrices])
    odds = np.full(count, 1 / count) if probabilities is None else probabilities
    odds = numbers(odds, (count,), "probabilities of the clusters")
    return ClusterArrays(v @ basis, np.maximum(spectra, 0), tuple(map(float, odds)))


def clusters_of_data(features: Any, labels: Any) -> ClusterArrays:
    """Means of the classes of a data set, and the covariance within classes, the same for all.

    Parameters
    ----------
    features : array, shape (n, d)
        The student's field is ``w.x/sqrt(d)`` of a row ``x``, as in the declaration.
    labels : array, shape (n,)
        Of any type; classes are taken in sorted order.

    Raises
    ------
    DeclarationError
        If shapes do not fit, or there are fewer than two classes.
    """
    import numpy as np

    shape = np.shape(features)
    if len(shape) != 2:
        raise DeclarationError(
            f"features: expected an array of samples by features, got shape {shape}."
        )
    x, y = numbers(features, shape, "features"), np.asarray(labels)
    if y.shape != shape[:1]:
        raise DeclarationError(
            f"labels: expected one for each of {shape[0]} samples, got shape {y.shape}."
        )
    classes, own = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise DeclarationError("labels: expected at least two classes, got one.")
    counts = np.bincount(own)
    means = np.stack([x[own == c].mean(axis=0) for c in range(len(classes))])
    within = x - means[own]
    centroids = np.sqrt(shape[1]) * means
    return clusters_of_arrays(centroids, within.T @ within / len(x), counts / len(x))
