"""Charts of a Gaussian field: in which variable an average is integrated, piece by piece.

Without a proximal operator there is one chart, the standardised field. With one, every smooth piece
of the function has a chart whose variable is the *value* ``v`` of the operator (the field is then
explicit, ``v + scale f'(v)``), and every kink or wall at which the value rests has a standardised
chart of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sympy as sp

from replica.calculus.convex import Piece, convex_pieces
from replica.calculus.nodes import EnvelopeDerivative, MoreauEnvelope, Proximal, ProximalSlope
from replica.calculus.special import NormalPdf
from replica.compile.program import Larger, ProximalRoot, RootProblem, Smaller
from replica.errors import DerivationError

#: Gaussian integrals are cut at this many standard deviations (a tail of 2e-19).
CUT = sp.Integer(9)
PROXIMAL_NODES = (Proximal, ProximalSlope, MoreauEnvelope, EnvelopeDerivative)
Problem = tuple[sp.Expr, ...]


@dataclass(frozen=True)
class GaussianField:
    """A Gaussian variable with symbols that hold its mean and standard deviation."""

    symbol: sp.Symbol
    mean: sp.Symbol
    deviation: sp.Symbol


@dataclass(frozen=True)
class Chart:
    """One region of the field: ``field`` as a function of ``variable`` in ``[lower, upper]``.

    ``locate`` gives the value of the variable at a value of the field; ``edges`` are kinks that
    the limits already respect.
    """

    variable: sp.Symbol
    field: sp.Expr
    density: sp.Expr
    jacobian: sp.Expr
    lower: sp.Expr
    upper: sp.Expr
    locate: Callable[[sp.Expr], sp.Expr]
    rules: Mapping[type[sp.Expr], sp.Expr] = field(default_factory=dict)
    by_parameter: Callable[[sp.Symbol], sp.Expr] | None = None
    edges: frozenset[sp.Expr] = frozenset()

    def substitute(self, expression: sp.Expr) -> sp.Expr:
        """Replace proximal nodes by their explicit form on this chart."""
        expression = self._without_cancellation(expression)
        for kind, value in self.rules.items():
            expression = expression.replace(
                lambda e, k=kind: isinstance(e, k), lambda e, x=value: x
            )
        by_parameter = self.by_parameter
        if by_parameter is None:
            return expression
        return expression.replace(
            lambda e: isinstance(e, EnvelopeDerivative), lambda e: by_parameter(e.args[4])
        )

    def _without_cancellation(self, expression: sp.Expr) -> sp.Expr:
        """Write ``ProximalSlope - 1`` as ``-x/(1 + x)``: at a small scale the slope is nearly 1."""
        slope = self.rules.get(ProximalSlope, sp.S.Zero)
        if slope == 0:
            return expression
        change = -(1 / slope - 1) * slope

        def rest(e: sp.Expr) -> sp.Expr:
            return sp.Add(*(a for a in e.args if a != -1 and not isinstance(a, ProximalSlope)))

        return expression.replace(
            lambda e: e.is_Add and sum(isinstance(a, ProximalSlope) for a in e.args) == 1
            and sp.S.NegativeOne in e.args,
            lambda e: rest(e) + change,
        )  # fmt: skip


def standard_chart(gaussian: GaussianField, z: sp.Symbol) -> Chart:
    """Chart of the standardised field."""
    mean, deviation = gaussian.mean, gaussian.deviation
    return Chart(
        variable=z,
        field=mean + deviation * z,
        density=NormalPdf(z),
        jacobian=deviation,
        lower=-CUT,
        upper=CUT,
        locate=lambda target: (target - mean) / deviation,
    )


def proximal_charts(
    gaussian: GaussianField,
    problem: Problem,
    fresh: Callable[[], sp.Symbol],
    roots: list[RootProblem],
) -> list[Chart]:
    """Charts of a field on which a proximal operator acts.

    Parameters
    ----------
    gaussian : GaussianField
    problem : tuple
        Function, its variable, the point (proportional to the field) and the scale.
    fresh : callable
        Source of new symbols.
    roots : list
        Inversions that have no closed form are appended here.
    """
    function, bound, point, scale = problem
    gain = point.diff(gaussian.symbol)
    if gaussian.symbol in gain.free_symbols or point.subs(gaussian.symbol, 0) != 0:
        raise DerivationError(
            f"the point {point} of a proximal operator is not proportional to {gaussian.symbol}."
        )
    charts: list[Chart] = []
    pieces = convex_pieces(function, bound)
    reached: sp.Expr | None = None  # field at which the pieces so far end
    for index, piece in enumerate(pieces):
        chart = _smooth_chart(gaussian, piece, bound, scale, gain, fresh(), roots)
        begin = None if piece.lower == -sp.oo else chart.field.subs(chart.variable, piece.lower)
        if begin is not None:
            below = piece if index == 0 else pieces[index - 1]
            if reached is None or sp.expand(begin - reached) != 0:
                charts.append(
                    _resting_chart(gaussian, problem, below, piece.lower, reached, begin, fresh())
                )
        charts.append(chart)
        reached = None if piece.upper == sp.oo else chart.field.subs(chart.variable, piece.upper)
    if reached is not None:
        last = pieces[-1]
        charts.append(_resting_chart(gaussian, problem, last, last.upper, reached, None, fresh()))
    return charts


def _signs_inside(expression: sp.Expr) -> sp.Expr:
    """Write ``-(a + b)`` as ``-a - b`` everywhere, so that equal factors are seen to cancel."""
    return expression.replace(
        lambda e: e.is_Mul and len(e.args) == 2 and e.args[0] == -1 and e.args[1].is_Add,
        lambda e: sp.Add(*(-a for a in e.args[1].args)),
    )


def _smooth_chart(
    gaussian: GaussianField,
    piece: Piece,
    bound: sp.Symbol,
    scale: sp.Expr,
    gain: sp.Expr,
    v: sp.Symbol,
    roots: list[RootProblem],
) -> Chart:
    """Chart by the value of the proximal operator on a smooth piece."""
    smooth = piece.expression.subs(bound, v)
    slope, curvature = (_signs_inside(smooth.diff(v, k)) for k in (1, 2))
    at_value = (v + scale * slope) / gain
    jacobian = (1 + scale * curvature) / gain
    explicit = slope.is_polynomial(v) and sp.degree(slope, v) <= 1
    if not explicit:
        index = len(roots)
        roots.append(RootProblem(v, at_value, jacobian, gain))

    def locate(target: sp.Expr) -> sp.Expr:
        if not explicit:
            return ProximalRoot(index, target, piece.lower, piece.upper)
        value = (gain * target - scale * slope.subs(v, 0)) / (1 + scale * slope.diff(v))
        value = value if piece.lower == -sp.oo else Larger(value, piece.lower)
        return value if piece.upper == sp.oo else Smaller(value, piece.upper)

    mean, deviation = gaussian.mean, gaussian.deviation
    return Chart(
        variable=v,
        field=at_value,
        density=NormalPdf((at_value - mean) / deviation) / deviation * jacobian,
        jacobian=jacobian,
        lower=locate(mean - CUT * deviation),
        upper=locate(mean + CUT * deviation),
        locate=locate,
        rules={
            Proximal: v,
            ProximalSlope: 1 / (1 + scale * curvature),
            MoreauEnvelope: scale * slope**2 / 2 + smooth,
        },
        by_parameter=smooth.diff,
        edges=frozenset({piece.lower, piece.upper}),
    )


def _resting_chart(
    gaussian: GaussianField,
    problem: Problem,
    piece: Piece,
    kink: sp.Expr,
    begin: sp.Expr | None,
    end: sp.Expr | None,
    pull: sp.Symbol,
) -> Chart:
    """Chart on which the value rests at a kink or a wall while the field moves.

    Its variable is the slope ``(point - kink)/scale`` with which the field pulls at the value. It
    has the range of the slopes that meet at the kink, whatever the scale: no digit cancels.
    """
    _, bound, point, scale = problem
    gain = point.diff(gaussian.symbol)
    at_kink = piece.expression.subs(bound, kink)
    mean, deviation = gaussian.mean, gaussian.deviation
    field_of_pull = (kink + scale * pull) / gain

    def locate(target: sp.Expr) -> sp.Expr:
        return (gain * target - kink) / scale

    lower, upper = locate(mean - CUT * deviation), locate(mean + CUT * deviation)
    if begin is not None:
        lower = Smaller(Larger(lower, sp.expand(locate(begin))), upper)
    if end is not None:
        upper = Larger(Smaller(upper, sp.expand(locate(end))), lower)
    return Chart(
        variable=pull,
        field=field_of_pull,
        density=NormalPdf((field_of_pull - mean) / deviation) * scale / (gain * deviation),
        jacobian=scale / gain,
        lower=lower,
        upper=upper,
        locate=locate,
        rules={
            Proximal: kink,
            ProximalSlope: sp.S.Zero,
            MoreauEnvelope: scale * pull**2 / 2 + at_kink,
        },
        by_parameter=lambda p: -pull * kink.diff(p) + at_kink.diff(p),
    )
