"""Factored attention is a Potts model: identities, populations, samples."""

import itertools

import numpy as np
import pytest

from replica.errors import ConvergenceError, DataError
from replica.simulate import (
    PottsModel,
    directed_samples,
    masked_loss,
    star_samples,
    train_attention,
    train_row,
    zero_sum,
)

U = np.array([[1.5, 0.5, -0.2], [0.5, 0.9, 0.3], [-0.2, 0.3, -0.1]])
STANDARD = zero_sum(np.eye(3))


def dense(sites, scale, seed, colours=U):
    random = np.random.default_rng(seed)
    couplings = random.normal(0, scale, (sites, sites))
    return PottsModel(np.triu(couplings, 1) + np.triu(couplings, 1).T, colours)


def test_the_masked_loss_is_minus_the_log_pseudo_likelihood():
    model = dense(7, 0.5, 0)
    tokens = np.random.default_rng(1).integers(3, size=(40, 7))
    loss = masked_loss(model.couplings, model.colours, tokens)
    assert loss == pytest.approx(-model.log_pseudo_likelihood(tokens), rel=1e-14)


def test_gauges_leave_the_loss_alone():
    model = dense(5, 0.6, 2)
    tokens = np.random.default_rng(3).integers(3, size=(30, 5))
    loss = masked_loss(model.couplings, model.colours, tokens)
    shifted = model.colours + np.outer(np.ones(3), [0.3, -1.0, 2.0])
    assert masked_loss(model.couplings, shifted, tokens) == pytest.approx(loss, rel=1e-13)
    assert masked_loss(2 * model.couplings, model.colours / 2, tokens) == pytest.approx(loss)


def test_the_population_minimum_is_the_true_model():
    """All ``3^6`` states: the loss is the sum of conditional entropies, and ``A = J``."""
    model = dense(6, 0.34, 4, zero_sum(U))
    states, odds = model.states(), model.probabilities()
    attention = train_attention(states, model.colours, weights=odds, tolerance=1e-13)
    np.testing.assert_allclose(attention, model.couplings, atol=1e-8)
    # Entropies of conditionals: H(all) - H(others), by summing out one site.
    total = -np.sum(odds * np.log(odds))
    table = odds.reshape((3,) * 6)
    entropies = [total + np.sum(p * np.log(p)) for p in (table.sum(axis=i) for i in range(6))]
    loss = -PottsModel((attention + attention.T) / 2, model.colours).log_pseudo_likelihood(
        states, odds
    )
    assert loss == pytest.approx(sum(entropies), abs=1e-12)


def test_another_scale_of_the_values_is_taken_up_by_the_attention():
    model = dense(5, 0.4, 5, zero_sum(U))
    states, odds = model.states(), model.probabilities()
    attention = train_attention(states, -2 * model.colours, weights=odds)
    np.testing.assert_allclose(attention, -model.couplings / 2, atol=1e-8)


def test_the_heat_bath_samples_the_model():
    model = dense(4, 0.8, 6)
    tokens = model.sample(20_000, sweeps=30, seed=7, progress=False)
    found = np.zeros(81)
    np.add.at(found, tokens @ [27, 9, 3, 1], 1 / len(tokens))
    odds = model.probabilities()
    spread = np.sqrt(odds / len(tokens))
    assert np.max(np.abs(found - odds) / spread) < 4.5
    np.testing.assert_array_equal(tokens[:5], model.sample(20_000, 30, 7, progress=False)[:5])


def test_couplings_are_recovered_from_samples():
    model = dense(10, 0.35, 8, STANDARD)
    tokens = model.sample(10_000, sweeps=40, seed=9, progress=False)
    attention = train_attention(tokens, STANDARD)
    off = ~np.eye(10, dtype=bool)
    pair = np.corrcoef(attention[off], model.couplings[off])[0, 1]
    assert pair > 0.99
    # Fisher information per coupling is at most 2/9 per sample: an error of about 0.02.
    error = np.sqrt(np.mean((attention - model.couplings)[off] ** 2))
    assert 0.015 < error < 0.04


