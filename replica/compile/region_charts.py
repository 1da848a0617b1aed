"""Charts of a Gaussian vector: in which variables an average over it is integrated.

Without a Moreau envelope the variables are the vector itself. With that of a smooth function they
are the value ``v`` of the proximal operator: the vector is then explicit, ``v + S grad l(v)``, and
so are all derivatives of the envelope. The proximal operator contracts distances in the metric of
``S``, so that its values lie in a box around its value at the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sympy as sp

from replica.calculus.vector import VectorAverage, VectorProximal, common_factor
from replica.compile.envelopes import written_out
from replica.compile.program import Assign, Larger, VectorRoot, VectorRootProblem

#: Regions are cut at this many standard deviations of each variable (a tail of 2e-17).
CUT = sp.Rational(17, 2)
#: Least variance of an independent variable; its inverse, and squares of the variable, are finite.
LEAST = sp.Float(1e-200)
Fresh = Callable[[], sp.Symbol]
Replace = Callable[[sp.Expr], sp.Expr]


@dataclass(frozen=True)
class VectorChart:
    """Integration variables, their limits, and everything else as a function of them.

    ``centred`` says that label probabilities change where a variable is zero.
    """

    variables: tuple[sp.Symbol, ...]
    lower: tuple[sp.Expr, ...]
    upper: tuple[sp.Expr, ...]
    steps: tuple[Assign, ...]
    density: sp.Expr
    replace: Replace
    centred: bool = True


@dataclass(frozen=True)
class LawNumbers:
    """Symbols of the numbers of a Gaussian law: mean, deviations, inverse covariance, density."""

    mean: tuple[sp.Symbol, ...]
    deviation: tuple[sp.Symbol, ...]
    inverse: sp.Matrix
    norm: sp.Symbol

    def density(self, at: Sequence[sp.Expr]) -> sp.Expr:
        """Density at a point."""
        gap = sp.Matrix([x - mu for x, mu in zip(at, self.mean, strict=True)])
        return self.norm * sp.exp(-(gap.T * self.inverse * gap)[0, 0] / 2)


def law_numbers(node: VectorAverage, fresh: Fresh) -> tuple[list[Assign], LawNumbers]:
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
        return steps, LawNumbers(means, deviation, _stored(inverse, store), store(norm))
    if pattern.free_symbols:
        matrix = _stored(pattern, store)
        determinant = store(matrix.det())
        inverse = matrix.adjugate() / determinant
    else:
        matrix = store(Larger(scale, tiny)) * pattern
        determinant, inverse = matrix.det(), matrix.inv()
    norm = sp.sqrt((2 * sp.pi) ** size * Larger(determinant, tiny))
    law = LawNumbers(
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


def plain_chart(node: VectorAverage, law: LawNumbers) -> VectorChart:
    """Chart of the vector itself."""
    variables = node.variables
    pairs = list(zip(law.mean, law.deviation, strict=True))
    return VectorChart(
        variables=variables,
        lower=tuple(mu - CUT * sigma for mu, sigma in pairs),
        upper=tuple(mu + CUT * sigma for mu, sigma in pairs),
        steps=(),
        density=law.density(variables),
        replace=lambda expression: expression,
    )


def smooth_chart(
    node: VectorAverage,
    problem: tuple[sp.Basic, ...],
    law: LawNumbers,
    fresh: Fresh,
    roots: list[VectorRootProblem],
) -> VectorChart:
    """Chart by the value of the proximal operator of a smooth function."""
    function, bound, _, spread = problem
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
    stiffness = hessian * stretch.adjugate() / jacobian
    energy = local + (force.T * spread * force)[0, 0] / 2
    # Distances in the metric of the spread shrink: |v - prox(mean)| <= |x - mean|.
    roots.append(VectorRootProblem(values, local, sp.ImmutableMatrix(spread)))
    centre = [VectorRoot(len(roots) - 1, i, *law.mean) for i in range(size)]
    stretched = stretched_deviations(node.args[3], spread)
    reaches = [CUT * sp.sqrt(Larger(stretched * spread[i, i], 1e-300)) for i in range(size)]
    ends = list(zip(centre, reaches, strict=True))
    return VectorChart(
        variables=values,
        lower=tuple(c - reach for c, reach in ends),
        upper=tuple(c + reach for c, reach in ends),
        steps=tuple(steps),
        density=law.density(at) * jacobian,
        replace=explicit(node.variables, at, values, energy, force, stiffness),
    )


def explicit(
    variables: Sequence[sp.Symbol],
    at: Sequence[sp.Expr],
    values: Sequence[sp.Expr],
    energy: sp.Expr,
    force: sp.Matrix,
    stiffness: sp.Matrix,
) -> Replace:
    """Write averaged expressions on a chart, where the envelope has these values and derivatives.

    Parameters
    ----------
    variables, at : sequence
        The Gaussian vector, and where it is.
    values : sequence of Expr
        Of the proximal operator.
    energy, force, stiffness : Expr, Matrix
        The envelope and its derivatives in the vector.
    """

    def written(envelope: sp.Expr) -> sp.Expr:
        indices = envelope.indices
        if isinstance(envelope, VectorProximal):
            return values[indices[0]]
        if not indices:
            return energy
        return force[indices[0]] if len(indices) == 1 else stiffness[indices]

    moved = dict(zip(variables, at, strict=True))
    return lambda expression: written_out(expression, moved, written)


def stretched_deviations(covariance: sp.Matrix, spread: sp.Matrix) -> sp.Expr:
    """Bound on the largest eigenvalue of ``S^-1 C``.

    A squared distance in the metric of the spread is at most that times one in the metric of the
    covariance; the trace bounds the eigenvalue.
    """
    (scale, pattern), (other, same) = common_factor(covariance), common_factor(spread)
    if pattern == same and not pattern.free_symbols:
        return scale / other
    return (spread.adjugate() * sp.Matrix(covariance)).trace() / spread.det()
