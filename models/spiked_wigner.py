"""Spiked Wigner model: a rank-one matrix in symmetric Gaussian noise, Bayes-optimal.

Lesieur, Krzakala & Zdeborova, J. Stat. Mech. 073403 (2017) and Deshpande, Abbe & Montanari,
Inf. Inference 6, 125 (2017): ``Y = sqrt(lambda/N) x x^T + W`` with entries of ``W`` of unit
variance. A Rademacher spike is found above ``lambda = 1``; a sparse one of density ``rho`` and
entries of variance ``1/rho`` has hard phases.
"""

from __future__ import annotations

import math
from typing import Any

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


def posterior(law: Law, signal: sp.Expr, **given: Any) -> Model:
    """Declare the posterior of a spike, seen as ``sqrt(signal/N) x x^T`` in unit noise."""
    return Model(
        thermal=Thermal(x, law),
        quenched=Quenched(spike, law),
        pair=signal * q**2 / 4,
        overlap=signal * m**2 / 2 - signal * q_d**2 / 4,
        **given,
    )


def spiked(law: Law, name: str, title: str) -> Model:
    """Declare the posterior of a spike with entries of a law of unit variance."""
    return posterior(
        law,
        lam,
        name=name,
        title=title,
        reference="Lesieur, Krzakala & Zdeborova, J. Stat. Mech. 073403 (2017)",
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
