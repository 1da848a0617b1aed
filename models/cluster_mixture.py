"""Softmax and ridge classification of a mixture of several Gaussian clusters.

Loureiro, Sicuro, Gerbelot, Pacco, Krzakala & Zdeborova, NeurIPS 34 (2021), arXiv:2106.03791:
points ``x = v_c/sqrt(d) + sqrt(Delta) z`` of cluster ``c``. The built-in model has
orthogonal centroids of squared norm ``rho d`` and equal probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import sympy as sp

from replica import (
    Clusters,
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

REFERENCE = "Loureiro et al., NeurIPS 34 (2021), arXiv:2106.03791"

alpha = Parameter("alpha", 2.0, (0, math.inf), "samples per dimension", open="lower")
lam = Parameter("lam", 0.1, (0, math.inf), "ridge penalty", symbol="lambda", open="lower")
rho = Parameter("rho", 1.0, (0, math.inf), "squared norm of a centroid per dimension", open="lower")
Delta = Parameter("Delta", 1.0, (0, math.inf), "variance of a cluster", open="lower")
w = sp.Symbol("w", real=True)


def classifier(
    loss: Callable[[sp.Matrix, sp.Matrix], sp.Expr], overlaps: sp.Matrix, name: str, title: str
) -> Model:
    """Declare the minimiser of ``loss(y, h)`` for centroids of given overlaps."""
    classes = overlaps.shape[0]
    h, y = components("h", classes), components("y", classes)
    return Model(
        name=f"{name}-{classes}",
        title=f"{title}, {classes} classes",
        reference=REFERENCE,
        thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2, components=classes),
        fields=VectorField(h, alpha, loss=loss(y, h), labels=Clusters(y, overlaps, variance=Delta)),
        temperature=0,
        observables={
            "test_error": Test(1 - is_argmax(y, h)),
            "train_loss": Train(loss(y, h)),
            "train_error": Train(1 - is_argmax(y, h)),
        },
    )


cross_entropy_3 = classifier(
    cross_entropy,
    rho * sp.eye(3),
    "cluster-mixture-cross-entropy",
    "Softmax regression on clusters",
)
