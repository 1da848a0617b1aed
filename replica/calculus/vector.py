"""Averages over Gaussian vectors and Moreau envelopes of functions of several variables.

An envelope carries the indices of the derivatives that were taken of it, so that its gradient and
Hessian need no subtraction: ``prox - x = -S grad M`` and ``d prox/dx = 1 - S Hessian M``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import sympy as sp

from replica.calculus.nodes import Average
from replica.errors import DerivationError

#: Mean, as a column, and covariance of a Gaussian vector.
VectorLaw: TypeAlias = tuple[sp.ImmutableMatrix, sp.ImmutableMatrix]


class VectorAverage(Average):
    """Average of ``integrand`` over ``variables ~ Normal(mean, covariance)``.

    Arguments
    ---------
    integrand : Expr, variables : Tuple of Symbol, mean : Tuple, covariance : ImmutableMatrix
    """

    def __new__(cls, integrand: Any, variables: Any, mean: Any, covariance: Any) -> Any:
        return sp.Expr.__new__(
            cls,
            sp.sympify(integrand),
            sp.Tuple(*variables),
            sp.Tuple(*mean),
            sp.ImmutableMatrix(covariance),
        )

    @property
    def variables(self) -> tuple[sp.Symbol, ...]:
        """The integration variables."""
        return tuple(self.args[1])

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        inner = self.args[0].free_symbols - set(self.args[1])
        return inner | self.args[2].free_symbols | self.args[3].free_symbols

    @property
    def bound_symbols(self) -> list[sp.Symbol]:
        return list(self.args[1])

    def over(self, integrand: Any) -> VectorAverage:
        """Return the average of another integrand over the same law."""
        return VectorAverage(integrand, *self.args[1:])

    def _eval_subs(self, old: sp.Basic, new: sp.Basic) -> sp.Basic | None:
        if old in self.args[1]:
            return VectorAverage(
                self.args[0], self.args[1], *(a._subs(old, new) for a in self.args[2:])
            )
        integrand, mean, covariance = (self.args[i]._subs(old, new) for i in (0, 2, 3))
        return VectorAverage(integrand, self.args[1], mean, covariance)

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        integrand, variables, mean, covariance = self.args
        total = integrand.diff(s) if s not in variables else sp.S.Zero
        for i, x in enumerate(variables):
            total += mean[i].diff(s) * integrand.diff(x)
            for j, other in enumerate(variables):
                change = covariance[i, j].diff(s)
                if change != 0:
                    total += change * integrand.diff(x).diff(other) / 2
        return self.over(total) if total != 0 else sp.S.Zero

    @property
    def law(self) -> VectorLaw:
        """Mean, as a column, and covariance."""
        return sp.ImmutableMatrix(list(self.args[2])), self.args[3]

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        p = printer._print
        variables = ", ".join(map(p, self.variables))
        variables = f"({variables})" if len(self.variables) > 1 else variables
        mean, covariance = getattr(printer, "laws", {}).get(self.law, ("", ""))
        mean = mean or _entries(p, self.args[2])
        covariance = covariance or _matrix(p, self.args[3])
        law = rf"\mathcal{{N}}\left({mean},\,{covariance}\right)"
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\mathbb{{E}}_{{{variables}\sim{law}}}\left[{p(self.args[0])}\right]{power}"

    def _sympystr(self, printer: Any) -> str:
        p = printer._print
        names = ", ".join(map(p, self.variables))
        return f"E[{p(self.args[0])}; ({names}) ~ N({p(self.args[2])}, {p(self.args[3].tolist())})]"


def common_factor(matrix: sp.Matrix) -> tuple[sp.Expr, sp.Matrix]:
    """Write a matrix as a symbolic scale times a matrix of numbers, where it is one."""
    return _common_factor(sp.ImmutableMatrix(matrix))


@lru_cache(maxsize=64)
def _common_factor(matrix: sp.ImmutableMatrix) -> tuple[sp.Expr, sp.ImmutableMatrix]:
    first = matrix[0, 0]
    if _ratios_move(matrix):
        return sp.S.One, matrix
    ratio = matrix.applyfunc(lambda e: sp.cancel(e / first))
    if not ratio.free_symbols:
        number, symbolic = first.as_independent(*first.free_symbols, as_Add=False)
        return symbolic, number * ratio
    return sp.S.One, matrix


def _ratios_move(matrix: sp.ImmutableMatrix) -> bool:
    """Whether ratios of entries differ between two points: cheaper to see than to cancel."""
    symbols = sorted(matrix.free_symbols, key=str)
    if not symbols or matrix.atoms(Average):
        return False
    evaluate = sp.lambdify(symbols, list(matrix), modules="mpmath", cse=True)
    found = []
    for step in (3, 5):
        values = evaluate(*(1 + (step * i % 7) / (8 + i) for i in range(len(symbols))))
        if not values[0]:
            return False
        found.append([value / values[0] for value in values])
    return any(abs(a - b) > 1e-9 * (1 + abs(a)) for a, b in zip(*found, strict=True))


def _entries(p: Any, mean: sp.Tuple) -> str:
    if all(m == 0 for m in mean):
        return "0"
    inner = ", ".join(map(p, mean))
    return rf"\left({inner}\right)" if len(mean) > 1 else inner


def _matrix(p: Any, matrix: sp.Matrix) -> str:
    if matrix.shape == (1, 1):
        return str(p(matrix[0, 0]))
    scale, pattern = common_factor(matrix)
    if pattern == sp.eye(pattern.shape[0]):
        return (_times(p, scale) or r"\,") + r"\mathbf{1}"
    return _times(p, scale) + str(p(pattern))


def _times(p: Any, scale: sp.Expr) -> str:
    if scale == 1:
        return ""
    return rf"\left({p(scale)}\right)" if scale.is_Add else p(scale) + r"\,"


class _EnvelopeNode(sp.Expr):
    """Nodes on ``min_v (v - x)^T S^-1 (v - x)/2 + function(v)`` with bound variables ``v``.

    Arguments
    ---------
    function : Expr, variables : Tuple, points : Tuple, spread : ImmutableMatrix, indices : Tuple
    """

    def __new__(
        cls, function: Any, variables: Any, points: Any, spread: Any, indices: Sequence[int] = ()
    ) -> Any:
        return super().__new__(
            cls,
            sp.sympify(function),
            sp.Tuple(*variables),
            sp.Tuple(*points),
            sp.ImmutableMatrix(spread),
            sp.Tuple(*indices),
        )

    @property
    def problem(self) -> tuple[sp.Basic, ...]:
        """Function, variables, points and spread."""
        return self.args[:4]

    @property
    def indices(self) -> tuple[int, ...]:
        """Components or derivatives that the node stands for."""
        return tuple(int(i) for i in self.args[4])

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        inner = self.args[0].free_symbols - set(self.args[1])
        return inner | self.args[2].free_symbols | self.args[3].free_symbols

    def _eval_subs(self, old: sp.Basic, new: sp.Basic) -> sp.Basic | None:
        function = self.args[0] if old in self.args[1] else self.args[0]._subs(old, new)
        points, spread = (self.args[i]._subs(old, new) for i in (2, 3))
        return type(self)(function, self.args[1], points, spread, self.indices)

    def _eval_is_extended_real(self) -> bool:
        return True


class VectorEnvelope(_EnvelopeNode):
    """Moreau envelope, or its derivative with respect to the points named by ``indices``."""

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        function, variables, points, spread, _ = self.args
        outside = function.free_symbols - set(variables)
        if s in spread.free_symbols or s in outside or (len(self.indices) > 1 and points.has(s)):
            raise DerivationError(
                "this derivative of the Moreau envelope of several variables is not available: "
                "only two derivatives with respect to its point are."
            )
        kind: Any = type(self)
        return sp.Add(
            *(
                point.diff(s) * kind(*self.problem, (*self.indices, i))
                for i, point in enumerate(points)
            )
        )

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        p = printer._print
        below = "".join(rf"\partial_{{{p(self.args[2][i])}}}" for i in self.indices)
        points = ", ".join(map(p, self.args[2]))
        power = "" if exp is None else f"^{{{exp}}}"
        body = rf"{below}\mathcal{{M}}_{{{_metric(p, self.args[3])}}}"
        body = rf"\left[{body}\right]{power}" if power and self.indices else body + power
        return rf"{body}\left({points}\right)"


class VectorProximal(_EnvelopeNode):
    """Component ``indices[0]`` of the minimiser."""

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        p = printer._print
        points = ", ".join(map(p, self.args[2]))
        power = "" if exp is None else f"^{{{exp}}}"
        head = rf"\operatorname{{prox}}_{{{_metric(p, self.args[3])},{self.indices[0] + 1}}}"
        return rf"{head}{power}\left({points}\right)"


def _metric(p: Any, spread: sp.Matrix) -> str:
    scale, _ = common_factor(spread)
    return rf"{p(scale)}\,\ell" if scale != 1 else r"\ell"


class SpectralRadius(sp.Function):
    """Largest modulus of the eigenvalues of a square matrix, given row by row."""

    nargs = None

    @classmethod
    def eval(cls, *entries: Any) -> Any:
        return sp.Abs(entries[0]) if len(entries) == 1 else None

    def _eval_is_extended_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        # Of a matrix of such entries, no page could hold the columns.
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\varrho{power}\left(\mathsf{{R}}\right)"


ENVELOPE_NODES = (VectorEnvelope, VectorProximal)


def vector_average(
    integrand: Any, variables: Sequence[sp.Symbol], mean: Sequence[Any], covariance: Any
) -> sp.Expr:
    """Average over a Gaussian vector, in closed form where the integrand is a polynomial."""
    integrand = sp.sympify(integrand)
    if integrand.is_polynomial(*variables):
        return _polynomial(integrand, variables, mean, sp.Matrix(covariance))
    coefficient, body = integrand.as_independent(*variables, as_Add=False)
    if coefficient.has(Average):
        coefficient, body = sp.S.One, integrand
    return coefficient * VectorAverage(body, variables, mean, covariance)


def _polynomial(
    body: sp.Expr, variables: Sequence[sp.Symbol], mean: Sequence[Any], covariance: sp.Matrix
) -> sp.Expr:
    """``exp(1/2 sum_ij C_ij d_i d_j)`` of the polynomial at the mean (heat equation)."""
    at_mean = dict(zip(variables, map(sp.sympify, mean), strict=True))
    result, term, order = sp.S.Zero, sp.expand(body), 0
    while term != 0:
        result += term.subs(at_mean, simultaneous=True)
        order += 1
        moved = sp.S.Zero
        for i, x in enumerate(variables):
            for j, y in enumerate(variables):
                moved += covariance[i, j] * term.diff(x).diff(y)
        term = sp.expand(moved) / (2 * order)
    return result
