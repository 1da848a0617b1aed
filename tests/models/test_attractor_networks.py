"""Weights that hold biased patterns as attractors: Gardner, J. Phys. A 21, 257 (1988)."""

import math

import numpy as np
import pytest
from scipy.optimize import linprog, minimize_scalar
from scipy.stats import norm

from replica import load

ATTRACTORS = load("gardner-attractors")


def second_moment(kappa):
    """``E max(0, kappa + z)^2``."""
    return (1 + kappa**2) * norm.cdf(kappa) + kappa * norm.pdf(kappa)


def capacity(a, kappa):
    """``(alpha_c, b)``: 1/alpha_c = min_b sum_+- (1 +- a)/2 E max(0, kappa_+- + z)^2."""

    def needed(b):
        margins = [(kappa - sign * a * b) / math.sqrt(1 - a**2) for sign in (1, -1)]
        return (1 + a) / 2 * second_moment(margins[0]) + (1 - a) / 2 * second_moment(margins[1])

    best = minimize_scalar(needed, bracket=(0, 1), options={"xtol": 1e-10})
    return 1 / best.fun, best.x


@pytest.mark.parametrize(
    ("a", "kappa", "known"),
    [
        (0.5, 0, 2.405870596485), (0.8, 0, 3.9129018539), (0.9, 0, 6.0828452108),
        (0.5, 0.5, 1.058172094467), (0.8, 1, 0.602448924313), (-0.8, 0, 3.9129018539),
    ],
)  # fmt: skip
def test_capacity_of_biased_patterns(a, kappa, known):
    """The printed formula, and the digits of an earlier evaluation of it."""
    expected, bias = capacity(a, kappa)
    full = ATTRACTORS.boundary("capacity", "alpha", a=a, kappa=kappa)
    assert full["alpha"] == pytest.approx(expected, rel=1e-9)
    assert full["alpha"] == pytest.approx(known, rel=1e-10)
    assert full["b"] == pytest.approx(bias, rel=1e-6)


def test_capacity_without_bias_is_two():
    """Where the patterns have no mean, a bias of the weights does nothing: alpha_c -> 2."""
    assert ATTRACTORS.boundary("capacity", "alpha", a=1e-3)["alpha"] == pytest.approx(2, abs=1e-5)
    assert capacity(0, 0)[0] == pytest.approx(2, rel=1e-12)


def holds(rng, N, P, a):
    """Whether the weights of one neuron can hold ``P`` patterns: a linear programme."""
    xi = np.where(rng.random((P, N + 1)) < (1 + a) / 2, 1.0, -1.0)
    inequalities = -xi[:, :1] * xi[:, 1:]
    answer = linprog(np.zeros(N), inequalities, -np.ones(P), bounds=(None, None), method="highs")
    return answer.status == 0


def test_a_neuron_holds_as_many_patterns_as_predicted():
    """Of 20 neurons of 100 inputs nearly all, some and hardly any, from 0.8 to 1.2 alpha_c."""
    rng = np.random.default_rng(5)
    a = 0.5
    limit = ATTRACTORS.boundary("capacity", "alpha", a=a)["alpha"]
    held = [
        sum(holds(rng, 100, round(share * limit * 100), a) for _ in range(20))
        for share in (0.8, 1.0, 1.2)
    ]
    assert held[0] >= 18
    assert 3 <= held[1] <= 17
    assert held[2] <= 2
