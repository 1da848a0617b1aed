"""The stored numbers of a file of tables: one line a number, as comma-separated values."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from replica.errors import TableError
from replica.report.regression.compute import Entry, parameters_text
from replica.report.regression.digits import Measured

COLUMNS = (
    "table", "model", "parameters", "question", "start", "quantity", "value", "uncertainty",
    "reference", "tolerance", "provenance", "source",
)  # fmt: skip
_KEY = COLUMNS[:6]
# A certified error that grew by less than this is the same certificate on another processor.
_SLACK = 10.0


def csv_text(entries: Sequence[Entry]) -> str:
    """Return the numbers as comma-separated values."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        reference = entry.reference
        known = ("", "") if reference is None else (reference.text, f"{reference.tolerance:.3g}")
        writer.writerow(
            [
                entry.table, entry.model, parameters_text(entry.parameters), entry.question,
                entry.start, entry.quantity, f"{entry.shown.value:.15g}",
                f"{entry.shown.uncertainty:.3g}", *known, entry.provenance,
                reference.source if reference else "",
            ]
        )  # fmt: skip
    return buffer.getvalue()


def read_csv(path: Path) -> dict[tuple[str, ...], Measured]:
    """Return the stored numbers by what identifies each, none where there is no file.

    Raises
    ------
    TableError
        If the file is not one that `csv_text` made.
    """
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    try:
        return {
            tuple(row[column] for column in _KEY): Measured(
                float(row["value"]), float(row["uncertainty"])
            )
            for row in rows
        }
    except (KeyError, TypeError, ValueError) as error:
        raise TableError(f"{path} is not a generated table: remove it and make it anew.") from error


def agrees(entry: Entry, stored: Measured) -> bool:
    """Whether a computed number is the stored one.

    Both are within their uncertainties of the true value, so that they may differ by the sum. A
    recomputation that is less certain than what is stored excuses no larger gap: they may differ by
    two stored uncertainties at most, however large its error. (No tolerance is added, for that of a
    reference says how well somebody else knew the number.) The estimate of the error itself, often
    that of rounding, may differ between processors; one that grew further is another certificate.
    """
    if not math.isfinite(entry.value):
        return entry.value == stored.value
    if not math.isfinite(entry.error):
        return False
    gap = abs(entry.value - stored.value)
    allowed = stored.uncertainty + min(entry.error, stored.uncertainty)
    return gap <= allowed and entry.error <= _SLACK * stored.uncertainty


def settled(entries: Sequence[Entry], stored: Mapping[tuple[str, ...], Measured]) -> list[Entry]:
    """Return the entries with stored digits where these agree, or where nothing was computed.

    Two processors differ in the last bit, and a number that lies on the edge between two last
    digits would then be printed differently. What is right stays as it is. What one machine cannot
    compute stays too; its entry still says why it failed.
    """
    return [_settled(entry, stored.get(entry.key)) for entry in entries]


def _settled(entry: Entry, stored: Measured | None) -> Entry:
    if stored is None:
        return entry
    if entry.failure:
        value, error = stored.value, stored.uncertainty
        return dataclasses.replace(entry, value=value, error=error, shown=stored)
    return dataclasses.replace(entry, shown=stored) if agrees(entry, stored) else entry
