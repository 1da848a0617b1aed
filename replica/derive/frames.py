"""Coordinates of a shared field, one frame of linear forms a label.

The coordinates are linear forms of the field's components: those whose signs the observables ask
for (the margins of a class over the others), else those that the loss adds up in exponentials. In
them the problems of labels that a symmetry exchanges are the same expressions. Linear forms are
moved by their coefficients: written out in symbols, many components would take minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import sympy as sp

from replica.calculus.convex import kink_arguments
from replica.calculus.separable import minimum_terms
from replica.calculus.special import LogSumExp, stabilise
from replica.declare.shared import SharedField
from replica.errors import DerivationError

_KINDS = (sp.exp, sp.Heaviside, LogSumExp, sp.Min, sp.Max, sp.Abs)


def frame_of(field: SharedField, own: int, observables: Sequence[sp.Expr]) -> sp.Matrix:
    """Linear forms of the field's components that serve as coordinates for one label."""
    size = len(field.h)
    signs: list[sp.Matrix] = []
    for expression in observables:
        local = at_label(expression, field, own)
        for atom in sorted(local.atoms(sp.Heaviside), key=sp.default_sort_key):
            signs = _with_form(signs, atom.args[0], field)
    for argument in _kinks(field, own):
        signs = _with_form(signs, argument, field)
    if len(signs) > size or not _are_independent(signs):
        raise DerivationError(
            f"{field.where}: jumps of the observables and kinks of the weight are on {len(signs)} "
            f"planes, which cannot all be planes of constant coordinates of a field of {size} "
            "components."
        )
    forms = list(signs)
    sums = set() if field.loss is None else stable(field.loss).atoms(LogSumExp)
    for atom in sorted(sums, key=sp.default_sort_key):
        base = atom.args[own] if own < len(atom.args) else atom.args[0]
        for argument in atom.args:
            if argument != base and len(forms) < size:
                forms = _independent(forms, _with_form(forms, base - argument, field))
    if not forms:
        return sp.eye(size)
    for k in range(size):
        if len(forms) < size:
            forms = _independent(forms, [*forms, sp.eye(size)[:, k]])
    return sp.Matrix.hstack(*forms).T


def _kinks(field: SharedField, own: int) -> list[sp.Expr]:
    """Arguments whose sign changes are kinks of the loss, or walls of the constraint."""
    arguments: list[sp.Expr] = []
    for function in field.functions:
        local = at_label(function, field, own)
        if field.constraint is not None:
            arguments += minimum_terms(local)
            continue
        found = {a for h in field.h for a in kink_arguments(local, h)}
        arguments += sorted(found, key=sp.default_sort_key)
    return arguments


def _with_form(forms: list[sp.Matrix], argument: sp.Expr, field: SharedField) -> list[sp.Matrix]:
    """Append the coefficients of a linear form, up to its constant, where they are new."""
    form = sp.Matrix([sp.expand(argument.diff(h)) for h in field.h])
    if form.free_symbols or form.is_zero_matrix:
        return forms
    if any(_same(form, other) for other in forms):
        return forms
    return [*forms, form]


def _independent(before: list[sp.Matrix], after: list[sp.Matrix]) -> list[sp.Matrix]:
    return after if _are_independent(after) else before


def _are_independent(forms: list[sp.Matrix]) -> bool:
    columns = np.array(sp.Matrix.hstack(*forms).tolist(), dtype=float)
    return not forms or int(np.linalg.matrix_rank(columns)) == len(forms)


def _same(form: sp.Matrix, other: sp.Matrix) -> bool:
    return all(a == b or _number(a - b) == 0 for a, b in zip(form, other, strict=True))


def in_frame(
    expression: sp.Expr,
    field: SharedField,
    own: int,
    frame: sp.Matrix,
    variables: Sequence[sp.Symbol],
) -> sp.Expr:
    """An expression for one label in its coordinates."""
    moved = substitute(at_label(stable(expression), field, own), field.h, frame, variables)
    return absorbed(moved)


@lru_cache(maxsize=64)
def stable(expression: sp.Expr) -> sp.Expr:
    """Return `stabilise` of an expression, which every label asks for."""
    return stabilise(expression)


