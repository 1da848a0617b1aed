"""Simplices whose corners lie on orthogonal axes: as many exchangeable competitors of a centre."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.declare.shapes import Shape, require_radius, symbolic
from replica.errors import ParameterError

#: Radii between which averages are evaluated.
_SMALLEST, _LARGEST = 1e-3, 1e4


@dataclass(frozen=True)
class Simplex(Shape):
    """A simplex whose corners lie at a distance from the centre, on orthogonal axes.

    The field of the centre shall exceed ``radius`` times the field of every axis by the margin:
    with a radius of one, a score that is larger than those of ``dimension`` competitors.

    Parameters
    ----------
    radius : Expr or float
        In units of the norm of the centre.
    dimension : Expr or float
        Number of corners, a whole number.
    """

    radius: Any
    dimension: Any = 1

    def __post_init__(self) -> None:
        symbolic(self, "radius", "dimension")

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """Radius and number of corners."""
        return self.radius, self.dimension

    @property
    def quantities(self) -> tuple[str, ...]:
        """What is known of the nearest points beside the capacity."""
        return ("centre_field", "centre_field_deviation", "active_corners", "distance_ratio",
                "interior")  # fmt: skip

    def replaced(self, change: Callable[[Any], Any]) -> Shape:
        """Return the shape with every symbolic number changed by a function."""
        return Simplex(change(self.radius), change(self.dimension))

    def scaled(self, factor: Any) -> Shape:
        """Return the shape stretched about its centre."""
        return Simplex(self.radius * factor, self.dimension)

    def support(self) -> str:
        """Return the LaTeX of the smallest ``V.S`` over the shape."""
        factor = "" if self.radius == 1 else sp.latex(self.radius) + r"\,"
        return rf"V_0 - {factor}\max_{{i\le {sp.latex(self.dimension)}}} v_i"

    def require(self) -> None:
        """Raise ParameterError where the numbers are not those of a simplex."""
        require_radius(self.radius)
        if not _SMALLEST <= self.radius <= _LARGEST:
            raise ParameterError(
                f"a simplex needs a radius from {_SMALLEST:g} to {_LARGEST:g}, got "
                f"{float(self.radius):g}; without extent it is Point()."
            )
        corners = float(self.dimension)
        if corners != int(corners) or corners < 1:
            raise ParameterError(
                f"a simplex needs a whole number of corners, one or more, got {corners:g}."
            )
