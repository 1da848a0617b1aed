"""NumPy lowering of a `Program`: the fallback without a compiler, and the reference for the C."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import sympy as sp
from scipy import special

from replica.compile.orthant_code import normal_orthant
from replica.compile.program import (
    Assign,
    Block,
    InnerAverage,
    Loop,
    Program,
    ProximalRoot,
    Region,
    RootProblem,
    Segment,
    VectorRoot,
    VectorRootProblem,
)
from replica.compile.reference_cubature import integrate_region, normal_nodes, vector_root

Environment = dict[sp.Symbol, Any]
Evaluator = Callable[[Environment], Any]


def _sech2(x: Any) -> Any:
    decay = np.exp(-2 * np.abs(x))
    return 4 * decay / (1 + decay) ** 2


def _log_cosh(x: Any) -> Any:
    size = np.abs(x)
    small = np.minimum(size, 0.5)
    far = size + np.log1p(np.exp(-2 * size)) - np.log(2.0)
    return np.where(size < 0.5, 0.5 * np.log1p(np.sinh(small) ** 2), far)


def _mills(x: Any) -> Any:
    return np.sqrt(2 / np.pi) / special.erfcx(-np.asarray(x) / np.sqrt(2.0))


def _mills_excess(x: Any) -> Any:
    far = np.minimum(x, -25.0)
    inverse = 1 / far**2
    # Asymptotic series of x + phi(x)/Phi(x) for x -> -oo, where the two terms cancel.
    series = np.polyval((-1708394.0, 110410.0, -8162.0, 706.0, -74.0, 10.0, -2.0, 1.0), inverse)
    return np.where(np.asarray(x) < -25.0, -series / far, x + _mills(x))


def _spectral_radius(*entries: Any) -> Any:
    matrix = np.array([float(e) for e in entries]).reshape(math.isqrt(len(entries)), -1)
    return np.max(np.abs(np.linalg.eigvals(matrix))) if np.all(np.isfinite(matrix)) else np.nan


def _log_sum_exp(*terms: Any) -> Any:
    return reduce(np.logaddexp, terms)


FUNCTIONS: Mapping[str, Any] = {
    "Tanh": np.tanh,
    "Sech2": _sech2,
    "LogCosh": _log_cosh,
    "Sigmoid": special.expit,
    "Softplus": lambda x: np.logaddexp(0.0, x),
    "NormalPdf": lambda x: np.exp(-0.5 * np.asarray(x) ** 2) / np.sqrt(2 * np.pi),
    "NormalCdf": special.ndtr,
    "LogNormalCdf": special.log_ndtr,
    "Mills": _mills,
    "MillsExcess": _mills_excess,
    "LogSumExp": _log_sum_exp,
    "NormalOrthant": normal_orthant,
    "SpectralRadius": _spectral_radius,
    "Heaviside": lambda x, at_zero=0.5: np.heaviside(x, at_zero),
    "erf": special.erf,
    "erfc": special.erfc,
    "Larger": np.maximum,
    "Smaller": np.minimum,
    "amax": lambda terms, axis=0: reduce(np.maximum, terms),
    "amin": lambda terms, axis=0: reduce(np.minimum, terms),
}


class NumpySystem:
    """The system of a program for `replica.compile.reference.ReferenceSolver`."""

    def __init__(self, program: Program) -> None:
        self.n_unknown = len(program.unknowns)
        self.n_output = len(program.outputs)
        self.squares = np.array(program.squares)
        self.lower = np.array([low for low, _ in program.domains])
        self.upper = np.array([high for _, high in program.domains])
        self._symbols = (*program.unknowns, *program.parameters)
        compiler = _BlockCompiler(program.roots, program.vector_roots)
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

    def __init__(
        self, roots: tuple[RootProblem, ...], vector_roots: tuple[VectorRootProblem, ...]
    ) -> None:
        self.roots, self.vector_roots = roots, vector_roots
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
        self, step: Assign | InnerAverage | Loop, outer: bool
    ) -> Callable[[Any, Environment], None]:
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

    def outer_loop(self, loop: Loop) -> Callable[[Any, Environment], None]:
        segments = [
            self.region(s) if isinstance(s, Region) else self.outer_segment(s)
            for s in loop.segments
        ]

        def run(rule: Any, environment: Environment) -> None:
            total = sum(segment(rule, environment) for segment in segments)
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
