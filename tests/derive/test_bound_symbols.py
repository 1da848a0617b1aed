"""Bound symbols may share the name of a symbol outside of their scope."""

import sympy as sp

from replica.calculus import Average, Proximal
from replica.calculus.nodes import ProximalSlope

x, s = sp.symbols("x s", real=True)


def test_derivative_by_the_name_of_a_bound_variable():
    """``prox`` of a function of ``x`` at the point ``x``: only the point moves."""
    prox = Proximal(sp.sqrt(1 + x**2), x, x, s)
    assert prox.diff(x) == prox.same(ProximalSlope)
    average = Average(sp.cosh(x), x, x, s)
    assert average.diff(x) == Average(sp.sinh(x), x, x, s)
