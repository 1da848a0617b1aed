"""Teacher-student perceptron with sign labels, Bayes-optimal.

Gyorgyi, Phys. Rev. A 41, 7097 (1990) and Barbier, Krzakala, Macris, Miolane & Zdeborova, PNAS 116,
5451 (2019): ``alpha N`` Gaussian inputs, labelled by the sign of the teacher's field. Gaussian
weights are learned smoothly, binary weights jump to the teacher.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import (
    Field,
    Gaussian,
    Law,
    Model,
    Parameter,
    Quenched,
    Rademacher,
    Test,
    Thermal,
    sign_labels,
)

REFERENCE = "Barbier, Krzakala, Macris, Miolane & Zdeborova, PNAS 116, 5451 (2019)"

alpha = Parameter("alpha", 1.0, (0, math.inf), "samples per weight", open="lower")
w, t, h, y, z = sp.symbols("w t h y z", real=True)
labels = sign_labels(y, z)


def student(law: Law, name: str, title: str) -> Model:
    """Declare teacher and student with weights of the same law."""
    return Model(
        name=name,
        title=title,
        reference=REFERENCE,
        thermal=Thermal(w, law),
        quenched=Quenched(t, law),
        fields=Field(h, alpha, likelihood=labels, labels=labels),
        observables={"test_error": Test(sp.Heaviside(-y * h))},
    )


gaussian = student(Gaussian(), "perceptron-gaussian", "Teacher-student perceptron")
rademacher = student(
    Rademacher(), "perceptron-rademacher", "Teacher-student perceptron, binary weights"
)
