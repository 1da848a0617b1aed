"""Every check passes on right equations, and fails on the wrong ones that it is there to find."""

import dataclasses
import json
import math

import numpy as np
import pytest
import sympy as sp

from replica import (
    Average,
    Extremised,
    Field,
    Flat,
    FunctionalModel,
    Gaussian,
    Model,
    OrderParameter,
    Parameter,
    Quenched,
    Rademacher,
    SolverSettings,
    Thermal,
    load,
)
from replica.check import CheckItem, CheckReport
from replica.check.gradient import check_gradient
from replica.check.items import (
    check_backends,
    check_bounds,
    check_digits,
    check_nishimori,
    check_quadrature,
    check_solution,
    check_zero_temperature,
)
from replica.check.report import NotApplicable, item
from replica.check.run import CHECKS, run
from replica.check.subject import Subject
from replica.compile import numpy_code, toolchain
from replica.derive.saddle_point import Unknown
from replica.errors import ParameterError
from replica.solve.point import parameter_values

needs_compiler = pytest.mark.skipif(toolchain.find_compiler() is None, reason="no C compiler")


def subject(model, **parameters):
    saddle = model.saddle_point()
    values = parameter_values(saddle.parameters, parameters)
    full = model.saddle_point(reduce=False) if saddle.bayes_optimal else saddle
    return Subject(model, values, saddle, full, SolverSettings())


def broken(saddle, name, change):
    """The saddle point with one equation changed, of an unknown or of a conjugate."""
    unknowns = tuple(
        Unknown(u.symbol, change(u.update), u.domain, u.starts, u.doc)
        if str(u.symbol) == name else u
        for u in saddle.unknowns
    )  # fmt: skip
    conjugates = tuple((s, change(e) if str(s) == name else e) for s, e in saddle.conjugates)
    return dataclasses.replace(saddle, unknowns=unknowns, conjugates=conjugates)


def results(function, checked):
    return {i.name.removeprefix("gradient: "): i for i in function(checked)}


# -- whole reports --------------------------------------------------------------------------------

PASSING = {
    "gaussian-mixture-square": {"rho": 0.3},
    "gaussian-mixture-hinge-no-bias": {"lam": 0.1},
    "gaussian-mixture-bayes": {},
    "gaussian-mixture-separability": {"rho": 0.2},
    "sherrington-kirkpatrick": {"T": 0.7},
    "p-spin-spherical": {},
    "hopfield-zero-temperature": {},
    "gardner-spherical": {},
    "spiked-wigner-rademacher": {},
    "ridge-linear": {},
}


@pytest.mark.parametrize("name", PASSING)
def test_built_in_models_pass(name):
    report = load(name).check(**PASSING[name])
    assert report.passed, str(report)
    assert {i.name.split(":")[0] for i in report.items} | set(report.skipped) == set(CHECKS)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("gaussian-mixture-hinge", {"alpha": 0.9, "lam": 1e-6, "rho": 0.2, "Delta": 0.1}),
        ("gaussian-mixture-square", {"lam": 1e3, "Delta": 1e-3}),
        ("hopfield", {"T": 1.5}),
    ],
)
def test_gradient_where_variables_are_tiny(name, values):
    found = list(check_gradient(subject(load(name), **values)))
    assert all(i.passed for i in found), found


def test_reports_print_and_serialise():
    report = load("sherrington-kirkpatrick").check(T=0.8)
    text = str(report)
    assert text.startswith("sherrington-kirkpatrick: passed\n")
    assert "pass  gradient: conjugate equations" in text
    assert "skip  Nishimori identities" in text
    record = json.loads(json.dumps(report.to_dict()))
    assert record["passed"] is True
    assert record["parameters"]["T"] == 0.8
    assert record["items"][0]["name"] == "solution"
    assert record["skipped"]["zero-temperature limit"] == "the model is not at zero temperature"


def test_one_failure_fails_the_report_and_an_empty_one_does_not_pass():
    good, bad = item("a", 1e-9, 1e-8, "x"), item("b", math.nan, 1e-8, "y")
    assert good.passed
    assert not bad.passed
    assert CheckReport("m", {}, (good,)).passed
    assert not CheckReport("m", {}, (good, bad)).passed
    assert not CheckReport("m", {}, ()).passed


def test_parameters_are_validated():
    with pytest.raises(ParameterError, match="'beta' is unknown"):
        load("sherrington-kirkpatrick").check(beta=1)


def test_a_point_without_saddle_point_fails_and_says_why():
    report = load("gaussian-mixture-square").check(lam=0, alpha=0.5)
    assert not report.passed
    failed = next(i for i in report.items if not i.passed)
    assert failed.name == "solution"
    assert "boundary" in failed.detail
    assert "no certified solution" in report.skipped["mpmath"]
    assert {i.name for i in report.items} >= {"gradient: conjugate equations", "C against NumPy"}


