"""One label of a shared field: its local problem, in coordinates that lay kinks on planes.

The coordinates are linear forms of the field's components: those whose signs the observables ask
for (the margins of a class over the others), else those that the loss adds up in exponentials. In
them the problems of labels that a symmetry exchanges are the same expressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    mean : Matrix
        Of the coordinates.
    probability : Expr
        Of the cluster; of a label of a teacher, as a function of the teacher's coordinates, which
        have the symbols ``teacher``.
    log, score, slope : Expr and Matrix
        Log of the smoothed weight, or minus the Moreau envelope, and its derivatives.
    response : tuple of Expr or None
        Where training moves the coordinates (zero temperature).
    """

    own: int
    field: SharedField
    variables: tuple[sp.Symbol, ...]
    frame: sp.Matrix
    teacher: tuple[sp.Symbol, ...]
    teacher_variance: sp.Expr
    reduced: bool
    probability: sp.Expr
    log: sp.Expr
    score: sp.Matrix
    slope: sp.Matrix
    response: tuple[sp.Expr, ...] | None

    @property
    def clusters(self) -> bool:
        """Whether the label is a cluster of the inputs."""
        return isinstance(self.field.labels, AlignedClusters)

    @property
    def gram(self) -> sp.Matrix:
        """Gram matrix of the coordinates."""
        return _plain(self.frame * self.frame.T)

    @property
    def direction(self) -> sp.Matrix:
        """Direction of the cluster, in the coordinates."""
        if not self.clusters:
            return sp.zeros(len(self.variables), 1)
        return _plain(self.frame * self.field.labels.directions[self.own, :].T)

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
        return moved.subs(dict(zip(self.variables, values, strict=True)), simultaneous=True)

    def of_teacher(self, expression: sp.Expr) -> sp.Expr:
        """Average of an expression of the teacher's field over samples with this label."""
        labels = self.field.labels
        local = _at_label(stabilise(expression), self.field, self.own)
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
    gram = _plain(frame * frame.T)
    response: tuple[sp.Expr, ...] | None = None
    if zero_temperature:
        (energy,) = (in_frame(e, field, own, frame, variables) for e in field.functions)
        energy = energy if field.constraint is None else walls(energy)
        log, score, slope, response = envelope(energy, variables, chi * gram, field)
    else:
        evidence = VectorAverage(probability, teacher, variables, V * gram)
        log = sp.log(evidence)
        # Not carried out here: written out they fill a page.
        score = sp.Matrix([sp.Derivative(log, x) for x in variables])
        slope = sp.Matrix([[sp.Derivative(log, x, y) for y in variables] for x in variables])
    return SharedLabel(
        own, field, variables, frame, teacher, teacher_variance, reduced, probability, log, score,
        slope, response,
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
        signs = _with_form(signs, argument - argument.subs(dict.fromkeys(field.h, 0)), field)
    if len(signs) > size or sp.Matrix.hstack(*signs).rank() < len(signs):
        raise DerivationError(
            f"{field.where}: jumps of the observables and kinks of the weight are on {len(signs)} "
            f"planes, which cannot all be planes of constant coordinates of a field of {size} "
            "components."
        )
    forms = list(signs)
    sums = set() if field.loss is None else stabilise(field.loss).atoms(LogSumExp)
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
    """Append the coefficients of a linear form without constant, where they are new."""
    form = sp.Matrix([sp.expand(argument.diff(h)) for h in field.h])
    rest = sp.expand(argument.subs(dict.fromkeys(field.h, 0)))
    if form.free_symbols or rest != 0 or form.is_zero_matrix:
        return forms
    if any(_plain(form - other).is_zero_matrix for other in forms):
        return forms
    return [*forms, form]


def _independent(before: list[sp.Matrix], after: list[sp.Matrix]) -> list[sp.Matrix]:
    return after if sp.Matrix.hstack(*after).rank() == len(after) else before


def in_frame(
    expression: sp.Expr,
    field: SharedField,
    own: int,
    frame: sp.Matrix,
    variables: Sequence[sp.Symbol],
) -> sp.Expr:
    """An expression for one label in its coordinates."""
    moved = _substitute(_at_label(stabilise(expression), field, own), field.h, frame, variables)
    return _absorbed(moved)


def _at_label(expression: sp.Expr, field: SharedField, own: int) -> sp.Expr:
    return expression.subs({y: sp.Integer(k == own) for k, y in enumerate(field.label)})


def _substitute(
    expression: sp.Expr,
    old: Sequence[sp.Symbol],
    frame: sp.Matrix,
    variables: Sequence[sp.Symbol],
) -> sp.Expr:
    """Write a function of a field in its coordinates, arguments of functions expanded."""
    values = _plain(frame.inv()) * sp.Matrix(variables)
    moved = expression.subs(dict(zip(old, values, strict=True)), simultaneous=True)
    kinds = (sp.exp, sp.Heaviside, LogSumExp, sp.Min, sp.Max, sp.Abs)
    moved = moved.replace(lambda e: isinstance(e, kinds), _expanded)
    return sp.expand(moved) if moved.is_polynomial(*variables) else moved


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


def _plain(matrix: sp.Matrix) -> sp.Matrix:
    """Carry out products of roots."""
    return matrix.applyfunc(lambda e: sp.nsimplify(sp.radsimp(sp.expand(e))))
