"""NumPy lowering of a `Program`: the fallback without a compiler, and the reference for the C."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from replica.compile.numpy_functions import FUNCTIONS
from replica.compile.program import (
    Assign,
    Block,
    InnerAverage,
    Loop,
    Program,
    ProximalRoot,
    Region,
    Sample,
    Segment,
    SiteLoop,
    VectorRoot,
    VectorSolve,
)
from replica.compile.reference_cubature import integrate_region, normal_nodes, vector_root
from replica.compile.reference_sample import average_sample, vector_solve

Environment = dict[sp.Symbol, Any]
Evaluator = Callable[[Environment], Any]


class NumpySystem:
    """The system of a program for `replica.compile.reference.ReferenceSolver`."""

    def __init__(self, program: Program) -> None:
        self.n_unknown = len(program.unknowns)
        self.n_output = len(program.outputs)
        self.squares = np.array(program.squares)
        self.vanishing = np.array(program.vanishing, dtype=bool)
        self.sampled = program.sampled
        self.lower = np.array([low for low, _ in program.domains])
        self.upper = np.array([high for _, high in program.domains])
        self._symbols = (*program.unknowns, *program.parameters)
        compiler = _BlockCompiler(program)
        self._map = compiler.block(program.map)
        self._report = compiler.block(program.report)

    def map(self, rule: Any, x: Any, p: Any) -> Any:
        """Evaluate the fixed-point map."""
        return self._run(self._map, rule, x, p)

    def report(self, rule: Any, x: Any, p: Any) -> Any:
        """Evaluate the outputs."""
        return self._run(self._report, rule, x, p)

    def _run(self, block: Callable[[Any, Environment], Any], rule: Any, x: Any, p: Any) -> Any:
        values = map(float, (*x, *p))
        with np.errstate(all="ignore"):
            return block(rule, dict(zip(self._symbols, map(np.float64, values), strict=True)))


class _BlockCompiler:
    """Turns the steps of a program into closures over vectorised functions."""

    def __init__(self, program: Program) -> None:
        self.roots, self.vector_roots = program.roots, program.vector_roots
        self.sampled = program.sampled
        self.tables = [data.values for data in program.data]
        self.count = 0

    def block(self, block: Block) -> Callable[[Any, Environment], Any]:
        steps = [self.step(s, outer=True) for s in block.steps]
        results = self.expressions(list(block.results))

        def run(rule: Any, environment: Environment) -> Any:
            for step in steps:
                step(rule, environment)
            return np.array([float(v) for v in results(environment)])

        return run

    def step(
        self, step: Assign | InnerAverage | Loop | SiteLoop, outer: bool
    ) -> Callable[[Any, Environment], None]:
        if isinstance(step, SiteLoop):
            return self.site_loop(step)
        if isinstance(step, InnerAverage):
            return self.inner_average(step)
        if isinstance(step, Loop):
            return self.outer_loop(step) if outer else self.inner_loop(step)
        value = self.expressions([step.expression])

        def assign(rule: Any, environment: Environment) -> None:
            (environment[step.symbol],) = value(environment)

        return assign

    def expressions(self, expressions: list[sp.Expr]) -> Evaluator:
        """Compile expressions to one function of the environment."""
        roots = sorted(
            set().union(*(e.atoms(ProximalRoot, VectorRoot) for e in expressions)),
            key=sp.default_sort_key,
        )
        stand_ins = {root: sp.Dummy("root") for root in roots}
        solvers = [(stand_ins[root], self.root(root)) for root in roots]
        plain = [e.xreplace(stand_ins) for e in expressions]
        symbols = sorted(set().union(*(e.free_symbols for e in plain)), key=str)
        function = sp.lambdify(symbols, plain, modules=[dict(FUNCTIONS), "numpy"], cse=True)

        def evaluate(environment: Environment) -> Any:
            if solvers:
                environment = environment | {s: solve(environment) for s, solve in solvers}
            return function(*(environment[s] for s in symbols))

        return evaluate

    def vector_root(self, root: VectorRoot) -> Evaluator:
        index, component, *arguments = root.args
        problem = self.vector_roots[int(index)]
        targets = self.expressions(list(arguments))
        spread = self.expressions(list(problem.spread))
        slopes = self.expressions([*problem.gradient, *problem.hessian])
        size = len(problem.variables)

        def solve(environment: Environment) -> Any:
            local = dict(environment)

            def evaluate(v: Any) -> Any:
                local.update(zip(problem.variables, v, strict=True))
                values = np.array([float(x) for x in slopes(local)])
                return values[:size], values[size:].reshape(size, size)

            matrix = np.array(spread(environment), dtype=float).reshape(size, size)
            target = np.array([float(x) for x in targets(environment)])
            return vector_root(evaluate, matrix, target)[int(component)]

        return solve

    def root(self, root: ProximalRoot | VectorRoot) -> Evaluator:
        if isinstance(root, VectorRoot):
            return self.vector_root(root)
        index, *arguments = root.args
        problem = self.roots[int(index)]
        ends = self.expressions(list(arguments))
        inner = self.expressions([problem.point, problem.derivative])

        def solve(environment: Environment) -> Any:
            target, lower, upper = ends(environment)
            local = dict(environment)

            def point(v: Any) -> Any:
                local[problem.variable] = v
                return inner(local)

            return _invert(point, target, lower, upper)

        return solve

    def site_loop(self, loop: SiteLoop) -> Callable[[Any, Environment], None]:
        weights, *columns = self.tables[loop.table]
        body = [self.step(s, outer=False) for s in loop.body]
        integrands = self.expressions(list(loop.integrands))

        def run(rule: Any, environment: Environment) -> None:
            local = environment | dict(zip(loop.columns, columns, strict=True))
            for step in body:
                step(rule, local)
            sums = [np.sum(weights * v) for v in integrands(local)]
            environment.update(zip(loop.outputs, sums, strict=True))

        return run

    def outer_loop(self, loop: Loop) -> Callable[[Any, Environment], None]:
        segments = [
            self.sample(s)
            if isinstance(s, Sample)
            else self.region(s)
            if isinstance(s, Region)
            else self.outer_segment(s)
            for s in loop.segments
        ]

        def run(rule: Any, environment: Environment) -> None:
            total = sum(segment(rule, environment) for segment in segments)
            total = rule.notice_measure(total)
            environment.update(zip(loop.outputs, total, strict=True))

        return run

    def outer_segment(self, segment: Segment) -> Callable[[Any, Environment], Any]:
        index = self.count
        self.count += 1
        ends = self.expressions(
            [segment.lower, segment.upper, *(e for pair in segment.features for e in pair)]
        )
        body = [self.step(s, outer=False) for s in segment.body]
        integrands = self.expressions(list(segment.integrands))
        count = len(segment.integrands)

        def run(rule: Any, environment: Environment) -> Any:
            a, b, *features = ends(environment)
            pairs = list(zip(features[::2], features[1::2], strict=True))

            def sums(a: float, b: float, t: Any, w: Any) -> Any:
                local = dict(environment)
                local[segment.variable] = a + (b - a) * t
                for step in body:
                    step(rule, local)
                values = integrands(local)
                return (b - a) * np.array([np.sum(w * v) for v in values])

            return rule.integrate(index, sums, a, b, pairs, count)

        return run

    def region(self, region: Region) -> Callable[[Any, Environment], Any]:
        index = self.count
        self.count += 1
        size = len(region.variables)
        ends = self.expressions([*region.lower, *region.upper])
        body = [self.step(s, outer=False) for s in region.body]
        integrands = self.expressions(list(region.integrands))
        count = len(region.integrands)

        def run(rule: Any, environment: Environment) -> Any:
            limits = [float(v) for v in ends(environment)]
            lower, upper = limits[:size], limits[size:]

            def sums(t: Any, w: Any) -> Any:
                local = dict(environment)
                for i, variable in enumerate(region.variables):
                    local[variable] = lower[i] + (upper[i] - lower[i]) * t[i]
                for step in body:
                    step(rule, local)
                volume = math.prod(b - a for a, b in zip(lower, upper, strict=True))
                sums = [np.sum(w * v, axis=-1) for v in integrands(local)]
                return volume * np.stack(sums, axis=-1)

            return integrate_region(rule, index, sums, lower, upper, count)

        return run

    def sample(self, sample: Sample) -> Callable[[Any, Environment], Any]:
        self.count += 1
        body = [
            self.vector_solve(s) if isinstance(s, VectorSolve) else self.step(s, outer=False)
            for s in sample.body
        ]
        integrands = self.expressions(list(sample.integrands))

        def run(rule: Any, environment: Environment) -> Any:
            rule.width = self.sampled

            def values(t: Any) -> Any:
                local = environment | dict(zip(sample.variables, t, strict=True))
                for step in body:
                    step(rule, local)
                return integrands(local)

            return average_sample(rule, values, len(sample.variables))

        return run

    def vector_solve(self, step: VectorSolve) -> Callable[[Any, Environment], None]:
        problem = self.vector_roots[step.problem]
        targets = self.expressions(list(step.targets))
        spread = self.expressions(list(problem.spread))
        slopes = self.expressions([*problem.gradient, *problem.hessian])
        size = len(problem.variables)

        def solve(rule: Any, environment: Environment) -> None:
            def evaluate(v: Any) -> Any:
                local = environment | dict(zip(problem.variables, v, strict=True))
                values = np.stack([np.broadcast_to(x, v.shape[1:]) for x in slopes(local)])
                return values[:size], values[size:].reshape(size, size, -1)

            matrix = np.array(spread(environment), dtype=float).reshape(size, size)
            v, gradient, stiffness = vector_solve(evaluate, matrix, np.array(targets(environment)))
            results = [*v, *gradient, *stiffness.reshape(size * size, -1)]
            environment.update(zip(step.symbols, results, strict=True))

        return solve

    def inner_average(self, step: InnerAverage) -> Callable[[Any, Environment], None]:
        tables = self.expressions([e for _, e in step.tables])
        integrands = self.expressions(list(step.integrands))
        symbols = [s for s, _ in step.tables]
        body = [self.step(s, outer=False) for s in step.body]

        def run(rule: Any, environment: Environment) -> None:
            nodes, weights = normal_nodes(len(step.variables), len(rule.inner_t) * 5 // 8)
            local = dict(environment) | dict(zip(step.variables, nodes, strict=True))
            local |= dict(zip(symbols, tables(local), strict=True))
            outer = {s: v for s, v in environment.items() if getattr(v, "ndim", 0)}
            parts = []
            for box in range(len(next(iter(outer.values())))):  # all at once is too much memory
                here = local | {s: v[box][:, None] for s, v in outer.items()}
                for assign in body:
                    assign(rule, here)
                parts.append([v @ weights for v in integrands(here)])
            for k, symbol in enumerate(step.outputs):
                environment[symbol] = np.array([part[k] for part in parts])

        return run

    def inner_loop(self, loop: Loop) -> Callable[[Any, Environment], None]:
        segments = [self.inner_segment(s) for s in loop.segments if isinstance(s, Segment)]

        def run(rule: Any, environment: Environment) -> None:
            totals = [segment(rule, environment) for segment in segments]
            for i, symbol in enumerate(loop.outputs):
                environment[symbol] = sum(total[i] for total in totals)

        return run

    def inner_segment(self, segment: Segment) -> Callable[[Any, Environment], Any]:
        ends = self.expressions([segment.lower, segment.upper])
        body = [self.step(s, outer=False) for s in segment.body]
        integrands = self.expressions(list(segment.integrands))

        def run(rule: Any, environment: Environment) -> Any:
            a, b = map(np.asarray, ends(environment))
            span = np.maximum(b - a, 0.0)
            local = {
                s: v[..., None] if getattr(v, "ndim", 0) else v for s, v in environment.items()
            }
            local[segment.variable] = a[..., None] + span[..., None] * rule.inner_t
            for step in body:
                step(rule, local)
            return [span * np.sum(rule.inner_w * v, axis=-1) for v in integrands(local)]

        return run


def _invert(point: Callable[[Any], Any], target: Any, lower: Any, upper: Any) -> Any:
    """Invert an increasing function by safeguarded Newton steps, elementwise."""
    target, lower, upper = np.broadcast_arrays(*map(np.asarray, (target, lower, upper)))
    target, lower, upper = (np.array(a, dtype=float) for a in (target, lower, upper))
    start = np.clip(target, lower, upper)
    low, high, step = start.copy(), start.copy(), 1.0
    for _ in range(200):
        grow_high = (point(high)[0] < target) & (high < upper)
        grow_low = (point(low)[0] > target) & (low > lower)
        if not (np.any(grow_high) or np.any(grow_low)):
            break
        high = np.where(grow_high, np.minimum(high + step, upper), high)
        low = np.where(grow_low, np.maximum(low - step, lower), low)
        step *= 2
    v = 0.5 * (low + high)
    for _ in range(100):
        value, slope = point(v)
        gap = value - target
        low, high = np.where(gap > 0, low, v), np.where(gap > 0, v, high)
        newton = v - gap / slope
        following = np.where((newton > low) & (newton < high), newton, 0.5 * (low + high))
        change = np.abs(following - v)
        v = following
        if np.all(change <= 1e-9 * (1 + np.abs(v))):
            break
    return v
