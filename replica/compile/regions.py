"""Averages over Gaussian vectors as integrals over boxes.

Without a Moreau envelope the integral runs over the vector itself. With one it runs over the value
``v`` of the proximal operator: the vector is then explicit, ``v + S grad l(v)``, and so are all
derivatives of the envelope. The proximal operator contracts distances in the metric of ``S``, to
which the covariance is proportional, so that its values lie in the box of the Gaussian around its
value at the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise, product

import sympy as sp

from replica.calculus.convex import NONSMOOTH, kink_arguments
from replica.calculus.orthant import NormalOrthant
from replica.calculus.special import LogNormalCdf, Mills, NormalCdf
from replica.calculus.vector import VectorAverage, VectorProximal, common_factor
from replica.compile.envelopes import differentiated, distinct, envelope_problem, written_out
from replica.compile.expressions import sort_at_run_time
from replica.compile.inner import inner_averages
from replica.compile.program import (
    Assign,
    Larger,
    Loop,
    Region,
    Smaller,
    VectorRoot,
    VectorRootProblem,
)
from replica.errors import DerivationError

#: Regions are cut at this many standard deviations of each variable (a tail of 2e-17).
CUT = sp.Rational(17, 2)
#: Least variance of an independent variable; its inverse, and squares of the variable, are finite.
LEAST = sp.Float(1e-200)
#: A layer in which a label probability changes has boxes of its own up to this many widths.
REACH = 30
#: Largest dimension that is integrated by product rules.
MAX_DIMENSION = 3
Fresh = Callable[[], sp.Symbol]


@dataclass(frozen=True)
class _Chart:
    """Integration variables, their limits, and everything else as a function of them."""

    variables: tuple[sp.Symbol, ...]
    lower: tuple[sp.Expr, ...]
    upper: tuple[sp.Expr, ...]
    steps: tuple[Assign, ...]
    density: sp.Expr
    replace: Callable[[sp.Expr], sp.Expr]


def group_key(average: VectorAverage) -> tuple[sp.Basic, ...]:
    """Averages with equal keys share a loop: one law, one envelope, the same kinks."""
    problem = envelope_problem(average)
    kinks = _kinks(average.integrand, average.variables)
    return (*average.args[1:], sp.Tuple(*(problem or ())), sp.Tuple(*sorted(kinks, key=str)))


def _kinks(expression: sp.Expr, variables: Iterable[sp.Symbol]) -> set[sp.Expr]:
    """Arguments whose sign changes are kinks or jumps of the expression."""
    atoms = [e for e in distinct(expression) if isinstance(e, (*NONSMOOTH, sp.Piecewise))]
    return {a for atom in atoms for v in variables for a in kink_arguments(atom, v)}


def region_loop(
    group: list[VectorAverage], fresh: Fresh, roots: list[VectorRootProblem]
) -> tuple[list[Assign], Loop, tuple[sp.Symbol, ...]]:
    """Return the steps before the loop, the loop, and the symbols of the averages.

    Raises
    ------
    DerivationError
        If there is a kink that is not on a plane of constant variable.
    """
    node = group[0]
    problem = envelope_problem(node)
    before, law = _law(node, fresh)
    chart = _plain(node, law) if problem is None else _proximal(node, problem, law, fresh, roots)
    written = [differentiated(a.integrand) for a in group]
    scales, inner, known = inner_averages(written, chart.replace, fresh)
    before += scales
    values = [chart.replace(e.xreplace(known)) for e in written]
    integrands = (chart.density, *(chart.density * value for value in values))
    regions = tuple(
        Region(chart.variables, lower, upper, (*chart.steps, *inner), integrands)
        for lower, upper in _boxes(chart, values)
    )
    outputs = tuple(fresh() for _ in integrands)
    return before, Loop(outputs, regions), outputs[1:]


@dataclass(frozen=True)
class _Law:
    mean: tuple[sp.Symbol, ...]
    deviation: tuple[sp.Symbol, ...]
    inverse: sp.Matrix
    norm: sp.Symbol


def _law(node: VectorAverage, fresh: Fresh) -> tuple[list[Assign], _Law]:
    """Numbers of the Gaussian law that all nodes share."""
    _, variables, mean, covariance = node.args
    steps: list[Assign] = []

    def store(expression: sp.Expr) -> sp.Symbol:
        symbol = fresh()
        steps.append(Assign(symbol, expression))
        return symbol

    size = len(variables)
    tiny = sp.Float(1e-300)
    scale, pattern = common_factor(covariance)
    if pattern.free_symbols and pattern.is_diagonal():
        # Independent variables, one of which may be zero: an overlap that a symmetry forbids.
        matrix = sp.diag(*(store(Larger(pattern[i, i], LEAST)) for i in range(size)))
        inverse = sp.diag(*(1 / matrix[i, i] for i in range(size)))
        norm = sp.Mul(*(1 / sp.sqrt(2 * sp.pi * matrix[i, i]) for i in range(size)))
        deviation = tuple(store(sp.sqrt(matrix[i, i])) for i in range(size))
        means = tuple(store(mu) for mu in mean)
        return steps, _Law(means, deviation, _stored(inverse, store), store(norm))
    if pattern.free_symbols:
        matrix = _stored(pattern, store)
        determinant = store(matrix.det())
        inverse = matrix.adjugate() / determinant
    else:
        matrix = store(Larger(scale, tiny)) * pattern
        determinant, inverse = matrix.det(), matrix.inv()
    norm = sp.sqrt((2 * sp.pi) ** size * Larger(determinant, tiny))
    law = _Law(
        tuple(store(mu) for mu in mean),
        tuple(store(sp.sqrt(Larger(matrix[i, i], tiny))) for i in range(size)),
        _stored(inverse, store),
        store(1 / norm),
    )
    return steps, law


def _stored(matrix: sp.Matrix, store: Callable[[sp.Expr], sp.Symbol]) -> sp.Matrix:
    """A symmetric matrix of symbols that hold its entries."""
    result = sp.zeros(*matrix.shape)
    for i in range(matrix.shape[0]):
        for j in range(i + 1):
            result[i, j] = result[j, i] = store(matrix[i, j])
    return result


def _density(law: _Law, at: tuple[sp.Expr, ...]) -> sp.Expr:
    gap = sp.Matrix([x - mu for x, mu in zip(at, law.mean, strict=True)])
    return law.norm * sp.exp(-(gap.T * law.inverse * gap)[0, 0] / 2)


def _plain(node: VectorAverage, law: _Law) -> _Chart:
    variables = node.variables
    pairs = list(zip(law.mean, law.deviation, strict=True))
    return _Chart(
        variables=variables,
        lower=tuple(mu - CUT * sigma for mu, sigma in pairs),
        upper=tuple(mu + CUT * sigma for mu, sigma in pairs),
        steps=(),
        density=_density(law, variables),
        replace=lambda expression: expression,
    )


def _proximal(
    node: VectorAverage,
    problem: tuple[sp.Basic, ...],
    law: _Law,
    fresh: Fresh,
    roots: list[VectorRootProblem],
) -> _Chart:
    function, bound, points, spread = problem
    if tuple(points) != node.variables:
        raise DerivationError(
            f"the point {points} of a Moreau envelope is not the integration variable."
        )
    size = len(node.variables)
    values = tuple(fresh() for _ in range(size))
    local = function.subs(dict(zip(bound, values, strict=True)), simultaneous=True)
    gradient = [local.diff(v) for v in values]
    steps: list[Assign] = []

    def store(expression: sp.Expr) -> sp.Symbol:
        symbol = fresh()
        steps.append(Assign(symbol, expression))
        return symbol

    force = sp.Matrix([store(g) for g in gradient])
    hessian = sp.zeros(size, size)
    for i in range(size):
        for j in range(i + 1):
            hessian[i, j] = hessian[j, i] = store(gradient[i].diff(values[j]))
    spread = sp.Matrix(spread)
    stretch = sp.eye(size) + spread * hessian
    jacobian = store(stretch.det())
    at = tuple(store(v + (spread * force)[i]) for i, v in enumerate(values))
    # Second derivatives of the envelope: H (1 + S H)^-1, symmetric.
    stiffness = hessian * stretch.adjugate()
    energy = local + (force.T * spread * force)[0, 0] / 2

    def explicit(envelope: sp.Expr) -> sp.Expr:
        indices = envelope.indices
        if isinstance(envelope, VectorProximal):
            return values[indices[0]]
        if not indices:
            return energy
        if len(indices) == 1:
            return force[indices[0]]
        return stiffness[indices] / jacobian

    def replace(expression: sp.Expr) -> sp.Expr:
        return written_out(expression, dict(zip(node.variables, at, strict=True)), explicit)

    # Distances in the metric of the spread shrink: |v - prox(mean)| <= |x - mean|.
    roots.append(VectorRootProblem(values, local, sp.ImmutableMatrix(spread)))
    centre = [VectorRoot(len(roots) - 1, i, *law.mean) for i in range(size)]
    ends = list(zip(centre, _reaches(node.args[3], spread), strict=True))
    return _Chart(
        variables=values,
        lower=tuple(c - reach for c, reach in ends),
        upper=tuple(c + reach for c, reach in ends),
        steps=tuple(steps),
        density=_density(law, at) * jacobian,
        replace=replace,
    )


def _reaches(covariance: sp.Matrix, spread: sp.Matrix) -> list[sp.Expr]:
    """How far the values of the proximal operator lie from that at the mean.

    A distance in the metric of the spread is at most ``sqrt(largest eigenvalue of S^-1 C)`` times
    one in that of the covariance; the trace bounds the eigenvalue.
    """
    size = spread.shape[0]
    (scale, pattern), (other, same) = common_factor(covariance), common_factor(spread)
    if pattern == same and not pattern.free_symbols:
        largest = scale / other
    else:
        largest = (spread.adjugate() * sp.Matrix(covariance)).trace() / spread.det()
    return [CUT * sp.sqrt(Larger(largest * spread[i, i], 1e-300)) for i in range(size)]


def _boxes(
    chart: _Chart, integrands: list[sp.Expr]
) -> list[tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]]]:
    """Split the region at kinks, and where the probability of a label changes."""
    points: dict[sp.Symbol, list[sp.Expr]] = {v: [] for v in chart.variables}
    for expression in integrands:
        for argument in _kinks(expression, chart.variables):
            moving = [v for v in chart.variables if v in argument.free_symbols]
            expanded = sp.expand(argument)
            if len(moving) != 1 or sp.degree(expanded, moving[0]) != 1:
                raise DerivationError(
                    f"the kink at {argument} = 0 is not on a plane of constant integration "
                    "variable."
                )
            (v,) = moving
            point = sp.simplify(-expanded.coeff(v, 0) / expanded.coeff(v, 1))
            if point not in points[v]:
                points[v].append(point)
    intervals = []
    for v, low, high in zip(chart.variables, chart.lower, chart.upper, strict=True):
        inside = points[v] or [sp.S.Zero]
        width = _layer(integrands, v) if len(inside) == 1 else None
        if width is not None:
            inside = [inside[0] - REACH * width, inside[0], inside[0] + REACH * width]
        edges = [Smaller(Larger(p, low), high) for p in sort_at_run_time(inside)]
        intervals.append(list(pairwise([low, *edges, high])))
    boxes = []
    for choice in product(*intervals):
        lower, upper = zip(*choice, strict=True)
        boxes.append((lower, upper))
    return boxes


def _layer(integrands: list[sp.Expr], v: sp.Symbol) -> sp.Expr | None:
    """Width of the layer around zero in which label probabilities depend on a variable.

    Between the nodes of a wide box a thin layer would not be seen.
    """
    slopes: set[sp.Expr] = set()
    for expression in integrands:
        for atom in distinct(expression):
            if isinstance(atom, (NormalCdf, LogNormalCdf, Mills, NormalOrthant)):
                slopes |= {abs(a.diff(v)) for a in atom.args if v in a.free_symbols}
    steepest = sorted((e for e in slopes if v not in e.free_symbols), key=sp.default_sort_key)
    return 1 / reduce(Larger, steepest) if steepest else None
