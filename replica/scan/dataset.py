"""What the data set of a scan says beside its numbers: variables, coordinates, attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from replica.scan.block import Columns
from replica.scan.branches import NO_BRANCH
from replica.scan.provenance import provenance
from replica.solve import Status

if TYPE_CHECKING:
    from replica.compile.system import CompiledSystem
    from replica.model import FunctionalModel, Model
    from replica.scan.grid import Grid

Array = NDArray[np.float64]

# Variables that say how a point was solved, beside those that say what was found.
DIAGNOSTICS = (
    "status", "residual", "error", "stability", "evaluations", "found_by", "retry",
)  # fmt: skip
BRANCH = "branch"
NO_BRANCH_WORD = "no branch"


@dataclass(frozen=True)
class Variable:
    """One variable of the data set: what it is called, and which column it comes from."""

    name: str
    column: int | None
    attributes: dict[str, Any]
    dtype: type[np.generic] = np.float64


@dataclass(frozen=True)
class Labels:
    """Everything that a scan's data set says beside its numbers.

    Attributes
    ----------
    dims : tuple of str
        Dimensions in the order in which points are numbered: the row comes last.
    axes : mapping of str to ndarray
        Values along the dimensions, in their final order.
    parameters : mapping of str to dict
        Attributes of the coordinates.
    variables : tuple of Variable
    attributes : dict
        Provenance.
    """

    dims: tuple[str, ...]
    axes: Mapping[str, Array]
    parameters: Mapping[str, dict[str, str]]
    variables: tuple[Variable, ...]
    attributes: dict[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Points along each of the dimensions ``dims``."""
        return tuple(len(self.axes[name]) for name in self.dims)


def variables(
    system: CompiledSystem, kept: Sequence[str], sweeps: Sequence[str], retried: bool
) -> tuple[Variable, ...]:
    """Return the variables of a scan.

    Parameters
    ----------
    system : CompiledSystem
        What was solved.
    kept : sequence of str
        The outputs to keep.
    sweeps : sequence of str
        What the sweeps are called, where there are several.
    retried : bool
        Whether failed points were tried again.
    """
    columns = Columns(len(system.unknowns), len(system.outputs))
    found: list[Variable] = []
    for names, values, errors in (
        (system.unknowns, columns.x, columns.error),
        (system.outputs, columns.out, columns.out_error),
    ):
        for i, name in enumerate(names):
            if name not in kept and names is not system.unknowns:
                continue
            word, uncertainty = name.replace("_", " "), f"{name}_uncertainty"
            labels = {"long_name": word, "latex": latex_name(name)}
            found += [
                Variable(name, values.start + i, {"ancillary_variables": uncertainty, **labels}),
                Variable(
                    uncertainty, errors.start + i, {"long_name": f"certified error of {word}"}
                ),
            ]
    for name, column, dtype, words in (
        ("status", columns.status, np.int8, "how the solver ended"),
        ("residual", columns.residual, np.float64, "residual of the undamped map"),
        ("error", None, np.float64, "largest certified error of the order parameters"),
        (
            "stability", columns.stability, np.float64,
            "largest real part of the eigenvalues of the damped flow",
        ),
        ("evaluations", columns.evaluations, np.int32, "evaluations of the map"),
    ):  # fmt: skip
        attributes = status_flags(bool(sweeps)) if name == "status" else {"long_name": words}
        found.append(Variable(name, column, attributes, dtype))
    if sweeps:
        masks = np.int64(1) << np.arange(len(sweeps), dtype=np.int64)
        words = " ".join(sweep.replace(" ", "_") for sweep in sweeps)
        attributes = {
            "long_name": "sweeps that found the branch", "flag_masks": masks, "flag_meanings": words
        }  # fmt: skip
        found.append(Variable("found_by", None, attributes, np.int64))
    if retried:
        attributes = {"long_name": "rung of the retry ladder, 0 where it was not needed"}
        found.append(Variable("retry", None, attributes, np.int8))
    return tuple(found)


def status_flags(several: bool) -> dict[str, Any]:
    """Return the attributes of a status, of several branches or of one."""
    codes = [*range(len(Status)), *([NO_BRANCH] * several)]
    words = [status.name.lower() for status in Status]
    words += [NO_BRANCH_WORD.replace(" ", "_")] * several
    return {
        "long_name": "how the solver ended",
        "flag_values": np.array(codes, dtype=np.int8),
        "flag_meanings": " ".join(words),
    }


def latex_name(name: str) -> str:
    """Return the LaTeX of a Python name, such as ``lambda``, ``qhat`` or ``U[1,2]``."""
    import sympy

    symbol, _, entry = name.partition("[")
    latex = sympy.latex(sympy.Symbol(symbol))
    return f"{latex}^{{{entry.rstrip(']')}}}" if entry else latex


def make_labels(
    model: Model | FunctionalModel,
    system: CompiledSystem,
    grid: Grid,
    along: str,
    found: Sequence[Variable],
    attributes: Mapping[str, Any],
) -> Labels:
    """Return what the data set of a scan says.

    Parameters
    ----------
    model, system : Model, CompiledSystem
        What was solved.
    grid : Grid
        Where it was solved.
    along : str
        The axis along which rows run.
    found : sequence of Variable
    attributes : mapping
        How the scan was asked for; the provenance of the model is added.
    """
    attributes = provenance(model, system, grid, {"warm_axis": along, **attributes})
    parameters = {name: parameter_attributes(model, name) for name in grid.axes}
    return Labels((*grid.outer(along), along), grid.axes, parameters, tuple(found), attributes)


def parameter_attributes(model: Model | FunctionalModel, name: str) -> dict[str, str]:
    """Return what the data set of a scan says of a parameter."""
    parameter = model.parameters[name]
    return {
        "long_name": parameter.doc,
        "symbol": parameter.symbol_name,
        "latex": latex_name(parameter.symbol_name),
    }
