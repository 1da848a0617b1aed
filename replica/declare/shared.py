"""Fields of several components that share one scalar weight per site.

A sample brings ``d`` inputs per site, ``x_i1 ... x_id``, and one scalar variable ``s_i`` acts on
all of them: ``h_k = sum_i s_i x_ik / sqrt(N)``. Given the weights of student and teacher, the pairs
``(h0_k, h_k)`` are independent Gaussian pairs, one for each ``k``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.declare.component_field import ComponentField, symbol_column
from replica.declare.fields import require_nonnegative
from replica.errors import DeclarationError


def softmax(logits: Sequence[sp.Expr]) -> sp.ImmutableMatrix:
    """Return the probabilities ``exp(h_a) / sum_b exp(h_b)`` as a column."""
    logits = tuple(logits)
    return sp.ImmutableMatrix(
        [1 / sp.Add(*(sp.exp(sp.expand(other - own)) for other in logits)) for own in logits]
    )


def _expressions(values: Any, what: str, count: int) -> tuple[sp.Expr, ...]:
    try:
        entries = tuple(sp.nsimplify(v) if isinstance(v, float) else sp.sympify(v) for v in values)
    except (TypeError, ValueError, sp.SympifyError):
        raise DeclarationError(f"{what}: expected {count} expressions, got {values!r}.") from None
    if len(entries) != count:
        raise DeclarationError(f"{what}: expected {count} of them, got {len(entries)}.")
    return entries


@dataclass(frozen=True)
class CategoricalLabels:
    """One-hot labels drawn with probabilities that a teacher's field sets.

    Parameters
    ----------
    label : sequence of Symbol
        One symbol a class.
    probabilities : sequence of Expr
        Of the classes, smooth functions of the teacher's field that sum to one, such as
        ``softmax(G * z0)``.
    teacher : sequence of Symbol
        The teacher's field, with as many components as the student's.
    """

    label: Any
    probabilities: Any
    teacher: Any

    def __post_init__(self) -> None:
        label = symbol_column(self.label, "categorical labels", 2)
        teacher = symbol_column(self.teacher, "categorical labels", 1)
        odds = _expressions(self.probabilities, "categorical labels: the probabilities", len(label))
        for name, value in (("label", label), ("teacher", teacher), ("probabilities", odds)):
            object.__setattr__(self, name, value)
        for odd in odds:
            if odd.has(sp.Heaviside, sp.Abs, sp.sign, sp.Piecewise, sp.Max, sp.Min):
                raise DeclarationError(
                    f"categorical labels: the probability {odd} is not smooth; expected one such "
                    "as a softmax."
                )
        total = sp.Add(*odds)
        symbols = sorted(total.free_symbols, key=str)
        for shift in (0.3, -0.8):
            at = {s: getattr(s, "default", shift + 0.4 * k) for k, s in enumerate(symbols)}
            reached = complex(total.evalf(subs=at))
            if not abs(reached - 1) <= 1e-9:
                raise DeclarationError(
                    f"categorical labels: the probabilities sum to {reached.real:g} at a point, "
                    "expected 1 for every field of the teacher."
                )

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Parameters of the law."""
        return sp.Tuple(*self.probabilities).free_symbols - set(self.teacher)


