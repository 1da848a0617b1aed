"""Averages over Gaussian vectors as integrals over boxes.

A chart says which variables run over a box, and what the vector, the envelope of a loss and its
derivatives are as functions of them. Boxes are split at kinks, and where labels change.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from itertools import pairwise, product

import sympy as sp

from replica.calculus.convex import NONSMOOTH, kink_arguments
from replica.calculus.orthant import NormalOrthant
from replica.calculus.separable import has_kinks
from replica.calculus.special import LogNormalCdf, Mills, NormalCdf
from replica.calculus.trees import distinct
from replica.calculus.vector import VectorAverage
from replica.compile.envelopes import differentiated, envelope_problem
from replica.compile.expressions import sort_at_run_time
from replica.compile.inner import inner_averages
from replica.compile.kinked_charts import kinked_charts
from replica.compile.orthant_charts import orthant_charts
from replica.compile.program import Assign, Larger, Loop, Region, Smaller, VectorRootProblem
from replica.compile.region_charts import (
    Fresh,
    LawNumbers,
    VectorChart,
    law_numbers,
    plain_chart,
    smooth_chart,
)
from replica.errors import DerivationError

#: A layer in which a label probability changes has boxes of its own up to this many widths.
REACH = 30
#: Largest dimension that is integrated by product rules.
MAX_DIMENSION = 3


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
    before, law = law_numbers(node, fresh)
    steps, charts = _charts(node, law, fresh, roots)
    before += steps
    written = [differentiated(a.integrand) for a in group]
    regions: list[Region] = []
    for chart in charts:
        scales, inner, known = inner_averages(written, chart.replace, fresh)
        before += scales
        values = [chart.replace(e.xreplace(known)) for e in written]
        integrands = (chart.density, *(chart.density * value for value in values))
        regions += [
            Region(chart.variables, lower, upper, (*chart.steps, *inner), integrands)
            for lower, upper in _boxes(chart, values)
        ]
    outputs = tuple(fresh() for _ in range(len(group) + 1))
    return before, Loop(outputs, tuple(regions)), outputs[1:]


def _charts(
    node: VectorAverage, law: LawNumbers, fresh: Fresh, roots: list[VectorRootProblem]
) -> tuple[list[Assign], list[VectorChart]]:
    problem = envelope_problem(node)
    if problem is None:
        return [], orthant_charts(node, law, fresh) or [plain_chart(node, law)]
    if has_kinks(problem[0]):
        return kinked_charts(node, problem, law, fresh)
    return [], [smooth_chart(node, problem, law, fresh, roots)]


def _boxes(
    chart: VectorChart, integrands: list[sp.Expr]
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
        inside = points[v] or ([sp.S.Zero] if chart.centred else [])
        width = _layer(integrands, v) if chart.centred and len(inside) == 1 else None
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
                slopes |= {_modulus(a.diff(v)) for a in atom.args if v in a.free_symbols}
    steepest = sorted((e for e in slopes if v not in e.free_symbols), key=sp.default_sort_key)
    return 1 / reduce(Larger, steepest) if steepest else None


def _modulus(slope: sp.Expr) -> sp.Expr:
    """Modulus of what is real at run time, whatever SymPy knows about its roots."""
    return abs(slope) if slope.is_extended_real else Larger(slope, -slope)
