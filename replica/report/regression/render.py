"""Regression tables for readers: Markdown, and LaTeX for ``booktabs`` and ``siunitx``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from replica.report.labels import name_label
from replica.report.regression.compute import Entry
from replica.report.regression.declaration import Table, TableFile
from replica.report.table import latex_escaped
from replica.scan.dataset import latex_name

# Characters of the widest row that fits on a page in small type, and rows of the longest table.
_WIDTH = 92
_LENGTH = 40
_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:\((\d+)\))?(?:e(-?)(\d+))?")


@dataclass(frozen=True)
class Grid:
    """Cells of one table: heads that name a row, heads of its numbers, and the lines below."""

    title: str
    note: str
    left: tuple[str, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    sources: tuple[str, ...]


def markdown(file: TableFile, entries: Sequence[Entry]) -> str:
    """Return all tables of a file in Markdown."""
    lines = [f"# {file.title}", ""]
    for grid in _grids(file, entries):
        lines += [f"## {grid.title}", ""]
        heads = [*grid.left, *grid.heads]
        lines += [_pipes(heads), _pipes(["---:"] * len(heads))]
        lines += [_pipes([*left, *cells]) for left, cells in grid.rows]
        lines += [""] + [f"{text}\n" for text in (grid.note, *grid.sources) if text]
    return "\n".join(lines).rstrip("\n") + "\n"


def latex(file: TableFile, entries: Sequence[Entry], models: Iterable[str] | None = None) -> str:
    """Return the tables of a file in LaTeX, for ``booktabs`` and ``siunitx``.

    Parameters
    ----------
    file : TableFile
    entries : sequence of Entry
    models : iterable of str, optional
        Only the rows of these models.
    """
    chosen = None if models is None else set(models)
    kept = [entry for entry in entries if chosen is None or entry.model in chosen]
    return "\n".join(
        _latex_table(grid, part, rows, last)
        for grid in _grids(file, kept)
        for part, rows, last in _pages(grid)
    )


def _grids(file: TableFile, entries: Sequence[Entry]) -> list[Grid]:
    grids = []
    for table in file.tables:
        own = [entry for entry in entries if entry.table == table.title]
        if own:
            grids.append(_grid(table, own))
    return grids


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
    return "–" if entry.failure else str(entry.shown)


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


# -- Markdown and LaTeX --------------------------------------------------------------------------


def _pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _pages(
    grid: Grid,
) -> Iterable[tuple[slice, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...], bool]]:
    """Divide a table into columns that fit on a page, and those into rows that do."""
    widths = [max(len(_shortest(head)), *(len(r[1][i]) for r in grid.rows)) + 3
              for i, head in enumerate(grid.heads)]  # fmt: skip
    left = sum(
        max(len(_shortest(head)), *(len(r[0][i]) for r in grid.rows)) + 3
        for i, head in enumerate(grid.left)
    )
    parts, begin = [], 0
    for i in range(1, len(widths) + 1):
        if i == len(widths) or left + sum(widths[begin : i + 1]) > _WIDTH:
            parts.append(slice(begin, i))
            begin = i
    chunks = [grid.rows[i : i + _LENGTH] for i in range(0, len(grid.rows), _LENGTH)]
    pages = [(part, chunk) for part in parts for chunk in chunks]
    for i, (part, chunk) in enumerate(pages):
        yield part, chunk, i == len(pages) - 1


def _shortest(head: str) -> str:
    return re.sub(r"\\[a-z]+|[{}$]", "", head) or "x"


def _latex_table(
    grid: Grid, part: slice, rows: Sequence[tuple[tuple[str, ...], tuple[str, ...]]], last: bool
) -> str:
    columns = [*zip(*(left for left, _ in rows), strict=True)] if grid.left else []
    columns += [*zip(*(cells[part] for _, cells in rows), strict=True)]
    heads = [*grid.left, *grid.heads[part]]
    body = zip(*(_latex_column(column) for column in columns), strict=True)
    caption = f"{grid.title}. {grid.note}".strip()
    lines = [
        r"\begin{table}[htbp]",
        r"\centering\small",
        rf"\caption{{{latex_text(caption)}}}",
        rf"\begin{{tabular}}{{{''.join(_latex_format(column) for column in columns)}}}",
        r"\toprule",
        " & ".join(f"{{{latex_text(head)}}}" for head in heads) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in body),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if last and grid.sources:
        lines += [r"\par\smallskip\begin{minipage}{0.95\linewidth}\footnotesize"]
        lines += [" \\\\\n".join(latex_text(source) for source in grid.sources)]
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


def _label(name: str) -> str:
    return name_label(name, latex_name(name))


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"