def at_label(expression: sp.Expr, field: SharedField, own: int) -> sp.Expr:
    """Put the one-hot label ``own`` into an expression."""
    return expression.xreplace({y: sp.Integer(k == own) for k, y in enumerate(field.label)})


def substitute(
    expression: sp.Expr,
    old: Sequence[sp.Symbol],
    frame: sp.Matrix,
    variables: Sequence[sp.Symbol],
) -> sp.Expr:
    """Write a function of a field in its coordinates, arguments of functions expanded."""
    back = _inverse(sp.ImmutableMatrix(frame))
    lines = dict(zip(old, back.tolist(), strict=True))

    def written(part: sp.Expr) -> sp.Expr:
        if not part.free_symbols & set(old):
            return part
        moved = _moved_form(part, lines, variables)
        if moved is None:
            values = dict(zip(old, back * sp.Matrix(variables), strict=True))
            moved = part.subs(values, simultaneous=True)
        return moved

    functions = _outermost(expression)
    names = {node: sp.Dummy(f"n{k}", real=True) for k, node in enumerate(functions)}
    values = {names[node]: node.func(*map(written, node.args)) for node in functions}
    result = written(expression.xreplace(names)).xreplace(values)
    result = result.replace(lambda e: isinstance(e, _KINDS), expanded)
    return sp.expand(result) if result.is_polynomial(*variables) else result


def _moved_form(
    part: sp.Expr, lines: dict[sp.Symbol, list[sp.Expr]], variables: Sequence[sp.Symbol]
) -> sp.Expr | None:
    """A linear form with numbers as coefficients, plus a constant; None if it is something else."""
    sums, rest = [sp.S.Zero] * len(variables), sp.S.Zero
    for term in sp.Add.make_args(sp.expand(part)):
        factor, symbol = term.as_independent(*lines, as_Add=False)
        if symbol == 1:
            rest += factor
        elif symbol in lines and not factor.free_symbols:
            sums = [have + factor * c for have, c in zip(sums, lines[symbol], strict=True)]
        else:
            return None
    return sp.Add(rest, *(_number(c) * x for c, x in zip(sums, variables, strict=True)))


def _outermost(expression: sp.Expr) -> list[sp.Expr]:
    if isinstance(expression, _KINDS):
        return [expression]
    return list(dict.fromkeys(n for a in expression.args for n in _outermost(a)))


def expanded(node: sp.Expr) -> sp.Expr:
    """Expand the arguments of a function, in a fixed order where order does not matter."""
    arguments = list(map(sp.expand, node.args))
    if isinstance(node, LogSumExp):
        arguments.sort(key=sp.default_sort_key)
    return node.func(*arguments)


def absorbed(expression: sp.Expr) -> sp.Expr:
    """Write ``LogSumExp(a, b) + c`` as ``LogSumExp(a + c, b + c)``, of smaller terms."""
    expression = sp.expand(expression)
    sums, rest = [], sp.S.Zero
    for term in sp.Add.make_args(expression):
        if isinstance(term, LogSumExp):
            sums.append(term)
        else:
            rest += term
    if len(sums) != 1 or rest.has(LogSumExp):
        return expression
    return expanded(LogSumExp(*(argument + rest for argument in sums[0].args)))


@lru_cache(maxsize=256)
def _inverse(frame: sp.ImmutableMatrix) -> sp.Matrix:
    """Inverse of a frame, from that of its Gram matrix, whose entries are mostly rational."""
    return exact_product(frame.T, gram_matrix(frame).to_DM().to_field().inv().to_Matrix())


def gram_matrix(frame: sp.Matrix) -> sp.Matrix:
    """Return the products of all pairs of rows."""
    return exact_product(frame, frame.T)


def exact_product(left: sp.Matrix, right: sp.Matrix) -> sp.Matrix:
    """Product of matrices of numbers, products of roots carried out."""

    def entry(i: int, j: int) -> sp.Expr:
        pairs = zip(rows[i], columns[j], strict=True)
        return _number(sp.Add(*(a * b for a, b in pairs if a != 0 and b != 0)))

    rows, columns = left.tolist(), right.T.tolist()
    return sp.Matrix(left.rows, right.cols, entry)


@lru_cache(maxsize=4096)
def _number(value: sp.Expr) -> sp.Expr:
    if value.is_Rational:
        return value
    return sp.nsimplify(sp.radsimp(sp.expand(value)))
