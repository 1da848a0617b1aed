"""Storage capacity of perceptrons with margin ``kappa``.

Gardner, J. Phys. A 21, 257 (1988): the volume of spherical weights that satisfy ``alpha N`` random
constraints ``h >= kappa`` shrinks to a point at ``alpha_c``, where ``q -> 1``.
Griniasty & Gutfreund, J. Phys. A 24, 715 (1991): the least squared violation beyond ``alpha_c``.
Krauth & Mezard, J. Phys. France 50, 3057 (1989): weights ``+-1``, capacity where the entropy
vanishes. Gardner's weights that hold patterns of mean ``a`` as attractors: each neuron has a
constraint of its own weights, ``xi_i sum_j J_ij xi_j >= kappa |J_i|``, and a ferromagnetic bias
``b = sum_j J_ij/sqrt(N)`` helps, over which the volume is extremised.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import Extremised, Field, Law, Model, Parameter, Rademacher, Spherical, Thermal

alpha = Parameter("alpha", 0.5, (0, math.inf), "constraints per weight", open="lower")
kappa = Parameter("kappa", 0.0, doc="margin")
w, h = sp.symbols("w h", real=True)


def storage(prior: Law | Spherical, name: str, title: str, reference: str) -> Model:
    """Declare the volume of weights that satisfy every constraint."""
    return Model(
        name=name,
        title=title,
        reference=reference,
        thermal=Thermal(w, prior),
        fields=Field(h, alpha, constraint=h >= kappa),
    )


spherical = storage(
    Spherical(),
    "gardner-spherical",
    "Perceptron storage, spherical weights",
    "Gardner, J. Phys. A 21, 257 (1988)",
)
ising = storage(
    Rademacher(),
    "krauth-mezard",
    "Perceptron storage, binary weights",
    "Krauth & Mezard, J. Phys. France 50, 3057 (1989)",
)

# Above capacity: the weights that violate the constraints least, in the sum of squares.
excess = Parameter("alpha", 3.0, (0, math.inf), "constraints per weight", open="lower")
least_violation = Model(
    name="gardner-least-violation",
    title="Perceptron storage, least squared violation",
    reference="Griniasty & Gutfreund, J. Phys. A 24, 715 (1991)",
    thermal=Thermal(w, Spherical()),
    fields=Field(h, excess, loss=sp.Max(0, kappa - h) ** 2 / 2),
    temperature=0,
)

# Patterns xi = +-1 of mean a: their mean adds a b to the field, the rest has variance 1 - a**2.
a = Parameter("a", 0.5, (-1, 1), "mean of the patterns", open="both")
xi, b = sp.symbols("xi b", real=True)
attractors = Model(
    name="gardner-attractors",
    title="Attractor network, biased patterns",
    reference="Gardner, J. Phys. A 21, 257 (1988)",
    thermal=Thermal(w, Spherical()),
    fields=Field(
        h,
        alpha,
        constraint=xi * (h + a * b) >= kappa,
        clusters={xi: {1: (1 + a) / 2, -1: (1 - a) / 2}},
        variance=1 - a**2,
    ),
    extremised=(Extremised(b, doc="ferromagnetic bias of the weights of a neuron"),),
)
