"""One label of a shared field: its local problem, in coordinates that lay kinks on planes.

The coordinates are linear forms of the field's components: those whose signs the observables ask
for (the margins of a class over the others), else those that the loss adds up in exponentials. In
them the problems of labels that a symmetry exchanges are the same expressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import sympy as sp

from replica.calculus.convex import kink_arguments
from replica.calculus.separable import minimum_terms, walls
from replica.calculus.special import LogSumExp, stabilise
from replica.calculus.vector import VectorAverage, vector_average
from replica.declare.shared import AlignedClusters, SharedField
from replica.declare.symbols import V, chi, m, q
from replica.derive.vector_envelope import envelope
from replica.errors import DerivationError


@dataclass(frozen=True)
class SharedLabel:
    """The local problem of one label.

    Attributes
    ----------
    own : int
        Which label.
    variables : tuple of Symbol
        Coordinates ``x = frame * h``.
    gram : Matrix
        ``frame * frame^T``: the covariance of the coordinates is ``q`` times it.
    probability : Expr
        Of the cluster; of a label of a teacher, as a function of the teacher's coordinates, which
        have the symbols ``teacher``.
    """

    own: int
    field: SharedField
    variables: tuple[sp.Symbol, ...]
    frame: sp.Matrix
    teacher: tuple[sp.Symbol, ...]
    teacher_variance: sp.Expr
    zero_temperature: bool
    reduced: bool
    probability: sp.Expr

    @property
    def log(self) -> sp.Expr:
        """Log of the smoothed weight, or minus the Moreau envelope."""
        return self._potential[0]

    @property
    def score(self) -> sp.Matrix:
        """First derivatives of ``log`` in the coordinates."""
        return self._potential[1]

    @property
    def slope(self) -> sp.Matrix:
        """Second derivatives of ``log``."""
        return self._potential[2]

    @property
    def response(self) -> tuple[sp.Expr, ...] | None:
        """Where training moves the coordinates (zero temperature)."""
        return self._potential[3]

    @cached_property
    def _potential(
        self,
    ) -> tuple[sp.Expr, sp.Matrix, sp.Matrix, tuple[sp.Expr, ...] | None]:
        # Worked out on demand: of labels with the same problem one is asked.
        if self.zero_temperature:
            (energy,) = (self.local(e, self.variables) for e in self.field.functions)
            energy = energy if self.field.constraint is None else walls(energy)
            return envelope(energy, self.variables, chi * self.gram, self.field)
        log = sp.log(VectorAverage(self.probability, self.teacher, self.variables, V * self.gram))
        # Not carried out here: written out they fill a page.
        score = sp.Matrix([sp.Derivative(log, x) for x in self.variables])
        slope = [[sp.Derivative(log, x, y) for y in self.variables] for x in self.variables]
        return log, score, sp.Matrix(slope), None

    @property
    def clusters(self) -> bool:
        """Whether the label is a cluster of the inputs."""
        return isinstance(self.field.labels, AlignedClusters)

    @cached_property
    def gram(self) -> sp.Matrix:
        """Gram matrix of the coordinates."""
        return _gram(self.frame)

    @cached_property
    def direction(self) -> sp.Matrix:
        """Direction of the cluster, in the coordinates."""
        if not self.clusters:
            return sp.zeros(len(self.variables), 1)
        return _product(self.frame, self.field.labels.directions[self.own, :].T)

    @property
    def key(self) -> tuple[sp.Basic, ...]:
        """What is equal for labels whose problems are the same."""
        local = (self.local(function, self.variables) for function in self.field.functions)
        return (
            sp.ImmutableMatrix(self.gram), sp.ImmutableMatrix(self.direction), self.probability,
            *local,
        )  # fmt: skip

    def average(self, expression: sp.Expr) -> sp.Expr:
        """Average over the field of a sample with this label, weighted with its probability."""
        return self.weighted(expression, self.probability)

    def pull(self) -> sp.Expr:
        """Average of the score times the response of the label's law to the overlap ``m``."""
        if self.clusters:
            return self.average(self.direction.dot(self.score))
        total = sp.S.Zero
        along = self.gram * self.score
        for variable, force in zip(self.teacher, along, strict=True):
            total += self.weighted(force, self.probability.diff(variable))
        return total

    def weighted(self, expression: sp.Expr, weight: sp.Expr) -> sp.Expr:
        """Average over the fields of teacher and student of ``weight(teacher) expression``."""
        law = self.variables, m * self.direction, q * self.gram
        if self.clusters:
            return weight * vector_average(expression, *law)
        if sp.expand(expression).is_polynomial(*self.variables):
            return self._over_teacher(sp.expand(expression), weight)
        student = sp.Matrix(self.variables)
        centre, spread = student * m / q, self.teacher_variance - m**2 / q
        if self.reduced:
            centre, spread = student, V
        if not weight.free_symbols & set(self.teacher):  # labels at random
            return weight * VectorAverage(expression, *law) if weight != 0 else sp.S.Zero
        kernel = VectorAverage(weight, self.teacher, centre, spread * self.gram)
        return VectorAverage(kernel * expression, *law)

    def _over_teacher(self, polynomial: sp.Expr, weight: sp.Expr) -> sp.Expr:
        """Average over the student's field first, in closed form."""
        variance = self.teacher_variance
        teacher = sp.Matrix(self.teacher)
        centre, spread = teacher * m / variance, q - m**2 / variance
        if self.reduced:
            centre, spread = teacher * q / variance, q * V / variance
        inner = vector_average(polynomial, self.variables, centre, spread * self.gram)
        law = self.teacher, [sp.S.Zero] * len(teacher), variance * self.gram
        terms = sp.Add.make_args(sp.expand(inner))
        moments: dict[sp.Expr, sp.Expr] = {}
        for term in terms:
            coefficient, body = term.as_independent(*self.teacher, as_Add=False)
            moments[body] = moments.get(body, sp.S.Zero) + coefficient
        return sp.Add(*(c * VectorAverage(weight * body, *law) for body, c in moments.items()))

    def local(self, expression: sp.Expr, values: Sequence[sp.Expr]) -> sp.Expr:
        """An expression of label and field at given values of the coordinates."""
        moved = in_frame(expression, self.field, self.own, self.frame, self.variables)
        if tuple(values) == self.variables:
            return moved
        return moved.subs(dict(zip(self.variables, values, strict=True)), simultaneous=True)

    def of_teacher(self, expression: sp.Expr) -> sp.Expr:
        """Average of an expression of the teacher's field over samples with this label."""
        labels = self.field.labels
        local = _at_label(_stable(expression), self.field, self.own)
        moved = _absorbed(_substitute(local, labels.teacher, self.frame, self.teacher))
        if moved.free_symbols & set(self.field.h):
            raise DerivationError(
                f"{self.field.where}: the observable {expression} depends on the fields of both "
                "teacher and student, which is not supported."
            )
        variance = self.teacher_variance
        mean = variance * self.direction
        weight = self.probability
        if self.clusters:
            return weight * vector_average(moved, self.teacher, mean, variance * self.gram)
        return VectorAverage(weight * moved, self.teacher, mean, variance * self.gram)


