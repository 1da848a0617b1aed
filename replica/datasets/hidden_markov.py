"""Classification of hidden Markov chains by a transformer whose attention is given.

The task of Tiberi, Mignacco, Irie & Sompolinsky, NeurIPS 2024 (arXiv:2405.15926), section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.errors import DataError
from replica.kernels import path_features, softmax_attention

Array = NDArray[np.float64]
_HEADS = ("previous", "uniform", "random")


@dataclass(frozen=True)
class HiddenMarkovChain:
    """Sequences of noisy tokens of a two-state chain; the class is how often the state flips.

    A sequence begins with a token without features; every token has a one-hot position. One half of
    the examples is of class +1, the other of class -1. Calling it draws the data: a mapping with
    the features ``Z`` and labels ``y`` of the training set, ``Z_test`` and ``y_test`` of the other.

    Parameters
    ----------
    seed : int
    examples, test_examples : int
    length : int
        Tokens of a sequence after the first one.
    features : int
        Even; coordinates of a token beside its position.
    flip : pair of float
        Probability that the state flips, in class +1 and in class -1.
    noise_in_plane, noise_out_of_plane : float
        Standard deviations of the noise inside and outside of the plane of the two states.
    inverse_temperature : float
        Of the softmax.
    heads : tuple of tuples of str
        Heads of each layer, the first layer first: ``"previous"`` attends the previous token where
        its state is the same and else the beginning, ``"uniform"`` all tokens alike, ``"random"``
        has random weights.
    """

    seed: int = 1
    examples: int = 100
    test_examples: int = 1000
    length: int = 30
    features: int = 200
    flip: tuple[float, float] = (0.3, 0.7)
    noise_in_plane: float = 1.0
    noise_out_of_plane: float = 1.0
    inverse_temperature: float = 10.0
    heads: tuple[tuple[str, ...], ...] = (("previous", "random"), ("uniform", "random"))

    def __post_init__(self) -> None:
        for name in ("examples", "test_examples", "length", "features"):
            if getattr(self, name) < 1:
                raise DataError(f"{name}: expected a positive number, got {getattr(self, name)!r}.")
        if self.features % 2:
            raise DataError(f"features: expected an even number, got {self.features}.")
        for name in {name for layer in self.heads for name in layer} - {*_HEADS}:
            raise DataError(f"head {name!r} is unknown; expected one of {', '.join(_HEADS)}.")

    def __call__(self) -> dict[str, Any]:
        """Draw the data."""
        random = np.random.default_rng(self.seed)
        tokens, labels = self._tokens(random, self.examples)
        test_tokens, test_labels = self._tokens(random, self.test_examples)
        weights = [[self._head(name, random) for name in layer] for layer in self.heads]
        features, test_features = (
            path_features(
                x,
                [[softmax_attention(x, w, self.inverse_temperature) for w in ws] for ws in weights],
            )
            for x in (tokens, test_tokens)
        )
        return {"Z": features, "y": labels, "Z_test": test_features, "y_test": test_labels}

    @property
    def states(self) -> Array:
        """Tokens of the two states without noise, shape (2, features)."""
        first = np.repeat([np.sqrt(2), 0.0], self.features // 2)
        return np.stack([first, first[::-1]])

    def _tokens(self, random: np.random.Generator, count: int) -> tuple[Array, Array]:
        length, features = self.length, self.features
        labels = np.concatenate([np.ones(count // 2), -np.ones(count - count // 2)])
        state = np.empty((count, length), dtype=int)
        state[:, 0] = np.where(random.random(count) < 0.5, 1, -1)
        draws = random.random((count, length - 1))
        flip = np.where(labels > 0, *self.flip)
        for t in range(1, length):
            state[:, t] = np.where(draws[:, t - 1] < flip, -state[:, t - 1], state[:, t - 1])
        plus, minus = self.states
        noise = random.standard_normal((count, length, features))
        in_plane = np.zeros_like(noise)
        for direction in (plus - minus, plus + minus):
            unit = direction / np.linalg.norm(direction)
            in_plane += (noise @ unit)[..., None] * unit
        tokens = np.zeros((count, length + 1, features + length + 1))
        tokens[:, 1:, :features] = (
            np.where(state[..., None] > 0, plus, minus)
            + self.noise_in_plane * in_plane
            + self.noise_out_of_plane * (noise - in_plane)
        )
        tokens[:, :, features:] = np.eye(length + 1)
        return tokens, labels

    def _head(self, name: str, random: np.random.Generator) -> Array:
        """Return the weights of a head, key times query."""
        features, positions = self.features, self.length + 1
        weights = np.zeros((features + positions, features + positions))
        if name == "previous":
            plus, minus = self.states
            query = 2 * (plus - minus) / np.sum((plus - minus) ** 2)
            weights[:features, :features] = np.outer(query, query)
            by_position = weights[features:, features:]
            by_position[np.arange(1, positions - 1), np.arange(2, positions)] = 1.0
            by_position[0, 1:] = 1.5
        elif name == "random":  # the order of the draws is that of the reference
            weights[:features, :features] = random.standard_normal((features, features)) / features
            weights[features:, features:] = random.standard_normal((positions, positions))
            scale = np.sqrt(features)
            weights[:features, features:] = random.standard_normal((features, positions)) / scale
            weights[features:, :features] = random.standard_normal((positions, features)) / scale
        return weights
