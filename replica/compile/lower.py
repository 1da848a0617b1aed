"""Lowering: a symbolic saddle point becomes a numeric `Program`.

Averages that share a measure share one loop. A proximal operator inside an average needs no inner
solve: the integral runs over its *value* on each smooth piece of the loss, and over the Gaussian
variable where the value rests at a kink.
"""

from __future__ import annotations

import itertools
from itertools import pairwise

import sympy as sp

from replica.calculus.nodes import Average
from replica.calculus.spectra import Data, SiteAverage
from replica.calculus.vector import VectorAverage
from replica.compile.charts import (
    PROXIMAL_NODES,
    Chart,
    GaussianField,
    Problem,
    proximal_charts,
    standard_chart,
)
from replica.compile.expressions import (
    outermost,
    replace_nodes,
    sharp_features,
    sort_at_run_time,
    split_points,
    unroll,
    without_cancellation,
)
from replica.compile.program import (
    Assign,
    Block,
    Larger,
    Loop,
    Program,
    RootProblem,
    Segment,
    Smaller,
    Step,
    VectorRootProblem,
)
from replica.compile.regions import group_key, region_loop
from replica.compile.samples import is_sampled, sample_loop
from replica.compile.sites import refuse_site_loops, site_sums
from replica.derive.saddle_point import SaddlePoint
from replica.errors import DerivationError


def lower(saddle: SaddlePoint) -> Program:
    """Lower a saddle point to its numeric program.

    Raises
    ------
    DerivationError
        If an average contains proximal operators of two different problems.
    """
    return _Lowering(saddle).program()


