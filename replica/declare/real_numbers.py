"""Real numbers of a declaration: given as such, or as expressions of parameters."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from typing import Any

import sympy as sp

from replica.errors import DeclarationError, ParameterError


def real_expression(value: Any, what: str) -> sp.Expr:
    """Return a number, or an expression of parameters, as a SymPy expression.

    Raises
    ------
    DeclarationError
        If it is something else, or a number that is not real and finite.
    """
    wrong = DeclarationError(
        f"{what}: expected a finite real number or an expression of parameters, got "
        f"{reprlib.repr(value)}."
    )
    if isinstance(value, str):
        raise wrong
    try:
        expression = sp.sympify(value)
    except (sp.SympifyError, TypeError, ValueError):
        raise wrong from None
    if not isinstance(expression, sp.Expr) or expression.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise wrong
    if expression.is_number and not expression.is_real:
        raise wrong
    return expression


def real_value(expression: sp.Expr, values: Mapping[sp.Symbol, float], what: str) -> float:
    """Return an expression at values of parameters.

    Raises
    ------
    ParameterError
        If it is no finite real number there.
    """
    found = sp.sympify(expression).subs(values)
    number = float(found) if found.is_real else math.nan
    if not math.isfinite(number):
        raise ParameterError(f"{what}: {expression} is {found}, which is no finite real number.")
    return number
