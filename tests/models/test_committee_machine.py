"""Committee machine of two hidden units (arXiv:1806.05451) against separate equations."""

import math
import sys
from pathlib import Path

import pytest
from replica.models import committee_machine

from replica import Rademacher, load

sys.path.insert(0, str(Path(__file__).parent))
import committee_equations as by_hand

# alpha: q_u, q, free entropy, Gibbs error of the separate equations, to 1e-9 and better.
UNSPECIALISED = {
    0.5: (0.279376715743, -0.495011532029, 0.574299315200),
    1.0: (0.479898681185, -0.944012623091, 0.528882716917),
}
SPECIALISED = {
    2.5: (0.765717314438, 0.235315286091, -2.096719270963, 0.438218687216),
    3.0: (0.814377371850, 0.491453909193, -2.429585763954, 0.398836418010),
}
SPECIALISATION, Q_U = 2.052382429741, 0.710947927015


@pytest.fixture(scope="module")
def model():
    return load("committee-2-gaussian")


@pytest.mark.parametrize("alpha", UNSPECIALISED)
def test_few_samples_do_not_tell_the_units_apart(model, alpha):
    solution = model.solve(alpha=alpha)
    q_u, entropy, error = UNSPECIALISED[alpha]
    assert solution["q_u"] == pytest.approx(q_u, abs=1e-11)
    assert abs(solution["q"]) < 1e-9
    assert solution["q_11"] == pytest.approx(solution["q_12"], abs=1e-9)
    assert solution.free_entropy == pytest.approx(entropy, abs=1e-10)
    assert solution["gibbs_error"] == pytest.approx(error, abs=1e-10)
    assert max(abs(by_hand.fixed_point_gap(solution["q_u"], 1e-30, alpha))) < 1e-10


@pytest.mark.parametrize("alpha", SPECIALISED)
def test_specialised_units(model, alpha):
    solution = model.solve(alpha=alpha)
    q_u, q, entropy, error = SPECIALISED[alpha]
    assert solution["q_u"] == pytest.approx(q_u, abs=1e-10)
    assert solution["q"] == pytest.approx(q, abs=1e-10)
    assert solution["q_11"] - solution["q_12"] == pytest.approx(q, abs=1e-10)
    assert solution.free_entropy == pytest.approx(entropy, abs=1e-10)
    assert solution["gibbs_error"] == pytest.approx(error, abs=1e-10)
    assert solution.replicon > 0


def test_the_reference_is_what_the_separate_equations_give():
    q_u, q, entropy, error = SPECIALISED[3.0]
    assert max(abs(by_hand.fixed_point_gap(q_u, q, 3.0))) < 1e-11
    assert by_hand.free_entropy(q_u, q, 3.0) == pytest.approx(entropy, abs=1e-11)
    assert by_hand.averages(q_u, q)[3] == pytest.approx(error, abs=1e-11)
    assert by_hand.specialisation() == pytest.approx((SPECIALISATION, Q_U), abs=1e-11)


def test_the_transition_is_where_the_replicon_of_the_symmetric_phase_vanishes(model):
    start = {"q_u": Q_U, "q": 0.0}
    values = [
        model.solve(alpha=SPECIALISATION + shift, start=start, throw=False).replicon
        for shift in (-0.02, 0.02)
    ]
    assert values[0] > 0 > values[1]
    assert sum(values) == pytest.approx(0, abs=2e-4)


def test_small_loads(model):
    """To first order only the labels 1 and -1 pull, along the sum of the units."""
    alpha = 1e-4
    solution = model.solve(alpha=alpha)
    assert solution["q_u"] == pytest.approx(2 * alpha / math.pi, rel=1e-3)
    entropy = -alpha * (math.log(4) / 2 + math.log(2) / 2)
    assert solution.free_entropy == pytest.approx(entropy, rel=1e-3)
    assert solution["gibbs_error"] == pytest.approx(5 / 8, rel=1e-3)
    assert solution["squared_error"] == pytest.approx(1 / 2, rel=1e-3)


@pytest.mark.slow
def test_binary_weights():
    """The site is a sum over four points; equations in the plane of the sum and the difference."""
    import numpy as np

    binary = committee_machine.committee(Rademacher(), "rademacher", "binary weights")
    alpha = 1.7
    solution = binary.solve(alpha=alpha)
    q_u, q = solution["q_u"], solution["q"]
    assert q > 0.05
    force = alpha * by_hand.averages(q_u, q)[:2]
    assert force == pytest.approx([solution["qhat_u"], solution["qhat"]], abs=1e-8)
    # Two independent rows seen through fields of covariance qhat, on a grid, for one teacher.
    points = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) @ np.array([[1, 1], [1, -1]]) / 2**0.5
    line = np.linspace(-8, 8, 161)
    weight = np.outer(by_hand.density(line), by_hand.density(line)) * (line[1] - line[0]) ** 2
    total = np.zeros(2)
    for teacher in points:
        field = np.stack(np.meshgrid(line, line, indexing="ij"), -1) * force**0.5 + force * teacher
        logs = field @ points.T - (points**2 @ force) / 2
        odds = np.exp(logs - logs.max(-1, keepdims=True))
        mean = odds @ points / odds.sum(-1, keepdims=True)
        total += np.einsum("ij,ijk->k", weight, mean**2) / 4
    assert total == pytest.approx([q_u, q], abs=1e-9)
