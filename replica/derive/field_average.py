"""Averages over the student's field and the labels, plain and weighted by the teacher's score."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from replica.calculus.nodes import (
    Average,
    EnvelopeDerivative,
    LabelAverage,
    Proximal,
    ProximalNode,
    gaussian_average,
)
from replica.declare.fields import DeterministicLabels, DiscreteLabels, Field, LinearLabels
from replica.declare.symbols import V, m, q
from replica.derive.smoothing import closed_smoothing, signs_inside, simplify_signs

OMEGA = sp.Symbol("omega", real=True)
TEACHER = sp.Symbol("omega_0", real=True)
RESIDUAL = sp.Symbol("r", real=True)

Averaging = Callable[[sp.Expr], sp.Expr]


def field_averages(
    field: Field,
    variable: sp.Symbol,
    variance: sp.Expr,
    self_teacher: sp.Expr | None,
    reduced: bool,
    unit: sp.Symbol | None,
) -> tuple[Averaging, Averaging]:
    """Average over field and labels, and the same weighted by the teacher's score."""
    labels, delta = field.labels, field.variance
    if labels is None:
        return _cluster_average(field, variable, variance), _no_teacher
    assert self_teacher is not None
    if variable == RESIDUAL:
        assert isinstance(labels, LinearLabels)
        total = delta * (self_teacher - 2 * m + q) + labels.variance
        if reduced:
            total = delta * V + labels.variance

        def residual_average(expression: sp.Expr) -> sp.Expr:
            return gaussian_average(expression, RESIDUAL, field.mean, total)

        def residual_score(expression: sp.Expr) -> sp.Expr:
            return -residual_average(expression.diff(RESIDUAL))

        return residual_average, residual_score
    centre, spread = _teacher_law(field, self_teacher, reduced)
    if isinstance(labels, DiscreteLabels):
        return _discrete_averages(labels, centre, spread, (field.mean, variance), unit)
    if isinstance(labels, LinearLabels):
        source, spread = labels.label, spread + labels.variance
    else:
        source = labels.teacher
    inner = sp.Symbol("u", real=True)

    def nested(expression: sp.Expr, weight: sp.Expr) -> sp.Expr:
        body = expression
        if isinstance(labels, DeterministicLabels):
            body = body.subs(labels.label, labels.function)
        body = gaussian_average(weight * body.subs(source, inner), inner, centre, spread)
        return gaussian_average(body, OMEGA, field.mean, variance)

    def average(expression: sp.Expr) -> sp.Expr:
        return nested(expression, sp.S.One)

    def teacher_score(expression: sp.Expr) -> sp.Expr:
        return nested(expression, (inner - centre) / spread)

    return average, teacher_score


def _teacher_law(field: Field, self_teacher: sp.Expr, reduced: bool) -> tuple[sp.Expr, sp.Expr]:
    """Mean and variance of the teacher's field given the student's field ``OMEGA``."""
    # The teacher's field has mean zero: the student's mean tells nothing about it.
    centre = OMEGA if reduced else m * (OMEGA - field.mean) / q
    return centre, field.variance * (V if reduced else sp.together(self_teacher - m**2 / q))


def joint_average(
    field: Field, expression: sp.Expr, self_teacher: sp.Expr, reduced: bool
) -> sp.Expr:
    """Average over student's field, teacher's field and label of a new sample.

    The two fields are jointly Gaussian; the label follows its law given the teacher's field.
    """
    labels = field.labels
    assert labels is not None
    if isinstance(labels, DeterministicLabels):
        expression = expression.subs(labels.label, labels.function)
    y, labelled = labels.label, labels.label in expression.free_symbols
    inner = sp.Symbol("u", real=True)
    body = expression.subs(field.h, OMEGA)
    if labelled and isinstance(labels, LinearLabels):
        body = gaussian_average(body, y, labels.teacher, labels.variance)
    if labelled and isinstance(labels, DiscreteLabels):
        body = body * labels.probability
    body = body.subs(labels.teacher, inner)
    body = gaussian_average(body, inner, *_teacher_law(field, self_teacher, reduced))
    body = gaussian_average(body, OMEGA, field.mean, field.variance * q)
    if labelled and isinstance(labels, DiscreteLabels):
        body = LabelAverage(body, y, labels.values, [sp.S.One] * len(labels.values))
    return body


