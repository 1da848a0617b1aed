"""The second door: an explicit functional gives what the first door derives."""

import math

import pytest
import sympy as sp
from mpmath import mp

from replica import (
    Average,
    FunctionalModel,
    LabelAverage,
    MoreauEnvelope,
    OrderParameter,
    Parameter,
    load,
)
from replica.errors import DerivationError

alpha = Parameter("alpha", 0.05, (0, math.inf), "load", open="lower")
inverse = Parameter("b", 2.0, (0, math.inf), "inverse temperature", open="lower")
m, q, r, z = sp.symbols("m q r z", real=True)

# Amit, Gutfreund & Sompolinsky, Phys. Rev. Lett. 55, 1530 (1985): minus beta times the free energy.
HOPFIELD = (
    -inverse * m**2 / 2
    - alpha / 2 * (sp.log(1 - inverse * (1 - q)) - inverse * q / (1 - inverse * (1 - q)))
    - alpha * inverse**2 * r * (1 - q) / 2
    + Average(sp.log(2 * sp.cosh(z)), z, inverse * m, alpha * inverse**2 * r)
)


def hopfield(**changes):
    arguments = {
        "name": "hopfield-functional",
        "free_entropy": HOPFIELD,
        "order_parameters": (
            OrderParameter(m, rate=1 / inverse, start=0.95),
            OrderParameter(q, conjugate=r, domain=(0, 1), start=0.95),
        ),
    }
    return FunctionalModel(**{**arguments, **changes})


def test_hopfield():
    first = load("hopfield").solve(start="informed", T=0.5, alpha=0.05)
    second = hopfield().solve()
    for name in ("m", "q", "free_entropy"):
        assert second[name] == pytest.approx(first[name], rel=1e-13)
    r_value = second["q"] / (1 - 2 * (1 - second["q"])) ** 2
    assert second["r"] == pytest.approx(r_value, rel=1e-13)


def test_gaussian_mixture():
    """The explicit functional of logistic regression on a mixture, with its Moreau envelope."""
    lam = Parameter("lam", 1.0, (0, math.inf), symbol="lambda")
    rho, delta = Parameter("rho", 0.2, (0, 1)), Parameter("Delta", 1.0, (0, 10))
    chi = sp.Symbol("chi", positive=True)
    m_hat, q_hat, v_hat, bias, h, c, v = sp.symbols("m_hat q_hat V_hat bias h c v", real=True)
    envelope = MoreauEnvelope(sp.log(1 + sp.exp(-c * (v + bias))), v, h, delta * chi)
    average = LabelAverage(Average(envelope, h, c * m, delta * q), c, (1, -1), (rho, 1 - rho))
    energy = (
        m * m_hat
        + (chi * q_hat - q * v_hat) / 2
        - (m_hat**2 + q_hat) / (2 * (lam + v_hat))
        + alpha * average
    )
    model = FunctionalModel(
        name="mixture-functional",
        free_entropy=-energy,
        order_parameters=(
            OrderParameter(m, conjugate=m_hat),
            OrderParameter(q, conjugate=v_hat, domain=(0, math.inf)),
            OrderParameter(chi, conjugate=q_hat, domain=(0, math.inf)),
            OrderParameter(bias, rate=delta * chi / alpha, start=0.0),
        ),
    )
    first = load("gaussian-mixture-logistic").solve(alpha=2, lam=1, rho=0.2)
    second = model.solve(alpha=2)
    for name, twin in (("m", "m"), ("q", "q"), ("chi", "chi"), ("bias", "b")):
        assert second[name] == pytest.approx(first[twin], rel=1e-11)
    assert second.free_entropy == pytest.approx(first.free_entropy, rel=1e-12)


def test_standard_deviation_inside_the_integrand():
    """A functional written with ``sqrt(q) z``, as in most papers, gives the same solution."""
    field = inverse * m + sp.sqrt(alpha * r) * inverse * z
    explicit = HOPFIELD.subs(
        [(a, Average(sp.log(2 * sp.cosh(field)), z, 0, 1)) for a in HOPFIELD.atoms(Average)]
    )
    first, second = hopfield().solve(), hopfield(free_entropy=explicit).solve()
    for name in ("m", "q", "r"):
        assert second[name] == pytest.approx(first[name], rel=1e-12)


def test_missing_pairing():
    unpaired = FunctionalModel("unpaired", q**2 + sp.cosh(r), (OrderParameter(q, conjugate=r),))
    with pytest.raises(DerivationError, match="bilinear"):
        unpaired.saddle_point()


def test_conjugates_that_depend_on_each_other():
    s = sp.Symbol("s", real=True)
    coupled = -m * r - q * s + sp.cosh(r) * s + m * q * r**2
    model = FunctionalModel(
        "coupled", coupled, (OrderParameter(m, conjugate=r), OrderParameter(q, conjugate=s))
    )
    with pytest.raises(DerivationError, match="no explicit fixed-point form"):
        model.saddle_point()


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_differences_to_one_keep_their_digits(backend):
    """SymPy writes erfc(-x) as 2 - erfc(x), and one minus a small number forgets it."""
    s, a = sp.Symbol("s", positive=True), Parameter("a", 6.0)
    model = FunctionalModel(
        name="tails",
        free_entropy=-((s - 1) ** 2) / 2,
        order_parameters=(OrderParameter(s, rate=1, start=0.5),),
        observables={
            "complement": 1 - sp.exp(-sp.exp(-4 * a)),
            "upper": 1 - sp.erf(a),
            "lower": 3 + 3 * sp.erf(-a),
            "logarithm": sp.log(sp.erfc(-a) / 2),
            "average": Average(1 - sp.erf(a + z / 4), z),
            "step": Average(sp.erfc(a - z), z),
        },
    )
    found = model.solve(backend=backend)
    with mp.workdps(40):
        expected = {
            "complement": -mp.expm1(-mp.exp(-24)),
            "upper": mp.erfc(6),
            "lower": 3 * mp.erfc(6),
            "logarithm": mp.log1p(-mp.erfc(6) / 2),
            "average": mp.quad(lambda x: mp.erfc(6 + x / 4) * mp.npdf(x), mp.linspace(-30, 9, 40)),
            "step": mp.quad(lambda x: mp.erfc(6 - x) * mp.npdf(x), mp.linspace(-9, 30, 40)),
        }
        # What lies beyond the end of the integral is in the error.
        cut = abs(found["step"] - expected["step"])
        assert 1e-19 < cut < found.observable_error["step"]
    for name, value in expected.items():
        assert found[name] == pytest.approx(float(value), rel=1e-10, abs=0), name
