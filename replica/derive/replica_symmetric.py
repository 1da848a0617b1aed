"""Replica-symmetric saddle point of a declared system (calculus, sections 2 to 5)."""

from __future__ import annotations

import math
from dataclasses import replace

import sympy as sp

from replica.calculus.nodes import Average, LabelAverage
from replica.calculus.spectra import SiteAverage
from replica.declare.laws import Law, Spherical
from replica.declare.shared import SharedField
from replica.declare.sites import estimate
from replica.declare.symbols import TEACHER_OVERLAP, Parameter, V, beta, chi, m, q, q_d
from replica.declare.system import System
from replica.declare.variables import Site, Test, Train
from replica.derive.field import FieldTerms, field_terms, scalar_update
from replica.derive.saddle_point import SaddlePoint, Unknown
from replica.derive.shared_field import shared_terms
from replica.derive.site import SiteTerms, Vhat, mhat, qhat, site_terms
from replica.derive.tidy import tidy

POSITIVE = (0.0, math.inf)
REAL = (-math.inf, math.inf)


def derive_replica_symmetric(system: System, *, reduce: bool = True) -> SaddlePoint:
    """Derive the replica-symmetric saddle point.

    Parameters
    ----------
    system : System
    reduce : bool
        Use the Nishimori identities where the declaration is recognised as Bayes-optimal.
    """
    zero = system.zero_temperature
    site = site_terms(system)
    terms = _overlap_terms(system)
    reduced = reduce and is_bayes_optimal(system)
    second, norm = teacher_overlap(system)
    fields = [
        (
            item.load,
            shared_terms(system, item, self_teacher=second, reduced=reduced)
            if isinstance(item, SharedField)
            else field_terms(item, zero_temperature=zero, self_teacher=second, reduced=reduced),
        )
        for item in system.fields
    ]
    conjugates = _conjugates(system, site, terms, fields)
    functional = _functional(system, site, terms, fields)
    replicon = _replicon(system, site, fields)
    unknowns = _unknowns(system, site, fields, terms)
    observables = {
        name: _observable(value, system, site, fields) for name, value in system.observables.items()
    }
    stationary = [u.symbol for u in unknowns] + [s for s, _ in conjugates]
    constants: dict[sp.Symbol, sp.Expr] = {}
    if zero and site.fixed_norm:
        constants[q] = self_overlap(system)
    constraints: dict[sp.Symbol, sp.Expr] = {}
    if site.constraint is not None or (site.fixed_norm and not zero):
        constraints[q] = self_overlap(system) - (0 if zero else V)
    if reduced:
        constants |= {m: q, mhat: qhat, Vhat: qhat}
        assert second is not None
        unknowns = [u for u in unknowns if u.symbol != m]
        conjugates = [(s, e) for s, e in conjugates if s == qhat]
        stationary, constraints = [], {}
    definitions = list(norm)
    if not zero:
        temperature = system.temperature
        if temperature == 1:
            constants[beta] = sp.S.One
        else:
            definitions.append((beta, 1 / temperature))
            observables |= _thermodynamics(functional)
    observables = {"free_energy": -functional, **observables} if zero else observables

    def fix(expression: sp.Expr) -> sp.Expr:
        return tidy(expression.subs(constants) if constants else expression)

    return SaddlePoint(
        name=system.name,
        ansatz="replica symmetric",
        parameters=system.parameters,
        definitions=tuple(definitions),
        conjugates=tuple((s, fix(e)) for s, e in conjugates),
        unknowns=tuple(
            replace(
                u,
                update=fix(u.update),
                square=None if u.square in constants else u.square,
                condition=None if u.condition is None else _zero_of(fix(u.condition)),
            )
            for u in unknowns
            if u.symbol not in constants
        ),
        free_entropy=fix(functional),
        replicon=None if replicon is None else fix(replicon),
        observables={name: fix(e) for name, e in observables.items()},
        stationary=tuple(s for s in stationary if s not in constants and s not in constraints),
        constraints=tuple(constraints.items()),
        zero_temperature=zero,
        bayes_optimal=reduced,
        default_start=system.start if isinstance(system.start, str) else "uninformed",
    )


def _zero_of(condition: sp.Expr) -> sp.Expr:
    """Drop factors of a condition that do not vanish where it does: signs, steps, parameters."""
    average, factor = condition.as_independent(LabelAverage, Average, as_Add=False)[::-1]
    if average != 1:
        return average
    return sp.fraction(sp.factor(factor))[0]


