r"""Matrix-valued vocabulary: symmetric order parameters, log-determinants, kernels built from data.

Matrix expressions are SymPy's (sums, products, inverses, traces); this module
adds what actions of covariance matrices need. Features ``Z`` are an array of shape (examples,
coordinates, paths); with them a matrix ``U`` between paths becomes a kernel between examples,

    ``KernelSum(U, Z, Y)_{mn} = sum_{pq} U_{pq} C^{pq}_{mn}``,  ``C^{pq} = Z_p Y_q^T``,

and a matrix ``M`` between examples a matrix between paths, ``KernelOverlap(M, Z, Y)_{pq} =
sum_{mn} M_{mn} C^{pq}_{mn}``; the two are adjoint to each other. Where ``U`` is larger by a factor
``D`` than the number of paths, each path has ``D`` outputs (the output runs fastest), and so has
each example.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.symbol import Str
from sympy.matrices.expressions import MatrixExpr

from replica.errors import DeclarationError


class SymmetricMatrix(sp.MatrixSymbol):
    """Symbol of a symmetric positive definite matrix, such as an order parameter."""

    def __new__(cls, name: str, size: Any) -> SymmetricMatrix:
        return sp.MatrixSymbol.__new__(cls, name, size, size)

    def __getnewargs__(self) -> tuple[str, Any]:
        return self.name, self.shape[0]

    def _eval_transpose(self) -> SymmetricMatrix:
        return self

    # SymPy rebuilds a node from its arguments.
    @property
    def func(self) -> Any:
        return lambda name, rows, _columns: SymmetricMatrix(str(name), rows)


class Features(sp.Basic):
    """Name of an array of features, of shape (examples, coordinates, paths)."""

    def __new__(cls, name: Any, examples: Any, paths: Any) -> Features:
        return super().__new__(cls, Str(str(name)), sp.sympify(examples), sp.sympify(paths))

    @property
    def name(self) -> str:
        return str(self.args[0])

    @property
    def examples(self) -> sp.Expr:
        return self.args[1]

    @property
    def paths(self) -> int:
        return int(self.args[2])

    def __str__(self) -> str:
        return self.name

    def _sympystr(self, printer: Any) -> str:
        return self.name

    def _latex(self, printer: Any) -> str:
        return str(printer._print(sp.Symbol(self.name)))


class KernelSum(MatrixExpr):
    """Kernel between the examples of ``left`` and ``right`` that a matrix between paths weights."""

    def __new__(cls, weights: MatrixExpr, left: Features, right: Features) -> MatrixExpr:
        _require_multiple(weights.shape[0], left.paths, left)
        _require_multiple(weights.shape[1], right.paths, right)
        return _linear(cls, weights, left, right)

    @property
    def shape(self) -> tuple[sp.Expr, sp.Expr]:
        weights, left, right = self.args
        rows, columns = weights.shape
        return left.examples * rows / left.paths, right.examples * columns / right.paths

    def _eval_transpose(self) -> MatrixExpr:
        weights, left, right = self.args
        return KernelSum(sp.transpose(weights), right, left)

    def _latex(self, printer: Any) -> str:
        weights, left, right = (printer._print(a) for a in self.args)
        return (
            rf"\sum_{{\pi\pi'}} \left({weights}\right)_{{\pi\pi'}} \left({left}\right)_{{\pi}} "
            rf"\left({right}\right)_{{\pi'}}^{{T}}"
        )


class KernelOverlap(MatrixExpr):
    """Matrix between paths: the overlap of a matrix between examples with each path-path kernel.

    With ``outputs`` beyond one, each example and each path have so many.
    """

    def __new__(
        cls, matrix: MatrixExpr, left: Features, right: Features, outputs: Any = 1
    ) -> MatrixExpr:
        return _linear(cls, matrix, left, right, sp.sympify(outputs))

    @property
    def shape(self) -> tuple[sp.Expr, sp.Expr]:
        _, left, right, outputs = self.args
        return left.args[2] * outputs, right.args[2] * outputs

    def _eval_transpose(self) -> MatrixExpr:
        matrix, left, right, outputs = self.args
        return KernelOverlap(sp.transpose(matrix), right, left, outputs)

    def _latex(self, printer: Any) -> str:
        matrix, left, right = (printer._print(a) for a in self.args[:3])
        if self.args[0].is_MatAdd:
            matrix = rf"\left({matrix}\right)"
        return (
            rf"\left[\operatorname{{tr}} \left({left}\right)_{{\pi}}^{{T}} {matrix} "
            rf"\left({right}\right)_{{\pi'}}\right]_{{\pi\pi'}}"
        )


class Blocks(MatrixExpr):
    """Equal blocks on the diagonal: the Kronecker product of an identity with a matrix."""

    def __new__(cls, matrix: MatrixExpr, count: Any) -> MatrixExpr:
        count = sp.sympify(count)
        if count == 1:
            return matrix
        if isinstance(matrix, sp.Identity):
            return sp.Identity(count * matrix.shape[0])
        return _linear(cls, matrix, count)

    @property
    def shape(self) -> tuple[sp.Expr, sp.Expr]:
        return tuple(self.args[1] * n for n in self.args[0].shape)

    def _eval_transpose(self) -> MatrixExpr:
        return Blocks(sp.transpose(self.args[0]), self.args[1])

    def _eval_inverse(self) -> MatrixExpr:
        return Blocks(self.args[0].inverse(), self.args[1])

    def _latex(self, printer: Any) -> str:
        matrix = printer._print(self.args[0])
        return rf"\left(\mathbb{{I}}_{{{self.args[1]}}} \otimes {matrix}\right)"


class PartialTrace(MatrixExpr):
    """Trace over the first factor, of dimension ``outer``, of a matrix on a product space."""

    def __new__(cls, matrix: MatrixExpr, outer: Any) -> MatrixExpr:
        outer = sp.sympify(outer)
        if outer == 1:
            return matrix
        if _inner(matrix, outer) is not None:
            return outer * _inner(matrix, outer)
        coefficient, factors = product_factors(matrix)
        if len(factors) > 1:
            # tr_1[(1 x A) M (1 x B)] = A tr_1[M] B
            left, right = _inner(factors[0], outer), _inner(factors[-1], outer)
            if left is not None:
                return left * PartialTrace(coefficient * sp.MatMul(*factors[1:]).doit(), outer)
            if right is not None:
                return PartialTrace(coefficient * sp.MatMul(*factors[:-1]).doit(), outer) * right
        return _linear(cls, matrix, outer)

    @property
    def shape(self) -> tuple[sp.Expr, sp.Expr]:
        return tuple(n / self.args[1] for n in self.args[0].shape)

    def _eval_transpose(self) -> MatrixExpr:
        return PartialTrace(sp.transpose(self.args[0]), self.args[1])

    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{tr}}_{{h}}\left[{printer._print(self.args[0])}\right]"


class LogDet(sp.Expr):
    """Logarithm of the determinant of a symmetric positive definite matrix."""

    def __new__(cls, matrix: MatrixExpr) -> sp.Expr:
        coefficient, factors = product_factors(matrix)
        size = matrix.shape[0]
        if coefficient != 1:
            return size * sp.log(coefficient) + LogDet(sp.MatMul(*factors).doit())
        if isinstance(matrix, sp.Identity):
            return sp.S.Zero
        if isinstance(matrix, Blocks):
            return matrix.args[1] * LogDet(matrix.args[0])
        return super().__new__(cls, matrix)

    def _eval_is_extended_real(self) -> bool:
        return True

    def _latex(self, printer: Any) -> str:
        inner = printer._print(self.args[0])
        return rf"\log\det\left({inner}\right)" if self.args[0].is_MatAdd else rf"\log\det {inner}"


class Agreement(sp.Expr):
    """Share of examples whose predicted class is that of the label.

    The class is the sign of a single output, the largest one of several. It is an observable: an
    action must not contain it, because it is not smooth.
    """

    def __new__(cls, prediction: MatrixExpr, labels: MatrixExpr, outputs: Any = 1) -> Agreement:
        return super().__new__(cls, prediction, labels, sp.sympify(outputs))

    def _eval_is_extended_real(self) -> bool:
        return True

    def _latex(self, printer: Any) -> str:
        prediction, labels = (printer._print(a) for a in self.args[:2])
        rule = r"\operatorname{sign}" if self.args[2] == 1 else r"\arg\max"
        return (
            rf"\left\langle \delta\left({rule}\left({prediction}\right),\, {rule}\left({labels}"
            r"\right)\right)\right\rangle"
        )


def _linear(cls: Any, matrix: MatrixExpr, *rest: Any) -> MatrixExpr:
    """Build a node that is linear in its first argument: sums and coefficients go outside."""
    if matrix.is_MatAdd:
        return sp.MatAdd(*(cls(term, *rest) for term in matrix.args)).doit()
    coefficient, factors = product_factors(matrix)
    if coefficient != 1:
        return coefficient * cls(sp.MatMul(*factors).doit(), *rest)
    return MatrixExpr.__new__(cls, matrix, *rest)


def product_factors(matrix: MatrixExpr) -> tuple[sp.Expr, list[MatrixExpr]]:
    """Split a product into its scalar coefficient and its matrices, powers into their factors."""
    coefficient, matrices = matrix.as_coeff_matrices() if matrix.is_MatMul else (1, [matrix])
    factors: list[MatrixExpr] = []
    for factor in matrices:
        power = isinstance(factor, sp.MatPow) and not isinstance(factor, sp.Inverse)
        if power and factor.exp.is_Integer and factor.exp > 0:
            factors += [factor.base] * int(factor.exp)
        else:
            factors.append(factor)
    return sp.sympify(coefficient), factors


def _inner(factor: MatrixExpr, outer: sp.Expr) -> MatrixExpr | None:
    """Return the block of a factor that consists of so many equal ones."""
    if isinstance(factor, sp.Identity):
        return sp.Identity(factor.shape[0] / outer)
    return factor.args[0] if isinstance(factor, Blocks) and factor.args[1] == outer else None


def _require_multiple(size: Any, paths: int, features: Features) -> None:
    if size % paths != 0:
        raise DeclarationError(
            f"a matrix of size {size} cannot weight the {paths} paths of the features "
            f"{features.name}; expected a multiple of {paths}."
        )
