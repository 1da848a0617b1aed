"""The mpmath evaluation against closed forms, against mpmath's own quadrature, and as verdict."""

import dataclasses
import math

import pytest
import sympy as sp
from mpmath import mp

from replica import Model, Parameter, Rademacher, SolverSettings, Thermal, beta, load, q
from replica.calculus.nodes import (
    Average,
    EnvelopeDerivative,
    LabelAverage,
    MoreauEnvelope,
    Proximal,
    ProximalSlope,
)
from replica.calculus.special import (
    LogCosh,
    LogNormalCdf,
    LogSumExp,
    Mills,
    MillsExcess,
    NormalCdf,
    Sech2,
    Sigmoid,
    Softplus,
    Tanh,
)
from replica.errors import ParameterError
from replica.solve.high_precision import evaluate, verify
from replica.solve.multiprecision import Expressions

x, v, w, c, y = sp.symbols("x v w c y", real=True)


def value(expression, digits=30, **values):
    with mp.workdps(digits):
        symbols = {sp.Symbol(name, real=True): mp.mpf(number) for name, number in values.items()}
        return Expressions([expression])(symbols)[0]


def near(found, expected, digits=28):
    with mp.workdps(digits + 5):
        return abs(found - expected) <= mp.mpf(10) ** -digits * max(1, abs(mp.mpf(expected)))


@pytest.mark.parametrize("at", ["-300", "-31.5", "-1e-9", "0.25", "1e-9", "40"])
def test_special_functions_keep_their_digits_where_the_plain_formulas_cancel(at):
    with mp.workdps(400):  # the plain formulas, at enough digits to afford the cancellation
        z = mp.mpf(at)
        plain = {
            Tanh: mp.tanh(z),
            Sech2: 1 / mp.cosh(z) ** 2,
            LogCosh: mp.log(mp.cosh(z)),
            Sigmoid: 1 / (1 + mp.exp(-z)),
            Softplus: mp.log(1 + mp.exp(z)),
            NormalCdf: mp.ncdf(z),
            LogNormalCdf: mp.log(mp.ncdf(z)),
            Mills: mp.npdf(z) / mp.ncdf(z),
            MillsExcess: z + mp.npdf(z) / mp.ncdf(z),
        }
    for function, expected in plain.items():
        with mp.workdps(30):
            found = Expressions([function(x)])({x: mp.mpf(at)})[0]
        assert abs(found / expected - 1) < 1e-27, function


def test_log_sum_exp_takes_terms_that_vanish():
    assert near(value(LogSumExp(x, -sp.oo, 2 * x), x="1e4"), mp.mpf(20000))


@pytest.mark.parametrize(
    ("integrand", "moment"),
    [
        (x**4, lambda m, s: m**4 + 6 * m**2 * s**2 + 3 * s**4),
        (sp.Heaviside(x), lambda m, s: mp.ncdf(m / s)),
        (sp.Abs(x - 1), lambda m, s: (m - 1) * mp.erf((m - 1) / s / mp.sqrt(2))
         + 2 * s * mp.npdf((m - 1) / s)),
        (NormalCdf(50 * x), lambda m, s: mp.ncdf(50 * m / mp.sqrt(1 + 2500 * s**2))),
        (NormalCdf(10**6 * x + 3), lambda m, s: mp.ncdf(
            (10**6 * m + 3) / mp.sqrt(1 + 10**12 * s**2))),
    ],
)  # fmt: skip
def test_averages_reach_30_digits_across_kinks_and_sharp_features(integrand, moment):
    found = value(Average(integrand, x, c, sp.Rational(9, 4)), c="0.3")
    with mp.workdps(40):
        assert near(found, moment(mp.mpf("0.3"), mp.mpf("1.5")), 27)


def test_a_peak_far_narrower_than_the_measure_is_not_missed():
    found = value(Average(Sech2(10**7 * (x - 1)), x, 0, 1))
    with mp.workdps(40):
        expected = 2 * mp.npdf(1) / 10**7  # up to the curvature of the density, 1e-21
    assert abs(found / expected - 1) < 1e-13


def test_nested_averages_and_labels():
    inner = Average(x * Tanh(w), w, x, 2)
    found = value(
        LabelAverage(Average(inner, x, y * c, 1), y, (1, -1), (sp.Rational(1, 3), 1)), 20, c="0.7"
    )
    # E_x[x E_w tanh(w)] with w = x + noise: Gaussian integration by parts makes it one-dimensional.
    with mp.workdps(40):

        def expected(mean):
            def density(w):
                return mp.npdf(w, mean, mp.sqrt(3))

            nodes = [-20, -8, -3, 0, 3, 8, 20]
            first = mp.quad(lambda w: mp.tanh(w) * density(w), nodes)
            slope = mp.quad(lambda w: mp.sech(w) ** 2 * density(w), nodes)
            return mean * first + slope

        total = expected(mp.mpf("0.7")) / 3 + expected(mp.mpf("-0.7"))
    assert near(found, total, 18)


HINGE = sp.Max(0, 1 - v)


