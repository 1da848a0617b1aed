"""Second door: an explicit free entropy of named order parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from replica.declare.model_name import require_model_name
from replica.declare.symbols import Parameter, parameters_by_name
from replica.errors import DeclarationError


@dataclass(frozen=True)
class OrderParameter:
    """An order parameter of a functional.

    Exactly one rule says how stationarity determines it: a ``conjugate`` (the functional contains
    a term bilinear in the two) or a ``rate``, for an extremised scalar ``x`` that is updated as
    ``x + rate * d(functional)/dx``. With ``within``, two numbers, it is extremised in an interval
    that contains its ends: at an end the derivative need not vanish (a Parisi parameter of at most
    one). ``start`` is a number, or the uninformed and the informed one.
    """

    symbol: sp.Symbol
    conjugate: sp.Symbol | None = None
    rate: Any = None
    domain: tuple[float, float] = (-float("inf"), float("inf"))
    start: Any = 0.5
    doc: str = ""
    within: tuple[float, float] | None = None


@dataclass(frozen=True)
class Functional:
    """An explicit functional; see `replica.FunctionalModel` for the parameters."""

    name: str
    free_entropy: Any
    order_parameters: tuple[OrderParameter, ...]
    observables: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        require_model_name(self.name)
        object.__setattr__(self, "free_entropy", sp.sympify(self.free_entropy))
        object.__setattr__(self, "order_parameters", tuple(self.order_parameters))
        observables = {name: sp.sympify(value) for name, value in self.observables.items()}
        object.__setattr__(self, "observables", observables)
        known: set[sp.Symbol] = set()
        if not self.order_parameters:
            raise DeclarationError(f"model {self.name}: no order parameter is declared.")
        for item in self.order_parameters:
            if (item.conjugate is None) == (item.rate is None):
                raise DeclarationError(
                    f"model {self.name}: the order parameter {item.symbol} needs either a "
                    "conjugate or an extremisation rate."
                )
            if item.within is not None and (
                item.rate is None or not item.within[0] < item.within[1]
            ):
                raise DeclarationError(
                    f"model {self.name}: within={item.within} of {item.symbol}; expected "
                    "(lower, upper) of an order parameter that has a rate."
                )
            known.add(item.symbol)
            if item.conjugate is not None:
                known.add(item.conjugate)
        for where, expression in {"free entropy": self.free_entropy, **observables}.items():
            unknown = {
                s
                for s in expression.free_symbols
                if not isinstance(s, Parameter) and s not in known
            }
            if unknown:
                raise DeclarationError(
                    f"model {self.name}: unbound symbol {min(map(str, unknown))!r} in "
                    f"{where!r}; expected parameters, order parameters or conjugates."
                )
        for item in self.order_parameters:
            if item.symbol not in self.free_entropy.free_symbols:
                raise DeclarationError(
                    f"model {self.name}: the free entropy does not depend on the order parameter "
                    f"{item.symbol}."
                )

    @property
    def note(self) -> str:
        """What may have been forgotten, as for a `System`: nothing that can be seen."""
        return ""

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters that the declaration uses, by Python name."""
        symbols = set(self.free_entropy.free_symbols)
        for value in self.observables.values():
            symbols |= value.free_symbols
        for item in self.order_parameters:
            if item.rate is not None:
                symbols |= sp.sympify(item.rate).free_symbols
        return parameters_by_name(self.name, symbols)
