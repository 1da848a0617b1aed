"""Replica-symmetric saddle point of a vector model with exchangeable classes.

Class permutations act irreducibly on the plane orthogonal to the uniform direction, so that every
overlap matrix is a scalar there, times the projector; ``m``, ``q`` and ``V`` or ``chi`` are those
scalars. The uniform direction has its own ``q_u`` and ``chi_u`` where the loss tells it.
"""

from __future__ import annotations

import sympy as sp

from replica.calculus.vector import VectorAverage
from replica.declare.symbols import V, beta, chi, m, q, q_d
from replica.declare.system import System
from replica.declare.variables import Site, Test, Train
from replica.declare.vectors import chi_u, q_u
from replica.derive.replica_symmetric import POSITIVE, REAL
from replica.derive.saddle_point import SaddlePoint, Unknown
from replica.derive.site import Vhat, mhat, qhat
from replica.derive.tidy import tidy
from replica.derive.vector_channel import VectorChannel, vector_channel
from replica.derive.vector_site import VectorSite, teacher_variance, vector_site
from replica.errors import DerivationError

qhat_u = sp.Symbol("qhat_u", nonnegative=True)
Vhat_u = sp.Symbol("Vhat_u", real=True)
PLANE_DOC = "in a direction of the plane of class differences"
UNIFORM_DOC = "in the uniform direction"


def derive_vector(system: System, *, reduce: bool = True) -> SaddlePoint:
    """Derive the replica-symmetric saddle point of a vector model.

    Parameters
    ----------
    system : System
    reduce : bool
        Use the Nishimori identities where the declaration is Bayes-optimal.
    """
    zero = system.zero_temperature
    matched = is_matched(system)
    if not zero and not matched:
        raise DerivationError(
            f"model {system.name}: with several components a finite temperature needs prior and "
            "likelihood of the student to be those of the teacher."
        )
    reduced = reduce and matched
    (field,) = system.fields
    variance = teacher_variance(system)
    channel = vector_channel(
        field, zero_temperature=zero, teacher_variance=variance, reduced=reduced
    )
    site = vector_site(system)
    if channel.uniform and site.uniform is None:
        raise DerivationError(
            f"model {system.name}: the loss depends on the sum of the components, which needs a "
            "penalty that is even in every component."
        )
    conjugates = _conjugates(field.load, channel)
    functional = _functional(field.load, channel, site, zero)
    unknowns = _unknowns(channel, site, variance, zero, matched)
    observables = {
        name: _observable(value, channel, system) for name, value in system.observables.items()
    }
    if zero:
        observables = {"free_energy": -functional, **observables}
    constants: dict[sp.Symbol, sp.Expr] = {} if zero else {beta: sp.S.One}
    stationary = [u.symbol for u in unknowns] + [s for s, _ in conjugates]
    if reduced:
        constants |= {m: q, mhat: qhat, Vhat: qhat}
        unknowns = [u for u in unknowns if u.symbol != m]
        conjugates = [(s, e) for s, e in conjugates if s == qhat]
        stationary = []

    def fix(expression: sp.Expr) -> sp.Expr:
        terms = sp.Add.make_args(expression.xreplace(constants))
        plain = [t for t in terms if not t.has(VectorAverage, sp.log)]
        return sp.Add(tidy(sp.Add(*plain)), *(t for t in terms if t not in plain))

    return SaddlePoint(
        name=system.name,
        ansatz="replica symmetric",
        parameters=system.parameters,
        definitions=(),
        conjugates=tuple((s, fix(e)) for s, e in conjugates),
        unknowns=tuple(
            Unknown(u.symbol, fix(u.update), u.domain, u.starts, u.doc) for u in unknowns
        ),
        free_entropy=fix(functional),
        replicon=fix(_replicon(field.load, channel, site)),
        observables={name: fix(e) for name, e in observables.items()},
        stationary=tuple(stationary),
        zero_temperature=zero,
        bayes_optimal=reduced,
        default_start=system.start if isinstance(system.start, str) else "uninformed",
    )


def is_matched(system: System) -> bool:
    """Whether prior and channel of the student are those of the teacher."""
    if system.zero_temperature or system.temperature != 1 or system.quenched is None:
        return False
    prior, law = system.thermal.prior, system.quenched.law
    same = getattr(prior, "normalised", None) == law.normalised
    return bool(same and system.thermal.penalty == 0 and all(f.matched for f in system.fields))


