"""The cells of regression tables, before they are written in a language."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from replica.report.labels import name_label
from replica.report.regression.compute import Entry
from replica.report.regression.declaration import Table, TableFile
from replica.scan.dataset import latex_name

#: A line: cells that say which row it is, and cells with its numbers.
Line = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Grid:
    """Cells of one table: heads that name a row, heads of its numbers, and the lines below."""

    title: str
    note: str
    left: tuple[str, ...]
    heads: tuple[str, ...]
    rows: tuple[Line, ...]
    sources: tuple[str, ...]


def grids(file: TableFile, entries: Sequence[Entry]) -> list[Grid]:
    """Return the tables of a file that have entries."""
    found = []
    for table in file.tables:
        own = [entry for entry in entries if entry.table == table.title]
        if own:
            found.append(_grid(table, own))
    return found


def _grid(table: Table, entries: Sequence[Entry]) -> Grid:
    rows = [list(group) for _, group in itertools.groupby(entries, key=lambda e: e.key[:-1])]
    first = [row[0] for row in rows]
    names = list(dict.fromkeys(name for entry in first for name in entry.parameters))
    columns: dict[str, Callable[[Entry], str]] = {
        "model": lambda e: e.model,
        **{_label(n): lambda e, n=n: _plain(e.parameters.get(n)) for n in names},  # type: ignore[misc]
        "solved for": lambda e: e.question,
        "start": lambda e: e.start,
    }
    varying, fixed = {}, []
    for head, text in columns.items():
        values = {text(entry) for entry in first}
        if len(values) > 1:
            varying[head] = text
        elif values != {""}:
            value = values.pop()
            fixed.append(f"{head} = {value}" if head.startswith("$") else f"{head}: {value}")
    note = " ".join(part for part in (table.note, f"{', '.join(fixed)}." if fixed else "") if part)
    cited = _sources(entries)
    if table.layout == "long":
        left = (*varying, "quantity")
        lines = tuple(
            ((*(text(e) for text in varying.values()), _label(e.quantity)), _long(e, cited))
            for row in rows
            for e in row
        )
        heads: tuple[str, ...] = ("computed", "reference", "source")
        return Grid(table.title, note, left, heads, lines, _footnotes(cited))
    lines = tuple(
        (tuple(text(row[0]) for text in varying.values()), tuple(_shown(e) for e in row))
        for row in rows
    )
    heads = tuple(_label(quantity) for quantity in table.quantities)
    return Grid(table.title, note, tuple(varying), heads, lines, _agreement(entries))


def _shown(entry: Entry) -> str:
    return "–" if entry.missing else str(entry.shown)


def _long(entry: Entry, cited: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    if entry.reference is None:
        return _shown(entry), "", "computed"
    number = cited.index((entry.reference.provenance, entry.reference.source)) + 1
    return _shown(entry), entry.reference.text, f"{entry.provenance} [{number}]"


def _sources(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    known = [(e.reference.provenance, e.reference.source) for e in entries if e.reference]
    return list(dict.fromkeys(known))


def _footnotes(cited: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"[{i}] {source}." for i, (_, source) in enumerate(cited, 1))


def _agreement(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Say how many numbers of a wide table are known from elsewhere, and how well they agree."""
    lines = []
    for provenance, source in _sources(entries):
        known = [
            e for e in entries
            if e.reference and (e.reference.provenance, e.reference.source) == (provenance, source)
        ]  # fmt: skip
        good = sum(matches(entry) for entry in known)
        lines.append(
            f"Reference ({provenance}): {source}. {good} of {len(known)} values agree within "
            "the tolerance."
        )
    return tuple(lines)


def matches(entry: Entry) -> bool:
    """Whether a computed number is its reference, within the tolerance and the certified error."""
    reference = entry.reference
    if reference is None:
        return True
    return abs(entry.value - reference.value) <= reference.tolerance + entry.error


def _label(name: str) -> str:
    return name_label(name, latex_name(name))


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"
