"""The site piece of the free entropy: single-site measure and its averages.

The single-site problem is ``F(h) = log int dP(s) exp(-Vhat s**2/2 + h s)`` at finite temperature
and ``max_s [-Vhat s**2/2 + h s - r(s)]`` at zero, in the field ``h = sqrt(qhat) z + mhat t``.
With a Gaussian-mixture law of ``t`` the field is itself a mixture of Gaussians, so that every
average is one-dimensional (calculus, section 2).

Where sites differ, all this is worked out at given constants of a site and averaged over them. A
metric ``w`` of the overlaps multiplies their conjugates: ``Vhat w``, ``qhat w``, ``mhat w``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import sympy as sp

from replica.calculus.convex import is_convex, require_convex, sample_values
from replica.calculus.nodes import (
    MoreauEnvelope,
    Proximal,
    ProximalSlope,
    gaussian_average,
)
from replica.calculus.special import LogCosh, LogSumExp, Sigmoid, Softplus, stabilise
from replica.declare.laws import Law, Spherical
from replica.declare.symbols import beta
from replica.declare.system import System
from replica.derive.smoothing import smooth
from replica.errors import DerivationError

mhat = sp.Symbol("mhat", real=True)
qhat = sp.Symbol("qhat", nonnegative=True)
Vhat = sp.Symbol("Vhat", real=True)
FIELD = sp.Symbol("xi", real=True)


@dataclass(frozen=True)
class SiteTerms:
    """The single-site potential, its derivatives in the field, and the law of the field."""

    potential: sp.Expr
    mean: sp.Expr
    response: sp.Expr
    components: tuple[tuple[sp.Expr, sp.Expr, sp.Expr], ...]
    constraint: sp.Expr | None  # explicit Vhat where a spherical constraint fixes it
    fixed_norm: bool
    metric: sp.Expr = sp.S.One
    over_sites: Callable[[sp.Expr], sp.Expr] = lambda expression: expression

    def average(self, expression: sp.Expr) -> sp.Expr:
        """Average over the sites, the quenched law and the Gaussian field."""
        return self.over_sites(self._local(expression))

    def _local(self, expression: sp.Expr) -> sp.Expr:
        if expression.has(sp.Heaviside):
            expression = _whole_steps(expression)
        return sp.Add(
            *(
                weight * gaussian_average(expression, FIELD, *self.law(mu, var, self.metric))
                for weight, mu, var in self.components
            )
        )

    @staticmethod
    def law(mu: sp.Expr, var: sp.Expr, metric: sp.Expr = sp.S.One) -> tuple[sp.Expr, sp.Expr]:
        """Mean and variance of the field for one component of the quenched law."""
        return mhat * metric * mu, qhat * metric + mhat**2 * metric**2 * var

    @property
    def m(self) -> sp.Expr:
        """``E[t <s>]`` by Gaussian integration by parts."""
        total = sp.S.Zero
        for weight, mu, var in self.components:
            law = self.law(mu, var, self.metric)
            if mu != 0:
                total += weight * mu * gaussian_average(self.mean, FIELD, *law)
            if var != 0:
                slope = mhat * self.metric * var
                total += weight * slope * gaussian_average(self.response, FIELD, *law)
        return self.over_sites(self.metric * total)

    @property
    def q(self) -> sp.Expr:
        """``E[<s>**2]``."""
        return self.over_sites(self.metric * self._local(self.mean**2))

    @property
    def V(self) -> sp.Expr:
        """``E[d<s>/dh]``."""
        return self.over_sites(self.metric * self._local(self.response))

    @property
    def stiffness(self) -> sp.Expr:
        """``E[(d<s>/dh)**2]``, of which the replicon is made."""
        return self.over_sites(self.metric**2 * self._local(self.response**2))


def site_terms(system: System) -> SiteTerms:
    """Work out the single-site problem of a declared system."""
    thermal, prior = system.thermal, system.thermal.prior
    penalty = _penalty(system)
    components: tuple[tuple[sp.Expr, sp.Expr, sp.Expr], ...] = ((sp.S.One, sp.S.Zero, sp.S.Zero),)
    if system.quenched is not None:
        components = system.quenched.law.normalised
    zero = system.zero_temperature
    scale = sp.S.One if zero else beta
    constraint, fixed_norm = None, False
    if isinstance(prior, Spherical):
        potential = _quadratic_site(thermal.symbol, penalty, scale, zero)
        constraint = _spherical(prior, potential, components, zero)
    elif isinstance(prior, Law) and prior.fixed_norm:
        potential, fixed_norm = _spin(prior, thermal.symbol, penalty, scale, zero), True
    elif isinstance(prior, Law) and zero:
        potential = _better_of_two(prior, thermal.symbol, penalty)
    elif isinstance(prior, Law):
        potential = _mixture(prior, thermal.symbol, penalty, scale)
    else:
        potential = _penalised(thermal.symbol, penalty, scale, zero)
    if _is_even(potential[0]):
        components = _without_mirror_images(components)
    metric = thermal.metric
    if metric != 1:
        potential = tuple(e.subs(Vhat, metric * Vhat) for e in potential)
    return SiteTerms(*potential, components, constraint, fixed_norm, metric, system.site_mean)


def _is_even(potential: sp.Expr) -> bool:
    """Whether the field may change its sign."""

    def ordered(expression: sp.Expr) -> sp.Expr:
        return expression.replace(
            LogSumExp, lambda *logs: LogSumExp(*sorted(logs, key=sp.default_sort_key))
        )

    return bool(ordered(potential.subs(FIELD, -FIELD)) == ordered(potential))


def _without_mirror_images(
    components: tuple[tuple[sp.Expr, sp.Expr, sp.Expr], ...],
) -> tuple[tuple[sp.Expr, sp.Expr, sp.Expr], ...]:
    """Merge components of the quenched law that differ only by the sign of their mean."""
    merged: dict[tuple[sp.Expr, sp.Expr], sp.Expr] = {}
    for weight, mean, variance in components:
        mirrored = (sp.simplify(-mean), variance)
        if mean != 0 and merged.get(mirrored) == weight:
            del merged[mirrored]
            positive = mirrored[0] if mean.could_extract_minus_sign() else mean
            merged[positive, variance] = 2 * weight
        else:
            merged[mean, variance] = merged.get((mean, variance), sp.S.Zero) + weight
    return tuple((weight, *law) for law, weight in merged.items())


def _penalty(system: System) -> sp.Expr:
    penalty, s = stabilise(system.thermal.penalty), system.thermal.symbol
    if system.quenched is not None and system.quenched.symbol in penalty.free_symbols:
        raise DerivationError(
            f"model {system.name}: the penalty of {s} contains the quenched variable "
            f"{system.quenched.symbol}; declare that coupling as an overlap term."
        )
    return penalty


Potential = tuple[sp.Expr, sp.Expr, sp.Expr]


def _with_derivatives(potential: sp.Expr) -> Potential:
    mean = potential.diff(FIELD)
    return potential, mean, mean.diff(FIELD)


def _quadratic_coefficients(
    penalty: sp.Expr, s: sp.Symbol
) -> tuple[sp.Expr, sp.Expr, sp.Expr] | None:
    """``(a, b, c)`` of ``a s**2 + b s + c``, or None."""
    if not penalty.is_polynomial(s) or sp.degree(penalty, s) > 2:
        return None
    poly = sp.Poly(penalty, s)
    return poly.coeff_monomial(s**2), poly.coeff_monomial(s), poly.coeff_monomial(1)


def _quadratic_site(s: sp.Symbol, penalty: sp.Expr, scale: sp.Expr, zero: bool) -> Potential:
    coefficients = _quadratic_coefficients(penalty, s)
    if coefficients is None:
        raise DerivationError(
            f"the penalty {penalty} of {s} with a spherical constraint must be a polynomial of "
            "degree two."
        )
    curvature = Vhat + 2 * scale * coefficients[0]
    shifted = FIELD - scale * coefficients[1]
    potential = shifted**2 / curvature / 2 - scale * coefficients[2]
    if not zero:
        potential += sp.log(2 * sp.pi / curvature) / 2
    return _with_derivatives(potential)


def _spherical(
    prior: Spherical, potential: Potential, components: tuple[tuple[sp.Expr, ...], ...], zero: bool
) -> sp.Expr:
    """Conjugate of the self-overlap that keeps the constraint, solved for explicitly."""
    radius2 = sp.sympify(prior.radius2)
    shifted = potential[1] * Vhat  # the field, with its external part
    second = sp.Add(
        *(
            weight * gaussian_average(sp.expand(shifted**2), FIELD, *SiteTerms.law(mu, var))
            for weight, mu, var in components
        )
    )
    if Vhat in second.free_symbols:
        raise DerivationError("a quadratic penalty has no effect on the sphere; remove it.")
    if zero:
        return sp.sqrt(second / radius2)
    return (1 + sp.sqrt(1 + 4 * radius2 * second)) / (2 * radius2)


def _spin(prior: Law, s: sp.Symbol, penalty: sp.Expr, scale: sp.Expr, zero: bool) -> Potential:
    """Values +-a: the curvature drops out."""
    logs = [
        (sp.log(w) if not zero else 0) - scale * penalty.subs(s, mu) + FIELD * mu
        for w, mu, _ in prior.components
    ]
    if len(logs) == 1:
        return _with_derivatives(logs[0])
    middle, half = sp.expand((logs[0] + logs[1]) / 2), sp.expand((logs[0] - logs[1]) / 2)
    if zero:
        size = sp.Abs(prior.components[0][1])
        mean = middle.diff(FIELD) + half.diff(FIELD) * sp.sign(half)
        return middle + sp.Abs(half), mean, 2 * size**2 * sp.DiracDelta(half)
    return _with_derivatives(middle + sp.log(2) + LogCosh(half))


def _better_of_two(prior: Law, s: sp.Symbol, penalty: sp.Expr) -> Potential:
    """Two values at zero temperature: the one of larger exponent, both linear in the field."""
    (_, a, _), (_, b, _) = prior.components
    first, second = (FIELD * v - Vhat * v**2 / 2 - penalty.subs(s, v) for v in (a, b))
    gain = sp.expand(second - first)
    step = sp.Heaviside(gain)
    return first + gain * step, a + (b - a) * step, (b - a) ** 2 * sp.DiracDelta(gain)


def _whole_steps(expression: sp.Expr) -> sp.Expr:
    """Multiply out, with the powers of a step written as the step."""
    return sp.expand(expression).replace(
        lambda e: e.is_Pow and isinstance(e.base, sp.Heaviside) and e.exp.is_positive,
        lambda e: e.base,
    )


def _mixture(prior: Law, s: sp.Symbol, penalty: sp.Expr, scale: sp.Expr) -> Potential:
    """Gaussian mixtures and discrete priors: each component has a mean and a variance in the field.

    The response is written as the variance of the mixture, a sum of positive terms: the second
    derivative of the log-sum would cancel where the components are far apart.
    """
    quadratic = _quadratic_coefficients(penalty, s)
    logs, means, variances = [], [], []
    for weight, mu, var in prior.components:
        if var == 0:
            log = FIELD * mu - Vhat * mu**2 / 2 - scale * penalty.subs(s, mu)
        elif quadratic is not None:
            curvature = Vhat + 2 * scale * quadratic[0]
            field = FIELD - scale * quadratic[1]
            denominator = 1 + curvature * var
            log = (var * field**2 + 2 * mu * field - curvature * mu**2) / denominator / 2
            log -= sp.log(denominator) / 2 + scale * quadratic[2]
        else:
            raise DerivationError(
                f"the penalty {penalty} of {s} with the prior {prior} must be a polynomial of "
                "degree two; use a flat measure with the whole energy as penalty."
            )
        logs.append(log + sp.log(weight))
        means.append(log.diff(FIELD))
        variances.append(log.diff(FIELD, 2))
    total, shares = _weigh(logs)
    mean = sp.Add(*(p * a for p, a in zip(shares, means, strict=True)))
    response = sp.Add(*(p * v for p, v in zip(shares, variances, strict=True)))
    for (p, a), (r, b) in combinations(zip(shares, means, strict=True), 2):
        response += p * r * (a - b) ** 2
    return total, mean, response


def _weigh(logs: list[sp.Expr]) -> tuple[sp.Expr, list[sp.Expr]]:
    """Log of the sum of all weights and the share of each, from the logs of the weights."""
    if len(logs) == 2:  # differences only, so that large logs do not cancel in the shares
        first, second = logs
        difference = second - first
        return second + Softplus(-difference), [Sigmoid(-difference), Sigmoid(difference)]
    total = LogSumExp(*logs)
    return total, [sp.exp(log - total) for log in logs]


def _penalised(s: sp.Symbol, penalty: sp.Expr, scale: sp.Expr, zero: bool) -> Potential:
    """Flat measure with a penalty."""
    quadratic = _quadratic_coefficients(penalty, s)
    if quadratic is not None:
        if zero and quadratic[0].is_negative:
            raise DerivationError(
                f"the penalty {penalty} of {s} is not convex and has no minimum; where a loss "
                "shall hold it up, give its coefficient a parameter whose domain has both signs."
            )
        return _quadratic_site(s, penalty, scale, zero)
    centre = FIELD / Vhat
    if zero:
        for values in sample_values(penalty, s):
            require_convex(penalty, s, values)
        prox = Proximal(penalty, s, centre, 1 / Vhat)
        potential = FIELD**2 / Vhat / 2 - prox.same(MoreauEnvelope)
        return potential, prox, prox.same(ProximalSlope) / Vhat
    convex = all(is_convex(penalty, s, values) for values in sample_values(penalty, s))
    point = sp.Dummy("point", real=True)
    weight = sp.exp(-scale * penalty)
    smoothed = smooth(-scale * penalty, weight, s, point, 1 / Vhat, convex=convex)
    log, score, slope = (
        e.subs(point, centre) for e in (smoothed.log, smoothed.score, smoothed.slope)
    )
    potential = FIELD**2 / Vhat / 2 + sp.log(2 * sp.pi / Vhat) / 2 + log
    return potential, centre + score / Vhat, (1 + slope / Vhat) / Vhat
