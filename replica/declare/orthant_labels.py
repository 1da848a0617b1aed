"""Labels that depend on the signs of a teacher's fields alone: committees, parities, gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import sympy as sp

from replica.errors import DeclarationError

#: Signs of the components of a field.
Signs = tuple[int, ...]


class Predictive(sp.Function):
    """``Predictive(y)``: the posterior's probability of a label of a new sample.

    Stands inside of ``Test(...)`` of a Bayes-optimal model with `OrthantLabels`:
    ``Test(1 - Predictive(y))`` is the error of one sample of the posterior (Gibbs error).
    """

    nargs = 1

    def _eval_is_extended_real(self) -> bool:
        return True


@dataclass(frozen=True)
class OrthantLabels:
    """Labels ``y = function(teacher's field)`` without noise, constant on every orthant.

    Parameters
    ----------
    label : Symbol
    function : Expr
        Of the signs of the field, such as ``sign(sign(z1) + sign(z2))`` with
        ``sign(0) = 0``; written with ``sign``, ``Heaviside`` or ``Piecewise``.
    teacher : sequence of Symbol
        The teacher's field, a component for each hidden unit.

    Attributes
    ----------
    regions : mapping of number to tuple of signs
        The orthants of every label.
    """

    label: sp.Symbol
    function: Any
    teacher: Any
    regions: Mapping[sp.Expr, tuple[Signs, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.label, sp.Symbol):
            raise DeclarationError(
                "orthant labels: expected a symbol for the label in OrthantLabels(y, function, z), "
                f"got {self.label!r}."
            )
        where = f"labels {self.label}"
        teacher = self.teacher
        entries = tuple(teacher) if isinstance(teacher, (Sequence, sp.MatrixBase)) else (teacher,)
        symbols = all(isinstance(z, sp.Symbol) for z in entries) and not isinstance(teacher, str)
        if len(entries) < 2 or len(set(entries)) != len(entries) or not symbols:
            raise DeclarationError(
                f"{where}: expected at least two distinct symbols such as components('z', 2) for "
                f"the teacher's field, got {teacher!r}."
            )
        object.__setattr__(self, "teacher", entries)
        function = self.function if isinstance(self.function, str) else sp.sympify(self.function)
        if not isinstance(function, sp.Expr) or self.label in function.free_symbols:
            raise DeclarationError(
                f"{where}: expected an expression of the teacher's field, got {self.function!r}."
            )
        object.__setattr__(self, "function", function)
        regions: dict[sp.Expr, tuple[Signs, ...]] = {}
        for signs in product((1, -1), repeat=len(entries)):
            value = self._value(signs, where)
            regions[value] = (*regions.get(value, ()), signs)
        if len(regions) < 2:
            raise DeclarationError(f"{where}: the label {function} is the same in every orthant.")
        object.__setattr__(self, "regions", regions)

    def __hash__(self) -> int:
        return hash((self.label, self.function, self.teacher))

    @property
    def values(self) -> tuple[sp.Expr, ...]:
        """All labels."""
        return tuple(self.regions)

    def _value(self, signs: Signs, where: str) -> sp.Expr:
        """Label of an orthant."""
        sizes = [sp.Dummy(f"size{k}", positive=True) for k in range(len(signs))]
        at = {z: s * size for z, s, size in zip(self.teacher, signs, sizes, strict=True)}
        value = self.function.subs(at, simultaneous=True)
        if not value.is_number:
            sides = zip(at, signs, strict=True)
            region = ", ".join(f"{z} {'>' if s > 0 else '<'} 0" for z, s in sides)
            raise DeclarationError(
                f"{where}: {self.function} is not one number where {region}; expected a function "
                "of the signs of the teacher's field only."
            )
        if not value.is_real:
            raise DeclarationError(f"{where}: the label {value} is not a real number.")
        return sp.nsimplify(value)
