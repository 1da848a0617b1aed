"""Phase retrieval of a real Gaussian signal, Bayes-optimal.

Barbier, Krzakala, Macris, Miolane & Zdeborova, PNAS 116, 5451 (2019) and Mondelli & Montanari,
Found. Comput. Math. 19, 703 (2019): the magnitudes of ``alpha N`` Gaussian projections, without
noise. The signal is known up to its sign; weak recovery starts at ``alpha = 1/2``.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import (
    DeterministicLabels,
    Field,
    Gaussian,
    Model,
    Parameter,
    Quenched,
    Thermal,
    V,
)

alpha = Parameter("alpha", 0.8, (0, math.inf), "projections per entry", open="lower")
x, signal, h, y, z = sp.symbols("x x_0 h y z", real=True)
magnitudes = DeterministicLabels(y, sp.Abs(z), z)

bayes = Model(
    name="phase-retrieval",
    title="Phase retrieval, Bayes-optimal",
    reference="Barbier, Krzakala, Macris, Miolane & Zdeborova, PNAS 116, 5451 (2019)",
    thermal=Thermal(x, Gaussian()),
    quenched=Quenched(signal, Gaussian()),
    fields=Field(h, alpha, likelihood=magnitudes, labels=magnitudes),
    observables={"mse": V},
)
