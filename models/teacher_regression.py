"""Ridge and logistic regression with a Gaussian teacher.

Minimise ``sum loss + lambda |w|**2/2`` over ``alpha N`` Gaussian inputs, whose labels are the
teacher's field with noise, or its sign. Ridge with linear labels: Hastie, Montanari, Rosset &
Tibshirani, Ann. Stat. 50, 949 (2022); sign labels: Aubin, Krzakala, Lu & Zdeborova, NeurIPS 2020,
arXiv:2006.06560.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import (
    Field,
    Flat,
    Gaussian,
    LinearLabels,
    Model,
    Parameter,
    Quenched,
    Test,
    Thermal,
    Train,
    m,
    q,
    sign_labels,
)

alpha = Parameter("alpha", 2.0, (0, math.inf), "samples per dimension", open="lower")
lam = Parameter("lam", 0.1, (0, math.inf), "ridge penalty", symbol="lambda", open="lower")
Delta = Parameter("Delta", 0.1, (0, math.inf), "variance of the noise of the labels")
w, t, h, y, z = sp.symbols("w t h y z", real=True)

SQUARE = (y - h) ** 2 / 2
LOGISTIC = sp.log(1 + sp.exp(-y * h))
SIGN = sign_labels(y, z)


ridge_linear = Model(
    name="ridge-linear",
    title="Ridge regression, noisy linear teacher",
    reference="Hastie, Montanari, Rosset & Tibshirani, Ann. Stat. 50, 949 (2022)",
    thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2),
    quenched=Quenched(t, Gaussian()),
    fields=Field(h, alpha, loss=SQUARE, labels=LinearLabels(y, z, Delta)),
    temperature=0,
    observables={"mse": 1 - 2 * m + q, "test_loss": Test(SQUARE), "train_loss": Train(SQUARE)},
)


def classifier(loss: sp.Expr, name: str, title: str) -> Model:
    """Declare the minimiser of a loss on the signs of the teacher's field."""
    return Model(
        name=name,
        title=title,
        reference="Aubin, Krzakala, Lu & Zdeborova, NeurIPS 2020, arXiv:2006.06560",
        thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2),
        quenched=Quenched(t, Gaussian()),
        fields=Field(h, alpha, loss=loss, labels=SIGN),
        temperature=0,
        observables={
            "test_error": Test(sp.Heaviside(-y * h)),
            "train_loss": Train(loss),
            "train_error": Train(sp.Heaviside(-y * h)),
        },
    )


ridge_sign = classifier(SQUARE, "ridge-sign", "Ridge regression on signs")
logistic_sign = classifier(LOGISTIC, "logistic-sign", "Logistic regression on signs")
