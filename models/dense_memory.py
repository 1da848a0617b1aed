"""Hopfield memories with interactions of ``p`` spins: dense associative memories.

Gardner, J. Phys. A 20, 3453 (1987): ``alpha N**(p-1)`` patterns and the energy
``-sum_mu sum_{i1<...<ip} prod_k xi_ik^mu s_ik / N**(p-1)``. The uncondensed patterns are together a
Gaussian energy of variance ``N alpha q**p/p!`` for ``p >= 3``: they do not react to the spins, as
those of two-spin couplings do.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import Model, Parameter, Quenched, Rademacher, Thermal, beta, m, q

REFERENCE = "Gardner, J. Phys. A 20, 3453 (1987)"

alpha = Parameter("alpha", 0.05, (0, math.inf), "patterns per N^(p-1)")
T = Parameter("T", 0.1, (0, math.inf), "temperature", open="lower")
p = Parameter("p", 3.0, (3, math.inf), "number of spins that interact")
s, xi = sp.symbols("s xi", real=True)
groups = sp.gamma(p + 1)


def memory(temperature: sp.Expr, name: str, title: str) -> Model:
    """Declare the memory at a temperature."""
    return Model(
        name=name,
        title=title,
        reference=REFERENCE,
        thermal=Thermal(s, Rademacher()),
        quenched=Quenched(xi, Rademacher()),
        pair=beta**2 * alpha * q**p / groups / 2,
        overlap=beta * m**p / groups,
        temperature=temperature,
        observables={"error_fraction": (1 - m) / 2},
        start="informed",
    )


finite = memory(T, "dense-memory", "Dense associative memory")
ground_state = memory(
    sp.S.Zero, "dense-memory-zero-temperature", "Dense associative memory, zero temperature"
)
