"""Averages over Gaussian vectors inside averages over others, at every node of the outer one.

The inner rule is a trapezoidal sum over standard normal variables, which converges exponentially
for the smooth probabilities that are averaged. What it costs is its number of nodes times that of
the outer rule; exponentials of sums are therefore split into a factor of the outer node and one of
the inner node, which is tabulated, so that sums and products remain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sympy as sp

from replica.calculus.nodes import Average
from replica.calculus.vector import VectorAverage, common_factor
from replica.compile.expressions import outermost
from replica.compile.program import Assign, InnerAverage, Larger
from replica.errors import DerivationError

#: Largest dimension of an inner average: a rule has a power of its nodes on every axis.
MAX_INNER_DIMENSION = 2
Fresh = Callable[[], sp.Symbol]


def inner_averages(
    integrands: Iterable[sp.Expr], move: Callable[[sp.Expr], sp.Expr], fresh: Fresh
) -> tuple[list[Assign], list[Assign | InnerAverage], dict[sp.Expr, sp.Expr]]:
    """Lower the averages inside the integrands of one region.

    Parameters
    ----------
    integrands : iterable of Expr
    move : callable
        Writes an expression of the outer variables in terms of what the region knows.
    fresh : callable
        Makes symbols.

    Returns
    -------
    before : list of Assign
        Steps ahead of the region.
    steps : list
        Steps at every node.
    known : dict
        Each average with the symbol that holds it.

    Raises
    ------
    DerivationError
        If an inner average has too many variables, averages in it, or a covariance that is not a
        scale times a matrix of numbers.
    """
    laws: dict[tuple[sp.Basic, ...], list[sp.Expr]] = {}
    for expression in integrands:
        for node in outermost(expression):
            members = laws.setdefault(tuple(node.args[1:]), [])
            if node not in members:
                members.append(node)
    before: list[Assign] = []
    steps: list[Assign | InnerAverage] = []
    known: dict[sp.Expr, sp.Expr] = {}
    for members in laws.values():
        law = members[0]
        _require(law, members)
        _, variables, mean, covariance = law.args
        scale, pattern = common_factor(covariance)
        deviation = fresh()
        before.append(Assign(deviation, sp.sqrt(Larger(scale, sp.Float(1e-300)))))
        centre = [fresh() for _ in variables]
        steps += [Assign(s, move(e)) for s, e in zip(centre, mean, strict=True)]
        normal = tuple(fresh() for _ in variables)
        noise = deviation * sp.Matrix(pattern).cholesky() * sp.Matrix(normal)
        at = {x: sp.expand(mu + eta) for x, mu, eta in zip(variables, centre, noise, strict=True)}
        split = _Split({deviation, *normal}, fresh)
        values = tuple(split(node.integrand.xreplace(at)) for node in members)
        outputs = tuple(fresh() for _ in members)
        steps += split.outer
        steps.append(InnerAverage(outputs, normal, split.tables, tuple(split.inverses), values))
        known |= dict(zip(members, outputs, strict=True))
    return before, steps, known


def _require(law: sp.Expr, members: list[sp.Expr]) -> None:
    if not isinstance(law, VectorAverage):
        raise DerivationError("an average over one variable within one over several variables.")
    if len(law.variables) > MAX_INNER_DIMENSION:
        raise DerivationError(
            f"an average over {len(law.variables)} variables is needed at every node of another "
            f"one; product rules are used for at most {MAX_INNER_DIMENSION} there."
        )
    if any(isinstance(e, Average) for a in members for e in sp.preorder_traversal(a.integrand)):
        raise DerivationError("averages over several variables are nested more than once.")
    if common_factor(law.args[3])[1].free_symbols:
        raise DerivationError(
            "the covariance of an inner average is not a scale times a matrix of numbers."
        )


class _Split:
    """Takes factors of one node alone out of exponentials, and gives every inverse a symbol."""

    def __init__(self, inner: set[sp.Symbol], fresh: Fresh) -> None:
        self.inner, self.fresh = inner, fresh
        self.names: dict[sp.Expr, sp.Symbol] = {}
        self.outer: list[Assign] = []
        self.inverses: list[Assign] = []

    @property
    def tables(self) -> tuple[tuple[sp.Symbol, sp.Expr], ...]:
        """Symbols of the factors of the inner node, with what they stand for."""
        others = {step.symbol for step in (*self.outer, *self.inverses)}
        return tuple((s, e) for e, s in self.names.items() if s not in others)

    def __call__(self, expression: sp.Expr) -> sp.Expr:
        found = expression.atoms(sp.exp)
        expression = expression.xreplace({e: self._factors(e) for e in found})
        return expression.replace(self._is_inverse, self._inverse)

    def _factors(self, exponential: sp.Expr) -> sp.Expr:
        own: list[sp.Expr] = []
        other: list[sp.Expr] = []
        for term in sp.Add.make_args(sp.expand(exponential.args[0])):
            (own if term.free_symbols <= self.inner else other).append(term)
        if not own or not other or any(t.free_symbols & self.inner for t in other):
            return exponential
        table, factor = sp.exp(sp.Add(*own)), sp.exp(sp.Add(*other))
        if table not in self.names:
            self.names[table] = self.fresh()
        if factor not in self.names:
            self.names[factor] = self.fresh()
            self.outer.append(Assign(self.names[factor], factor))
        return self.names[factor] * self.names[table]

    @staticmethod
    def _is_inverse(expression: sp.Expr) -> bool:
        return isinstance(expression, sp.Pow) and expression.exp.is_Integer and expression.exp < 0

    def _inverse(self, power: sp.Pow) -> sp.Expr:
        if power.base not in self.names:
            self.names[power.base] = self.fresh()
            self.inverses.append(Assign(self.names[power.base], 1 / power.base))
        return self.names[power.base] ** -power.exp
