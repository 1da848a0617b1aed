"""Observables of the teacher's field: a Gaussian that is correlated with the student's."""

import math

import numpy as np
import pytest
import sympy as sp

from replica import (
    DeclarationError,
    Field,
    Flat,
    Gaussian,
    LinearLabels,
    Model,
    Parameter,
    Quenched,
    Test as NewSample,
    Thermal,
    Train,
    sign_labels,
)

alpha = Parameter("alpha", 2.0, (0, math.inf), open="lower")
w, t, h, h0, y = sp.symbols("w t h h0 y", real=True)
NOISY, SIGN = LinearLabels(y, h0, 0.3), sign_labels(y, h0, 0.1)


def ridge(labels, **observables):
    return Model(
        name="ridge",
        thermal=Thermal(w, Flat(), penalty=w**2 / 4),
        quenched=Quenched(t, Gaussian(0.2, 0.7)),
        fields=Field(h, alpha, loss=(y - h) ** 2 / 2, labels=labels),
        observables=observables,
        temperature=0,
    )


def sample(solution, size=120):
    """Fields of teacher and student, with Gauss-Hermite weights."""
    z, weight = np.polynomial.hermite_e.hermegauss(size)
    weight = weight / weight.sum()
    m, q, second = solution["m"], solution["q"], 0.7 + 0.2**2
    student = np.sqrt(q) * z[:, None]
    teacher = m / q * student + np.sqrt(second - m**2 / q) * z[None, :]
    return student, teacher, weight[:, None] * weight[None, :]


def test_linear_labels():
    solution = ridge(
        NOISY,
        distance=NewSample((h0 - h) ** 2),
        joint=NewSample(y * h0 + y**2),
        activation=NewSample((sp.tanh(h0) - sp.tanh(h)) ** 2),
    ).solve()
    m, q, second = solution["m"], solution["q"], 0.74
    assert solution["distance"] == pytest.approx(second - 2 * m + q, rel=1e-10)
    assert solution["joint"] == pytest.approx(2 * second + 0.3, rel=1e-10)
    student, teacher, weight = sample(solution)
    expected = (weight * (np.tanh(teacher) - np.tanh(student)) ** 2).sum()
    assert solution["activation"] == pytest.approx(expected, rel=1e-8)


def test_sign_labels():
    solution = ridge(
        SIGN,
        distance=NewSample((h0 - h) ** 2),
        odd=NewSample(sp.erf(h0)),
        margin=NewSample(y * h0),
        disagreement=NewSample(sp.Heaviside(-h * h0)),
        mixed=NewSample(y * h * h0**2),
    ).solve()
    m, q, second = solution["m"], solution["q"], 0.74
    assert solution["distance"] == pytest.approx(second - 2 * m + q, rel=1e-10)
    assert solution["odd"] == pytest.approx(0, abs=1e-12)
    assert solution["margin"] == pytest.approx(0.8 * math.sqrt(2 * second / math.pi), rel=1e-9)
    angle = math.acos(m / math.sqrt(q * second))
    assert solution["disagreement"] == pytest.approx(angle / math.pi, rel=1e-8)
    # h = m h0 / R + independent, and E |h0|^3 = 2 R^(3/2) sqrt(2/pi).
    cubed = 2 * second**1.5 * math.sqrt(2 / math.pi)
    assert solution["mixed"] == pytest.approx(0.8 * m / second * cubed, rel=1e-8)


def test_training_samples_do_not_see_the_teacher():
    with pytest.raises(DeclarationError, match=r"over training samples"):
        ridge(SIGN, distance=Train((h0 - h) ** 2))