class _Lowering:
    def __init__(self, saddle: SaddlePoint) -> None:
        self.saddle = saddle
        self.names = (f"v{i}" for i in itertools.count())
        self.roots: list[RootProblem] = []
        self.data: list[Data] = []
        self.vector_roots: list[VectorRootProblem] = []

    def program(self) -> Program:
        saddle = self.saddle
        outputs = {"free_entropy": saddle.free_entropy}
        outputs |= {str(s): s for s, _ in saddle.conjugates}
        if saddle.replicon is not None:
            outputs["replicon"] = saddle.replicon
        outputs |= dict(saddle.observables)
        return Program(
            name=saddle.name,
            unknowns=saddle.order_parameters,
            parameters=tuple(saddle.parameters.values()),
            domains=tuple(u.domain for u in saddle.unknowns),
            squares=tuple(
                -1 if u.square is None else saddle.order_parameters.index(u.square)
                for u in saddle.unknowns
            ),
            vanishing=tuple(not u.symbol.is_positive for u in saddle.unknowns),
            outputs=tuple(outputs),
            map=self._block([e for _, e in saddle.equations]),
            report=self._block(list(outputs.values())),
            roots=tuple(self.roots),
            data=tuple(self.data),
            vector_roots=tuple(self.vector_roots),
        )

    def fresh(self, **assumptions: bool) -> sp.Symbol:
        return sp.Symbol(f"_{next(self.names)}", **(assumptions or {"real": True}))

    def _block(self, expressions: list[sp.Expr]) -> Block:
        """Order the work: definitions, averages of the unknowns, conjugates, the rest."""
        steps: list[Step] = []
        for symbol, expression in self.saddle.definitions:
            inner, (value,) = self.lower([expression])
            steps += [*inner, Assign(symbol, value)]
        results = [unroll(sp.sympify(e)) for e in expressions]
        pending = [(s, unroll(e)) for s, e in self.saddle.conjugates]
        values: dict[sp.Expr, sp.Expr] = {}
        while pending:
            waiting = {s for s, _ in pending}
            early = [
                node
                for e in [*(e for _, e in pending), *results]
                for node in outermost(e)
                if not node.free_symbols & waiting and node not in values
            ]
            inner, lowered = self.lower(early)
            steps += inner
            values |= dict(zip(early, lowered, strict=True))
            ready = [(s, e) for s, e in pending if not e.free_symbols & waiting]
            if not ready:
                names = ", ".join(map(str, waiting))
                raise DerivationError(
                    f"the conjugates {names} depend on each other: no explicit fixed-point form."
                )
            steps += [Assign(s, replace_nodes(e, values)) for s, e in ready]
            pending = [(s, e) for s, e in pending if e.free_symbols & waiting]
        inner, lowered = self.lower([replace_nodes(e, values) for e in results])
        return Block(tuple(steps + inner), tuple(lowered))

    # -- averages to loops -------------------------------------------------------------------

    def lower(self, expressions: list[sp.Expr]) -> tuple[list[Step], list[sp.Expr]]:
        """Replace every outermost average by the result of a loop."""
        flat = [unroll(sp.sympify(e)) for e in expressions]
        groups: dict[tuple[sp.Expr, ...], list[Average]] = {}
        for expression in flat:
            for node in outermost(expression):
                vector = isinstance(node, VectorAverage)
                key = group_key(node) if vector else node.args[1:]  # the measure
                members = groups.setdefault(key, [])
                if node not in members:
                    members.append(node)
        steps: list[Step] = []
        values: dict[sp.Expr, sp.Expr] = {}
        for members in groups.values():
            if isinstance(members[0], SiteAverage):
                site_steps, results = site_sums(members, self)
                steps += site_steps
                values |= dict(zip(members, results, strict=True))
                continue
            if isinstance(members[0], VectorAverage):
                integrate = sample_loop if is_sampled(members) else region_loop
                before, loop, outputs = integrate(members, self.fresh, self.vector_roots)
                steps += [*before, loop]
                values |= dict(zip(members, outputs, strict=True))
                continue
            for group in _by_problem(members):
                loop_steps, results = self._loop(group)
                steps += loop_steps
                values |= dict(zip(group, results, strict=True))
        return steps, [without_cancellation(replace_nodes(e, values)) for e in flat]

    def _loop(self, group: list[Average]) -> tuple[list[Step], list[sp.Expr]]:
        node = group[0]
        mean, deviation = self.fresh(), self.fresh(positive=True)
        tiny = sp.Float(1e-300)
        steps: list[Step] = [
            Assign(mean, node.mean),
            Assign(deviation, sp.sqrt(Larger(node.variance, tiny))),
        ]
        integrands = [unroll(a.integrand) for a in group]
        problem = _problem(integrands, node.variable)
        gaussian = GaussianField(node.variable, mean, deviation)
        if problem is None:
            charts = [standard_chart(gaussian, self.fresh())]
        else:
            charts = proximal_charts(gaussian, problem, self.fresh, self.roots)
        segments = [s for chart in charts for s in self._segments(chart, gaussian, integrands)]
        outputs = tuple(self.fresh() for _ in range(len(group) + 1))
        steps.append(Loop(outputs, tuple(segments)))
        return steps, list(outputs[1:])

    def _segments(
        self, chart: Chart, gaussian: GaussianField, integrands: list[sp.Expr]
    ) -> list[Segment]:
        """Integrate over one chart, split at kinks whatever their order at run time."""
        w, v = gaussian.symbol, chart.variable
        values = [chart.substitute(e) for e in integrands]
        points = split_points(values, v, skip=chart.edges)
        points += [chart.locate(p) for p in split_points(values, w)]
        features = sharp_features(values, v)
        for centre, width in sharp_features(values, w):
            at = chart.locate(centre)
            features.append((at, width / chart.jacobian.subs(v, at)))
        body, results = self.lower([e.subs(w, chart.field) for e in values])
        refuse_site_loops(body)
        clipped = [Smaller(Larger(p, chart.lower), chart.upper) for p in sort_at_run_time(points)]
        edges = [chart.lower, *clipped, chart.upper]
        summands = (chart.density, *(chart.density * r for r in results))
        return [
            Segment(v, a, b, tuple(body), summands, tuple(features)) for a, b in pairwise(edges)
        ]


def _problem(integrands: list[sp.Expr], w: sp.Symbol) -> Problem | None:
    nodes = {node for e in integrands for node in e.atoms(*PROXIMAL_NODES)}
    problems = {node.args[:4] for node in nodes if w in node.free_symbols}
    if len(problems) > 1:
        raise DerivationError("an average contains proximal operators of two different problems.")
    return problems.pop() if problems else None


def _by_problem(members: list[Average]) -> list[list[Average]]:
    """Split averages over one variable by their proximal problem; those without one join."""
    groups: dict[Problem | None, list[Average]] = {}
    for node in members:
        groups.setdefault(_problem([unroll(node.integrand)], node.variable), []).append(node)
    free = groups.pop(None, [])
    if not groups:
        return [free]
    result = list(groups.values())
    result[0] = result[0] + free
    return result
