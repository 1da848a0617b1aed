"""Committee machine with two hidden units, Bayes-optimal: units specialise with enough samples.

Aubin, Maillard, Barbier, Krzakala, Macris & Zdeborova, NeurIPS 31 (2018), arXiv:1806.05451. The
label is ``sign(sign(w1.x) + sign(w2.x))`` with ``sign(0) = 0``: it has three values, and is zero
where the hidden units disagree.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import (
    Gaussian,
    Law,
    Model,
    OrthantLabels,
    Parameter,
    Predictive,
    Quenched,
    Test,
    Thermal,
    VectorField,
    components,
    q,
    q_u,
)

REFERENCE = "Aubin et al., NeurIPS 31 (2018), arXiv:1806.05451"

alpha = Parameter("alpha", 3.0, (0, math.inf), "samples per dimension", open="lower")
w, t, y = sp.symbols("w t y", real=True)
h, z = components("h", 2), components("z", 2)


def committee(law: Law, name: str, title: str) -> Model:
    """Declare the posterior of the weights of two hidden units, all drawn from one law."""
    labels = OrthantLabels(y, sp.sign(sp.sign(z[0]) + sp.sign(z[1])), z)
    mean = sp.Add(*(value * Predictive(value) for value in labels.values))
    return Model(
        name=f"committee-2-{name}",
        title=title,
        reference=REFERENCE,
        thermal=Thermal(w, law, components=2),
        quenched=Quenched(t, law),
        fields=VectorField(h, alpha, likelihood=labels, labels=labels),
        observables={
            "q_11": (q_u + q) / 2,
            "q_12": (q_u - q) / 2,
            "gibbs_error": Test(1 - Predictive(y)),
            "squared_error": Test((y - mean) ** 2),
        },
    )


gaussian = committee(Gaussian(), "gaussian", "Committee machine, two hidden units")
