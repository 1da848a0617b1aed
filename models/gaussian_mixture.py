"""Regularised classification of a noisy two-cluster Gaussian mixture.

Mignacco, Krzakala, Lu, Urbani & Zdeborova, ICML 2020 (arXiv:2002.11544): ``n = alpha d`` points
``x = y v/sqrt(d) + sqrt(Delta) z`` with labels ``y = +1`` with probability ``rho``, a linear
classifier with a learned bias ``b``, a loss summed over the samples and the penalty
``lambda |w|^2/2``. The square loss carries a factor 1/2.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import (
    Extremised,
    Field,
    Flat,
    Gaussian,
    Model,
    Parameter,
    Quenched,
    Spherical,
    Test,
    Thermal,
    Train,
    m,
    q,
)

REFERENCE = "Mignacco, Krzakala, Lu, Urbani & Zdeborova, ICML 2020, arXiv:2002.11544"

alpha = Parameter("alpha", 2.0, (0, math.inf), "samples per dimension", open="lower")
lam = Parameter("lam", 1.0, (0, math.inf), "ridge penalty", symbol="lambda")
rho = Parameter("rho", 0.5, (0, 1), "fraction of the cluster y = +1", open="both")
Delta = Parameter("Delta", 1.0, (0, math.inf), "variance of a cluster", open="lower")

w, v, h, y, b, t = sp.symbols("w v h y b t", real=True)
CLUSTERS = {y: {1: rho, -1: 1 - rho}}
# The bias that minimises the test error at given overlaps, chosen after training.
best_bias = Delta * q * sp.log(rho / (1 - rho)) / (2 * m)

LOSSES = {
    "square": (1 - t) ** 2 / 2,
    "hinge": sp.Max(0, 1 - t),
    "logistic": sp.log(1 + sp.exp(-t)),
}


def mixture(loss: sp.Expr, name: str, *, bias: bool = True) -> Model:
    """Declare the classifier for a loss ``loss(t)`` of the margin ``t = y (h + b)``."""
    offset = b if bias else sp.S.Zero
    margin = y * (h + offset)
    return Model(
        name=name,
        title=f"Gaussian mixture, {name.split('-')[2]} loss{'' if bias else ', no bias'}",
        reference=REFERENCE,
        thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2),
        quenched=Quenched(v, Gaussian()),
        fields=Field(
            h, alpha, loss=loss.subs(t, margin), clusters=CLUSTERS, mean=y * m, variance=Delta
        ),
        extremised=(Extremised(b, doc="learned bias"),) if bias else (),
        temperature=0,
        observables={
            "test_error": Test(sp.Heaviside(-margin)),
            "best_bias_error": Test(sp.Heaviside(-y * (h + best_bias))),
            "train_loss": Train(loss.subs(t, margin)),
            "train_error": Train(sp.Heaviside(-margin)),
            "alignment": m / sp.sqrt(q),
        },
    )


square = mixture(LOSSES["square"], "gaussian-mixture-square")
hinge = mixture(LOSSES["hinge"], "gaussian-mixture-hinge")
logistic = mixture(LOSSES["logistic"], "gaussian-mixture-logistic")
square_no_bias = mixture(LOSSES["square"], "gaussian-mixture-square-no-bias", bias=False)
hinge_no_bias = mixture(LOSSES["hinge"], "gaussian-mixture-hinge-no-bias", bias=False)
logistic_no_bias = mixture(LOSSES["logistic"], "gaussian-mixture-logistic-no-bias", bias=False)

# Weights of unit norm that classify every sample with margin kappa, at the edge of existence: the
# equations have no scale, and fix alpha or kappa instead: `boundary("separability", "alpha")`.
kappa = Parameter("kappa", 0.0, doc="margin of every sample")
separability = Model(
    name="gaussian-mixture-separability",
    title="Gaussian mixture, linear separability",
    reference=REFERENCE,
    thermal=Thermal(w, Spherical()),
    quenched=Quenched(v, Gaussian()),
    fields=Field(
        h, alpha, constraint=y * (h + b) >= kappa, clusters=CLUSTERS, mean=y * m, variance=Delta
    ),
    extremised=(Extremised(b, doc="bias"),),
    temperature=0,
    observables={"test_error": Test(sp.Heaviside(-y * (h + b)))},
)

# The posterior of the centroid: each sample has likelihood exp(y h/Delta - |v|^2/(2 Delta d)).
bayes_bias = Delta * sp.log(rho / (1 - rho)) / 2
bayes = Model(
    name="gaussian-mixture-bayes",
    title="Gaussian mixture, Bayes-optimal classifier",
    reference=REFERENCE,
    thermal=Thermal(w, Gaussian(), penalty=alpha * w**2 / (2 * Delta)),
    quenched=Quenched(v, Gaussian()),
    fields=Field(
        h, alpha, likelihood=sp.exp(y * h / Delta), clusters=CLUSTERS, mean=y * m, variance=Delta
    ),
    observables={
        "test_error": Test(sp.Heaviside(-y * (h + bayes_bias))),
        "alignment": m / sp.sqrt(q),
    },
)
