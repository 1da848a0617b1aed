"""Gaussian local fields: who feels them, which labels they see, which weight they carry."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from replica.calculus.multiprecision import FUNCTIONS
from replica.errors import DeclarationError


@dataclass(frozen=True)
class DiscreteLabels:
    """Labels ``y`` of finitely many values with ``P(y | teacher field)``."""

    label: sp.Symbol
    values: tuple[sp.Expr, ...]
    probability: sp.Expr
    teacher: sp.Symbol

    def __post_init__(self) -> None:
        _require_label_symbols(self.label, self.teacher, "DiscreteLabels(y, values, P, h0)")
        if not isinstance(self.values, Sequence) or isinstance(self.values, str):
            raise DeclarationError(
                f"labels {self.label}: expected a tuple of values such as (1, -1) as the second "
                f"argument of DiscreteLabels(y, values, P, h0), got {self.values!r}."
            )
        object.__setattr__(self, "values", tuple(map(sp.sympify, self.values)))
        probability = self.probability
        if isinstance(probability, (int, float)):
            probability = sp.sympify(probability)
        if not isinstance(probability, sp.Expr):
            raise DeclarationError(
                f"labels {self.label}: the probability must be a SymPy expression of "
                f"{self.label} and {self.teacher}, got {self.probability!r}."
            )
        object.__setattr__(self, "probability", probability)
        total = sp.Add(*(probability.subs(self.label, y) for y in self.values))
        others = sorted(total.free_symbols - {self.teacher}, key=str)
        defaults = [getattr(s, "default", 0.3) for s in others]
        evaluate = sp.lambdify([self.teacher, *others], total, modules=[dict(FUNCTIONS), "mpmath"])
        for place in (-1.3, 0.6, 2.1):
            value = evaluate(place, *defaults)
            if not abs(value - 1) <= 1e-9:
                raise DeclarationError(
                    f"labels {self.label}: the probabilities of {list(self.values)} sum to "
                    f"{float(value):g} at {self.teacher} = {place:g}, expected 1."
                )

    def likelihood(self, h: sp.Symbol) -> sp.Expr:
        """The same channel as seen by a student with field ``h``."""
        return self.probability.subs(self.teacher, h)


@dataclass(frozen=True)
class LinearLabels:
    """Labels ``y ~ Normal(teacher field, variance)``."""

    label: sp.Symbol
    teacher: sp.Symbol
    variance: sp.Expr = sp.S.Zero

    def __post_init__(self) -> None:
        _require_label_symbols(self.label, self.teacher, "LinearLabels(y, h0, variance)")
        variance = sp.sympify(self.variance)
        require_nonnegative(variance, f"labels {self.label}: the variance")
        object.__setattr__(self, "variance", variance)

    def likelihood(self, h: sp.Symbol) -> sp.Expr:
        """The same channel as seen by a student with field ``h``."""
        residual = (self.label - h) ** 2 / (2 * self.variance)
        return sp.exp(-residual) / sp.sqrt(2 * sp.pi * self.variance)


@dataclass(frozen=True)
class DeterministicLabels:
    """Labels ``y = function(teacher field)`` without noise, of several preimages."""

    label: sp.Symbol
    function: sp.Expr
    teacher: sp.Symbol

    def __post_init__(self) -> None:
        _require_label_symbols(self.label, self.teacher, "DeterministicLabels(y, function, h0)")

    def preimages(self) -> tuple[sp.Expr, ...]:
        """Teacher fields that give the label ``y``."""
        function = self.function
        if isinstance(function, sp.Abs):
            argument = function.args[0]
            targets: tuple[sp.Expr, ...] = (self.label, -self.label)
        else:
            argument, targets = function, (self.label,)
        roots: list[sp.Expr] = []
        for target in targets:
            roots += sp.solve(argument - target, self.teacher)
        if not roots:
            raise DeclarationError(
                f"labels {self.label} = {self.function}: no preimage in {self.teacher} was found."
            )
        return tuple(roots)


def sign_labels(y: sp.Symbol, teacher: sp.Symbol, flip: Any = 0) -> DiscreteLabels:
    """Labels ``y = sign(teacher)``, flipped with probability ``flip``."""
    for chance in (sp.sympify(flip), 1 - sp.sympify(flip)):
        require_nonnegative(chance, f"labels {y}: the probability of a flip or of none")
    probability = flip + (1 - 2 * sp.sympify(flip)) * sp.Heaviside(y * teacher)
    return DiscreteLabels(y, (sp.S.One, -sp.S.One), probability, teacher)


Labels = DiscreteLabels | LinearLabels | DeterministicLabels


@dataclass(frozen=True)
class Field:
    """Gaussian local fields ``h = x.s / sqrt(N)`` of ``load * N`` samples, with their weight.

    Exactly one of ``loss``, ``likelihood``, ``constraint`` is given.

    Parameters
    ----------
    h : Symbol
        The student's field.
    load : Expr
        Number of samples per dimension (``alpha``).
    loss : Expr, optional
        Energy of one sample as a function of the label and ``h``; its weight is
        ``exp(-beta loss)``.
    likelihood : Expr or labels, optional
        Weight of one sample; the labels object itself means "the teacher's own channel".
    constraint : Relational, optional
        Hard constraint on ``h``, for example ``y*h >= kappa``.
    labels : DiscreteLabels, LinearLabels or DeterministicLabels, optional
        Law of the label given the teacher's field.
    clusters : mapping, optional
        ``{c: {value: probability, ...}}``: a discrete cluster index ``c``.
    mean : Expr
        Mean of the student's field, linear in the overlap ``m``, may depend on the cluster or on a
        discrete label. The teacher's field has mean zero.
    variance : Expr
        Variance of the inputs: the field has variance ``variance * q``.
    """

    h: sp.Symbol
    load: Any
    loss: Any = None
    likelihood: Any = None
    constraint: Any = None
    labels: Labels | None = None
    clusters: Mapping[sp.Symbol, Mapping[Any, Any]] = field(default_factory=dict)
    mean: Any = 0
    variance: Any = 1

    def __post_init__(self) -> None:
        if not isinstance(self.h, sp.Symbol):
            raise DeclarationError(f"field: expected a symbol for h, got {self.h!r}.")
        if self.labels is not None:
            if not isinstance(self.labels, (DiscreteLabels, LinearLabels, DeterministicLabels)):
                raise DeclarationError(
                    f"field {self.h}: expected labels such as sign_labels(y, h0) or "
                    f"LinearLabels(y, h0, noise), got {self.labels!r}."
                )
            if self.labels.teacher == self.h:
                raise DeclarationError(
                    f"field {self.h}: the labels follow the student's own field {self.h}; expected "
                    "another symbol for the teacher's field."
                )
        given = [
            name for name in ("loss", "likelihood", "constraint") if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise DeclarationError(
                f"field {self.h}: expected exactly one of loss, likelihood and constraint, "
                f"got {', '.join(given) or 'none'}."
            )
        if len(self.clusters) > 1:
            raise DeclarationError(f"field {self.h}: expected at most one cluster symbol.")
        if self.clusters and self.labels is not None:
            raise DeclarationError(
                f"field {self.h}: clusters and teacher labels together are not supported; "
                "use the cluster as the label."
            )
        for name in ("load", "mean", "variance", "loss"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _expression(getattr(self, name), self.h, name))
        for name in ("load", "variance"):
            require_nonnegative(getattr(self, name), f"field {self.h}: the {name}")
        if self.labels is not None:
            forbidden = {self.labels.teacher}
            if not isinstance(self.labels, DiscreteLabels):
                forbidden.add(self.labels.label)
            if self.mean.free_symbols & forbidden:
                raise DeclarationError(
                    f"field {self.h}: the mean {self.mean} depends on the teacher's field or on a "
                    "continuous label, so that the fields are not jointly Gaussian; expected a "
                    "mean of parameters, overlaps, extremised scalars and discrete labels."
                )
        inequalities = (sp.Ge, sp.Gt, sp.Le, sp.Lt)
        if self.constraint is not None and not isinstance(self.constraint, inequalities):
            raise DeclarationError(
                f"field {self.h}: the constraint must be an inequality such as h >= kappa, "
                f"got {self.constraint!r}."
            )
        same = isinstance(self.likelihood, (DiscreteLabels, LinearLabels, DeterministicLabels))
        if self.likelihood is not None and not same:
            object.__setattr__(
                self, "likelihood", _expression(self.likelihood, self.h, "likelihood")
            )
        if same and self.likelihood != self.labels:
            raise DeclarationError(
                f"field {self.h}: the likelihood is a labels object other than the field's labels."
            )
        weight = next(w for w in (self.loss, self.likelihood, self.constraint) if w is not None)
        if not same and self.labels is not None and self.labels.teacher in weight.free_symbols:
            raise DeclarationError(
                f"field {self.h}: the {given[0]} {weight} contains the teacher's field "
                f"{self.labels.teacher}, which the student does not see; expected a function of "
                f"{self.h} and the label {self.labels.label}."
            )
        if not same and self.h not in weight.free_symbols:
            raise DeclarationError(
                f"field {self.h}: the {given[0]} {weight} is not a function of its field {self.h}."
            )
        for symbol, law in self.clusters.items():
            total = sp.simplify(sum(map(sp.sympify, law.values())))
            if total.is_number and abs(float(total) - 1) > 1e-12:
                raise DeclarationError(
                    f"field {self.h}: the probabilities of the cluster {symbol} sum to {total}, "
                    "expected 1."
                )

    @property
    def matched(self) -> bool:
        """Whether the student uses the teacher's own channel, at the teacher's own mean."""
        return (
            self.labels is not None
            and self.mean == 0
            and (
                self.likelihood is self.labels
                or (
                    isinstance(self.likelihood, sp.Expr)
                    and isinstance(self.labels, DiscreteLabels)
                    and sp.simplify(self.likelihood - self.labels.likelihood(self.h)) == 0
                )
            )
        )

    @property
    def label(self) -> sp.Symbol | None:
        """The label or cluster symbol, if there is one."""
        if self.labels is not None:
            return self.labels.label
        return next(iter(self.clusters), None)

    @property
    def local_symbols(self) -> set[sp.Symbol]:
        """Symbols bound inside the field's average."""
        bound = {self.h}
        if self.label is not None:
            bound.add(self.label)
        if self.labels is not None:
            bound.add(self.labels.teacher)
        return bound

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Symbols that must be parameters, order parameters or extremised scalars."""
        expressions: list[Any] = [self.load, self.mean, self.variance]
        same = isinstance(self.likelihood, (DiscreteLabels, LinearLabels, DeterministicLabels))
        expressions += [
            e
            for e in (self.loss, self.constraint, None if same else self.likelihood)
            if e is not None
        ]
        if isinstance(self.labels, DiscreteLabels):
            expressions.append(self.labels.probability)
        if isinstance(self.labels, LinearLabels):
            expressions.append(sp.sympify(self.labels.variance))
        if isinstance(self.labels, DeterministicLabels):
            expressions.append(self.labels.function)
        for law in self.clusters.values():
            expressions += [sp.sympify(p) for p in law.values()]
        return set().union(*(e.free_symbols for e in expressions)) - self.local_symbols


def _require_label_symbols(label: Any, teacher: Any, order: str) -> None:
    for what, symbol in (("label", label), ("teacher's field", teacher)):
        if not isinstance(symbol, sp.Symbol):
            raise DeclarationError(
                f"labels {label}: expected a symbol for the {what} in {order}, got {symbol!r}."
            )


def require_nonnegative(value: sp.Expr, what: str) -> None:
    """Refuse a negative number, or a parameter whose lower bound is declared negative."""
    domain = getattr(value, "domain", None)
    if value.is_negative or (domain is not None and -math.inf < domain[0] < 0):
        reason = f"{value} is negative" if domain is None else f"the domain of {value} is {domain}"
        raise DeclarationError(f"{what} must not be negative, but {reason}.")


def _expression(value: Any, h: sp.Symbol, what: str) -> sp.Expr:
    if isinstance(value, (str, Sequence)):
        raise DeclarationError(f"field {h}: the {what} must be a SymPy expression, got {value!r}.")
    try:
        result = sp.sympify(value)
    except (sp.SympifyError, TypeError):
        raise DeclarationError(
            f"field {h}: the {what} must be a SymPy expression, got {value!r}."
        ) from None
    if not isinstance(result, sp.Expr):
        raise DeclarationError(f"field {h}: the {what} must be a SymPy expression, got {value!r}.")
    if result.has(sp.nan, sp.zoo):
        raise DeclarationError(f"field {h}: the {what} {result} contains NaN.")
    return result
