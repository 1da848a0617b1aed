r"""Shapes of manifolds: which points ``S = (1, s)`` an object has around its centre.

The first coordinate of ``S`` is that of the centre, always one: radii and points are given in units
of the norm of the centre. Only the convex hull of a shape matters, so that a sphere is a ball.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import sympy as sp

from replica.declare.real_numbers import real_expression, real_value
from replica.errors import DeclarationError, ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

#: Least distance of two points, relative to the largest coordinate, that are different.
_DISTINCT = 1e-12


@dataclass(frozen=True, eq=False)
class Shape:
    """Common part of all shapes; use one of the classes below."""

    @property
    def dimension(self) -> Any:
        """Number of intrinsic coordinates ``D``."""
        raise NotImplementedError

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """The symbolic numbers that the shape is declared with."""
        return ()

    def replaced(self, change: Callable[[Any], Any]) -> Shape:
        """Return the shape with every symbolic number changed by a function."""
        raise NotImplementedError

    def scaled(self, factor: Any) -> Shape:
        """Return the shape stretched about its centre."""
        raise NotImplementedError

    def support(self) -> str:
        """Return the LaTeX of the smallest ``V.S`` over the shape."""
        raise NotImplementedError

    def at(self, values: Mapping[sp.Symbol, float]) -> Shape:
        """Return the shape with numbers in the place of parameters.

        Raises
        ------
        ParameterError
            If a radius is negative or a dimension is not one of the shape.
        """
        numeric = self.replaced(lambda e: real_value(e, values, type(self).__name__))
        numeric.require()
        return numeric

    def require(self) -> None:
        """Raise ParameterError where the numbers are not those of a shape."""


@dataclass(frozen=True)
class Point(Shape):
    """A single point: Gardner's problem."""

    dimension = 0

    def replaced(self, change: Callable[[Any], Any]) -> Point:
        """Return the same point."""
        return self

    def scaled(self, factor: Any) -> Point:
        """Return the same point."""
        return self

    def support(self) -> str:
        """Return the LaTeX of the smallest ``V.S`` over the shape."""
        return "V_0"


@dataclass(frozen=True)
class Ball(Shape):
    """A ball, or the sphere around it.

    Parameters
    ----------
    radius : Expr or float
        In units of the norm of the centre.
    dimension : Expr or float
        At least one; need not be an integer.
    """

    radius: Any
    dimension: Any = 1

    def __post_init__(self) -> None:
        _symbolic(self, "radius", "dimension")

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """Radius and dimension."""
        return self.radius, self.dimension

    def replaced(self, change: Callable[[Any], Any]) -> Shape:
        """Return the shape with every symbolic number changed by a function."""
        return replace(self, radius=change(self.radius), dimension=change(self.dimension))

    def scaled(self, factor: Any) -> Shape:
        """Return the shape stretched about its centre."""
        return replace(self, radius=self.radius * factor)

    def support(self) -> str:
        """Return the LaTeX of the smallest ``V.S`` over the shape."""
        return rf"V_0 - {sp.latex(self.radius)}\,\lVert\mathbf{{v}}\rVert"

    def require(self) -> None:
        """Raise ParameterError where the numbers are not those of a shape."""
        _radius(self.radius)
        if not self.dimension >= 1:
            raise ParameterError(
                f"a ball needs at least one dimension, got D = {float(self.dimension):g}."
            )


@dataclass(frozen=True)
class Segment(Ball):
    """A segment of the given half length, which is a ball in one dimension."""

    dimension: Any = 1


@dataclass(frozen=True)
class L1Ball(Ball):
    """A cross-polytope: the convex hull of ``±radius`` on each of its axes."""

    def support(self) -> str:
        """Return the LaTeX of the smallest ``V.S`` over the shape."""
        return rf"V_0 - {sp.latex(self.radius)}\,\max_i|v_i|"

    def require(self) -> None:
        """Raise ParameterError where the numbers are not those of a shape."""
        super().require()
        axes = float(self.dimension)
        if axes != int(axes):
            raise ParameterError(
                f"a cross-polytope needs a whole number of axes, got D = {axes:g}."
            )


