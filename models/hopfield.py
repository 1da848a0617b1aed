"""Hopfield's associative memory with one condensed pattern.

Amit, Gutfreund & Sompolinsky, Phys. Rev. Lett. 55, 1530 (1985) and Ann. Phys. 173, 30 (1987):
``N`` Ising spins, ``alpha N`` random patterns, Hebb's couplings. The spin's own coupling is kept,
which adds the constant ``-alpha/2`` to the energy of a spin. Each uncondensed pattern is a field
``h`` that the spins feel with the energy ``-h**2/2``.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import Field, Model, Parameter, Quenched, Rademacher, Thermal, beta, m

REFERENCE = "Amit, Gutfreund & Sompolinsky, Ann. Phys. 173, 30 (1987)"

alpha = Parameter("alpha", 0.05, (0, math.inf), "patterns per spin", open="lower")
T = Parameter("T", 0.2, (0, math.inf), "temperature", open="lower")
s, xi, h = sp.symbols("s xi h", real=True)


def memory(temperature: sp.Expr, name: str, title: str) -> Model:
    """Declare the memory at a temperature."""
    return Model(
        name=name,
        title=title,
        reference=REFERENCE,
        thermal=Thermal(s, Rademacher()),
        quenched=Quenched(xi, Rademacher()),
        fields=Field(h, alpha, loss=-(h**2) / 2),
        overlap=beta * m**2 / 2,
        temperature=temperature,
        observables={"error_fraction": (1 - m) / 2},
        start="informed",
    )


finite = memory(T, "hopfield", "Hopfield memory")
ground_state = memory(sp.S.Zero, "hopfield-zero-temperature", "Hopfield memory, zero temperature")