def is_bayes_optimal(system: System) -> bool:
    """Whether the declaration matches student and teacher, so that the Nishimori identities hold.

    Recognised from equal declarations: the prior is the quenched law, every field's likelihood is
    the channel of its labels, and the overlap terms satisfy the identities by themselves.
    """
    prior, quenched = system.thermal.prior, system.quenched
    if system.zero_temperature or system.temperature != 1 or system.extremised or quenched is None:
        return False
    if not isinstance(prior, Law) or prior.normalised != quenched.law.normalised:
        return False
    if quenched.self_overlap is not None:
        return False  # what no student sees is no part of the channel
    if system.thermal.penalty != 0 or not all(f.matched for f in system.fields):
        return False
    overlap = _overlap_terms(system)
    second, _ = teacher_overlap(system)
    nishimori = {m: q, V: second - q, beta: 1}
    m_conjugate = overlap.diff(m).subs(nishimori)
    V_conjugate = (-2 * overlap.diff(q)).subs(nishimori)
    q_conjugate = (2 * overlap.diff(V) - 2 * overlap.diff(q)).subs(nishimori)
    same = sp.simplify(m_conjugate - q_conjugate) == 0
    return bool(same and sp.simplify(V_conjugate - q_conjugate) == 0)


def _overlap_terms(system: System) -> sp.Expr:
    """Extensive terms of the overlaps per replica, ``g(q_d) - g(q) + u(m, q_d)``."""
    if not system.zero_temperature:
        pair = system.pair.subs(q, q + V) - system.pair
        return pair + system.overlap.subs(q_d, q + V)
    shifted = q + chi / beta
    pair = (system.pair.subs(q, shifted) - system.pair) / beta
    return sp.limit(sp.expand(pair), beta, sp.oo) + sp.limit(
        sp.expand(system.overlap.subs(q_d, shifted) / beta), beta, sp.oo
    )


def _conjugates(
    system: System, site: SiteTerms, terms: sp.Expr, fields: list[tuple[sp.Expr, FieldTerms]]
) -> list[tuple[sp.Symbol, sp.Expr]]:
    zero = system.zero_temperature
    by_q, by_spread = terms.diff(q), terms.diff(chi if zero else V)
    q_conjugate = 2 * by_spread - (0 if zero else 2 * by_q)
    V_conjugate, m_conjugate = -2 * by_q, terms.diff(m)
    for load, item in fields:
        m_conjugate += load * item.m_conjugate
        q_conjugate += load * item.q_conjugate
        V_conjugate += load * item.V_conjugate
    conjugates = [(qhat, sp.expand(q_conjugate) if not fields else q_conjugate)]
    if system.quenched is not None:
        conjugates.insert(0, (mhat, m_conjugate))
    if site.constraint is not None:
        conjugates.append((Vhat, site.constraint))
    elif not site.fixed_norm:
        conjugates.append((Vhat, V_conjugate))
    return conjugates


def _functional(
    system: System, site: SiteTerms, terms: sp.Expr, fields: list[tuple[sp.Expr, FieldTerms]]
) -> sp.Expr:
    spread = chi if system.zero_temperature else V
    functional = -qhat * spread / 2 + site.average(site.potential) + terms
    if system.quenched is not None:
        functional -= mhat * m
    if site.constraint is not None or not site.fixed_norm:
        functional += Vhat * (q + (0 if system.zero_temperature else V)) / 2
    for load, item in fields:
        functional += load * item.value
    return functional


def _replicon(system: System, site: SiteTerms, fields: list[tuple[sp.Expr, FieldTerms]]) -> sp.Expr:
    if site.response.has(sp.DiracDelta):
        return -sp.oo  # spins at T = 0: the response is a delta function
    if system.zero_temperature:
        curvature = sp.limit(sp.expand(system.pair.diff(q, 2) / beta**2), beta, sp.oo)
    else:
        curvature = system.pair.diff(q, 2)
    interaction = 2 * curvature
    for load, item in fields:
        interaction += load * item.replicon
    return 1 - interaction * site.stiffness


def self_overlap(system: System) -> sp.Expr:
    """Second moment of the thermal variable where its measure fixes it, else a scale of one."""
    prior = system.thermal.prior
    if not isinstance(prior, (Law, Spherical)):
        return sp.S.One
    return system.site_mean(system.thermal.metric * prior.second_moment)


