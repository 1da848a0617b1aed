"""How many weights a readout has, where their number is finite: those of a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.declare.real_numbers import real_expression, real_value
from replica.errors import DeclarationError, ParameterError


@dataclass(frozen=True)
class MatrixWeights:
    """The weights are a matrix, the data outer products of two Gaussian vectors.

    Parameters
    ----------
    rows, columns : Expr or float
        Numbers of outputs and inputs; their product is the number of weights.
    rank : Expr or float
        Largest rank, as a share of the smaller of both: the width of a linear network of two
        layers, per unit of its narrower end.

    Raises
    ------
    DeclarationError
        If a number is not one of a matrix.
    """

    rows: Any
    columns: Any
    rank: Any = 1

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "rank"):
            value = real_expression(getattr(self, name), f"matrix weights: {name}")
            object.__setattr__(self, name, value)
        if all(value.is_number for value in self.expressions):
            try:
                self.require({})
            except ParameterError as error:
                raise DeclarationError(str(error)) from None

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """Rows, columns and rank."""
        return self.rows, self.columns, self.rank

    @property
    def count(self) -> sp.Expr:
        """Number of weights."""
        return self.rows * self.columns

    def require(self, values: Mapping[sp.Symbol, float]) -> None:
        """Raise ParameterError where values of parameters are not those of a matrix."""
        rows, columns, rank = (real_value(e, values, "matrix weights") for e in self.expressions)
        if not (rows >= 1 and columns >= 1):
            raise ParameterError(
                f"matrix weights: expected one row and one column or more, got {rows:g} x "
                f"{columns:g}."
            )
        if not 0 < rank <= 1:
            raise ParameterError(
                f"matrix weights: expected a share of the full rank above 0 and not above 1, got "
                f"{rank:g}."
            )