def shared_label(
    field: SharedField,
    own: int,
    frame: sp.Matrix,
    *,
    zero_temperature: bool,
    teacher_variance: sp.Expr,
    reduced: bool,
) -> SharedLabel:
    """Work out the local problem of label ``own``."""
    size = len(field.h)
    variables, teacher = (
        tuple(sp.Symbol(f"{name}_{k}", real=True) for k in range(1, size + 1))
        for name in ("x", "x^*")
    )
    labels = field.labels
    probability = labels.probabilities[own]
    if not isinstance(labels, AlignedClusters):
        probability = _substitute(probability, labels.teacher, frame, teacher)
    return SharedLabel(
        own, field, variables, frame, teacher, teacher_variance, zero_temperature, reduced,
        probability,
    )  # fmt: skip


def frame_of(field: SharedField, own: int, observables: Sequence[sp.Expr]) -> sp.Matrix:
    """Linear forms of the field's components that serve as coordinates for one label."""
    size = len(field.h)
    signs: list[sp.Matrix] = []
    for expression in observables:
        local = _at_label(expression, field, own)
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
    sums = set() if field.loss is None else _stable(field.loss).atoms(LogSumExp)
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
        local = _at_label(function, field, own)
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
    moved = _substitute(_at_label(_stable(expression), field, own), field.h, frame, variables)
    return _absorbed(moved)


