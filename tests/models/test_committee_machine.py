"""Committee machine of two hidden units (arXiv:1806.05451) against separate equations."""

import math
import sys
from pathlib import Path

import numpy as np
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
SLOW = pytest.mark.slow
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


def message_passing(size, alpha, iterations, seed):
    """Run message passing on one sample with Gaussian rows, from an informed start.

    Units that are not told apart at first take long to specialise, and the fixed point is the same.

    Returns
    -------
    Overlaps with the teacher along the sum and the difference of the units, and Gibbs error of new
    samples.
    """
    random = np.random.default_rng(seed)
    teacher = random.standard_normal((size, 2))
    turn = np.array([[1, 1], [1, -1]]) / 2**0.5

    def sample(count):
        inputs = random.standard_normal((count, size)) / size**0.5
        return inputs, np.sign(np.sign(inputs @ teacher).sum(axis=1))

    def channel(mean, variance, labels):
        """Probability of the label, and slopes of its logarithm."""
        parts = by_hand.labels(*mean.T, *variance)
        own = np.select([labels == 1, labels == -1], parts[:2], parts[2])
        return own[0], (own[1:3] / np.maximum(own[0], 1e-12)).T

    inputs, labels = sample(round(alpha * size))
    estimate = teacher @ turn / 2 + random.standard_normal((size, 2)) / 2
    variance, force = np.ones(2), np.zeros((len(labels), 2))
    for _ in range(iterations):
        _, force = channel(inputs @ estimate - variance * force, variance, labels)
        precision = np.square(force).sum(axis=0) / size
        estimate = (inputs.T @ force + precision * estimate) / (1 + precision)
        variance = 1 / (1 + precision)
    overlaps = np.abs((teacher @ turn * estimate).mean(axis=0))
    inputs, labels = sample(4 * size)
    return *overlaps, 1 - channel(inputs @ estimate, variance, labels)[0].mean()


@pytest.mark.parametrize(
    ("alpha", "size", "iterations"), [(1.0, 300, 20), pytest.param(3.0, 800, 25, marks=SLOW)]
)
def test_message_passing_on_finite_samples_finds_the_overlaps(
    model, monkeypatch, alpha, size, iterations
):
    nodes, weights = np.polynomial.legendre.leggauss(16)
    monkeypatch.setattr(by_hand, "NODES", nodes)
    monkeypatch.setattr(by_hand, "WEIGHTS", weights)
    runs = np.array([message_passing(size, alpha, iterations, seed) for seed in range(6)])
    mean, error = runs.mean(axis=0), runs.std(axis=0, ddof=1) / len(runs) ** 0.5
    solution = model.solve(alpha=alpha)
    theory = [solution[name] for name in ("q_u", "q", "gibbs_error")]
    assert (np.abs(mean - theory) < 3 * error + 1e-3).all(), (mean, error, theory)
    assert error.max() < 0.04


@pytest.mark.slow
def test_with_many_samples_the_units_are_two_perceptrons(model):
    """Next to the plane of one unit the label tells its sign, as the other is known there.

    Each has the Gibbs error of a perceptron, 0.625/alpha (Gyorgyi & Tishby 1990).
    """
    alpha = 20
    solution = model.solve(alpha=alpha)
    perceptron = math.acos(load("perceptron-gaussian").solve(alpha=alpha)["q"]) / math.pi
    assert solution["gibbs_error"] == pytest.approx(2 * perceptron, rel=0.02)
    assert alpha * perceptron == pytest.approx(0.625, rel=0.02)
    assert solution["q_12"] < 3e-4


@pytest.mark.slow
def test_binary_weights():
    """The site is a sum over four points; equations in the plane of the sum and the difference."""
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
