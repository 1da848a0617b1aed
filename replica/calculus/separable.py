"""Convex functions that are sums of functions of one variable each, with kinks and walls.

In one variable the value of a proximal operator moves along a smooth piece, or rests at a kink with
any of the slopes that meet there. In several it does so in every variable by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import sympy as sp

from replica.calculus.convex import NONSMOOTH, Piece, convex_pieces


@dataclass(frozen=True)
class Rest:
    """A kink or a wall at ``value``, where the slopes from ``lower`` to ``upper`` meet."""

    value: sp.Expr
    lower: sp.Expr
    upper: sp.Expr
    height: sp.Expr


def has_kinks(function: sp.Expr) -> bool:
    """Whether a function is written with kinks, jumps or walls."""
    return bool(function.has(*NONSMOOTH, sp.Piecewise))


def walls(excess: sp.Expr) -> sp.Expr:
    """Energy of a hard constraint: zero where ``excess >= 0``, infinite elsewhere.

    Where the excess is a minimum of terms there is a wall for each of them.
    """
    return sp.Add(*(sp.Piecewise((0, term >= 0), (sp.oo, True)) for term in minimum_terms(excess)))


def minimum_terms(expression: sp.Expr) -> list[sp.Expr]:
    """Terms of which an expression is the smallest; itself if it is no minimum."""
    terms = list(sp.Add.make_args(expression))
    for term in terms:
        factor, extreme = term.as_coeff_Mul()
        if isinstance(extreme, sp.Min if factor > 0 else sp.Max):
            rest = sp.Add(*(t for t in terms if t is not term))
            return [sp.expand(factor * a + rest) for a in extreme.args]
    return [expression]


def summands(function: sp.Expr, variables: Sequence[sp.Symbol]) -> tuple[sp.Expr, ...] | None:
    """Functions of one variable each that add up to ``function``, or None if there are none.

    A term without a variable goes to the first one.
    """
    parts = [sp.S.Zero] * len(variables)
    for term in sp.Add.make_args(_spread_out(function)):
        own = [i for i, v in enumerate(variables) if v in term.free_symbols]
        if len(own) > 1:
            return None
        parts[own[0] if own else 0] += term
    return tuple(parts)


def _spread_out(function: sp.Expr) -> sp.Expr:
    """Expand products and powers of sums, and leave what is inside functions as it is."""
    return sp.expand(function, deep=False)


def pieces_and_rests(function: sp.Expr, v: sp.Symbol) -> tuple[list[Piece], list[Rest]]:
    """Smooth pieces of a convex function of ``v``, and the kinks and walls between them.

    Raises
    ------
    DerivationError
        If the order of two kinks depends on the values of the parameters, or the function is
        nowhere finite.
    """
    pieces = convex_pieces(function, v)
    rests = []
    first, last = pieces[0], pieces[-1]
    if first.lower != -sp.oo:
        rests.append(_rest(first, first.lower, v, -sp.oo, _slope(first, first.lower, v)))
    for below, above in pairwise(pieces):
        slopes = [_slope(piece, above.lower, v) for piece in (below, above)]
        if sp.expand(slopes[1] - slopes[0]) != 0:
            rests.append(_rest(above, above.lower, v, *slopes))
    if last.upper != sp.oo:
        rests.append(_rest(last, last.upper, v, _slope(last, last.upper, v), sp.oo))
    return pieces, rests


def _slope(piece: Piece, at: sp.Expr, v: sp.Symbol) -> sp.Expr:
    return piece.expression.diff(v).subs(v, at)


def _rest(piece: Piece, at: sp.Expr, v: sp.Symbol, lower: sp.Expr, upper: sp.Expr) -> Rest:
    return Rest(at, lower, upper, piece.expression.subs(v, at))
