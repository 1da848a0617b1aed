"""Matrix expressions as a list of dense linear algebra, each sub-expression computed once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica.calculus.matrices import (
    Agreement,
    Blocks,
    KernelOverlap,
    KernelSum,
    LogDet,
    PartialTrace,
    product_factors,
)
from replica.compile.action import operations
from replica.errors import DerivationError
from replica.kernels.features import PathFeatures

Array = NDArray[np.float64]
#: Up to this inner size a product is not multiplied out.
_THIN = 2
_FUNCTIONS: dict[Any, Callable[[Any], Any]] = {sp.log: np.log, sp.exp: np.exp, sp.sqrt: np.sqrt}


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
    directions : sequence of Symbol, optional
        Inputs of which many are evaluated at the same values of the others.
    """

    def __init__(
        self, outputs: Sequence[Any], sizes: Mapping[Any, int],
        features: Mapping[str, PathFeatures], directions: Sequence[Any] = (),
    ) -> None:  # fmt: skip
        self._directions = set(directions)
        self._varies: list[bool] = []
        self._sizes, self._features = dict(sizes), dict(features)
        self._steps: list[tuple[Callable[..., Any], tuple[int, ...]]] = []
        self._places: dict[Any, int] = {}
        self._inputs: dict[int, Any] = {}
        self._results = [self._place(output) for output in outputs]

    def __call__(
        self,
        inputs: Mapping[Any, Any],
        noise: np.random.Generator | None = None,
        known: dict[int, Any] | None = None,
    ) -> list[Any]:
        """Evaluate all outputs.

        Parameters
        ----------
        inputs : mapping
            Values of the symbols.
        noise : Generator, optional
            Disturb every matrix that is factorised by its rounding error.
        known : dict, optional
            Keeps what does not depend on the directions, for other directions; empty at first.

        Raises
        ------
        NotPositiveError
        """
        values: list[Any] = []
        for place, (function, arguments) in enumerate(self._steps):
            if known is not None and place in known:
                values.append(known[place])
                continue
            if place in self._inputs:
                value = inputs[self._inputs[place]]
            elif function is operations.factor:
                value = operations.factor(values[arguments[0]], noise)
            else:
                value = function(*(values[a] for a in arguments))
            values.append(value)
            if known is not None and not self._varies[place]:
                known[place] = value
        return [values[place] for place in self._results]

    def _step(self, key: Any, function: Callable[..., Any], *arguments: int) -> int:
        if key is not None and key in self._places:
            return self._places[key]
        self._steps.append((function, arguments))
        self._varies.append(any(self._varies[a] for a in arguments))
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
        place = self._step(symbol, operations.nothing)
        self._inputs[place] = symbol
        self._varies[place] = symbol in self._directions
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
            return self._step(expression, operations.log_det, self._cholesky(expression.args[0]))
        if isinstance(expression, Agreement):
            prediction, labels, outputs = expression.args
            count = int(outputs)
            places = (self._place(prediction), self._place(labels))
            return self._step(expression, lambda a, b: operations.agreement(a, b, count), *places)
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
        if matrix.is_MatMul or len(product_factors(matrix)[1]) > 1:
            coefficient, factors = product_factors(matrix)
            scale = self._place(coefficient)
            if len(factors) == 1:
                return self._step(
                    None, lambda c, t: c * t, scale, self._place(sp.Trace(factors[0]))
                )
            left = self._chain(factors[:-1])
            return self._step(None, operations.product_trace, scale, left, self._place(factors[-1]))
        if matrix.is_MatAdd:
            terms = [self._place(sp.Trace(term)) for term in matrix.args]
            return self._step(None, lambda *values: sum(values[1:], values[0]), *terms)
        if isinstance(matrix, KernelSum) and matrix.args[1] == matrix.args[2]:
            gram = self._features[matrix.args[1].name].gram
            return self._step(
                None,
                lambda weights: operations.kernel_trace(weights, gram),
                self._place(matrix.args[0]),
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
        if matrix.is_MatMul or len(product_factors(matrix)[1]) > 1:
            coefficient, factors = product_factors(matrix)
            product = self._chain(factors)
            if coefficient == 1:
                return product
            return self._step(matrix, operations.scaled, self._place(coefficient), product)
        if isinstance(matrix, sp.Transpose):
            return self._step(matrix, operations.transposed, self._place(matrix.args[0]))
        if isinstance(matrix, sp.Inverse):
            return self._step(matrix, operations.inverse, self._cholesky(matrix.args[0]))
        if isinstance(matrix, KernelOverlap):
            return self._overlap(matrix)
        inner = self._place(matrix.args[0])
        if isinstance(matrix, Blocks):
            count = int(matrix.args[1])
            return self._step(matrix, lambda m: operations.blocks(m, count), inner)
        if isinstance(matrix, PartialTrace):
            outer = int(matrix.args[1])
            return self._step(matrix, lambda m: operations.partial_trace(m, outer), inner)
        if isinstance(matrix, KernelSum):
            left, right = self._features_of(matrix)
            return self._step(matrix, lambda m: left.kernel(m, right), inner)
        raise DerivationError(f"actions of matrices cannot contain {type(matrix).__name__}.")

    def _features_of(self, matrix: Any) -> tuple[PathFeatures, PathFeatures]:
        left, right = (self._features[f.name] for f in matrix.args[1:3])
        return left, right

    def _overlap(self, matrix: Any) -> int:
        """Overlap with path-path kernels; products are not multiplied out where they are thin.

        Nor where an inverse is on both sides of a kernel: ``tr C^{pq} A K(V) A`` is linear in V,
        and its coefficients are computed once for all directions.
        """
        inner, first, second, outputs = matrix.args
        left, right = self._features_of(matrix)
        count = int(outputs)
        _, factors = product_factors(inner)  # coefficients stand outside of the node
        sizes = [self._size(f.shape[1]) for f in factors[:-1]]
        if sizes and min(sizes) <= _THIN < left.examples:
            cut = 1 + int(np.argmin(sizes))
            places = (self._chain(factors[:cut]), self._chain(factors[cut:]))
            return self._step(
                matrix, lambda a, b: left.thin_overlap(a, b, right, count), *places
            )  # fmt: skip
        if (
            len(factors) == 3
            and isinstance(factors[0], sp.Inverse)
            and factors[0] == factors[2]
            and isinstance(factors[1], KernelSum)
            and first == second == factors[1].args[1] == factors[1].args[2]
            and count == 1
        ):
            factor = self._cholesky(factors[0].args[0])
            products = self._step(("pairs", factor, first), left.pair_products, factor)
            weights = self._place(factors[1].args[0])
            return self._step(matrix, left.combined, weights, products)
        return self._step(
            matrix, lambda m: left.overlap(m, right, count), self._place(inner)
        )  # fmt: skip

    def _cholesky(self, matrix: Any) -> int:
        return self._step(("factor", matrix), operations.factor, self._place(matrix))

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
            thin = sizes[j + 1] <= _THIN < sizes[i]
            if k == i and thin and isinstance(factors[i], KernelSum):
                left, right = self._features_of(factors[i])
                weights = self._place(factors[i].args[0])
                return self._step(
                    key, lambda w, v: left.kernel_times(w, v, right), weights, place(k + 1, j)
                )  # fmt: skip
            thin = sizes[i] <= _THIN < sizes[j + 1]
            if k + 1 == j and thin and isinstance(factors[j], KernelSum):
                left, right = self._features_of(factors[j])
                weights = self._place(factors[j].args[0])
                return self._step(
                    key,
                    lambda v, w: operations.transposed(
                        right.kernel_times(operations.transposed(w), operations.transposed(v), left)
                    ),
                    place(i, k), weights,
                )  # fmt: skip
            return self._step(key, np.matmul, place(i, k), place(k + 1, j))

        return place(0, len(factors) - 1)
