"""Spiked Wigner model: a rank-one matrix in symmetric Gaussian noise, Bayes-optimal.

Lesieur, Krzakala & Zdeborova, J. Stat. Mech. 073403 (2017) and Deshpande, Abbe & Montanari,
Inf. Inference 6, 125 (2017): ``Y = sqrt(lambda/N) x x^T + W`` with entries of ``W`` of unit
variance. A Rademacher spike is found above ``lambda = 1``; a sparse one of density ``rho`` and
entries of variance ``1/rho`` has hard phases.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import (
    Discrete,
    GaussBernoulli,
    Law,
    Model,
    Parameter,
    Quenched,
    Rademacher,
    Thermal,
    m,
    q,
    q_d,
)

lam = Parameter("lam", 2.0, (0, math.inf), "signal-to-noise ratio", symbol="lambda")
rho = Parameter("rho", 0.1, (0, 1), "fraction of nonzero entries", open="lower")
x, spike = sp.symbols("x x_0", real=True)
scale = 1 / sp.sqrt(rho)


def spiked(law: Law, name: str, title: str) -> Model:
    """Declare the posterior of a spike with entries of a law of unit variance."""
    return Model(
        name=name,
        title=title,
        reference="Lesieur, Krzakala & Zdeborova, J. Stat. Mech. 073403 (2017)",
        thermal=Thermal(x, law),
        quenched=Quenched(spike, law),
        pair=lam * q**2 / 4,
        overlap=lam * m**2 / 2 - lam * q_d**2 / 4,
        observables={"matrix_mse": 1 - q**2},
    )


rademacher = spiked(Rademacher(), "spiked-wigner-rademacher", "Spiked Wigner, Rademacher")
gauss_bernoulli = spiked(
    GaussBernoulli(rho, variance=1 / rho), "spiked-wigner-sparse", "Spiked Wigner, Gauss-Bernoulli"
)
ternary = spiked(
    Discrete([-scale, 0, scale], [rho / 2, 1 - rho, rho / 2]),
    "spiked-wigner-ternary",
    "Spiked Wigner, sparse Rademacher",
)
