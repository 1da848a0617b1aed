"""Means beside teacher labels, and losses with hard walls at finite temperature.

The free entropy is compared with plain integrals of the declaration, which share no code with the
derivation, and the solution with a few lines of textbook equations.
"""

import dataclasses
import math

import numpy as np
import pytest
import sympy as sp
from scipy import integrate

from replica import (
    Extremised,
    Field,
    Flat,
    Gaussian,
    LinearLabels,
    Model,
    Parameter,
    Quenched,
    Thermal,
    m,
    sign_labels,
)
from replica.check.independent import check_independent
from replica.check.subject import Subject
from replica.compile.settings import SolverSettings
from replica.derive.replica_symmetric import is_bayes_optimal
from replica.errors import DerivationError
from replica.solve.point import parameter_values

w, t, h, y, z, b = sp.symbols("w t h y z b", real=True)
alpha = Parameter("alpha", 1.5, (0, math.inf), "load", open="lower")
c = Parameter("c", 0.4, (-5, 5), "shift")
T = Parameter("T", 0.5, (0, math.inf), "temperature", open="lower")
LOGISTIC = sp.log(1 + sp.exp(-y * h))


def model(temperature=0, **field):
    learned = b in sp.sympify(field.get("mean", 0)).free_symbols | field.get("loss", h).free_symbols
    extremised = (Extremised(b),) if learned else ()
    return Model(
        name="shifted", thermal=Thermal(w, Flat(), penalty=w**2 / 2),
        quenched=Quenched(t, Gaussian()), fields=Field(h, alpha, **field),
        temperature=temperature, extremised=extremised,
    )  # fmt: skip


def agrees_with_its_declaration(declared):
    saddle = declared.saddle_point()
    checked = Subject(
        declared, parameter_values(saddle.parameters, {}), saddle, saddle, SolverSettings()
    )
    items = list(check_independent(checked))
    return [i.passed for i in items] == [True, True] and items[0].value < 1e-9


SIGNS, LINEAR = sign_labels(y, z), LinearLabels(y, z, sp.Rational(1, 2))


@pytest.mark.parametrize(
    "declared",
    [
        model(loss=LOGISTIC, labels=SIGNS, mean=c),
        model(loss=LOGISTIC, labels=SIGNS, mean=c * y + m / 3),
        model(loss=(y - h) ** 2 / 2, labels=LINEAR, mean=c + b),
        model(T, loss=(1 - y * h) ** 2, labels=LINEAR, mean=c + m / 4),
    ],
    ids=["constant", "of the label", "learned", "product, warm"],
)
def test_means_beside_labels(declared):
    assert agrees_with_its_declaration(declared)


def test_a_mean_of_linear_labels_adds_to_the_noise():
    # The residual has mean c: its second moment is that of labels with a variance larger by c^2.
    shifted = model(loss=(y - h) ** 2 / 2, labels=LINEAR, mean=c).solve(c=0.7)
    noise = Parameter("noise", 0.5, (0, 10), "noise")
    noisy = model(loss=(y - h) ** 2 / 2, labels=LinearLabels(y, z, noise))
    expected = noisy.solve(noise=0.5 + 0.7**2)
    for name in ("m", "q", "chi"):
        assert shifted[name] == pytest.approx(expected[name], rel=1e-12)


def test_a_learned_mean_undoes_a_given_one():
    plain = model(loss=LOGISTIC, labels=SIGNS).solve()
    learned = model(loss=LOGISTIC, labels=SIGNS, mean=c + b).solve()
    assert learned["b"] == pytest.approx(-0.4, abs=1e-9)
    assert learned["q"] == pytest.approx(plain["q"], rel=1e-9)


def test_a_mean_beside_the_teachers_channel_is_no_match():
    matched = Model(
        name="matched", thermal=Thermal(w, Gaussian()), quenched=Quenched(t, Gaussian()),
        fields=Field(h, alpha, likelihood=SIGNS, labels=SIGNS),
    )  # fmt: skip
    assert is_bayes_optimal(matched)
    shifted = dataclasses.replace(matched.fields[0], mean=c)
    assert not is_bayes_optimal(dataclasses.replace(matched, fields=shifted))


# -- hard walls -----------------------------------------------------------------------------------

LOWER = sp.Piecewise((h**2 / 3, h >= c), (sp.oo, True))
WALLS = {
    "convex": model(T, loss=LOWER, mean=m / 2),
    "not convex": model(T, loss=sp.Piecewise((sp.sin(2 * h), h >= c), (sp.oo, True)), mean=m / 2),
    "two": model(
        T, loss=sp.Piecewise((sp.oo, h < -1), ((h - 1) ** 2, h <= 2), (sp.oo, True)), mean=m / 2
    ),
    "of the margin": model(
        T, loss=h**4 / 4 + sp.Piecewise((0, y * h >= -c), (sp.oo, True)), labels=SIGNS
    ),
}


@pytest.mark.parametrize("name", WALLS)
def test_hard_walls_at_finite_temperature(name):
    assert agrees_with_its_declaration(WALLS[name])


def test_walls_of_a_loss_are_those_of_a_constraint():
    walled = model(T, loss=sp.Piecewise((0, h >= c), (sp.oo, True)), mean=m / 2).solve()
    constrained = model(T, constraint=h >= c, mean=m / 2).solve()
    for key, value in constrained.order_parameters.items():
        assert walled[key] == pytest.approx(value, rel=1e-9)
    assert walled.free_entropy == pytest.approx(constrained.free_entropy, rel=1e-9)


def test_positive_weights_by_a_wall_of_the_penalty():
    """Weights of one sign, no data that see the field: a truncated Gaussian, by quadrature."""
    penalty = sp.Piecewise((w**2 / 2 + w, w >= 0), (sp.oo, True))
    declared = Model(
        name="positive", thermal=Thermal(w, Flat(), penalty=penalty), pair=sp.S.Zero,
        fields=Field(h, alpha, loss=h**2 / 2), temperature=T,
    )  # fmt: skip
    found = declared.solve()
    qhat, Vhat = found.conjugates["qhat"], found.conjugates["Vhat"]

    def moments(field):
        def weight(s):
            return math.exp(-(Vhat + 2) * s**2 / 2 + (field - 2) * s)

        whole = [integrate.quad(lambda s, k=k: s**k * weight(s), 0, 15)[0] for k in range(3)]
        return whole[1] / whole[0], whole[2] / whole[0]

    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    values = np.array([moments(math.sqrt(qhat) * x) for x in nodes])
    weights /= weights.sum()
    assert found["q"] == pytest.approx(weights @ values[:, 0] ** 2, rel=1e-7)
    assert found["q"] + found["V"] == pytest.approx(weights @ values[:, 1], rel=1e-7)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (sp.Piecewise((h**2, h + b >= 0), (sp.oo, True)), "moves with the scalar b"),
        (sp.Piecewise((sp.oo, h < 0), (0, h < 1), (1, True)), "jumps between them"),
    ],
)
def test_walls_that_are_refused(loss, message):
    with pytest.raises(DerivationError, match=message):
        model(T, loss=loss, mean=m / 2).saddle_point()
