"""Features of several paths, and the kernels between examples that they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular

from replica.errors import DataError
from replica.kernels.arrays import finite_array

Array = NDArray[np.float64]

#: Largest memory, in bytes, of stored path-path kernels; beyond it they are contracted anew.
STORE_LIMIT = 512 * 2**20
#: Memory that a block of directions may take at a time.
_BLOCK_LIMIT = 128 * 2**20


class PathFeatures:
    """Features of shape (examples, coordinates, paths), scaled so that kernels are plain products.

    The kernel of two paths is ``C^{pq} = Z_p Z_q^T``. All of them together are (paths x examples)^2
    numbers, which are never stored: either, where they fit into `STORE_LIMIT`, the parts symmetric
    in the examples, once for each unordered pair of paths and of examples (a quarter, which makes
    every kernel one pass over memory), or only the features.

    Parameters
    ----------
    values : array_like, shape (examples, coordinates, paths)

    Attributes
    ----------
    values : ndarray
    gram : ndarray, shape (paths, paths)
        Traces of the path-path kernels.

    Raises
    ------
    DataError
        If the array has another number of axes, no entries, or entries that are not finite.
    """

    def __init__(self, values: ArrayLike, store_limit: int = STORE_LIMIT) -> None:
        array = np.ascontiguousarray(finite_array(values, "features"))
        if array.ndim != 3 or array.size == 0:
            raise DataError(
                "features: expected an array of shape (examples, coordinates, paths), got shape "
                f"{array.shape}."
            )
        self.values = array
        self.store_limit = store_limit
        self.gram: Array = np.einsum("mip,miq->pq", array, array, optimize=True)
        self._pairs = np.tril_indices(self.paths)
        self._stored: Array | None = None

    @property
    def examples(self) -> int:
        """Number of examples."""
        return self.values.shape[0]

    @property
    def paths(self) -> int:
        """Number of paths."""
        return self.values.shape[2]

    @property
    def stored_bytes(self) -> int:
        """Memory that the stored path-path kernels take, or would take."""
        return 8 * len(self._pairs[0]) * (self.examples * (self.examples + 1) // 2)

    @property
    def memory(self) -> int:
        """Memory in bytes that the features hold, stored kernels included."""
        return self.values.nbytes + (0 if self._stored is None else self._stored.nbytes)

    @property
    def stores(self) -> bool:
        """Whether the path-path kernels are stored when they are first needed."""
        return self.stored_bytes <= self.store_limit

    def select(self, examples: Any) -> PathFeatures:
        """Return the features of some examples."""
        return PathFeatures(self.values[examples], self.store_limit)

    def kernel(self, weights: Array, other: PathFeatures | None = None) -> Array:
        """Return ``sum_pq weights_pq C^pq``, shape (..., examples, other examples).

        Parameters
        ----------
        weights : ndarray, shape (..., paths x outputs, paths x outputs)
            Symmetric; leading axes are a batch.
        other : PathFeatures, optional
            Features of the columns (default: the same).
        """
        outputs = weights.shape[-1] // self.paths
        if (other is None or other is self) and outputs == 1 and self.stores:
            return self._unpacked(self._pair_weights(weights) @ self._store())
        return _batched(weights, lambda w: self._contracted(w, other or self, outputs))

    def overlap(self, matrix: Array, other: PathFeatures | None = None, outputs: int = 1) -> Array:
        """Return the matrix between paths of the overlaps ``sum_mn matrix_mn C^pq_mn``.

        Parameters
        ----------
        matrix : ndarray, shape (..., examples x outputs, other examples x outputs)
            Symmetric where the features are the same; leading axes are a batch.
        other : PathFeatures, optional
        outputs : int
        """
        if (other is None or other is self) and outputs == 1 and self.stores:
            rows, columns = self._triangle
            packed = matrix[..., rows, columns] + matrix[..., columns, rows]
            packed[..., rows == columns] *= 0.5
            found = packed @ self._store().T
            return self._mirrored(found)
        return _batched(matrix, lambda m: self._overlapped(m, other or self, outputs))

    def kernel_times(
        self, weights: Array, vectors: Array, other: PathFeatures | None = None
    ) -> Array:
        """Return the kernel that weights make times a thin matrix, without making the kernel."""
        other = other or self
        outputs = weights.shape[-1] // self.paths
        width = vectors.shape[-1]
        along = other._projected(vectors, outputs)
        moved = np.swapaxes(along, -1, -2) @ weights[..., None, :, :].swapaxes(-1, -2)
        # along: (..., coordinates, paths x outputs, width); moved: (..., coordinates, width, ...)
        shape = moved.shape[:-2]
        moved = moved.reshape(*shape, width, self.paths, outputs)
        found = np.einsum("mip,...iwpa->...maw", self.values, moved, optimize=True)
        return found.reshape(*found.shape[:-3], self.examples * outputs, width)

    def thin_overlap(
        self, left: Array, right: Array, other: PathFeatures | None = None, outputs: int = 1
    ) -> Array:
        """Return the overlap of ``left @ right``, of small inner size, without the product."""
        first = self._projected(left, outputs)
        second = (other or self)._projected(np.swapaxes(right, -1, -2), outputs)
        return np.einsum("...ipw,...iqw->...pq", first, second, optimize=True)

    def _projected(self, vectors: Array, outputs: int) -> Array:
        """Contract the examples: shape (..., coordinates, paths x outputs, width)."""
        by_output = vectors.reshape(
            *vectors.shape[:-2], self.examples, outputs, vectors.shape[-1]
        )  # fmt: skip
        found = np.einsum("mip,...maw->...ipaw", self.values, by_output, optimize=True)
        return found.reshape(*found.shape[:-3], self.paths * outputs, vectors.shape[-1])

    def pair_products(self, factor: Array) -> Array:
        """Return ``tr(A C^pq A C^rs)`` of the symmetric kernels, for pairs of paths.

        Parameters
        ----------
        factor : ndarray, shape (examples, examples)
            Lower triangular ``F`` with ``A = (F F^T)^{-1}``.

        Notes
        -----
        The memory is bounded whatever the number of paths: rows of examples in blocks.
        """
        flat = solve_triangular(factor, self.values.reshape(self.examples, -1), lower=True)
        by_path = np.moveaxis(flat.reshape(self.values.shape), 2, 0)
        first, second = self._pairs
        result = np.zeros((len(first), len(first)))
        rows = max(1, _BLOCK_LIMIT // (8 * len(first) * self.examples))
        for start in range(0, self.examples, rows):
            stop = min(start + rows, self.examples)
            block = np.empty((len(first), stop - start, stop))
            left, right = by_path[:, start:stop], np.ascontiguousarray(by_path[:, :stop])
            for line, p, q in zip(block, first, second, strict=True):
                np.matmul(left[p], right[q].T, out=line)
                if p != q:
                    line += left[q] @ right[p].T
                    line *= 0.5
            block[:, :, :start] *= np.sqrt(2)  # stands for its mirror image, too
            lines = block.reshape(len(first), -1)
            result += lines @ lines.T
        return result

    def combined(self, weights: Array, products: Array) -> Array:
        """Return the matrix between paths from weights of pairs and `pair_products`."""
        return self._mirrored(self._pair_weights(weights) @ products)

    def _mirrored(self, pairs: Array) -> Array:
        """Return symmetric matrices between paths from their pairs."""
        rows, columns = self._pairs
        result = np.empty((*pairs.shape[:-1], self.paths, self.paths))
        result[..., rows, columns] = pairs
        result[..., columns, rows] = pairs
        return result

    def _contracted(self, weights: Array, other: PathFeatures, outputs: int) -> Array:
        if outputs == 1:
            left = (self.values @ weights).reshape(self.examples, -1)
            return left @ other.values.reshape(other.examples, -1).T
        by_output = weights.reshape(self.paths, outputs, other.paths, outputs)
        blocks = np.empty((self.examples, outputs, other.examples, outputs))
        right = other.values.reshape(other.examples, -1).T
        for a in range(outputs):
            for b in range(outputs):
                left = (self.values @ by_output[:, a, :, b]).reshape(self.examples, -1)
                blocks[:, a, :, b] = left @ right
        return blocks.reshape(self.examples * outputs, other.examples * outputs)

    def _overlapped(self, matrix: Array, other: PathFeatures, outputs: int) -> Array:
        blocks = matrix.reshape(self.examples, outputs, other.examples, outputs)
        right = other.values.reshape(other.examples, -1)
        left = self.values.reshape(-1, self.paths)
        result = np.empty((self.paths, outputs, other.paths, outputs))
        for a in range(outputs):
            for b in range(outputs):
                moved = (blocks[:, a, :, b] @ right).reshape(-1, other.paths)
                result[:, a, :, b] = left.T @ moved
        return result.reshape(self.paths * outputs, other.paths * outputs)

    @property
    def _triangle(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return np.tril_indices(self.examples)

    def _store(self) -> Array:
        """Return the stored kernels, shape (pairs of paths, pairs of examples)."""
        if self._stored is None:
            rows, columns = self._triangle
            stored = np.empty((len(self._pairs[0]), len(rows)))
            by_path = np.ascontiguousarray(np.moveaxis(self.values, 2, 0))
            for line, p, q in zip(stored, *self._pairs, strict=True):
                product = by_path[p] @ by_path[q].T
                line[:] = 0.5 * (product[rows, columns] + product[columns, rows])
            self._stored = stored
        return self._stored

    def _pair_weights(self, weights: Array) -> Array:
        rows, columns = self._pairs
        pairs = weights[..., rows, columns] + weights[..., columns, rows]
        pairs[..., rows == columns] *= 0.5
        return pairs

    def _unpacked(self, packed: Array) -> Array:
        rows, columns = self._triangle
        result = np.empty((*packed.shape[:-1], self.examples, self.examples))
        result[..., rows, columns] = packed
        result[..., columns, rows] = packed
        return result

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_stored": None}


def directions_at_once(size: int) -> int:
    """Return how many matrices of so many rows a block of directions may have."""
    return max(1, _BLOCK_LIMIT // (8 * size * size))


def _batched(matrices: Array, function: Callable[[Array], Array]) -> Array:
    """Apply a function of a matrix along the leading axes."""
    if matrices.ndim == 2:
        return function(matrices)
    flat = matrices.reshape(-1, *matrices.shape[-2:])
    found = np.stack([function(m) for m in flat])
    return found.reshape(*matrices.shape[:-2], *found.shape[-2:])
