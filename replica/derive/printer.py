"""LaTeX of expressions: sums that begin with a plus, names for what would print again and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter

from replica.calculus.nodes import (
    Average,
    EnvelopeDerivative,
    MoreauEnvelope,
    Proximal,
    ProximalSlope,
)
from replica.calculus.orthant import NormalOrthant
from replica.calculus.special import LogSumExp, Sigmoid

PROXIMAL = (Proximal, ProximalSlope, MoreauEnvelope, EnvelopeDerivative)


class Printer(LatexPrinter):
    """SymPy's printer with the order of terms that a physicist would choose."""

    def __init__(
        self, losses: Mapping[Any, str] | None = None, laws: Mapping[Any, Any] | None = None
    ) -> None:
        super().__init__({"inv_trig_style": "full", "ln_notation": False})
        self.losses = dict(losses or {})
        self.laws = dict(laws or {})

    def _print_Add(self, expr: sp.Add, order: Any = None) -> str:
        terms = self._as_ordered_terms(expr, order=order)
        positive = next((t for t in terms if not t.could_extract_minus_sign()), None)
        if positive is not None and terms[0].could_extract_minus_sign():
            terms.remove(positive)
            terms.insert(0, positive)
        text = self._print(terms[0])
        for term in terms[1:]:
            negative = term.could_extract_minus_sign() and not term.is_Add
            body = self._print(-term if negative else term)
            if self._needs_add_brackets(-term if negative else term):
                body = rf"\left({body}\right)"
            text += f" {'-' if negative else '+'} {body}"
        return text

    def _print_log(self, expr: sp.Expr, exp: str | None = None) -> str:
        (argument,) = expr.args
        if argument.is_Atom:
            power = "" if exp is None else f"^{{{exp}}}"
            return rf"\log{power} {self._print(argument)}"
        text: str = super()._print_log(expr, exp)
        return text


def latex(
    expression: Any,
    losses: Mapping[Any, str] | None = None,
    laws: Mapping[Any, Any] | None = None,
) -> str:
    """Return the LaTeX of an expression, with the names of the losses and vector laws in it."""
    text: str = Printer(losses, laws).doprint(sp.sympify(expression))
    return text


def name_losses(expressions: Iterable[sp.Expr]) -> dict[tuple[sp.Expr, sp.Symbol], str]:
    """Return names of the functions of proximal operators and envelopes, with their variables."""
    found = dict.fromkeys(
        node.args[:2]
        for expression in expressions
        for node in sorted(expression.atoms(*PROXIMAL), key=sp.default_sort_key)
    )
    if len(found) == 1:
        return dict.fromkeys(found, r"\ell")
    return {loss: rf"\ell_{{{number}}}" for number, loss in enumerate(found, 1)}


Definitions = list[tuple[sp.Symbol, sp.Expr]]


def name_parts(expressions: Sequence[sp.Expr]) -> tuple[Definitions, list[sp.Expr]]:
    """Give names to what would print again and again.

    These are sums of exponentials whose logarithm appears in exponents (the weight of one component
    of a prior is ``exp(log_k - log sum exp)``, to be read as a fraction), long arguments of
    logistic functions, and the probabilities of labels where one is a sum over regions.

    Returns
    -------
    definitions, expressions
        Names with what they stand for, and the expressions written with them.
    """
    variables = {x for e in expressions for node in e.atoms(Average) for x in node.bound_symbols}
    sums = {
        node
        for e in expressions
        for power in e.atoms(sp.exp)
        for node in power.args[0].atoms(LogSumExp)
    }
    arguments = {node.args[0] for e in expressions for node in e.atoms(Sigmoid)}
    arguments = {
        -a if _negated(a, variables) else a for a in arguments if a.is_Add and len(a.args) > 2
    }
    definitions: Definitions = []
    names: dict[sp.Expr, sp.Expr] = {}
    pieces: dict[sp.Expr, sp.Expr] = {}
    for node, name in _numbered(sums, r"\mathcal{Z}", variables):
        names[node] = sp.log(name)
        definitions.append((name, _mirrored(sp.Add(*map(sp.exp, node.args)), variables)))
    for argument, name in _numbered(arguments, r"\Lambda", variables):
        names |= {argument: name, sp.expand(-argument, deep=False): -name}
        definitions.append((name, argument))
    for region, named in _label_probabilities(expressions, variables):
        definitions.append((named, region))
        for whole, name in ((region, named), (_opposite(region), _opposite(named))):
            names.setdefault(whole, name)
            if whole.is_Add:  # of one minus a sum, what is left when the terms are multiplied out
                *rest, last = whole.args
                pieces.setdefault(last, name - sp.Add(*rest))
    if pieces:
        expressions = [e.xreplace(names).xreplace(pieces) for e in expressions]
    return definitions, [_collected(e.xreplace(names)) if names else e for e in expressions]


