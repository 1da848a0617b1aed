"""What a system is made of: thermal and quenched variables, scalars, averages for observables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from replica.declare.laws import Discrete, Flat, Law, Spherical
from replica.declare.symbols import Parameter
from replica.errors import DeclarationError


class SampleAverage(sp.Expr):
    """Average of an expression of a field's symbols, worked out at the derive stage."""

    def __new__(cls, expression: Any) -> Any:  # noqa: D102 - documented by the class
        if isinstance(expression, str):
            raise DeclarationError(
                f"{cls.__name__}: expected a SymPy expression such as {cls.__name__}((y - h)**2), "
                f"got the text {expression!r}."
            )
        return super().__new__(cls, sp.sympify(expression))

    def _sympystr(self, printer: Any) -> str:
        return f"{type(self).__name__}({printer._print(self.args[0])})"


class Test(SampleAverage):
    """Average of an expression of label and field over a *new* sample."""

    __test__ = False  # not a test class for pytest


class Train(SampleAverage):
    """Average over the training samples, with the field where training has moved it (``T = 0``).

    A finite fraction of samples may rest exactly on a kink of the loss; a step function placed
    there counts them by one half.
    """


class Site(SampleAverage):
    """Average over sites of an expression of the thermal variable's (posterior) mean."""


@dataclass(frozen=True)
class Thermal:
    """Thermal variable: a symbol, its prior measure and its penalty.

    Parameters
    ----------
    symbol : Symbol
    prior : Law, Spherical or Flat
    penalty : Expr
        Single-site energy ``r(s)``, entering as ``exp(-beta r(s))``.
    metric : Expr
        Weight of a site in every overlap, ``q = (1/N) sum_i metric_i s_i s'_i``: the variance of
        the inputs in its direction, an expression of the model's site constants.
    components : int
        Number of components with this prior and penalty each (class weights); the quenched
        variable has as many.
    """

    symbol: sp.Symbol
    prior: Law | Spherical | Flat = field(default_factory=Flat)
    penalty: Any = 0
    metric: Any = 1
    components: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.symbol, sp.Symbol):
            raise DeclarationError(f"thermal variable: expected a symbol, got {self.symbol!r}.")
        if not isinstance(self.prior, (Law, Spherical, Flat)):
            raise DeclarationError(
                f"thermal variable {self.symbol}: expected a prior such as Rademacher() or "
                f"Spherical(), got {self.prior!r}."
            )
        if isinstance(self.penalty, str):
            raise DeclarationError(
                f"thermal variable {self.symbol}: the penalty must be a SymPy expression, "
                f"got {self.penalty!r}."
            )
        if not isinstance(self.components, int) or self.components < 1:
            raise DeclarationError(
                f"thermal variable {self.symbol}: the number of components must be a positive "
                f"integer, got {self.components!r}."
            )
        penalty, metric = sp.sympify(self.penalty), _metric(self.metric, self.symbol)
        object.__setattr__(self, "penalty", penalty)
        object.__setattr__(self, "metric", metric)
        fixed = isinstance(self.prior, Spherical) or getattr(self.prior, "fixed_norm", False)
        if fixed and metric != 1:
            raise DeclarationError(
                f"thermal variable {self.symbol}: its prior fixes the norm sum_i s_i**2, which is "
                f"no overlap in the metric {metric}; expected a flat measure with a penalty or a "
                "prior with a variance."
            )
        others = {s for s in penalty.free_symbols if not isinstance(s, Parameter)} - {self.symbol}
        if others and self.symbol not in penalty.free_symbols:
            raise DeclarationError(
                f"thermal variable {self.symbol}: the penalty {penalty} is a function of "
                f"{min(map(str, others))}, not of {self.symbol}; expected the very symbol of the "
                "thermal variable (same name and assumptions)."
            )
        if isinstance(self.prior, Flat) and self.symbol not in penalty.free_symbols:
            raise DeclarationError(
                f"thermal variable {self.symbol}: a flat measure needs a penalty that makes it "
                "normalisable, for example lam*w**2/2."
            )


@dataclass(frozen=True)
class Quenched:
    """Quenched variable: a symbol and its law.

    Parameters
    ----------
    symbol : Symbol
    law : Law, optional
        It may depend on constants of the site, for example ``Gaussian(variance=tau)``. By default
        the variable is itself a constant of the site, given as an array.
    self_overlap : Expr, optional
        Variance ``R`` of the teacher's field, where that has a part which no student sees and which
        acts as noise: a number, or an expression of constants of the sites, whose average counts.
        By default it has none, ``R = (1/N) sum_i metric_i t_i**2``.
    """

    symbol: sp.Symbol
    law: Any = None
    self_overlap: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.symbol, sp.Symbol):
            raise DeclarationError(f"quenched variable: expected a symbol, got {self.symbol!r}.")
        if self.law is None:
            object.__setattr__(self, "law", Discrete([self.symbol]))
        if self.self_overlap is not None:
            value = _sympified(self.self_overlap)
            if not isinstance(value, sp.Expr) or value.is_negative:
                raise DeclarationError(
                    f"quenched variable {self.symbol}: the self-overlap must be an expression or a "
                    f"number that is not negative, got {self.self_overlap!r}."
                )
            object.__setattr__(self, "self_overlap", value)
        if not isinstance(self.law, Law):
            raise DeclarationError(
                f"quenched variable {self.symbol}: expected a law such as Gaussian() or "
                f"Rademacher(), got {self.law!r}."
            )


def _sympified(value: Any) -> Any:
    """What SymPy makes of a number or an expression; None of a string or anything else."""
    try:
        return None if isinstance(value, str) else sp.sympify(value)
    except (sp.SympifyError, TypeError):
        return None


def _metric(value: Any, symbol: sp.Symbol) -> sp.Expr:
    metric = _sympified(value)
    if not isinstance(metric, sp.Expr) or metric.is_nonpositive:
        raise DeclarationError(
            f"thermal variable {symbol}: the metric must be a positive expression of the site's "
            f"constants, got {value!r}."
        )
    return metric


@dataclass(frozen=True)
class Extremised:
    """A scalar over which the free entropy is extremised (a learned bias), with a start value."""

    symbol: sp.Symbol
    start: float = 0.0
    doc: str = ""
