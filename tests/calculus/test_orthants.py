"""Signs that disagree: against mpmath's integrals and the textbook angle."""

import mpmath as mp
import pytest
import sympy as sp

from replica.calculus.nodes import Average, gaussian_average
from replica.calculus.orthants import correlation
from replica.calculus.special import NormalCdf

w = sp.Symbol("w", real=True)
m = sp.Symbol("m", real=True)
q, V = sp.symbols("q V", positive=True)


def numeric(side, slope, variance):
    with mp.workdps(30):
        deviation = mp.sqrt(variance)

        def integrand(x):
            return mp.npdf(x) * mp.ncdf(slope * deviation * x)

        ends = [0, 12] if side > 0 else [-12, 0]
        return float(mp.quad(integrand, mp.linspace(*ends, 9)))


@pytest.mark.parametrize("side", [1, -1, 3])
@pytest.mark.parametrize("slope", [0.4, -1.7, 30.0])
@pytest.mark.parametrize("variance", [0.3, 4.0])
def test_step_times_distribution_function(side, slope, variance):
    body = sp.Heaviside(side * w) * NormalCdf(sp.Float(slope, 30) * w)
    closed = gaussian_average(2 * body, w, 0, sp.Float(variance, 30))
    assert not closed.has(Average)
    assert float(closed) == pytest.approx(2 * numeric(side, slope, variance), abs=1e-14)


def test_two_signs_disagree_with_the_angle_over_pi():
    spread = sp.sqrt(sp.together(2 - m**2 / q))
    body = sp.Heaviside(-w) * NormalCdf(m * w / q / spread)
    closed = 2 * gaussian_average(body, w, 0, q)
    assert sp.simplify(closed - sp.acos(m / sp.sqrt(2 * q)) / sp.pi) == 0
    for value in (-0.6, 0.0, 0.8):  # the sign of the overlap is kept
        at = {m: value, q: 0.9}
        expected = numeric(-1, float((m / q / spread).subs(at)), 0.9)
        assert float(closed.subs(at)) == pytest.approx(2 * expected, abs=1e-14)


def test_label_noise_is_a_sum_of_two_terms():
    flip = sp.Rational(1, 10)
    body = sp.Heaviside(-w) * (flip + (1 - 2 * flip) * NormalCdf(w / sp.sqrt(V)))
    closed = gaussian_average(body, w, 0, q)
    assert not closed.has(Average)
    at = {V: 0.4, q: 0.7}
    expected = 0.1 / 2 + 0.8 * numeric(-1, 0.4**-0.5, 0.7)
    assert float(closed.subs(at)) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    ("body", "mean"),
    [
        (sp.Heaviside(-w) * NormalCdf(w), m),  # Owen's T: no elementary form
        (sp.Heaviside(1 - w) * NormalCdf(w), 0),
        (sp.Heaviside(w * m) * NormalCdf(w), 0),  # a side that is not known
        (sp.Heaviside(-w) * NormalCdf(w**3), 0),
    ],
)
def test_other_products_stay_averages(body, mean):
    assert gaussian_average(body, w, mean, q).has(Average)


def test_correlations_take_their_shortest_form():
    assert correlation(1 / sp.sqrt(V), q) == sp.sqrt(q) / sp.sqrt(V + q)
    assert correlation(-m, sp.S.One) == -m / sp.sqrt(m**2 + 1)
