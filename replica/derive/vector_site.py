"""The site piece of a vector model whose components are independent and alike.

Fields of site and sample only couple the components through the plane orthogonal to the uniform
direction, of dimension ``K - 1``, and through that direction. Gaussian measures separate: every
direction of the plane is a scalar site. A discrete measure is projected on the plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import sympy as sp

from replica.calculus.special import LogSumExp
from replica.calculus.vector import vector_average
from replica.declare.laws import Flat, Gaussian, Law
from replica.declare.system import System
from replica.declare.variables import Quenched, Thermal
from replica.declare.vectors import plane_basis
from replica.derive.site import Vhat, mhat, qhat, site_terms
from replica.errors import DerivationError


@dataclass(frozen=True)
class VectorSite:
    """Averages of the site per direction of the plane, and along the uniform direction.

    Attributes
    ----------
    potential, m, q, V : Expr
        Averaged potential and moments, each per direction.
    response : Expr
        Averaged squared response per direction.
    uniform : mapping of str to Expr, or None
        ``potential``, ``q``, ``V`` and ``response`` of the uniform direction without a teacher, as
        functions of the conjugates ``qhat`` and ``Vhat`` of that direction.
    """

    potential: sp.Expr
    m: sp.Expr
    q: sp.Expr
    V: sp.Expr
    response: sp.Expr
    uniform: dict[str, sp.Expr] | None


def teacher_variance(system: System) -> sp.Expr:
    """Variance of one component of the quenched variable."""
    assert system.quenched is not None
    law = system.quenched.law
    mean = sp.Add(*(w * mu for w, mu, _ in law.normalised))
    return sp.simplify(law.second_moment - mean**2)


def vector_site(system: System) -> VectorSite:
    """Work out the single-site problem of a vector model.

    Raises
    ------
    DerivationError
        If the measure is neither Gaussian nor discrete.
    """
    prior, thermal = system.thermal.prior, system.thermal
    gaussian = isinstance(prior, Law) and len(prior.components) == 1 and prior.components[0][2] != 0
    if isinstance(prior, Law) and all(var == 0 for _, _, var in prior.components):
        return _discrete(system, prior)
    quadratic = (
        sp.Poly(thermal.penalty, thermal.symbol).degree() <= 2
        if (thermal.penalty.is_polynomial(thermal.symbol))
        else False
    )
    if not (gaussian or isinstance(prior, Flat)) or not quadratic:
        raise DerivationError(
            f"model {system.name}: with {thermal.components} components the measure of "
            f"{thermal.symbol} must be Gaussian (a prior or a quadratic penalty) or discrete, got "
            f"the prior {prior.name} and the penalty {thermal.penalty}."
        )
    return _separate(system)


def _separate(system: System) -> VectorSite:
    """Gaussian measures: each direction of the plane is the scalar site of a centred teacher."""
    thermal, prior = system.thermal, system.thermal.prior
    if isinstance(prior, Law):
        prior = Gaussian(0, prior.components[0][2])
    penalty = thermal.penalty.subs(thermal.symbol, thermal.symbol)
    linear = sp.expand(penalty).coeff(thermal.symbol, 1)
    plane = sp.expand(penalty) - linear * thermal.symbol  # it only moves the uniform direction
    assert system.quenched is not None
    scalar = System(
        name=system.name,
        thermal=Thermal(thermal.symbol, prior, penalty=plane),
        quenched=Quenched(system.quenched.symbol, Gaussian(0, teacher_variance(system))),
        temperature=system.temperature,
    )
    site = site_terms(scalar)
    terms = {
        "potential": site.average(site.potential),
        "q": site.q,
        "V": site.V,
        "response": site.average(site.response**2),
    }
    uniform = {name: e.subs(mhat, 0) for name, e in terms.items()} if linear == 0 else None
    return VectorSite(m=site.m, uniform=uniform, **terms)


def _discrete(system: System, prior: Law) -> VectorSite:
    """Discrete measure: a finite set of vectors, projected on the plane and merged."""
    if system.thermal.penalty != 0:
        raise DerivationError(
            f"model {system.name}: a discrete prior of several components takes no penalty."
        )
    assert system.quenched is not None
    count = system.thermal.components
    basis = plane_basis(count)
    dimension = count - 1
    points = [(basis.T * x, w) for x, w in _projected(prior, count).items()]
    total = dict.fromkeys(("potential", "m", "q", "V", "response"), sp.S.Zero)
    for place, weight in _orbits(system.quenched.law, count, basis):
        for name, value in _at_teacher(place, points).items():
            total[name] += weight * value / dimension
    return VectorSite(uniform=None, **total)


def _at_teacher(teacher: sp.Matrix, points: list[tuple[sp.Matrix, sp.Expr]]) -> dict[str, sp.Expr]:
    """Averages over the field of one value of the teacher.

    The weight of the teacher's own value is taken out of all sums: the rest of the potential and
    the shares stay exact where the field is large.
    """
    dimension = len(teacher)
    fields = sp.Matrix([sp.Symbol(f"xi_{k}", real=True) for k in range(1, dimension + 1)])
    law = fields, mhat * teacher, qhat * sp.eye(dimension)

    def log(place: sp.Matrix, weight: sp.Expr) -> sp.Expr:
        return fields.dot(place) - Vhat * place.dot(place) / 2 + sp.log(weight)

    own = next((log(x, w) for x, w in points if x == teacher), sp.S.Zero)
    logs = [sp.collect(sp.expand(log(x, w) - own), [*fields, Vhat]) for x, w in points]
    rest = LogSumExp(*logs)
    shares = [sp.exp(e - rest) for e in logs]
    places = [x for x, _ in points]
    mean = sp.zeros(dimension, 1)
    for share, place in zip(shares, places, strict=True):
        mean += share * place
    covariance = covariance_of(shares, places, mean)
    values = {
        "m": teacher.dot(mean),
        "q": mean.dot(mean),
        "V": covariance.trace(),
        "response": sp.Add(*(entry**2 for entry in covariance)),
    }
    averages = {name: vector_average(value, *law) for name, value in values.items()}
    averages["potential"] = vector_average(own, *law) + vector_average(rest, *law)
    return averages


def _projected(law: Law, count: int) -> dict[sp.ImmutableMatrix, sp.Expr]:
    """Vectors of independent components, projected on the plane, with their probabilities."""
    points: dict[sp.ImmutableMatrix, sp.Expr] = {}
    for choice in product(law.normalised, repeat=count):
        values = sp.Matrix([value for _, value, _ in choice])
        projected = sp.ImmutableMatrix(
            (values - sp.ones(count, 1) * sp.Add(*values) / count).applyfunc(sp.expand)
        )
        weight = sp.Mul(*(w for w, _, _ in choice))
        points[projected] = points.get(projected, sp.S.Zero) + weight
    return points


def _orbits(law: Law, count: int, basis: sp.Matrix) -> list[tuple[sp.Matrix, sp.Expr]]:
    """One point of each set that symmetries map onto each other, with its probability.

    The symmetries are class permutations, and a change of sign where the law allows it.
    """
    points = _projected(law, count)
    even = all(points.get(sp.ImmutableMatrix(-x)) == weight for x, weight in points.items())
    orbits: list[tuple[sp.Matrix, sp.Expr]] = []
    seen: set[sp.ImmutableMatrix] = set()
    for point in points:
        if point in seen:
            continue
        orbit = {sp.ImmutableMatrix(p) for p in map(list, permutations(point))}
        orbit |= {sp.ImmutableMatrix(-p) for p in orbit} if even else set()
        seen |= orbit
        orbits.append((basis.T * point, sp.Add(*(points[p] for p in orbit if p in points))))
    return orbits


def covariance_of(shares: list[sp.Expr], places: list[sp.Matrix], mean: sp.Matrix) -> sp.Matrix:
    """Covariance of the points with these shares, without a difference of large moments."""
    total = sp.zeros(len(mean), len(mean))
    for share, place in zip(shares, places, strict=True):
        gap = place - mean
        total += share * gap * gap.T
    return total
