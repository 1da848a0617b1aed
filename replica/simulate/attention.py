"""Factored attention: weights that depend on positions, values that depend on tokens.

The token at a masked site ``i`` is predicted by ``softmax(sum_{j != i} A_ij V x_j)``. Trained to
fill in masked tokens, ``A`` and ``V`` maximise the pseudo-likelihood of a Potts model of couplings
``A`` and colour matrix ``V``; with ``V`` fixed every row of ``A`` is a convex problem of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from replica.errors import ConvergenceError, DataError
from replica.simulate.potts import check_tokens, zero_sum

Array = NDArray[np.float64]
_STEPS = 200


def attention_logits(attention: ArrayLike, values: ArrayLike, tokens: ArrayLike) -> Array:
    """Return the logits (M, n, C) of every site, masked in turn."""
    weights, matrix = _square(attention, "attention"), _square(values, "value matrix")
    colours = check_tokens(tokens, len(weights), len(matrix))
    masked = weights * (1 - np.eye(len(weights)))
    return np.einsum("ij,mjc->mic", masked, matrix.T[colours])


def masked_loss(attention: ArrayLike, values: ArrayLike, tokens: ArrayLike) -> float:
    """Return the cross-entropy of masked tokens, summed over sites and samples.

    Parameters
    ----------
    attention : array (n, n)
    values : array (C, C)
        ``V``; column ``b`` holds the logits that a token ``b`` asks for.
    tokens : array (M, n) of int
    """
    logits = attention_logits(attention, values, tokens)
    own = np.take_along_axis(logits, np.asarray(tokens)[:, :, None], axis=2)[:, :, 0]
    return float(np.sum(logsumexp(logits, axis=2) - own))


def train_attention(
    tokens: ArrayLike,
    values: ArrayLike,
    penalty: float = 0.0,
    *,
    weights: ArrayLike | None = None,
    sites: Sequence[int] | None = None,
    tolerance: float = 1e-10,
) -> Array:
    """Minimise the masked loss plus ``penalty |A|^2 / 2`` over the rows of the attention.

    Parameters
    ----------
    tokens : array (M, n) of int
    values : array (C, C)
        The value matrix ``V``, which is kept.
    penalty : float
    weights : array (M,), optional
        Of the samples, such as the probabilities of all states; one by default.
    sites : sequence of int, optional
        Rows to train; all by default. The others are zero.
    tolerance : float
        Of the gradient, relative to its size at zero.

    Returns
    -------
    array (n, n)

    Raises
    ------
    DataError
        If tokens, values or the penalty are not what they should be.
    ConvergenceError
        If a row has no minimum: without a penalty, where the samples can be told apart perfectly.
    """
    matrix = _square(values, "value matrix")
    shape = np.asarray(tokens).shape
    colours = check_tokens(tokens, shape[-1] if len(shape) == 2 else 0, len(matrix))
    if not np.isfinite(penalty) or penalty < 0:
        raise DataError(f"attention: the penalty is {penalty}, expected a number of at least 0.")
    share = _shares(weights, len(colours))
    count = colours.shape[1]
    rows = range(count) if sites is None else sites
    if not all(0 <= i < count for i in rows):
        raise DataError(
            f"attention: rows {list(rows)} are to be trained, expected sites from 0 to {count - 1}."
        )
    attention = np.zeros((count, count))
    features = (matrix - matrix.mean(axis=0)).T[colours]  # (M, n, C), the visible part
    for i in rows:
        others = [j for j in range(count) if j != i]
        inputs = np.ascontiguousarray(features[:, others].transpose(0, 2, 1))
        attention[i, others] = train_row(
            inputs, colours[:, i], penalty, weights=share, tolerance=tolerance, name=f"row {i}"
        )
    return attention


def train_row(
    inputs: Array,
    labels: NDArray[np.int64],
    penalty: float,
    *,
    weights: Array | None = None,
    tolerance: float = 1e-10,
    name: str = "row",
) -> Array:
    """Minimise ``sum_m -log softmax_{y_m}(sum_j a_j inputs_mj) + penalty |a|^2/2`` (damped Newton).

    Parameters
    ----------
    inputs : array (M, C, n)
        What a unit of each weight adds to the logits.
    labels : array (M,) of int
    penalty : float
    weights : array (M,), optional
    tolerance : float
    name : str
        Of the row, in error messages.

    Raises
    ------
    DataError
        If inputs, labels or weights are not what they should be.
    ConvergenceError
        If there is no minimum: without a penalty, where the samples can be told apart perfectly.
    """
    inputs = np.asarray(inputs, dtype=float)
    if inputs.ndim != 3:
        raise DataError(
            f"attention: the inputs of {name} have the shape {inputs.shape}, expected (samples, "
            "colours, weights)."
        )
    samples, count, size = inputs.shape
    labels = _labels(labels, samples, count, name)
    share = _shares(weights, samples)
    flat = inputs.reshape(-1, size)
    target = share @ np.take_along_axis(inputs, labels[:, None, None], axis=1)[:, 0]
    a = np.zeros(size)

    def energy(a: Array) -> tuple[float, Array]:
        logits = (flat @ a).reshape(samples, count)
        norm = logsumexp(logits, axis=1)
        value = share @ (norm - np.take_along_axis(logits, labels[:, None], axis=1)[:, 0])
        return float(value + penalty * a @ a / 2), np.exp(logits - norm[:, None])

    value, p = energy(a)
    first = None
    for _ in range(_STEPS):
        shares = (share[:, None] * p).ravel()
        gradient = flat.T @ shares - target + penalty * a
        first = first or max(float(np.max(np.abs(gradient))), 1e-300)
        if np.max(np.abs(gradient)) <= tolerance * first:
            return a
        centred = (inputs - np.einsum("mc,mcn->mn", p, inputs)[:, None, :]).reshape(-1, size)
        hessian = centred.T @ (shares[:, None] * centred) + penalty * np.eye(size)
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            break
        decrement, size_of = float(gradient @ step), max(abs(value), 1.0)
        if 0 <= decrement <= 1e-15 * size_of:
            return a - step  # the energy has no digit left to gain
        reach = 1.0
        for _ in range(40):
            following, q = energy(a - reach * step)
            if following <= value - 1e-4 * reach * decrement + 1e-14 * size_of:
                break
            reach /= 2
        a, value, p = a - reach * step, following, q
        if value <= penalty * a @ a / 2 + 1e-6 * np.sum(share) and penalty == 0:
            break
    raise ConvergenceError(
        f"attention: {name} has no minimum that was found; without a penalty the samples may be "
        "separable, so give a positive penalty or more samples."
    )


def star_samples(
    couplings: Array, colours: ArrayLike, samples: int, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw centre (M,) and leaves (M, L) of a star-shaped Potts model.

    The centre couples to leaf ``j`` with ``J_j / sqrt(L)``.

    Raises
    ------
    DataError
        If the couplings are no vector, the colour matrix is not square, or no sample is asked for.
    """
    matrix, random = zero_sum(_square(colours, "colour matrix")), np.random.default_rng(seed)
    couplings = _row(couplings, samples)
    fields = couplings[:, None, None] * matrix / np.sqrt(len(couplings))  # (L, a, b)
    logs = np.sum(logsumexp(fields, axis=2), axis=0)
    centre = random.choice(len(matrix), size=samples, p=np.exp(logs - logsumexp(logs)))
    leaves = np.empty((samples, len(fields)), dtype=np.int64)
    for a in range(len(matrix)):
        own = np.flatnonzero(centre == a)
        noise = random.gumbel(size=(len(own), *fields[:, a].shape))
        leaves[own] = np.argmax(fields[:, a] + noise, axis=2)
    return centre, leaves


