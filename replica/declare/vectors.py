"""Vector fields: several thermal components that see the same inputs, with one-hot labels.

A thermal variable with ``K`` components has a field ``h = (h_1, ..., h_K)`` for each sample. Labels
are one-hot vectors ``y``, written as ``K`` symbols, so that a loss of any form is an expression of
``y`` and ``h``: the cross-entropy is ``log(sum(exp(h_k))) - y.h``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.declare.clusters import Clusters
from replica.declare.component_field import ComponentField, symbol_column
from replica.declare.orthant_labels import OrthantLabels
from replica.declare.shared import CategoricalLabels
from replica.errors import DeclarationError

#: Overlap and susceptibility of the uniform direction ``(1, ..., 1)/sqrt(K)``, where the classes
#: are exchangeable but the loss tells the sum of the components.
q_u = sp.Symbol("q_u", nonnegative=True)
chi_u = sp.Symbol("chi_u", positive=True)


def components(name: str, count: int) -> sp.ImmutableMatrix:
    """Return a column of ``count`` real symbols ``name1, name2, ...``, as a field or a label."""
    return sp.ImmutableMatrix([sp.Symbol(f"{name}{i}", real=True) for i in range(1, count + 1)])


def is_argmax(y: Sequence[sp.Expr], h: Sequence[sp.Expr]) -> sp.Expr:
    """Return one where the largest component of ``h`` is that of the one-hot ``y``, else zero."""
    y, h = tuple(y), tuple(h)
    terms = []
    for k, own in enumerate(h):
        others = (sp.Heaviside(own - other) for i, other in enumerate(h) if i != k)
        terms.append(y[k] * sp.Mul(*others))
    return sp.Add(*terms)


def margin(y: Sequence[sp.Expr], h: Sequence[sp.Expr]) -> sp.Expr:
    """Return the component of ``h`` of the one-hot ``y`` minus the largest of the others.

    ``margin(y, h) >= kappa`` is the hard constraint of a classifier with a margin.
    """
    y, h = tuple(y), tuple(h)
    terms = []
    for k, own in enumerate(h):
        terms.append(y[k] * sp.Min(*(own - other for i, other in enumerate(h) if i != k)))
    return sp.Add(*terms)


def cross_entropy(y: sp.Matrix, h: sp.Matrix) -> sp.Expr:
    """Return minus the log of the softmax of the label's class."""
    return sp.log(sp.Add(*map(sp.exp, h))) - y.dot(h)


def plane_basis(count: int) -> sp.Matrix:
    """Orthonormal basis of the plane orthogonal to the uniform direction (Helmert), in columns."""
    columns = []
    for k in range(1, count):
        column = [sp.S.One] * k + [-sp.Integer(k)] + [sp.S.Zero] * (count - k - 1)
        columns.append(sp.Matrix(column) / sp.sqrt(k * (k + 1)))
    return sp.Matrix.hstack(*columns)


@dataclass(frozen=True)
class ArgmaxLabels:
    """One-hot labels of the largest component of the teacher's field.

    Parameters
    ----------
    label, teacher : sequence of Symbol
        As many symbols as the thermal variable has components.
    """

    label: Any
    teacher: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", symbol_column(self.label, "argmax labels"))
        object.__setattr__(self, "teacher", symbol_column(self.teacher, "argmax labels"))
        if len(self.label) != len(self.teacher):
            raise DeclarationError(
                f"argmax labels: {len(self.label)} label symbols but {len(self.teacher)} "
                "components of the teacher's field."
            )


