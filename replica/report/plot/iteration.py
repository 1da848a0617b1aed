"""Order parameters over the iterations of the damped map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from replica.errors import ScanError, SettingsError
from replica.report.labels import name_label
from replica.report.plot.style import PALETTE, draw_legend, new_axes
from replica.scan.dataset import latex_name
from replica.solve.point import Start, parameter_values, start_vector

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from replica.model import FunctionalModel, Model

_DASHES: tuple[Any, ...] = ("-", "--", "-.", ":")
# Relative change of an iteration at which nothing more can be seen.
_STILL = 1e-10


def iterates(
    model: Model | FunctionalModel,
    start: Start = None,
    *,
    iterations: int = 200,
    damping: float = 0.0,
    backend: str | None = None,
    **parameters: float,
) -> pd.DataFrame:
    """Return the order parameters at each iteration of the damped fixed-point map.

    Parameters
    ----------
    model : Model or FunctionalModel
    start : str, mapping or Solution, optional
        As for `Model.solve`.
    iterations : int
        The most iterations; fewer where nothing changes any more.
    damping : float
        Share of the old value that a step keeps, from 0 (plain iteration) to below 1.
    backend : str, optional
    **parameters : float

    Returns
    -------
    pandas.DataFrame
        One row an iteration, the start first, with the column ``iteration`` and one for each
        unknown. It ends where a value is not finite, or at the boundary of its domain.
    """
    import pandas as pd

    if not 0 <= damping < 1:
        raise SettingsError(f"damping: expected a number from 0 to below 1, got {damping!r}.")
    system = model.compile(backend)
    values = parameter_values(system.saddle.parameters, parameters)
    params = np.array([values[name] for name in system.parameters])
    x = start_vector(system, start, params[None])[0]
    low, high = np.array(system.program.domains, dtype=float).T
    rows = [x]
    for _ in range(iterations):
        with np.errstate(all="ignore"):
            new = damping * x + (1 - damping) * system.map(params, x)
        if not np.all(np.isfinite(new)):
            break
        rows.append(new)
        # What vanishes does not come back: perfect recovery, for example.
        smallest = np.finfo(float).eps * float(np.max(np.abs(new)))
        if np.any((new - low <= smallest) & (new < x)) or np.any(new >= high):
            break
        if np.max(np.abs(new - x)) <= _STILL * max(float(np.max(np.abs(new))), _STILL):
            break
        x = new
    frame = pd.DataFrame(np.array(rows), columns=list(system.unknowns))
    return frame.rename_axis("iteration").reset_index()


def flow(
    model: Model | FunctionalModel,
    ax: Axes | None = None,
    *,
    starts: Sequence[Start] | Mapping[str, Start] = ("uninformed", "informed"),
    quantities: Sequence[str] | None = None,
    iterations: int = 200,
    damping: float = 0.0,
    backend: str | None = None,
    **parameters: float,
) -> Axes:
    """Draw order parameters over the iterations of the damped fixed-point map.

    Parameters
    ----------
    model : Model or FunctionalModel
    ax : matplotlib.axes.Axes, optional
        Where to draw (default: a new figure).
    starts : sequence or mapping of starts
        Where the iterations begin, each as for `Model.solve`; a mapping names them.
    quantities : sequence of str, optional
        The order parameters to show (default: all), in different colours.
    iterations, damping, backend
        As for `iterates`.
    **parameters : float

    Returns
    -------
    matplotlib.axes.Axes
        Different starts have different dashes; a dot marks where an iteration came to rest.
    """
    named = (
        starts if isinstance(starts, Mapping) else {_name(s, i): s for i, s in enumerate(starts)}
    )
    options: dict[str, Any] = {"iterations": iterations, "damping": damping, "backend": backend}
    options |= parameters
    paths = {name: iterates(model, start, **options) for name, start in named.items()}
    known = model.compile(backend).unknowns
    chosen = list(known) if quantities is None else list(quantities)
    for name in chosen:
        if name not in known:
            raise ScanError(f"There is no order parameter {name!r}; there are {', '.join(known)}.")
    ax = new_axes(ax)
    for i, frame in enumerate(paths.values()):
        for j, quantity in enumerate(chosen):
            colour = PALETTE[j % len(PALETTE)]
            dashes = _DASHES[i % len(_DASHES)]
            ax.plot(frame["iteration"], frame[quantity], dashes, color=colour, label="_path")
            if len(frame) <= iterations:
                ax.plot(
                    frame["iteration"].iloc[-1], frame[quantity].iloc[-1], "o", color=colour,
                    markersize=4, label="_end",
                )  # fmt: skip
    _legend(ax, chosen, list(paths))
    ax.set_xlabel("iteration")
    ax.set_ylabel(_label(chosen[0]) if len(chosen) == 1 else "order parameters")
    ax.set_xlim(left=0)
    return ax


def _legend(ax: Axes, quantities: Sequence[str], starts: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    handles = []
    if len(quantities) > 1:
        handles += [
            Line2D([], [], color=PALETTE[j % len(PALETTE)], label=_label(name))
            for j, name in enumerate(quantities)
        ]
    if len(starts) > 1:
        handles += [
            Line2D([], [], color="0.35", linestyle=_DASHES[i % len(_DASHES)], label=name)
            for i, name in enumerate(starts)
        ]
    if handles:
        draw_legend(ax, handles=handles, frameon=False, fontsize="small", ncols=2)


def _name(start: Start, number: int) -> str:
    if isinstance(start, str):
        return start
    return f"start {number + 1}" if start is not None else "default start"


def _label(name: str) -> str:
    return name_label(name, latex_name(name))
