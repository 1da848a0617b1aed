"""Mistakes made before anything is differentiated, so that equations and gradient agree."""

import dataclasses
import math

import numpy as np
import pytest
import sympy as sp
from scipy import integrate
from scipy.special import ndtr

from replica import (
    Discrete,
    Field,
    Flat,
    Gaussian,
    LinearLabels,
    Model,
    Parameter,
    Quenched,
    Thermal,
    load,
    m,
    sign_labels,
)
from replica.check import plain
from replica.check.declared import DeclaredFreeEntropy
from replica.check.gradient import check_gradient
from replica.check.independent import check_independent
from replica.check.report import NotApplicable
from replica.check.subject import Subject
from replica.compile.settings import SolverSettings
from replica.derive import (
    field as derive_field,
    field_average,
    replica_symmetric,
    site as derive_site,
)
from replica.solve.point import parameter_values

w, t, h, y, z = sp.symbols("w t h y z", real=True)
alpha = Parameter("alpha", 1.5, (0, math.inf), "load", open="lower")
rho = Parameter("rho", 0.3, (0, 1), "fraction of a cluster", open="both")


def subject(model, derived_from=None, **parameters):
    """A model with the equations that another declaration, or a broken derivation, gives."""
    source = derived_from or model
    saddle = source.saddle_point()
    full = source.saddle_point(reduce=False) if saddle.bayes_optimal else saddle
    values = parameter_values(saddle.parameters, parameters)
    return Subject(model, values, saddle, full, SolverSettings())


def found(checked):
    return {i.name.removeprefix("independent: "): i for i in check_independent(checked)}


def classifier(**changes):
    """A mixture with unequal clusters and a penalty that is not centred."""
    declared = {
        "h": h, "load": alpha, "loss": sp.log(1 + sp.exp(-y * h)),
        "clusters": {y: {1: rho, -1: 1 - rho}}, "mean": y * m / 2 + sp.Rational(1, 5),
        "variance": sp.Rational(3, 2), **changes.pop("field", {}),
    }  # fmt: skip
    model = {
        "name": "mixture", "thermal": Thermal(w, Flat(), penalty=(w - 1) ** 2 / 4),
        "quenched": Quenched(t, Gaussian(sp.Rational(1, 3), 2)), "fields": Field(**declared),
        "temperature": sp.Rational(1, 2), **changes,
    }  # fmt: skip
    return Model(**model)


WRONG = {
    "load": {"field": {"load": sp.Rational(101, 100) * alpha}},
    "mean": {"field": {"mean": y * m / 2}},
    "overlap in the mean": {"field": {"mean": y * m / 3 + sp.Rational(1, 5)}},
    "variance": {"field": {"variance": 1}},
    "clusters": {"field": {"clusters": {y: {1: 1 - rho, -1: rho}}}},
    "scale of the loss": {"field": {"loss": sp.log(1 + sp.exp(-y * h)) / 2}},
    "constant of the loss": {"field": {"loss": sp.log(1 + sp.exp(-y * h)) + sp.Rational(1, 10**4)}},
    "constant of the penalty": {"thermal": Thermal(w, Flat(), penalty=w**2 / 4 - w / 2)},
    "linear term of the penalty": {"thermal": Thermal(w, Flat(), penalty=(w**2 + 1) / 4)},
    "mean of the quenched law": {"quenched": Quenched(t, Gaussian(0, 2))},
    "variance of the quenched law": {"quenched": Quenched(t, Gaussian(sp.Rational(1, 3), 1))},
    "temperature": {"temperature": sp.Rational(101, 200)},
}


@pytest.mark.parametrize("temperature", [0, sp.Rational(1, 2)])
def test_the_right_declaration_passes(temperature):
    items = found(subject(classifier(temperature=temperature)))
    assert set(items) == {"free entropy", "stationarity"}
    assert all(i.passed for i in items.values()), items
    assert items["free entropy"].value < 1e-12


@pytest.mark.parametrize("what", WRONG)
def test_equations_of_another_declaration_fail(what):
    wrong = subject(classifier(), derived_from=classifier(**WRONG[what]))
    items = found(wrong)
    assert not items["free entropy"].passed
    # A constant moves no equation; all else moves the solution.
    assert items["stationarity"].passed == ("constant" in what)


def test_a_wrong_prior_fails():
    def model(values):
        prior = Discrete(values, [sp.Rational(1, 5), sp.Rational(4, 5)])
        return classifier(thermal=Thermal(w, prior))

    right = model([-1, 2])
    assert all(i.passed for i in found(subject(right)).values())
    assert not any(i.passed for i in found(subject(right, model([-1, 1.9]))).values())


# -- a derivation that is broken on purpose: nothing else notices ---------------------------------


def _passes_its_gradient_but_fails(model):
    fresh = dataclasses.replace(model, name="broken")
    checked = subject(fresh)
    assert all(i.passed for i in check_gradient(checked))
    items = found(checked)
    assert not items["free entropy"].passed
    return items


def test_a_factor_two_in_the_field_is_found(monkeypatch):
    right = derive_field.field_terms

    def doubled(*args, **keywords):
        terms = right(*args, **keywords)
        names = ("value", "m_conjugate", "q_conjugate", "V_conjugate")
        return dataclasses.replace(terms, **{n: 2 * getattr(terms, n) for n in names})

    monkeypatch.setattr(replica_symmetric, "field_terms", doubled)
    items = _passes_its_gradient_but_fails(load("ridge-sign"))
    assert not items["stationarity"].passed


