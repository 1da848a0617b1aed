"""Margins of a label's class over the others, in which its region is an orthant.

For a label of class ``c`` they are ``x_k = h_c - h_k`` over the other classes in their order.
"""

from __future__ import annotations

import math

import sympy as sp

from replica.calculus.multiprecision import FUNCTIONS
from replica.calculus.separable import walls
from replica.calculus.special import stabilise
from replica.declare.vectors import VectorField

UNIFORM = sp.Symbol("x_u", real=True)


def margin_symbols(classes: int) -> tuple[sp.Symbol, ...]:
    """Symbols of the margins of one class over the others."""
    return tuple(sp.Symbol(f"x_{k}", real=True) for k in range(1, classes))


def in_margins(expression: sp.Expr, field: VectorField, own: int = 0) -> sp.Expr:
    """Write an expression for one label in margins of its class and the uniform component."""
    margins = margin_symbols(len(field.h))
    label = {y: sp.Integer(k == own) for k, y in enumerate(field.labels.label)}
    expression = expression.subs(label)
    # With h_own = 0 the others are minus the margins; what is lost is the sum of the components.
    shift = sp.Symbol("shift", real=True)
    others = [h for k, h in enumerate(field.h) if k != own]
    values = {field.h[own]: shift}
    values |= {h: shift - x for h, x in zip(others, margins, strict=True)}
    moved = expression.subs(values, simultaneous=True)
    moved = moved.replace(sp.Heaviside, lambda a, *rest: sp.Heaviside(sp.expand(a), *rest))
    if vanishes(moved.diff(shift)):
        return moved.subs(shift, 0)
    count = len(field.h)
    return moved.subs(shift, (sp.sqrt(count) * UNIFORM + sp.Add(*margins)) / count)


def vanishes(expression: sp.Expr) -> bool:
    """Whether an expression is zero at several points."""
    if expression == 0:
        return True
    symbols = sorted(expression.free_symbols, key=str)
    function = sp.lambdify(symbols, expression, modules=[dict(FUNCTIONS), "mpmath"])
    defaults = [getattr(s, "default", 0.0) for s in symbols]
    for shift in range(4):
        point = [x + math.sin(3 * k + 2 * shift + 1) for k, x in enumerate(defaults)]
        if abs(function(*point)) > 1e-9:
            return False
    return True


def label_energy(field: VectorField, own: int = 0) -> sp.Expr:
    """Energy of one sample of class ``own`` in margins: its loss, or the walls of a constraint."""
    if field.constraint is None:
        return in_margins(stabilise(field.loss), field, own)
    return walls(in_margins(field.excess, field, own))