def _cluster_average(field: Field, variable: sp.Symbol, variance: sp.Expr) -> Averaging:
    def average(expression: sp.Expr) -> sp.Expr:
        inner = gaussian_average(expression, variable, field.mean, variance)
        for cluster, law in field.clusters.items():
            if {sp.sympify(v) ** 2 for v in law} == {sp.S.One}:
                inner = simplify_signs(inner, cluster)
            inner = LabelAverage(inner, cluster, tuple(law), tuple(map(sp.sympify, law.values())))
        return inner

    return average


def _no_teacher(expression: sp.Expr) -> sp.Expr:
    return sp.S.Zero


def _discrete_averages(
    labels: DiscreteLabels,
    centre: sp.Expr,
    spread: sp.Expr,
    law: tuple[sp.Expr, sp.Expr],
    unit: sp.Symbol | None,
) -> tuple[Averaging, Averaging]:
    y, teacher = labels.label, labels.teacher
    probability = labels.probability
    if unit is not None:
        probability = signs_inside(probability, unit)
    evidence = closed_smoothing(probability, teacher, TEACHER, spread)
    if evidence is None:
        inner = sp.Symbol("u", real=True)
        probability = probability.subs(teacher, inner)
        evidence = Average(probability, inner, TEACHER, spread)
        score = Average(probability * (inner - TEACHER) / spread, inner, TEACHER, spread)
    else:
        score = evidence.diff(TEACHER)
    if unit is not None:
        evidence, score = simplify_signs(evidence, unit), simplify_signs(score, unit)

    def over(expression: sp.Expr, weight: sp.Expr) -> sp.Expr:
        body = _split_roots(weight.subs(TEACHER, centre)) * expression
        average = Average(body, OMEGA, *law)
        if unit is not None and _is_even(average, y):  # both labels contribute the same
            return 2 * gaussian_average(*(e.subs(y, 1) for e in average.args))
        inner = gaussian_average(*average.args)
        return LabelAverage(inner, y, labels.values, [sp.S.One] * len(labels.values))

    return (lambda e: over(e, evidence)), (lambda e: over(e, score))


def _split_roots(expression: sp.Expr) -> sp.Expr:
    """Write roots of fractions, such as those of the teacher's spread, as fractions of roots."""

    def halves(e: sp.Expr) -> bool:
        return isinstance(e, sp.Pow) and (2 * e.exp).is_odd and e.base.is_Mul

    def split(e: sp.Expr) -> sp.Expr:
        top, bottom = sp.fraction(e.base)
        return top**e.exp / bottom**e.exp if bottom.is_nonnegative else e

    return expression.replace(halves, split)


def _is_even(expression: sp.Expr, label: sp.Symbol) -> bool:
    """Whether an average stays the same where label and field change sign together."""
    reflected = _reflect(expression, {label: -label})
    first, second = (_one_sign(simplify_signs(e, label)) for e in (expression, reflected))
    return bool(first == second)


def _reflect(expression: sp.Expr, signs: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    """Change the sign of some symbols, and of every bound variable with them.

    Bound variables are changed back by what their average or minimum runs over, so that a function
    of ``y h`` is the same function again.
    """
    if not expression.args:
        return signs.get(expression, expression)
    plain = expression.func(*(_reflect(a, signs) for a in expression.args))
    if plain == expression or not isinstance(
        expression, (Average, EnvelopeDerivative, ProximalNode)
    ):
        return plain
    inner, variable, centre, *rest = expression.args
    inner = _reflect(inner, {**signs, variable: -variable})
    outer = [_reflect(a, signs) for a in rest]
    node = expression.func(inner, variable, -_reflect(centre, signs), *outer)
    return -node if isinstance(expression, Proximal) else node


def _one_sign(expression: sp.Expr) -> sp.Expr:
    """Choose one sign for every sum that is a factor or the base of an even power."""

    def negative(e: sp.Expr) -> bool:
        return bool(e.is_Add and e.could_extract_minus_sign())

    def product(e: sp.Expr) -> sp.Expr:
        odd = sum(map(negative, e.args)) % 2
        factors = [-a if negative(a) else a for a in e.args]
        return sp.Mul(-1 if odd else 1, *factors)

    def even_power(e: sp.Expr) -> bool:
        return isinstance(e, sp.Pow) and bool(e.exp.is_even) and negative(e.base)

    expression = expression.replace(lambda e: e.is_Mul and any(map(negative, e.args)), product)
    return expression.replace(even_power, lambda e: (-e.base) ** e.exp)
