"""Matrix expressions as a list of dense linear algebra, each sub-expression computed once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri

from replica.calculus.matrices import (
    Agreement,
    Blocks,
    KernelOverlap,
    KernelSum,
    LogDet,
    PartialTrace,
)
from replica.errors import DerivationError
from replica.kernels.features import PathFeatures

Array = NDArray[np.float64]
_FUNCTIONS: dict[Any, Callable[[Any], Any]] = {sp.log: np.log, sp.exp: np.exp, sp.sqrt: np.sqrt}


class NotPositiveError(ArithmeticError):
    """A matrix that the action inverts is not positive definite here; it is named."""

    def __init__(self, matrix: Any) -> None:
        super().__init__(str(matrix))
        self.matrix = matrix


class MatrixProgram:
    """Evaluate scalar and matrix expressions.

    Scalars are numbers or arrays of shape (directions,), matrices of shape (rows, columns) or
    (directions, rows, columns): expressions that are linear in directions take many at once. Only
    symmetric positive definite matrices are inverted, and none that depends on a direction.

    Parameters
    ----------
    outputs : sequence of Expr or MatrixExpr
    sizes : mapping
        Numbers for the symbols in the shapes.
    features : mapping
        `PathFeatures` by name.
    """

    def __init__(
        self, outputs: Sequence[Any], sizes: Mapping[Any, int], features: Mapping[str, PathFeatures]
    ) -> None:
        self._sizes, self._features = dict(sizes), dict(features)
        self._steps: list[tuple[Callable[..., Any], tuple[int, ...]]] = []
        self._places: dict[Any, int] = {}
        self._inputs: dict[int, Any] = {}
        self._results = [self._place(output) for output in outputs]

    def __call__(
        self, inputs: Mapping[Any, Any], noise: np.random.Generator | None = None
    ) -> list[Any]:
        """Evaluate all outputs.

        Parameters
        ----------
        inputs : mapping
            Values of the symbols.
        noise : Generator, optional
            Disturb every matrix that is factorised by its rounding error.

        Raises
        ------
        NotPositiveError
        """
        values: list[Any] = []
        for place, (function, arguments) in enumerate(self._steps):
            if place in self._inputs:
                values.append(inputs[self._inputs[place]])
            elif function is _factor:
                values.append(_factor(*(values[a] for a in arguments), noise, self._steps[place]))
            else:
                values.append(function(*(values[a] for a in arguments)))
        return [values[place] for place in self._results]

    def _step(self, key: Any, function: Callable[..., Any], *arguments: int) -> int:
        if key is not None and key in self._places:
            return self._places[key]
        self._steps.append((function, arguments))
        place = len(self._steps) - 1
        if key is not None:
            self._places[key] = place
        return place

    def _place(self, expression: Any) -> int:
        expression = sp.sympify(expression)
        if expression in self._places:
            return self._places[expression]
        matrix = bool(getattr(expression, "is_Matrix", False))
        place = self._matrix(expression) if matrix else self._scalar(expression)
        self._places[expression] = place
        return place

    def _input(self, symbol: Any) -> int:
        place = self._step(symbol, _nothing)
        self._inputs[place] = symbol
        return place

    def _constant(self, value: Any) -> int:
        return self._step(None, lambda: value)

    def _size(self, n: Any) -> int:
        return int(sp.sympify(n).subs(self._sizes))

    # Scalars

    def _scalar(self, expression: sp.Expr) -> int:
        if expression.is_number:
            return self._constant(float(expression))
        if expression in self._sizes:
            return self._constant(float(self._sizes[expression]))
        if expression.is_Symbol:
            return self._input(expression)
        if isinstance(expression, sp.Trace):
            return self._trace(expression.args[0])
        if isinstance(expression, LogDet):
            return self._step(expression, _log_det, self._cholesky(expression.args[0]))
        if isinstance(expression, Agreement):
            prediction, labels, outputs = expression.args
            count = int(outputs)
            places = (self._place(prediction), self._place(labels))
            return self._step(expression, lambda a, b: _agreement(a, b, count), *places)
        arguments = [self._place(a) for a in expression.args]
        if expression.is_Add:
            return self._step(expression, lambda *terms: sum(terms[1:], terms[0]), *arguments)
        if expression.is_Mul:
            return self._step(expression, lambda *factors: math.prod(factors), *arguments)
        if expression.is_Pow:
            return self._step(expression, lambda a, b: a**b, *arguments)
        if expression.func in _FUNCTIONS:
            return self._step(expression, _FUNCTIONS[expression.func], *arguments)
        raise DerivationError(f"actions of matrices cannot contain {expression.func.__name__}.")

    def _trace(self, matrix: Any) -> int:
        if matrix.is_MatMul:
            coefficient, factors = matrix.as_coeff_matrices()
            scale = self._place(coefficient)
            if len(factors) == 1:
                return self._step(
                    None, lambda c, t: c * t, scale, self._place(sp.Trace(factors[0]))
                )
            left = self._chain(factors[:-1])
            return self._step(None, _product_trace, scale, left, self._place(factors[-1]))
        if matrix.is_MatAdd:
            terms = [self._place(sp.Trace(term)) for term in matrix.args]
            return self._step(None, lambda *values: sum(values[1:], values[0]), *terms)
        if isinstance(matrix, KernelSum) and matrix.args[1] == matrix.args[2]:
            gram = self._features[matrix.args[1].name].gram
            return self._step(
                None, lambda weights: _kernel_trace(weights, gram), self._place(matrix.args[0])
            )
        return self._step(None, lambda m: np.einsum("...ii->...", m), self._place(matrix))

    # Matrices

    def _matrix(self, matrix: Any) -> int:
        if isinstance(matrix, sp.MatrixSymbol):
            return self._input(matrix)
        if isinstance(matrix, sp.Identity):
            return self._constant(np.eye(self._size(matrix.shape[0])))
        if isinstance(matrix, sp.ZeroMatrix):
            return self._constant(np.zeros([self._size(n) for n in matrix.shape]))
        if matrix.is_MatAdd:
            terms = [self._place(term) for term in matrix.args]
            return self._step(matrix, lambda *values: sum(values[1:], values[0]), *terms)
        if matrix.is_MatMul:
            coefficient, factors = matrix.as_coeff_matrices()
            product = self._chain(factors)
            if coefficient == 1:
                return product
            return self._step(matrix, _scaled, self._place(coefficient), product)
        if isinstance(matrix, sp.Transpose):
            return self._step(matrix, _transposed, self._place(matrix.args[0]))
        if isinstance(matrix, sp.Inverse):
            return self._step(matrix, _inverse, self._cholesky(matrix.args[0]))
        inner = self._place(matrix.args[0])
        if isinstance(matrix, Blocks):
            count = int(matrix.args[1])
            return self._step(matrix, lambda m: _blocks(m, count), inner)
        if isinstance(matrix, PartialTrace):
            outer = int(matrix.args[1])
            return self._step(matrix, lambda m: _partial_trace(m, outer), inner)
        if isinstance(matrix, (KernelSum, KernelOverlap)):
            left, right = (self._features[f.name] for f in matrix.args[1:3])
            if isinstance(matrix, KernelSum):
                return self._step(matrix, lambda m: left.kernel(m, right), inner)
            outputs = int(matrix.args[3])
            return self._step(matrix, lambda m: left.overlap(m, right, outputs), inner)
        raise DerivationError(f"actions of matrices cannot contain {type(matrix).__name__}.")

    def _cholesky(self, matrix: Any) -> int:
        return self._step(("factor", matrix), _factor, self._place(matrix))

    def _chain(self, factors: Sequence[Any]) -> int:
        """Multiply matrices in the order that needs the fewest operations."""
        sizes = [self._size(f.shape[0]) for f in factors] + [self._size(factors[-1].shape[1])]
        best: dict[tuple[int, int], tuple[float, int]] = {}
        for span in range(1, len(factors)):
            for i in range(len(factors) - span):
                j = i + span
                best[i, j] = min(
                    (
                        (best[i, k][0] if k > i else 0.0)
                        + (best[k + 1, j][0] if j > k + 1 else 0.0)
                        + float(sizes[i]) * sizes[k + 1] * sizes[j + 1],
                        k,
                    )
                    for k in range(i, j)
                )

        def place(i: int, j: int) -> int:
            if i == j:
                return self._place(factors[i])
            k = best[i, j][1]
            key = ("product", *factors[i : j + 1])
            return self._step(key, np.matmul, place(i, k), place(k + 1, j))

        return place(0, len(factors) - 1)


def _nothing() -> None:
    return None


def _factor(matrix: Array, noise: np.random.Generator | None = None, step: Any = None) -> Array:
    if noise is not None:
        scale = np.finfo(float).eps * np.abs(matrix).max()
        disturbance = noise.standard_normal(matrix.shape) * scale
        matrix = matrix + (disturbance + disturbance.T) / 2
    factor, info = dpotrf(matrix.T, lower=1, clean=1)
    if info != 0 or not np.isfinite(factor).all():
        raise NotPositiveError(f"a matrix of size {len(matrix)}")
    return factor


def _inverse(factor: Array) -> Array:
    inverse, info = dpotri(factor, lower=1)
    if info != 0:
        raise NotPositiveError(f"a matrix of size {len(factor)}")
    lower = np.tril(inverse)
    return lower + np.tril(inverse, -1).T


def _log_det(factor: Array) -> float:
    return float(2 * np.log(np.diagonal(factor)).sum())


def _scaled(scale: Any, matrix: Array) -> Array:
    return np.asarray(scale)[..., None, None] * matrix


def _transposed(matrix: Array) -> Array:
    return np.swapaxes(matrix, -1, -2)


def _product_trace(scale: Any, left: Array, right: Array) -> Any:
    return scale * np.einsum("...ij,...ji->...", left, right)


def _kernel_trace(weights: Array, gram: Array) -> Any:
    outputs = weights.shape[-1] // len(gram)
    return np.einsum("...pq,pq->...", _partial_trace_inner(weights, outputs), gram)


def _partial_trace_inner(matrix: Array, outputs: int) -> Array:
    size = matrix.shape[-1] // outputs
    by_output = matrix.reshape(*matrix.shape[:-2], size, outputs, size, outputs)
    return np.einsum("...paqa->...pq", by_output)


def _partial_trace(matrix: Array, outer: int) -> Array:
    size = matrix.shape[-1] // outer
    by_block = matrix.reshape(*matrix.shape[:-2], outer, size, outer, size)
    return np.einsum("...aiaj->...ij", by_block)


def _blocks(matrix: Array, count: int) -> Array:
    rows, columns = matrix.shape[-2:]
    result = np.zeros((*matrix.shape[:-2], count, rows, count, columns))
    for i in range(count):
        result[..., i, :, i, :] = matrix
    return result.reshape(*matrix.shape[:-2], count * rows, count * columns)


def _agreement(prediction: Array, labels: Array, outputs: int) -> float:
    if outputs == 1:
        return float(np.mean(np.sign(prediction) == np.sign(labels)))
    classes = (a.reshape(-1, outputs).argmax(axis=1) for a in (prediction, labels))
    return float(np.mean(np.equal(*classes)))