def teacher_overlap(
    system: System,
) -> tuple[sp.Expr | None, tuple[tuple[sp.Symbol, sp.Expr], ...]]:
    """Self-overlap of the quenched variable; an average over sites gets a name and a definition."""
    overlap = system.teacher_overlap
    if overlap is None or not overlap.has(SiteAverage):
        return overlap, ()
    return TEACHER_OVERLAP, ((TEACHER_OVERLAP, overlap),)


def _unknowns(
    system: System, site: SiteTerms, fields: list[tuple[sp.Expr, FieldTerms]], terms: sp.Expr
) -> list[Unknown]:
    zero = system.zero_temperature
    size = _scale(self_overlap(system))
    unknowns = []
    spread = chi if zero else V
    # Bayes-optimal branches may begin next to no and to perfect recovery: start as near as that.
    matched = is_bayes_optimal(system)
    small = sp.Rational(1, 10**6) if matched else sp.Rational(1, 100)
    near = small if matched else sp.Rational(5, 100)
    if system.quenched is not None:
        overlap = system.teacher_overlap
        assert overlap is not None
        reach = sp.sqrt(size * _scale(overlap))
        starts = {"uninformed": reach * small, "informed": reach * (1 - near)}
        unknowns.append(Unknown(m, site.m, REAL, starts, "overlap with the quenched variable", q))
    # Thermal variances are small at low temperature: beta V < 1 keeps attractive energies stable.
    warmth = system.temperature / (1 + system.temperature)
    loose = 1 - small if matched else warmth
    tight = near if matched else warmth / 10
    starts = {"uninformed": size * (1 - loose), "informed": size * (1 - tight)}
    if zero:
        starts = {"uninformed": size / 2, "informed": size * (1 - near)}
    unknowns.append(Unknown(q, site.q, POSITIVE, starts, "overlap of two replicas"))
    starts = {"uninformed": size * loose, "informed": size * tight}
    if zero:
        starts = {"uninformed": sp.S.Half, "informed": sp.Rational(1, 10)}
    doc = "susceptibility" if zero else "variance of the thermal variable"
    unknowns.append(Unknown(spread, site.V, POSITIVE, starts, doc))
    for scalar in system.extremised:
        slopes = [(load, f.channel, f.derivative(scalar.symbol)) for load, f in fields]
        update, condition = scalar_update(scalar.symbol, slopes, terms.diff(scalar.symbol))
        start = {"uninformed": sp.Float(scalar.start), "informed": sp.Float(scalar.start)}
        unknowns.append(
            Unknown(
                scalar.symbol, update, REAL, start, scalar.doc or "extremised scalar", q, condition
            )
        )
    if not isinstance(system.start, str):
        given = {str(k): sp.sympify(v) for k, v in system.start.items()}
        unknowns = [
            replace(
                u,
                starts={**u.starts, "uninformed": given.get(str(u.symbol), u.starts["uninformed"])},
            )
            for u in unknowns
        ]
    return unknowns


def _scale(overlap: sp.Expr) -> sp.Expr:
    """An overlap as a scale for starts: averages over sites at the defaults of the parameters."""
    if not overlap.has(SiteAverage):
        return overlap
    defaults = {s: s.default for s in overlap.free_symbols if isinstance(s, Parameter)}
    value = estimate(overlap, defaults)
    assert value is not None
    return sp.Float(value)


def _observable(
    value: sp.Expr, system: System, site: SiteTerms, fields: list[tuple[sp.Expr, FieldTerms]]
) -> sp.Expr:
    def channel_of(node: sp.Expr) -> FieldTerms:
        for item, (_, terms) in zip(system.fields, fields, strict=True):
            if item.h in node.free_symbols:
                return terms
        return fields[0][1]

    value = value.replace(Test, lambda e: channel_of(e).channel.test(e))
    value = value.replace(Train, lambda e: channel_of(e).channel.train(e))
    value = value.replace(Site, lambda e: site.average(e.subs(system.thermal.symbol, site.mean)))
    if not system.zero_temperature:
        value = value.subs(q_d, q + V)
    return value


def _thermodynamics(functional: sp.Expr) -> dict[str, sp.Expr]:
    """Free energy, energy and entropy from the explicit temperature dependence."""
    energy = -functional.diff(beta)
    return {
        "free_energy": -functional / beta,
        "energy": energy,
        "entropy": functional + beta * energy,
    }
