"""Softmax and ridge classification of a mixture of several Gaussian clusters.

Loureiro, Sicuro, Gerbelot, Pacco, Krzakala & Zdeborova, NeurIPS 34 (2021), arXiv:2106.03791:
points ``x = v_c/sqrt(d) + sqrt(Delta) z`` of cluster ``c``. The built-in models have
orthogonal centroids of squared norm ``rho d`` and equal probabilities. Centroids and covariances
may be given as arrays: every common eigenvector of the covariances is a site.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import sympy as sp
from replica.models.multiclass_perceptron import square

from replica import (
    Clusters,
    DeclarationError,
    Flat,
    Model,
    Parameter,
    Test,
    Thermal,
    Train,
    VectorField,
    components,
    is_argmax,
)
from replica.declare.vectors import cross_entropy

if TYPE_CHECKING:
    from replica import ClusterArrays

REFERENCE = "Loureiro et al., NeurIPS 34 (2021), arXiv:2106.03791"

alpha = Parameter("alpha", 2.0, (0, math.inf), "samples per dimension", open="lower")
lam = Parameter("lam", 0.1, (0, math.inf), "ridge penalty", symbol="lambda", open="lower")
rho = Parameter("rho", 1.0, (0, math.inf), "squared norm of a centroid per dimension", open="lower")
Delta = Parameter("Delta", 1.0, (0, math.inf), "variance of a cluster", open="lower")
w = sp.Symbol("w", real=True)


LOSSES = {"cross-entropy": cross_entropy, "square": square}
TITLES = {"cross-entropy": "Softmax", "square": "Ridge"}


def classifier(loss: str, labels: Clusters, name: str, title: str, **parts: Any) -> Model:
    """Declare the minimiser of a loss for the clusters of some labels."""
    y, h = sp.Matrix(labels.label), components("h", len(labels.label))
    energy = LOSSES[loss](y, h)
    return Model(
        name=name,
        title=title,
        reference=REFERENCE,
        thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2, components=len(h)),
        fields=VectorField(h, alpha, loss=energy, labels=labels),
        temperature=0,
        observables={
            "test_error": Test(1 - is_argmax(y, h)),
            "train_loss": Train(energy),
            "train_error": Train(1 - is_argmax(y, h)),
        },
        **parts,
    )


def cluster_mixture(loss: str, given: ClusterArrays, name: str | None = None) -> Model:
    """Declare a model of given centroids and covariances, or of those of a data set.

    Parameters
    ----------
    loss : str
        ``"cross-entropy"`` or ``"square"``.
    given : ClusterArrays
        From `replica.clusters_of_arrays` or `replica.clusters_of_data`.
    name : str, optional

    Raises
    ------
    DeclarationError
        If there is no such loss.
    """
    if loss not in LOSSES:
        raise DeclarationError(f"loss {loss!r}: expected one of {', '.join(LOSSES)}.")
    count = len(given.centroids)
    title = f"{TITLES[loss]} classification of {count} clusters given as arrays"
    labels = given.labels(components("y", count))
    return classifier(
        loss, labels, name or f"cluster-mixture-{loss}-of-arrays", title, sites=given.sites()
    )


def alike(loss: str, count: int) -> Model:
    """Declare orthogonal centroids of equal norms in isotropic noise."""
    return classifier(
        loss,
        Clusters(components("y", count), rho * sp.eye(count), variance=Delta),
        f"cluster-mixture-{loss}-{count}",
        f"{TITLES[loss]} classification of clusters, {count} classes",
    )


cross_entropy_3 = alike("cross-entropy", 3)
square_2 = alike("square", 2)