def _conjugates(load: sp.Expr, channel: VectorChannel) -> list[tuple[sp.Symbol, sp.Expr]]:
    gram, score, slope = channel.gram, channel.score, channel.slope
    count = channel.classes - 1
    plane, curvature = score[:count, :], slope[:count, :count]
    # Traces over the plane: the margins over all other classes contribute alike, so one is kept.
    pull = (gram * plane)[0]
    conjugates = [
        (mhat, load * channel.integrate(channel.kernel_gradient[0] * pull)),
        (qhat, load * channel.average(plane[0] * pull)),
        (Vhat, -load * channel.average((gram * curvature)[0, 0])),
    ]
    if channel.uniform:
        conjugates += [
            (qhat_u, load * channel.average(score[count] ** 2)),
            (Vhat_u, -load * channel.average(slope[count, count])),
        ]
    return conjugates


def _functional(load: sp.Expr, channel: VectorChannel, site: VectorSite, zero: bool) -> sp.Expr:
    count = channel.classes - 1
    spread = chi if zero else V
    self_overlap = q if zero else q + V
    plane = -qhat * spread / 2 + Vhat * self_overlap / 2 - mhat * m + site.potential
    functional = count * plane + load * channel.average(channel.log)
    if channel.uniform:
        assert site.uniform is not None
        functional += -qhat_u * chi_u / 2 + Vhat_u * q_u / 2 + _along(site.uniform["potential"])
    return functional


def _along(expression: sp.Expr) -> sp.Expr:
    """A quantity of the site along the uniform direction, where there is no teacher."""
    return expression.subs({qhat: qhat_u, Vhat: Vhat_u}, simultaneous=True)


def _unknowns(
    channel: VectorChannel, site: VectorSite, variance: sp.Expr, zero: bool, matched: bool
) -> list[Unknown]:
    small = sp.Rational(1, 10**6) if matched else sp.Rational(1, 100)
    near = small if matched else sp.Rational(5, 100)
    if zero:
        q_start, spread_start = (sp.S.Half, 1 - near), (sp.S.Half, sp.Rational(1, 10))
    else:
        q_start, spread_start = (small * variance, (1 - near) * variance), (
            (1 - small) * variance, near * variance,
        )  # fmt: skip

    def starts(pair: tuple[sp.Expr, sp.Expr]) -> dict[str, sp.Expr]:
        return dict(zip(("uninformed", "informed"), map(sp.sympify, pair), strict=True))

    reach = sp.sqrt(variance)
    overlap = starts((reach * small, reach * (1 - near)))
    spread, what = (chi, "susceptibility") if zero else (V, "posterior variance")
    unknowns = [
        Unknown(m, site.m, REAL, overlap, f"overlap with the teacher, {PLANE_DOC}"),
        Unknown(q, site.q, POSITIVE, starts(q_start), f"overlap of two replicas, {PLANE_DOC}"),
        Unknown(spread, site.V, POSITIVE, starts(spread_start), f"{what}, {PLANE_DOC}"),
    ]
    if channel.uniform:
        assert site.uniform is not None
        for symbol, name, pair in ((q_u, "q", q_start), (chi_u, "V", spread_start)):
            doc = f"{'overlap of two replicas' if name == 'q' else what}, {UNIFORM_DOC}"
            update = _along(site.uniform[name])
            unknowns.append(Unknown(symbol, update, POSITIVE, starts(pair), doc))
    return unknowns


def _replicon(load: sp.Expr, channel: VectorChannel, site: VectorSite) -> sp.Expr:
    """One minus the spectral radius of the linear response to itself (calculus, section 5).

    The response maps positive matrices to positive ones, so that its spectral radius belongs to a
    positive matrix, which class permutations leave alone: a multiple of the projector on the plane,
    plus one of that on the uniform direction.
    """
    gram, count = channel.gram, channel.classes - 1
    curvature = gram * channel.slope[:count, :count]
    plane = site.response * load / count * channel.average((curvature * curvature).trace())
    if not channel.uniform:
        return 1 - plane
    assert site.uniform is not None
    along = _along(site.uniform["response"])
    coupling = channel.slope[:count, count]
    mixed = load * channel.average((coupling.T * gram * coupling)[0, 0])
    alone = along * load * channel.average(channel.slope[count, count] ** 2)
    product = 4 * site.response * along * mixed**2 / count
    gap = sp.Abs(plane - alone) if mixed == 0 else sp.sqrt((plane - alone) ** 2 + product)
    return 1 - (plane + alone + gap) / 2


def _observable(value: sp.Expr, channel: VectorChannel, system: System) -> sp.Expr:
    if value.has(Site):
        raise DerivationError(
            f"model {system.name}: Site averages are not available for several components."
        )
    value = value.replace(Test, channel.test).replace(Train, channel.train)
    return value if system.zero_temperature else value.subs(q_d, q + V)
