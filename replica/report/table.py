"""Tables of scans: CSV for programs, Markdown and LaTeX for readers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from replica.errors import ScanError
from replica.report.labels import label, name_label
from replica.scan import to_frame
from replica.scan.dataset import DIAGNOSTICS, latex_name

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    Data: TypeAlias = "xr.Dataset | pd.DataFrame"

_SPECIAL = {character: f"\\{character}" for character in "#$%&_{}"}


def to_csv(
    data: Data, path: str | Path | None = None, *, columns: Sequence[str] | None = None
) -> str:
    """Return a table as comma-separated values with all digits.

    Parameters
    ----------
    data : xarray.Dataset or pandas.DataFrame
        The result of a scan, or any table.
    path : str or Path, optional
        Where to write it too.
    columns : sequence of str, optional
        The columns to keep (default: all).

    Returns
    -------
    str
    """
    frame, _ = _frame(data)
    chosen = list(frame.columns) if columns is None else _checked(frame, columns)
    return _written(frame[chosen].to_csv(index=False), path)


def to_markdown(
    data: Data,
    path: str | Path | None = None,
    *,
    columns: Sequence[str] | None = None,
    digits: int = 6,
) -> str:
    """Return a table in Markdown; points that did not converge show a dash.

    Parameters
    ----------
    data : xarray.Dataset or pandas.DataFrame
        The result of a scan, or any table.
    path : str or Path, optional
        Where to write it too.
    columns : sequence of str, optional
        The columns to show (default: parameters, order parameters and outputs).
    digits : int, default 6
        The most significant digits to show; fewer where the certified error of a value (its
        column ``<name>_uncertainty``) allows fewer.

    Returns
    -------
    str
    """
    heads, rows = _cells(data, columns, digits, dash="–")
    lines = [heads, ["---:"] * len(heads), *rows]
    return _written("".join(f"| {' | '.join(line)} |\n" for line in lines), path)


def to_latex(
    data: Data,
    path: str | Path | None = None,
    *,
    columns: Sequence[str] | None = None,
    digits: int = 6,
    caption: str | None = None,
) -> str:
    """Return a table in LaTeX, for the package ``booktabs``.

    Parameters
    ----------
    data, path, columns, digits
        As for `to_markdown`.
    caption : str, optional
        In LaTeX; makes the tabular a floating table.

    Returns
    -------
    str
    """
    heads, rows = _cells(data, columns, digits, dash="--")
    heads = [head if head.startswith("$") else latex_escaped(head) for head in heads]
    lines = [
        rf"\begin{{tabular}}{{{'r' * len(heads)}}}",
        r"\toprule",
        rf"{' & '.join(heads)} \\",
        r"\midrule",
        *(rf"{' & '.join(map(_latex_cell, row))} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if caption is not None:
        float_start = [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}"]
        lines = [*float_start, *lines, r"\end{table}"]
    return _written("\n".join(lines) + "\n", path)


def format_value(value: float, error: float = math.nan, digits: int = 6) -> str:
    """Return a number with the digits that its error allows.

    Parameters
    ----------
    value : float
        The number.
    error : float, optional
        Its error; the last digit shown is larger than it.
    digits : int, default 6
        The most significant digits to show.

    Returns
    -------
    str
        Without exponent where the number is of ordinary size.

    Examples
    --------
    >>> format_value(0.123456789, 2e-4)
    '0.123'
    >>> format_value(0.123456789, 1e-12)
    '0.123457'
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    size = math.floor(math.log10(abs(value)))
    if error > 0 and math.isfinite(error):
        digits = max(1, min(digits, size - math.floor(math.log10(error))))
    if not -5 <= size < digits + 3:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(0, digits - 1 - size)}f}"


def _frame(data: Data) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return a table and the labels of its columns."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        names = [str(name) for name in data.columns]
        return data, {n: name_label(n, latex_name(n) if n.isidentifier() else None) for n in names}
    frame = to_frame(data)
    return frame, {name: label(data, name) for name in frame.columns}


def _checked(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    for name in columns:
        if name not in frame.columns:
            known = ", ".join(map(str, frame.columns))
            raise ScanError(f"There is no column {name!r}; there are {known}.")
    return list(columns)


def _cells(
    data: Data, columns: Sequence[str] | None, digits: int, dash: str
) -> tuple[list[str], list[list[str]]]:
    import pandas as pd

    frame, labels = _frame(data)
    if columns is not None:
        chosen = _checked(frame, columns)
    elif isinstance(data, pd.DataFrame):
        chosen = list(frame.columns)
    else:
        # An uncertainty sets the digits of its value.
        chosen = [
            name
            for name in frame.columns
            if name not in DIAGNOSTICS and not name.endswith("_uncertainty")
        ]
    exact = {name for name in chosen if _is_exact(data, frame, name, digits)}
    rows = [
        [
            dash if _uncertain(row, name, exact) else _cell(row, name, exact, digits)
            for name in chosen
        ]
        for row in frame.to_dict("records")
    ]
    return [labels[name] for name in chosen], rows


def _is_exact(data: Data, frame: pd.DataFrame, name: str, digits: int) -> bool:
    """Whether a column holds chosen numbers, as they are, rather than computed ones."""
    import pandas as pd

    if not isinstance(data, pd.DataFrame):
        return name in data.dims
    if not pd.api.types.is_numeric_dtype(frame[name]):
        return False
    return all(float(f"{value:.{digits}g}") == value for value in frame[name])


def _uncertain(row: dict[Any, Any], name: str, exact: set[str]) -> bool:
    known = name in exact or name in DIAGNOSTICS
    return not known and row.get("status", "converged") != "converged"


def _cell(row: dict[Any, Any], name: str, exact: set[str], digits: int) -> str:
    value = row[name]
    if isinstance(value, str):
        return value
    if name in exact:
        return f"{value:.12g}"
    return format_value(float(value), float(row.get(f"{name}_uncertainty", math.nan)), digits)


def _latex_cell(cell: str) -> str:
    mantissa, separator, exponent = cell.partition("e")
    if separator and exponent.lstrip("+-").isdigit():
        return rf"${mantissa} \times 10^{{{int(exponent)}}}$"
    return f"${cell}$" if cell.startswith("-") and cell != "--" else latex_escaped(cell)


def latex_escaped(text: str) -> str:
    """Return a text with LaTeX's special characters escaped."""
    return "".join(_SPECIAL.get(character, character) for character in text)


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
    return text
