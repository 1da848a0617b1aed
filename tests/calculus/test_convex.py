"""Smooth pieces and kinks of losses."""

import pytest
import sympy as sp

from replica.calculus.convex import convex_pieces, curvature_bound, kinks
from replica.calculus.special import stabilise
from replica.errors import DerivationError

v, b = sp.symbols("v b", real=True)
delta = sp.Symbol("delta", positive=True)


def edges(expression):
    return [(p.lower, p.upper) for p in convex_pieces(expression, v)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (sp.Max(0, 1 - v - b), [(-sp.oo, 1 - b), (1 - b, sp.oo)]),
        (delta * sp.Abs(v), [(-sp.oo, 0), (0, sp.oo)]),
        (sp.log(1 + sp.exp(-v)), [(-sp.oo, sp.oo)]),
        (sp.Max(0, sp.Abs(v - b) - delta),
         [(-sp.oo, b - delta), (b - delta, b + delta), (b + delta, sp.oo)]),
        (sp.Piecewise((0, v >= b), (sp.oo, True)), [(b, sp.oo)]),
        (sp.Piecewise((0, sp.Abs(v) <= delta), (sp.oo, True)), [(-delta, delta)]),
    ],
)  # fmt: skip
def test_pieces(expression, expected):
    assert edges(expression) == expected


def test_pieces_equal_the_function():
    huber = sp.Piecewise((v**2 / 2, sp.Abs(v) <= delta), (delta * (sp.Abs(v) - delta / 2), True))
    for piece in convex_pieces(huber, v):
        for point in (-3, -0.2, 0.3, 2.5):
            low, high = (float(e.subs(delta, 0.7)) for e in (piece.lower, piece.upper))
            if low <= point <= high:
                values = {v: point, delta: 0.7}
                assert piece.expression.subs(values) == pytest.approx(float(huber.subs(values)))


def test_order_of_kinks_must_be_known():
    with pytest.raises(DerivationError, match="order of the kinks"):
        convex_pieces(sp.Abs(v - b) + sp.Abs(v), v)


def test_kink_at_a_curve_is_refused():
    with pytest.raises(DerivationError, match="affine arguments"):
        kinks(sp.Abs(sp.exp(v) - 2), v)


def test_nowhere_finite():
    never = sp.Piecewise((sp.oo, v >= 0), (sp.oo, True))
    with pytest.raises(DerivationError, match="nowhere finite"):
        convex_pieces(sp.Piecewise((sp.oo, v > 0), (sp.oo, True)) if never == sp.oo else never, v)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ((1 - v - b) ** 2 / 2, 1),
        (delta * (v + b) ** 2, 2 * delta),
        (sp.log(1 + sp.exp(-v - b)), sp.Rational(1, 4)),
        (sp.log(1 + sp.exp(-3 * (v + b))), sp.Rational(9, 4)),
        (sp.Max(0, 1 - v - b) ** 2, 2),
        (sp.Piecewise(((v + b) ** 2 / 2, sp.Abs(v + b) < 1), (sp.Abs(v + b) - 0.5, True)), 1),
        (sp.Max(0, 1 - v - b), 1 / sp.sqrt(8 * sp.pi)),
        (delta * sp.Abs(v + b) + (v + b) ** 2, 2 + 2 * delta / sp.sqrt(8 * sp.pi)),
    ],
)
def test_largest_curvature(loss, expected):
    assert sp.simplify(curvature_bound(stabilise(loss), v, b, sp.S(2)) - expected) == 0


@pytest.mark.parametrize(
    "loss",
    [
        sp.Max(0, 1 - v - b) ** 3,
        sp.exp(-v - b),
        sp.Piecewise((0, v + b > 0), (sp.oo, True)),
        sp.log(1 + sp.exp(-delta * (v + b))),
        sp.Abs(v - b) + sp.Abs(v),
    ],
)
def test_no_bound_on_the_curvature(loss):
    """Walls, growth, curvatures that parameters set, and kinks of unknown order."""
    assert curvature_bound(stabilise(loss), v, b, sp.S(2)) is None
