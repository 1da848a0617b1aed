"""Attention matrices, and what the tokens of an example look like along each attention path."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from replica.errors import DataError
from replica.kernels.arrays import finite_array
from replica.kernels.features import PathFeatures
from replica.kernels.threads import few_threads

Array = NDArray[np.float64]


def softmax_attention(
    tokens: ArrayLike, weights: ArrayLike, inverse_temperature: float = 1.0
) -> Array:
    """Return the attention matrices of one head.

    Parameters
    ----------
    tokens : array_like, shape (examples, length, coordinates)
    weights : array_like, shape (coordinates, coordinates)
        Key times query: the logit of key ``s`` for query ``t`` is ``x_s^T weights x_t``.
    inverse_temperature : float
        Multiplies the logits.

    Returns
    -------
    ndarray, shape (examples, length, length)
        Rows are keys, columns are queries; every column sums to one.

    Raises
    ------
    DataError
        If the weights are not square of the tokens' coordinates, or something is not finite.
    """
    x, w = _tokens(tokens), finite_array(weights, "attention weights")
    if w.shape != (x.shape[2], x.shape[2]):
        raise DataError(
            f"attention weights: expected shape {(x.shape[2], x.shape[2])}, that of the tokens' "
            f"coordinates, got {w.shape}."
        )
    if not np.isfinite(inverse_temperature):
        raise DataError(f"inverse temperature: expected a number, got {inverse_temperature!r}.")
    length, coordinates = x.shape[1:]
    queries = (x.reshape(-1, coordinates) @ w.T).reshape(x.shape)
    with few_threads(length):
        logits = inverse_temperature * x @ np.swapaxes(queries, 1, 2)
    logits -= logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def path_features(
    tokens: ArrayLike, attention: Sequence[Sequence[ArrayLike]], readout: str = "last"
) -> PathFeatures:
    """Return the attended inputs along all paths, scaled by ``1/sqrt(coordinates x paths)``.

    A path takes one head in each layer; paths are in row-major order, the head of the first layer
    slowest. The attended input of a path is the tokens' sum weighted by the product of its
    attention matrices, at the readout.

    Parameters
    ----------
    tokens : array_like, shape (examples, length, coordinates)
    attention : sequence of sequences of array_like
        For each layer, the first one first, the matrices of its heads, each of shape (examples,
        length, length) or (length, length), rows keys and columns queries.
    readout : str
        ``"last"`` token or ``"mean"`` over tokens.

    Raises
    ------
    DataError
        If an attention matrix is not square of the tokens' length, a layer has no head, the readout
        is unknown, or something is not finite.

    Notes
    -----
    Needs memory for the features only, beside the attention matrices: the products are taken from
    the readout backwards, a vector at a time.
    """
    x = _tokens(tokens)
    examples, length, coordinates = x.shape
    layers = [
        [_attention(a, examples, length, layer, head) for head, a in enumerate(heads, 1)]
        for layer, heads in enumerate(attention, 1)
    ]
    if not layers or not all(layers):
        raise DataError("attention: every layer needs at least one head, and there is no layer 0.")
    if readout == "last":
        vectors = [np.broadcast_to(np.eye(length)[-1], (examples, length))]
    elif readout == "mean":
        vectors = [np.full((examples, length), 1.0 / length)]
    else:
        raise DataError(f"readout {readout!r} is unknown; expected 'last' or 'mean'.")
    for heads in reversed(layers):
        # The head of the earlier layer is the slower index.
        with few_threads(length):
            vectors = [
                (head @ vector[:, :, None])[:, :, 0]
                for head, vector in itertools.product(heads, vectors)
            ]
    with few_threads(length):
        values = np.swapaxes(np.stack(vectors, axis=1) @ x, 1, 2)
    return PathFeatures(values / np.sqrt(coordinates * len(vectors)))


def _tokens(tokens: ArrayLike) -> Array:
    x = finite_array(tokens, "tokens")
    if x.ndim != 3 or x.size == 0:
        raise DataError(
            f"tokens: expected an array of shape (examples, length, coordinates), got {x.shape}."
        )
    return x


def _attention(matrix: ArrayLike, examples: int, length: int, layer: int, head: int) -> Array:
    array = finite_array(matrix, f"attention of layer {layer}, head {head}")
    if array.ndim < 2 or array.shape[-2] != array.shape[-1]:
        raise DataError(
            f"attention of layer {layer}, head {head}: expected square matrices, got shape "
            f"{array.shape}."
        )
    if array.shape not in ((length, length), (examples, length, length)):
        raise DataError(
            f"attention of layer {layer}, head {head}: expected shape "
            f"{(examples, length, length)} for these tokens, got {array.shape}."
        )
    return np.broadcast_to(array, (examples, length, length))
