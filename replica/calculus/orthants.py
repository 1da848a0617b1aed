"""Two jointly Gaussian variables of mean zero: how often their signs disagree.

Source: W. F. Sheppard, Phil. Trans. R. Soc. A 192, 101 (1899): with probability
``acos(correlation)/pi``.
"""

from __future__ import annotations

import sympy as sp

from replica.calculus.special import NormalCdf

#: Places at which a simplified correlation is compared with the original.
_PLACES = ((0.3, 0.7), (-0.4, 0.9))


def half_line_average(
    body: sp.Expr, w: sp.Symbol, mean: sp.Expr, variance: sp.Expr
) -> sp.Expr | None:
    """``E[Heaviside(a w) NormalCdf(b w)]`` for ``w ~ Normal(0, variance)``, or None.

    None where the body is no such product, the sign of ``a`` is not known, or a mean is left.
    """
    if not body.is_Mul or len(body.args) != 2 or mean != 0:
        return None
    step, cdf = sorted(body.args, key=lambda factor: isinstance(factor, NormalCdf))
    if not isinstance(step, sp.Heaviside) or not isinstance(cdf, NormalCdf):
        return None
    side, slope = (factor.args[0] / w for factor in (step, cdf))
    if w in side.free_symbols | slope.free_symbols:
        return None
    if not (side.is_positive or side.is_negative):
        return None
    # The variable against one of unit variance, added to it, whose sign the other factor is.
    along = correlation(slope, variance)
    return sp.acos(-along if side.is_positive else along) / (2 * sp.pi)


def correlation(slope: sp.Expr, variance: sp.Expr) -> sp.Expr:
    """Correlation of ``w`` and ``slope w + z``, ``z`` standard normal, in its shortest form."""
    plain = slope * sp.sqrt(variance) / sp.sqrt(1 + slope**2 * variance)
    square = sp.simplify(slope**2 * variance)
    root = sp.sqrt(sp.factor(sp.cancel(square / (1 + square))))
    root = root.replace(
        sp.Abs, lambda inside: inside
    )  # the sign of an overlap is that of the slope
    for sign in (1, -1):
        if _agree(sign * root, plain):
            return sign * root
    return plain


def _agree(first: sp.Expr, second: sp.Expr) -> bool:
    symbols = sorted(first.free_symbols | second.free_symbols, key=str)
    for real, positive in _PLACES:
        values = {
            s: (positive if s.is_nonnegative else real) + 0.01 * i for i, s in enumerate(symbols)
        }
        gap = complex((first - second).subs(values).evalf())
        if not abs(gap) < 1e-9:
            return False
    return True
