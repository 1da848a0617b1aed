"""Averages that an observable asks for; they are worked out at the derive stage."""

from __future__ import annotations

from typing import Any

import sympy as sp


class FieldAverage(sp.Expr):
    """Average of an expression of a field's symbols, worked out at the derive stage."""

    def __new__(cls, expression: Any) -> Any:  # noqa: D102 - documented by the class
        return super().__new__(cls, sp.sympify(expression))

    def _sympystr(self, printer: Any) -> str:
        return f"{type(self).__name__}({printer._print(self.args[0])})"


class Test(FieldAverage):
    """Average of an expression of label and field over a *new* sample."""

    __test__ = False  # not a test class for pytest


class Train(FieldAverage):
    """Average over the training samples, with the field where training has moved it (``T = 0``).

    A finite fraction of samples may rest exactly on a kink of the loss; a step function placed
    there counts them by one half.
    """


class Site(FieldAverage):
    """Average over sites of an expression of the thermal variable's (posterior) mean."""
