"""Parameters and the fixed symbols of the order parameters."""

from __future__ import annotations

import keyword
import math
from collections.abc import Iterable
from typing import Any

import sympy as sp

from replica.errors import DeclarationError, ParameterError

#: Overlap of the thermal variable with the quenched one, per site.
m = sp.Symbol("m", real=True)
#: Overlap of two replicas (Edwards-Anderson order parameter).
q = sp.Symbol("q", nonnegative=True)
#: Self-overlap of one replica, ``q_d = q + V``.
q_d = sp.Symbol("q_d", positive=True)
#: Posterior (thermal) variance ``V = q_d - q``, at finite temperature.
V = sp.Symbol("V", positive=True)
#: Susceptibility ``chi = lim beta (q_d - q)``, at zero temperature.
chi = sp.Symbol("chi", positive=True)
#: Inverse temperature of the declared system.
beta = sp.Symbol("beta", positive=True)
#: Number of manifolds, where the number of weights is finite.
p = sp.Symbol("p", positive=True)
#: Self-overlap of the quenched variable, where it is an average over sites.
TEACHER_OVERLAP = sp.Symbol("R", positive=True)


class Parameter(sp.Symbol):
    """A named real parameter of a model; it is a SymPy symbol and can be used as one.

    Parameters
    ----------
    name : str
        Python name, used as keyword and on the command line (``"lam"``).
    default : float
        Value used where none is given.
    domain : tuple of float
        Lower and upper bound. A finite bound belongs to the domain unless ``open`` names it.
    doc : str
        One line that says what it is, with its scaling.
    symbol : str, optional
        Name of the printed symbol where it differs (``"lambda"``).
    open : str
        ``"lower"``, ``"upper"``, ``"both"`` or ``""``: bounds that are excluded.

    Raises
    ------
    DeclarationError
        If the name is no identifier, the domain is empty or does not contain the default.
    """

    default: float
    domain: tuple[float, float]
    doc: str
    python_name: str
    open: str

    def __new__(  # noqa: D102 - documented by the class
        cls,
        name: str,
        default: float,
        domain: tuple[float, float] = (-math.inf, math.inf),
        doc: str = "",
        *,
        symbol: str | None = None,
        open: str = "",
    ) -> Parameter:
        if not isinstance(name, str) or not name.isidentifier():
            raise DeclarationError(f"parameter name {name!r}: expected a Python identifier.")
        if keyword.iskeyword(name):
            raise DeclarationError(
                f"parameter name {name!r} is a Python keyword; give it another name and "
                f"symbol={name!r}."
            )
        try:
            low, high = (float(bound) for bound in domain)
            default = float(default)
        except (TypeError, ValueError):
            raise DeclarationError(
                f"parameter {name!r}: expected a number as default and a pair of numbers as "
                f"domain, got {default!r} and {domain!r}."
            ) from None
        if not low < high:
            raise DeclarationError(
                f"parameter {name!r}: the domain ({low}, {high}) is empty; expected lower < upper."
            )
        if open not in ("", "lower", "upper", "both"):
            raise DeclarationError(
                f"parameter {name!r}: open={open!r}; expected '', 'lower', 'upper' or 'both'."
            )
        assumptions: dict[str, bool] = {"real": True}
        if low > 0 or (low == 0 and open in ("lower", "both")):
            assumptions = {"positive": True}
        elif low == 0:
            assumptions = {"nonnegative": True}
        self = sp.Symbol.__xnew__(cls, symbol or name, **assumptions)
        self.python_name, self.default, self.domain = name, default, (low, high)
        self.doc, self.open = doc, open
        try:
            self.validate(default)
        except ParameterError as error:
            raise DeclarationError(f"default of a parameter outside its domain: {error}") from None
        return self

    def _hashable_content(self) -> tuple[Any, ...]:
        # SymPy caches expressions of equal symbols: parameters of different models with one name
        # but different defaults must not be equal.
        own = (self.python_name, self.default, *self.domain, self.open, self.doc)
        return (*super()._hashable_content(), own)

    def __getnewargs_ex__(self) -> Any:
        return (
            (self.python_name, self.default, self.domain, self.doc),
            {"symbol": sp.Symbol.__getattribute__(self, "name"), "open": self.open},
        )

    def __reduce__(self) -> Any:
        args, kwargs = self.__getnewargs_ex__()
        return _rebuild_parameter, (args, kwargs)

    @property
    def symbol_name(self) -> str:
        """Name of the printed symbol."""
        return str(sp.Symbol.__getattribute__(self, "name"))

    def validate(self, value: Any) -> float:
        """Return ``value`` as a float of the domain, or raise `ParameterError`."""
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ParameterError(
                f"parameter {self.python_name!r}: expected a number, got {value!r}."
            ) from None
        low, high = self.domain
        below = number <= low if self.open in ("lower", "both") else number < low
        above = number >= high if self.open in ("upper", "both") else number > high
        if math.isnan(number) or math.isinf(number) or below or above:
            left = "(" if self.open in ("lower", "both") or math.isinf(low) else "["
            right = ")" if self.open in ("upper", "both") or math.isinf(high) else "]"
            raise ParameterError(
                f"parameter {self.python_name!r} = {number:g} is outside its domain "
                f"{left}{low:g}, {high:g}{right}."
            )
        return number


def parameters_by_name(model: str, symbols: Iterable[sp.Symbol]) -> dict[str, Parameter]:
    """Parameters among the symbols, by Python name.

    Raises
    ------
    DeclarationError
        If two different parameters have the same name.
    """
    found: dict[str, Parameter] = {}
    for symbol in symbols:
        if isinstance(symbol, Parameter) and found.setdefault(symbol.python_name, symbol) != symbol:
            raise DeclarationError(
                f"model {model}: two different parameters are called {symbol.python_name!r}; "
                "declare it once and use the same object everywhere."
            )
    return dict(sorted(found.items()))


def _rebuild_parameter(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Parameter:
    return Parameter(*args, **kwargs)
