"""Log-Cholesky coordinates: positive definite matrices and positive numbers without constraints.

A matrix is ``U = C C^T`` with a lower triangular ``C``; its coordinates are the logarithms of the
diagonal of ``C`` and the entries below it, row by row. A positive number is its logarithm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.calculus.matrices import SymmetricMatrix
from replica.errors import ParameterError

Array = NDArray[np.float64]


class Coordinates:
    """Coordinates of all order parameters, in their order.

    Attributes
    ----------
    size : int
        Number of coordinates, which is that of the distinct entries.
    names : tuple of str
        Names of the entries: ``U_a``, or ``U_1[1,2]`` with a row not beyond the column.
    parts : list
        Each symbol, the size of its matrix (zero for a number) and the slice of its coordinates.
    """

    def __init__(self, symbols: Sequence[Any]) -> None:
        self.symbols = tuple(symbols)
        self.parts: list[tuple[Any, int, slice]] = []
        names: list[str] = []
        start = 0
        for symbol in symbols:
            matrix = isinstance(symbol, SymmetricMatrix)
            size = int(symbol.shape[0]) if matrix else 0
            count = size * (size + 1) // 2 if matrix else 1
            self.parts.append((symbol, size, slice(start, start + count)))
            rows, columns = np.triu_indices(size)
            entries = [f"{symbol}[{i + 1},{j + 1}]" for i, j in zip(rows, columns, strict=True)]
            names += entries if matrix else [str(symbol)]
            start += count
        self.size, self.names = start, tuple(names)

    def factors(self, theta: Array) -> dict[Any, Any]:
        """Return the triangular factor of each matrix, and each number."""
        found: dict[Any, Any] = {}
        for symbol, size, part in self.parts:
            if size:
                factor = np.zeros((size, size))
                factor[np.tril_indices(size)] = theta[part]
                np.fill_diagonal(factor, np.exp(np.diagonal(factor)))
                found[symbol] = factor
            else:
                found[symbol] = float(np.exp(theta[part][0]))
        return found

    def values(self, theta: Array) -> dict[Any, Any]:
        """Return the order parameters."""
        return {
            symbol: factor @ factor.T if np.ndim(factor) else factor
            for symbol, factor in self.factors(theta).items()
        }

    def entries(self, theta: Array) -> Array:
        """Return the distinct entries of the order parameters."""
        values = self.values(theta)
        return np.concatenate(
            [
                values[symbol][np.triu_indices(size)] if size else [values[symbol]]
                for symbol, size, _ in self.parts
            ]
        )

    def from_entries(self, entries: Array) -> Array:
        """Return the coordinates of order parameters that are given by their entries.

        Raises
        ------
        ParameterError
            If a matrix is not positive definite, or a number not positive.
        """
        theta = np.empty(self.size)
        for symbol, size, part in self.parts:
            if not size:
                if not entries[part][0] > 0:
                    raise ParameterError(f"start value of {symbol}: expected a positive number.")
                theta[part] = np.log(entries[part])
                continue
            matrix = np.zeros((size, size))
            matrix[np.triu_indices(size)] = entries[part]
            try:
                factor = np.linalg.cholesky(np.triu(matrix).T + np.triu(matrix, 1))
            except np.linalg.LinAlgError:
                raise ParameterError(
                    f"start value of {symbol}: expected a positive definite matrix."
                ) from None
            np.fill_diagonal(factor, np.log(np.diagonal(factor)))
            theta[part] = factor[np.tril_indices(size)]
        return theta

    def scales(self, theta: Array) -> Array:
        """Return the natural size of each entry: ``sqrt(U_ii U_jj)``, which no entry exceeds."""
        scales = []
        for value in self.values(theta).values():
            if np.ndim(value):
                root = np.sqrt(np.diagonal(value))
                scales.append(np.outer(root, root)[np.triu_indices(len(root))])
            else:
                scales.append(np.array([value]))
        return np.concatenate(scales)

    def directions(self, theta: Array, first: int, last: int) -> dict[Any, Array]:
        """Return the changes of the order parameters along some coordinates.

        Returns
        -------
        dict
            Arrays of shape (last - first, size, size), or (last - first,) for a number.
        """
        found = {}
        for symbol, changes in self._factor_directions(theta, first, last).items():
            if changes.ndim == 1:
                found[symbol] = changes
            else:
                half = changes @ self.factors(theta)[symbol].T
                found[symbol] = half + np.swapaxes(half, -1, -2)
        return found

    def _factor_directions(self, theta: Array, first: int, last: int) -> dict[Any, Array]:
        found = {}
        for symbol, size, part in self.parts:
            factor = self.factors(theta)[symbol]
            chosen = range(max(first, part.start), min(last, part.stop))
            if not size:
                changes = np.zeros(last - first)
                for k in chosen:
                    changes[k - first] = factor
            else:
                changes = np.zeros((last - first, size, size))
                rows, columns = np.tril_indices(size)
                for k in chosen:
                    i, j = rows[k - part.start], columns[k - part.start]
                    changes[k - first, i, j] = factor[i, i] if i == j else 1.0
            found[symbol] = changes
        return found

    def jacobian(self, theta: Array) -> Array:
        """Return the derivatives of the entries (rows) in the coordinates (columns)."""
        changes = self.directions(theta, 0, self.size)
        columns = [
            changes[symbol][:, *np.triu_indices(size)] if size else changes[symbol][:, None]
            for symbol, size, _ in self.parts
        ]
        return np.concatenate(columns, axis=1).T

    def gradient(self, theta: Array, gradients: Mapping[Any, Any]) -> Array:
        """Return the gradient in the coordinates from those in the order parameters."""
        factors = self.factors(theta)
        result = np.empty(self.size)
        for symbol, size, part in self.parts:
            if size:
                slope = 2 * gradients[symbol] @ factors[symbol]
                slope[np.diag_indices(size)] *= np.diagonal(factors[symbol])
                result[part] = slope[np.tril_indices(size)]
            else:
                result[part] = gradients[symbol] * factors[symbol]
        return result

    def curvature(
        self, theta: Array, gradients: Mapping[Any, Any], changes: Mapping[Any, Any], first: int,
        last: int,
    ) -> Array:  # fmt: skip
        """Return rows of the Hessian in the coordinates.

        Parameters
        ----------
        gradients : mapping
            In the order parameters.
        changes : mapping
            Changes of these gradients along coordinates ``first`` to ``last``.
        """
        factors = self.factors(theta)
        moved = self._factor_directions(theta, first, last)
        count = last - first
        rows = np.zeros((count, self.size))
        for symbol, size, part in self.parts:
            factor, gradient = factors[symbol], gradients[symbol]
            if not size:
                line = changes[symbol] * factor + gradient * moved[symbol]
                rows[:, part] = np.broadcast_to(line, (count,))[:, None]
                continue
            slope = 2 * (changes[symbol] @ factor + gradient @ moved[symbol])
            slope = np.array(np.broadcast_to(slope, (count, size, size)))
            diagonal = np.diagonal(factor)
            logarithmic = np.diagonal(moved[symbol], axis1=-2, axis2=-1)
            at = np.arange(size)
            slope[:, at, at] *= diagonal
            slope[:, at, at] += 2 * np.diagonal(gradient @ factor) * logarithmic
            rows[:, part] = slope[:, *np.tril_indices(size)]
        return rows
