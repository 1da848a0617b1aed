"""Compressed sensing of a Gauss-Bernoulli signal, Bayes-optimal.

Krzakala, Mezard, Sausset, Sun & Zdeborova, Phys. Rev. X 2, 021005 (2012): ``alpha N`` noisy
projections of a signal with a fraction ``rho`` of nonzero entries. The branch of the uninformed
start is what message passing reaches.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import Field, GaussBernoulli, LinearLabels, Model, Parameter, Quenched, Thermal, V

alpha = Parameter("alpha", 0.6, (0, math.inf), "projections per entry", open="lower")
rho = Parameter("rho", 0.4, (0, 1), "fraction of nonzero entries", open="both")
Delta = Parameter("Delta", 1e-2, (0, math.inf), "variance of the noise", open="lower")
x, signal, h, y, z = sp.symbols("x x_0 h y z", real=True)
projections = LinearLabels(y, z, variance=Delta)

bayes = Model(
    name="compressed-sensing",
    title="Compressed sensing, Bayes-optimal",
    reference="Krzakala, Mezard, Sausset, Sun & Zdeborova, Phys. Rev. X 2, 021005 (2012)",
    thermal=Thermal(x, GaussBernoulli(rho)),
    quenched=Quenched(signal, GaussBernoulli(rho)),
    fields=Field(h, alpha, likelihood=projections, labels=projections),
    observables={"mse": V},
)