@dataclass(frozen=True)
class Ellipsoid(Shape):
    """An ellipsoid.

    Parameters
    ----------
    radii : sequence of Expr or float
        One an axis, in units of the norm of the centre.
    """

    radii: tuple[Any, ...]

    def __post_init__(self) -> None:
        if isinstance(self.radii, str) or not _is_sequence(self.radii) or not len(self.radii):
            raise DeclarationError(
                f"ellipsoid: expected a sequence of radii, one an axis, got {self.radii!r}."
            )
        radii = tuple(real_expression(r, "Ellipsoid: a radius") for r in self.radii)
        object.__setattr__(self, "radii", radii)

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return len(self.radii)

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """The radii."""
        return self.radii

    def replaced(self, change: Callable[[Any], Any]) -> Shape:
        """Return the shape with every symbolic number changed by a function."""
        return Ellipsoid(tuple(map(change, self.radii)))

    def scaled(self, factor: Any) -> Shape:
        """Return the shape stretched about its centre."""
        return Ellipsoid(tuple(r * factor for r in self.radii))

    def support(self) -> str:
        """Return the LaTeX of the smallest ``V.S`` over the shape."""
        if self.dimension > 4:
            inside = rf"\textstyle\sum_{{i=1}}^{{{self.dimension}}} R_i^2 v_i^2"
        else:
            inside = " + ".join(
                rf"({sp.latex(r)})^2 v_{i}^2" for i, r in enumerate(self.radii, start=1)
            )
        return rf"V_0 - \sqrt{{{inside}}}"

    def require(self) -> None:
        """Raise ParameterError where the numbers are not those of a shape."""
        for radius in self.radii:
            _radius(radius)


@dataclass(frozen=True, eq=False)
class PointCloud(Shape):
    """The convex hull of points that are given as an array.

    Parameters
    ----------
    points : array_like, shape (points, dimensions)
        Coordinates around the centre, in units of its norm. The array is copied.
    scale : Expr or float
        Factor of all coordinates.

    Raises
    ------
    DeclarationError
        If the array has not two dimensions, fewer than two points, or numbers that are not finite.
    """

    points: ArrayLike
    scale: Any = field(default=1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", checked_points(self.points, "point cloud"))
        _symbolic(self, "scale")

    @property
    def array(self) -> NDArray[np.float64]:
        """The declared points, without the scale."""
        return self.points  # type: ignore[return-value]

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return int(self.array.shape[1])

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """The scale."""
        return (self.scale,)

    @property
    def has_duplicates(self) -> bool:
        """Whether two points are equal, so that anchor points are not unique."""
        import numpy as np

        size = float(np.abs(self.array).max()) or 1.0
        rounded = np.round(self.array / (size * _DISTINCT * 100))
        return len(np.unique(rounded, axis=0)) < len(rounded)

    def replaced(self, change: Callable[[Any], Any]) -> Shape:
        """Return the shape with every symbolic number changed by a function."""
        return replace(self, scale=change(self.scale))

    def scaled(self, factor: Any) -> Shape:
        """Return the shape stretched about its centre."""
        return replace(self, scale=self.scale * factor)

    def support(self) -> str:
        """Return the LaTeX of the smallest ``V.S`` over the shape."""
        factor = "" if self.scale == 1 else sp.latex(self.scale) + r"\,"
        count = len(self.array)
        return rf"V_0 + \min_{{a\le {count}}}\, {factor}\mathbf{{s}}_a\cdot\mathbf{{v}}"

    def generators(self) -> NDArray[np.float64]:
        """Return the points ``(1, s)`` of a cloud with a numeric scale, one a row."""
        import numpy as np

        return np.column_stack([np.ones(len(self.array)), float(self.scale) * self.array])

    def __repr__(self) -> str:
        count, dimension = self.array.shape
        return f"PointCloud({count} points in {dimension} dimensions, scale={self.scale})"


def checked_points(points: Any, what: str) -> NDArray[np.float64]:
    """Return points as a new array of shape (points, coordinates).

    Raises
    ------
    DeclarationError
        Naming what the array belongs to and what is wrong with it.
    """
    import numpy as np

    try:
        if np.iscomplexobj(points):
            raise TypeError
        array = np.array(points, dtype=float)
    except (TypeError, ValueError):
        raise DeclarationError(f"{what}: the points are not an array of real numbers.") from None
    if array.ndim != 2 or array.shape[1] == 0:
        raise DeclarationError(
            f"{what}: expected an array of shape (points, coordinates), got shape {array.shape}."
        )
    if len(array) < 2:
        raise DeclarationError(
            f"{what}: expected at least two points, got {len(array)}; a single point is Point()."
        )
    if not np.isfinite(array).all():
        raise DeclarationError(f"{what}: the points hold values that are not finite numbers.")
    array.setflags(write=False)
    return array


def _symbolic(shape: Any, *names: str) -> None:
    for name in names:
        what = f"{type(shape).__name__}: {name}"
        object.__setattr__(shape, name, real_expression(getattr(shape, name), what))


def _radius(value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ParameterError(f"a radius must be a finite number >= 0, got {float(value):g}.")


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) or hasattr(value, "__len__")
