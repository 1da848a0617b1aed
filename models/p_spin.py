"""Mean-field p-spin glasses with Ising and with spherical spins.

Gross & Mezard, Nucl. Phys. B 240, 431 (1984): Ising spins, ``p``-body Gaussian couplings.
Crisanti & Sommers, Z. Phys. B 87, 341 (1992): the same with spins on the sphere. Both with the
energy of variance ``N/2``, for which ``p = 2`` is the Sherrington-Kirkpatrick model.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import Law, Model, Parameter, Rademacher, Site, Spherical, Thermal, beta, q

T = Parameter("T", 1.0, (0, math.inf), "temperature", open="lower")
p = Parameter("p", 3.0, (2, math.inf), "number of spins that interact")
field = Parameter("h", 0.5, doc="uniform field")
s = sp.Symbol("s", real=True)


def glass(prior: Law | Spherical, name: str, title: str, reference: str) -> Model:
    """Declare the glass for one kind of spins."""
    return Model(
        name=name,
        title=title,
        reference=reference,
        thermal=Thermal(s, prior, penalty=-field * s),
        pair=beta**2 * q**p / 4,
        temperature=T,
        observables={"magnetisation": Site(s)},
    )


ising = glass(
    Rademacher(),
    "p-spin-ising",
    "Ising p-spin glass",
    "Gross & Mezard, Nucl. Phys. B 240, 431 (1984)",
)
spherical = glass(
    Spherical(),
    "p-spin-spherical",
    "Spherical p-spin glass",
    "Crisanti & Sommers, Z. Phys. B 87, 341 (1992)",
)
