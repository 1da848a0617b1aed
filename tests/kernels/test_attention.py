"""Features along paths, their kernels however they are stored, and bad input in a sentence."""

import itertools

import numpy as np
import pytest

from replica import DataError
from replica.datasets import GaussianPaths, HiddenMarkovChain
from replica.kernels import (
    KernelPredictor,
    PathFeatures,
    head_scores,
    path_features,
    prune,
    softmax_attention,
)

random = np.random.default_rng(0)
X = random.standard_normal((5, 4, 3))
HEADS = [[random.random((5, 4, 4)) for _ in range(2)], [random.random((4, 4)) for _ in range(3)]]


@pytest.mark.parametrize("readout", ["last", "mean"])
def test_features_are_the_tokens_through_products_of_attention(readout):
    found = path_features(X, HEADS, readout).values
    at = np.eye(4)[3] if readout == "last" else np.full(4, 0.25)
    for path, (i, j) in enumerate(itertools.product(range(2), range(3))):
        for m in range(5):
            attended = X[m].T @ HEADS[0][i][m] @ HEADS[1][j] @ at
            assert found[m, :, path] == pytest.approx(attended / np.sqrt(3 * 6), abs=1e-14)


def test_softmax_runs_over_keys():
    W = random.standard_normal((3, 3))
    found = softmax_attention(X, W, 2.0)
    logits = np.exp(2.0 * X[1] @ W @ X[1].T)
    assert found[1] == pytest.approx(logits / logits.sum(axis=0), abs=1e-14)
    assert softmax_attention(1e6 * X, W).sum(axis=1) == pytest.approx(np.ones((5, 4)))


@pytest.mark.parametrize("limit", [0, 2**30])
@pytest.mark.parametrize("outputs", [1, 2])
def test_kernels_and_overlaps_are_sums_over_pairs_of_paths(limit, outputs):
    Z = PathFeatures(random.standard_normal((6, 5, 3)), limit)
    C = np.einsum("mip,niq->pqmn", Z.values, Z.values)
    U = random.standard_normal((2, 3 * outputs, 3 * outputs))
    U = U + np.swapaxes(U, 1, 2)
    blocks = U.reshape(2, 3, outputs, 3, outputs)
    K = np.einsum("bpcqd,pqmn->bmcnd", blocks, C).reshape(2, 6 * outputs, 6 * outputs)
    assert Z.kernel(U) == pytest.approx(K, abs=1e-12)
    assert Z.kernel(U[0]) == pytest.approx(K[0], abs=1e-12)
    M = K @ K
    by_output = M.reshape(2, 6, outputs, 6, outputs)
    O = np.einsum("bmcnd,pqmn->bpcqd", by_output, C).reshape(U.shape)
    assert Z.overlap(M, outputs=outputs) == pytest.approx(O, abs=1e-9)
    v = random.standard_normal((2, 6 * outputs, 1))
    assert Z.kernel_times(U, v) == pytest.approx(K @ v, abs=1e-12)
    thin = Z.thin_overlap(v, np.swapaxes(v, 1, 2), outputs=outputs)
    expected = Z.overlap(v @ np.swapaxes(v, 1, 2), outputs=outputs)
    assert thin == pytest.approx(expected, abs=1e-11)
    if outputs == 1:
        A = np.linalg.inv(np.eye(6) + K[0] @ K[0])
        factor = np.linalg.cholesky(np.linalg.inv(A))
        found = Z.combined(U, Z.pair_products(factor))
        assert found == pytest.approx(Z.overlap(A @ K @ A), abs=1e-10)


def test_memory_is_bounded_and_stated():
    few = PathFeatures(random.standard_normal((20, 3, 4)))
    assert few.stored_bytes == 8 * 10 * 210  # a quarter of (4 x 20)^2, and the diagonals
    before = few.memory
    few.kernel(np.eye(4))
    assert few.memory == before + few.stored_bytes
    many = PathFeatures(random.standard_normal((20, 3, 4)), store_limit=1000)
    many.kernel(np.eye(4))
    assert not many.stores
    assert many.memory == many.values.nbytes


def test_bad_input_is_refused_in_a_sentence():
    with pytest.raises(DataError, match=r"layer 1, head 1: expected square matrices, got .*4, 3"):
        path_features(X, [[np.ones((5, 4, 3))]])
    with pytest.raises(DataError, match=r"layer 2, head 1: expected shape \(5, 4, 4\)"):
        path_features(X, [HEADS[0], [np.ones((5, 5))]])
    with pytest.raises(DataError, match="every layer needs at least one head"):
        path_features(X, [HEADS[0], []])
    with pytest.raises(DataError, match="readout 'first' is unknown"):
        path_features(X, HEADS, "first")
    with pytest.raises(DataError, match="tokens: expected an array of shape"):
        path_features(X[0], HEADS)
    with pytest.raises(DataError, match=r"attention weights: expected shape \(3, 3\)"):
        softmax_attention(X, np.eye(4))
    with pytest.raises(DataError, match="features: expected an array of shape"):
        PathFeatures(np.ones((3, 2)))
    with pytest.raises(DataError, match="features: there are entries that are not finite"):
        PathFeatures(np.full((3, 2, 1), np.nan))
    with pytest.raises(DataError, match="tokens: there are entries that are not finite"):
        softmax_attention(np.nan * X, np.eye(3))
    with pytest.raises(DataError, match="inverse temperature: expected a number, got nan"):
        softmax_attention(X, np.eye(3), np.nan)
    with pytest.raises(DataError, match="layer 1, head 1: there are entries that are not finite"):
        path_features(X, [[np.full((4, 4), np.inf)]])
    with pytest.raises(DataError, match="layer 1, head 1: expected an array of numbers, got 'sof"):
        path_features(X, [["softmax"]])
    with pytest.raises(DataError, match="head 'clever' is unknown; expected one of previous"):
        HiddenMarkovChain(heads=(("clever",),))
    with pytest.raises(DataError, match="examples: expected a positive number, got 0"):
        HiddenMarkovChain(examples=0)
    with pytest.raises(DataError, match="one weight for each of the 4 paths, got 2"):
        GaussianPaths(combination=(1.0, 0.5))
    features = PathFeatures(np.ones((3, 2, 1)))
    with pytest.raises(DataError, match="labels: expected 3 of them, got 2"):
        KernelPredictor(np.eye(1), features, [1, 2], 0.1).mean(features)
    with pytest.raises(DataError, match="singular at temperature 0; expected a temperature above"):
        KernelPredictor(np.eye(1), features, [1, 2, 3], 0.0).mean(features)
    with pytest.raises(DataError, match=r"temperature: expected zero or more, got -0.1"):
        KernelPredictor(np.eye(1), features, [1, 2, 3], -0.1)
    with pytest.raises(DataError, match=r"each of the 1 paths \(and outputs\), got shape \(1, 2\)"):
        KernelPredictor(np.ones((1, 2)), features, [1, 2, 3], 0.1)
    with pytest.raises(DataError, match="expected a symmetric matrix"):
        KernelPredictor(np.array([[1.0, 2.0], [0.0, 1.0]]), features, np.ones((3, 2)), 0.1)
    with pytest.raises(DataError, match="no head 3 in layer 1; the layers have 2, 2 heads"):
        prune(np.eye(4), (2, 2), [(1, 3)])
    with pytest.raises(DataError, match=r"shape \(3, 3\), expected a row and a column"):
        head_scores(np.eye(3), (2, 2))
