"""What fields of several components have in common: one weight of a sample, and its checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from replica.declare.fields import require_nonnegative
from replica.errors import DeclarationError

_INEQUALITIES = (sp.Ge, sp.Gt, sp.Le, sp.Lt)


def symbol_column(value: Any, what: str, least: int = 2) -> tuple[sp.Symbol, ...]:
    """Return the symbols of a label or a field, at least so many and all distinct.

    Raises
    ------
    DeclarationError
    """
    entries = tuple(value) if isinstance(value, (Sequence, sp.MatrixBase)) else (value,)
    if len(entries) < least or not all(isinstance(e, sp.Symbol) for e in entries):
        raise DeclarationError(
            f"{what}: expected {'at least two' if least > 1 else 'real'} symbols such as "
            f"components('h', 3), got {value!r}."
        )
    if len(set(entries)) != len(entries):
        raise DeclarationError(f"{what}: the symbols {value!r} are not distinct.")
    return entries


class ComponentField:
    """Base of fields ``h`` of several components with a loss, a likelihood or a constraint."""

    h: Any
    load: Any
    loss: Any
    likelihood: Any
    constraint: Any

    @property
    def where(self) -> str:
        """The field in an error message."""
        return f"field ({', '.join(map(str, self.h))})"

    @property
    def matched(self) -> bool:
        """Whether the student uses the teacher's own channel."""
        return self.likelihood is not None

    @property
    def excess(self) -> sp.Expr:
        """By how much a constraint is met: it holds where this is not negative."""
        return self.constraint.gts - self.constraint.lts

    @property
    def functions(self) -> tuple[sp.Expr, ...]:
        """The loss, or the excess of the constraint; nothing for a likelihood."""
        if self.constraint is not None:
            return (self.excess,)
        return () if self.loss is None else (self.loss,)

    @property
    def described(self) -> str:
        """The loss or the constraint in an error message."""
        if self.constraint is not None:
            return f"constraint {self.constraint}"
        return f"loss {self.loss}"

    def _validate_weight(self) -> None:
        given = [n for n in ("loss", "likelihood", "constraint") if getattr(self, n) is not None]
        if len(given) != 1:
            raise DeclarationError(
                f"{self.where}: expected exactly one of loss, likelihood and constraint, got "
                f"{', '.join(given) or 'none'}."
            )
        if self.constraint is not None and not isinstance(self.constraint, _INEQUALITIES):
            raise DeclarationError(
                f"{self.where}: the constraint must be an inequality such as "
                f"margin(y, h) >= kappa, got {self.constraint!r}."
            )
        for name in ("load", "loss"):
            value = getattr(self, name)
            if value is None:
                continue
            value = sp.sympify(value) if not isinstance(value, str) else None
            if not isinstance(value, sp.Expr) or value.has(sp.nan, sp.zoo):
                raise DeclarationError(
                    f"{self.where}: the {name} must be a SymPy expression, "
                    f"got {getattr(self, name)!r}."
                )
            object.__setattr__(self, name, value)
        require_nonnegative(self.load, f"{self.where}: the load")
        for function in self.functions:
            if not function.free_symbols & set(self.h):
                raise DeclarationError(
                    f"{self.where}: the {self.described} is not a function of its field."
                )
