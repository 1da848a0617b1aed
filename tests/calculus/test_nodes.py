"""Averages and proximal nodes: Price's theorem, closed forms and envelopes against numbers."""

import mpmath as mp
import pytest
import sympy as sp

from replica.calculus.nodes import (
    Average,
    EnvelopeDerivative,
    LabelAverage,
    MoreauEnvelope,
    Proximal,
    ProximalSlope,
    gaussian_average,
)
from replica.calculus.special import LogCosh, NormalCdf, NormalPdf, Tanh
from replica.errors import DerivationError

w, a, b, v, c = sp.symbols("w a b v c", real=True)
scale = sp.Symbol("scale", positive=True)
TABLE = {
    "Tanh": mp.tanh,
    "Sech2": lambda u: mp.sech(u) ** 2,
    "LogCosh": lambda u: mp.log(mp.cosh(u)),
    "NormalCdf": mp.ncdf,
    "NormalPdf": mp.npdf,
    "Heaviside": lambda u, half=0.5: mp.mpf(1) if u > 0 else mp.mpf(0) if u < 0 else half,
}


def number(expression, values):
    """Evaluate an expression with averages by adaptive integration."""
    for node in expression.atoms(Average):
        inner = sp.lambdify(w, node.integrand.subs(values), modules=[TABLE, "mpmath"])
        mean, deviation = (sp.N(e.subs(values)) for e in (node.mean, sp.sqrt(node.variance)))
        points = [mean + deviation * k for k in (-10, -3, 0, 3, 10)]
        breaks = sorted([*points, *(p for p in (0,) if abs(p - mean) < 10 * deviation)])
        integral = mp.quad(
            lambda u, f=inner, m=mean, s=deviation: f(u) * mp.npdf(u, m, s),
            [mp.mpf(p) for p in breaks],
        )
        expression = expression.subs(node, sp.Float(str(integral), 20))
    return float(sp.lambdify([], expression.subs(values), modules=[TABLE, "mpmath"])())


@pytest.mark.parametrize("symbol", [a, b])
def test_price_theorem(symbol):
    node = Average(LogCosh(w + a * w), w, a, 1 + b**2)
    point = {a: 0.3, b: 0.8}
    step = 1e-4
    up, down = (number(node, {**point, symbol: point[symbol] + d}) for d in (step, -step))
    assert number(node.diff(symbol), point) == pytest.approx((up - down) / (2 * step), rel=1e-6)


@pytest.mark.parametrize(
    "integrand",
    [
        (a * w + b) ** 4, sp.Heaviside(a * w + b), NormalCdf(a * w + b), sp.sign(a * w - b),
        sp.Abs(w + b), w**2 + sp.Heaviside(-w) * a, (w**3 - a * w) * sp.Heaviside(w + b),
    ],
)  # fmt: skip
def test_closed_forms(integrand):
    point = {a: -0.7, b: 0.4}
    closed = gaussian_average(integrand, w, b, sp.Rational(9, 4))
    assert not closed.has(Average)
    inner = sp.lambdify(w, integrand.subs(point), modules=[TABLE, "mpmath"])
    kink = [-0.4, 0.0, 4 / 7, -4 / 7]
    numeric = mp.quad(lambda u: inner(u) * mp.npdf(u, 0.4, 1.5), sorted([-15, -3, 3, 15, *kink]))
    assert number(closed, point) == pytest.approx(float(numeric), rel=1e-12)


def test_delta_function_picks_a_value():
    value = gaussian_average(sp.DiracDelta(2 * w) * Tanh(w + a), w, b, 4)
    assert value == Tanh(a) * NormalPdf(b / 2) / 4


def test_bound_symbol_is_not_substituted():
    node = Average(w * a, w, a, 1)
    assert node.subs(w, 3) == node
    assert node.free_symbols == {a}
    assert node.subs(a, b) == Average(w * b, w, b, 1)


def test_label_average_writes_itself_out():
    node = LabelAverage(c * a, c, (1, -1), (b, 1 - b))
    assert sp.expand(node.unroll() - (2 * a * b - a)) == 0
    assert node.diff(b).unroll() == 2 * a
    assert node.subs(c, 5) == node
    assert LabelAverage(a, c, (1, -1), (b, 1 - b)) == a


def test_envelope_theorem():
    """For |v|/1 the envelope is Huber's function: derivatives in closed form."""
    envelope = MoreauEnvelope((v - b) ** 2 / 2, v, w, scale)
    prox = Proximal((v - b) ** 2 / 2, v, w, scale)
    closed = (w + scale * b) / (1 + scale)
    assert envelope.diff(w) == (w - prox) / scale
    assert sp.simplify(envelope.diff(w).subs(prox, closed) - (w - b) / (1 + scale)) == 0
    exact = (w - b) ** 2 / 2 / (1 + scale)
    by_scale = envelope.diff(scale).subs(prox, closed)
    assert sp.simplify(by_scale - exact.diff(scale)) == 0
    assert envelope.diff(b).has(EnvelopeDerivative)
    assert prox.diff(w) == ProximalSlope(*prox.args)
    slope = {ProximalSlope(*prox.args): 1 / (1 + scale), prox: closed}
    assert sp.simplify(prox.diff(scale).subs(slope) - closed.diff(scale)) == 0
    assert sp.simplify(prox.diff(b).subs(slope) - closed.diff(b)) == 0


def test_second_derivative_of_a_proximal_operator_is_refused():
    with pytest.raises(DerivationError, match="second derivative"):
        Proximal(sp.Abs(v), v, w, scale).diff(w, 2)
