"""Second door, for matrices: an explicit action of positive definite order parameters and data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from replica.calculus.matrices import Agreement, Features, SymmetricMatrix
from replica.declare.functional import OrderParameter
from replica.declare.model_name import require_model_name
from replica.declare.symbols import Parameter, parameters_by_name
from replica.errors import DataError, DeclarationError
from replica.kernels.arrays import finite_array
from replica.kernels.features import PathFeatures

Source = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Action:
    """An explicit action; see `replica.ActionModel` for the parameters."""

    name: str
    action: Any
    order_parameters: tuple[OrderParameter, ...]
    data: Source = field(default_factory=dict)
    observables: Mapping[str, Any] = field(default_factory=dict)
    definitions: Mapping[Any, Any] = field(default_factory=dict)
    identities: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        require_model_name(self.name)
        object.__setattr__(self, "action", sp.sympify(self.action))
        object.__setattr__(self, "order_parameters", tuple(self.order_parameters))
        observables = {name: sp.sympify(value) for name, value in self.observables.items()}
        object.__setattr__(self, "observables", observables)
        self._check_order_parameters()
        self._check_symbols()
        if not callable(self.data):
            self._check_names(self.data)

    def _check_order_parameters(self) -> None:
        if not self.order_parameters:
            raise DeclarationError(f"model {self.name}: no order parameter is declared.")
        if self.action.has(Agreement):
            raise DeclarationError(
                f"model {self.name}: the action contains a share of agreeing labels, which is not "
                "smooth; expected it among the observables."
            )
        for item in self.order_parameters:
            symbol = item.symbol
            if item.conjugate is not None or item.rate is not None:
                raise DeclarationError(
                    f"model {self.name}: the action is minimised over {symbol}, which takes "
                    "neither a conjugate nor a rate."
                )
            if not (isinstance(symbol, SymmetricMatrix) or symbol.is_positive):
                raise DeclarationError(
                    f"model {self.name}: the order parameter {symbol} is neither a "
                    "SymmetricMatrix nor a positive symbol."
                )
            if symbol not in self.action.free_symbols:
                raise DeclarationError(
                    f"model {self.name}: the action does not depend on the order parameter "
                    f"{symbol}."
                )

    def _check_symbols(self) -> None:
        known = {item.symbol for item in self.order_parameters}
        sizes = set(self.sizes)
        for where, expression in {
            "action": self.action,
            **self.observables,
            **self.identities,
        }.items():
            unknown = {
                s
                for s in expression.free_symbols - known - sizes
                if not isinstance(s, (Parameter, sp.MatrixSymbol))
            }
            if unknown:
                raise DeclarationError(
                    f"model {self.name}: unbound symbol {min(map(str, unknown))!r} in {where!r}; "
                    "expected parameters, order parameters, data, or numbers of examples."
                )

    @property
    def note(self) -> str:
        """What its user should know; nothing for an action."""
        return ""

    def _expressions(self) -> list[Any]:
        return [self.action, *self.observables.values(), *self.identities.values()]

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters that the declaration uses, by Python name."""
        symbols: set[Any] = set()
        for expression in self._expressions():
            symbols |= expression.free_symbols
        for item in self.order_parameters:
            symbols |= sp.sympify(item.start).free_symbols
        return parameters_by_name(self.name, symbols)

    @property
    def features(self) -> dict[str, Features]:
        """The features that the declaration uses, by name."""
        found = set().union(*(e.atoms(Features) for e in self._expressions()))
        return {f.name: f for f in sorted(found, key=str)}

    @property
    def arrays(self) -> dict[str, Any]:
        """The matrices of data that the declaration uses (labels), by name."""
        own = {item.symbol for item in self.order_parameters}
        found = set().union(*(e.atoms(sp.MatrixSymbol) for e in self._expressions())) - own
        return {a.name: a for a in sorted(found, key=str)}

    @property
    def sizes(self) -> tuple[Any, ...]:
        """Symbols of the numbers of examples."""
        return tuple({s for f in self.features.values() for s in f.examples.free_symbols})

    def load_data(self) -> tuple[dict[str, PathFeatures], dict[str, np.ndarray], dict[Any, int]]:
        """Return features and arrays by name, and the numbers of examples, all checked.

        Raises
        ------
        DataError
            If something is missing, or of a wrong shape.
        """
        given = self.data() if callable(self.data) else self.data
        self._check_names(given)
        features: dict[str, PathFeatures] = {}
        sizes: dict[Any, int] = {}
        for name, declared in self.features.items():
            value = given[name]
            found = value if isinstance(value, PathFeatures) else PathFeatures(value)
            if found.paths != declared.paths:
                raise DataError(
                    f"model {self.name}: the features {name!r} have {found.paths} paths, expected "
                    f"{declared.paths}."
                )
            features[name] = found
            sizes[declared.examples] = found.examples
        coordinates = {f.values.shape[1] for f in features.values()}
        if len(coordinates) > 1:
            raise DataError(
                f"model {self.name}: the features {', '.join(features)} have different numbers of "
                f"coordinates, {', '.join(map(str, sorted(coordinates)))}."
            )
        arrays: dict[str, np.ndarray] = {}
        for name, symbol in self.arrays.items():
            array = finite_array(given[name], f"model {self.name}, {name!r}")
            rows, columns = (int(n.subs(sizes)) for n in symbol.shape)
            if array.size != rows * columns:
                raise DataError(
                    f"model {self.name}: {name!r} has {array.size} entries, expected "
                    f"{rows * columns}."
                )
            first = [sizes[s] for s in symbol.shape[0].free_symbols] or [rows]
            if array.ndim > 1 and array.shape[0] not in (rows, *first):
                raise DataError(
                    f"model {self.name}: {name!r} has shape {array.shape}, expected the "
                    f"{first[0]} examples along the first axis."
                )
            arrays[name] = array.reshape(rows, columns)
        return features, arrays, sizes

    def _check_names(self, given: Mapping[str, Any]) -> None:
        needed = [*self.features, *self.arrays]
        if not isinstance(given, Mapping):
            raise DataError(
                f"model {self.name}: expected data as a mapping of names to arrays, or a function "
                f"that returns one, got {type(given).__name__}."
            )
        for name in needed:
            if name not in given:
                raise DataError(
                    f"model {self.name}: the data {name!r} are missing; expected "
                    f"{', '.join(needed)}."
                )
        for name in given:
            if name not in needed:
                raise DataError(
                    f"model {self.name}: there are no data {name!r}; expected {', '.join(needed)}."
                )
