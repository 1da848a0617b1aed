"""The free entropy along a line in the space of order parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.errors import ScanError
from replica.report.labels import name_label
from replica.report.plot.style import PALETTE, new_axes
from replica.scan.dataset import latex_name
from replica.solve.point import Start, find_branches, parameter_values, start_vector

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from replica.model import FunctionalModel, Model
    from replica.solve import Solution

Array = NDArray[np.float64]
#: Relative distance within which a saddle point lies on the line.
_NEAR = 1e-5


def profile(
    model: Model | FunctionalModel,
    between: tuple[Start, Start] = ("uninformed", "informed"),
    *,
    over: tuple[float, float] = (0.0, 1.0),
    points: int = 201,
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
        The two states: solutions, values of order parameters, or the declared starts, which span
        what the order parameters can be.
    over : pair of float
        Where along the line, 0 being the first state and 1 the second; what leaves the domain of
        an order parameter is left out.
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
    position = np.linspace(*over, points)
    states = first + position[:, None] * (second - first)
    low, high = np.array(system.program.domains, dtype=float).T
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
    over: tuple[float, float] = (0.0, 1.0),
    points: int = 201,
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
        Saddle points on the line are dots, hollow where damped iteration leaves them.
    """
    frame = profile(model, between, over=over, points=points, backend=backend, **parameters)
    if along not in frame:
        known = ", ".join(str(c) for c in frame.columns[1:-1])
        raise ScanError(f"There is no order parameter {along!r}; there are {known}.")
    ax = new_axes(ax)
    colour = palette[sum(line.get_label() != "_saddle" for line in ax.lines) % len(palette)]
    good = np.isfinite(frame["free_entropy"])
    ax.plot(frame[along], frame["free_entropy"].where(good), color=colour, label=label)
    found = find_branches(
        model.name, model.compile(backend), parameters, list(starts) if starts else None
    )
    given = [
        state for state in between if not isinstance(state, str) and hasattr(state, "stability")
    ]
    for solution in _distinct([*found, *given], along):
        if _on_line(solution, frame):
            stable = solution.stability < 1
            ax.plot(
                solution[along], solution.free_entropy, "o", color=colour, label="_saddle",
                markersize=5, markerfacecolor=colour if stable else "white", zorder=3,
            )  # fmt: skip
    ax.set_xlabel(name_label(along, latex_name(along)))
    ax.set_ylabel(r"free entropy $\phi$")
    if label is not None:
        ax.legend(frameon=False)
    return ax


def _distinct(solutions: Sequence[Any], along: str) -> list[Any]:
    kept: list[Any] = []
    for solution in solutions:
        if all(abs(solution[along] - other[along]) > _NEAR for other in kept):
            kept.append(solution)
    return kept


def _on_line(solution: Solution, frame: pd.DataFrame) -> bool:
    """Whether a solution lies on the line that a profile follows."""
    names = list(solution.order_parameters)
    ends = frame[names].to_numpy()
    first, direction = ends[0], ends[-1] - ends[0]
    offset = np.array(list(solution.order_parameters.values())) - first
    share = float(offset @ direction / (direction @ direction))
    distance = float(np.linalg.norm(offset - share * direction))
    return -_NEAR <= share <= 1 + _NEAR and distance <= 1e-3 * float(np.linalg.norm(direction))
