r"""Replica-symmetric saddle point of two hidden units whose signs make the label.

The label does not change when the units are exchanged, nor does the law of their weights, so that
every overlap matrix commutes with the exchange: it is a number along the uniform direction
``(1, 1)/sqrt(2)`` (``q_u``) and one along the difference ``(1, -1)/sqrt(2)`` (``q``). Entries are
``q_11 = (q_u + q)/2`` and ``q_12 = (q_u - q)/2``: the units are specialised where ``q > 0``.
"""

from __future__ import annotations

import sympy as sp

from replica.calculus.vector import SpectralRadius, VectorAverage
from replica.declare.symbols import V, beta, m, q, q_d
from replica.declare.system import System
from replica.declare.variables import Site, Test, Train
from replica.declare.vectors import q_u
from replica.derive.replica_symmetric import POSITIVE, REAL
from replica.derive.saddle_point import SaddlePoint, Unknown
from replica.derive.site import Vhat, mhat, qhat
from replica.derive.tidy import tidy
from replica.derive.two_units_channel import TwoUnits, UnitLabel, V_u, m_u, two_units_channel
from replica.derive.two_units_site import TwoUnitSite, Vhat_u, mhat_u, qhat_u, two_units_site
from replica.derive.vector import is_matched
from replica.derive.vector_site import teacher_variance
from replica.errors import DerivationError

WHERE = ("in the uniform direction", "in the direction of the difference of the units")
M, Q, SPREAD = (m_u, m), (q_u, q), (V_u, V)
MHAT, QHAT, VHAT = (mhat_u, mhat), (qhat_u, qhat), (Vhat_u, Vhat)


def derive_two_units(system: System, *, reduce: bool = True) -> SaddlePoint:
    """Derive the saddle point of a Bayes-optimal model with labels constant on orthants.

    Parameters
    ----------
    system : System
    reduce : bool
        Use the Nishimori identities.

    Raises
    ------
    DerivationError
        If the student is not Bayes-optimal, or the label changes when the units are exchanged.
    """
    (field,) = system.fields
    if not is_matched(system):
        raise DerivationError(
            f"model {system.name}: labels of the signs of a field are derived where prior and "
            "likelihood of the student are those of the teacher."
        )
    variance = teacher_variance(system)
    channel = two_units_channel(field, teacher_variance=variance, reduced=reduce)
    site = two_units_site(system)
    load = field.load
    functional = site.potential + load * channel.average(lambda label: label.log)
    for i in range(2):
        functional += -QHAT[i] * SPREAD[i] / 2 + VHAT[i] * (Q[i] + SPREAD[i]) / 2 - MHAT[i] * M[i]
    conjugates = _conjugates(load, channel)
    unknowns = _unknowns(site, variance)
    observables = {
        name: _observable(value, channel, system) for name, value in system.observables.items()
    }
    constants: dict[sp.Symbol, sp.Expr] = {beta: sp.S.One}
    stationary = [u.symbol for u in unknowns] + [s for s, _ in conjugates]
    if reduce:
        for i in range(2):
            constants |= {M[i]: Q[i], MHAT[i]: QHAT[i], VHAT[i]: QHAT[i]}
            if not site.discrete:  # else it may be tiny, and is an unknown of its own
                constants[SPREAD[i]] = variance - Q[i]
        unknowns = [u for u in unknowns if u.symbol not in constants]
        conjugates = [(s, e) for s, e in conjugates if s in QHAT]
        stationary = []

    def fix(expression: sp.Expr) -> sp.Expr:
        terms = sp.Add.make_args(expression.xreplace(constants))
        plain = [t for t in terms if not t.has(VectorAverage, sp.log)]
        tidied = sp.Add.make_args(tidy(sp.Add(*plain)))
        expanded = (sp.expand(t) if t.is_polynomial() else t for t in tidied)
        return sp.Add(*expanded, *(t for t in terms if t not in plain))

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
        replicon=fix(_replicon(load, channel, site)),
        observables={name: fix(e) for name, e in observables.items()},
        stationary=tuple(stationary),
        bayes_optimal=reduce,
        default_start=system.start if isinstance(system.start, str) else "uninformed",
    )


def _conjugates(load: sp.Expr, channel: TwoUnits) -> list[tuple[sp.Symbol, sp.Expr]]:
    pairs: list[tuple[sp.Symbol, sp.Expr]] = []
    for i in range(2):

        def pull(label: UnitLabel, i: int = i) -> sp.Expr:
            return label.kernel_gradient[i] * label.score[i]

        def square(label: UnitLabel, i: int = i) -> sp.Expr:
            return label.score[i] ** 2

        def slope(label: UnitLabel, i: int = i) -> sp.Expr:
            return label.slope[i, i]

        pairs += [
            (MHAT[i], load * channel.integrate(pull)),
            (QHAT[i], load * channel.average(square)),
            (VHAT[i], -load * channel.average(slope)),
        ]
    return pairs


def _unknowns(site: TwoUnitSite, variance: sp.Expr) -> list[Unknown]:
    # Branches may begin next to no overlap; next to perfect recovery averages have thin layers.
    small, near = sp.Rational(1, 10**6), sp.Rational(1, 100)
    starts = {"uninformed": small * variance, "informed": (1 - near) * variance}
    rest = {"uninformed": (1 - small) * variance, "informed": near * variance}
    unknowns = []
    for i, where in enumerate(WHERE):
        unknowns += [
            Unknown(M[i], site.m[i], REAL, starts, f"overlap with the teacher, {where}"),
            Unknown(Q[i], site.q[i], POSITIVE, starts, f"overlap of two replicas, {where}"),
            Unknown(SPREAD[i], site.V[i], POSITIVE, rest, f"posterior variance, {where}"),
        ]
    return unknowns


def _replicon(load: sp.Expr, channel: TwoUnits, site: TwoUnitSite) -> sp.Expr:
    """One minus the spectral radius of the response of the overlaps to themselves.

    The response maps positive matrices to positive ones, so that its spectral radius belongs to a
    positive matrix, which the exchange of the units leaves alone: one that is diagonal in the two
    directions.
    """
    squares = sp.zeros(2, 2)
    for i in range(2):
        for j in range(i + 1):

            def square(label: UnitLabel, i: int = i, j: int = j) -> sp.Expr:
                return label.slope[i, j] ** 2

            squares[i, j] = squares[j, i] = channel.average(square)
    return 1 - SpectralRadius(*(load * site.response * squares))


def _observable(value: sp.Expr, channel: TwoUnits, system: System) -> sp.Expr:
    if value.has(Site):
        raise DerivationError(
            f"model {system.name}: Site averages are not available for several components."
        )
    if value.has(Train):
        raise DerivationError(
            f"model {system.name}: Train averages need a loss at zero temperature."
        )
    return value.replace(Test, channel.test).subs(q_d, q + V)
