"""Saddle point of an action of matrices: its gradient and curvature by matrix calculus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from replica.calculus.matrices import KernelOverlap, KernelSum, PartialTrace, SymmetricMatrix
from replica.calculus.matrix_derivative import differential, gradient
from replica.declare.action import Action
from replica.declare.functional import OrderParameter
from replica.declare.symbols import Parameter
from replica.derive.saddle_point import Unknown

_KINDS = (
    (KernelSum, r"\sum_{\pi\pi'} X^{\pi\pi'} Z_{\pi} Z_{\pi'}^{T}",
     r"kernel between examples; $Z_{\pi}$ are the features along path $\pi$"),
    (KernelOverlap, r"\left[X_{\pi\pi'}\right]_{\pi\pi'}",
     r"matrix with these entries, a row for each path $\pi$ and a column for each $\pi'$"),
    (PartialTrace, r"\operatorname{tr}_{h}",
     "partial trace over the slowest index, the head of the layer"),
)  # fmt: skip


@dataclass(frozen=True)
class ActionSaddlePoint:
    """Symbolic saddle point of an action.

    Attributes
    ----------
    action : Expr
        What is minimised; ``exp(-action/2)`` is the weight of the order parameters.
    order_parameters : tuple of OrderParameter
    gradient : mapping
        The derivative of the action in each order parameter, which vanishes at a saddle point.
    observables : mapping
    definitions : tuple of (Symbol, Expr)
        Symbols that stand for a longer expression where the equations are printed.
    """

    name: str
    parameters: Mapping[str, Parameter]
    action: sp.Expr
    order_parameters: tuple[OrderParameter, ...]
    gradient: Mapping[Any, Any]
    observables: Mapping[str, sp.Expr]
    definitions: tuple[tuple[Any, Any], ...]

    ansatz = "declared action"
    conjugates: tuple[Any, ...] = ()
    conjugate_equations: tuple[Any, ...] = ()
    constraints: tuple[Any, ...] = ()
    replicon = None
    zero_temperature = False
    bayes_optimal = False
    default_start = "uninformed"

    @property
    def free_entropy(self) -> sp.Expr:
        """Logarithm of the weight, ``-action/2``."""
        return -self.action / 2

    @property
    def equations(self) -> tuple[tuple[Any, Any], ...]:
        """Order parameters with the derivative of the action, which vanishes."""
        return tuple(self.gradient.items())

    @property
    def unknowns(self) -> tuple[Unknown, ...]:
        """Order parameters with the derivative of the action, in place of an update."""
        positive = (0.0, float("inf"))
        return tuple(
            Unknown(o.symbol, self.gradient[o.symbol], positive, {"uninformed": o.start}, o.doc)
            for o in self.order_parameters
        )

    @cached_property
    def directions(self) -> dict[Any, Any]:
        """A symbol for a change of each order parameter."""
        return {
            item.symbol: SymmetricMatrix(f"d{item.symbol}", item.symbol.shape[0])
            if isinstance(item.symbol, SymmetricMatrix)
            else sp.Symbol(f"d{item.symbol}", real=True)
            for item in self.order_parameters
        }

    @cached_property
    def curvature(self) -> dict[Any, Any]:
        """The change of the gradient along `directions`, to first order."""
        return {s: differential(g, self.directions) for s, g in self.gradient.items()}

    @property
    def _names(self) -> dict[Any, Any]:
        """What is printed as a symbol, or its transpose."""
        names = {value.transpose(): sp.Transpose(s) for s, value in self.definitions}
        return {**names, **{value: symbol for symbol, value in self.definitions}}

    def latex(self, symbols: bool = True) -> str:
        """Return a complete ``align`` block, followed by a list of symbols where asked for."""
        names = self._names
        rows = [("S", self.action.xreplace(names))]
        rows += [(sp.latex(s), e) for s, e in self.definitions]
        rows += [("0", g.xreplace(names)) for g in self.gradient.values()]
        rows += [
            (rf"\text{{{name.replace('_', ' ')}}}", value.xreplace(names))
            for name, value in self.observables.items()
        ]
        body = " \\\\\n".join(f"  {left} &= {_latex_sum(right)}" for left, right in rows)
        block = f"\\begin{{align}}\n{body}\n\\end{{align}}"
        return f"{block}\n{self._symbol_list()}" if symbols else block

    def _symbol_list(self) -> str:
        items = [(sp.latex(o.symbol), o.doc) for o in self.order_parameters]
        items += [(sp.latex(p), p.doc) for p in self.parameters.values()]
        seen = [self.action, *self.gradient.values(), *self.observables.values()]
        items += [(symbol, doc) for kind, symbol, doc in _KINDS if any(e.has(kind) for e in seen)]
        body = "\n".join(rf"  \item ${symbol}$: {doc}." for symbol, doc in items)
        return f"\\begin{{itemize}}\n{body}\n\\end{{itemize}}\n"

    def _repr_latex_(self) -> str:
        return self.latex(symbols=False)  # notebooks do not render lists

    def __str__(self) -> str:
        names = self._names
        lines = [f"{self.name} ({self.ansatz})", f"  S = {self.action.xreplace(names)}"]
        lines += [f"  {symbol} = {value}" for symbol, value in self.definitions]
        lines += [f"  0 = {g.xreplace(names)}" for g in self.gradient.values()]
        return "\n".join(lines)


def derive_action(declaration: Action) -> ActionSaddlePoint:
    """Derive the stationarity of a declared action.

    Raises
    ------
    DerivationError
        If the action contains a node without a derivative.
    """
    symbols = [item.symbol for item in declaration.order_parameters]
    return ActionSaddlePoint(
        name=declaration.name,
        parameters=declaration.parameters,
        action=declaration.action,
        order_parameters=declaration.order_parameters,
        gradient=gradient(declaration.action, symbols),
        observables=declaration.observables,
        definitions=tuple(declaration.definitions.items()),
    )


def _latex_sum(expression: Any, width: int = 120) -> str:
    """Print the terms of a sum with their signs, on several lines where it is long."""
    terms = expression.args if expression.is_Add or expression.is_MatAdd else (expression,)
    lines: list[str] = []
    line = ""
    for term in sorted(terms, key=sp.default_sort_key):
        text = sp.latex(term)
        sign = " - " if text.startswith("- ") else " + "
        text = text.removeprefix("- ")
        if len(line) + len(text) > width and line:
            lines, line = [*lines, line], ""
        line += text if not (line or lines or sign == " - ") else sign + text
    return " \\\\\n  &\\quad ".join([*lines, line]).strip()
