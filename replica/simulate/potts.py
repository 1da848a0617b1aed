"""Generalized Potts models of few or many sites: heat bath, enumeration, pseudo-likelihood.

Sites ``i`` have colours ``s_i``; a state has the weight ``exp(sum_{i<j} J_ij U[s_i, s_j])``.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from tqdm.auto import trange

from replica.errors import DataError
from replica.progress import bar_disabled

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]
MAX_STATES = 2_000_000


def zero_sum(matrix: ArrayLike) -> Array:
    """Return ``P U P`` with ``P = 1 - 11^T/C``, the zero-sum gauge of a colour matrix."""
    values = np.asarray(matrix, dtype=float)
    values = values - values.mean(axis=0)
    result: Array = values - values.mean(axis=1, keepdims=True)
    return result


@dataclass(frozen=True)
class PottsModel:
    """Couplings of sites and of colours.

    Parameters
    ----------
    couplings : array (n, n)
        Symmetric; the diagonal does not act.
    colours : array (C, C)
        Symmetric colour matrix ``U``.
    """

    couplings: Array
    colours: Array

    def __post_init__(self) -> None:
        for name in ("couplings", "colours"):
            values = np.array(getattr(self, name), dtype=float)
            if values.ndim != 2 or values.shape[0] != values.shape[1] or len(values) < 2:
                raise DataError(
                    f"Potts model: the {name} have the shape {values.shape}, expected a square "
                    "matrix of at least two rows."
                )
            if not np.all(np.isfinite(values)):
                raise DataError(f"Potts model: the {name} are not all finite.")
            if not np.allclose(values, values.T, rtol=1e-12, atol=1e-12):
                raise DataError(f"Potts model: the matrix of {name} is not symmetric.")
            object.__setattr__(self, name, values)
        couplings = self.couplings.copy()
        np.fill_diagonal(couplings, 0.0)
        object.__setattr__(self, "couplings", couplings)

    @property
    def sites(self) -> int:
        """Number of sites."""
        return len(self.couplings)

    def log_weight(self, states: ArrayLike) -> Array:
        """Return minus the energy of each state (rows of colours)."""
        tokens = check_tokens(states, self.sites, len(self.colours))
        total = np.zeros(len(tokens))
        for i in range(self.sites):
            for j in range(i):
                total += self.couplings[i, j] * self.colours[tokens[:, i], tokens[:, j]]
        return total

    def states(self) -> Tokens:
        """Return all states, of a small model.

        Raises
        ------
        DataError
            If there are more than two million.
        """
        count = len(self.colours) ** self.sites
        if count > MAX_STATES:
            raise DataError(
                f"Potts model: {count} states are too many to enumerate, at most {MAX_STATES} are."
            )
        return np.array(list(itertools.product(range(len(self.colours)), repeat=self.sites)))

    def probabilities(self) -> Array:
        """Return the probability of every state, in the order of `states`."""
        logs = self.log_weight(self.states())
        result: Array = np.exp(logs - logsumexp(logs))
        return result

    def sample(self, chains: int, sweeps: int = 60, seed: int = 0, progress: bool = True) -> Tokens:
        """Return the last states of independent heat-bath chains, one a row.

        Parameters
        ----------
        chains : int
            Number of chains, updated together.
        sweeps : int
            Updates of every site, from random colours.
        seed : int
        progress : bool
        """
        if chains < 1 or sweeps < 0:
            raise DataError(
                f"Potts model: expected at least one chain and no negative number of sweeps, got "
                f"{chains} and {sweeps}."
            )
        random = np.random.default_rng(seed)
        count = len(self.colours)
        tokens = random.integers(count, size=(self.sites, chains))
        # What site j says about the colours of its neighbours: one matrix product a site.
        messages = np.ascontiguousarray(self.colours.T[tokens].reshape(self.sites, -1))
        for _ in trange(sweeps, disable=bar_disabled(progress), leave=False, desc="sweeps"):
            for i in range(self.sites):
                logits = (self.couplings[i] @ messages).reshape(chains, count)
                noise = random.gumbel(size=(chains, count))
                tokens[i] = np.argmax(logits + noise, axis=1)
                messages[i] = self.colours.T[tokens[i]].ravel()
        return np.ascontiguousarray(tokens.T)

    def log_pseudo_likelihood(self, states: ArrayLike, weights: ArrayLike | None = None) -> float:
        """Return the sum of ``log P(s_i | all others)`` over sites and states.

        From the energies of whole states in which one site takes every colour.

        Parameters
        ----------
        states : array (M, n)
            Colours, ``0`` to ``C - 1``.
        weights : array (M,), optional
            Of the states; one by default.
        """
        tokens = check_tokens(states, self.sites, len(self.colours))
        share = np.ones(len(tokens)) if weights is None else np.asarray(weights, dtype=float)
        if share.shape != (len(tokens),):
            raise DataError(
                f"Potts model: {share.shape} weights of states, expected ({len(tokens)},)."
            )
        total = 0.0
        for i in range(self.sites):
            logs = np.empty((len(tokens), len(self.colours)))
            for colour in range(len(self.colours)):
                changed = tokens.copy()
                changed[:, i] = colour
                logs[:, colour] = self.log_weight(changed)
            own = np.take_along_axis(logs, tokens[:, i, None], axis=1)[:, 0]
            total += float(share @ (own - logsumexp(logs, axis=1)))
        return total


def check_tokens(states: ArrayLike, sites: int, colours: int) -> Tokens:
    """Return states as integers of shape (M, sites).

    Raises
    ------
    DataError
        If shape or colours are others.
    """
    tokens = np.asarray(states)
    if tokens.ndim != 2 or tokens.shape[1] != sites:
        raise DataError(f"tokens have the shape {tokens.shape}, expected (samples, {sites}).")
    if not np.issubdtype(tokens.dtype, np.integer):
        raise DataError(f"tokens are of the type {tokens.dtype}, expected integers.")
    if tokens.size and (tokens.min() < 0 or tokens.max() >= colours):
        raise DataError(f"tokens reach from {tokens.min()} to {tokens.max()}, expected 0 to "
                        f"{colours - 1}.")  # fmt: skip
    return tokens.astype(np.int64)