def _label_probabilities(
    expressions: Sequence[sp.Expr], variables: set[sp.Symbol]
) -> list[tuple[sp.Expr, sp.Expr]]:
    """Probabilities whose logarithm is averaged, with names that are functions of the field."""
    logs = {node.args[0] for e in expressions for node in e.atoms(sp.log)}
    regions = sorted((e for e in logs if e.has(NormalOrthant)), key=sp.default_sort_key)
    odd = all(_is_odd(region, variables) for region in regions)
    if not odd or not any(region.is_Add for region in regions):
        return []
    found = []
    for number, region in enumerate(regions, 1):
        inside = sorted(region.free_symbols & variables, key=str, reverse=True)
        head = rf"\mathcal{{P}}_{{{number}}}" if len(regions) > 1 else r"\mathcal{P}"
        found.append((region, sp.Function(head)(*inside)))
    return found


def _is_odd(region: sp.Expr, variables: set[sp.Symbol]) -> bool:
    """Whether all limits of the probabilities change their sign with the field."""
    limits = {a for node in region.atoms(NormalOrthant) for a in node.limits}
    return all(sp.expand(a.xreplace({x: -x for x in variables}) + a) == 0 for a in limits)


def _opposite(expression: sp.Expr) -> sp.Expr:
    """A probability of a label, or its name, where the field has the other sign."""
    if isinstance(expression, AppliedUndef):
        return expression.func(*(-a for a in expression.args))
    return expression.replace(
        NormalOrthant, lambda rho, *limits: NormalOrthant(rho, *(-a for a in limits))
    )


def _negated(argument: sp.Expr, variables: set[sp.Symbol]) -> bool:
    """Whether the first term with the integration variable counts down."""
    moving = [t for t in argument.args if t.free_symbols & variables] or argument.args
    return bool(moving[0].could_extract_minus_sign())


def _numbered(
    nodes: Iterable[sp.Expr], head: str, variables: set[sp.Symbol]
) -> list[tuple[sp.Expr, sp.Symbol]]:
    ordered = sorted(nodes, key=sp.default_sort_key)
    named = []
    for number, node in enumerate(ordered, 1):
        index = f"_{{{number}}}" if len(ordered) > 1 else ""
        inside = ", ".join(sorted(latex(s) for s in node.free_symbols & variables))
        named.append((node, sp.Symbol(f"{head}{index}({inside})", positive=True)))
    return named


def _collected(expression: sp.Expr) -> sp.Expr:
    """Take common factors out of every integrand, and multiply its exponentials."""

    def collected(node: Average) -> sp.Expr:
        body = sp.factor_terms(node.args[0])
        if len(node.bound_symbols) == 1:  # several variables make sums too long to search for pairs
            body = sp.powsimp(body, deep=True, combine="exp")
        return node.over(_mirrored(body, node.bound_symbols))

    return expression.replace(lambda e: isinstance(e, Average), collected)


def _mirrored(expression: sp.Expr, variables: Iterable[sp.Symbol]) -> sp.Expr:
    """Write pairs of exponentials that a change of sign exchanges with cosh and sinh."""
    signs = {variable: -variable for variable in variables}

    def pair(total: sp.Add) -> sp.Expr:
        terms = {}
        for term in total.args:
            coefficient, power = term.as_independent(sp.exp, as_Add=False)
            exponent = sp.expand(power.args[0]) if isinstance(power, sp.exp) else None
            if exponent is None or exponent in terms:
                return total
            terms[exponent] = coefficient
        done, left = [], dict(terms)
        for exponent in sorted(terms, key=sp.default_sort_key):
            mirror = sp.expand(exponent.xreplace(signs))
            if exponent not in left or mirror == exponent or mirror not in left:
                continue
            here, there = left[exponent], left[mirror]
            if here not in (there, -there):
                continue
            even, odd = (exponent + mirror) / 2, (exponent - mirror) / 2
            if odd.could_extract_minus_sign():
                odd, here, there = -odd, there, here
            function = sp.cosh if here == there else sp.sinh
            done.append(2 * here * sp.exp(even) * function(odd))
            del left[exponent], left[mirror]
        return sp.Add(*done, *(c * sp.exp(e) for e, c in left.items()))

    def sum_of_exponentials(e: sp.Expr) -> bool:
        return bool(e.is_Add and all(t.has(sp.exp) or t.is_number for t in e.args))

    def with_constants(total: sp.Add) -> sp.Expr:
        constants = [t for t in total.args if t.is_number]
        rest = [t for t in total.args if not t.is_number]
        return sp.Add(*constants, pair(sp.Add(*rest))) if len(rest) > 1 else total

    return expression.replace(sum_of_exponentials, with_constants)
