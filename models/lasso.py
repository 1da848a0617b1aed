"""LASSO: least squares with an l1 penalty, of a sparse signal in noise.

Bayati & Montanari, IEEE Trans. Inf. Theory 58, 1997 (2012) and Kabashima, Wadayama & Tanaka,
J. Stat. Mech. L09003 (2009): minimise ``sum (y - h)**2/2 + lambda |w|_1`` over ``w``, from
``alpha N`` noisy projections of a Gauss-Bernoulli signal.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import (
    Field,
    Flat,
    GaussBernoulli,
    LinearLabels,
    Model,
    Parameter,
    Quenched,
    Thermal,
    Train,
    m,
    q,
)

alpha = Parameter("alpha", 0.6, (0, math.inf), "projections per entry", open="lower")
lam = Parameter("lam", 0.1, (0, math.inf), "l1 penalty", symbol="lambda", open="lower")
rho = Parameter("rho", 0.2, (0, 1), "fraction of nonzero entries of the signal", open="lower")
Delta = Parameter("Delta", 1e-2, (0, math.inf), "variance of the noise")
w, signal, h, y, z = sp.symbols("w w_0 h y z", real=True)

lasso = Model(
    name="lasso",
    title="LASSO",
    reference="Bayati & Montanari, IEEE Trans. Inf. Theory 58, 1997 (2012)",
    thermal=Thermal(w, Flat(), penalty=lam * sp.Abs(w)),
    quenched=Quenched(signal, GaussBernoulli(rho)),
    fields=Field(h, alpha, loss=(y - h) ** 2 / 2, labels=LinearLabels(y, z, Delta)),
    temperature=0,
    observables={"mse": rho - 2 * m + q, "train_loss": Train((y - h) ** 2 / 2)},
)
