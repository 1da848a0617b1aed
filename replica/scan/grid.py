"""The points of a scan: named axes and fixed parameters, checked before any work starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from replica.errors import ParameterError
from replica.names import nearest

if TYPE_CHECKING:
    from replica.model import FunctionalModel, Model


@dataclass(frozen=True)
class Grid:
    """A rectangular grid over some parameters of a model, all others fixed.

    Attributes
    ----------
    axes : dict of str to ndarray
        Values along each axis, by parameter name; the order is that of the dimensions.
    fixed : dict of str to float
        Values of the remaining parameters.
    """

    axes: dict[str, NDArray[np.float64]]
    fixed: dict[str, float]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points along each axis."""
        return tuple(len(values) for values in self.axes.values())

    @property
    def size(self) -> int:
        """Number of points."""
        return int(np.prod(self.shape))

    def at(
        self, indices: NDArray[np.intp], along: str, order: Sequence[str]
    ) -> NDArray[np.float64]:
        """Return some points, counted along rows.

        Parameters
        ----------
        indices : array of int, shape (points,)
            Numbers of the points: rows run along one axis and follow one another over the remaining
            axes, in their order, the last one fastest.
        along : str
            The axis along which a row runs.
        order : sequence of str
            Parameter names in the order of the columns of the result.

        Returns
        -------
        ndarray of shape (points, parameters)
        """
        names = [*self.outer(along), along]
        where = np.unravel_index(indices, [len(self.axes[name]) for name in names])
        place = dict(zip(names, where, strict=True))
        points = np.empty((len(indices), len(order)))
        for column, name in enumerate(order):
            points[:, column] = self.axes[name][place[name]] if name in place else self.fixed[name]
        return points

    def outer(self, along: str) -> list[str]:
        """Return the names of the axes other than ``along``."""
        return [name for name in self.axes if name != along]


def make_grid(
    model: Model | FunctionalModel, axes: Mapping[str, ArrayLike], fixed: Mapping[str, float]
) -> Grid:
    """Check axes and fixed values against the parameters of a model and fill in the defaults.

    Parameters
    ----------
    model : Model
        The model to scan.
    axes : mapping of str to array_like
        Values along each axis.
    fixed : mapping of str to float
        Values of other parameters; those not named keep their default.

    Returns
    -------
    Grid

    Raises
    ------
    ParameterError
        If a name is unknown or given twice, an axis is empty or not one-dimensional, or a value
        lies outside the domain of its parameter.
    """
    if not axes:
        raise ParameterError("A scan needs at least one axis, for example alpha=0.1:4:40.")
    table = model.parameters
    lines: dict[str, NDArray[np.float64]] = {}
    for given, line in axes.items():
        name = parameter_name(model, given)
        values = _axis(name, line)
        if name in lines:
            raise ParameterError(f"Parameter {name!r} is given as an axis twice.")
        # A domain is an interval: what holds at both ends of the axis holds in between.
        for value in (values.min(), values.max()):
            table[name].validate(value)
        lines[name] = values
    others = {name: parameter.default for name, parameter in table.items() if name not in lines}
    for given, value in fixed.items():
        name = parameter_name(model, given)
        if name in lines:
            raise ParameterError(f"Parameter {name!r} is given both as an axis and as a value.")
        others[name] = table[name].validate(value)
    return Grid(lines, others)


def parameter_name(model: Model | FunctionalModel, given: str) -> str:
    """Return the Python name of a parameter given by that name or by its symbol.

    Parameters
    ----------
    model : Model
        The model that owns the parameter.
    given : str
        ``"lam"`` or ``"lambda"``, for example.

    Returns
    -------
    str

    Raises
    ------
    ParameterError
        If the model has no such parameter; the message names the close ones.
    """
    names: dict[str, str] = {}
    for name, parameter in model.parameters.items():
        names[parameter.symbol_name] = name
    names.update((name, name) for name in model.parameters)
    if given in names:
        return names[given]
    meant = nearest(given, names)
    hint = f", did you mean {meant}?" if meant else "."
    known = ", ".join(model.parameters) or "none"
    raise ParameterError(f"Model {model.name!r} has no parameter {given!r} (it has {known}){hint}")


def _axis(name: str, line: ArrayLike) -> NDArray[np.float64]:
    try:
        values = np.asarray(line, dtype=float)
    except (TypeError, ValueError):
        raise ParameterError(f"The axis {name!r} is not a list of numbers.") from None
    if values.ndim != 1 or values.size == 0:
        raise ParameterError(f"The axis {name!r} must be a non-empty list of numbers.")
    if len(np.unique(values)) != len(values):
        raise ParameterError(f"The axis {name!r} has the same value more than once.")
    return values
