"""Sherrington-Kirkpatrick spin glass in a field.

Sherrington & Kirkpatrick, Phys. Rev. Lett. 35, 1792 (1975): Ising spins with couplings
``J_ij ~ Normal(0, 1/N)`` and a uniform field ``h``. Replica symmetry is stable above the line of
de Almeida & Thouless, J. Phys. A 11, 983 (1978).
"""

from __future__ import annotations

import math

import sympy as sp

from replica import Model, Parameter, Rademacher, Site, Thermal, beta, q

REFERENCE = "Sherrington & Kirkpatrick, Phys. Rev. Lett. 35, 1792 (1975)"

T = Parameter("T", 0.5, (0, math.inf), "temperature, in units of the coupling", open="lower")
field = Parameter("h", 0.0, doc="uniform field, in units of the coupling")
s = sp.Symbol("s", real=True)


def glass(temperature: sp.Expr, name: str, title: str) -> Model:
    """Declare the glass at a temperature."""
    return Model(
        name=name,
        title=title,
        reference=REFERENCE,
        thermal=Thermal(s, Rademacher(), penalty=-field * s),
        pair=beta**2 * q**2 / 4,
        temperature=temperature,
        observables={"magnetisation": Site(s)},
    )


finite = glass(T, "sherrington-kirkpatrick", "Sherrington-Kirkpatrick spin glass")
ground_state = glass(
    sp.S.Zero,
    "sherrington-kirkpatrick-zero-temperature",
    "Sherrington-Kirkpatrick spin glass, ground state",
)
