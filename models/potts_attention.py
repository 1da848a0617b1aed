"""Factored attention trained on a generalized Potts model: one masked site, many context sites.

Rende, Gerace, Laio & Goldt, Phys. Rev. Research 6, 023057 (2024), arXiv:2304.07235. Masked
language modelling of factored attention is the pseudo-likelihood of a Potts model. A sequence of
``L`` context tokens in ``C`` colours is whitened to ``d = C - 1`` inputs a site, on which the
attention weight ``A_j`` acts, as the coupling ``J_j`` of the true model does. The loss is summed
over ``alpha L`` sequences and ``lambda |A|^2/2`` is added.
"""

from __future__ import annotations

import math
from typing import Any

import sympy as sp

from replica import (
    AlignedClusters,
    CategoricalLabels,
    Clusters,
    DeclarationError,
    Flat,
    Gaussian,
    Model,
    Parameter,
    Quenched,
    SharedField,
    Spherical,
    Test,
    Thermal,
    Train,
    VectorField,
    components,
    is_argmax,
    m,
    margin,
    q,
    softmax,
)
from replica.declare.vectors import cross_entropy, plane_basis

REFERENCE = "Rende, Gerace, Laio & Goldt, Phys. Rev. Research 6, 023057 (2024), arXiv:2304.07235"

alpha = Parameter("alpha", 2.0, (0, math.inf), "sequences per context site", open="lower")
lam = Parameter("lam", 0.1, (0, math.inf), "ridge penalty", symbol="lambda", open="lower")
kappa = Parameter("kappa", 0.0, (0, math.inf), "margin of every token")
rho = Parameter("rho", 9.0, (0, math.inf), "mean squared coupling of a site", open="lower")
A, J = sp.symbols("A J", real=True)


def features(matrix: Any) -> sp.Matrix:
    """Return the map ``P U B / sqrt(C)`` of whitened tokens to logits of a colour matrix.

    Raises
    ------
    DeclarationError
        If the matrix is not square, or has fewer than two rows.
    """
    try:
        matrix = sp.Matrix(matrix).applyfunc(lambda e: e if e.is_Rational else sp.nsimplify(e))
    except (TypeError, ValueError):
        raise DeclarationError(f"attention: expected a colour matrix, got {matrix!r}.") from None
    if matrix.rows != matrix.cols or matrix.rows < 2:
        raise DeclarationError(
            f"attention: the colour matrix has the shape {matrix.shape}, expected a square matrix "
            "of two colours at least."
        )
    colours = matrix.rows
    zero_sum = sp.eye(colours) - sp.ones(colours, colours) / colours
    return (zero_sum * matrix * plane_basis(colours) / sp.sqrt(colours)).applyfunc(sp.expand)


def square(y: sp.Matrix, h: sp.Matrix) -> sp.Expr:
    """Return half the squared distance of the logits to the centred one-hot colour."""
    centred = y - sp.ones(len(y), 1) / len(y)
    return (centred - h).dot(centred - h) / 2


def star(colours: Any, values: Any = None, loss: Any = cross_entropy, name: str = "") -> Model:
    """Declare attention to the centre of a star-shaped Potts model.

    Parameters
    ----------
    colours, values : int or matrix
        Colour matrix ``U`` of the Potts model (the number of colours for the standard one) and
        value matrix ``V`` of the attention, by default the same.
    loss : callable
    name : str
    """
    true, own = _matrices(colours, values)
    count = true.rows
    z, teacher, y = components("z", count - 1), components("z0_", count - 1), components("y", count)
    weights = [sp.exp(rho * sp.expand(true[a, :].dot(true[a, :])) / 2) for a in range(count)]
    odds = [1 / sp.Add(*(sp.powsimp(b / a) for b in weights)) for a in weights]
    labels = AlignedClusters(y, true, odds, teacher)
    return _attention(
        z,
        teacher,
        y,
        labels,
        true,
        own,
        loss,
        name or f"potts-star-{count}",
        "star-shaped Potts model",
    )


def directed(colours: Any, values: Any = None, loss: Any = cross_entropy, name: str = "") -> Model:
    """Declare attention to a token drawn from the softmax of a teacher's logits; see `star`."""
    true, own = _matrices(colours, values)
    count = true.rows
    z, teacher, y = components("z", count - 1), components("z0_", count - 1), components("y", count)
    labels = CategoricalLabels(y, softmax(true * teacher), teacher)
    return _attention(
        z, teacher, y, labels, true, own, loss, name or f"potts-directed-{count}", "uniform context"
    )


def _matrices(colours: Any, values: Any) -> tuple[sp.Matrix, sp.Matrix]:
    true = features(sp.eye(colours) if isinstance(colours, int) else colours)
    own = true if values is None else features(values)
    if own.rows != true.rows:
        raise DeclarationError(
            f"attention: the value matrix is of {own.rows} colours, the Potts model of {true.rows}."
        )
    return true, own


