"""The free entropy along a line in the space of order parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from replica.errors import ScanError
from replica.report.labels import name_label
from replica.report.plot.style import PALETTE, draw_legend, new_axes
from replica.scan.dataset import latex_name
from replica.solve.branches import find_branches
from replica.solve.point import Start, parameter_values, start_vector

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from replica.compile.system import CompiledSystem
    from replica.model import FunctionalModel, Model
    from replica.solve import Solution

Array = NDArray[np.float64]
#: Relative distance within which a saddle point lies on the line.
_NEAR = 1e-5
# Of the line: how far it goes beyond two states, and how near to the ends of the domain.
_BEYOND, _INSET = 0.1, 1e-4
# An extremum with a smaller residual is a saddle point; two marks closer than this are one.
_RESIDUAL, _APART = 1e-4, 1e-3
_SADDLE = "_saddle"


def profile(
    model: Model | FunctionalModel,
    between: tuple[Start, Start] = ("uninformed", "informed"),
    *,
    over: tuple[float, float] | None = None,
    points: int = 401,
    backend: str | None = None,
    **parameters: float,
) -> pd.DataFrame:
    """Return the free entropy along the straight line between two states.

    The conjugates are those that their equations give, so that the free entropy is stationary
    where the line passes a saddle point.

    Parameters
    ----------
    model : Model or FunctionalModel
    between : pair of starts
        The two states: solutions, values of order parameters, or the declared starts.
    over : pair of float, optional
        Where along the line, 0 being the first state and 1 the second. By default the line goes a
        little beyond both, and between declared starts as far as the order parameters can go.
    points : int
    backend : str, optional
    **parameters : float

    Returns
    -------
    pandas.DataFrame
        Columns ``position``, one for each unknown, and ``free_entropy``.

    Raises
    ------
    ScanError
        If the two states are the same.
    """
    import pandas as pd

    system = model.compile(backend)
    values = parameter_values(system.saddle.parameters, parameters)
    params = np.array([values[name] for name in system.parameters])
    first, second = (start_vector(system, state, params[None])[0] for state in between)
    if not np.linalg.norm(second - first) > _NEAR * np.linalg.norm(first):
        raise ScanError("A landscape needs two different states to lie between.")
    low, high = np.array(system.program.domains, dtype=float).T
    if over is None:
        over = _extent(first, second - first, low, high, all(isinstance(s, str) for s in between))
    position = np.linspace(*over, points)
    states = first + position[:, None] * (second - first)
    inside = np.all((states > low) & (states < high), axis=1)
    column = system.outputs.index("free_entropy")
    with np.errstate(all="ignore"):
        height = np.array([system.report(params, x)[column] for x in states[inside]])
    frame = pd.DataFrame(states[inside], columns=list(system.unknowns))
    frame.insert(0, "position", position[inside])
    return frame.assign(free_entropy=height)


def landscape(
    model: Model | FunctionalModel,
    along: str,
    ax: Axes | None = None,
    *,
    between: tuple[Start, Start] = ("uninformed", "informed"),
    over: tuple[float, float] | None = None,
    points: int = 401,
    starts: Sequence[Start] | None = None,
    backend: str | None = None,
    palette: Sequence[str] = PALETTE,
    label: str | None = None,
    **parameters: float,
) -> Axes:
    """Draw the free entropy along a line between two states, and the saddle points on it.

    Parameters
    ----------
    model : Model or FunctionalModel
    along : str
        The order parameter along the horizontal axis.
    ax : matplotlib.axes.Axes, optional
        Where to draw (default: a new figure); a further call adds a curve.
    between, over, points, backend
        As for `profile`.
    starts : sequence of starts, optional
        Where to search for saddle points, as for `Model.branches`.
    palette : sequence of str
    label : str, optional
        Name of the curve in a legend.
    **parameters : float

    Returns
    -------
    matplotlib.axes.Axes
        Saddle points on the line are dots, hollow where damped iteration does not stay.
    """
    frame = profile(model, between, over=over, points=points, backend=backend, **parameters)
    if along not in frame:
        known = ", ".join(str(c) for c in frame.columns[1:-1])
        raise ScanError(f"There is no order parameter {along!r}; there are {known}.")
    ax = new_axes(ax)
    colour = palette[sum(line.get_label() != _SADDLE for line in ax.lines) % len(palette)]
    good = np.isfinite(frame["free_entropy"])
    ax.plot(frame[along], frame["free_entropy"].where(good), color=colour, label=label)
    system = model.compile(backend)
    found = find_branches(model.name, system, parameters, list(starts) if starts else None)
    marks = {
        solution[along]: (solution.free_entropy, solution.stability < 1)
        for solution in found
        if _on_line(solution, frame)
    }
    for place, height in _stationary(system, frame, along, parameters):
        if all(abs(place - other) > _APART * np.ptp(frame[along]) for other in marks):
            marks[place] = height, False
    for place, (height, stable) in marks.items():
        face = colour if stable else "white"
        ax.plot(
            place, height, "o", color=colour, markersize=5, markerfacecolor=face, zorder=3,
            label=_SADDLE,
        )  # fmt: skip
    ax.set_xlabel(name_label(along, latex_name(along)))
    ax.set_ylabel(r"free entropy $\phi$")
    if label is not None:
        draw_legend(ax, frameon=False)
    return ax


def _extent(first: Array, way: Array, low: Array, high: Array, whole: bool) -> tuple[float, float]:
    """Return how far a line goes: all the way through a bounded domain, or beyond both states."""
    if not whole:
        return -_BEYOND, 1 + _BEYOND
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.sort(np.array([(low - first) / way, (high - first) / way]), axis=0)
    moving = way != 0
    begin, end = float(ends[0, moving].max()), float(ends[1, moving].min())
    begin, end = (begin if np.isfinite(begin) else 0.0), (end if np.isfinite(end) else 1.0)
    inset = _INSET * (end - begin)
    return begin + inset, end - inset


def _stationary(
    system: CompiledSystem, frame: pd.DataFrame, along: str, parameters: Mapping[str, float]
) -> Iterator[tuple[float, float]]:
    """Find the saddle points at extrema along the line, which iteration need not find."""
    values = parameter_values(system.saddle.parameters, parameters)
    params = np.array([values[name] for name in system.parameters])
    states, height = frame[list(system.unknowns)].to_numpy(), frame["free_entropy"].to_numpy()
    slopes = np.sign(np.diff(height))
    column = system.outputs.index("free_entropy")
    for i in np.flatnonzero(slopes[1:] * slopes[:-1] < 0):
        before, after, sign = states[i], states[i + 2], slopes[i]

        def depth(
            t: float, before: Array = before, after: Array = after, sign: float = sign
        ) -> float:
            return -sign * float(system.report(params, before + t * (after - before))[column])

        share = optimize.minimize_scalar(depth, bounds=(0, 1), method="bounded").x
        x = before + share * (after - before)
        gap = np.max(np.abs(system.map(params, x) - x))
        if gap <= _RESIDUAL * np.max(np.abs(x)):
            place = float(x[system.unknowns.index(along)])
            yield place, float(system.report(params, x)[column])


def _on_line(solution: Solution, frame: pd.DataFrame) -> bool:
    """Whether a solution lies on the line that a profile follows."""
    names = list(solution.order_parameters)
    ends = frame[names].to_numpy()
    first, direction = ends[0], ends[-1] - ends[0]
    offset = np.array(list(solution.order_parameters.values())) - first
    share = float(offset @ direction / (direction @ direction))
    distance = float(np.linalg.norm(offset - share * direction))
    return -_NEAR <= share <= 1 + _NEAR and distance <= 1e-3 * float(np.linalg.norm(direction))
