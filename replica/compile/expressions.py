"""Reading expressions: averages inside them, kinks and sharp features of integrands."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from replica.calculus.convex import kinks
from replica.calculus.nodes import Average, LabelAverage
from replica.calculus.special import (
    LogCosh,
    LogNormalCdf,
    LogSumExp,
    Mills,
    MillsExcess,
    NormalCdf,
    NormalPdf,
    Sech2,
    Sigmoid,
    Softplus,
    Tanh,
    merge_pairs,
    missing_tail,
)
from replica.calculus.spectra import SiteAverage
from replica.compile.program import ExpMinusOne, Larger, Smaller

_SHARP = (
    Tanh, Sech2, LogCosh, Sigmoid, Softplus, NormalCdf, LogNormalCdf, Mills, MillsExcess,
    NormalPdf, sp.erf,
)  # fmt: skip


def unroll(expression: sp.Expr) -> sp.Expr:
    """Write out sums over labels that are not inside an average."""
    while True:
        found = [n for n in outermost(expression, LabelAverage) if isinstance(n, LabelAverage)]
        if not found:
            return expression
        expression = replace_nodes(expression, {n: n.unroll() for n in found})


def without_cancellation(expression: sp.Expr) -> sp.Expr:
    """Write differences that lose digits by functions that keep them, outside of averages.

    These are ``1 - exp(x)`` and the tails of error functions, ``1 - erf(x)`` and ``1 - Phi(x)``.
    """
    if not expression.args or isinstance(expression, (Average, LabelAverage, SiteAverage)):
        return expression
    expression = expression.func(*map(without_cancellation, expression.args))
    if expression.is_Add and expression.has(sp.exp, sp.erf, NormalCdf):
        for partner in (_difference, _upper_tail, _lower_tail, missing_tail):
            expression = merge_pairs(expression, partner)
    return expression


def _difference(term: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    for factor in sp.Mul.make_args(term):
        if isinstance(factor, sp.exp):
            rest = term / factor
            return -rest, rest * ExpMinusOne(factor.args[0])
    return None


def _upper_tail(term: sp.Expr, sign: int = -1) -> tuple[sp.Expr, sp.Expr] | None:
    for factor in sp.Mul.make_args(term):
        if isinstance(factor, sp.erf):
            rest = sign * term / factor
            return rest, 2 * rest * NormalCdf(sign * sp.sqrt(2) * factor.args[0])
    return None


def _lower_tail(term: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    return _upper_tail(term, 1)


def outermost(
    expression: sp.Expr, kind: type | tuple[type, ...] = (Average, SiteAverage)
) -> Iterable[sp.Expr]:
    """Outermost nodes of a kind, never looking inside an average."""
    if isinstance(expression, kind):
        yield expression
        return
    if isinstance(expression, (Average, LabelAverage, SiteAverage)):
        return
    for argument in expression.args:
        yield from outermost(argument, kind)


def replace_nodes(expression: sp.Expr, values: dict[sp.Expr, sp.Expr]) -> sp.Expr:
    """Replace nodes by values, never looking inside an average."""
    if expression in values:
        return values[expression]
    if not expression.args or isinstance(expression, (Average, LabelAverage, SiteAverage)):
        return expression
    return expression.func(*(replace_nodes(a, values) for a in expression.args))


def shell(expression: sp.Expr) -> sp.Expr:
    """The expression outside of nested averages, whose bound symbols mean nothing here."""
    return replace_nodes(expression, {node: sp.Dummy("inner") for node in outermost(expression)})


def split_points(
    integrands: list[sp.Expr], w: sp.Symbol, skip: Iterable[sp.Expr] = ()
) -> list[sp.Expr]:
    """Kinks of the integrands in the integration variable."""
    points: list[sp.Expr] = []
    for expression in integrands:
        for point in kinks(shell(expression), w):
            if not any(sp.expand(point - other) == 0 for other in [*points, *skip]):
                points.append(point)
    return points


def sort_at_run_time(points: list[sp.Expr]) -> list[sp.Expr]:
    """Sort at run time by a network of minima and maxima."""
    points = list(points)
    for i in range(len(points)):
        for j in range(len(points) - 1 - i):
            a, b = points[j], points[j + 1]
            points[j], points[j + 1] = Smaller(a, b), Larger(a, b)
    return points


def sharp_features(integrands: list[sp.Expr], w: sp.Symbol) -> list[tuple[sp.Expr, sp.Expr]]:
    """Centre and width of every place where an integrand may change sharply."""
    arguments: set[sp.Expr] = set()
    for expression in map(shell, integrands):
        for atom in expression.atoms(*_SHARP):
            arguments.add(atom.args[0])
        for atom in expression.atoms(LogSumExp):
            arguments |= {a - b for i, a in enumerate(atom.args) for b in atom.args[i + 1 :]}
    found: list[tuple[sp.Expr, sp.Expr]] = []
    for argument in sorted(arguments, key=sp.default_sort_key):
        if w not in argument.free_symbols:
            continue
        argument = sp.expand(argument)
        if not argument.is_polynomial(w) or sp.degree(argument, w) > 2:
            continue
        a, b, c = (argument.coeff(w, k) for k in (2, 1, 0))
        if a == 0:
            pair = [(-c / b, 1 / sp.Abs(b))]
        else:
            gap = sp.sqrt(Larger(b**2 - 4 * a * c, 0))
            width = 1 / (gap + sp.sqrt(sp.Abs(a)))
            pair = [((-b + gap) / (2 * a), width), ((-b - gap) / (2 * a), width)]
        found += [p for p in pair if p not in found]
    return found
