"""Third door: a classification of manifolds, of which only the capacity is asked for."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from replica.declare.model_name import require_model_name
from replica.declare.real_numbers import real_expression
from replica.declare.shapes import Shape
from replica.declare.symbols import Parameter, p, parameters_by_name
from replica.declare.weights import MatrixWeights
from replica.errors import DeclarationError

#: Most context vectors: regions and faces are enumerated, which takes ``4**count`` projections.
MOST_CONTEXTS = 6


@dataclass(frozen=True)
class Contexts:
    """Contexts of a gated readout: each input uses the weights of the region that it lies in.

    Parameters
    ----------
    count : int or Parameter
        Number of context vectors; their signs distinguish ``2**count`` regions.
    correlation : Expr, float or array_like
        Correlation of each two context vectors, or the matrix of all correlations.
    """

    count: Any
    correlation: Any = 0

    def __post_init__(self) -> None:
        count = real_expression(self.count, "contexts: count")
        matrix = self.correlation
        if hasattr(matrix, "__len__") or isinstance(matrix, sp.MatrixBase):
            try:
                matrix = sp.ImmutableMatrix(matrix)
            except (TypeError, ValueError):
                raise DeclarationError(
                    f"contexts: expected a matrix of correlations, got {reprlib.repr(matrix)}."
                ) from None
            if not (matrix.is_square and matrix == matrix.T and _unit_diagonal(matrix)):
                raise DeclarationError(
                    "contexts: expected a symmetric matrix of correlations with ones on its "
                    f"diagonal, got one of shape {matrix.shape}."
                )
            if count != matrix.rows:
                raise DeclarationError(
                    f"contexts: {matrix.rows} correlated vectors are given and count is {count}."
                )
        else:
            matrix = real_expression(matrix, "contexts: correlation")
        if count.is_number and not (count.is_integer and 1 <= count <= MOST_CONTEXTS):
            raise DeclarationError(
                f"contexts: expected a whole number of vectors from 1 to {MOST_CONTEXTS}, got "
                f"{count}."
            )
        object.__setattr__(self, "count", count)
        object.__setattr__(self, "correlation", matrix)

    @property
    def symbols(self) -> set[sp.Symbol]:
        """The symbols in it."""
        return self.count.free_symbols | self.correlation.free_symbols


@dataclass(frozen=True)
class Manifolds:
    """A classification of manifolds; see `replica.ManifoldModel` for the parameters."""

    name: str
    shape: Shape
    margin: Any = 0
    positive_fraction: Any = None
    centre_correlation: Any = 0
    contexts: Contexts | None = None
    weights: MatrixWeights | None = None
    observables: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        require_model_name(self.name)
        if not isinstance(self.shape, Shape):
            raise DeclarationError(
                f"model {self.name}: expected a shape such as Ball(R, D) or PointCloud(array), "
                f"got {reprlib.repr(self.shape)}."
            )
        if self.contexts is not None and not isinstance(self.contexts, Contexts):
            raise DeclarationError(
                f"model {self.name}: expected Contexts(count, correlation), got {self.contexts!r}."
            )
        if self.weights is not None and not isinstance(self.weights, MatrixWeights):
            raise DeclarationError(
                f"model {self.name}: expected weights such as MatrixWeights(rows, columns), got "
                f"{self.weights!r}."
            )
        for name in ("margin", "positive_fraction", "centre_correlation"):
            value = getattr(self, name)
            if name != "positive_fraction" or value is not None:
                value = real_expression(value, f"model {self.name}: {name}")
                object.__setattr__(self, name, value)
        self._require_observables()
        self._require("positive_fraction", 0, 1, strict_low=True)
        self._require("centre_correlation", 0, 1)
        unknown = {s for s in self._symbols if not isinstance(s, Parameter)}
        if self.weights is not None and self.contexts is not None:
            raise DeclarationError(
                f"model {self.name}: weights of a matrix with contexts are not available."
            )
        if p in unknown and self.weights is None:
            raise DeclarationError(
                f"model {self.name}: the number of manifolds p is used, which is finite only where "
                "the number of weights is; declare weights=MatrixWeights(rows, columns)."
            )
        if self.weights is not None and "p" in self.parameters:
            raise DeclarationError(
                f"model {self.name}: no parameter can be called 'p', which is the number of "
                "manifolds where weights are given."
            )
        given = [self.margin, self.centre_correlation, self.positive_fraction]
        if any(p in e.free_symbols for e in given if e is not None):
            raise DeclarationError(
                f"model {self.name}: the number of manifolds p may stand in the shape and in "
                "observables only."
            )
        unknown -= {p}
        if unknown:
            raise DeclarationError(
                f"model {self.name}: unbound symbol {min(map(str, unknown))!r}; expected "
                "parameters."
            )

    @property
    def note(self) -> str:
        """What may be forgotten in the declaration: nothing."""
        return ""

    def _require_observables(self) -> None:
        names = dict(self.observables)
        if names and self.contexts is not None:
            raise DeclarationError(f"model {self.name}: no observables are known with contexts.")
        taken = {"alpha", "p", *self.shape.quantities}
        for name, value in names.items():
            if not (str(name).isidentifier() and name not in taken):
                raise DeclarationError(
                    f"model {self.name}: {name!r} is no name for an observable, or is taken."
                )
            names[name] = real_expression(value, f"model {self.name}: observable {name}")
        object.__setattr__(self, "observables", names)

    def _require(self, name: str, low: float, high: float, strict_low: bool = False) -> None:
        value = getattr(self, name)
        if value is None or not value.is_number:
            return
        number = float(value)
        if not (low < number if strict_low else low <= number) or not number < high:
            raise DeclarationError(
                f"model {self.name}: {name} = {number:g} is not between {low} and {high}."
            )

    @property
    def _symbols(self) -> set[sp.Symbol]:
        symbols: set[sp.Symbol] = set(self.margin.free_symbols)
        symbols |= self.centre_correlation.free_symbols
        if self.positive_fraction is not None:
            symbols |= self.positive_fraction.free_symbols
        if self.contexts is not None:
            symbols |= self.contexts.symbols
        if self.weights is not None:
            symbols = symbols.union(*(e.free_symbols for e in self.weights.expressions))
        quantities = {sp.Symbol(name) for name in self.shape.quantities}
        for observable in self.observables.values():
            symbols |= observable.free_symbols - quantities
        return symbols.union(*(e.free_symbols for e in self.shape.expressions))

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters that the declaration uses, by Python name."""
        return parameters_by_name(self.name, self._symbols)


def _unit_diagonal(matrix: Any) -> bool:
    return all(matrix[i, i] == 1 for i in range(matrix.rows))
