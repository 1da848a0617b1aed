"""Factored attention beyond the plain scenarios: correlated sites, trained values, trained fields.

Rende, Gerace, Laio & Goldt, Phys. Rev. Research 6, 023057 (2024), arXiv:2304.07235; the scenarios
are those of `potts_attention`, from which everything that is not said here is taken.
"""

from __future__ import annotations

import math
from typing import Any

import sympy as sp
from replica.models.potts_attention import (
    REFERENCE,
    A,
    J,
    alpha,
    directed,
    features,
    lam,
    rho,
    star,
)

from replica import (
    CategoricalLabels,
    DeclarationError,
    Empirical,
    Extremised,
    Flat,
    Gaussian,
    Model,
    Parameter,
    Quenched,
    SharedField,
    Test,
    Thermal,
    Train,
    beta,
    components,
    m,
    q,
    softmax,
)
from replica.declare.vectors import cross_entropy, plane_basis

mu = Parameter("mu", 0.5, (0, math.inf), "ridge penalty of the value matrix", open="lower")
omega = sp.Symbol("Omega", nonnegative=True)  # an eigenvalue of the covariance of sites


def plain(labels: str, colours: Any) -> Model:
    """Return the scenario with the labels ``"star"`` or ``"directed"``."""
    scenarios = {"star": star, "directed": directed}
    if labels not in scenarios:
        raise DeclarationError(
            f"attention: expected the labels 'star' or 'directed', got {labels!r}."
        )
    return scenarios[labels](colours, name="plain")


def correlated(labels: str, colours: Any, eigenvalues: Any, name: str = "") -> Model:
    """Declare attention to context sites whose tokens are correlated.

    The covariance of whitened tokens of sites ``i`` and ``j`` is ``Omega_ij`` in every component.
    Its eigenvectors serve as sites; overlaps are in its metric, ``q = A.Omega.A/L``.

    Parameters
    ----------
    labels : str
        ``"star"`` or ``"directed"``.
    colours : int or matrix
    eigenvalues : array
        Of ``Omega``, each with the same weight.
    name : str
    """
    base = plain(labels, colours)
    eigenvalues = list(map(float, eigenvalues))
    teacher = rho * sp.nsimplify(sum(eigenvalues) / len(eigenvalues))
    shared = ("test_cross_entropy", "least_cross_entropy", "test_error", "train_loss")
    return Model(
        name=name or f"potts-correlated-{labels}-{len(base.fields[0].label)}",
        title=base.title.replace("attention,", "attention, correlated sites,"),
        reference=REFERENCE,
        sites=Empirical({omega: eigenvalues}),
        thermal=Thermal(A, Flat(), penalty=lam * A**2 / 2, metric=omega),
        quenched=Quenched(J, Gaussian(0, rho)),
        fields=base.fields,
        temperature=0,
        observables={
            **{key: base.observables[key] for key in shared},
            "cosine": m / sp.sqrt(q * teacher),
        },
    )


def trained_values(labels: str, colours: Any, name: str = "") -> Model:
    """Declare attention whose value matrix is trained, too.

    Its entries ``v`` between whitened tokens and the zero-sum logits are extremised. Without a
    penalty of their own, ``L mu |v|^2/2``, attention would shrink and values grow without end.

    Parameters
    ----------
    labels : str
        ``"star"`` or ``"directed"``.
    colours : int or matrix
        Of the Potts model.
    name : str
    """
    base = plain(labels, colours)
    (field,) = base.fields
    count, size = len(field.label), len(field.h)
    v = sp.Matrix(size, size, lambda i, j: sp.Symbol(f"v_{i + 1}{j + 1}", real=True))
    h, y = features(sp.eye(count)) * v * sp.Matrix(field.h), sp.Matrix(field.label)
    return Model(
        name=name or f"potts-values-{labels}-{count}",
        title=base.title.replace("attention,", "attention and values,"),
        reference=REFERENCE,
        thermal=base.thermal,
        quenched=base.quenched,
        fields=SharedField(field.h, alpha, loss=cross_entropy(y, h), labels=field.labels),
        temperature=0,
        overlap=-beta * mu * sp.Add(*(entry**2 for entry in v)) / 2,
        extremised=tuple(
            Extremised(v[i, j], float(i == j), "entry of the value matrix")
            for i in range(size)
            for j in range(size)
        ),
        observables={
            "test_cross_entropy": Test(cross_entropy(y, h)),
            "least_cross_entropy": base.observables["least_cross_entropy"],
            "train_loss": Train(cross_entropy(y, h)),
            "cosine": m / sp.sqrt(q * rho),
        },
    )


def trained_fields(colours: Any, fields: Any, name: str = "") -> Model:
    """Declare attention with a trained field of every colour, to a token that feels fields.

    Parameters
    ----------
    colours : int or matrix
        The context is uniform, as of `directed`.
    fields : sequence
        Of the colours of the masked token, one each; only their differences matter.
    name : str
    """
    base = plain("directed", colours)
    (field,) = base.fields
    count, size = len(field.label), len(field.h)
    own, basis = sp.Matrix(fields), plane_basis(count)
    if own.shape != (count, 1):
        raise DeclarationError(f"attention: {len(own)} fields are given, expected {count}.")
    true = features(sp.eye(count) if isinstance(colours, int) else colours)
    teacher, y = sp.Matrix(field.labels.teacher), sp.Matrix(field.label)
    logits = true * teacher + basis * (basis.T * own).applyfunc(sp.nsimplify)
    b = components("b_", size)
    h = true * sp.Matrix(field.h) + basis * b
    labels = CategoricalLabels(y, softmax(logits), teacher)
    return Model(
        name=name or f"potts-fields-directed-{count}",
        title=base.title.replace("attention,", "attention and fields,"),
        reference=REFERENCE,
        thermal=base.thermal,
        quenched=base.quenched,
        fields=SharedField(field.h, alpha, loss=cross_entropy(y, h), labels=labels),
        temperature=0,
        extremised=tuple(Extremised(entry, 0.0, "field in a zero-sum direction") for entry in b),
        observables={
            "test_cross_entropy": Test(cross_entropy(y, h)),
            "least_cross_entropy": Test(cross_entropy(y, logits)),
            "train_loss": Train(cross_entropy(y, h)),
            "cosine": m / sp.sqrt(q * rho),
        },
    )


correlated_directed_3 = correlated("directed", 3, (0.5, 2.0))