@dataclass(frozen=True)
class AlignedClusters:
    """One-hot labels of Gaussian clusters whose centroids are multiples of the quenched variable.

    The inputs of site ``i`` in cluster ``a`` are ``t_i v_ak / sqrt(N)`` plus independent standard
    noise, with the quenched variable ``t_i`` and a direction ``v_a`` of the inputs.

    Parameters
    ----------
    label : sequence of Symbol
        One symbol a cluster.
    directions : matrix
        Row ``a`` is the direction of cluster ``a``, with one entry a component of the field.
    probabilities : sequence, optional
        Of the clusters; equal by default.
    teacher : sequence of Symbol, optional
        Symbols of the field that the quenched variable itself has, for observables.
    """

    label: Any
    directions: Any
    probabilities: Any = None
    teacher: Any = ()

    def __post_init__(self) -> None:
        label = symbol_column(self.label, "aligned clusters", 2)
        try:
            directions = sp.ImmutableMatrix(self.directions).applyfunc(sp.nsimplify)
        except (TypeError, ValueError):
            raise DeclarationError(
                f"aligned clusters: expected a matrix of directions, got {self.directions!r}."
            ) from None
        if directions.rows != len(label):
            raise DeclarationError(
                f"aligned clusters: {directions.rows} directions, but {len(label)} labels."
            )
        odds = self.probabilities or [sp.Rational(1, len(label))] * len(label)
        odds = _expressions(odds, "aligned clusters: the probabilities", len(label))
        total = sp.Add(*odds)
        at = {s: getattr(s, "default", 1) for s in total.free_symbols}
        if abs(float(total.subs(at)) - 1) > 1e-9:
            raise DeclarationError(
                f"aligned clusters: the probabilities sum to {float(total.subs(at)):g}, expected 1."
            )
        for odd in odds:
            require_nonnegative(odd, "aligned clusters: a probability")
        teacher = self.teacher
        if not isinstance(teacher, (tuple, list)) or teacher:
            teacher = symbol_column(teacher, "aligned clusters", 1)
        if teacher and len(teacher) != directions.cols:
            raise DeclarationError(
                f"aligned clusters: directions of {directions.cols} components, but "
                f"{len(teacher)} symbols of the teacher's field."
            )
        for name, value in (
            ("label", label), ("directions", directions), ("probabilities", odds),
            ("teacher", tuple(teacher)),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Parameters of the law."""
        return self.directions.free_symbols | sp.Tuple(*self.probabilities).free_symbols


@dataclass(frozen=True)
class SharedField(ComponentField):
    """Gaussian fields ``h_k = sum_i s_i x_ik / sqrt(N)`` of one scalar variable, and their weight.

    Exactly one of ``loss`` and ``likelihood`` is given.

    Parameters
    ----------
    h : sequence of Symbol
        The student's field, one symbol a component.
    load : Expr
        Number of samples per site (``alpha``).
    loss : Expr, optional
        Energy of one sample as a function of the label and ``h``: convex, and smooth or a sum of
        functions of one linear form of ``h`` each, such as hinges.
    likelihood : CategoricalLabels, optional
        The labels object itself: the student knows the teacher's channel.
    constraint : Relational, optional
        Hard constraint, such as ``margin(y, logits) >= kappa`` with logits linear in ``h``.
    labels : CategoricalLabels or AlignedClusters
        Law of the label.
    """

    h: Any
    load: Any
    loss: Any = None
    likelihood: Any = None
    constraint: Any = None
    labels: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "h", symbol_column(self.h, "shared field", 1))
        labels = self.labels
        if not isinstance(labels, (CategoricalLabels, AlignedClusters)):
            raise DeclarationError(
                f"{self.where}: expected labels such as CategoricalLabels(y, softmax(z0), z0) or "
                f"AlignedClusters(y, directions), got {labels!r}."
            )
        size = (
            len(labels.teacher) if isinstance(labels, CategoricalLabels) else labels.directions.cols
        )
        if size != len(self.h):
            raise DeclarationError(
                f"{self.where}: {len(self.h)} components, but labels of {size} components."
            )
        clash = set(self.h) & {*labels.label, *labels.teacher}
        if clash:
            raise DeclarationError(
                f"{self.where}: the symbol {min(map(str, clash))} is used for the field and for "
                "its labels; expected symbols of their own."
            )
        self._validate_weight()
        if self.likelihood is not None and (
            self.likelihood is not labels or isinstance(labels, AlignedClusters)
        ):
            raise DeclarationError(
                f"{self.where}: a likelihood must be the object of categorical labels itself, "
                f"got {self.likelihood!r}."
            )
        for function in self.functions:
            if function.free_symbols & set(labels.teacher):
                raise DeclarationError(
                    f"{self.where}: the {self.described} contains the teacher's field, which the "
                    "student does not see."
                )

    @property
    def label(self) -> tuple[sp.Symbol, ...]:
        """The symbols of the one-hot label."""
        label: tuple[sp.Symbol, ...] = self.labels.label
        return label

    @property
    def local_symbols(self) -> set[sp.Symbol]:
        """Symbols bound inside the field's average."""
        return {*self.h, *self.labels.label, *self.labels.teacher}

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Symbols that must be parameters."""
        used = self.load.free_symbols | self.labels.free_symbols
        return used.union(*(e.free_symbols for e in self.functions)) - self.local_symbols


def validate_shared(system: Any) -> None:
    """Refuse a system with a shared field whose parts do not fit; ``system`` is a `System`."""
    where = f"model {system.name}"
    if len(system.fields) != 1:
        raise DeclarationError(f"{where}: a SharedField(...) must be the only field.")
    (item,) = system.fields
    if system.quenched is None:
        raise DeclarationError(
            f"{where}: the labels of {item.where} refer to a teacher, but no quenched variable is "
            "declared."
        )
    scalars = {scalar.symbol for scalar in system.extremised}
    if scalars and item.loss is None:
        raise DeclarationError(
            f"{where}: extremised scalars are supported in the loss of {item.where} only."
        )
    seen = set() if item.loss is None else item.loss.free_symbols
    for scalar in system.extremised:
        if scalar.symbol not in seen:
            raise DeclarationError(
                f"{where}: the extremised scalar {scalar.symbol} does not appear in the loss of "
                f"{item.where}."
            )
    for expression in (item.load, sp.Tuple(*item.labels.free_symbols)):
        system.require(sp.sympify(expression), set(), item.where)
    for symbol in item.free_symbols - scalars:
        system.require(symbol, set(), item.where)
    if system.zero_temperature == item.matched:
        raise DeclarationError(
            f"{where}: {item.where} needs a loss or constraint at zero temperature and a "
            "likelihood at temperature 1."
        )
    if not system.zero_temperature and system.temperature != 1:
        raise DeclarationError(f"{where}: the likelihood of {item.where} needs temperature 1.")
