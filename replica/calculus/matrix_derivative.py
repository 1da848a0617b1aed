"""Matrix calculus: gradients of scalars, and differentials of what they consist of.

A gradient is accumulated backwards through the expression: with ``d(scalar) = tr(G^T dM)`` for a
sub-expression ``M``, each kind of node says what ``G`` is for its arguments. A differential goes
forwards. Both return expressions, so that they print, and can be differentiated again.

Source: K. B. Petersen & M. S. Pedersen, The Matrix Cookbook (2012), chapters 2 and 9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy as sp
from sympy.matrices.expressions import MatrixExpr

from replica.calculus.matrices import (
    Blocks,
    KernelOverlap,
    KernelSum,
    LogDet,
    PartialTrace,
    product_factors,
)
from replica.errors import DerivationError

_ATOMS = (sp.Trace, LogDet)


def gradient(scalar: sp.Expr, symbols: Sequence[Any]) -> dict[Any, Any]:
    """Return the gradient of a scalar in matrices and scalars.

    Parameters
    ----------
    scalar : Expr
        Made of traces, log-determinants and scalar symbols.
    symbols : sequence of SymmetricMatrix or Symbol

    Returns
    -------
    dict
        For a matrix ``X`` the expression ``G`` with ``d(scalar) = tr(G^T dX)``; a scalar
        expression for a scalar.

    Raises
    ------
    DerivationError
        If the scalar contains a node without a derivative.
    """
    collected: dict[Any, list[Any]] = {symbol: [] for symbol in symbols}
    _push_scalar(sp.sympify(scalar), sp.S.One, collected)
    return {
        symbol: (
            sp.MatAdd(sp.ZeroMatrix(*symbol.shape), *terms).doit()
            if _is_matrix(symbol)
            else sp.Add(*terms)
        )
        for symbol, terms in collected.items()
    }


def _push_scalar(scalar: sp.Expr, weight: sp.Expr, collected: dict[Any, list[Any]]) -> None:
    if not _depends(scalar, collected):
        return
    atoms = sorted(scalar.atoms(*_ATOMS), key=sp.default_sort_key)
    names = {atom: sp.Dummy() for atom in atoms}
    flat = scalar.xreplace(names)
    back = {name: atom for atom, name in names.items()}
    for symbol, terms in collected.items():
        if not _is_matrix(symbol) and flat.has(symbol):
            terms.append(weight * flat.diff(symbol).xreplace(back))
    for atom, name in names.items():
        slope = weight * flat.diff(name).xreplace(back)
        if slope == 0:
            continue
        matrix = atom.args[0]
        if isinstance(atom, LogDet):
            _push(matrix, slope * matrix.inverse().transpose(), collected)
        else:
            _push(matrix, slope * sp.Identity(matrix.shape[0]), collected)
    rest = flat.atoms(sp.MatrixSymbol, MatrixExpr)
    if any(_depends(node, collected) for node in rest):
        raise DerivationError(f"there is no derivative of {scalar} in its matrices.")


def _push(matrix: MatrixExpr, adjoint: MatrixExpr, collected: dict[Any, list[Any]]) -> None:
    """Hand the adjoint of a matrix on to its arguments."""
    if matrix in collected:
        collected[matrix].append(adjoint)
        return
    if not _depends(matrix, collected):
        return
    if matrix.is_MatAdd:
        for term in matrix.args:
            _push(term, adjoint, collected)
    elif matrix.is_MatMul or len(product_factors(matrix)[1]) > 1:
        coefficient, factors = product_factors(matrix)
        for i, factor in enumerate(factors):
            before = [f.transpose() for f in reversed(factors[:i])]
            after = [f.transpose() for f in reversed(factors[i + 1 :])]
            _push(factor, sp.MatMul(coefficient, *before, adjoint, *after).doit(), collected)
        if _depends(coefficient, collected):
            weight = sp.Trace(sp.MatMul(adjoint.transpose(), *factors).doit()).doit()
            _push_scalar(coefficient, weight, collected)
    elif isinstance(matrix, sp.Inverse):
        turned = matrix.transpose()
        _push(matrix.args[0], sp.MatMul(-1, turned, adjoint, turned).doit(), collected)
    elif isinstance(matrix, sp.Transpose):
        _push(matrix.args[0], adjoint.transpose(), collected)
    elif isinstance(matrix, Blocks):
        _push(matrix.args[0], PartialTrace(adjoint, matrix.args[1]), collected)
    elif isinstance(matrix, KernelSum):
        weights, left, right = matrix.args
        outputs = weights.shape[0] / left.paths
        _push(weights, KernelOverlap(adjoint, left, right, outputs), collected)
    elif isinstance(matrix, KernelOverlap):
        inner, left, right, _ = matrix.args
        _push(inner, KernelSum(adjoint, left, right), collected)
    elif isinstance(matrix, PartialTrace):
        inner, outer = matrix.args
        _push(inner, Blocks(adjoint, outer), collected)
    else:
        raise DerivationError(f"there is no derivative of a matrix {type(matrix).__name__}.")


def differential(expression: Any, directions: Mapping[Any, Any]) -> Any:
    """Return the change of an expression to first order.

    Parameters
    ----------
    expression : Expr or MatrixExpr
    directions : mapping
        Changes of symbols: a matrix for a matrix, a scalar for a scalar.
    """
    if _is_matrix(expression):
        return _differential_matrix(expression, directions)
    atoms = sorted(expression.atoms(*_ATOMS), key=sp.default_sort_key)
    names = {atom: sp.Dummy() for atom in atoms}
    flat = expression.xreplace(names)
    back = {name: atom for atom, name in names.items()}
    change = sp.S.Zero
    for symbol, direction in directions.items():
        if not _is_matrix(symbol):
            change += flat.diff(symbol).xreplace(back) * direction
    for atom, name in names.items():
        slope = flat.diff(name).xreplace(back)
        inner = _differential_matrix(atom.args[0], directions)
        if slope != 0 and not isinstance(inner, sp.ZeroMatrix):
            if isinstance(atom, LogDet):
                inner = atom.args[0].inverse() * inner
            change += slope * sp.Trace(inner)
    return change


def _differential_matrix(matrix: MatrixExpr, directions: Mapping[Any, Any]) -> MatrixExpr:
    if matrix in directions:
        return directions[matrix]
    if not _depends(matrix, directions):
        return sp.ZeroMatrix(*matrix.shape)
    if matrix.is_MatAdd:
        return sp.MatAdd(*(_differential_matrix(t, directions) for t in matrix.args)).doit()
    if matrix.is_MatMul or len(product_factors(matrix)[1]) > 1:
        coefficient, factors = product_factors(matrix)
        slope = differential(coefficient, directions) if coefficient.free_symbols else sp.S.Zero
        terms = [slope * sp.MatMul(*factors)] if slope != 0 else []
        for i, factor in enumerate(factors):
            inner = _differential_matrix(factor, directions)
            terms.append(sp.MatMul(coefficient, *factors[:i], inner, *factors[i + 1 :]).doit())
        return sp.MatAdd(*terms).doit()
    if isinstance(matrix, sp.Inverse):
        inner = _differential_matrix(matrix.args[0], directions)
        return sp.MatMul(-1, matrix, inner, matrix).doit()
    if isinstance(matrix, sp.Transpose):
        return _differential_matrix(matrix.args[0], directions).transpose()
    if isinstance(matrix, (Blocks, KernelSum, KernelOverlap, PartialTrace)):  # linear
        inner, *rest = matrix.args
        return type(matrix)(_differential_matrix(inner, directions), *rest)
    raise DerivationError(f"there is no derivative of a matrix {type(matrix).__name__}.")


def _is_matrix(expression: Any) -> bool:
    return bool(getattr(expression, "is_Matrix", False))


def _depends(expression: Any, symbols: Any) -> bool:
    return expression in symbols or any(symbol in expression.free_symbols for symbol in symbols)
