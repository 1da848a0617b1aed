"""Which phase a point is in: conditions on the solutions that several starts lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.logic.boolalg import Boolean

from replica.compile.settings import SolveStatus
from replica.errors import ScanError
from replica.names import nearest
from replica.scan.block import CONVERGED, Columns
from replica.scan.quadtree import Labels

if TYPE_CHECKING:
    from replica.compile.system import CompiledSystem
    from replica.model import FunctionalModel, Model

Array = NDArray[np.float64]
#: A SymPy condition, True, or a function of the quantities.
Condition: TypeAlias = "sp.Basic | bool | Callable[[Mapping[str, Array]], Any]"
Test = Callable[[Mapping[str, Array]], NDArray[np.bool_]]


class Quantities:
    """The quantities that conditions may use, of the solutions from all starts."""

    def __init__(self, system: CompiledSystem, starts: tuple[str, ...]) -> None:
        self._found = (*system.unknowns, *system.outputs, "stability")
        self._starts = starts
        self._parameters = system.parameters
        self._ranked_by = self._found.index("free_entropy")
        #: Names of the quantities that a data set keeps.
        self.names = (*self._found, *(f"{name}_{s}" for s in starts for name in self._found))

    def of(
        self, params: Array, tables: Sequence[Array], layout: Columns
    ) -> tuple[dict[str, Array], NDArray[np.int8]]:
        """Return the quantities of some points, and the status of the best solution of each."""
        values, states = [], []
        for table in tables:
            good = table[:, layout.status] == CONVERGED
            one = [table[:, layout.x], table[:, layout.out], table[:, [layout.stability]]]
            values.append(np.where(good[:, None], np.concatenate(one, axis=1), np.nan))
            states.append(table[:, layout.status].astype(np.int8))
        every = np.array(values)
        # An unstable fixed point, such as the paramagnet at low temperature, is no phase.
        stable = ~(every[:, :, -1] > 1)
        rank = np.where(stable, every[:, :, self._ranked_by], -np.inf)
        rank = np.where(np.isnan(rank), -np.inf, rank)
        best, points = np.argmax(rank, axis=0), np.arange(len(params))
        chosen = np.where(np.isfinite(rank[best, points])[:, None], every[best, points], np.nan)
        found = dict(zip(self._parameters, params.T, strict=True))
        found |= dict(zip(self._found, chosen.T, strict=True))
        for start, one in zip(self._starts, every, strict=True):
            found |= {f"{n}_{start}": c for n, c in zip(self._found, one.T, strict=True)}
        state = np.array(states)[best, points]
        unstable = np.isnan(chosen[:, self._ranked_by]) & (state == CONVERGED)
        state[unstable] = SolveStatus.NOT_CONVERGED
        # A start that failed might have led to the better solution: the phase is not known.
        for other in states:
            failed = (state == CONVERGED) & (other != CONVERGED)
            state[failed] = other[failed]
        return found, state


def make_test(
    name: str, condition: Condition, known: Sequence[str], model: Model | FunctionalModel
) -> Test:
    """Return a condition as a function of arrays by name, after checking its quantities."""
    if isinstance(condition, (bool, np.bool_)):
        return lambda found: np.full(_length(found), bool(condition))
    number = isinstance(condition, sp.Symbol) or not isinstance(condition, Boolean)
    if isinstance(condition, sp.Basic) and number:
        raise ScanError(
            f"phase {name!r}: {condition} is a number and no condition; expected a comparison such "
            f"as {condition} > 0."
        )
    if isinstance(condition, sp.Basic):
        aliases = {p.symbol_name: key for key, p in model.parameters.items()}
        symbols = sorted(condition.free_symbols, key=str)
        wanted = [aliases.get(str(s), str(s)) for s in symbols]
        for quantity in wanted:
            if quantity not in known and quantity not in model.parameters:
                raise ScanError(f"phase {name!r}: {_no_quantity(quantity, known, model)}.")
        function = sp.lambdify(symbols, condition, "numpy")
        return lambda found: _truth(name, function(*(found[w] for w in wanted)), found)
    if not callable(condition):
        raise ScanError(
            f"phase {name!r}: expected a SymPy condition, a function or True, got {condition!r}."
        )

    def test(found: Mapping[str, Array]) -> NDArray[np.bool_]:
        try:
            value = condition(found)
        except KeyError as error:
            raise ScanError(
                f"phase {name!r}: there is no quantity {error}; there are {', '.join(found)}."
            ) from error
        return _truth(name, value, found)

    return test


def _no_quantity(quantity: str, known: Sequence[str], model: Model | FunctionalModel) -> str:
    """Say that there is no such quantity, and which one may have been meant."""
    meant = nearest(quantity, [*known, *model.parameters])
    if meant:
        return f"there is no quantity {quantity!r} (did you mean {meant}?)"
    own = [n for n in known if not any(n.startswith(f"{other}_") for other in known)]
    return (
        f"there is no quantity {quantity!r}; there are {', '.join(own)}, each also with "
        "the name of a start appended, and the parameters"
    )


def _truth(name: str, value: Any, found: Mapping[str, Array]) -> NDArray[np.bool_]:
    """Return what a condition says of every point, or refuse what is no truth value."""
    truth = np.asarray(value)
    if truth.dtype != bool or truth.shape not in ((), (_length(found),)):
        raise ScanError(
            f"phase {name!r}: expected one truth value a point, got an array of {truth.dtype} of "
            f"shape {truth.shape}."
        )
    return np.broadcast_to(truth, _length(found))


def _length(found: Mapping[str, Array]) -> int:
    return len(next(iter(found.values())))


def classify(
    conditions: Sequence[Test],
    found: Mapping[str, Array],
    state: NDArray[np.int8],
) -> Labels:
    """Return the number of the first condition that holds at each point."""
    labels = np.full(len(state), len(conditions), dtype=np.int8)
    with np.errstate(invalid="ignore"):
        for number in reversed(range(len(conditions))):
            labels[conditions[number](found)] = number
    labels[state != CONVERGED] = len(conditions) + 1
    return labels