def directed_samples(
    couplings: Array, colours: ArrayLike, samples: int, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw a token (M,) from the softmax of its couplings to uniform context tokens (M, L).

    Raises
    ------
    DataError
        If the couplings are no vector, the colour matrix is not square, or no sample is asked for.
    """
    matrix, random = zero_sum(_square(colours, "colour matrix")), np.random.default_rng(seed)
    couplings = _row(couplings, samples)
    context = random.integers(len(matrix), size=(samples, len(couplings)))
    logits = np.einsum("j,mja->ma", couplings, matrix.T[context]) / np.sqrt(len(couplings))
    return np.argmax(logits + random.gumbel(size=logits.shape), axis=1), context


def _row(couplings: ArrayLike, samples: int) -> Array:
    row = np.asarray(couplings, dtype=float)
    if row.ndim != 1 or not len(row) or not np.all(np.isfinite(row)):
        raise DataError(
            f"attention: the couplings have the shape {row.shape}, expected finite numbers, one a "
            "context site."
        )
    if samples < 1:
        raise DataError(f"attention: {samples} samples are asked for, expected one at least.")
    return row


def _labels(labels: ArrayLike, samples: int, count: int, name: str) -> NDArray[np.int64]:
    given = np.asarray(labels)
    if given.shape != (samples,):
        raise DataError(
            f"attention: the labels of {name} have the shape {given.shape}, expected ({samples},) "
            "as there are samples."
        )
    return check_tokens(given[:, None], 1, count)[:, 0]


def _shares(weights: ArrayLike | None, samples: int) -> Array:
    share = np.ones(samples) if weights is None else np.asarray(weights, dtype=float)
    if share.shape != (samples,):
        raise DataError(f"attention: {share.shape} weights of samples, expected ({samples},).")
    if not np.all(share >= 0):
        raise DataError("attention: the weights of samples are not all numbers of at least 0.")
    return share


def _square(values: ArrayLike, what: str) -> Array:
    matrix = np.asarray(values, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(f"the {what} has the shape {matrix.shape}, expected a square matrix.")
    return matrix