# -- gradient -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "name", "kind"),
    [
        ("gaussian-mixture-square", "m", "order-parameter equations"),
        ("gaussian-mixture-square", "chi", "order-parameter equations"),
        ("gaussian-mixture-square", "qhat", "conjugate equations"),
        ("gaussian-mixture-hinge", "Vhat", "conjugate equations"),
        ("sherrington-kirkpatrick", "q", "order-parameter equations"),
        ("sherrington-kirkpatrick", "qhat", "conjugate equations"),
        ("gardner-spherical", "Vhat", "order-parameter equations"),
        ("gardner-spherical", "qhat", "conjugate equations"),
        ("spiked-wigner-rademacher", "m", "order-parameter equations"),
    ],
)
def test_gradient_finds_a_factor_in_one_equation(model, name, kind):
    right = subject(load(model))
    assert all(i.passed for i in check_gradient(right))
    # Spins lose their self-overlap: V is what the constraint on q makes of it.
    wrong = dataclasses.replace(right, full=broken(right.full, name, lambda e: 1.001 * e))
    found = results(check_gradient, wrong)
    assert not found[kind].passed
    assert found[kind].value > 1e-5


def test_gradient_finds_a_wrong_condition_for_the_bias():
    right = subject(load("gaussian-mixture-hinge"), rho=0.3)
    assert results(check_gradient, right)["extremised scalars"].passed
    wrong = dataclasses.replace(right, full=broken(right.full, "b", lambda e: e + 0.001))
    found = results(check_gradient, wrong)
    assert not found["extremised scalars"].passed
    assert found["conjugate equations"].passed
    # The same condition with another step is the same equation.
    b = next(u.symbol for u in right.full.unknowns if str(u.symbol) == "b")
    slower = broken(right.full, "b", lambda e: b + (e - b) / 2)
    assert results(check_gradient, dataclasses.replace(right, full=slower))[
        "extremised scalars"
    ].passed


def test_gradient_of_a_bias_shared_by_fields_of_different_loads():
    # The step must weigh the fields by their loads, not by their variances.
    w, v, h, g, b = sp.symbols("w v h g b", real=True)
    m = sp.Symbol("m", real=True)
    one = Parameter("one", 1.0, (0, 10), "first load", open="lower")
    two = Parameter("two", 3.0, (0, 10), "second load", open="lower")
    model = Model(
        name="two-fields", thermal=Thermal(w, Flat(), penalty=w**2 / 2),
        quenched=Quenched(v, Gaussian()), temperature=0, extremised=Extremised(b),
        fields=(
            Field(h, one, loss=(1 - h - b) ** 2 / 2, mean=m),
            Field(g, two, loss=(2 + g + b) ** 2, mean=-m, variance=4),
        ),
    )  # fmt: skip
    assert all(i.passed for i in check_gradient(subject(model)))


@pytest.mark.parametrize("name", ["gaussian-mixture-hinge", "gaussian-mixture-logistic"])
def test_gradient_of_a_bias_at_finite_temperature(name):
    T = Parameter("T", 0.3, (0, math.inf), "temperature", open="lower")
    warm = dataclasses.replace(load(name), name="warm", temperature=T, observables={})
    assert all(i.passed for i in check_gradient(subject(warm, rho=0.3)))


@pytest.fixture(scope="module")
def functional():
    """Curie-Weiss with a Gaussian random field and a scalar: an explicit functional."""
    m, mh, x = sp.symbols("m mhat x", real=True)
    z = sp.Symbol("z", real=True)
    J = Parameter("J", 1.3, (0, 10), "coupling")
    phi = J * m**2 / 2 - m * mh + Average(sp.log(2 * sp.cosh(mh + z + x / 5)), z) - (x - 1) ** 2
    return FunctionalModel(
        name="random-field", free_entropy=phi,
        order_parameters=(
            OrderParameter(m, conjugate=mh, domain=(-1, 1)),
            OrderParameter(x, rate=sp.Rational(1, 4) + m**2 / 10),
        ),
    )  # fmt: skip


def test_gradient_of_a_functional(functional):
    assert functional.check().passed
    right = subject(functional)
    for name, kind in (
        ("m", "order-parameter equations"), ("mhat", "conjugate equations"),
        ("x", "extremised scalars"),
    ):  # fmt: skip
        wrong = broken(right.full, name, lambda e: e + 1e-4)
        found = results(check_gradient, dataclasses.replace(right, full=wrong))
        assert not found[kind].passed
        assert [n for n, i in found.items() if not i.passed] == [kind]


# -- identities, limits, bounds -------------------------------------------------------------------


def test_nishimori_identities_find_a_wrong_reduction():
    right = subject(load("perceptron-gaussian"))
    assert results(check_nishimori, right)["Nishimori identities"].passed
    saddle = broken(right.saddle, "qhat", lambda e: 1.001 * e)
    (found,) = check_nishimori(dataclasses.replace(right, saddle=saddle))
    assert not found.passed
    assert found.value > 1e-4


def test_nishimori_identities_need_a_matched_model():
    with pytest.raises(NotApplicable, match="not recognised as Bayes-optimal"):
        list(check_nishimori(subject(load("gaussian-mixture-square"))))