@dataclass(frozen=True)
class VectorField(ComponentField):
    """Gaussian fields ``h_k = x.s_k / sqrt(N)`` of ``load * N`` samples, with their weight.

    Exactly one of ``loss``, ``likelihood`` and ``constraint`` is given.

    Parameters
    ----------
    h : sequence of Symbol
        The student's field, one symbol a component.
    load : Expr
        Number of samples per dimension (``alpha``).
    loss : Expr, optional
        Energy of one sample as a function of the label and ``h``: convex, and smooth or a sum of
        functions of one margin ``h_y - h_k`` each, such as hinges.
    likelihood : ArgmaxLabels or OrthantLabels, optional
        The labels object itself: the student knows the teacher's channel.
    constraint : Relational, optional
        Hard constraint on the margins, for example ``margin(y, h) >= kappa``.
    labels : ArgmaxLabels, CategoricalLabels, Clusters or OrthantLabels
        Law of the label: the largest component of a teacher's field, drawn with probabilities that
        the field sets, the cluster of the input, or a function of the signs of a teacher's field.
    """

    h: Any
    load: Any
    loss: Any = None
    likelihood: Any = None
    constraint: Any = None
    labels: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "h", symbol_column(self.h, "vector field"))
        kinds = (ArgmaxLabels, CategoricalLabels, Clusters, OrthantLabels)
        if not isinstance(self.labels, kinds):
            raise DeclarationError(
                f"{self.where}: expected labels such as ArgmaxLabels(y, h0) or Clusters(y, "
                f"overlaps), got {self.labels!r}."
            )
        if not self.by_orthant and len(self.labels.label) != len(self.h):
            raise DeclarationError(
                f"{self.where}: {len(self.h)} components, but labels of {len(self.labels.label)}."
            )
        teacher = getattr(self.labels, "teacher", self.h)
        if len(teacher) != len(self.h):
            raise DeclarationError(
                f"{self.where}: {len(self.h)} components, but a teacher's field of {len(teacher)}."
            )
        overlap = set(self.h) & self._bound
        if overlap:
            raise DeclarationError(
                f"{self.where}: the symbol {min(map(str, overlap))} is used for the field and for "
                "its labels; expected symbols of their own."
            )
        self._validate_weight()
        known = isinstance(self.labels, (ArgmaxLabels, OrthantLabels))
        if self.likelihood is not None and (self.likelihood is not self.labels or not known):
            raise DeclarationError(
                f"{self.where}: a likelihood must be the object of argmax labels or of orthant "
                f"labels itself, got {self.likelihood!r}."
            )

    @property
    def by_orthant(self) -> bool:
        """Whether the label is a function of the signs of the teacher's field."""
        return isinstance(self.labels, OrthantLabels)

    @property
    def _bound(self) -> set[sp.Symbol]:
        label = {self.labels.label} if self.by_orthant else {*self.labels.label}
        return label | {*getattr(self.labels, "teacher", ())}

    @property
    def local_symbols(self) -> set[sp.Symbol]:
        """Symbols bound inside the field's average."""
        return {*self.h} | self._bound

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Symbols that must be parameters."""
        used = self.load.free_symbols.union(*(e.free_symbols for e in self.functions))
        if isinstance(self.labels, (CategoricalLabels, Clusters)):
            used = used | self.labels.free_symbols
        return used - self.local_symbols


def validate_vectors(system: Any) -> None:
    """Refuse a vector system whose parts do not fit; ``system`` is a `System`."""
    count = system.thermal.components
    where = f"model {system.name}"
    if system.pair != 0 or system.overlap != 0 or system.extremised:
        raise DeclarationError(
            f"{where}: overlap terms and extremised scalars are not supported for a thermal "
            f"variable of {count} components."
        )
    if len(system.fields) != 1 or not isinstance(system.fields[0], VectorField):
        raise DeclarationError(f"{where}: {count} components need exactly one VectorField(...).")
    (item,) = system.fields
    if len(item.h) != count:
        raise DeclarationError(
            f"{where}: {item.where} has {len(item.h)} components, expected {count} as the thermal "
            "variable."
        )
    clusters = isinstance(item.labels, Clusters)
    if system.thermal.metric != 1 or (system.sites is not None and not clusters):
        raise DeclarationError(
            f"{where}: for a thermal variable of {count} components, sites that differ are "
            "declared in Clusters(y, overlaps, variance=...); no metric, no labels of a teacher."
        )
    if clusters == (system.quenched is not None):
        raise DeclarationError(
            f"{where}: clusters bring their own quenched centroids, and labels of a teacher need a "
            "quenched variable."
        )
    if system.quenched is not None and system.quenched.self_overlap is not None:
        raise DeclarationError(
            f"{where}: a self-overlap of the quenched variable is supported for a thermal variable "
            f"of one component, got {count}."
        )
    weight = set().union(item.load.free_symbols, *(e.free_symbols for e in item.functions))
    for symbol in weight - item.local_symbols:
        system.require(symbol, set(), item.where)
    for symbol in item.free_symbols - weight:
        system.require(symbol, system.site_constants, f"the labels of {item.where}")
    if system.zero_temperature == item.matched:
        raise DeclarationError(
            f"{where}: {item.where} needs a loss or constraint at zero temperature and a "
            "likelihood at temperature 1; other temperatures are not supported for vectors."
        )
