"""The declaration of regression tables: a TOML file, read and validated.

A file has a title and one or more ``[[table]]``. A table has a ``title``, the ``quantities`` to
tabulate, and ``[[table.row]]`` with ``parameters``; what rows have in common (``model``, ``start``,
``provenance``, ``source``, ``tolerance``, a question) may stand in the table. A row asks for the
saddle point at its parameters, or a question: ``boundary``, the arguments of `Model.boundary`, or
``optimum``, the parameter that minimises a quantity.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from replica.errors import TableError
from replica.report.regression.digits import DIGITS, parse

#: Where a reference value comes from, beside ``computed``, which says that there is none.
PROVENANCES = ("published", "closed form", "independent", "computed")
QUESTIONS = ("boundary", "optimum")

_COMMON = ("model", "start", "provenance", "source", "tolerance", "parameters", *QUESTIONS)
_KEYS = {
    "file": ("title", "table", "figure"),
    "table": ("title", "quantities", "row", "layout", "digits", "note", *_COMMON),
    "row": ("reference", *_COMMON),
    "reference": ("value", "provenance", "source", "tolerance"),
    "boundary": ("condition", "parameter", "bracket"),
    "optimum": ("parameter", "minimise", "bracket"),
    "figure": ("model", "quantity", "x", "range", "points", "scale", "hue", "parameters", "start"),
}
_LAYOUTS = ("wide", "long")


@dataclass(frozen=True)
class Reference:
    """A value from elsewhere, as it was printed."""

    text: str
    value: float
    tolerance: float
    provenance: str
    source: str


@dataclass(frozen=True)
class Row:
    """One point, or one question, whose quantities are tabulated."""

    where: str
    model: str
    parameters: Mapping[str, float]
    start: str | Mapping[str, float] | None
    kind: str
    question: Mapping[str, Any]
    references: Mapping[str, Reference]


@dataclass(frozen=True)
class Table:
    """Rows with the same quantities; ``layout`` is ``"wide"`` or, one line a number, ``"long"``."""

    title: str
    quantities: tuple[str, ...]
    rows: tuple[Row, ...]
    layout: str
    digits: int
    note: str


@dataclass(frozen=True)
class Figure:
    """What the report of a model draws."""

    model: str
    quantity: str
    x: str
    range: tuple[float, float]
    points: int = 80
    scale: str = "linear"
    hue: Mapping[str, Sequence[float]] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)
    start: str | Mapping[str, float] | None = None


@dataclass(frozen=True)
class TableFile:
    """A file of tables, with the figures of the report."""

    path: Path
    title: str
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Names or files of the models, in order."""
        rows = [row.model for table in self.tables for row in table.rows]
        return tuple(dict.fromkeys([*rows, *(figure.model for figure in self.figures)]))