def _attention(
    z: Any, teacher: Any, y: Any, labels: Any, true: Any, own: Any, loss: Any, name: str, title: str
) -> Model:
    h = own * z
    logits = true * teacher
    return Model(
        name=name,
        title=f"Factored attention, {title}, {len(y)} colours",
        reference=REFERENCE,
        thermal=Thermal(A, Flat(), penalty=lam * A**2 / 2),
        quenched=Quenched(J, Gaussian(0, rho)),
        fields=SharedField(z, alpha, loss=loss(y, h), labels=labels),
        temperature=0,
        observables={
            "test_cross_entropy": Test(cross_entropy(y, h)),
            "least_cross_entropy": Test(cross_entropy(y, logits)),
            "test_error": Test(1 - is_argmax(y, h)),
            "train_loss": Train(loss(y, h)),
            "coupling_error": q - 2 * m + rho,
            "cosine": m / sp.sqrt(q * rho),
        },
    )


def separability(labels: str, colours: int) -> Model:
    """Declare couplings of unit norm that give every token its true colour, by a margin.

    The edge of their existence is where training without a penalty has a finite minimum at last:
    ``boundary("separability", "alpha")``. Labels are those of `star` or `directed`.
    """
    declare = {"star": star, "directed": directed}[labels]
    trained = declare(colours)
    (field,) = trained.fields
    y, h = field.label, features(sp.eye(colours)) * sp.Matrix(field.h)
    return Model(
        name=f"potts-separability-{labels}-{colours}",
        title=trained.title.replace("Factored attention", "Separability of attention"),
        reference=REFERENCE,
        thermal=Thermal(A, Spherical()),
        quenched=trained.quenched,
        fields=SharedField(field.h, alpha, constraint=margin(y, h) >= kappa, labels=field.labels),
        temperature=0,
        observables={"test_error": Test(1 - is_argmax(y, h)), "cosine": m / sp.sqrt(rho)},
    )


def bayes(colours: Any, name: str = "") -> Model:
    """Declare the posterior mean of couplings from uniform contexts and softmax labels."""
    true, _ = _matrices(colours, None)
    count = true.rows
    z, teacher, y = components("z", count - 1), components("z0_", count - 1), components("y", count)
    labels = CategoricalLabels(y, softmax(true * teacher), teacher)
    law = Gaussian(0, rho)
    return Model(
        name=name or f"potts-bayes-{count}",
        title=f"Bayes-optimal couplings, uniform context, {count} colours",
        reference=REFERENCE,
        thermal=Thermal(A, law),
        quenched=Quenched(J, law),
        fields=SharedField(z, alpha, likelihood=labels, labels=labels),
        observables={
            "coupling_error": rho - q,
            "least_cross_entropy": Test(cross_entropy(y, true * teacher)),
        },
    )


def full_directed(colours: int) -> Model:
    """Declare pseudo-likelihood of all couplings to a uniform context; see `full_star`."""
    h, teacher, y = (components(letter, colours) for letter in ("h", "h0_", "y"))
    labels = CategoricalLabels(y, softmax(teacher), teacher)
    return _full(
        colours,
        "directed",
        "uniform context",
        h,
        y,
        labels,
        Quenched(J, Gaussian(0, rho / colours)),
    )


def full_star(colours: int) -> Model:
    """Declare pseudo-likelihood of all ``C x C`` couplings to the leaves of a star.

    The ``C`` rows of couplings act on ``d L`` inputs, whose clusters have the directions of the
    colours. Per input there are ``alpha / d`` sequences, and the penalty ``lambda |W|^2/2`` of
    couplings to one-hot tokens is ``lambda C / d`` in whitened ones.
    """
    true, _ = _matrices(colours, None)
    h, y = components("h", colours), components("y", colours)
    return _full(colours, "star", "star-shaped Potts model", h, y, Clusters(y, rho * true * true.T))


def _full(
    colours: int,
    name: str,
    title: str,
    h: Any,
    y: Any,
    labels: Any,
    quenched: Quenched | None = None,
) -> Model:
    dimension = colours - 1
    return Model(
        name=f"potts-full-{name}-{colours}",
        title=f"Full pseudo-likelihood, {title}, {colours} colours",
        reference=REFERENCE,
        thermal=Thermal(
            A, Flat(), penalty=lam * colours / dimension * A**2 / 2, components=colours
        ),
        fields=VectorField(h, alpha / dimension, loss=cross_entropy(y, h), labels=labels),
        quenched=quenched,
        temperature=0,
        observables={
            "test_cross_entropy": Test(cross_entropy(y, h)),
            "test_error": Test(1 - is_argmax(y, h)),
            "train_loss": Train(cross_entropy(y, h)),
        },
    )


star_2, star_3, star_4, star_10 = star(2), star(3), star(4), star(10)
directed_2, directed_3, directed_4, directed_10 = (directed(count) for count in (2, 3, 4, 10))
star_square_3 = star(3, loss=square, name="potts-star-square-3")
directed_square_3 = directed(3, loss=square, name="potts-directed-square-3")
bayes_2, bayes_3 = bayes(2), bayes(3)
separability_star_2, separability_star_3 = separability("star", 2), separability("star", 3)
separability_directed_2 = separability("directed", 2)
full_directed_3, full_star_3 = full_directed(3), full_star(3)
