"""Independent Gaussian features on every path, and a linear teacher that combines the paths."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from replica.errors import DataError
from replica.kernels import PathFeatures


@dataclass(frozen=True)
class GaussianPaths:
    """Features drawn path by path; the label is a teacher's, on a combination of the paths.

    Calling it draws the data: a mapping with the features ``Z`` and labels ``y`` of the training
    set, ``Z_test`` and ``y_test`` of the other.

    Parameters
    ----------
    seed : int
    examples, test_examples, coordinates : int
    heads : tuple of int
        Heads of each layer.
    combination : tuple of float
        Weight of each path in the labels, the head of the first layer slowest.
    noise : float
        Standard deviation of the noise of the labels.
    """

    seed: int = 0
    examples: int = 60
    test_examples: int = 500
    coordinates: int = 80
    heads: tuple[int, ...] = (2, 2)
    combination: tuple[float, ...] = (1.0, 0.5, -0.5, 0.0)
    noise: float = 0.1

    def __post_init__(self) -> None:
        if len(self.combination) != math.prod(self.heads):
            raise DataError(
                f"combination: expected one weight for each of the {math.prod(self.heads)} paths, "
                f"got {len(self.combination)}."
            )

    def __call__(self) -> dict[str, Any]:
        """Draw the data."""
        random = np.random.default_rng(self.seed)
        total, paths = self.examples + self.test_examples, math.prod(self.heads)
        features = random.standard_normal((total, self.coordinates, paths))
        teacher = random.standard_normal(self.coordinates)
        noise = random.standard_normal(total)
        combined = np.einsum("min,i,n->m", features, teacher, np.asarray(self.combination))
        labels = combined / np.sqrt(self.coordinates) + self.noise * noise
        scaled = features / np.sqrt(self.coordinates * paths)
        train, test = slice(None, self.examples), slice(self.examples, None)
        return {
            "Z": PathFeatures(scaled[train]), "y": labels[train],
            "Z_test": PathFeatures(scaled[test]), "y_test": labels[test],
        }  # fmt: skip
