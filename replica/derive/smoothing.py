"""Gaussian smoothing of a weight, ``Z(w) = E_eta W(w + sqrt(V) eta)``."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import sympy as sp

from replica.calculus.convex import convex_pieces, without_conditions
from replica.calculus.nodes import Average, MoreauEnvelope, Proximal
from replica.calculus.special import (
    LogNormalCdf,
    LogSumExp,
    NormalCdf,
    stabilise,
)
from replica.errors import DerivationError

ETA = sp.Symbol("eta", real=True)


@dataclass(frozen=True)
class Smoothed:
    """The smoothed weight: its logarithm and the first two derivatives in the centre ``w``.

    ``sample`` is the field as a function of a standard normal variable, with its weight, where
    both are known to be well scaled; ``energy`` is then minus the log of the weight, of the field,
    and ``walls`` are the symbols that move the ends of its support.
    """

    log: sp.Expr
    score: sp.Expr
    slope: sp.Expr
    sample: tuple[sp.Expr, sp.Expr] | None = None
    energy: sp.Lambda | None = None
    walls: frozenset[sp.Symbol] = frozenset()

    def of_margin(self, w: sp.Symbol, label: sp.Symbol) -> Smoothed:
        """The same of the weight of ``label * h``, for a label of values +-1."""
        log, score, slope = (e.subs(w, label * w) for e in (self.log, self.score, self.slope))
        sample, energy = self.sample, self.energy
        if sample is not None:
            sample = label * sample[0].subs(w, label * w), sample[1].subs(w, label * w)
        if energy is not None:
            (h,) = energy.variables
            energy = sp.Lambda(h, energy.expr.subs(h, label * h))
        return Smoothed(log, label * score, slope, sample, energy, self.walls)

    def derivative(self, parameter: sp.Symbol) -> sp.Expr:
        """Differentiate the logarithm with respect to a parameter of the weight."""
        if self.sample is None or self.energy is None:
            return self.log.diff(parameter)
        if parameter in self.walls:
            raise DerivationError(
                f"a hard wall of a loss moves with the scalar {parameter}, which is not supported "
                "at finite temperature; declare a constraint instead of the wall."
            )
        # The mean of the energy's own derivative: the centre moves too, and that cancels.
        field, weight = self.sample
        variable, energy = self.energy.variables[0], self.energy.expr
        slope = energy.diff(parameter)
        if slope == 0:
            return sp.S.Zero
        top = Average(slope.subs(variable, field) * weight, ETA)
        return -top / Average(weight, ETA)


def closed_smoothing(
    weight: sp.Expr, h: sp.Symbol, w: sp.Expr, variance: sp.Expr
) -> sp.Expr | None:
    """Closed form of ``E W(h)`` for ``h ~ Normal(w, variance)``, or None where no rule applies.

    Rules: sums of ``c Heaviside(a h + b)``, ``c NormalCdf(a h + b)`` (error functions are read as
    such) and constants; ``c exp`` of a polynomial of degree two.
    """
    total = sp.S.Zero
    for term in sp.Add.make_args(_as_normal_cdf(weight, h)):
        coefficient, body = term.as_independent(h, as_Add=False)
        if body == 1:
            total += coefficient
            continue
        value = _smooth_factor(body, h, w, variance)
        if value is None:
            return None
        total += coefficient * value
    return total


def _as_normal_cdf(weight: sp.Expr, h: sp.Symbol) -> sp.Expr:
    """Expand a weight and write its error functions as sums of positive ``NormalCdf``.

    What is subtracted is added with the other tail, ``1 - Phi(x) = Phi(-x)``: a difference would
    lose the tail.
    """
    expanded = weight
    if weight.has(sp.erf, sp.erfc):
        root2 = sp.sqrt(2)
        expanded = weight.replace(sp.erf, lambda x: 2 * NormalCdf(root2 * x) - 1)
        expanded = expanded.replace(sp.erfc, lambda x: 2 * NormalCdf(-root2 * x))
    terms = []
    for term in sp.Add.make_args(sp.expand_mul(expanded)):
        coefficient, body = term.as_independent(h, as_Add=False)
        if isinstance(body, NormalCdf) and _nonnegative(-coefficient):
            term = coefficient - coefficient * NormalCdf(-body.args[0])
        terms.append(term)
    return sp.Add(*terms)


def signs_inside(weight: sp.Expr, label: sp.Symbol) -> sp.Expr:
    """Move a label of values +-1 into error functions, ``y erf(x) = erf(y x)``."""

    def inside(product: sp.Expr) -> sp.Expr:
        head, odd = product.as_independent(sp.erf, as_Add=False)
        if isinstance(odd, sp.erf) and label in head.args:
            return head / label * sp.erf(sp.expand_mul(label * odd.args[0]))
        if isinstance(odd, sp.erf) and head == label:
            return sp.erf(sp.expand_mul(label * odd.args[0]))
        return product

    if not weight.has(sp.erf):
        return weight
    return sp.expand_mul(weight).replace(lambda e: e.is_Mul and e.has(sp.erf), inside)


def _smooth_factor(body: sp.Expr, h: sp.Symbol, w: sp.Expr, variance: sp.Expr) -> sp.Expr | None:
    body = sp.powsimp(body)
    if isinstance(body, (sp.Heaviside, NormalCdf)):
        slope = body.args[0].diff(h)
        if h in slope.free_symbols:
            return None
        centre, extra = body.args[0].subs(h, w), sp.Integer(isinstance(body, NormalCdf))
        top, bottom = sp.fraction(sp.together(slope))
        if bottom.is_nonnegative:  # the width of the step adds up with the field's; it may be zero
            return NormalCdf(
                sp.expand_mul(bottom * centre) / sp.sqrt(extra * bottom**2 + top**2 * variance)
            )
        return NormalCdf(centre / sp.sqrt(extra + slope**2 * variance))
    if isinstance(body, sp.exp):
        exponent = sp.expand(body.args[0])
        if not exponent.is_polynomial(h) or sp.degree(exponent, h) > 2:
            return None
        log = log_gaussian_integral(exponent, h, w, variance)
        return sp.exp(log)
    return None


def log_gaussian_integral(
    exponent: sp.Expr, h: sp.Symbol, w: sp.Expr, variance: sp.Expr
) -> sp.Expr:
    """``log E exp(a h**2 + b h + c)`` for ``h ~ Normal(w, variance)``."""
    poly = sp.Poly(exponent, h)
    a, b, c = (poly.coeff_monomial(h**k) for k in (2, 1, 0))
    denominator = 1 - 2 * a * variance
    quadratic = (a * w**2 + b * w + b**2 * variance / 2) / denominator
    return quadratic + c - sp.log(denominator) / 2


def smooth(
    log_weight: sp.Expr | None,
    weight: sp.Expr,
    h: sp.Symbol,
    w: sp.Symbol,
    variance: sp.Expr,
    unit_label: sp.Symbol | None = None,
    convex: bool = False,
) -> Smoothed:
    """Smooth a weight: closed form where a rule applies, else a nested Gaussian average.

    Parameters
    ----------
    log_weight : Expr or None
        Logarithm of the weight, where it is smooth (``-beta loss``).
    weight : Expr
        The weight itself.
    unit_label : Symbol, optional
        A label of values +-1, whose square is simplified to one.
    convex : bool
        Whether minus the log of the weight is convex.
    """

    def unit(expression: sp.Expr) -> sp.Expr:
        return expression if unit_label is None else simplify_signs(expression, unit_label)

    log: sp.Expr | None = None
    if log_weight is not None and log_weight.is_polynomial(h) and sp.degree(log_weight, h) <= 2:
        log = log_gaussian_integral(sp.expand(log_weight), h, w, variance)
    else:
        closed = closed_smoothing(weight, h, w, variance)
        if closed is not None:
            log = _log(unit(closed))
    if log is not None:
        log = unit(log)
        score = unit(log.diff(w))
        return Smoothed(log, score, unit(score.diff(w)))
    if convex and log_weight is not None:
        return smooth_convex(-log_weight, h, w, variance)
    if log_weight is not None and log_weight.has(sp.oo, -sp.oo):
        return smooth_walled(-log_weight, h, w, variance)
    body = stabilise(weight) if log_weight is None else sp.exp(stabilise(log_weight))
    moments = [Average(ETA**k * body.subs(h, w + sp.sqrt(variance) * ETA), ETA) for k in range(3)]
    first, second = moments[1] / moments[0], moments[2] / moments[0]
    return Smoothed(
        sp.log(moments[0]), first / sp.sqrt(variance), (second - 1 - first**2) / variance
    )


def smooth_convex(energy: sp.Expr, h: sp.Symbol, w: sp.Expr, variance: sp.Expr) -> Smoothed:
    """Smooth ``exp(-energy)`` of a convex energy around its most likely field.

    That field is the proximal operator, so that the log is minus a Moreau envelope plus the log of
    an average of ``exp(-Bregman divergence)``: nothing overflows, and no mass is far from the
    centre, at any temperature. Hard walls confine the average.
    """
    energy = stabilise(energy)
    smooth_energy = without_conditions(energy, h)
    walled = energy.has(sp.oo, -sp.oo)
    prox = Proximal(energy if walled else smooth_energy, h, w, variance)
    walls = _walls(energy, h) if walled else ()
    return _around(prox, smooth_energy, smooth_energy.subs(h, prox), walls)


def smooth_walled(energy: sp.Expr, h: sp.Symbol, w: sp.Expr, variance: sp.Expr) -> Smoothed:
    """Smooth ``exp(-energy)`` of any energy between hard walls around the nearest allowed field.

    Raises
    ------
    DerivationError
        If the energy jumps elsewhere than at the walls.
    """
    energy = stabilise(energy)
    pieces = convex_pieces(energy, h)
    for below, above in pairwise(pieces):
        jump = (above.expression - below.expression).subs(h, above.lower)
        if below.upper != above.lower or sp.simplify(jump) != 0:
            raise DerivationError(
                f"the energy {energy} with hard walls jumps between them; expected one interval "
                f"of {h} on which it is continuous."
            )
    walls = _walls(energy, h)
    inside = sp.And(*(side * (h - end) >= 0 for end, side in walls))
    prox = Proximal(sp.Piecewise((0, inside), (sp.oo, True)), h, w, variance)
    return _around(prox, without_conditions(energy, h), sp.S.Zero, walls)


Wall = tuple[sp.Expr, int]


def _walls(energy: sp.Expr, h: sp.Symbol) -> tuple[Wall, ...]:
    """The finite ends of the support, each with the side on which it lies."""
    pieces = convex_pieces(energy, h)
    ends = ((pieces[0].lower, 1), (pieces[-1].upper, -1))
    return tuple((end, side) for end, side in ends if end.is_finite is not False)


def _around(prox: Proximal, energy: sp.Expr, level: sp.Expr, walls: tuple[Wall, ...]) -> Smoothed:
    """Smooth ``exp(-energy)`` between walls around a proximal operator, from a level of energy.

    The envelope of the operator contains the level.
    """
    h, w, variance = prox.variable, prox.point, prox.scale
    width = sp.sqrt(variance)
    field = prox + width * ETA
    weight = sp.exp((w - prox) * ETA / width - energy.subs(h, field) + level)
    weight *= sp.Mul(*(sp.Heaviside(side * (field - end)) for end, side in walls))
    moments = [Average(ETA**k * weight, ETA) for k in range(3)]
    first, second = moments[1] / moments[0], moments[2] / moments[0]
    return Smoothed(
        sp.log(moments[0]) - prox.same(MoreauEnvelope),
        (prox - w) / variance + first / width,
        (second - first**2 - 1) / variance,
        (field, weight),
        sp.Lambda(h, energy),
        frozenset().union(*(end.free_symbols for end, _ in walls)),
    )


def simplify_signs(expression: sp.Expr, label: sp.Symbol) -> sp.Expr:
    """Simplify even powers of a label of values +-1."""
    return (
        expression.replace(
            lambda e: isinstance(e, sp.Pow) and e.base == label and e.exp.is_integer,
            lambda e: label ** (e.exp % 2),
        )
        .replace(
            lambda e: isinstance(e, sp.Pow) and e.base.is_Mul and label**2 in e.base.args,
            lambda e: (e.base / label**2) ** e.exp,
        )
        .subs(sp.Abs(label), 1)
    )


def _log(closed: sp.Expr) -> sp.Expr:
    """Logarithm of a sum of closed forms, split where it is a product."""
    coefficient, body = closed.as_independent(NormalCdf, as_Add=False)
    if isinstance(body, NormalCdf):
        log = LogNormalCdf(body.args[0])
        return log if coefficient == 1 else log + sp.log(coefficient)
    if isinstance(closed, sp.exp):
        return closed.args[0]
    if not closed.is_Add:
        return stabilise(sp.expand_log(sp.log(closed), force=True))
    weights: dict[sp.Expr, sp.Expr] = {}
    for term in closed.args:
        weight, factor = term.as_independent(NormalCdf, as_Add=False)
        weights[factor] = weights.get(factor, sp.S.Zero) + weight
    plain = all(factor == 1 or isinstance(factor, NormalCdf) for factor in weights)
    if plain and all(map(_nonnegative, weights.values())):
        # A term may vanish (no label noise) where the others underflow.
        logs = [
            sp.log(weight) + (0 if factor == 1 else LogNormalCdf(factor.args[0]))
            for factor, weight in weights.items()
        ]
        return LogSumExp(*logs)
    return sp.log(closed)


def _nonnegative(coefficient: sp.Expr) -> bool:
    """Whether a coefficient is a weight: by its sign, else by the defaults of its parameters."""
    if coefficient.is_nonnegative is not None:
        return bool(coefficient.is_nonnegative)
    defaults = {s: getattr(s, "default", None) for s in coefficient.free_symbols}
    if None in defaults.values():
        return False
    return bool(coefficient.subs(defaults) >= 0)
