"""Hopfield's memory for sparse patterns: neurons that are silent or active.

Tsodyks & Feigelman, Europhys. Lett. 6, 101 (1988): patterns of activity ``f``, neurons ``s = 0, 1``
with a threshold, and couplings ``J_ij = sum_mu (xi_i - f) (xi_j - f)/(N f (1 - f))`` of the centred
patterns, without self-couplings. A fully retrieved pattern puts the field ``1 - f`` on its active
neurons and ``-f`` on the silent ones, so that thresholds lie in between. ``alpha N`` patterns.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import Discrete, Field, Model, Parameter, Quenched, Thermal, beta, m

alpha = Parameter("alpha", 0.1, (0, math.inf), "patterns per neuron", open="lower")
T = Parameter("T", 0.05, (0, math.inf), "temperature", open="lower")
f = Parameter("f", 0.1, (0, 1), "fraction of active neurons in a pattern", open="both")
theta = Parameter("theta", 0.5, doc="threshold of a neuron")
s, xi, h = sp.symbols("s xi h", real=True)
variance = f * (1 - f)


def memory(temperature: sp.Expr, name: str, title: str) -> Model:
    """Declare the memory at a temperature.

    A pattern's field ``h`` has the energy ``-h**2/(2 f (1 - f))``, of which ``-alpha s**2/2`` is
    self-coupling.
    """
    return Model(
        name=name,
        title=title,
        reference="Tsodyks & Feigelman, Europhys. Lett. 6, 101 (1988)",
        thermal=Thermal(s, Discrete([0, 1], counting=True), penalty=(theta + alpha / 2) * s),
        quenched=Quenched(xi, Discrete([1 - f, -f], [f, 1 - f])),
        fields=Field(h, alpha, loss=-(h**2) / (2 * variance), variance=variance),
        overlap=beta * m**2 / (2 * variance),
        temperature=temperature,
        observables={"retrieval": m / variance},
        start="informed",
    )


finite = memory(T, "hopfield-sparse", "Hopfield memory, sparse patterns")
ground_state = memory(
    sp.S.Zero,
    "hopfield-sparse-zero-temperature",
    "Hopfield memory, sparse patterns at zero temperature",
)
