"""Data sets that a seed determines, for models whose action contains data."""

from replica.datasets.gaussian_paths import GaussianPaths
from replica.datasets.hidden_markov import HiddenMarkovChain

__all__ = ["GaussianPaths", "HiddenMarkovChain"]