def test_training_is_stationary_and_rows_are_independent():
    tokens = np.random.default_rng(10).integers(3, size=(60, 5))
    attention = train_attention(tokens, U, 0.3)
    alone = train_attention(tokens, U, 0.3, sites=[2])
    np.testing.assert_allclose(alone[2], attention[2], rtol=1e-12)
    assert not alone[[0, 1, 3, 4]].any()

    def whole(a):
        return masked_loss(a, U, tokens) + 0.15 * np.sum(a**2)

    best = whole(attention)
    for i, j in itertools.permutations(range(5), 2):
        moved = attention.copy()
        moved[i, j] += 1e-3
        assert whole(moved) > best


BAD = {
    "couplings": (lambda: PottsModel(np.ones((3, 2)), U), "square"),
    "symmetry": (lambda: PottsModel(np.triu(np.ones((3, 3)), 1), U), "not symmetric"),
    "values": (lambda: PottsModel(np.full((3, 3), np.nan), U), "finite"),
    "attention": (
        lambda: masked_loss(np.ones((3, 2)), U, np.zeros((4, 3), dtype=int)), "square"
    ),
    "length": (
        lambda: masked_loss(np.ones((3, 3)), U, np.zeros((4, 2), dtype=int)), "(samples, 3)",
    ),
    "colour": (
        lambda: masked_loss(np.ones((3, 3)), U, np.full((4, 3), 3)), "expected 0 to 2",
    ),
    "type": (lambda: masked_loss(np.ones((3, 3)), U, np.zeros((4, 3))), "integers"),
    "penalty": (lambda: train_attention(np.zeros((4, 3), dtype=int), U, -1.0), "penalty"),
    "weights": (
        lambda: train_attention(np.zeros((4, 3), dtype=int), U, 1.0, weights=[1.0]), "weights"
    ),
    "negative weights": (
        lambda: train_attention(np.zeros((4, 3), dtype=int), U, 1.0, weights=[1, 1, 1, -1]),
        "at least 0",
    ),
    "rows": (
        lambda: train_attention(np.zeros((4, 3), dtype=int), U, 1.0, sites=[3]), "from 0 to 2"
    ),
    "states and weights": (
        lambda: PottsModel(np.zeros((3, 3)), U).log_pseudo_likelihood(
            np.zeros((4, 3), dtype=int), [1.0, 2.0]
        ),
        "weights of states, expected (4,)",
    ),
    "labels": (
        lambda: train_row(np.zeros((5, 3, 2)), np.zeros(4, dtype=int), 1.0), "expected (5,)"
    ),
    "label": (
        lambda: train_row(np.zeros((5, 3, 2)), np.full(5, 3), 1.0), "expected 0 to 2"
    ),
    "inputs": (lambda: train_row(np.zeros((5, 2)), np.zeros(5, dtype=int), 1.0), "(5, 2)"),
    "star couplings": (lambda: star_samples(np.zeros((2, 2)), U, 10), "one a context site"),
    "star colours": (lambda: star_samples(np.zeros(4), np.zeros((3, 2)), 10), "square"),
    "context couplings": (lambda: directed_samples([np.nan], U, 10), "finite"),
    "samples": (lambda: directed_samples(np.zeros(4), U, 0), "one at least"),
    "chains": (lambda: PottsModel(np.zeros((3, 3)), U).sample(0), "at least one chain"),
    "states": (lambda: PottsModel(np.zeros((30, 30)), U).states(), "too many to enumerate"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_in_one_sentence(case):
    build, words = BAD[case]
    with pytest.raises(DataError) as error:
        build()
    assert words in str(error.value)
    assert str(error.value).count(". ") == 0


def test_separable_samples_have_no_minimum():
    tokens = np.array([[0, 0, 1], [1, 1, 0], [2, 2, 2]])
    with pytest.raises(ConvergenceError, match="separable"):
        train_attention(tokens, STANDARD, sites=[0])
