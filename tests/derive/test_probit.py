"""Labels of a normal distribution function, in every spelling, have closed forms."""

import pytest
import sympy as sp

from replica import (
    DiscreteLabels,
    Field,
    GaussBernoulli,
    Model,
    Parameter,
    Quenched,
    Thermal,
)
from replica.calculus.nodes import Average
from replica.calculus.special import LogNormalCdf, NormalCdf

alpha = Parameter("alpha", 4.0, (0, 1e3), open="lower")
rho = Parameter("rho", 0.2, (0, 1), open="lower")
Delta = Parameter("Delta", 0.01, (0, 1e3), open="lower")
x, x0, h, h0, y = sp.symbols("x x0 h h0 y", real=True)
width = sp.sqrt(2 * Delta)

SPELLINGS = {
    "erf": (1 + sp.erf(y * h0 / width)) / 2,
    "erfc": sp.erfc(-y * h0 / width) / 2,
    "other tail": 1 - sp.erfc(y * h0 / width) / 2,
    "difference": (1 - sp.erf(-y * h0 / width)) / 2,
    "label outside": sp.Rational(1, 2) + y * sp.erf(h0 / width) / 2,
    "normal cdf": NormalCdf(y * h0 / sp.sqrt(Delta)),
}


def probit(probability, values=(1, -1)):
    labels = DiscreteLabels(y, values, probability, h0)
    prior = GaussBernoulli(rho)
    return Model(
        name="one-bit",
        thermal=Thermal(x, prior),
        quenched=Quenched(x0, prior),
        fields=Field(h, alpha, likelihood=labels, labels=labels),
    )


def nested(expression):
    averages = expression.atoms(Average)
    return any(a.args[0].has(Average) for a in averages)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_closes(spelling):
    saddle = probit(SPELLINGS[spelling]).saddle_point()
    for expression in (saddle.free_entropy, *(e for _, e in saddle.conjugates)):
        assert not nested(expression)
    assert saddle.free_entropy.has(LogNormalCdf)


@pytest.mark.parametrize(
    ("probability", "values"),
    [
        ((1 + sp.erf(2 * y * h0)) / 2, (1, -1)),  # a numeric width
        ((1 + sp.erf((2 * y - 1) * h0 / width)) / 2, (0, 1)),
        (Delta + (1 - 2 * Delta) * (1 + sp.erf(y * (h0 + 1))) / 2, (1, -1)),  # threshold and flips
    ],
)
def test_other_widths_labels_and_flips_close(probability, values):
    saddle = probit(probability, values).saddle_point()
    assert not any(nested(e) for e in (saddle.free_entropy, *(e for _, e in saddle.conjugates)))


def test_overlap_of_noisy_one_bit_compressed_sensing():
    """The value comes from an iteration of scipy.integrate.quad written outside this package."""
    solution = probit(SPELLINGS["erf"]).solve(alpha=4, rho=0.2, Delta=0.01)
    assert solution["q"] == pytest.approx(0.19304738805644, abs=1e-12)
