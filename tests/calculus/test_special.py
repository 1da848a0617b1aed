"""The stable functions: derivatives against differences, rewriting against the original."""

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, strategies as st

from replica.calculus import special
from replica.calculus.special import stabilise
from replica.compile.numpy_functions import FUNCTIONS

x = sp.Symbol("x", real=True)

EXACT = {
    special.Tanh: mp.tanh,
    special.Sech2: lambda v: mp.sech(v) ** 2,
    special.LogCosh: lambda v: mp.log(mp.cosh(v)),
    special.Sigmoid: lambda v: 1 / (1 + mp.exp(-v)),
    special.Softplus: lambda v: mp.log1p(mp.exp(v)),
    special.NormalPdf: mp.npdf,
    special.NormalCdf: lambda v: mp.erfc(-v / mp.sqrt(2)) / 2,
    special.LogNormalCdf: lambda v: mp.log(mp.erfc(-v / mp.sqrt(2)) / 2),
    special.Mills: lambda v: mp.npdf(v) / (mp.erfc(-v / mp.sqrt(2)) / 2),
    special.MillsExcess: lambda v: v + mp.npdf(v) / (mp.erfc(-v / mp.sqrt(2)) / 2),
}


@pytest.mark.parametrize("function", EXACT, ids=lambda f: f.__name__)
@given(value=st.floats(-30, 30))
def test_numpy_value_and_symbolic_derivative(function, value):
    with mp.workdps(250):
        exact = EXACT[function](mp.mpf(value))
        slope = mp.diff(EXACT[function], mp.mpf(value), h=mp.mpf(10) ** -80)
    numeric = FUNCTIONS[function.__name__](value)
    assert numeric == pytest.approx(float(exact), rel=1e-12, abs=1e-200)
    derivative = sp.lambdify(x, function(x).diff(x), modules=[dict(FUNCTIONS), "numpy"])
    with np.errstate(under="ignore"):
        assert derivative(value) == pytest.approx(float(slope), rel=1e-9, abs=1e-30)


@pytest.mark.parametrize(
    "expression",
    [
        sp.log(1 + sp.exp(-x)), sp.log(2 * sp.cosh(x)), sp.tanh(x), sp.log(sp.erfc(x)),
        1 / (1 + sp.exp(x)), sp.log(sp.exp(x) + sp.exp(-2 * x)), sp.erfc(x) ** 2,
        sp.log(3 / (1 + sp.exp(-x))), sp.log(sp.erfc(-x)), x * sp.erfc(-x) - x**2,
    ],
)  # fmt: skip
def test_rewriting_keeps_the_value(expression):
    rewritten = stabilise(expression)
    assert rewritten != expression
    plain = sp.lambdify(x, expression, modules=["mpmath"])
    stable = sp.lambdify(x, rewritten, modules=[dict(FUNCTIONS), "numpy"])
    for value in (-2.3, -0.1, 0.0, 0.7, 3.1):
        assert stable(value) == pytest.approx(float(plain(value)), rel=1e-13, abs=1e-15)


def test_tails_are_no_differences():
    assert stabilise(sp.erfc(-x)) == 2 * special.NormalCdf(sp.sqrt(2) * x)
    assert stabilise(sp.log(sp.erfc(-x) / 2)) == special.LogNormalCdf(sp.sqrt(2) * x)
    a = sp.Symbol("a")
    expanded = 3 * a * special.NormalCdf(x) - 3 * a + x
    assert special.tails(expanded) == x - 3 * a * special.NormalCdf(-x)
    assert special.tails(1 - 2 * special.NormalCdf(x)) == 1 - 2 * special.NormalCdf(x)


@pytest.mark.parametrize("function", EXACT, ids=lambda f: f.__name__)
def test_numbers_are_evaluated_to_any_precision(function):
    with mp.workdps(60):
        exact = EXACT[function](mp.mpf(-13) / 7)
        assert abs(mp.mpf(function(sp.Rational(-13, 7)).evalf(50)) / exact - 1) < 1e-49
    assert function(x).evalf() == function(x)


def test_log_sum_exp_with_an_absent_term():
    a, b = sp.symbols("a b")
    value = sp.lambdify((a, b), special.LogSumExp(a, b), modules=[dict(FUNCTIONS), "numpy"])
    assert value(-np.inf, 2.0) == 2.0
    assert special.LogSumExp(a, b).diff(a) == sp.exp(a - special.LogSumExp(a, b))
