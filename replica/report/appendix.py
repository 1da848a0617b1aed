"""The appendix of a paper in one folder: derivation, tables, figure, citations, provenance."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from replica.errors import TableError
from replica.registry import load
from replica.report.bibliography import Citation, cited
from replica.report.environment import environment
from replica.report.labels import name_label
from replica.report.regression.compute import compute, load_from
from replica.report.regression.declaration import Figure, TableFile, read_tables
from replica.report.regression.find import FOLDER, declared_for
from replica.report.regression.render import latex as latex_tables, latex_text
from replica.report.regression.storage import csv_text
from replica.report.table import to_csv
from replica.scan import converged, parameter_name, scan
from replica.scan.dataset import latex_name

if TYPE_CHECKING:
    from replica.model import FunctionalModel, Model

    AnyModel = Model | FunctionalModel

# The parameter along which a figure runs, if nothing is declared: a load, else what comes first.
_LOADS = ("alpha", "lam", "T")


@dataclass(frozen=True)
class _Part:
    """Files of a part of the report by name, and the commands that make it."""

    files: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[str] = ()


def write_report(name: str, folder: str | Path, tables: Sequence[str | Path] = ()) -> list[Path]:
    """Write all that a paper's appendix says about a model, as LaTeX that compiles.

    Parameters
    ----------
    name : str
        A built-in model, or the path of a file that declares one.
    folder : str or Path
        Where to write; made where it is missing.
    tables : sequence of str or Path
        Files of tables and figures of the user's own, beside those of the source tree.

    Returns
    -------
    list of Path
        ``main.tex`` with ``derivation.tex``, ``tables.tex``, the bibliography as ``references.bib``
        and ready-made as ``main.bbl``, ``figure.pdf``, and the numbers as ``tables.csv`` and
        ``figure.csv``; no figure where none of its points is certified. ``pdflatex main``, twice,
        makes the document.

    Raises
    ------
    ModelNotFoundError
        If there is no such model.
    TableError
        If a file of tables is malformed, or the folder cannot be written.
    """
    from replica.report.plot import save

    model, folder = load(name), Path(folder)
    declared = [_Declared(read_tables(path), model.name) for path in tables]
    declared += [_Declared(file, model.name) for file in declared_for(name)]
    values = _tables(declared)
    chosen = next((figure for part in declared for figure in part.figures), None)
    figure = chosen or _default_figure(model, name)
    ax, data = _drawn(model, figure)
    drawn = bool(converged(data).any())  # a model without a scale has no points, only limits
    references = cited(model)
    options = [word for path in tables for word in ("--table", str(path))]
    commands = [shlex.join(["replica", "report", name, *options, "-o", str(folder)])]
    commands += [f"replica derive --latex {shlex.quote(name)}", *values.commands]
    commands += [_figure_command(model, name, figure)] if drawn else []
    files = {
        "derivation.tex": _derivation(model),
        **values.files,
        "references.bib": "\n\n".join(entry.bibtex for entry in references) + "\n",
        "main.bbl": _bibliography(references),
        "main.tex": _main(
            model,
            references,
            commands,
            values,
            _figure_section(model, figure, data) if drawn else [],
        ),
    }
    files |= {"figure.csv": to_csv(data)} if drawn else {}
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
            written.append(folder / file)
    except OSError as error:
        raise TableError(f"Cannot write {str(folder)!r}: {error.strerror or error}.") from error
    return [*written, save(ax, folder / "figure.pdf")] if drawn else written


# -- parts ---------------------------------------------------------------------------------------


def _derivation(model: AnyModel) -> str:
    """Return the equations, each with one number."""
    text = model.saddle_point().latex()
    return text.replace(" \\\\\n  &\\quad", " \\notag \\\\\n  &\\quad")


class _Declared:
    """What a file of tables holds about one model."""

    def __init__(self, file: TableFile, name: str) -> None:
        own = {m for m in file.models if load_from(file.path.parent, m).name == name}
        self.file = file
        self.figures = [figure for figure in file.figures if figure.model in own]
        tables = [
            dataclasses.replace(table, rows=tuple(r for r in table.rows if r.model in own))
            for table in file.tables
        ]
        self.tables = dataclasses.replace(file, tables=tuple(t for t in tables if t.rows))


def _tables(declared: Sequence[_Declared]) -> _Part:
    blocks, numbers, commands = [], [], []
    for part in declared:
        if part.tables.tables:
            entries = compute(part.tables)
            blocks.append(latex_tables(part.tables, entries))
            numbers += entries
            path = part.file.path
            shown = path.stem if path.parent == FOLDER else str(path)
            commands.append(f"replica table --check {shlex.quote(shown)}")
    if not numbers:
        return _Part()
    # In an appendix a table stands where it is; in a paper LaTeX may move it.
    text = "\n".join(blocks).replace(r"\begin{table}[htbp]", r"\begin{table}[H]")
    return _Part({"tables.tex": text, "tables.csv": csv_text(numbers)}, commands)


def _default_figure(model: AnyModel, name: str) -> Figure:
    """Choose the first observable, along the first parameter that is a load."""
    names = [name for name in _LOADS if name in model.parameters] or list(model.parameters)
    if not names:
        raise TableError(f"Model {model.name!r} has no parameter along which to draw a figure.")
    x = names[0]
    parameter = model.parameters[x]
    low, high = parameter.domain
    size = abs(parameter.default) or 1.0
    begin, end = max(parameter.default - 0.8 * size, low), min(parameter.default + 2 * size, high)
    system = model.compile()
    quantity = next(iter(model.observables), system.unknowns[0])
    # The ends of a domain may be open, and are limits in any case.
    inset = 1e-3 * (end - begin)
    return Figure(name, quantity, x, (begin + inset, end - inset), points=60)


def _drawn(model: AnyModel, figure: Figure) -> tuple[Any, Any]:
    from replica.report.plot import curve

    spaced = np.geomspace if figure.scale == "log" else np.linspace
    x = parameter_name(model, figure.x)
    axes: dict[str, Any] = {parameter_name(model, k): list(v) for k, v in figure.hue.items()}
    axes[x] = spaced(*figure.range, figure.points)
    ds = scan(model, axes, figure.parameters, start=figure.start, progress=False)
    hue = next((name for name in axes if name != x and len(axes[name]) > 1), None)
    ax = curve(ds, x, figure.quantity, hue=hue)
    ax.set_xscale(figure.scale)
    return ax, ds


def _figure_command(model: AnyModel, name: str, figure: Figure) -> str:
    low, high = figure.range
    words = [f"{key}={','.join(f'{v:g}' for v in values)}" for key, values in figure.hue.items()]
    log = ":log" if figure.scale == "log" else ""
    words.append(f"{figure.x}={low:g}:{high:g}:{figure.points}{log}")
    words += [f"{key}={value:g}" for key, value in figure.parameters.items()]
    command = ["replica", "plot", name, *words, "-q", figure.quantity, "-x", figure.x]
    if isinstance(figure.start, str):
        command += ["--start", figure.start]
    command += ["--log-x"] if log else []
    return shlex.join([*command, "-o", "figure.pdf"])


def _bibliography(references: Sequence[Citation]) -> str:
    items = [f"\\bibitem{{{entry.key}}} {entry.text}" for entry in references]
    return "\n\n".join([r"\begin{thebibliography}{99}", *items, r"\end{thebibliography}"]) + "\n"


def _main(
    model: AnyModel,
    references: Sequence[Citation],
    commands: Sequence[str],
    tables: _Part,
    figure: Sequence[str],
) -> str:
    saddle = model.saddle_point()
    own = [entry.key for entry in references if entry.of == model.reference]
    keys = {entry.of: entry.key for entry in references}
    libraries = ",".join(entry.key for entry in references if entry.of == "libraries")
    title = latex_text(model.title or model.name)
    about = rf"\texttt{{{latex_text(model.name)}}}" + (rf"~\cite{{{','.join(own)}}}" if own else "")
    stability = (
        rf", with the stability of Ref.~\cite{{{keys['replicon']}}}" if "replicon" in keys else ""
    )
    rows = [rf"{latex_text(k)} & {latex_text(v)} \\" for k, v in environment().items()]
    part = [r"\section{Reference values}", r"\input{tables}"] if tables.files else []
    return "\n".join(
        [
            r"% pdflatex main, twice; main.bbl may be made anew by bibtex from references.bib",
            r"\documentclass[11pt,a4paper]{article}",
            r"\usepackage[utf8]{inputenc}",
            r"\usepackage[margin=2.2cm]{geometry}",
            r"\usepackage{amsmath,amssymb,booktabs,float,graphicx,siunitx}",
            r"\allowdisplaybreaks",
            r"\emergencystretch=3em",
            r"\setlength{\belowcaptionskip}{4pt}",
            r"\begin{document}",
            rf"\section*{{Appendix: {title}}}",
            r"\appendix",
            r"\section{Equations}",
            f"The model {about}, in the {latex_text(saddle.ansatz)} ansatz~"
            rf"\cite{{{keys['method']}}}{stability}.",
            r"\begingroup\small",
            r"\input{derivation}",
            r"\endgroup",
            *part,
            *figure,
            r"\section{How it was computed}",
            rf"Derived, compiled and solved by \texttt{{replica}}~\cite{{{keys['software']}}}, "
            rf"which stands on Refs.~\cite{{{libraries}}}:",
            r"\begingroup\footnotesize",
            r"\begin{verbatim}",
            *(_wrapped(command) for command in commands),
            r"\end{verbatim}",
            r"\endgroup",
            r"\begin{center}\small",
            r"\begin{tabular}{ll}",
            r"\toprule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{center}",
            r"\bibliographystyle{unsrt}",
            r"\bibliography{references}",
            r"\end{document}",
            "",
        ]
    )


def _figure_section(model: AnyModel, figure: Figure, ds: Any) -> list[str]:
    return [
        r"\section{Figure}",
        r"\begin{figure}[H]",
        r"\centering",
        r"\includegraphics{figure}",
        rf"\caption{{{_caption(model, figure)} {_certified(ds)}, "
        r"the numbers are in \texttt{figure.csv}.}",
        r"\end{figure}",
    ]


def _caption(model: AnyModel, figure: Figure) -> str:
    """Return what the figure shows."""
    name = name_label(figure.quantity, latex_name(figure.quantity))
    name = name if name.startswith("$") else name[0].upper() + name[1:]
    x = parameter_name(model, figure.x)
    values = ", ".join(f"${_symbol(model, k)} = {v:g}$" for k, v in _fixed(model, figure).items())
    text = f"{name} against ${_symbol(model, x)}$"
    return latex_text(f"{text} at {values}." if values else f"{text}.")


def _certified(ds: Any) -> str:
    """Say how many points of the figure are certified."""
    good = converged(ds)
    if good.all():
        return "Every point is certified"
    return f"{int(good.sum())} of {good.size} points are certified, the others hollow"


def _fixed(model: AnyModel, figure: Figure) -> dict[str, float]:
    """Return the parameters that all points of a figure share."""
    varied = {parameter_name(model, name) for name in (figure.x, *figure.hue)}
    given = {parameter_name(model, name): value for name, value in figure.parameters.items()}
    return {
        name: given.get(name, parameter.default)
        for name, parameter in model.parameters.items()
        if name not in varied
    }


def _symbol(model: AnyModel, name: str) -> str:
    return latex_name(model.parameters[name].symbol_name)


def _wrapped(command: str, width: int = 88) -> str:
    """Break a long command as a shell allows."""
    lines, line = [], ""
    for word in command.split(" "):
        if line and len(line) + len(word) > width:
            lines.append(f"{line} \\")
            line = f"    {word}"
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])
