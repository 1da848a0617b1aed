"""Recompute stored tables and say what differs: from what is stored, and from the references."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replica.errors import TableError
from replica.report.regression.compute import Entry, compute
from replica.report.regression.declaration import TableFile, read_tables
from replica.report.regression.digits import Measured
from replica.report.regression.grid import matches
from replica.report.regression.render import latex, markdown
from replica.report.regression.storage import agrees, csv_text, read_csv, settled

#: Endings of the generated files, which stand beside the declaration.
GENERATED = (".csv", ".md", ".tex")


@dataclass(frozen=True)
class TableReport:
    """What a check of one file found.

    Attributes
    ----------
    file : Path
    numbers, references : int
        How many numbers were computed, and how many of them have a reference.
    differences : tuple of str
        One readable paragraph each; none where all is as stored.
    """

    file: Path
    numbers: int
    references: int
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def __str__(self) -> str:
        head = f"{self.file.stem}: {self.numbers} numbers, {self.references} with a reference"
        if self.passed:
            return f"{head}, all agree"
        count = len(self.differences)
        lines = [f"{head}, {count} difference{'s' if count != 1 else ''}"]
        return "\n".join([*lines, *(f"  {text}" for text in self.differences)])


def check(path: str | Path, done: Callable[[], Any] = lambda: None) -> TableReport:
    """Recompute a file of tables and compare.

    Parameters
    ----------
    path : str or Path
        The TOML file; the generated files stand beside it.
    done : callable
        Called after each row.

    Returns
    -------
    TableReport
        Differences of computed from stored numbers beyond the certified errors, of computed
        numbers from references beyond the tolerance, rows without a certified solution, and
        generated files that are missing or were changed by hand.
    """
    file = read_tables(path)
    return compared(file, compute(file, done))


def compared(file: TableFile, entries: Sequence[Entry]) -> TableReport:
    """Compare computed numbers with the references and the stored ones."""
    stored = read_csv(file.path.with_suffix(".csv"))
    found = [*_unlike_references(entries), *_unlike_stored(entries, stored)]
    return _report(file, entries, found or _stale(file, settled(entries, stored)))


def generate(
    path: str | Path, folder: str | Path | None = None, done: Callable[[], Any] = lambda: None
) -> tuple[TableReport, list[Path]]:
    """Compute a file of tables and write it as CSV, Markdown and LaTeX.

    Parameters
    ----------
    path : str or Path
        The TOML file.
    folder : str or Path, optional
        Where to write (default: beside the TOML file).
    done : callable
        Called after each row.

    Returns
    -------
    report : TableReport
        Differences from the references, and rows without a certified value: these keep their stored
        numbers, and show a dash where there are none.
    files : list of Path

    Raises
    ------
    TableError
        If a file cannot be written.
    """
    file = read_tables(path)
    entries = compute(file, done)
    base = (file.path.parent if folder is None else Path(folder)) / file.path.stem
    stored = read_csv(base.with_suffix(".csv"))
    written = []
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        for suffix, text in texts(file, settled(entries, stored)).items():
            target = base.with_suffix(suffix)
            target.write_text(text, encoding="utf-8")
            written.append(target)
    except OSError as error:
        raise TableError(f"Cannot write {str(base)!r}: {error.strerror or error}.") from error
    return _report(file, entries, _unlike_references(entries)), written


def texts(file: TableFile, entries: Sequence[Entry]) -> dict[str, str]:
    """Return the generated files by their ending."""
    known = [entry for entry in entries if not entry.missing]
    made = (csv_text(known), markdown(file, entries), latex(file, entries))
    return dict(zip(GENERATED, made, strict=True))


def _report(file: TableFile, entries: Sequence[Entry], found: Sequence[str]) -> TableReport:
    references = sum(entry.reference is not None for entry in entries)
    return TableReport(file.path, len(entries), references, tuple(found))


def _unlike_references(entries: Sequence[Entry]) -> list[str]:
    """Say what has no value, and what is not its reference."""
    found = []
    for entry in entries:
        reference = entry.reference
        if entry.failure:
            found.append(f"{entry}\n    has no certified value: {entry.failure}")
        elif reference and not matches(entry):
            gap = _gap(entry, "reference", reference.value, reference.tolerance)
            found.append(f"{gap}\n    {reference.provenance}: {reference.source}")
    return found


def _unlike_stored(
    entries: Sequence[Entry], stored: Mapping[tuple[str, ...], Measured]
) -> list[str]:
    """Say what is not as it was stored; nothing where nothing is stored yet."""
    if not stored:
        return []
    found = []
    for entry in entries:
        old = stored.get(entry.key)
        if entry.failure:
            continue
        if old is None:
            found.append(f"{entry}\n    is not stored.")
        elif not agrees(entry, old):
            found.append(_gap(entry, "stored", old.value, old.uncertainty))
    declared = {entry.key for entry in entries}
    found += [
        f"{', '.join(filter(None, key))}\n    is stored and no longer declared."
        for key in stored
        if key not in declared
    ]
    return found


def _stale(file: TableFile, entries: Sequence[Entry]) -> list[str]:
    found = []
    for suffix, text in texts(file, entries).items():
        target = file.path.with_suffix(suffix)
        if not target.is_file():
            found.append(f"{target.name} is missing: 'replica table {file.path.stem}' makes it.")
        elif target.read_text(encoding="utf-8") != text:
            found.append(
                f"{target.name} is not what the declaration gives: 'replica table "
                f"{file.path.stem}' makes it anew."
            )
    return found


def _gap(entry: Entry, what: str, value: float, tolerance: float) -> str:
    gap = abs(entry.value - value)
    return (
        f"{entry}\n"
        f"    computed   {entry.value: .15g} +- {entry.error:.1e}\n"
        f"    {what:<10} {value: .15g} +- {tolerance:.1e}, differs by {gap:.1e}"
    )