@pytest.mark.parametrize("name", ["gaussian-mixture-logistic-no-bias", "hopfield-zero-temperature"])
def test_zero_temperature_limit_finds_wrong_limits(name):
    right = subject(load(name))
    (found,) = check_zero_temperature(right)
    assert found.passed
    saddle = broken(right.saddle, "chi", lambda e: 1.01 * e)
    (found,) = check_zero_temperature(dataclasses.replace(right, saddle=saddle))
    assert not found.passed


@pytest.mark.parametrize(
    ("name", "equation", "change", "where"),
    [
        ("gaussian-mixture-square", "m", lambda e: 3 * e, r"m\^2 <= q R"),
        ("sherrington-kirkpatrick", "V", lambda e: 1.01 * e, r"q \+ V = R"),
        ("hopfield-zero-temperature", "m", lambda e: 1.1 * e, r"m\^2 <= q R"),
    ],
)
def test_physical_bounds_find_what_no_state_can_have(name, equation, change, where):
    right = subject(load(name))
    assert all(i.passed for i in check_bounds(right))
    wrong = dataclasses.replace(right, saddle=broken(right.saddle, equation, change))
    (found,) = check_bounds(wrong)
    assert not found.passed
    assert found.detail.split("tightest is")[1].strip().startswith(where.replace("\\", ""))


def test_bounds_concern_disordered_systems(functional):
    with pytest.raises(NotApplicable, match="functional"):
        list(check_bounds(subject(functional)))


# -- numerics -------------------------------------------------------------------------------------


def with_solution(checked, solution, **changes):
    """The subject with a solution put in its place."""
    changed = dataclasses.replace(checked, **changes)
    changed.__dict__["attempt"] = solution
    return changed


def test_doubled_quadrature_finds_a_coarse_rule():
    right = subject(load("gaussian-mixture-logistic-no-bias"), lam=1e-3)
    assert all(i.passed for i in check_quadrature(right))
    coarse = dataclasses.replace(right.settings, quadrature_tolerance=0.5)
    (found,) = check_quadrature(with_solution(right, right.solution, settings=coarse))
    assert not found.passed


@needs_compiler
def test_back_ends_find_a_function_that_differs(monkeypatch):
    right = subject(load("sherrington-kirkpatrick"))
    assert all(i.passed for i in check_backends(right))
    functions = {**numpy_code.FUNCTIONS, "Sech2": lambda x: (1 + 1e-10) / np.cosh(x) ** 2}
    monkeypatch.setattr(numpy_code, "FUNCTIONS", functions)
    (found,) = check_backends(right)
    assert not found.passed
    assert 1e-11 < found.value < 1e-9


def test_mpmath_finds_a_wrong_digit_and_a_certificate_that_is_too_small():
    right = subject(load("gaussian-mixture-square"))
    assert all(i.passed for i in check_digits(right))
    solution = right.solution
    shifted = {**solution.order_parameters, "m": solution["m"] + 1e-11}
    wrong = dataclasses.replace(solution, order_parameters=shifted)
    (found,) = check_digits(with_solution(right, wrong))
    assert not found.passed
    assert found.value == pytest.approx(1e-11, rel=1e-3)
    honest = dataclasses.replace(wrong, error=dict.fromkeys(shifted, 1e-11))
    (found,) = check_digits(with_solution(right, honest))
    assert found.passed


def test_mpmath_without_scale_finds_equations_that_do_not_hold():
    right = subject(load("gaussian-mixture-separability"))
    (found,) = check_digits(right)
    assert found.passed
    shifted = {**right.solution.order_parameters, "m": right.solution["m"] + 1e-8}
    wrong = dataclasses.replace(right.solution, order_parameters=shifted)
    (found,) = check_digits(with_solution(right, wrong))
    assert not found.passed


def test_problems_without_scale_are_solved_for_their_load():
    (found,) = check_solution(subject(load("gaussian-mixture-separability")))
    assert found.passed
    assert "alpha = 3.7000334" in found.detail


def test_one_wrong_equation_fails_the_whole_run():
    right = subject(load("gaussian-mixture-square"))
    saddle = broken(right.saddle, "q", lambda e: 1.01 * e)
    report = run(dataclasses.replace(right, saddle=saddle, full=saddle))
    assert not report.passed
    assert isinstance(report.items[0], CheckItem)


def test_spins_at_finite_temperature_keep_their_norm_in_the_gradient():
    # Without the constraint the functional is not stationary in q and V separately.
    s = sp.Symbol("s", real=True)
    model = Model(name="ising", thermal=Thermal(s, Rademacher(), penalty=-s / 3),
                  pair=sp.Symbol("q", nonnegative=True) ** 2 / 4)  # fmt: skip
    saddle = model.saddle_point()
    assert dict(saddle.constraints)
    assert all(i.passed for i in check_gradient(subject(model)))
    wrong = dataclasses.replace(saddle, constraints=())
    found = results(check_gradient, dataclasses.replace(subject(model), full=wrong))
    assert not found["conjugate equations"].passed
