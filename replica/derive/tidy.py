"""Shape equations as a paper would print them, without changing their value."""

from __future__ import annotations

import sympy as sp

from replica.calculus.nodes import Average, LabelAverage
from replica.derive.smoothing import simplify_signs

_LARGE = 150


def tidy(expression: sp.Expr) -> sp.Expr:
    """Return the shortest of a few equal forms of an expression.

    Factors that do not depend on a label leave its sum; rational functions are put over one
    denominator or factored where that is shorter. Averages are left as they are.
    """
    expression = sp.sympify(expression)
    if isinstance(expression, LabelAverage):
        integrand, label, values, weights = expression.args
        inner = tidy(integrand)
        if all(value**2 == 1 for value in values):
            inner = simplify_signs(inner, label)
        coefficient, body = inner.as_independent(label, as_Add=False)
        if coefficient.has(Average):
            coefficient, body = sp.S.One, inner
        return coefficient * LabelAverage(body, label, values, weights)
    if isinstance(expression, Average) or not expression.args:
        return expression
    if not expression.has(LabelAverage):
        return _shortest(expression)
    return expression.func(*(tidy(a) for a in expression.args))


def _shortest(expression: sp.Expr) -> sp.Expr:
    symbols = expression.free_symbols
    size = expression.count_ops()
    if size > _LARGE or not expression.is_rational_function(*symbols):
        return expression
    forms = [expression, sp.together(expression), sp.factor(expression)]
    return min(forms, key=lambda form: (form.count_ops(), len(str(form))))
