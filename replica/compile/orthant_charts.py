"""Charts of two fields whose signs make a label: along their sum and difference, or one by one.

The probability of a label changes where a field changes its sign. Where the posterior is narrow
these are thin layers, and the fields themselves are the variables in which boxes follow them. Where
the fields are nearly equal their law is a thin ridge, and the sum and the difference are the
variables: the posterior of the difference is wide then. One of the two is used at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from replica.calculus.orthant import NormalOrthant
from replica.calculus.special import LogNormalCdf, Mills, NormalCdf
from replica.calculus.vector import VectorAverage
from replica.compile.program import Larger, Smaller
from replica.compile.region_charts import CUT, Fresh, LawNumbers, VectorChart, plain_chart

#: Ratio of the variances of sum and difference above which the fields are the variables.
_ROUND = sp.Rational(1, 2)
#: Turns the sign of a number of ordinary size into zero or one.
_STEEP = sp.Float(1e300)


def orthant_charts(node: VectorAverage, law: LawNumbers, fresh: Fresh) -> list[VectorChart]:
    """Return both charts, none where the average is not over signs of the sum and difference."""
    covariance = node.args[3]
    if len(node.variables) != 2 or not covariance.is_diagonal() or any(node.args[2]):
        return []
    atoms = node.integrand.atoms(NormalOrthant, NormalCdf, LogNormalCdf, Mills)
    moving = set(node.variables)
    limits = {limit for atom in atoms for limit in atom.args if limit.free_symbols & moving}
    if not limits or not all(_is_diagonal(limit, node.variables) for limit in limits):
        return []
    plain = plain_chart(node, law)
    fields = tuple(fresh() for _ in range(2))
    at = [(fields[0] + fields[1]) / sp.sqrt(2), (fields[0] - fields[1]) / sp.sqrt(2)]
    moved = dict(zip(node.variables, at, strict=True))
    first, second = (sigma**2 for sigma in law.deviation)
    reach = CUT * sp.sqrt((first + second) / 2)
    difference = Smaller(first, second) / Larger(first, second) - _ROUND
    turned = Smaller(Larger(_STEEP * difference, sp.S.Zero), sp.S.One)
    rotated = VectorChart(
        variables=fields,
        lower=(-reach * turned,) * 2,
        upper=(reach * turned,) * 2,
        steps=(),
        density=law.density(at),
        replace=lambda expression: _collected(expression.xreplace(moved), fields),
    )
    straight = VectorChart(
        variables=plain.variables,
        lower=tuple((1 - turned) * edge for edge in plain.lower),
        upper=tuple((1 - turned) * edge for edge in plain.upper),
        steps=(),
        density=plain.density,
        replace=plain.replace,
    )
    return [straight, rotated]


def _is_diagonal(limit: sp.Expr, variables: Sequence[sp.Symbol]) -> bool:
    """Whether a limit is a multiple of the sum or of the difference of the variables."""
    slopes = [limit.diff(v) for v in variables]
    return not any(s.free_symbols & set(variables) for s in slopes) and (
        sp.expand(slopes[0] ** 2 - slopes[1] ** 2) == 0
    )


def _collected(expression: sp.Expr, fields: tuple[sp.Symbol, ...]) -> sp.Expr:
    """Add up the terms of each field in sums that are linear in them."""

    def linear(e: sp.Expr) -> bool:
        return e.is_Add and bool(e.free_symbols & set(fields)) and e.is_polynomial(*fields)

    return expression.replace(linear, sp.expand)
