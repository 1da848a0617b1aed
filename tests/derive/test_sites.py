"""Derivations over sites that differ, against models whose equations need none."""

import pytest
import sympy as sp
from replica.models.gaussian_covariate import POWER, SPECTRUM, omega

import replica as rp
from replica import Empirical, Thermal, beta, load, q
from replica.solve.high_precision import evaluate

s, field, w, t, h, y, z = sp.symbols("s b w t h y z", real=True)


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_random_signs_of_the_field_do_not_matter_to_a_glass(backend):
    """Sherrington-Kirkpatrick: a gauge transformation takes +-h on the sites to h."""
    T = rp.Parameter("T", 0.5, (0, 10), "temperature", open="lower")
    model = rp.Model(
        name="glass-in-random-fields",
        sites=Empirical({field: [0.3, -0.3, 0.3]}, weights=[1, 2, 1]),
        thermal=Thermal(s, rp.Rademacher(), penalty=-field * s),
        pair=beta**2 * q**2 / 4,
        temperature=T,
        observables={"magnetisation": rp.Site(s)},
    )
    found = model.solve(T=0.8, backend=backend)
    expected = load("sherrington-kirkpatrick").solve(T=0.8, h=0.3)
    for name in ("q", "V", "free_entropy", "energy", "replicon"):
        assert found[name] == pytest.approx(expected[name], rel=1e-10)
    assert found["magnetisation"] == pytest.approx(0, abs=1e-12)


def test_the_posterior_mean_of_a_gaussian_teacher_is_ridge_regression():
    """Nishimori identities in a metric: m = q, and the error of the penalty lambda = Delta."""
    alpha = rp.Parameter("alpha", 2.0, (0, 100), "load", open="lower")
    labels = rp.LinearLabels(y, z, sp.Rational(1, 10))
    model = rp.Model(
        name="bayes-over-sites",
        sites=SPECTRUM,
        thermal=Thermal(w, rp.Gaussian(), metric=omega),
        quenched=rp.Quenched(t, rp.Gaussian()),
        fields=rp.Field(h, alpha, likelihood=labels, labels=labels),
        observables={"mse": rp.V},
    )
    assert model.saddle_point().bayes_optimal
    ridge = load("covariate-square").solve(alpha=2.0, lam=0.1, Delta=0.1)
    for reduce in (True, False):
        found = model.compile(reduce=reduce)
        names = dict(zip(found.unknowns, found.solve_block([[2.0]]).x[0], strict=True))
        assert names["q"] == pytest.approx(ridge["q"], rel=1e-10)
        assert names["V"] == pytest.approx(ridge["mse"], rel=1e-10)
    hidden = rp.Model(
        name="bayes-of-a-part",
        sites=SPECTRUM,
        thermal=Thermal(w, rp.Gaussian(), metric=omega),
        quenched=rp.Quenched(t, rp.Gaussian(), self_overlap=1.5),
        fields=rp.Field(h, alpha, likelihood=labels, labels=labels),
    )
    assert not hidden.saddle_point().bayes_optimal


def test_what_no_student_sees_is_noise():
    """A linear teacher with a hidden part of variance 1/2 is one with labels of noise + 1/2."""
    found = {}
    for extra, noise in ((sp.Rational(1, 2), 0.1), (0, 0.6)):
        model = rp.Model(
            name="hidden-part",
            sites=SPECTRUM,
            thermal=Thermal(w, penalty=w**2 / 20, metric=omega),
            quenched=rp.Quenched(t, rp.Gaussian(), self_overlap=1 + extra),
            fields=rp.Field(h, 2, loss=(y - h) ** 2 / 2, labels=rp.LinearLabels(y, z, noise)),
            temperature=0,
        )
        found[extra] = model.solve()
    for name in ("m", "q", "chi"):
        assert found[0][name] == pytest.approx(found[sp.Rational(1, 2)][name], rel=1e-12)


def test_every_site_may_have_its_own_penalty():
    """Weights scaled by sqrt(omega): a metric is a penalty that differs from site to site."""
    lam = rp.Parameter("lam", 0.1, (0, 9), "penalty", open="lower")
    columns = {omega: [float(v) for v in POWER]}
    model = rp.Model(
        name="tikhonov",
        sites=Empirical(columns),
        thermal=Thermal(w, penalty=lam * w**2 / (2 * omega)),
        quenched=rp.Quenched(t, rp.Gaussian(variance=omega)),
        fields=rp.Field(h, 2, loss=(y - h) ** 2 / 2, labels=rp.LinearLabels(y, z, 0.1)),
        temperature=0,
    )
    other = rp.Model(
        name="in-a-metric",
        sites=Empirical(columns),
        thermal=Thermal(w, penalty=lam * w**2 / 2, metric=omega),
        quenched=rp.Quenched(t, rp.Gaussian()),
        fields=rp.Field(h, 2, loss=(y - h) ** 2 / 2, labels=rp.LinearLabels(y, z, 0.1)),
        temperature=0,
    )
    here, there = model.solve(), other.solve()
    for name in ("m", "q", "chi", "free_entropy", "replicon"):
        assert here[name] == pytest.approx(there[name], rel=1e-11)


def test_the_digits_of_a_spectral_law():
    """The Marchenko-Pastur integral with mpmath, and the compiled one."""
    model = load("random-features-square")
    found = model.solve(gamma=3.0)
    values = {**found.order_parameters, **found.parameters}
    exact = evaluate(model.saddle_point(), values, 20).updates
    for name, value in exact.items():
        assert found[name] == pytest.approx(float(value), rel=1e-12)
