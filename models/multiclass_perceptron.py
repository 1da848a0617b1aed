"""Multi-class teacher-student perceptron: labels are the argmax of K teacher fields.

Cornacchia, Mignacco, Veiga, Gerbelot, Loureiro & Zdeborova, Mach. Learn.: Sci. Technol. 4, 015019
(2023), arXiv:2203.12094. Empirical risk minimisation sums the loss over ``alpha d`` samples and
adds ``lambda |W|^2/2``; the square loss carries a factor 1/2.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import sympy as sp

from replica import (
    ArgmaxLabels,
    Flat,
    Gaussian,
    Law,
    Model,
    Parameter,
    Quenched,
    Rademacher,
    Test,
    Thermal,
    Train,
    VectorField,
    components,
    is_argmax,
    m,
    margin,
    q,
)
from replica.declare.vectors import cross_entropy

REFERENCE = "Cornacchia et al., Mach. Learn.: Sci. Technol. 4, 015019 (2023), arXiv:2203.12094"

alpha = Parameter("alpha", 2.0, (0, math.inf), "samples per dimension", open="lower")
lam = Parameter("lam", 0.1, (0, math.inf), "ridge penalty", symbol="lambda", open="lower")
w, t = sp.symbols("w t", real=True)

Loss = Callable[[sp.Matrix, sp.Matrix], sp.Expr]


def square(y: sp.Matrix, h: sp.Matrix) -> sp.Expr:
    """Return half the squared distance of the field to the one-hot label."""
    return (y - h).dot(y - h) / 2


def trained(loss: Loss, classes: int, name: str, title: str) -> Model:
    """Declare the minimiser of a loss over the weights of all classes."""
    h, teacher, y = (components(letter, classes) for letter in ("h", "z", "y"))
    return Model(
        name=f"multiclass-{name}-{classes}",
        title=f"{title}, {classes} classes",
        reference=REFERENCE,
        thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2, components=classes),
        quenched=Quenched(t, Gaussian()),
        fields=VectorField(h, alpha, loss=loss(y, h), labels=ArgmaxLabels(y, teacher)),
        temperature=0,
        observables={
            "test_error": Test(1 - is_argmax(y, h)),
            "train_loss": Train(loss(y, h)),
            "train_error": Train(1 - is_argmax(y, h)),
        },
    )


def largest_margin(classes: int) -> Model:
    """Declare the weights of smallest norm with which every margin is one or more."""
    h, teacher, y = (components(letter, classes) for letter in ("h", "z", "y"))
    return Model(
        name=f"multiclass-hard-margin-{classes}",
        title=f"Largest margin, {classes} classes",
        reference=REFERENCE,
        thermal=Thermal(w, Flat(), penalty=w**2 / 2, components=classes),
        quenched=Quenched(t, Gaussian()),
        fields=VectorField(h, alpha, constraint=margin(y, h) >= 1, labels=ArgmaxLabels(y, teacher)),
        temperature=0,
        observables={
            "test_error": Test(1 - is_argmax(y, h)),
            "margin": 1 / sp.sqrt(2 * q),  # distance of the nearest samples from a boundary
            "alignment": m / sp.sqrt(q),
        },
    )


def bayes(law: Law, classes: int, name: str) -> Model:
    """Declare the posterior of the teacher's weights."""
    h, teacher, y = (components(letter, classes) for letter in ("h", "z", "y"))
    labels = ArgmaxLabels(y, teacher)
    return Model(
        name=f"multiclass-bayes-{name}-{classes}",
        title=f"Bayes-optimal multi-class perceptron, {name} teacher, {classes} classes",
        reference=REFERENCE,
        thermal=Thermal(w, law, components=classes),
        quenched=Quenched(t, law),
        fields=VectorField(h, alpha, likelihood=labels, labels=labels),
        observables={"test_error": Test(1 - is_argmax(y, h))},
    )


cross_entropy_2 = trained(cross_entropy, 2, "cross-entropy", "Softmax regression")
cross_entropy_3 = trained(cross_entropy, 3, "cross-entropy", "Softmax regression")
cross_entropy_5 = trained(cross_entropy, 5, "cross-entropy", "Softmax regression")
cross_entropy_10 = trained(cross_entropy, 10, "cross-entropy", "Softmax regression")
square_2 = trained(square, 2, "square", "Ridge classification")
square_3 = trained(square, 3, "square", "Ridge classification")
hard_margin_2 = largest_margin(2)
hard_margin_3 = largest_margin(3)
bayes_gaussian_2 = bayes(Gaussian(), 2, "gaussian")
bayes_gaussian_3 = bayes(Gaussian(), 3, "gaussian")
bayes_gaussian_5 = bayes(Gaussian(), 5, "gaussian")
bayes_rademacher_2 = bayes(Rademacher(), 2, "rademacher")
bayes_rademacher_3 = bayes(Rademacher(), 3, "rademacher")
