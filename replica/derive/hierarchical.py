"""Saddle point with steps of replica-symmetry breaking (calculus, section 2).

One object does the work: the nested log-average of a potential ``f``,
``f_l(w) = log E exp(x_l f_{l+1}(w_l)) / x_l`` with ``w_l ~ Normal(w, v_l)``, and the tilted
averages that its derivatives are made of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import sympy as sp

from replica.calculus.nodes import gaussian_average
from replica.declare.symbols import Parameter, V, beta, chi, m, q, q_d
from replica.declare.system import System
from replica.declare.variables import Extremised
from replica.derive.ansatz import Ansatz
from replica.derive.field import Channel, build_channel, scalar_update
from replica.derive.replica_symmetric import POSITIVE, REAL, self_overlap as _self_overlap
from replica.derive.saddle_point import SaddlePoint, Unknown
from replica.derive.site import FIELD, SiteTerms, Vhat, mhat, qhat, site_terms


@dataclass(frozen=True)
class Nested:
    """Nested log-average of a potential and what its stationarity needs.

    ``overlap[l]`` is the tilted average of ``(f_{l+1}')**2`` down to level 0, ``slope`` that of
    ``f''``; ``score`` and ``curvature`` are the derivatives of ``f_1``. ``tilt`` is the tilted
    average of any expression of the innermost field, down to level 0.
    """

    value: sp.Expr
    score: sp.Expr
    curvature: sp.Expr
    overlap: tuple[sp.Expr, ...]
    slope: sp.Expr
    tilt: Callable[[sp.Expr], sp.Expr]


def nested_log_average(
    potential: tuple[sp.Expr, sp.Expr, sp.Expr],
    variable: sp.Symbol,
    variances: tuple[sp.Expr, ...],
    parisi: tuple[sp.Expr, ...],
) -> Nested:
    """Work out the nested log-average.

    Parameters
    ----------
    potential : tuple
        ``f``, ``f'``, ``f''`` as functions of ``variable``.
    variable : Symbol
        Field of level 0, of which the result is a function.
    variances : tuple
        ``v_1, ..., v_r``.
    parisi : tuple
        ``x_1, ..., x_r``.
    """
    steps = len(variances)
    levels = [variable, *(sp.Symbol(f"{variable}_{i + 1}", real=True) for i in range(steps))]
    value, score, curvature = (e.subs(variable, levels[-1]) for e in potential)
    overlaps, slope = [score**2], curvature
    tilts: list[Callable[[sp.Expr], sp.Expr]] = []
    for level in range(steps, 0, -1):
        x, v = parisi[level - 1], variances[level - 1]
        here, above = levels[level], levels[level - 1]
        weight = sp.exp(x * value)
        norm = gaussian_average(weight, here, above, v)

        def tilted(
            expression: sp.Expr,
            here: sp.Symbol = here,
            above: sp.Symbol = above,
            v: sp.Expr = v,
            weight: sp.Expr = weight,
            norm: sp.Expr = norm,
        ) -> sp.Expr:
            return gaussian_average(weight * expression, here, above, v) / norm

        tilts.append(tilted)
        slope = tilted(slope)
        overlaps = [tilted(o) for o in overlaps]
        lower_score = tilted(score)
        curvature = tilted(curvature) + x * tilted(score**2) - x * lower_score**2
        value, score = sp.log(norm) / x, lower_score
        overlaps.insert(0, score**2)

    def tilt(expression: sp.Expr) -> sp.Expr:
        expression = expression.subs(variable, levels[-1])
        for step in tilts:
            expression = step(expression)
        return expression

    return Nested(value, score, curvature, tuple(overlaps), slope, tilt)


def derive_hierarchical(system: System, ansatz: Ansatz) -> SaddlePoint:
    """Derive the saddle point for a hierarchical ansatz, without Bayes-optimal reduction."""
    zero = system.zero_temperature
    steps, overlaps, conjugates = ansatz.steps, ansatz.overlaps, ansatz.conjugates
    spread = chi if zero else V
    letter, largest = ("y", math.inf) if zero else ("x", 1.0)
    parisi = tuple(
        Parameter(
            f"{letter}{i}",
            i / (steps + 1),
            (0, largest),
            "Parisi parameter",
            symbol=f"{letter}_{i}",
            open="lower",
        )
        for i in range(1, steps + 1)
    )
    site = site_terms(system)
    gaps = tuple(b - a for a, b in pairwise(overlaps))
    hat_gaps = tuple(b - a for a, b in pairwise(conjugates))
    inner = nested_log_average((site.potential, site.mean, site.response), FIELD, hat_gaps, parisi)
    functional = site.average(inner.value).subs(qhat, conjugates[0])
    extra = _overlap_terms(system, ansatz, parisi)
    functional += extra + _conjugate_terms(system, ansatz, parisi, spread, site.fixed_norm)
    hats = [2 * _level_derivative(system, overlap) for overlap in overlaps]
    V_conjugate = -2 * _self_derivative(system, overlaps[-1], spread)
    m_conjugate = extra.diff(m)
    forces: dict[Extremised, list[tuple[sp.Expr, Channel, sp.Expr]]] = {
        scalar: [] for scalar in system.extremised
    }
    second = system.teacher_overlap
    for item in system.fields:
        channel = build_channel(item, zero_temperature=zero, self_teacher=second, reduced=False)
        f = channel.potential
        nested = nested_log_average(
            (f.log, f.score, f.slope), channel.variable,
            tuple(item.variance * gap for gap in gaps), parisi,
        )  # fmt: skip
        load, delta = item.load, item.variance

        def average(expression: sp.Expr, channel=channel) -> sp.Expr:  # type: ignore[no-untyped-def]
            result: sp.Expr = channel.average(expression).subs(q, overlaps[0])
            return result

        functional += load * average(nested.value)
        hats = [
            hat + load * delta * average(o) for hat, o in zip(hats, nested.overlap, strict=True)
        ]
        V_conjugate -= load * delta * average(nested.slope)
        for scalar in forces:
            force = nested.tilt(f.log.diff(scalar.symbol))
            force += item.mean.diff(scalar.symbol) * nested.score
            forces[scalar].append((load, channel, average(force)))
        if item.mean.has(m):
            m_conjugate += load * average(item.mean.diff(m) * nested.score)
        if item.labels is not None:
            if channel.variable.name == "r":
                score = -channel.average(nested.curvature)
            else:
                score = channel.teacher_score(nested.score)
            m_conjugate += load * delta * score.subs(q, overlaps[0])
    pairs = list(zip(conjugates, hats, strict=True))
    if system.quenched is not None:
        pairs.insert(0, (mhat, m_conjugate))
    spherical = site.constraint is not None
    if not spherical and not site.fixed_norm:
        pairs.append((Vhat, V_conjugate))
    unknowns = _unknowns(system, ansatz, spread, inner, site, spherical)
    for scalar, slopes in forces.items():
        start = dict.fromkeys(("uninformed", "informed"), sp.Float(scalar.start))
        update, condition = (
            e.subs(q, overlaps[-1])
            for e in scalar_update(scalar.symbol, slopes, extra.diff(scalar.symbol))
        )
        unknowns.append(
            Unknown(scalar.symbol, update, REAL, start, scalar.doc, overlaps[-1], condition)
        )
    definitions = () if zero or system.temperature == 1 else ((beta, 1 / system.temperature),)
    constants = {beta: sp.S.One} if system.temperature == 1 else {}
    observables = {f"stationarity_{x.python_name}": functional.diff(x) for x in parisi}
    return SaddlePoint(
        name=system.name,
        ansatz=f"{steps}-step replica-symmetry breaking",
        parameters=system.parameters | {x.python_name: x for x in parisi},
        definitions=definitions,
        conjugates=tuple((s, e.subs(constants)) for s, e in pairs),
        unknowns=tuple(
            replace(
                u,
                update=u.update.subs(constants),
                condition=None if u.condition is None else u.condition.subs(constants),
            )
            for u in unknowns
        ),
        free_entropy=functional.subs(constants),
        replicon=None,
        observables={k: e.subs(constants) for k, e in observables.items()},
        stationary=(*(u.symbol for u in unknowns), *(s for s, _ in pairs)),
        zero_temperature=zero,
    )


def _weights(ansatz: Ansatz, parisi: tuple[sp.Expr, ...], zero: bool) -> list[sp.Expr]:
    """``x_{l+1} - x_l`` of every level; at zero temperature ``-y_r`` (plus beta) for the last."""
    ends = [sp.S.Zero, *parisi]
    weights = [b - a for a, b in pairwise(ends)]
    return [*weights, (-ends[-1] if zero else 1 - ends[-1])]


def _conjugate_terms(
    system: System, ansatz: Ansatz, parisi: tuple[sp.Expr, ...], spread: sp.Expr, fixed_norm: bool
) -> sp.Expr:
    zero = system.zero_temperature
    weights = _weights(ansatz, parisi, zero)
    top, top_hat = ansatz.overlaps[-1], ansatz.conjugates[-1]
    pairs = zip(weights, ansatz.overlaps, ansatz.conjugates, strict=True)
    total = sp.Add(*(w * a * b for w, a, b in pairs)) / 2
    total -= top_hat * spread / 2
    if not zero:
        total -= top_hat * top / 2
    if not fixed_norm:
        total += Vhat * (top + (0 if zero else spread)) / 2
    return total - (mhat * m if system.quenched is not None else 0)


def _overlap_terms(system: System, ansatz: Ansatz, parisi: tuple[sp.Expr, ...]) -> sp.Expr:
    """``g(q_d) - sum_l (x_{l+1} - x_l) g(q_l) + u(m, q_d)``, or its zero-temperature limit."""
    zero, top = system.zero_temperature, ansatz.overlaps[-1]
    self_overlap = top + (chi / beta if zero else V)
    total = system.pair.subs(q, self_overlap) + system.overlap.subs(q_d, self_overlap)
    for weight, overlap in zip(_weights(ansatz, parisi, zero), ansatz.overlaps, strict=True):
        total -= (weight / beta if zero else weight) * system.pair.subs(q, overlap)
    if not zero:
        return total
    total = (total - system.pair.subs(q, top)) / beta
    return sp.limit(sp.expand(total), beta, sp.oo)


def _level_derivative(system: System, overlap: sp.Symbol) -> sp.Expr:
    """``g'(q_l)``, divided by ``beta**2`` in the zero-temperature limit."""
    derivative = system.pair.diff(q).subs(q, overlap)
    if system.zero_temperature:
        return sp.limit(sp.expand(derivative / beta**2), beta, sp.oo)
    return derivative


def _self_derivative(system: System, top: sp.Symbol, spread: sp.Expr) -> sp.Expr:
    """``g'(q_d) - g'(q_r) + u_qd``, divided by ``beta`` in the zero-temperature limit."""
    zero = system.zero_temperature
    self_overlap = top + (spread / beta if zero else spread)
    slope = system.pair.diff(q)
    total = slope.subs(q, self_overlap) - slope.subs(q, top)
    total += system.overlap.diff(q_d).subs(q_d, self_overlap)
    return sp.limit(sp.expand(total / beta), beta, sp.oo) if zero else total


def _unknowns(
    system: System,
    ansatz: Ansatz,
    spread: sp.Symbol,
    inner: Nested,
    site: SiteTerms,
    spherical: bool,
) -> list[Unknown]:
    """Unknowns with their updates; on the sphere the conjugate of the self-overlap is one."""
    hats = ansatz.conjugates
    size = _self_overlap(system)

    def average(expression: sp.Expr) -> sp.Expr:
        return site.average(expression).subs(qhat, hats[0])

    def both(value: sp.Expr) -> dict[str, sp.Expr]:
        return {"uninformed": value, "informed": value}

    unknowns = []
    if system.quenched is not None:
        update = sp.Add(
            *(
                weight
                * (
                    mu * gaussian_average(inner.score, FIELD, *site.law(mu, var))
                    + mhat * var * gaussian_average(inner.curvature, FIELD, *site.law(mu, var))
                )
                for weight, mu, var in site.components
            )
        ).subs(qhat, hats[0])
        top = ansatz.overlaps[-1]
        unknowns.append(Unknown(m, update, REAL, both(size / 2), "overlap", top))
    for level, (symbol, overlap) in enumerate(zip(ansatz.overlaps, inner.overlap, strict=True)):
        start = size * sp.Rational(level + 1, ansatz.steps + 2)
        unknowns.append(
            Unknown(symbol, average(overlap), POSITIVE, both(start), f"overlap of level {level}")
        )
    unknowns.append(
        Unknown(spread, average(inner.slope), POSITIVE, both(size / (ansatz.steps + 2)), "")
    )
    if spherical:
        self_overlap = inner.overlap[-1] + (0 if system.zero_temperature else inner.slope)
        update = Vhat * average(self_overlap) / size
        unknowns.append(
            Unknown(Vhat, update, POSITIVE, both(sp.Integer(2)), "conjugate of the self-overlap")
        )
    return unknowns
