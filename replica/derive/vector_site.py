"""The site piece of a vector model whose components are independent and alike.

Fields of site and sample only couple the components through the plane orthogonal to the uniform
direction, of dimension ``K - 1``, and through that direction. Gaussian measures separate: every
direction of the plane is a scalar site. A discrete measure is projected on the plane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations, product

import sympy as sp

from replica.calculus.special import LogSumExp
from replica.calculus.vector import vector_average
from replica.declare.laws import Flat, Gaussian, Law
from replica.declare.system import Quenched, System, Thermal
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
    quadratic = sp.Poly(thermal.penalty, thermal.symbol).degree() <= 2 if (
        thermal.penalty.is_polynomial(thermal.symbol)
    ) else False
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
    basis = _plane(count)
    dimension = count - 1
    fields = tuple(sp.Symbol(f"xi_{k}", real=True) for k in range(1, count))
    field = sp.Matrix(fields)
    points = _projected(prior, count, basis)
    logs = [
        (field.T * basis.T * x)[0, 0] - Vhat * x.dot(x) / 2 + sp.log(w) for x, w in points.items()
    ]
    potential = LogSumExp(*logs)
    shares = [sp.exp(log - potential) for log in logs]
    places = [basis.T * x for x in points]
    mean = sp.Add(*(p * x for p, x in zip(shares, places, strict=True)), sp.zeros(dimension, 1))
    square = _positive_covariance(shares, places)
    trace = square.trace()
    size2 = (square.T * square).trace()

    def average(expression: Callable[[sp.Matrix], sp.Expr]) -> sp.Expr:
        total = sp.S.Zero
        for place, weight in _orbits(system.quenched.law, count, basis):  # type: ignore[union-attr]
            at = mhat * place
            integrand = sp.sympify(expression(place))
            total += weight * vector_average(integrand, fields, at, qhat * sp.eye(dimension))
        return total

    return VectorSite(
        potential=average(lambda t: potential) / dimension,
        m=average(lambda t: t.dot(mean)) / dimension,
        q=average(lambda t: mean.dot(mean)) / dimension,
        V=average(lambda t: trace) / dimension,
        response=average(lambda t: size2) / dimension,
        uniform=None,
    )


def _plane(count: int) -> sp.Matrix:
    """Orthonormal basis of the plane orthogonal to the uniform direction (Helmert), in columns."""
    columns = []
    for k in range(1, count):
        column = [sp.S.One] * k + [-sp.Integer(k)] + [sp.S.Zero] * (count - k - 1)
        columns.append(sp.Matrix(column) / sp.sqrt(k * (k + 1)))
    return sp.Matrix.hstack(*columns)


def _projected(law: Law, count: int, basis: sp.Matrix) -> dict[sp.ImmutableMatrix, sp.Expr]:
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
    """One point of each set that class permutations map onto each other, with its probability."""
    points = _projected(law, count, basis)
    orbits: list[tuple[sp.Matrix, sp.Expr]] = []
    seen: set[sp.ImmutableMatrix] = set()
    for point in points:
        if point in seen:
            continue
        orbit = {sp.ImmutableMatrix(p) for p in map(list, permutations(point))}
        seen |= orbit
        orbits.append((basis.T * point, sp.Add(*(points[p] for p in orbit if p in points))))
    return orbits


def _positive_covariance(shares: list[sp.Expr], places: list[sp.Matrix]) -> sp.Matrix:
    """Covariance of the points with these shares, as a sum over pairs, free of cancellation."""
    dimension = len(places[0])
    total = sp.zeros(dimension, dimension)
    for i, (p, a) in enumerate(zip(shares, places, strict=True)):
        for r, b in zip(shares[i + 1 :], places[i + 1 :], strict=True):
            gap = a - b
            total += p * r * gap * gap.T
    return total