def test_a_dropped_constant_of_the_penalty_is_found(monkeypatch):
    right = derive_site._quadratic_coefficients

    def dropped(penalty, s):
        a, b, _ = right(penalty, s)
        return a, b, sp.S.Zero

    monkeypatch.setattr(derive_site, "_quadratic_coefficients", dropped)
    items = _passes_its_gradient_but_fails(classifier(temperature=0))
    assert items["stationarity"].passed


def test_an_ignored_mean_is_found(monkeypatch):
    right = field_average.gaussian_average

    def centred(integrand, variable, mean=0, variance=1):
        return right(integrand, variable, 0, variance)

    # A mean without m: with it, the gradient of the ignored mean would be missed elsewhere too.
    model = classifier(field={"mean": sp.Rational(1, 5) * y})
    monkeypatch.setattr(field_average, "gaussian_average", centred)
    items = _passes_its_gradient_but_fails(model)
    assert not items["stationarity"].passed


def test_a_wrong_spread_of_the_teacher_is_found(monkeypatch):
    right = derive_field.build_channel

    def noisy(*args, **keywords):
        return right(*args, **{**keywords, "self_teacher": sp.Rational(11, 10)})

    monkeypatch.setattr(derive_field, "build_channel", noisy)
    items = _passes_its_gradient_but_fails(load("logistic-sign"))
    assert not items["stationarity"].passed


@pytest.mark.parametrize("name", ["sherrington-kirkpatrick", "hopfield"])
def test_a_paramagnet_lies_at_the_edge_of_its_variables(name):
    items = found(subject(load(name), T=2.0))  # q = qhat = 0: differences go one way only
    assert items["stationarity"].passed, items


def test_functionals_have_no_declaration_to_integrate():
    from replica import FunctionalModel, OrderParameter

    x = sp.Symbol("x", real=True)
    model = FunctionalModel(
        name="parabola", free_entropy=-((x - 1) ** 2),
        order_parameters=(OrderParameter(x, rate=sp.Rational(1, 4)),),
    )  # fmt: skip
    report = model.check()
    assert report.skipped["independent"] == "the model is declared as a functional"


# -- the plain numerics ---------------------------------------------------------------------------


def test_the_free_entropy_of_a_declaration_is_the_textbook_integral():
    """Ising weights under a probit channel, by `scipy.integrate.quad` from the definitions."""
    labels = sign_labels(y, z)
    prior = Discrete([-1, 1])
    model = Model(
        name="binary", thermal=Thermal(w, prior), quenched=Quenched(t, prior),
        fields=Field(h, alpha, likelihood=labels, labels=labels),
    )  # fmt: skip
    point = {"m": 0.4, "q": 0.5, "V": 0.5, "mhat": 0.7, "qhat": 0.6, "Vhat": 0.6}

    def normal(x):
        return math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)

    def site(x):
        return normal(x) * math.log(math.cosh(math.sqrt(0.6) * x + 0.7))

    def field(x):
        omega = math.sqrt(0.5) * x
        chance = ndtr(0.4 * omega / 0.5 / math.sqrt(1 - 0.4**2 / 0.5))
        return 2 * normal(x) * chance * math.log(ndtr(omega / math.sqrt(0.5)))

    expected = integrate.quad(site, -12, 12)[0] + 1.5 * integrate.quad(field, -12, 12)[0]
    expected += -0.7 * 0.4 - 0.6 * 0.5 / 2
    value, error, size = DeclaredFreeEntropy(model, {alpha: 1.5})(point)
    assert value == pytest.approx(expected, abs=1e-10)
    assert error < 1e-9
    assert size >= abs(value)


def test_labels_that_are_not_seen_through_the_residual():
    """Noisy linear labels, a weight of the product y h: two plain dimensions."""
    noise = sp.Rational(1, 2)
    model = Model(
        name="product", thermal=Thermal(w, Flat(), penalty=w**2 / 2),
        quenched=Quenched(t, Gaussian()), temperature=1,
        fields=Field(h, alpha, loss=(1 - y * h) ** 2 / 2, labels=LinearLabels(y, z, noise)),
    )  # fmt: skip
    value = next(check_independent(subject(model)))  # differences would take a while
    assert value.passed, value
    assert value.value < 1e-9


@pytest.mark.parametrize(("centre", "width"), [(0.0, 1.0), (300.0, 0.1), (-2.0, 1e-4), (5.0, 900)])
def test_log_integral_finds_the_mass(centre, width):
    logs = plain.log_integral(
        lambda x: -(((x - centre) / width) ** 2) / 2, np.zeros(2), 1.0, (centre,)
    )
    assert logs == pytest.approx(math.log(width * math.sqrt(2 * math.pi)), abs=1e-10)


def test_minimum_with_a_wall_and_with_a_kink():
    def energy(x):
        return np.where(x >= 1.7, x**2, np.inf)

    assert plain.minimum(energy, np.zeros(3), 1.0) == pytest.approx(1.7**2, abs=1e-9)
    kinked = plain.minimum(lambda x: np.abs(x - 0.3) + x**2 / 8, np.zeros(1), 1.0)
    assert kinked == pytest.approx(0.3**2 / 8, abs=1e-9)


def test_break_points_are_located():
    expression = sp.Max(0, 1 - h) + sp.Abs(h + 2) + sp.Heaviside(h**2 - 9)
    assert plain.break_points(expression, h) == pytest.approx([-3, -2, 1, 3], abs=1e-9)


def test_integrals_that_are_not_accurate_enough_say_so(monkeypatch):
    checked = subject(classifier())
    right = DeclaredFreeEntropy.__call__

    def rough(self, point):
        value, _, size = right(self, point)
        return value, 1e-3 * size, size

    monkeypatch.setattr(DeclaredFreeEntropy, "__call__", rough)
    with pytest.raises(NotApplicable, match="reach only 1e-03"):
        list(check_independent(checked))
