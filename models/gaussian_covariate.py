"""Gaussian covariates: teacher and student see different, correlated Gaussian features.

Loureiro, Gerbelot, Cui, Goldt, Krzakala, Mezard & Zdeborova, NeurIPS 2021, arXiv:2102.08127: labels
``y = f(theta.u/sqrt(p))`` of teacher features ``u``, a student ``h = w.v/sqrt(d)`` on features
``v``, and the minimum of a loss summed over the samples with the penalty ``lambda |w|^2/2``. Every
eigenvector of the covariance of ``v`` is a site. Random features ``v = s(F u/sqrt(p))``: Gerace,
Loureiro, Krzakala, Mezard & Zdeborova, ICML 2020, arXiv:2002.09339.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import sympy as sp

from replica import (
    DeclarationError,
    Empirical,
    Field,
    Flat,
    Gaussian,
    LinearLabels,
    MarchenkoPastur,
    Model,
    Parameter,
    Quenched,
    Test,
    Thermal,
    Train,
    sign_labels,
)

if TYPE_CHECKING:
    from replica.declare.covariances import Covariates

alpha = Parameter("alpha", 2.0, (0, math.inf), "samples per dimension of the student", open="lower")
lam = Parameter("lam", 0.1, (0, math.inf), "ridge penalty", symbol="lambda", open="lower")
Delta = Parameter("Delta", 0.1, (0, math.inf), "variance of the noise of the labels")
w, t, h, y, z, x = sp.symbols("w t h y z x", real=True)
norm = sp.Symbol("rho_0", positive=True)
omega = sp.Symbol("Omega", nonnegative=True)  # an eigenvalue; omega is the student's field

REFERENCE = (
    "Loureiro, Gerbelot, Cui, Goldt, Krzakala, Mezard & Zdeborova, NeurIPS 2021, arXiv:2102.08127"
)
LOSSES = {
    "square": (y - h) ** 2 / 2,
    "logistic": sp.log(1 + sp.exp(-y * h)),
    "hinge": sp.Max(0, 1 - y * h),
}


def covariate(loss: str, name: str, title: str, **parts: Any) -> Model:
    """Declare the minimiser of a loss; ``parts`` are sites, metric, quenched variable and load."""
    square, metric = loss == "square", parts.pop("metric", omega)
    labels = LinearLabels(y, z, Delta) if square else sign_labels(y, z)
    error = {"mse": Test((z - h) ** 2)} if square else {"test_error": Test(sp.Heaviside(-y * h))}
    return Model(
        name=name,
        title=title,
        reference=parts.pop("reference", REFERENCE),
        thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2, metric=metric),
        fields=Field(h, parts.pop("load", alpha), loss=LOSSES[loss], labels=labels),
        temperature=0,
        observables={**error, "train_loss": Train(LOSSES[loss])},
        **parts,
    )


def gaussian_covariate(loss: str, given: Covariates, name: str | None = None) -> Model:
    """Declare a model of given covariances, or of those of a data set.

    Parameters
    ----------
    loss : str
        ``"square"`` (labels are the teacher's field with noise), ``"logistic"`` or ``"hinge"``
        (labels are its sign).
    given : Covariates
        From `replica.covariates` or `replica.covariates_of_data`.
    name : str, optional

    Raises
    ------
    DeclarationError
        If there is no such loss.
    """
    if loss not in LOSSES:
        raise DeclarationError(f"loss {loss!r}: expected one of {', '.join(LOSSES)}.")
    return covariate(
        loss,
        name or f"covariate-{loss}-of-arrays",
        f"Gaussian covariates given as arrays, {loss} loss",
        quenched=Quenched(t, self_overlap=norm),
        sites=given.sites(omega, t, norm),
    )


# A power law of 40 directions, of mean variance one; the teacher is equally strong in all of them.
POWER = [sp.Integer(k) ** sp.Rational(-3, 2) for k in range(1, 41)]
SPECTRUM = Empirical({omega: [float(40 * value / sum(POWER)) for value in POWER]})
power_law = {"sites": SPECTRUM, "quenched": Quenched(t, Gaussian())}

square, logistic, hinge = (
    covariate(
        loss, f"covariate-{loss}", f"Gaussian covariates, power law, {loss} loss", **power_law
    )
    for loss in LOSSES
)

# Random features of an odd function s: v = kappa1 F u/sqrt(p) + kappastar noise, as far as Gaussian
# covariances tell. The spectrum of F F^T/p is a Marchenko-Pastur law. Default: the sign.
gamma = Parameter("gamma", 1.5, (0, math.inf), "features per input dimension", open="lower")
inputs = Parameter("alpha", 2.0, (0, math.inf), "samples per input dimension", open="lower")
kappa1 = Parameter(
    "kappa1", math.sqrt(2 / math.pi), (0, math.inf), "linear part of the features, E[s(z) z]",
    symbol="kappa_1",
)  # fmt: skip
kappastar = Parameter(
    "kappastar", math.sqrt(1 - 2 / math.pi), (0, math.inf),
    "deviation of the features from their linear part", symbol="kappa_*", open="lower",
)  # fmt: skip
variance = kappa1**2 * x + kappastar**2
features = {
    "metric": variance,
    "sites": MarchenkoPastur(x, gamma),
    "quenched": Quenched(t, Gaussian(variance=gamma * kappa1**2 * x / variance**2), 1),
    "load": inputs / gamma,
    "reference": "Gerace, Loureiro, Krzakala, Mezard & Zdeborova, ICML 2020, arXiv:2002.09339",
}
random_features_square, random_features_logistic = (
    covariate(loss, f"random-features-{loss}", f"Random features, {loss} loss", **features)
    for loss in ("square", "logistic")
)
