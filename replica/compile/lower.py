"""Lowering: a symbolic saddle point becomes a numeric `Program`.

Averages that share a measure share one loop. A proximal operator inside an average needs no inner
solve: the integral runs over its *value* on each smooth piece of the loss, and over the Gaussian
variable where the value rests at a kink.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import sympy as sp

from replica.calculus.convex import convex_pieces, kinks
from replica.calculus.nodes import (
    Average,
    EnvelopeDerivative,
    LabelAverage,
    MoreauEnvelope,
    Proximal,
    ProximalSlope,
)
from replica.calculus.special import (
    LogCosh,
    LogNormalCdf,
    LogSumExp,
    Mills,
    MillsExcess,
    NormalCdf,
    NormalPdf,
    Sech2,
    Sigmoid,
    Softplus,
    Tanh,
)
from replica.compile.program import (
    Assign,
    Block,
    Loop,
    Program,
    ProximalRoot,
    RootProblem,
    Segment,
    Step,
)
from replica.derive.saddle_point import SaddlePoint
from replica.errors import DerivationError

#: Gaussian integrals are cut at this many standard deviations (a tail of 2e-19).
CUT = 9
_PROXIMAL = (Proximal, ProximalSlope, MoreauEnvelope, EnvelopeDerivative)
_SHARP = (
    Tanh, Sech2, LogCosh, Sigmoid, Softplus, NormalCdf, LogNormalCdf, Mills, MillsExcess,
    NormalPdf, sp.erf,
)  # fmt: skip


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
            outputs=tuple(outputs),
            map=self._block([e for _, e in saddle.equations]),
            report=self._block(list(outputs.values())),
            roots=tuple(self.roots),
        )

    def fresh(self, **assumptions: bool) -> sp.Symbol:
        return sp.Symbol(f"_{next(self.names)}", **(assumptions or {"real": True}))

    def _block(self, expressions: list[sp.Expr]) -> Block:
        """Order the work: definitions, averages of the unknowns, conjugates, the rest."""
        steps: list[Step] = [Assign(s, _unroll(e)) for s, e in self.saddle.definitions]
        results = [_unroll(sp.sympify(e)) for e in expressions]
        pending = [(s, _unroll(e)) for s, e in self.saddle.conjugates]
        values: dict[sp.Expr, sp.Expr] = {}
        while pending:
            waiting = {s for s, _ in pending}
            early = [
                node
                for e in [*(e for _, e in pending), *results]
                for node in _outermost(e)
                if not node.free_symbols & waiting and node not in values
            ]
            inner, lowered = self._lower(early)
            steps += inner
            values |= dict(zip(early, lowered, strict=True))
            ready = [(s, e) for s, e in pending if not e.free_symbols & waiting]
            if not ready:
                names = ", ".join(map(str, waiting))
                raise DerivationError(
                    f"the conjugates {names} depend on each other: no explicit fixed-point form."
                )
            steps += [Assign(s, _replace(e, values)) for s, e in ready]
            pending = [(s, e) for s, e in pending if e.free_symbols & waiting]
        inner, lowered = self._lower([_replace(e, values) for e in results])
        return Block(tuple(steps + inner), tuple(lowered))

    # -- averages to loops -------------------------------------------------------------------

    def _lower(self, expressions: list[sp.Expr]) -> tuple[list[Step], list[sp.Expr]]:
        """Replace every outermost average by the result of a loop."""
        flat = [_unroll(sp.sympify(e)) for e in expressions]
        groups: dict[tuple[sp.Expr, ...], list[Average]] = {}
        for expression in flat:
            for node in _outermost(expression):
                key = (node.variable, node.mean, node.variance)
                members = groups.setdefault(key, [])
                if node not in members:
                    members.append(node)
        steps: list[Step] = []
        values: dict[sp.Expr, sp.Expr] = {}
        for members in groups.values():
            for group in _by_problem(members):
                loop_steps, results = self._loop(group)
                steps += loop_steps
                values |= dict(zip(group, results, strict=True))
        return steps, [_replace(e, values) for e in flat]

    def _loop(self, group: list[Average]) -> tuple[list[Step], list[sp.Expr]]:
        node = group[0]
        mean, deviation = self.fresh(), self.fresh(positive=True)
        tiny = sp.Float(1e-300)
        steps: list[Step] = [
            Assign(mean, node.mean),
            Assign(deviation, sp.sqrt(sp.Max(node.variance, tiny))),
        ]
        integrands = [_unroll(a.integrand) for a in group]
        problem = _problem(integrands, node.variable)
        make = self._plain if problem is None else self._proximal
        segments = make(integrands, node.variable, mean, deviation, problem)
        outputs = tuple(self.fresh() for _ in range(len(group) + 1))
        steps.append(Loop(outputs, tuple(segments)))
        return steps, list(outputs[1:])

    def _plain(
        self,
        integrands: list[sp.Expr],
        w: sp.Symbol,
        mean: sp.Expr,
        deviation: sp.Expr,
        problem: None,
        limits: tuple[sp.Expr, sp.Expr] | None = None,
    ) -> list[Segment]:
        """Integrate over the standardised Gaussian variable, split at kinks."""
        z = self.fresh()
        lower, upper = limits or (sp.Integer(-CUT), sp.Integer(CUT))
        points = [(p - mean) / deviation for p in _split_points(integrands, w)]
        features = []
        for centre, width in _features(integrands, w):
            features.append(((centre - mean) / deviation, width / deviation))
        values = [e.subs(w, mean + deviation * z) for e in integrands]
        return self._segments(z, lower, upper, points, NormalPdf(z), values, features)

    def _proximal(
        self,
        integrands: list[sp.Expr],
        w: sp.Symbol,
        mean: sp.Expr,
        deviation: sp.Expr,
        problem: tuple[sp.Expr, ...] | None,
    ) -> list[Segment]:
        """Integrate over the value of the proximal operator on each smooth piece."""
        assert problem is not None
        function, bound, point, scale = problem
        gain = point.diff(w)
        if w in gain.free_symbols or point.subs(w, 0) != 0:
            raise DerivationError(f"the point {point} of a proximal operator is not linear in {w}.")
        window = [mean - CUT * deviation, mean + CUT * deviation]
        segments: list[Segment] = []
        pieces = convex_pieces(function, bound)
        wall_below = wall_above = None
        for index, piece in enumerate(pieces):
            v = self.fresh()
            smooth = piece.expression.subs(bound, v)
            slope, curvature = smooth.diff(v), smooth.diff(v, 2)
            field = (v + scale * slope) / gain
            problem_index = self._root_problem(v, field, (1 + scale * curvature) / gain)
            ends = [
                self._value_at(problem_index, target, piece, slope, v, gain, scale)
                for target in window
            ]
            jacobian = (1 + scale * curvature) / gain
            density = NormalPdf((field - mean) / deviation) / deviation * jacobian
            rules = {
                Proximal: v,
                ProximalSlope: 1 / (1 + scale * curvature),
                MoreauEnvelope: scale * slope**2 / 2 + smooth,
            }
            values = [
                _substitute(e, rules, lambda p, s=smooth: s.diff(p)) for e in integrands
            ]
            points = _split_points(values, v, skip={piece.lower, piece.upper})
            points += [
                self._value_at(problem_index, centre, piece, slope, v, gain, scale)
                for centre in _split_points(values, w)
            ]
            features = _features(values, v)
            for centre, width in _features(values, w):
                value = self._value_at(problem_index, centre, piece, slope, v, gain, scale)
                features.append((value, width / jacobian.subs(v, value)))
            values = [e.subs(w, field) for e in values]
            segments += self._segments(v, *ends, points, density, values, features)
            # the point where the piece begins and ends, for the kinks between pieces
            begin = None if piece.lower == -sp.oo else field.subs(v, piece.lower)
            if index == 0:
                wall_below = begin
            elif sp.expand(begin - wall_above) != 0:
                segments += self._rest(integrands, w, mean, deviation, piece.lower, wall_above,
                                       begin, pieces[index - 1], problem)
            wall_above = None if piece.upper == sp.oo else field.subs(v, piece.upper)
        if wall_below is not None:
            segments += self._rest(integrands, w, mean, deviation, pieces[0].lower, None,
                                   wall_below, pieces[0], problem)
        if wall_above is not None:
            segments += self._rest(integrands, w, mean, deviation, pieces[-1].upper, wall_above,
                                   None, pieces[-1], problem)
        return segments

    def _rest(self, integrands: list[sp.Expr], w: sp.Symbol, mean: sp.Expr, deviation: sp.Expr,
              kink: sp.Expr, begin: sp.Expr | None, end: sp.Expr | None, piece: object,
              problem: tuple[sp.Expr, ...]) -> list[Segment]:
        """Segment on which the proximal operator rests at a kink or a wall."""
        function, bound, point, scale = problem
        at_kink = piece.expression.subs(bound, kink)  # type: ignore[attr-defined]
        rules = {
            Proximal: kink,
            ProximalSlope: sp.S.Zero,
            MoreauEnvelope: (kink - point) ** 2 / (2 * scale) + at_kink,
        }

        def by_parameter(p: sp.Symbol) -> sp.Expr:
            return (kink - point) / scale * kink.diff(p) + at_kink.diff(p)

        values = [_substitute(e, rules, by_parameter) for e in integrands]
        lower = -CUT if begin is None else sp.Max(-CUT, sp.Min(CUT, (begin - mean) / deviation))
        upper = CUT if end is None else sp.Min(CUT, sp.Max(-CUT, (end - mean) / deviation))
        limits = (sp.sympify(lower), sp.sympify(upper))
        return self._plain(values, w, mean, deviation, None, limits)

    def _root_problem(self, v: sp.Symbol, field: sp.Expr, derivative: sp.Expr) -> int:
        self.roots.append(RootProblem(v, field, derivative))
        return len(self.roots) - 1

    @staticmethod
    def _value_at(index: int, target: sp.Expr, piece: object, slope: sp.Expr, v: sp.Symbol,
                  gain: sp.Expr, scale: sp.Expr) -> sp.Expr:
        """Value of the proximal operator at a point, clipped to the piece."""
        lower, upper = piece.lower, piece.upper  # type: ignore[attr-defined]
        if slope.is_polynomial(v) and sp.degree(slope, v) <= 1 or v not in slope.free_symbols:
            c1 = slope.diff(v)
            value = (gain * target - scale * slope.subs(v, 0)) / (1 + scale * c1)
            value = value if lower == -sp.oo else sp.Max(value, lower)
            return value if upper == sp.oo else sp.Min(value, upper)
        return ProximalRoot(index, target, lower, upper)

    def _segments(self, variable: sp.Symbol, lower: sp.Expr, upper: sp.Expr,
                  points: list[sp.Expr], density: sp.Expr, values: list[sp.Expr],
                  features: list[tuple[sp.Expr, sp.Expr]]) -> list[Segment]:
        """Split ``[lower, upper]`` at the given points, whatever their order at run time."""
        clipped = [sp.Min(sp.Max(p, lower), upper) for p in _sorted(points)]
        edges = [lower, *clipped, upper]
        body, results = self._lower(values)
        integrands = (density, *(density * r for r in results))
        return [
            Segment(variable, a, b, tuple(body), integrands, tuple(features))
            for a, b in zip(edges[:-1], edges[1:], strict=True)
        ]


def _unroll(expression: sp.Expr) -> sp.Expr:
    """Write out sums over labels that are not inside an average."""
    while True:
        found = [n for n in _outermost(expression, LabelAverage) if isinstance(n, LabelAverage)]
        if not found:
            return expression
        expression = _replace(expression, {n: n.unroll() for n in found})


def _outermost(expression: sp.Expr, kind: type = Average) -> Iterable[sp.Expr]:
    """Outermost nodes of a kind, never looking inside an average."""
    if isinstance(expression, kind):
        yield expression
        return
    if isinstance(expression, (Average, LabelAverage)):
        return
    for argument in expression.args:
        yield from _outermost(argument, kind)


def _replace(expression: sp.Expr, values: dict[sp.Expr, sp.Expr]) -> sp.Expr:
    if expression in values:
        return values[expression]
    if not expression.args or isinstance(expression, (Average, LabelAverage)):
        return expression
    return expression.func(*(_replace(a, values) for a in expression.args))


def _problem(integrands: list[sp.Expr], w: sp.Symbol) -> tuple[sp.Expr, ...] | None:
    problems = {
        node.args[:4]
        for e in integrands
        for node in e.atoms(*_PROXIMAL)
        if w in node.free_symbols
    }
    if len(problems) > 1:
        raise DerivationError("an average contains proximal operators of two different problems.")
    return problems.pop() if problems else None


def _by_problem(members: list[Average]) -> list[list[Average]]:
    """Split averages over one variable by their proximal problem; those without one join."""
    groups: dict[tuple[sp.Expr, ...] | None, list[Average]] = {}
    for node in members:
        groups.setdefault(_problem([_unroll(node.integrand)], node.variable), []).append(node)
    free = groups.pop(None, [])
    if not groups:
        return [free]
    result = list(groups.values())
    result[0] = result[0] + free
    return result


def _substitute(expression: sp.Expr, rules: dict[type, sp.Expr], by_parameter: object) -> sp.Expr:
    for kind, value in rules.items():
        expression = expression.replace(lambda e, k=kind: isinstance(e, k), lambda e, x=value: x)
    return expression.replace(
        lambda e: isinstance(e, EnvelopeDerivative),
        lambda e: by_parameter(e.args[4]),  # type: ignore[operator]
    )


def _split_points(
    integrands: list[sp.Expr], w: sp.Symbol, skip: Iterable[sp.Expr] = ()
) -> list[sp.Expr]:
    """Kinks of the integrands in the integration variable."""
    points: list[sp.Expr] = []
    for expression in integrands:
        for point in kinks(_shell(expression), w):
            if not any(sp.expand(point - other) == 0 for other in [*points, *skip]):
                points.append(point)
    return points


def _sorted(points: list[sp.Expr]) -> list[sp.Expr]:
    """Sort at run time by a network of minima and maxima."""
    points = list(points)
    for i in range(len(points)):
        for j in range(len(points) - 1 - i):
            a, b = points[j], points[j + 1]
            points[j], points[j + 1] = sp.Min(a, b), sp.Max(a, b)
    return points


def _shell(expression: sp.Expr) -> sp.Expr:
    """The expression outside of nested averages, whose bound symbols mean nothing here."""
    return _replace(expression, {node: sp.Dummy("inner") for node in _outermost(expression)})


def _features(integrands: list[sp.Expr], w: sp.Symbol) -> list[tuple[sp.Expr, sp.Expr]]:
    """Centre and width of every place where an integrand may change sharply."""
    arguments: set[sp.Expr] = set()
    for expression in map(_shell, integrands):
        for atom in expression.atoms(*_SHARP):
            arguments.add(atom.args[0])
        for atom in expression.atoms(LogSumExp):
            arguments |= {a - b for i, a in enumerate(atom.args) for b in atom.args[i + 1 :]}
    found: list[tuple[sp.Expr, sp.Expr]] = []
    for argument in sorted(arguments, key=sp.default_sort_key):
        if w not in argument.free_symbols:
            continue
        argument = sp.expand(argument)
        if not argument.is_polynomial(w) or sp.degree(argument, w) > 2:
            continue
        a, b, c = (argument.coeff(w, k) for k in (2, 1, 0))
        if a == 0:
            pair = [(-c / b, 1 / sp.Abs(b))]
        else:
            gap = sp.sqrt(sp.Max(b**2 - 4 * a * c, 0))
            width = 1 / (gap + sp.sqrt(sp.Abs(a)))
            pair = [((-b + gap) / (2 * a), width), ((-b - gap) / (2 * a), width)]
        found += [p for p in pair if p not in found]
    return found
