"""Piecewise analysis of a loss or penalty: smooth pieces, kinks and hard walls.

A convex function whose kinks are at affine arguments is a finite list of smooth pieces. Its
proximal operator is then explicit in its *value* ``v``: ``point = v + scale f'(v)`` on a smooth
piece, ``v = kink`` while the point crosses a jump of ``f'``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import pairwise
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from replica.calculus.multiprecision import FUNCTIONS
from replica.calculus.nodes import ProximalNode
from replica.errors import DerivationError

# Where convexity is sampled: irregular, dense around the origin, out to the far tails.
_SAMPLE = tuple(sorted(sign * (1.17**k - 1) * 0.31 for k in range(28) for sign in (-1, 1)))
NONSMOOTH = (sp.Max, sp.Min, sp.Abs, sp.Heaviside, sp.sign)


@dataclass(frozen=True)
class Piece:
    """A smooth piece of a function of ``v`` on ``(lower, upper)``."""

    lower: sp.Expr
    upper: sp.Expr
    expression: sp.Expr


def kink_arguments(expression: sp.Expr, v: sp.Symbol) -> list[sp.Expr]:
    """Arguments whose sign changes are kinks or jumps of the expression in ``v``."""
    arguments: list[sp.Expr] = []
    for atom in expression.atoms(*NONSMOOTH):
        if v not in atom.free_symbols:
            continue
        if isinstance(atom, (sp.Max, sp.Min)):
            terms = list(atom.args)
            arguments += [a - b for i, a in enumerate(terms) for b in terms[i + 1 :]]
        else:
            arguments.append(atom.args[0])
    for atom in expression.atoms(sp.Piecewise):
        for _, condition in atom.args:
            for relation in condition.atoms(Relational):
                if v in relation.free_symbols:
                    arguments.append(relation.lhs - relation.rhs)
    return [a for a in arguments if v in a.free_symbols]


def kinks(expression: sp.Expr, v: sp.Symbol) -> list[sp.Expr]:
    """Values of ``v`` at which the expression may have a kink or a jump, without order."""
    found: list[sp.Expr] = []
    for argument in kink_arguments(expression, v):
        for root in _real_roots(argument, v):
            if root not in found:
                found.append(root)
    return found


def _real_roots(argument: sp.Expr, v: sp.Symbol) -> list[sp.Expr]:
    for atom in argument.atoms(sp.Abs, sp.Max, sp.Min):
        if v in atom.free_symbols:  # nested: the roots of every branch, some of them spurious
            branches = (
                (atom.args[0], -atom.args[0]) if isinstance(atom, sp.Abs) else tuple(atom.args)
            )
            found = []
            for branch in branches:
                inner = argument.subs(atom, branch)
                if v in inner.free_symbols:
                    found += [r for r in _real_roots(inner, v) if r not in found]
            return found
    argument = sp.expand(argument)
    if not argument.is_polynomial(v):
        raise DerivationError(
            f"the kink at {argument} = 0 is not at a polynomial of {v}; write the loss with kinks "
            "at affine arguments."
        )
    degree = sp.degree(argument, v)
    if degree == 1:
        root = -argument.coeff(v, 0) / argument.coeff(v, 1)
        # SymPy would simplify inside the function of a proximal operator, too.
        hidden = {node: sp.Dummy(real=True) for node in root.atoms(ProximalNode)}
        return [sp.simplify(root.xreplace(hidden)).xreplace({d: n for n, d in hidden.items()})]
    return [r for r in sp.solve(argument, v) if r.is_real is not False]


def convex_pieces(expression: sp.Expr, v: sp.Symbol) -> list[Piece]:
    """Split a convex function into its smooth pieces, in increasing ``v``.

    Raises
    ------
    DerivationError
        If the order of two kinks depends on the values of the parameters, or the function is
        nowhere finite.
    """
    points = sorted(kinks(expression, v), key=cmp_to_key(_compare))
    edges = [-sp.oo, *points, sp.oo]
    pieces: list[Piece] = []
    for lower, upper in pairwise(edges):
        smooth = _branch(expression, v, lower, upper)
        if smooth is sp.oo or smooth.has(sp.oo):
            continue
        if pieces and pieces[-1].upper == lower and pieces[-1].expression == smooth:
            pieces[-1] = Piece(pieces[-1].lower, upper, smooth)
        else:
            pieces.append(Piece(lower, upper, smooth))
    if not pieces:
        raise DerivationError(f"the function {expression} of {v} is nowhere finite.")
    return pieces


def _compare(a: sp.Expr, b: sp.Expr) -> int:
    difference = sp.simplify(a - b)
    if difference.is_positive:
        return 1
    if difference.is_negative:
        return -1
    if difference == 0:
        return 0
    raise DerivationError(
        f"the order of the kinks at {a} and {b} is not known for all parameters; declare their "
        "domains so that it is (for example (0, 10) with open='lower': positive, never zero)."
    )


def _branch(expression: sp.Expr, v: sp.Symbol, lower: sp.Expr, upper: sp.Expr) -> sp.Expr:
    """The smooth expression that holds between two neighbouring kinks."""
    step = sp.Dummy("step", positive=True)
    if lower == -sp.oo:
        inside = upper - step if upper != sp.oo else step
    elif upper == sp.oo:
        inside = lower + step
    else:
        inside = (lower + upper) / 2

    def sign(argument: sp.Expr) -> int:
        value = sp.simplify(argument.subs(v, inside))
        if value.is_positive:
            return 1
        if value.is_negative:
            return -1
        if value.is_nonnegative and lower != -sp.oo and upper != sp.oo:
            return 1
        numeric = [value.subs(step, size) for size in (sp.Rational(1, 10**6), 1, 10**6)]
        signs = {1 if n.is_positive else -1 if n.is_negative else 0 for n in numeric}
        if len(signs) == 1 and 0 not in signs:
            return signs.pop()
        raise DerivationError(f"the sign of {argument} between {lower} and {upper} is not known.")

    def largest(args: tuple[sp.Expr, ...], way: int) -> sp.Expr:
        best = args[0]
        for other in args[1:]:
            difference = other - best
            moves = v in difference.free_symbols
            if not moves:
                best = (sp.Max if way > 0 else sp.Min)(best, other)
            elif sign(difference) * way > 0:
                best = other
        return best

    def piecewise(*pairs: sp.Tuple) -> sp.Expr:
        for value, condition in pairs:
            if condition == sp.true or _holds(condition):
                return value
        raise DerivationError(f"no branch of {expression} holds between {lower} and {upper}.")

    def _holds(condition: sp.Basic) -> bool:
        if isinstance(condition, sp.And):
            return all(_holds(c) for c in condition.args)
        if isinstance(condition, sp.Or):
            return any(_holds(c) for c in condition.args)
        if isinstance(condition, Relational):
            return sign(condition.gts - condition.lts) > 0
        return bool(condition)

    has_v = lambda e: v in e.free_symbols  # noqa: E731 - a predicate used four times below
    result = expression
    result = result.replace(
        lambda e: isinstance(e, sp.Piecewise) and has_v(e), lambda e: piecewise(*e.args)
    )
    result = result.replace(
        lambda e: isinstance(e, sp.Max) and has_v(e), lambda e: largest(e.args, 1)
    )
    result = result.replace(
        lambda e: isinstance(e, sp.Min) and has_v(e), lambda e: largest(e.args, -1)
    )
    result = result.replace(
        lambda e: isinstance(e, sp.Abs) and has_v(e), lambda e: sign(e.args[0]) * e.args[0]
    )
    result = result.replace(
        lambda e: isinstance(e, sp.sign) and has_v(e), lambda e: sp.Integer(sign(e.args[0]))
    )
    return result.replace(
        lambda e: isinstance(e, sp.Heaviside) and has_v(e),
        lambda e: sp.Integer((1 + sign(e.args[0])) // 2),
    )


def require_convex(expression: sp.Expr, v: sp.Symbol, values: Mapping[sp.Symbol, Any]) -> None:
    """Refuse a function whose slope decreases somewhere on a sample of points.

    A proximal operator is unique, and its average valid, for convex functions only.

    Parameters
    ----------
    expression : Expr
    v : Symbol
    values : mapping
        Numbers for every other symbol (defaults of parameters, label values).

    Raises
    ------
    DerivationError
        Naming the function and the point where it is not convex or not a real number.
    """
    where, cure = _circumstances(
        {s: value for s, value in values.items() if s in expression.free_symbols}
    )
    previous: tuple[float, float] | None = None
    end: complex | None = None  # value at the end of the piece before
    for piece in convex_pieces(expression.subs(values), v):
        branch = [piece.expression.diff(v), piece.expression]
        function = sp.lambdify(v, branch, modules=[dict(FUNCTIONS), "mpmath"])
        height = sp.lambdify(v, branch[1], modules=[dict(FUNCTIONS), "mpmath"])
        low, high = float(piece.lower), float(piece.upper)
        if end is not None and abs(complex(height(low)) - end) > 1e-9 * (1 + abs(end)):
            raise DerivationError(
                f"the function {expression} jumps at {v} = {low:g}{where}, so that its proximal "
                f"operator is not unique; {cure}."
            )
        try:
            end = complex(height(high)) if math.isfinite(high) else None
        except (ValueError, ZeroDivisionError, OverflowError):
            end = None
        for point in _SAMPLE:
            if not low < point < high:
                continue
            try:
                slope, level = map(complex, function(point))
            except (ValueError, ZeroDivisionError, OverflowError):
                slope = level = complex("nan")
            if slope != slope or level != level or slope.imag != 0 or level.imag != 0:
                raise DerivationError(
                    f"the function {expression} is not a real number at {v} = {point:g}{where}; "
                    "restrict its domain with Piecewise((..., condition), (oo, True))."
                )
            if previous is not None and slope.real < previous[1] - 1e-9 * (1 + abs(slope)):
                raise DerivationError(
                    f"the function {expression} is not convex between {v} = {previous[0]:g} and "
                    f"{point:g}{where}, so that its proximal operator is not unique; {cure}."
                )
            previous = point, slope.real


def _circumstances(values: Mapping[sp.Symbol, Any]) -> tuple[str, str]:
    """Name the values at which a function was examined, and what a user can do."""
    numbers = {str(s): f"{float(value):g}" for s, value in values.items()}
    named = ", ".join(f"{name} = {numbers[name]}" for name in sorted(numbers))
    domains = sorted(str(s) for s in values if getattr(s, "domain", None) is not None)
    cure = "declare a finite temperature"
    if domains:
        cure += f", or narrow the domain of {' or '.join(domains)} to where it is convex"
    return f" (at {named})" if named else "", cure


def without_conditions(expression: sp.Expr, v: sp.Symbol) -> sp.Expr:
    """Write a continuous function with minima and maxima instead of conditions and moduli."""
    if not expression.has(sp.Piecewise, sp.Abs):
        return expression
    pieces = convex_pieces(expression, v)
    total = sp.S.Zero
    for piece in pieces:
        inside = sp.Max(v, piece.lower) if piece.lower != -sp.oo else v
        inside = sp.Min(inside, piece.upper) if piece.upper != sp.oo else inside
        total += piece.expression.subs(v, inside)
    for piece in pieces[:-1]:
        total -= piece.expression.subs(v, piece.upper)
    return total


def is_convex(expression: sp.Expr, v: sp.Symbol, values: Mapping[sp.Symbol, float]) -> bool:
    """Whether `require_convex` accepts the function."""
    try:
        require_convex(expression, v, values)
    except DerivationError:
        return False
    return True


def curvature_bound(
    expression: sp.Expr, v: sp.Symbol, shift: sp.Symbol, deviation: sp.Expr
) -> sp.Expr | None:
    """Bound on the second derivative in ``shift`` of an average over a Gaussian ``v``.

    Parameters
    ----------
    expression : Expr
        A function of ``v + shift``, or of ``v - shift``.
    v, shift : Symbol
    deviation : Expr
        Standard deviation of ``v``, which smooths kinks.

    Returns
    -------
    Expr or None
        None at a wall, where it grows without bound, or where it is not known for all parameters.
    """
    try:
        pieces = convex_pieces(expression, v)
    except DerivationError:
        return None
    if pieces[0].lower != -sp.oo or pieces[-1].upper != sp.oo:
        return None
    jumps = sp.S.Zero
    for below, above in pairwise(pieces):
        slope = (above.expression - below.expression).diff(shift).subs(v, above.lower)
        jumps += sp.Abs(sp.simplify(slope))
    smooth = _largest_curvature(pieces, v, shift)
    if smooth is None or {v, shift} & jumps.free_symbols or smooth == jumps == 0:
        return None
    return smooth + jumps / (sp.sqrt(2 * sp.pi) * deviation)


def _largest_curvature(pieces: Sequence[Piece], v: sp.Symbol, shift: sp.Symbol) -> sp.Expr | None:
    curvatures = [piece.expression.diff(shift, 2) for piece in pieces]
    if not any(c.has(v, shift) for c in curvatures):
        return sp.Max(*curvatures)
    largest = 0.0
    for piece, curvature in zip(pieces, curvatures, strict=True):
        lower, upper, height = (e.subs(shift, 0) for e in (piece.lower, piece.upper, curvature))
        if sp.Tuple(lower, upper, height).free_symbols - {v}:
            return None
        function = sp.lambdify(v, height, modules=[dict(FUNCTIONS), "mpmath"])
        sample = [point for point in _SAMPLE if lower < point < upper]
        heights = {point: float(function(point)) for point in sample}
        largest = max([largest, *heights.values()])
        if any(heights.get(tail, 0.0) == largest > 0 for tail in (_SAMPLE[0], _SAMPLE[-1])):
            return None  # it grows further
    return sp.Rational(f"{largest:.3g}")


def sample_values(expression: sp.Expr, v: sp.Symbol) -> list[dict[sp.Symbol, float]]:
    """Numbers for the symbols of a function: defaults, and each parameter near its finite bounds.

    A symbol that is no parameter (an extremised scalar) gets a generic value.
    """
    symbols = expression.free_symbols - {v}
    defaults = {s: float(getattr(s, "default", 0.3)) for s in symbols}
    samples = [defaults]
    for symbol in sorted(symbols, key=str):
        middle = defaults[symbol]
        samples += [
            {**defaults, symbol: bound + 1e-3 * (middle - bound)}
            for bound in getattr(symbol, "domain", ())
            if math.isfinite(bound)
        ]
    return samples
