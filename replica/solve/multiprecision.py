"""Symbolic expressions at any number of digits, straight from their nodes.

Nothing is shared with the lowering that the compiled systems use: Gaussian averages run over the
Gaussian variable itself, and a proximal operator is solved for at every node of the quadrature. So
the values can serve as reference for the compiled ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sympy as sp
from mpmath import mp

from replica.calculus import special
from replica.calculus.convex import convex_pieces, kink_arguments
from replica.calculus.multiprecision import FUNCTIONS
from replica.calculus.nodes import (
    Average,
    EnvelopeDerivative,
    LabelAverage,
    MoreauEnvelope,
    Proximal,
    ProximalSlope,
)
from replica.calculus.vector import VectorAverage
from replica.errors import DerivationError
from replica.progress import keep_time
from replica.solve.multiprecision_numbers import (
    integrate,
    integrate_analytic,
    sign_changes,
)

Environment = Mapping[sp.Symbol, Any]
_PROXIMAL = (Proximal, ProximalSlope, MoreauEnvelope, EnvelopeDerivative)
_SHARP = (
    special.Tanh, special.Sech2, special.LogCosh, special.Sigmoid, special.Softplus,
    special.NormalCdf, special.NormalPdf, special.LogNormalCdf, special.Mills, special.MillsExcess,
    sp.erf, sp.tanh,
)  # fmt: skip


# -- expressions ----------------------------------------------------------------------------------


class Expressions:
    """A list of expressions as one function of the values of its symbols.

    Parameters
    ----------
    expressions : iterable of Expr
    remember : bool
        Keep the averages that were computed, for repeated calls that change a few symbols only.
    """

    def __init__(self, expressions: Iterable[sp.Expr], remember: bool = False) -> None:
        written = [_without_labels(sp.sympify(e)) for e in expressions]
        nodes = list(dict.fromkeys(n for e in written for n in _outermost(e)))
        if any(isinstance(node, VectorAverage) for node in nodes):
            raise DerivationError(
                "averages over several variables cannot be evaluated with many digits; the error "
                "of a solution is certified by its refined rule only."
            )
        names = {node: sp.Dummy("node", real=True) for node in nodes}
        self.shells = [e.xreplace(names) for e in written]
        self.parts: list[_Part] = []
        for problem in _grouped((n for n in nodes if isinstance(n, _PROXIMAL)), slice(0, 4)):
            self.parts.append(_ProximalPart({n: names[n] for n in problem}))
        for measure in _grouped((n for n in nodes if isinstance(n, Average)), slice(1, 4)):
            self.parts.append(_AveragePart({n: names[n] for n in measure}, remember))
        self.symbols = _sorted(set().union(*(e.free_symbols for e in self.shells)))
        self._function = _numeric(self.symbols, self.shells)

    def __call__(self, environment: Environment) -> list[Any]:
        """Return the values of the expressions."""
        local = dict(environment)
        for part in self.parts:
            part.fill(local)
        values: list[Any] = self._function(*(local[s] for s in self.symbols))
        return values


class Plan:
    """Equations in the order in which their symbols become known, and results that use them.

    An average goes with the first equations that can be evaluated, so that all averages over one
    measure share its nodes, wherever they appear.

    Parameters
    ----------
    equations : sequence of (Symbol, Expr)
        Explicit once those that they contain are known.
    results : sequence of Expr
    """

    def __init__(
        self, equations: Sequence[tuple[sp.Symbol, sp.Expr]], results: Sequence[sp.Expr]
    ) -> None:
        waiting = {s: _without_labels(e) for s, e in equations}
        final = [_without_labels(sp.sympify(e)) for e in results]
        self.steps: list[tuple[list[sp.Symbol], Expressions]] = []
        while waiting:
            unknown = set(waiting)
            ready = {s: waiting.pop(s) for s in unknown if not waiting[s].free_symbols & unknown}
            assert ready, "the lowering refuses equations that depend on each other"
            early = {
                node: sp.Dummy("early", real=True)
                for e in (*waiting.values(), *final)
                for node in _outermost(e)
                if not node.free_symbols & unknown
            }
            step = [*ready, *early.values()], Expressions([*ready.values(), *early])
            self.steps.append(step)
            waiting = {s: e.xreplace(early) for s, e in waiting.items()}
            final = [e.xreplace(early) for e in final]
        self._final = Expressions(final)

    def __call__(self, environment: Environment) -> tuple[dict[sp.Symbol, Any], list[Any]]:
        """Return the environment with the values of the equations, and the results."""
        local = dict(environment)
        for symbols, expressions in self.steps:
            local.update(zip(symbols, expressions(local), strict=True))
        return local, self._final(local)


def _numeric(symbols: Sequence[sp.Symbol], expressions: Sequence[sp.Expr]) -> Callable[..., Any]:
    modules = [dict(FUNCTIONS), "mpmath"]
    return sp.lambdify(list(symbols), list(expressions), modules=modules, cse=True)


def _without_labels(expression: sp.Expr) -> sp.Expr:
    while expression.has(LabelAverage):
        expression = expression.replace(lambda e: isinstance(e, LabelAverage), lambda e: e.unroll())
    return expression


def _outermost(expression: sp.Expr) -> Iterator[sp.Expr]:
    if isinstance(expression, (Average, *_PROXIMAL)):
        yield expression
        return
    for argument in expression.args:
        yield from _outermost(argument)


def _grouped(nodes: Iterable[sp.Expr], key: slice) -> list[list[sp.Expr]]:
    groups: dict[Any, list[sp.Expr]] = {}
    for node in nodes:
        groups.setdefault(node.args[key], []).append(node)
    return list(groups.values())


def _sorted(symbols: Iterable[sp.Symbol]) -> list[sp.Symbol]:
    return sorted(symbols, key=sp.default_sort_key)


class _Part:
    """Nodes that are evaluated together, and the symbols that stand for them."""

    def fill(self, local: dict[sp.Symbol, Any]) -> None:
        raise NotImplementedError


# -- proximal operators ---------------------------------------------------------------------------


class _ProximalPart(_Part):
    """Proximal operator, slope, envelope and its derivatives, of one problem."""

    def __init__(self, names: Mapping[sp.Expr, sp.Symbol]) -> None:
        function, variable, point, scale = next(iter(names)).args[:4]
        self.names = [(name, type(node), node.args[4:]) for node, name in names.items()]
        self.problem = Expressions([point, scale])
        parameters = list(dict.fromkeys(p for _, _, rest in self.names for p in rest))
        self.parameters = parameters
        pieces = convex_pieces(function, variable)
        used = (e.free_symbols for p in pieces for e in (p.expression, p.lower, p.upper))
        self.symbols = _sorted(set().union(*used) - {variable})
        self.pieces: list[tuple[Any, ...]] = []
        for piece in pieces:
            f = piece.expression
            derivatives = [f.diff(variable), f.diff(variable, 2)]
            values = [f, *(f.diff(p) for p in parameters)]
            ends = [
                [e, *(e.diff(p) for p in parameters)] if e.is_finite is not False else None
                for e in (piece.lower, piece.upper)
            ]
            self.pieces.append(
                (
                    _numeric([variable, *self.symbols], derivatives),
                    _numeric([variable, *self.symbols], values),
                    *(None if end is None else _numeric(self.symbols, end) for end in ends),
                )
            )
        self._last = mp.zero

    def _ranges(self, scale: Any, values: Sequence[Any]) -> list[tuple[Any, Any, Any, Any]]:
        """Return the ends of every piece, in the value and in the point."""
        found = []
        for derivatives, _, lower, upper in self.pieces:
            ends = []
            for end, infinity in ((lower, mp.ninf), (upper, mp.inf)):
                if end is None:
                    ends.append((infinity, infinity))
                else:
                    v = end(*values)[0]
                    ends.append((v, v + scale * derivatives(v, *values)[0]))
            found.append((ends[0][0], ends[1][0], ends[0][1], ends[1][1]))
        return found

    def edges(self, local: Environment) -> list[Any]:
        """Return the points at which the value passes from one piece or kink to the next."""
        _, scale = self.problem(local)
        ranges = self._ranges(scale, [local[s] for s in self.symbols])
        return [p for *_, begin, end in ranges for p in (begin, end) if mp.isfinite(p)]

    def fill(self, local: dict[sp.Symbol, Any]) -> None:
        point, scale = self.problem(local)
        values = [local[s] for s in self.symbols]
        ranges = self._ranges(scale, values)
        index = next((i for i, r in enumerate(ranges) if point <= r[3]), len(ranges) - 1)
        lower, upper, begin, end = ranges[index]
        derivatives, functions, *ends = self.pieces[index]
        if begin <= point <= end:
            v, slope = self._solve(derivatives, values, point, scale, lower, upper)
            value, *by = functions(v, *values)
        else:  # at rest at a kink or a wall
            v, *moves = ends[0 if point < begin else 1](*values)
            value, *by = functions(v, *values)
            slope, derivative = mp.zero, derivatives(v, *values)[0]
            pull = (v - point) / scale + derivative
            by = [b + pull * move for b, move in zip(by, moves, strict=True)]
        results = {
            Proximal: v,
            ProximalSlope: slope,
            MoreauEnvelope: (v - point) ** 2 / (2 * scale) + value,
        }
        for name, kind, rest in self.names:
            local[name] = results[kind] if not rest else by[self.parameters.index(rest[0])]

    def _solve(
        self,
        derivatives: Callable[..., Any],
        values: Sequence[Any],
        point: Any,
        scale: Any,
        lower: Any,
        upper: Any,
    ) -> tuple[Any, Any]:
        """Solve ``v + scale f'(v) = point`` on a piece by safeguarded Newton steps.

        Returns the value and its derivative with respect to the point.
        """
        near = min(max(point, lower), upper)
        far = point - scale * derivatives(near, *values)[0]
        low, high = max(min(near, far), lower), min(max(near, far), upper)
        v = self._last if low < self._last < high else (low + high) / 2
        small = mp.mpf(10) ** (-0.6 * mp.dps)  # the step after that is exact
        for _ in range(4 * mp.prec):
            first, second = derivatives(v, *values)
            gap = v + scale * first - point
            low, high = (low, v) if gap > 0 else (v, high)
            following = v - gap / (1 + scale * second)
            if not low <= following <= high:
                following = (low + high) / 2
            step, v = abs(following - v), following
            if step <= small * (1 + abs(v)):
                break
        self._last = v
        return v, 1 / (1 + scale * derivatives(v, *values)[1])


# -- averages -------------------------------------------------------------------------------------


class _AveragePart(_Part):
    """Gaussian averages over one measure: they share the nodes of the quadrature."""

    def __init__(self, names: Mapping[sp.Expr, sp.Symbol], remember: bool) -> None:
        first = next(iter(names))
        self.names = list(names.values())
        self.variable = first.variable
        self.law = Expressions([first.mean, first.variance])
        integrands = [_without_labels(node.integrand) for node in names]
        # Nodes that do not depend on the variable are worked out once, before the quadrature.
        inner = dict.fromkeys(n for e in integrands for n in _outermost(e))
        fixed = {
            n: sp.Dummy("fixed", real=True) for n in inner if self.variable not in n.free_symbols
        }
        self.fixed = list(fixed.values()), Expressions(fixed)
        self.integrands = Expressions(e.xreplace(fixed) for e in integrands)
        self.symbols = _sorted(set().union(*(node.free_symbols for node in names)))
        self._inside = [p for p in self.integrands.parts if isinstance(p, _ProximalPart)]
        # Kinks and sharp features lie where these arguments change sign.
        moving = {self.variable} | {n for p in self._inside for n, *_ in p.names}
        bent: list[sp.Expr] = []
        sharp: list[sp.Expr] = []
        for shell in self.integrands.shells:
            bent += [a for symbol in moving for a in kink_arguments(shell, symbol)]
            sharp += [atom.args[0] for atom in shell.atoms(*_SHARP)]
            sharp += [
                a - b
                for atom in shell.atoms(special.LogSumExp)
                for a, b in itertools.combinations(atom.args, 2)
            ]
        self._bent = list(dict.fromkeys(bent))
        both = [*self._bent, *dict.fromkeys(a for a in sharp if a.free_symbols & moving)]
        symbols = _sorted(set().union(*(a.free_symbols for a in both)))
        self._arguments = symbols, _numeric(symbols, both), len(both)
        self._memory: dict[Any, list[Any]] | None = {} if remember else None

    def fill(self, local: dict[sp.Symbol, Any]) -> None:
        if self._memory is None:
            values = self._values(local)
        else:
            key = (mp.prec, *(local[s] for s in self.symbols))
            if key not in self._memory:
                self._memory[key] = self._values(local)
            values = self._memory[key]
        local.update(zip(self.names, values, strict=True))

    def _values(self, outer: Environment) -> list[Any]:
        mean, variance = self.law(outer)
        if not (mp.isfinite(mean) and mp.isfinite(variance)):
            return [mp.nan] * len(self.names)
        symbols, fixed = self.fixed
        local = {**outer, **dict(zip(symbols, fixed(outer), strict=True))}
        if variance <= 0:
            local[self.variable] = mean
            return self.integrands(local)
        deviation = mp.sqrt(variance)
        reach = mp.sqrt(2 * mp.log(10) * mp.dps) + 2
        splits = self._splits(local, mean, deviation, reach)

        def integrand(z: Any) -> list[Any]:
            keep_time()
            local[self.variable] = mean + deviation * z
            density = mp.npdf(z)
            return [density * value for value in self.integrands(local)]

        smooth = integrate_analytic(integrand, reach) if len(splits) == 2 else None
        return integrate(integrand, splits) if smooth is None else smooth

    def _splits(
        self, local: dict[sp.Symbol, Any], mean: Any, deviation: Any, reach: Any
    ) -> list[Any]:
        """Find the ends of the panels from which bisection starts, in units of the deviation.

        There are only two where the integrand is smooth on the scale of the deviation.
        """
        symbols, numeric, count = self._arguments
        exact = len(self._bent)

        def arguments(z: Any) -> list[Any]:
            local[self.variable] = mean + deviation * z
            for part in self._inside:
                part.fill(local)
            return numeric(*(local[s] for s in symbols))

        points = [-reach, reach]
        if count:
            for index, root in sign_changes(arguments, count, -reach, reach):
                if index < exact:
                    points.append(root)
                    continue
                step = mp.mpf(10) ** (-mp.dps // 3)
                rise = arguments(root + step)[index] - arguments(root - step)[index]
                width = 2 * step / abs(rise) if rise else mp.one
                distance = 4 * width
                while distance < 1:
                    points += [root - distance, root, root + distance]
                    distance *= 4
        for part in self._inside:
            local[self.variable] = mean
            for edge in part.edges(local):

                def beyond(z: Any, part: _ProximalPart = part, edge: Any = edge) -> list[Any]:
                    local[self.variable] = mean + deviation * z
                    return [part.problem(local)[0] - edge]

                points += [root for _, root in sign_changes(beyond, 1, -reach, reach)]
        inside = {p for p in points if abs(p) <= reach}
        if len(inside) > 2:
            inside |= {-reach / 2, mp.zero, reach / 2}
        least = mp.mpf(10) ** (2 - mp.dps)
        ends = sorted(inside)
        return [a for a, b in itertools.pairwise(ends) if b - a > least] + ends[-1:]
