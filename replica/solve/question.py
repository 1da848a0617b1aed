"""What a search for a transition is asked, and where it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.errors import ConvergenceError
from replica.solve.point import Start
from replica.solve.solution import Solution


@dataclass(frozen=True)
class Question:
    """What is searched for, and where.

    Attributes
    ----------
    model, system : str, CompiledSystem
    name : str
        The critical parameter.
    values : mapping
        Of all parameters; that of the critical one is where a search without bracket begins.
    box : pair of float
        Where the critical parameter is searched for.
    bracketed : bool
        Whether the box is the user's: then its ends are where searches begin.
    settings : SolverSettings or None
    """

    model: str
    system: CompiledSystem
    name: str
    values: Mapping[str, float]
    box: tuple[float, float]
    bracketed: bool
    settings: SolverSettings | None

    def at(self, value: float) -> dict[str, float]:
        """Return the parameters at a value of the critical one."""
        return {**self.values, self.name: value}

    @property
    def where(self) -> str:
        """The range in words."""
        return f"{self.name} from {self.box[0]:g} to {self.box[1]:g}"

    def beginnings(self, start: Start) -> list[tuple[float, tuple[float, ...]]]:
        """Return the values at which a search begins, with the directions that it takes."""
        if isinstance(start, Solution):
            here = start.parameters[self.name]
            if self.box[0] <= here <= self.box[1]:
                return [(here, (1.0, -1.0))]
        if self.bracketed:
            return [(self.box[0], (1.0,)), (self.box[1], (-1.0,))]
        return [(self.values[self.name], (1.0, -1.0))]

    def ends(self, start: Start) -> list[tuple[float, tuple[float, ...]]]:
        """Return where else a search may begin if its phase is none at the default value.

        A symmetric phase has no free entropy beyond a pole, as a paramagnet at low temperature.
        """
        if self.bracketed or isinstance(start, Solution):
            return []
        return [(self.box[0], (1.0,)), (self.box[1], (-1.0,))]


def no_entry(question: Question, start: Start) -> ConvergenceError:
    """Return the error of a start that leads to no branch."""
    named = f"the start {start!r}" if isinstance(start, str) else "this start"
    return ConvergenceError(
        f"model {question.model}: {named} leads to no regular solution for {question.where}; give "
        "a start= (a Solution, or values of the order parameters) or a bracket= with a solution at "
        "one of its ends. (A limit such as q = 1 is no regular solution: against a phase of known "
        "free entropy, ask for the condition 'free_entropy=VALUE'.)"
    )
