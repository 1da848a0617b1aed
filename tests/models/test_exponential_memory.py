"""Exponentially many patterns: Lucibello & Mezard, Phys. Rev. Lett. 132, 077301 (2024)."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import logsumexp

from replica import FunctionalModel, OrderParameter, load
from replica.errors import DeclarationError

#: Rate I(c) of an overlap c, and the largest c.
RATES = {
    "gaussian": (lambda c: c**2 / 2, 10.0),
    "spherical": (lambda c: -math.log(1 - c**2) / 2, 1 - 1e-12),
    "binary": (
        lambda c: (1 + c) / 2 * math.log(1 + c) + (1 - c) / 2 * math.log(1 - c), 1 - 1e-12,
    ),
}  # fmt: skip
LAM = (0.25, 0.5, 1.0, 2.0, 4.0)
KNOWN = {
    "gaussian": (0.21875, 0.375, 0.5, 0.5, 0.5),
    "spherical": (0.219653562655, 0.387006422043, 0.622571923780, 0.908754008245, 1.224356679871),
    "binary": (0.219070196380, 0.379885493042, 0.566219169517, 0.674997252642, 0.692811774187),
}


def noise(kind, alpha, lam):
    """``max_c {alpha - I(c) + lam c : I(c) <= alpha}``, by search."""
    rate, top = RATES[kind]
    largest = top if rate(top) < alpha else brentq(lambda c: rate(c) - alpha, 0, top, xtol=1e-15)
    value = lambda c: alpha - rate(c) + lam * c  # noqa: E731
    best = minimize_scalar(lambda c: -value(c), bounds=(0, largest), options={"xatol": 1e-12})
    return max(value(best.x), value(largest))


@pytest.mark.parametrize("kind", RATES)
@pytest.mark.parametrize(("alpha", "lam"), [(0.1, 0.3), (0.1, 2.0), (0.6, 0.7), (0.4, 5.0)])
def test_noise_is_the_constrained_maximum(kind, alpha, lam):
    """On both sides of condensation, where no pattern has the overlap that would dominate."""
    solution = load(f"exponential-memory-{kind}").solve(alpha=alpha, lam=lam)
    assert solution.free_entropy == pytest.approx(noise(kind, alpha, lam), rel=1e-10)
    assert 0 < solution["x"] <= 1
    rate = RATES[kind][0](solution["c"])
    if solution["x"] < 1:
        assert rate == pytest.approx(alpha, rel=1e-9)
    else:
        assert rate < alpha


@pytest.mark.parametrize("kind", RATES)
def test_a_typical_pattern_is_lost(kind):
    """alpha_1(lam): closed forms below, and the digits of an earlier evaluation of them."""
    model = load(f"exponential-memory-{kind}")
    for lam, known in zip(LAM, KNOWN[kind], strict=True):
        overlap = (math.sqrt(1 + 4 * lam**2) - 1) / (2 * lam)
        closed = {
            "gaussian": lam - lam**2 / 2 if lam < 1 else 0.5,
            "spherical": lam * (1 - overlap) - math.log(1 - overlap**2) / 2,
            "binary": lam - math.log(math.cosh(lam)),
        }[kind]
        lost = model.boundary("margin=0", "alpha", lam=lam, bracket=(0.3 * known, 1.3 * known))
        assert lost["alpha"] == pytest.approx(closed, rel=1e-10)
        assert lost["alpha"] == pytest.approx(known, abs=1e-12)


@pytest.mark.parametrize("lam", [0.25, 0.5, 2.0])
def test_the_shortest_gaussian_pattern_is_lost_first(lam):
    """At load (r-1-log r)/2 there is one of squared norm r N: lam r against the noise there."""
    model = load("exponential-memory-gaussian-shortest")
    lost = model.boundary("margin=0", "r", lam=lam, bracket=(0.05, 0.98))

    def margin(r):
        alpha = (r - 1 - math.log(r)) / 2
        condensed = lam**2 * r / 2 > alpha
        return lam * r - (lam * math.sqrt(2 * alpha * r) if condensed else alpha + lam**2 * r / 2)

    assert lost["r"] == pytest.approx(brentq(margin, 1e-3, 0.9999, xtol=1e-14), rel=1e-9)
    assert lost["load"] == pytest.approx((lost["r"] - 1 - math.log(lost["r"])) / 2, rel=1e-12)
    typical = load("exponential-memory-gaussian").boundary("margin=0", "alpha", lam=lam)
    assert lost["load"] < typical["alpha"]


def retrieved(rng, kind, N, alpha, lam):
    """Whether the own term of a pattern outweighs the sum over all others, drawn one by one."""
    count = round(math.exp(alpha * N))
    if kind == "binary":
        own, others = np.ones(N), rng.choice([-1.0, 1.0], (count, N))
    else:
        own, others = rng.standard_normal(N), rng.standard_normal((count, N))
        own *= math.sqrt(N) / np.linalg.norm(own)
    return logsumexp(lam * others @ own) < lam * N


@pytest.mark.parametrize(("kind", "lam", "N"), [("gaussian", 0.5, 18), ("binary", 1.0, 14)])
def test_patterns_are_lost_where_predicted(kind, lam, N):
    """Of 60 samples nearly all are retrieved a little below alpha_1, hardly any above."""
    rng = np.random.default_rng(8)
    model, bracket = load(f"exponential-memory-{kind}"), (0.35, 0.69)
    lost = model.boundary("margin=0", "alpha", lam=lam, bracket=bracket)["alpha"]
    below, above = (
        np.mean([retrieved(rng, kind, N, lost + step, lam) for _ in range(60)])
        for step in (-0.08, 0.06)
    )
    assert below > 0.9
    assert above < 0.1


def test_an_interval_needs_a_rate():
    x, y = (load("exponential-memory-binary").order_parameters[i].symbol for i in (1, 0))
    with pytest.raises(DeclarationError, match=r"within=\(1, 0\) of x"):
        FunctionalModel(
            name="upside-down",
            free_entropy=-((x - 2) ** 2),
            order_parameters=(OrderParameter(x, rate=0.1, within=(1, 0)),),
        )
    with pytest.raises(DeclarationError, match="has a rate"):
        FunctionalModel(
            name="no-rate",
            free_entropy=-x * y,
            order_parameters=(OrderParameter(x, conjugate=y, within=(0, 1)),),
        )


def test_the_extremum_may_lie_at_an_end():
    """Of -(x - 2)^2 in [0, 1] it is 1, in [0, 3] it is 2."""
    (x,) = (o.symbol for o in load("exponential-memory-binary").order_parameters[1:])
    for highest in (1, 3):
        model = FunctionalModel(
            name="parabola",
            free_entropy=-((x - 2) ** 2),
            order_parameters=(OrderParameter(x, rate=0.3, within=(0, highest), start=0.5),),
        )
        assert model.solve()["x"] == pytest.approx(min(2, highest), rel=1e-12)