def read_tables(path: str | Path) -> TableFile:
    """Read a file of tables.

    Parameters
    ----------
    path : str or Path
        A TOML file.

    Raises
    ------
    TableError
        If it is missing or malformed; the message names the place and what was expected there.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TableError(f"Cannot read {str(path)!r}: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TableError(f"{path} is not a TOML file: {error}.") from error
    _known(data, "file", str(path))
    title = _text(data, "title", str(path))
    tables = [_table(entry, f"{path}, table {i}") for i, entry in _listed(data, "table", str(path))]
    figures = [
        _figure(entry, f"{path}, figure {i}") for i, entry in _listed(data, "figure", str(path))
    ]
    if not tables:
        raise TableError(f"{path} declares no [[table]].")
    return TableFile(path, title, tuple(tables), tuple(figures))


def _table(data: Mapping[str, Any], where: str) -> Table:
    _known(data, "table", where)
    title = _text(data, "title", where)
    where = f"{where} ({title})"
    quantities = data.get("quantities")
    if not (
        isinstance(quantities, list) and quantities and all(isinstance(q, str) for q in quantities)
    ):
        raise TableError(f"{where}: 'quantities' must be a list of names.")
    layout = data.get("layout", "wide")
    if layout not in _LAYOUTS:
        raise TableError(f"{where}: layout {layout!r} is unknown; expected one of {_or(_LAYOUTS)}.")
    digits = data.get("digits", DIGITS)
    if not isinstance(digits, int) or not 1 <= digits <= 15:
        raise TableError(f"{where}: 'digits' must be an integer from 1 to 15, not {digits!r}.")
    common = {key: data[key] for key in _COMMON if key in data}
    rows = tuple(
        _row(common, entry, quantities, f"{where}, row {i}")
        for i, entry in _listed(data, "row", where)
    )
    if not rows:
        raise TableError(f"{where} has no [[table.row]].")
    return Table(title, tuple(quantities), rows, layout, digits, data.get("note", ""))


def _row(
    common: Mapping[str, Any], data: Mapping[str, Any], quantities: Sequence[str], where: str
) -> Row:
    _known(data, "row", where)
    # A question of the row stands for that of the table.
    own = {key for key in QUESTIONS if key in data}
    merged = {k: v for k, v in common.items() if not (own and k in QUESTIONS)} | dict(data)
    merged["parameters"] = {**common.get("parameters", {}), **data.get("parameters", {})}
    kinds = [key for key in QUESTIONS if key in merged]
    if len(kinds) > 1:
        raise TableError(f"{where} asks for both {_or(kinds)}.")
    kind = kinds[0] if kinds else "point"
    question = merged[kind] if kinds else {}
    if kinds:
        _known(question, kind, f"{where}, {kind}")
        for key in ("parameter", "condition") if kind == "boundary" else ("parameter", "minimise"):
            _text(question, key, f"{where}, {kind}")
    references = {}
    for name, entry in data.get("reference", {}).items():
        if name not in quantities:
            raise TableError(
                f"{where}: the reference of {name!r} is none of the table's quantities, which are "
                f"{', '.join(quantities)}."
            )
        references[name] = _reference(entry, merged, f"{where}, reference of {name}")
    return Row(
        where, _text(merged, "model", where), _numbers(merged["parameters"], where),
        merged.get("start"), kind, question, references,
    )  # fmt: skip


def _reference(entry: Any, row: Mapping[str, Any], where: str) -> Reference:
    own = entry if isinstance(entry, dict) else {"value": entry}
    _known(own, "reference", where)
    data = {**{key: row[key] for key in ("provenance", "source", "tolerance") if key in row}, **own}
    provenance = data.get("provenance")
    if provenance not in PROVENANCES[:-1]:
        raise TableError(
            f"{where}: the provenance {provenance!r} is unknown; expected {_or(PROVENANCES[:-1])}."
        )
    source = _text(data, "source", where)
    tolerance, value = data.get("tolerance"), data.get("value")
    if tolerance is not None and not (isinstance(tolerance, (int, float)) and tolerance > 0):
        raise TableError(f"{where}: the tolerance {tolerance!r} is not a positive number.")
    if isinstance(value, str):
        number = parse(value, where)
        return Reference(value, number.value, tolerance or number.uncertainty, provenance, source)
    if isinstance(value, (int, float)) and tolerance is not None:
        return Reference(repr(value), float(value), float(tolerance), provenance, source)
    raise TableError(
        f"{where}: expected the digits as a text, '0.138' for example, or a number and a "
        f"tolerance; got {value!r}."
    )


def _figure(data: Mapping[str, Any], where: str) -> Figure:
    _known(data, "figure", where)
    bounds = data.get("range")
    if not (isinstance(bounds, list) and len(bounds) == 2):
        raise TableError(f"{where}: 'range' must be the two ends of the horizontal axis.")
    given = {key: data[key] for key in ("points", "scale", "hue", "start") if key in data}
    if given.get("scale", "linear") not in ("linear", "log"):
        raise TableError(f"{where}: the scale must be linear or log, not {given['scale']!r}.")
    return Figure(
        _text(data, "model", where), _text(data, "quantity", where), _text(data, "x", where),
        (float(bounds[0]), float(bounds[1])),
        parameters=_numbers(data.get("parameters", {}), where), **given,
    )  # fmt: skip


def _known(data: Any, kind: str, where: str) -> None:
    if not isinstance(data, dict):
        raise TableError(f"{where}: expected keys and values, got {data!r}.")
    unknown = sorted(set(data) - set(_KEYS[kind]))
    if unknown:
        raise TableError(
            f"{where}: {unknown[0]!r} is no key of a {kind}; expected {_or(_KEYS[kind])}."
        )


def _listed(data: Mapping[str, Any], key: str, where: str) -> list[tuple[int, Any]]:
    entries = data.get(key, [])
    if not isinstance(entries, list):
        raise TableError(f"{where}: write each {key} under [[...]], in double brackets.")
    return list(enumerate(entries, 1))


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise TableError(f"{where}: {key!r} is missing, or no text.")
    return value


def _numbers(data: Any, where: str) -> dict[str, float]:
    if not isinstance(data, dict) or not all(isinstance(v, (int, float)) for v in data.values()):
        raise TableError(f"{where}: 'parameters' must be names with numbers, got {data!r}.")
    return {name: float(value) for name, value in data.items()}


def _or(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else words[0]
