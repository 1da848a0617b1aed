"""Anchor points: the points of a manifold that decide how it is classified."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from replica.declare.real_numbers import real_expression, real_value
from replica.declare.shapes import Shape
from replica.errors import DeclarationError, ParameterError
from replica.evaluate.projections import project
from replica.evaluate.threads import single_threaded_algebra

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AnchorPoints:
    """Anchor points of a manifold for many Gaussian vectors.

    Attributes
    ----------
    points : array, shape (vectors, dimensions)
        Coordinates about the centre, in units of its norm. Where ``interior``, the point of the
        manifold with the least ``T.S``.
    multipliers : array, shape (vectors,)
        The nearest vector that classifies the manifold is ``T + multiplier (1, point)``.
    squared_distances : array, shape (vectors,)
    interior : bool array, shape (vectors,)
        Where ``T`` classifies the manifold itself.
    """

    points: Array
    multipliers: Array
    squared_distances: Array
    interior: NDArray[np.bool_]


def anchor_points(shape: Shape, vectors: ArrayLike, margin: float = 0.0) -> AnchorPoints:
    """Return the anchor points of a manifold for given vectors.

    Parameters
    ----------
    shape : Shape
        Such as ``Ball(0.5, 5)`` or ``PointCloud(array)``, with numbers as radii.
    vectors : array_like, shape (vectors, 1 + dimensions)
        The component along the centre first.
    margin : float

    Raises
    ------
    DeclarationError
        If ``shape`` is no shape with numbers.
    ParameterError
        If a radius is none, or the vectors do not fit the shape.
    """
    if not isinstance(shape, Shape):
        raise DeclarationError(
            f"anchor points: expected a shape such as Ball(R, D) or PointCloud(array), got "
            f"{shape!r}."
        )
    free = sorted({str(s) for e in shape.expressions for s in e.free_symbols})
    if free:
        raise DeclarationError(
            f"anchor points: expected a shape with numbers, which {free[0]} is not."
        )
    margin = real_value(real_expression(margin, "margin"), {}, "margin")
    numeric = shape.at({})
    size = float(numeric.dimension)
    if size != int(size):
        raise ParameterError(f"anchor points: a shape of {size:g} dimensions has no coordinates.")
    given = np.atleast_2d(np.asarray(vectors, dtype=float))
    if given.ndim != 2 or given.shape[1] != 1 + int(size) or not np.isfinite(given).all():
        raise ParameterError(
            f"vectors: expected finite numbers of shape (vectors, {1 + int(size)}), the component "
            f"along the centre first, got shape {np.shape(vectors)}."
        )
    with single_threaded_algebra():
        found = project(numeric, given, margin)
    return AnchorPoints(found.anchor, found.multiplier, found.distance, found.interior)