@lru_cache(maxsize=64)
def _stable(expression: sp.Expr) -> sp.Expr:
    return stabilise(expression)


def _at_label(expression: sp.Expr, field: SharedField, own: int) -> sp.Expr:
    return expression.xreplace({y: sp.Integer(k == own) for k, y in enumerate(field.label)})


def _substitute(
    expression: sp.Expr,
    old: Sequence[sp.Symbol],
    frame: sp.Matrix,
    variables: Sequence[sp.Symbol],
) -> sp.Expr:
    """Write a function of a field in its coordinates, arguments of functions expanded."""
    back = _inverse(sp.ImmutableMatrix(frame))
    places, lines = {symbol: k for k, symbol in enumerate(old)}, back.tolist()

    def linear(argument: sp.Expr) -> sp.Expr | None:
        """A linear form in the coordinates, by its coefficients."""
        row, rest = [sp.S.Zero] * len(old), sp.S.Zero
        for term in sp.Add.make_args(sp.expand(argument)):
            factor, symbol = term.as_independent(*old, as_Add=False)
            if symbol in places:
                row[places[symbol]] += factor
            elif symbol == 1:
                rest += factor
            else:
                return None
        if any(factor.free_symbols for factor in row):
            return None
        given = [(factor, line) for factor, line in zip(row, lines, strict=True) if factor != 0]
        sums = [sp.Add(*(f * line[k] for f, line in given)) for k in range(len(old))]
        return sp.Add(rest, *(_number(c) * x for c, x in zip(sums, variables, strict=True)))

    def moved(node: sp.Expr) -> sp.Expr:
        arguments = [linear(a) for a in node.args]
        return node if None in arguments else node.func(*arguments)

    kinds = (sp.exp, sp.Heaviside, LogSumExp, sp.Min, sp.Max, sp.Abs)
    named = {n: sp.Dummy(f"n{k}", real=True) for k, n in enumerate(_outermost(expression, kinds))}
    result = expression.xreplace(named)
    if result.free_symbols & set(old):
        whole = linear(result)
        if whole is None:
            values = back * sp.Matrix(variables)
            whole = result.subs(dict(zip(old, values, strict=True)), simultaneous=True)
        result = whole
    inside = {}
    for node, name in named.items():
        new = moved(node)
        if new.free_symbols & set(old):
            values = back * sp.Matrix(variables)
            new = node.subs(dict(zip(old, values, strict=True)), simultaneous=True)
        inside[name] = new
    result = result.xreplace(inside)
    result = result.replace(lambda e: isinstance(e, kinds), _expanded)
    return sp.expand(result) if result.is_polynomial(*variables) else result


def _outermost(expression: sp.Expr, kinds: tuple[type, ...]) -> list[sp.Expr]:
    if isinstance(expression, kinds):
        return [expression]
    return list(dict.fromkeys(n for a in expression.args for n in _outermost(a, kinds)))


def _expanded(node: sp.Expr) -> sp.Expr:
    arguments = list(map(sp.expand, node.args))
    if isinstance(node, LogSumExp):
        arguments.sort(key=sp.default_sort_key)
    return node.func(*arguments)


def _absorbed(expression: sp.Expr) -> sp.Expr:
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
    return _expanded(LogSumExp(*(argument + rest for argument in sums[0].args)))


@lru_cache(maxsize=256)
def _inverse(frame: sp.ImmutableMatrix) -> sp.Matrix:
    """Inverse of a frame, from that of its Gram matrix, whose entries are mostly rational."""
    return _product(frame.T, _gram(frame).to_DM().to_field().inv().to_Matrix())


def _gram(frame: sp.Matrix) -> sp.Matrix:
    return _product(frame, frame.T)


def _product(left: sp.Matrix, right: sp.Matrix) -> sp.Matrix:
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
