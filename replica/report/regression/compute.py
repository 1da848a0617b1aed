"""Compute what a file of tables declares: each row solved, each number with its certified error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replica.errors import ConvergenceError, ParameterError, TableError
from replica.registry import load
from replica.report.regression.answer import answer
from replica.report.regression.declaration import Reference, Row, Table, TableFile
from replica.report.regression.digits import Measured, rounded
from replica.scan import parameter_name

if TYPE_CHECKING:
    from replica.model import FunctionalModel, Model


@dataclass(frozen=True)
class Entry:
    """One number of a table: where it stands, what was computed, what is known from elsewhere.

    Attributes
    ----------
    table : str
        Title of the table.
    model, question, start : str
    parameters : mapping
        All parameters by symbol, those with their default too, but for one that is solved for.
    quantity : str
    value, error : float
        As computed, NaN where that failed.
    shown : Measured
        The digits that the error supports.
    reference : Reference or None
    failure : str
        Why there is no value.
    """

    table: str
    model: str
    parameters: Mapping[str, float]
    question: str
    start: str
    quantity: str
    value: float
    error: float
    shown: Measured
    reference: Reference | None
    failure: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies the number in a file."""
        return (
            self.table, self.model, parameters_text(self.parameters), self.question, self.start,
            self.quantity,
        )  # fmt: skip

    @property
    def missing(self) -> bool:
        """Whether there is no number, neither a computed nor a stored one."""
        return bool(self.failure) and math.isnan(self.shown.value)

    @property
    def provenance(self) -> str:
        """Where the reference comes from, ``computed`` where there is none."""
        return self.reference.provenance if self.reference else "computed"

    def __str__(self) -> str:
        parts = [
            parameters_text(self.parameters),
            self.question,
            self.start and f"{self.start} start",
        ]
        return f"{self.model}, {', '.join(part for part in parts if part)}: {self.quantity}"


def parameters_text(parameters: Mapping[str, float]) -> str:
    """Return ``"alpha = 2, lambda = 0.1"``."""
    return ", ".join(f"{name} = {value:.12g}" for name, value in parameters.items())


def load_from(folder: Path, name: str) -> Model | FunctionalModel:
    """Return a model by name, a path being relative to the folder of the tables."""
    if name.partition(":")[0].endswith(".py"):
        return load(str(folder / name))
    return load(name)


def compute(file: TableFile, done: Callable[[], Any] = lambda: None) -> list[Entry]:
    """Compute all numbers of a file.

    Parameters
    ----------
    file : TableFile
    done : callable
        Called after each row, for a progress bar.

    Returns
    -------
    list of Entry
        In the order of the tables; those of a row that has no certified solution say why.

    Raises
    ------
    TableError, ParameterError, ModelNotFoundError
        If a row names what its model does not have; nothing has been solved then.
    """
    models = {name: load_from(file.path.parent, name) for name in file.models}
    rows = [(table, row) for table in file.tables for row in table.rows]
    for table, row in rows:
        _validate(models[row.model], table, row)
    entries: list[Entry] = []
    for table, row in rows:
        entries += _computed(models[row.model], table, row)
        done()
    seen: set[tuple[str, ...]] = set()
    for entry in entries:
        if entry.key in seen:
            raise TableError(f"{file.path}, {entry.table}: {entry} is declared twice.")
        seen.add(entry.key)
    return entries


def _validate(model: Model | FunctionalModel, table: Table, row: Row) -> None:
    names: Iterable[str] = [*row.parameters, *row.question.get("parameter", "").split()]
    try:
        for name in names:
            parameter_name(model, name)
        for name, value in row.parameters.items():
            model.parameters[parameter_name(model, name)].validate(value)
    except ParameterError as error:
        raise TableError(f"{row.where}: {error}") from error
    system = model.compile()
    symbols = {p.symbol_name for p in model.parameters.values()}
    known = [*system.unknowns, *system.outputs, *symbols]
    wanted = [
        *table.quantities,
        *([row.question["minimise"]] if "minimise" in row.question else []),
    ]
    for name in wanted:
        if name not in known and name not in system.parameters:
            raise TableError(
                f"{row.where}: model {model.name!r} has no quantity {name!r}; it has "
                f"{', '.join(known)}."
            )


def _computed(model: Model | FunctionalModel, table: Table, row: Row) -> list[Entry]:
    solved_for = row.question.get("parameter")
    hidden = None if solved_for is None else parameter_name(model, solved_for)
    given = {parameter_name(model, name): value for name, value in row.parameters.items()}
    shown = {
        p.symbol_name: given.get(name, p.default)
        for name, p in model.parameters.items()
        if name != hidden
    }
    values: dict[str, tuple[float, float]] = {}
    failure = ""
    try:
        values = answer(model, row, table.quantities)
    except (ConvergenceError, ParameterError) as error:
        failure = str(error)
    entries = []
    for quantity in table.quantities:
        value, error_of_value = values.get(quantity, (math.nan, math.nan))
        entries.append(
            Entry(
                table.title,
                row.model,
                shown,
                _question_text(row),
                _start_text(row.start),
                quantity,
                value,
                error_of_value,
                rounded(value, error_of_value, table.digits),
                row.references.get(quantity),
                failure,
            )
        )
    return entries


def _question_text(row: Row) -> str:
    asked = row.question
    if row.kind == "optimum":
        return f"{asked['parameter']} of least {asked['minimise']}"
    if row.kind == "point":
        return ""
    return f"{asked['parameter']} at {asked['condition']}"


def _start_text(start: str | Mapping[str, float] | None) -> str:
    return parameters_text(start) if isinstance(start, Mapping) else start or ""