@pytest.mark.parametrize(
    ("point", "expected"),
    [("-2", ("-1.5", "1", "2.75")), ("0.8", ("1", "0", "0.04")), ("3", ("3", "1", "0"))],
)
def test_proximal_operator_of_the_hinge_on_each_piece(point, expected):
    nodes = [
        kind(HINGE, v, x, sp.Rational(1, 2)) for kind in (Proximal, ProximalSlope, MoreauEnvelope)
    ]
    with mp.workdps(30):
        found = Expressions(nodes)({x: mp.mpf(point)})
        assert all(near(a, mp.mpf(b)) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("scale", ["1e-3", "1", "1e6"])
def test_proximal_operator_of_the_logistic_loss_solves_its_equation(scale):
    nodes = [kind(Softplus(-v), v, x, c) for kind in (Proximal, ProximalSlope, MoreauEnvelope)]
    with mp.workdps(30):
        gamma = mp.mpf(scale)
        for point in ("-7", "0", "0.1", "25"):
            at = mp.mpf(point)
            prox, slope, envelope = Expressions(nodes)({x: at, c: gamma})
            sigma = 1 / (1 + mp.exp(prox))
            assert near(prox - gamma * sigma, at, 22)
            assert near(slope, 1 / (1 + gamma * sigma * (1 - sigma)), 27)
            assert near(envelope, gamma * sigma**2 / 2 + mp.log1p(mp.exp(-prox)), 22)


def test_envelope_derivative_follows_a_wall_that_moves():
    wall = sp.Piecewise((0, v >= c), (sp.oo, True))
    node = EnvelopeDerivative(wall, v, x, sp.Integer(2), c)
    # envelope = (c - x)^2/4 behind the wall, 0 in front of it
    assert near(value(node, x="-1", c="0.5"), mp.mpf("0.75"))
    assert value(node, x="1", c="0.5") == 0


def test_proximal_average_with_a_kink_and_a_threshold_in_its_value():
    prox = Proximal(HINGE, v, x, c)
    found = value(Average(sp.Heaviside(-prox), x, 0, 4), c="0.7")
    with mp.workdps(40):
        assert near(found, mp.ncdf(mp.mpf("-0.35")))


# -- whole saddle points --------------------------------------------------------------------------


def test_equations_at_a_published_point():
    # Square loss in closed form: section 5.2 of the theory of the mixture, alpha = 2, lambda = 1.
    model = load("gaussian-mixture-square")
    with mp.workdps(40):
        gamma = mp.sqrt(2) - 1
        ratio = 2 * gamma / (1 + gamma)
        overlap = ratio / (1 + ratio)
        contraction = 2 * gamma**2 / (1 + gamma) ** 2
        size = (overlap**2 + contraction * (1 - overlap) ** 2) / (1 - contraction)
        found = evaluate(
            model.saddle_point(), {"alpha": 2, "lam": 1, "m": overlap, "q": size, "chi": gamma,
                                   "b": 0}, 30
        )  # fmt: skip
        for name, expected in (("m", overlap), ("q", size), ("chi", gamma), ("b", mp.zero)):
            assert near(found.updates[name], expected, 29)
        assert near(found.outputs["test_error"], mp.ncdf(-overlap / mp.sqrt(size)), 29)


def test_missing_order_parameters_are_named():
    saddle = load("gaussian-mixture-square").saddle_point()
    with pytest.raises(ParameterError, match="order parameter q"):
        evaluate(saddle, {"m": 0.1}, 30)
    with pytest.raises(ParameterError, match="digits = 3"):
        evaluate(saddle, {"m": 0.1}, 3)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("gaussian-mixture-square", {"rho": 0.2, "lam": 1e-6}),
        ("gaussian-mixture-hinge", {"rho": 0.2}),
        ("sherrington-kirkpatrick", {"T": 0.3}),
    ],
)
def test_solutions_are_within_their_certificates(name, parameters):
    model = load(name)
    verdict = model.verify(model.solve(**parameters), digits=25)
    assert verdict.within
    assert verdict.step < 1e-18
    assert "within its certificate" in str(verdict)
    assert all(abs(r) < 1e-12 for r in verdict.residual.values())


def test_the_logistic_mixture_agrees_with_the_reference_table():
    model = load("gaussian-mixture-logistic")
    verdict = model.verify(model.solve(lam=0.01, alpha=5, rho=0.2), digits=20)
    assert verdict.within
    expected = {"m": 3.2649003684, "q": 20.1562390265, "b": -2.4504031498}
    for name, number in expected.items():
        assert abs(float(verdict.order_parameters[name]) - number) < 1e-9
    assert abs(float(verdict.outputs["mhat"]) - 0.4708657538) < 1e-9


def test_a_wrong_digit_is_found_and_measured():
    model = load("gaussian-mixture-square")
    solution = model.solve()
    wrong = {**solution.order_parameters, "q": solution.order_parameters["q"] + 1e-9}
    verdict = verify(model, dataclasses.replace(solution, order_parameters=wrong), 20)
    assert not verdict.within
    assert verdict.true_error["q"] == pytest.approx(1e-9, rel=1e-5)
    assert "NOT within" in str(verdict)


def test_a_coarse_quadrature_that_is_certified_honestly_passes():
    # Few panels and a loose tolerance: the error is large, and the certificate says so.
    T = Parameter("T", 0.2, (0, math.inf), "temperature", open="lower")
    model = Model(
        name="sk",
        thermal=Thermal(sp.Symbol("s", real=True), Rademacher()),
        pair=beta**2 * q**2 / 4,
        temperature=T,
    )
    loose = SolverSettings(quadrature_tolerance=1e-5, certified_tolerance=1e-3, max_refinements=0)
    verdict = verify(model, model.solve(settings=loose), 20)
    assert verdict.within
