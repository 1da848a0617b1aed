"""The command ``replica``: the Python interface, a sub-command a stage.

Only click is imported here, and the stages when a command needs them, so that help is instant.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

import replica
from replica.arguments import parse_limits, parse_values
from replica.errors import ReplicaError
from replica.options import (
    INTERRUPTED,
    MISTAKE,
    NOT_GOOD,
    by_python_name,
    json_option,
    print_json,
    settings_of,
    solver_options,
    start_of,
    starts_of_phases,
    write,
)
from replica.report.commands import COMMANDS
from replica.report.scan_commands import SCAN_COMMANDS
from replica.report.text import model_record, model_text

_latex_option = click.option("--latex", "as_latex", is_flag=True, help="Print LaTeX.")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``replica`` (default: those of the process).
    """
    code: int | None
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            code = commands.main(
                None if arguments is None else list(arguments),
                prog_name="replica",
                standalone_mode=False,
                obj=sys.argv[1:] if arguments is None else arguments,  # for the record
            )
    except click.ClickException as error:
        code = _complain(error.format_message())
    except ReplicaError as error:
        code = _complain(str(error))
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has enough; Python would complain once more at exit.
        sys.stdout = None
        code = 0
    sys.exit(code or 0)


def _complain(message: str) -> int:
    click.echo(f"Error: {message}", err=True)
    return MISTAKE


def _warn(message: Warning | str, *_details: Any, **_more: Any) -> None:
    click.echo(f"Warning: {message}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(replica.__version__, prog_name="replica")
@click.option("-v", "--verbose", is_flag=True, help="Say what the stages do.")
def commands(verbose: bool) -> None:
    """Derive, solve and scan replica-method saddle-point equations.

    MODEL is the name of a built-in model ('replica list' shows them), or a Python file of your own
    that declares one (my_model.py), or one of several in it (my_model.py:name).
    """
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING,
        format="%(name)s: %(message)s",
        force=True,
    )
    if verbose:
        for noisy in ("matplotlib", "h5py", "h5netcdf", "PIL"):
            logging.getLogger(noisy).setLevel(logging.WARNING)


@commands.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List the built-in models."""
    from replica.registry import built_in_models

    models = built_in_models()
    if as_json:
        print_json(
            [
                {"name": name, "title": model.title, "reference": model.reference}
                for name, model in models.items()
            ]
        )
        return
    width = max(map(len, models), default=0)
    for name, model in models.items():
        click.echo(f"{name:{width}}  {model.title}")


@commands.command()
@click.argument("model")
@json_option
@_latex_option
def show(model: str, as_json: bool, as_latex: bool) -> None:
    """Show what a model declares: parameters, observables, source."""
    loaded = replica.load(model)
    if as_latex:
        click.echo(loaded._repr_latex_())
        return
    if as_json:
        print_json(model_record(loaded))
        return
    click.echo(model_text(loaded))


@commands.command()
@click.argument("model")
@_latex_option
@click.option("--unreduced", is_flag=True, help="Keep order parameters that a symmetry relates.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write to this file.")
def derive(model: str, as_latex: bool, unreduced: bool, out: Path | None) -> None:
    """Derive the free entropy and the saddle-point equations."""
    saddle = replica.load(model).saddle_point(reduce=not unreduced)
    text = saddle.latex() if as_latex else str(saddle)
    if out is None:
        click.echo(text)
    else:
        write(out, lambda: out.write_text(text + "\n", encoding="utf-8"))


@commands.command()
@click.argument("model")
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@click.option(
    "--seconds", default=60.0, show_default=True, help="Time of one check before it is skipped."
)
@click.option("--quiet", is_flag=True, help="Show no progress bar.")
@json_option
def check(
    model: str, parameters: tuple[str, ...], seconds: float, quiet: bool, as_json: bool
) -> None:
    """Verify a model: gradient, identities, limits, bounds, quadrature, back ends.

    The exit code is 1 where a check fails.
    """
    values = parse_values(parameters)
    loaded = replica.load(model)
    named: dict[str, Any] = dict(by_python_name(loaded, values))
    report = loaded.check(seconds=seconds, progress=not quiet, **named)
    if as_json:
        print_json(report.to_dict())
    else:
        click.echo(str(report))
    if not report.passed:
        raise click.exceptions.Exit(NOT_GOOD)


@commands.command()
@click.argument("model")
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@json_option
@solver_options
def solve(
    model: str,
    parameters: tuple[str, ...],
    as_json: bool,
    start: tuple[str, ...],
    backend: str | None,
    **numbers: float | None,
) -> None:
    """Solve a model at one point; the exit code is 1 where no solution is certified."""
    values = parse_values(parameters)
    loaded = replica.load(model)
    named = by_python_name(loaded, values)
    solution = loaded.solve(
        start=start_of(start),
        settings=settings_of(loaded, numbers),
        backend=backend,
        throw=False,
        **named,
    )
    if as_json:
        print_json(solution.to_dict())
    else:
        click.echo(str(solution))
    if solution.status is not replica.Status.CONVERGED:
        click.echo(f"Not certified: {solution.status.value}", err=True)
        raise click.exceptions.Exit(NOT_GOOD)


@commands.command()
@click.argument("model")
@click.argument("condition")
@click.argument("parameter")
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@click.option(
    "--along",
    metavar="NAME[=LOW:HIGH[:COUNT[:log]]]",
    help="Follow a line along this parameter; with COUNT, its points at that many values.",
)
@click.option("--bracket", metavar="LOW:HIGH", help="Where the critical value is searched for.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write to this .nc or .csv.")
@json_option
@solver_options
def boundary(
    model: str,
    condition: str,
    parameter: str,
    parameters: tuple[str, ...],
    along: str | None,
    bracket: str | None,
    out: Path | None,
    as_json: bool,
    start: tuple[str, ...],
    backend: str | None,
    **numbers: float | None,
) -> None:
    """Locate a transition: the critical value of PARAMETER, or a line along a second one.

    CONDITION is second-order, replicon (or at), spinodal, first-order, entropy, capacity, or
    NAME=VALUE of an observable or an order parameter. A first-order transition takes two --start,
    one a phase [informed, uninformed], such as --start informed --start m=0. The exit code is 1
    where nothing is found or certified.
    """
    from replica.solve.tables import save

    values = parse_values(parameters)
    loaded = replica.load(model)
    options: dict[str, Any] = dict(by_python_name(loaded, values))
    if along is not None:
        options["along"], options["over"] = parse_limits(along)
    if bracket is not None:
        options["bracket"] = parse_limits(f"bracket={bracket}")[1]
    try:
        found = loaded.boundary(
            condition, parameter, start=starts_of_phases(start), backend=backend,
            settings=settings_of(loaded, numbers), **options,
        )  # fmt: skip
    except replica.ConvergenceError as error:
        click.echo(f"Not found: {error}", err=True)
        raise click.exceptions.Exit(NOT_GOOD) from None
    if out is not None:
        write(out, lambda: save(found, out))
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(str(found))
    points: Sequence[Any] = getattr(found, "points", (found,))
    bad = sum(not point.good for point in points)
    if bad:
        click.echo(f"Not certified: {bad} of {len(points)} points.", err=True)
        raise click.exceptions.Exit(NOT_GOOD)


for command in (*SCAN_COMMANDS, *COMMANDS):
    commands.add_command(command)
