"""Averages within averages: the inner rule, and what is taken out of its loop."""

import itertools

import numpy as np
import pytest
import sympy as sp

from replica.calculus.vector import VectorAverage
from replica.compile.inner import inner_averages
from replica.compile.reference_cubature import normal_nodes
from replica.errors import DerivationError

x, t, u = sp.symbols("x t u", real=True)
s = sp.Symbol("s", positive=True)


def names():
    return (sp.Symbol(f"v{k}", real=True) for k in itertools.count())


@pytest.mark.parametrize("dimension", [1, 2])
def test_moments_of_the_inner_rule(dimension):
    nodes, weights = normal_nodes(dimension, 40)
    assert np.sum(weights) == pytest.approx(1, abs=2e-12)
    for axis in nodes:
        for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
            assert weights @ axis**power == pytest.approx(moment, abs=1e-8)


def test_a_softmax_costs_no_exponential_at_an_inner_node():
    chance = 1 / (1 + sp.exp(-t))
    node = VectorAverage(chance, (t,), (x,), sp.Matrix([[s]]))
    fresh = names()
    before, steps, known = inner_averages([node * x], lambda e: e, lambda: next(fresh))
    inner = steps[-1]
    assert len(before) == 1
    assert list(known) == [node]
    assert known[node] in inner.outputs
    assert not any(e.has(sp.exp) for e in inner.integrands)
    assert not any(a.expression.has(sp.exp) for a in inner.body)
    assert len(inner.tables) == 1


def test_what_is_too_deep_is_refused():
    inside = VectorAverage(1 / (1 + sp.exp(-u)), (u,), (t,), sp.Matrix([[s]]))
    nested = VectorAverage(inside * t, (t,), (x,), sp.Matrix([[s]]))
    wide = VectorAverage(sp.exp(-(t**2)), sp.symbols("t a b"), (x, 0, 0), s * sp.eye(3))
    uneven = VectorAverage(sp.exp(-(t**2)), (t, u), (x, 0), sp.diag(s, 1))
    for node, words in ((nested, "more than once"), (wide, "3 variables"), (uneven, "numbers")):
        fresh = names()
        with pytest.raises(DerivationError, match=words):
            inner_averages([node], lambda e: e, lambda fresh=fresh: next(fresh))
