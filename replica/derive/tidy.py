"""Shape equations as a paper would print them, without changing their value."""

from __future__ import annotations

import sympy as sp

from replica.calculus.nodes import Average, LabelAverage
from replica.calculus.spectra import SiteAverage
from replica.calculus.trees import distinct
from replica.derive.smoothing import simplify_signs

_LARGE = 150
#: Length of another form of a sum, relative to its own, from which it is preferred.
_WORTH = 0.5


def tidy(expression: sp.Expr) -> sp.Expr:
    """Return the shortest of a few equal forms of an expression.

    Factors that do not depend on a label leave its sum; rational functions are put over one
    denominator or factored where that is shorter. Averages are left as they are.
    """
    expression = _merged_powers(sp.sympify(expression))
    if isinstance(expression, LabelAverage):
        integrand, label, values, weights = expression.args
        inner = tidy(integrand)
        if all(value**2 == 1 for value in values):
            inner = simplify_signs(inner, label)
            if inner.is_rational_function(*inner.free_symbols):
                inner = min(inner, simplify_signs(sp.expand(inner), label), key=_length)
        coefficient, body = inner.as_independent(label, as_Add=False)
        if coefficient.has(Average):
            coefficient, body = sp.S.One, inner
        return coefficient * LabelAverage(body, label, values, weights)
    if isinstance(expression, SiteAverage):
        return expression.over(tidy(expression.integrand))
    if isinstance(expression, Average) or not expression.args:
        return expression
    if not expression.has(LabelAverage):
        if expression.is_Add:
            return _tidy_sum(expression)
        if expression.is_Mul:
            rational, rest = _split(expression)
            return _shortest(rational) * sp.Mul(*rest)
        return _shortest(expression)
    return expression.func(*(tidy(a) for a in expression.args))


def _merged_powers(expression: sp.Expr) -> sp.Expr:
    """Write ``q**p/q`` as ``q**(p - 1)``, which has a value at zero."""
    powers = [e for e in distinct(expression) if isinstance(e, sp.Pow)]
    symbolic = [power for power in powers if not power.exp.is_number]
    bases = {power.base for power in symbolic} - {sp.E}

    def merge(product: sp.Expr) -> sp.Expr:
        for base in bases:
            powers = [f for f in product.args if f.as_base_exp()[0] == base]
            if len(powers) > 1:
                exponent = sp.Add(*(f.as_base_exp()[1] for f in powers))
                rest = [f for f in product.args if f not in powers]
                product = sp.Mul(*rest, base**exponent)
        return product

    return expression.replace(lambda e: e.is_Mul, merge) if bases else expression


def _tidy_sum(expression: sp.Expr) -> sp.Expr:
    """Collect what is rational, so that it cancels, and shorten the other terms one by one."""
    rational, rest = _split(expression)
    return _shortest(rational) + sp.Add(*(tidy(term) for term in rest))


def _split(expression: sp.Expr) -> tuple[sp.Expr, list[sp.Expr]]:
    """The rational terms or factors together, and the others."""
    parts: dict[bool, list[sp.Expr]] = {True: [], False: []}
    for argument in expression.args:
        rational = not _of_averages(argument)
        rational = rational and argument.is_rational_function(*argument.free_symbols)
        parts[bool(rational and (argument.is_Rational or not argument.is_number))].append(argument)
    return expression.func(*parts[True]), parts[False]


def _of_averages(expression: sp.Expr) -> bool:
    """Whether averages with parameters are in it: looked into, long integrands take long."""
    if isinstance(expression, Average):
        return any(a.free_symbols for a in expression.args[2:])
    return any(map(_of_averages, expression.args))


def _shortest(expression: sp.Expr) -> sp.Expr:
    if _of_averages(expression):
        return expression
    symbols = expression.free_symbols
    size = expression.count_ops()
    if size > _LARGE or not expression.is_rational_function(*symbols):
        return expression
    forms = [sp.together(expression), sp.factor(expression)]
    forms += [sp.factor_terms(expression), sp.expand(expression)]
    shortest = min(expression, *forms, key=_length)
    if not expression.is_Add:
        return shortest
    # The terms of a sum have their meaning: only what cancels for good is worth another order.
    terms = sp.Add(*(_shortest(term) for term in expression.args))
    return shortest if _length(shortest)[0] < _WORTH * _length(terms)[0] else terms


def _length(form: sp.Expr) -> tuple[int, int]:
    """What a reader has to take in; a fraction within a fraction counts on top."""
    fractions = sum(e.is_Rational and not e.is_Integer for e in sp.preorder_traversal(form))
    return int(form.count_ops()) + fractions, len(str(form))
