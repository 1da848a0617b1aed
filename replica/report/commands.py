"""The sub-commands of the last stage: tables that are checked, and the appendix of a paper."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click


@click.command()
@click.argument("targets", nargs=-1, metavar="[MODEL|TABLE|FILE.toml]...")
@click.option("--check", "checking", is_flag=True, help="Recompute, compare, write nothing.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Folder [beside the declaration]."
)
@click.option("--quiet", is_flag=True, help="Show no progress bar.")
def table(targets: tuple[str, ...], checking: bool, out: Path | None, quiet: bool) -> None:
    """Make the regression tables of models: CSV, Markdown and LaTeX.

    Without a name, all of the source tree. The exit code is 1 where a number differs from its
    reference or, with --check, from what is stored.
    """
    from tqdm.auto import tqdm

    from replica.report import regression

    if checking and out is not None:
        raise click.UsageError("--check compares with the stored tables and writes nothing.")
    files = list(dict.fromkeys(p for target in targets for p in regression.tables_of(target)))
    passed, written = True, list[Path]()
    for path in files or regression.all_tables():
        rows = sum(len(part.rows) for part in regression.read_tables(path).tables)
        with tqdm(
            total=rows, unit="row", desc=path.stem, disable=quiet or None, leave=False
        ) as bar:
            if checking:
                report = regression.check(path, bar.update)
            else:
                report, written = regression.generate(path, out, bar.update)
        click.echo(str(report))
        if written:
            click.echo(f"  written to {', '.join(map(os.path.relpath, written))}")
        passed = passed and report.passed
    if not passed:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("model")
@click.option("--table", "tables", multiple=True, help="File of tables of your own; repeatable.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder [out/MODEL].")
def report(model: str, tables: tuple[str, ...], out: Path | None) -> None:
    """Write a paper's appendix about a model: equations, tables, figure, citations, versions.

    The folder holds main.tex, which pdflatex compiles.
    """
    from replica.report.appendix import write_report

    folder = out or Path("out", Path(model.partition(":")[0]).stem)
    files = write_report(model, folder, tables)
    click.echo(f"Written to {os.path.relpath(folder)}: {', '.join(file.name for file in files)}.")


@click.command()
@click.argument("model")
def cite(model: str) -> None:
    """Print the BibTeX of what a model's results stand on."""
    import replica
    from replica.report import citations

    click.echo(citations(replica.load(model)), nl=False)


COMMANDS: Sequence[click.Command] = (table, report, cite)
