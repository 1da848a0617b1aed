"""Regression tables for readers: Markdown, and LaTeX for ``booktabs`` and ``siunitx``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from replica.report.regression.compute import Entry
from replica.report.regression.declaration import TableFile
from replica.report.regression.grid import Grid, Line, grids
from replica.report.table import latex_escaped

# Characters of the widest row that fits on a page in small type, and rows of the longest table.
_WIDTH = 92
_LENGTH = 40
_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:\((\d+)\))?(?:e(-?)(\d+))?")


@dataclass(frozen=True)
class _Page:
    """Columns and rows of a table that fit on a page, and whether others come before or after."""

    columns: slice
    rows: tuple[Line, ...]
    first: bool
    last: bool


def markdown(file: TableFile, entries: Sequence[Entry]) -> str:
    """Return all tables of a file in Markdown."""
    lines = [f"# {file.title}", ""]
    for grid in grids(file, entries):
        lines += [f"## {grid.title}", ""]
        heads = [*grid.left, *grid.heads]
        lines += [_pipes(heads), _pipes(["---:"] * len(heads))]
        lines += [_pipes([*left, *cells]) for left, cells in grid.rows]
        lines += [""] + [f"{text}\n" for text in (grid.note, *grid.sources) if text]
    return "\n".join(lines).rstrip("\n") + "\n"


def latex(file: TableFile, entries: Sequence[Entry]) -> str:
    """Return all tables of a file in LaTeX, for ``booktabs`` and ``siunitx``."""
    return "\n".join(_latex_table(g, page) for g in grids(file, entries) for page in _pages(g))


# -- Markdown and LaTeX --------------------------------------------------------------------------


def _pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _pages(grid: Grid) -> Iterator[_Page]:
    """Divide a table into columns that fit on a page, and those into rows that do."""
    left = sum(_widest(grid.left, [left for left, _ in grid.rows]))
    widths = _widest(grid.heads, [cells for _, cells in grid.rows])
    count = math.ceil(sum(widths) / max(_WIDTH - left, max(widths)))
    each = math.ceil(len(widths) / count)
    parts = [slice(i, i + each) for i in range(0, len(widths), each)]
    chunks = [grid.rows[i : i + _LENGTH] for i in range(0, len(grid.rows), _LENGTH)]
    places = [(part, chunk) for part in parts for chunk in chunks]
    for i, (part, chunk) in enumerate(places):
        yield _Page(part, chunk, i == 0, i == len(places) - 1)


def _widest(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the characters of each column, with the space beside it."""
    return [
        max(len(_shortest(head)), *(len(row[i]) for row in rows)) + 3
        for i, head in enumerate(heads)
    ]


def _shortest(head: str) -> str:
    return re.sub(r"\\[a-z]+|[{}$]", "", head) or "x"


def _latex_table(grid: Grid, page: _Page) -> str:
    columns = [*zip(*(left for left, _ in page.rows), strict=True)] if grid.left else []
    columns += [*zip(*(cells[page.columns] for _, cells in page.rows), strict=True)]
    heads = [*grid.left, *grid.heads[page.columns]]
    body = zip(*(_latex_column(column) for column in columns), strict=True)
    caption = f"{grid.title}. {grid.note}" if page.first else f"{grid.title} (continued)."
    lines = [
        r"\begin{table}[htbp]",
        r"\centering\small",
        rf"\caption{{{latex_text(caption.strip())}}}",
        rf"\begin{{tabular}}{{{''.join(_latex_format(column) for column in columns)}}}",
        r"\toprule",
        " & ".join(f"{{{latex_text(head)}}}" for head in heads) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in body),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if page.last and grid.sources:
        lines += [r"\par\smallskip\begin{minipage}{0.95\linewidth}\footnotesize"]
        lines += ["\\par\n".join(latex_text(source) for source in grid.sources)]
        lines += [r"\end{minipage}"]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _numeric(column: Sequence[str]) -> bool:
    return any(_NUMBER.fullmatch(c) for c in column) and all(
        not c or c[0] in "–<" or _NUMBER.fullmatch(c) for c in column
    )


def _latex_column(column: Sequence[str]) -> list[str]:
    if _numeric(column):
        return [c if _NUMBER.fullmatch(c) else f"{{{latex_text(c)}}}" for c in column]
    return [latex_text(cell) for cell in column]


def _latex_format(column: Sequence[str]) -> str:
    """Return an ``S`` column as wide as its numbers, or ``l`` for words."""
    if not _numeric(column):
        return "l"
    found = [m.groups(default="") for cell in column if (m := _NUMBER.fullmatch(cell))]
    sign, whole, decimals, last, minus, power = (
        max((group[i] for group in found), key=len) for i in range(6)
    )
    text = f"{sign}{len(whole)}.{len(decimals)}"
    text += f"({len(last)})" if last else ""
    text += f"e{minus}{len(power)}" if power else ""
    return f"S[table-format={text}]"


def latex_text(text: str) -> str:
    """Return a text for LaTeX; what stands between dollar signs is mathematics already."""
    parts = text.split("$")
    shown = [f"${p}$" if i % 2 else _words(p) for i, p in enumerate(parts)]
    return "".join(shown)


def _words(text: str) -> str:
    return (
        latex_escaped(text).replace("–", "--").replace("<", "$<$").replace(">", "$>$")
        .replace("^", r"\textasciicircum{}").replace("~", r"\textasciitilde{}")
    )  # fmt: skip
