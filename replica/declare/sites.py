"""Sites that are not alike: the joint law of their constants, from arrays or in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from replica.calculus.spectra import Data, EmpiricalAverage, MarchenkoPasturAverage, SiteAverage
from replica.errors import DeclarationError


@dataclass(frozen=True)
class Empirical:
    """Constants of the sites given as arrays, a column a symbol: the empirical joint law.

    Parameters
    ----------
    columns : mapping of Symbol to array, shape (sites,)
        For example ``{omega: eigenvalues, t: projections of the teacher}``.
    weights : array, shape (sites,), optional
        Share of every site, normalised here; equal by default.

    Raises
    ------
    DeclarationError
        If the arrays are empty, of different length, not finite, or a weight is negative.
    """

    columns: Mapping[sp.Symbol, Any] = field(repr=False, compare=False)
    weights: Any = field(default=None, repr=False, compare=False)
    symbols: tuple[sp.Symbol, ...] = field(init=False)
    data: Data = field(init=False)

    def __post_init__(self) -> None:
        import numpy as np

        if not isinstance(self.columns, Mapping) or not self.columns:
            raise DeclarationError(
                "empirical law: expected a mapping of symbols to arrays such as "
                f"{{omega: eigenvalues}}, got {self.columns!r}."
            )
        symbols = tuple(self.columns)
        if wrong := [s for s in symbols if not isinstance(s, sp.Symbol)]:
            raise DeclarationError(f"empirical law: expected symbols as keys, got {wrong[0]!r}.")
        arrays = {str(s): column for s, column in self.columns.items()}
        first = next(iter(arrays.values()))
        count = np.size(first)
        arrays["weights"] = np.ones(count) if self.weights is None else self.weights
        rows = {name: numbers(a, (count,), f"empirical law: {name}") for name, a in arrays.items()}
        weights = rows.pop("weights")
        if np.any(weights < 0) or not np.sum(weights) > 0:
            raise DeclarationError(
                "empirical law: the weights of the sites must not be negative, with a positive sum."
            )
        object.__setattr__(self, "symbols", symbols)
        values = np.stack([weights / np.sum(weights), *rows.values()])
        object.__setattr__(self, "data", Data(values))

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Parameters that the law depends on (none)."""
        return set()

    def average(self, expression: sp.Expr) -> sp.Expr:
        """Average over the sites."""
        return EmpiricalAverage(sp.S.One, self.symbols, self.data).over(expression)


@dataclass(frozen=True)
class MarchenkoPastur:
    """One constant ``x`` a site: an eigenvalue of ``F F^T/p``, ``F`` of ``ratio p x p`` normals.

    The law of a large matrix of independent standard normal entries; where ``ratio > 1`` a share
    ``1 - 1/ratio`` of the eigenvalues is zero.

    Parameters
    ----------
    x : Symbol
    ratio : Expr
        Rows over columns, a positive number or expression of parameters.

    Raises
    ------
    DeclarationError
        If the ratio is not positive.
    """

    x: sp.Symbol
    ratio: Any

    def __post_init__(self) -> None:
        if not isinstance(self.x, sp.Symbol):
            raise DeclarationError(f"Marchenko-Pastur law: expected a symbol, got {self.x!r}.")
        try:
            ratio = None if isinstance(self.ratio, str) else sp.sympify(self.ratio)
        except (sp.SympifyError, TypeError):
            ratio = None
        if not isinstance(ratio, sp.Expr) or ratio.is_positive is False:
            raise DeclarationError(
                f"Marchenko-Pastur law of {self.x}: expected a positive ratio of rows to columns, "
                f"got {self.ratio!r}."
            )
        object.__setattr__(self, "ratio", ratio)

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """The symbol of the eigenvalue."""
        return (self.x,)

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Parameters that the law depends on."""
        return self.ratio.free_symbols

    def average(self, expression: sp.Expr) -> sp.Expr:
        """Average over the sites."""
        return MarchenkoPasturAverage(sp.S.One, self.symbols, self.ratio).over(expression)


SiteLaw = Empirical | MarchenkoPastur


def numbers(value: Any, shape: tuple[int, ...], what: str) -> Any:
    """Return an array of finite numbers of a shape, or raise `DeclarationError`."""
    import numpy as np

    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise DeclarationError(f"{what}: expected an array of numbers, got {value!r}.") from None
    if array.shape != shape or array.size == 0:
        raise DeclarationError(
            f"{what}: expected an array of shape {shape}, not empty, got one of shape "
            f"{array.shape}."
        )
    if not np.all(np.isfinite(array)):
        raise DeclarationError(f"{what}: the array contains NaN or infinity.")
    return array


def estimate(expression: sp.Expr, values: Mapping[sp.Symbol, float] | None = None) -> float | None:
    """Value of an expression of averages over sites and parameters; None where one is missing."""
    known = dict(values or {})
    if expression.free_symbols - set(known):
        return None
    nodes = expression.atoms(SiteAverage)
    found = expression.xreplace({node: sp.Float(node.estimate(known)) for node in nodes})
    return float(found.subs(known))
