"""The site piece of two hidden units: the rows of a teacher with independent, equal laws.

Along the uniform direction and the difference, Gaussian rows are independent scalars. Rows of a
discrete law are a finite set of points in the plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import sympy as sp

from replica.calculus.special import LogSumExp
from replica.calculus.vector import vector_average
from replica.declare.laws import Law
from replica.declare.system import System
from replica.derive.site import Vhat, mhat, qhat
from replica.derive.vector_site import covariance_of, vector_site
from replica.errors import DerivationError

mhat_u = sp.Symbol("mhat_u", real=True)
qhat_u = sp.Symbol("qhat_u", nonnegative=True)
Vhat_u = sp.Symbol("Vhat_u", real=True)
FIELDS = (sp.Symbol("xi_u", real=True), sp.Symbol("xi", real=True))
Point = tuple[sp.Expr, sp.Expr]


@dataclass(frozen=True)
class TwoUnitSite:
    """Averages of the site: the uniform direction first, then the difference.

    Attributes
    ----------
    potential : Expr
    m, q, V : tuple of Expr
    response : Matrix
        Averaged squares of the entries of the posterior covariance.
    discrete : bool
        Whether the weights have finitely many values, and may be known almost surely.
    """

    potential: sp.Expr
    m: tuple[sp.Expr, ...]
    q: tuple[sp.Expr, ...]
    V: tuple[sp.Expr, ...]
    response: sp.Matrix
    discrete: bool = True


def two_units_site(system: System) -> TwoUnitSite:
    """Work out the single-site problem of two hidden units.

    Raises
    ------
    DerivationError
        If the law of the weights is neither Gaussian nor discrete, or has a mean.
    """
    law = system.thermal.prior
    assert isinstance(law, Law)
    mean = sp.Add(*(weight * mu for weight, mu, _ in law.normalised))
    if sp.simplify(mean) != 0:
        raise DerivationError(
            f"model {system.name}: the weights of two hidden units need a law of mean zero, got "
            f"{law.name} with mean {mean}."
        )
    if all(variance == 0 for _, _, variance in law.components):
        return _discrete(law)
    plane = vector_site(system)  # refuses what is not Gaussian
    uniform = {mhat: mhat_u, qhat: qhat_u, Vhat: Vhat_u}

    def along(expression: sp.Expr) -> sp.Expr:
        return expression.subs(uniform, simultaneous=True)

    return TwoUnitSite(
        potential=along(plane.potential) + plane.potential,
        m=(along(plane.m), plane.m),
        q=(along(plane.q), plane.q),
        V=(along(plane.V), plane.V),
        response=sp.diag(along(plane.response), plane.response),
        discrete=False,
    )


def _discrete(law: Law) -> TwoUnitSite:
    """Rows of finitely many values: all points are summed, and one teacher of each kind."""
    points: dict[Point, sp.Expr] = {}
    for (w1, a, _), (w2, b, _) in product(law.normalised, repeat=2):
        point = sp.radsimp((a + b) / sp.sqrt(2)), sp.radsimp((a - b) / sp.sqrt(2))
        points[point] = points.get(point, sp.S.Zero) + w1 * w2
    even = all(points.get((-a, -b)) == weight for (a, b), weight in points.items())
    potential, response = sp.S.Zero, sp.zeros(2, 2)
    moments = {name: [sp.S.Zero, sp.S.Zero] for name in ("m", "q", "V")}
    seen: set[Point] = set()
    for a, b in points:
        orbit = {(a, b), (a, -b)} | ({(-a, -b), (-a, b)} if even else set())
        if (a, b) in seen:
            continue
        seen |= orbit
        share = sp.Add(*(points[p] for p in orbit if p in points))
        local = _at_teacher((a, b), points)
        potential += share * local.potential
        response += share * local.response
        for name, total in moments.items():
            for i, value in enumerate(getattr(local, name)):
                total[i] += share * value
    m, q, V = (tuple(moments[name]) for name in ("m", "q", "V"))
    return TwoUnitSite(potential, m, q, V, response)


def _at_teacher(teacher: Point, points: dict[Point, sp.Expr]) -> TwoUnitSite:
    """Averages over the field of one value of the teacher.

    The weight of the teacher's own value is taken out of all sums: the rest of the potential and
    the shares stay exact where the field is large.
    """
    mean_field = mhat_u * teacher[0], mhat * teacher[1]
    law = FIELDS, mean_field, sp.diag(qhat_u, qhat)

    def log(place: Point, weight: sp.Expr) -> sp.Expr:
        energies = zip(FIELDS, (Vhat_u, Vhat), place, strict=True)
        return sp.Add(*(x * s - v * s**2 / 2 for x, v, s in energies)) + sp.log(weight)

    own = log(teacher, points[teacher])
    logs = [sp.expand(log(place, weight) - own) for place, weight in points.items()]
    rest = LogSumExp(*logs)
    shares = [sp.exp(entry - rest) for entry in logs]
    places = [sp.Matrix(place) for place in points]
    mean = sp.zeros(2, 1)
    for share, place in zip(shares, places, strict=True):
        mean += share * place
    covariance = covariance_of(shares, places, mean)

    def average(expression: sp.Expr) -> sp.Expr:
        return vector_average(expression, *law)

    return TwoUnitSite(
        potential=average(own) + average(rest),
        m=tuple(teacher[i] * average(mean[i]) if teacher[i] != 0 else sp.S.Zero for i in range(2)),
        q=tuple(average(mean[i] ** 2) for i in range(2)),
        V=tuple(average(covariance[i, i]) for i in range(2)),
        response=covariance.applyfunc(lambda entry: average(entry**2)),
    )
