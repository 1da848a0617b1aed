"""Other ways to a matrix that recalls: trained factors of low rank, and equal scores."""

import numpy as np
import pytest
from scipy import optimize, special

import replica


class _FoundError(Exception):
    pass


def is_stored(random, inputs, targets, others, width, tries=6):
    """Whether descent on the factors of a matrix finds one that recalls all pairs."""
    d = inputs.shape[1]
    differences = targets[:, None] - others

    def factors(x):
        return x[: d * width].reshape(d, width), x[d * width :].reshape(width, d)

    def loss(x):
        outer, inner = factors(x)
        hidden = inputs @ inner.T
        gaps = np.einsum("ijk,ik->ij", differences, hidden @ outer.T) / d
        if (gaps > 0).all():
            raise _FoundError
        exponents = np.column_stack([np.zeros(len(gaps)), -gaps])
        pull = -np.einsum("ij,ijk->ik", special.softmax(exponents, axis=1)[:, 1:], differences) / d
        slope = np.concatenate([(pull.T @ hidden).ravel(), ((pull @ outer).T @ inputs).ravel()])
        return special.logsumexp(exponents, axis=1).sum(), slope

    for _ in range(tries):
        start = random.standard_normal(2 * d * width)
        try:
            optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 400})
        except _FoundError:
            return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("width", [4, 2])
def test_two_layers_store_random_pairs_up_to_the_capacity(width):
    """Descent may miss a matrix that there is: what it finds is a little less."""
    d, most, random, found = 8, 40, np.random.default_rng(0), []
    for _ in range(8):
        inputs, targets = random.standard_normal((2, most, d))
        others = random.standard_normal((most, most, d))
        low, high = 4, most
        while high - low > 1:
            p = (low + high) // 2
            stored = is_stored(random, inputs[:p], targets[:p], others[:p, : p - 1], width)
            low, high = (p, high) if stored else (low, p)
        found.append(low + 0.5)
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    bound = replica.load("factual-recall-two-layer").solve(d=d, gamma=width / d)["p"]
    assert 0.8 * bound < np.mean(found) < bound + 3 * error
    # Far from what one layer stores.
    assert np.mean(found) < replica.load("factual-recall").solve(d=d)["p"] - 2 * error


def test_equal_scores_of_least_norm_fail_less_often_than_the_rule_of_hebb():
    d, pairs, random = 40, 60, np.random.default_rng(4)
    failures = np.zeros(2)
    for _ in range(20):
        inputs, targets = random.standard_normal((2, pairs, d))
        others = random.standard_normal((pairs, pairs - 1, d))
        products = (inputs @ inputs.T) * (targets @ targets.T)
        for index, weights in enumerate(
            (np.ones(pairs), np.linalg.solve(products, np.ones(pairs)))
        ):
            matrix = (targets.T * weights) @ inputs
            images = inputs @ matrix.T
            own = np.einsum("ij,ij->i", images, targets)
            wrong = np.einsum("ij,ikj->ik", images, others).max(axis=1)
            failures[index] += np.sum(wrong > own)
    assert failures[1] < failures[0] / 2
