r"""Distances to convex sets, averaged over Gaussian vectors: the vocabulary of capacities.

``d^2(T, K) = min_V |V - T|^2`` over a convex set ``K = {V : g(V) >= margin}`` is a convex program.
Its derivative needs no derivative of the minimiser (envelope theorem): with the multiplier
``lambda`` of the constraint, normalised so that ``V - T = lambda grad g(V)``,
``d d^2/d margin = 2 lambda``.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from replica.errors import DerivationError

#: A standard Gaussian vector; what has no number of components is one symbol.
T = sp.Symbol("T")


class ConvexSet(sp.Basic):
    r"""The vectors ``V`` with ``V.S >= margin`` for all points ``S`` of a shape.

    Arguments
    ---------
    name : Symbol, margin : Expr
    """

    def __new__(cls, name: Any, margin: Any) -> ConvexSet:
        return super().__new__(cls, sp.sympify(name, strict=True), sp.sympify(margin, strict=True))

    @property
    def margin(self) -> sp.Expr:
        return self.args[1]

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        return self.margin.free_symbols  # the name is no variable

    def _latex(self, printer: Any) -> str:
        return rf"{printer._print(self.args[0])}_{{{printer._print(self.margin)}}}"

    def _sympystr(self, printer: Any) -> str:
        region = "K^c" if "^" in self.args[0].name else "K"
        return f"{region}({printer._print(self.margin)})"


class _OfConvexSet(sp.Expr):
    """A number that depends on a vector and a convex set.

    Arguments
    ---------
    vector : Symbol, set : ConvexSet
    """

    head = ""
    word = ""

    def __new__(cls, vector: Any, convex_set: ConvexSet) -> Any:
        return super().__new__(cls, sp.sympify(vector, strict=True), convex_set)

    @property
    def convex_set(self) -> ConvexSet:
        return self.args[1]

    @property
    def margin(self) -> sp.Expr:
        return self.convex_set.margin

    def _eval_is_extended_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        p = printer._print
        body = rf"{self.head}\left({p(self.args[0])},\,{p(self.convex_set)}\right)"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        p = printer._print
        return f"{self.word}({p(self.args[0])}, {p(self.convex_set)})"


class SquaredDistance(_OfConvexSet):
    """Squared distance of a vector from a convex set."""

    head, word = "d^2", "distance^2"

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        return 2 * Multiplier(*self.args) * self.margin.diff(s)


class Multiplier(_OfConvexSet):
    """Multiplier of the constraint at the nearest point, half the slope of the distance."""

    head, word = r"\lambda", "multiplier"

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        if s not in self.free_symbols:
            return sp.S.Zero
        raise DerivationError("the second derivative of a squared distance was asked for.")


class StandardAverage(sp.Expr):
    """Average over a standard Gaussian vector of any number of components.

    Arguments
    ---------
    integrand : Expr, vector : Symbol, components : Expr
    """

    def __new__(cls, integrand: Any, vector: Any, components: Any) -> Any:
        integrand = sp.sympify(integrand)
        if vector not in integrand.free_symbols:
            return integrand
        return super().__new__(cls, integrand, vector, sp.sympify(components))

    @property
    def integrand(self) -> sp.Expr:
        return self.args[0]

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        return (self.args[0].free_symbols - {self.args[1]}) | self.args[2].free_symbols

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        coefficient, body = self.integrand.diff(s).as_independent(self.args[1], as_Add=False)
        return coefficient * StandardAverage(body, *self.args[1:])

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        p = printer._print
        law = rf"{p(self.args[1])}\sim\mathcal{{N}}\left(0,\,I_{{{p(self.args[2])}}}\right)"
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\mathbb{{E}}_{{{law}}}\left[{p(self.integrand)}\right]{power}"

    def _sympystr(self, printer: Any) -> str:
        p = printer._print
        return f"E[{p(self.integrand)}; {p(self.args[1])} ~ N(0, I_({p(self.args[2])}))]"


class BusiestContext(sp.Expr):
    r"""Largest average over the regions ``c`` of context vectors, of which each has its own set.

    Arguments
    ---------
    integrand : Expr, vector : Symbol, components : Expr, count : Expr
    free : Tuple of Symbol
        What every region may choose: the average is the least one.
    bound : Tuple of Symbol
        Fields and norms that depend on this choice.
    """

    def __new__(
        cls, integrand: Any, vector: Any, components: Any, count: Any, free: Any = (),
        bound: Any = (),
    ) -> Any:  # fmt: skip
        numbers = map(sp.sympify, (integrand, vector, components, count))
        return super().__new__(cls, *numbers, sp.Tuple(*free), sp.Tuple(*bound))

    @property
    def free(self) -> sp.Tuple:
        return self.args[4]

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        inner = self.args[0].free_symbols - {self.args[1], *self.args[4], *self.args[5]}
        return inner.union(*(a.free_symbols for a in self.args[2:4]))

    def _eval_is_extended_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        p = printer._print
        vector, law = p(self.args[1]), rf"\mathcal{{N}}\left(0,\,I_{{{p(self.args[2])}}}\right)"
        chosen = r",\,".join(map(p, self.free))
        least = rf"\min_{{{chosen}}}\," if self.free else ""
        body = (
            rf"\max_{{c\in\{{0,1\}}^{{{p(self.args[3])}}}}}{least}"
            rf"\mathbb{{E}}_{{r,\,{vector}\sim{law}}}\left[{p(self.args[0])}\right]"
        )
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        p = printer._print
        least = f" min_{{{', '.join(map(p, self.free))}}}" if self.free else ""
        law = f"{p(self.args[1])} ~ N(0, I_({p(self.args[2])}))"
        return f"max_c{least} E[{p(self.args[0])}; r, {law}]"
