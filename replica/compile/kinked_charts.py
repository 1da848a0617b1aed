"""Charts of a Gaussian vector for functions with kinks and walls, one a choice of where they rest.

The function is a sum of functions of single variables, so that the value ``v`` of the proximal
operator, in each variable, moves along a smooth piece or rests at a kink. There the force ``g``,
a slope of the function, moves instead. With ``x = v + S g`` the vector is explicit in one number a
variable, moving value or moving force, and these numbers fill a box for every choice. A hard
constraint ``v_k >= kappa`` is a wall, at which the forces are those of active constraints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import sympy as sp

from replica.calculus.convex import Piece
from replica.calculus.separable import Rest, pieces_and_rests, summands
from replica.calculus.vector import VectorAverage
from replica.compile.program import Assign, Larger, Smaller
from replica.compile.region_charts import (
    CUT,
    Fresh,
    LawNumbers,
    VectorChart,
    explicit,
    stretched_deviations,
)
from replica.errors import DerivationError

Place = Piece | Rest
Known = tuple[sp.Expr, sp.Expr]  # a value of the proximal operator, with the force there
Reach = tuple[sp.Symbol, sp.Symbol]  # of value and force
Store = Callable[[sp.Expr], sp.Symbol]


def kinked_charts(
    node: VectorAverage, problem: tuple[sp.Basic, ...], law: LawNumbers, fresh: Fresh
) -> tuple[list[Assign], list[VectorChart]]:
    """Return steps ahead of all charts, and the charts.

    Raises
    ------
    DerivationError
        If the function is not a sum of functions of single variables.
    """
    function, bound, _, spread = problem
    before: list[Assign] = []

    def store(expression: sp.Expr) -> sp.Symbol:
        symbol = fresh()
        before.append(Assign(symbol, expression))
        return symbol

    parts = summands(function, tuple(bound))
    if parts is None:
        raise DerivationError(
            f"the function {function} has kinks that depend on several variables."
        )
    split = [pieces_and_rests(part, v) for part, v in zip(parts, bound, strict=True)]
    known = [_known(pieces, rests, v) for (pieces, rests), v in zip(split, bound, strict=True)]
    stretched = stretched_deviations(node.args[3], sp.Matrix(spread))
    spread = sp.Matrix(spread).applyfunc(store)
    reaches = _reaches(stretched, spread, law, known, store)
    places: list[list[Place]] = [[*pieces, *rests] for pieces, rests in split]
    limits = list(zip(known, reaches, strict=True))
    charts = [
        _chart(node, tuple(bound), spread, law, choice, limits, fresh, store)
        for choice in product(*places)
    ]
    return before, charts


def _known(pieces: Sequence[Piece], rests: Sequence[Rest], v: sp.Symbol) -> Known:
    """A value with a slope of the function there."""
    if not rests:
        return sp.S.Zero, pieces[0].expression.diff(v).subs(v, 0)
    rest = rests[0]
    return rest.value, rest.upper if rest.lower == -sp.oo else rest.lower


def _reaches(
    stretched: sp.Expr, spread: sp.Matrix, law: LawNumbers, known: Sequence[Known], store: Store
) -> list[Reach]:
    """How far values and forces lie from known ones of a vector ``x0 = v0 + S g0``.

    In the metric of the spread neither moves further than the vector, and the vector lies within
    so many deviations of its mean.
    """
    inverse = (spread.adjugate() / store(spread.det())).applyfunc(store)
    value, force = (sp.Matrix([pair[i] for pair in known]) for i in (0, 1))
    gap = (sp.Matrix(law.mean) - value - spread * force).applyfunc(store)
    offset = (gap.T * inverse * gap)[0, 0]
    tiny = sp.Float(1e-300)
    radius = store(CUT * sp.sqrt(Larger(stretched, tiny)) + sp.sqrt(Larger(offset, tiny)))

    def reach(metric: sp.Matrix, i: int) -> sp.Symbol:
        return store(radius * sp.sqrt(Larger(metric[i, i], tiny)))

    return [(reach(spread, i), reach(inverse, i)) for i in range(len(known))]


def _chart(
    node: VectorAverage,
    bound: Sequence[sp.Symbol],
    spread: sp.Matrix,
    law: LawNumbers,
    choice: Sequence[Place],
    known: Sequence[tuple[Known, Reach]],
    fresh: Fresh,
    store: Store,
) -> VectorChart:
    """Chart on which every value moves along its piece or rests at its kink."""
    size = len(choice)
    moving = tuple(fresh() for _ in choice)
    values: list[sp.Expr] = []
    forces: list[sp.Expr] = []
    energy = sp.S.Zero
    ends = []
    rates = sp.zeros(size, size)  # of the vector with the moving numbers
    gains = sp.zeros(size, size)  # of the forces
    for i, (where, x) in enumerate(zip(choice, moving, strict=True)):
        (value, force), (reach, pull) = known[i]
        if isinstance(where, Rest):
            values.append(where.value)
            forces.append(x)
            energy += where.height
            gains[i, i] = 1
            rates[:, i] = spread[:, i]
            ends.append(_within(where, force - pull, force + pull))
            continue
        smooth = where.expression.subs(bound[i], x)
        values.append(x)
        forces.append(smooth.diff(x))
        energy += smooth
        gains[i, i] = smooth.diff(x, 2)
        rates[:, i] = sp.eye(size)[:, i] + spread[:, i] * gains[i, i]
        ends.append(_within(where, value - reach, value + reach))
    force = sp.Matrix(forces)
    at = tuple(v + (spread * force)[i] for i, v in enumerate(values))
    steps: list[Assign] = []

    def keep(expression: sp.Expr) -> sp.Expr:
        """Name a number: once for all nodes where it is the same for them."""
        if expression.free_symbols.isdisjoint(moving):
            return store(expression) if expression.free_symbols else expression
        steps.append(Assign(fresh(), expression))
        return steps[-1].symbol

    jacobian = keep(rates.det())
    stiffness = (gains * rates.adjugate() / jacobian).applyfunc(keep)
    energy += (force.T * spread * force)[0, 0] / 2
    return VectorChart(
        variables=moving,
        lower=tuple(low for low, _ in ends),
        upper=tuple(high for _, high in ends),
        steps=tuple(steps),
        density=law.density(at) * jacobian,
        replace=explicit(node.variables, at, values, energy, force, stiffness),
        centred=False,
    )


def _within(where: Place, low: sp.Expr, high: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The part of an interval that a piece, or the slopes at a kink, leave."""
    low = low if where.lower == -sp.oo else Larger(low, where.lower)
    return low, high if where.upper == sp.oo else Smaller(high, where.upper)
