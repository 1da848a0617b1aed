"""The command ``replica``: the Python interface, a sub-command a stage.

Only click is imported here, and the stages when a command needs them, so that help is instant.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shlex
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

import replica
from replica.arguments import parse_grid, parse_limits, parse_values
from replica.errors import ReplicaError, ScanError
from replica.report.commands import COMMANDS
from replica.report.text import model_record, model_text, plain

if TYPE_CHECKING:
    import xarray as xr

    from replica import FunctionalModel, Model

    Command = TypeVar("Command", bound=Callable[..., Any])

# Exit codes beside 0: the run is fine and its result is not; the request is wrong; Ctrl-C.
_NOT_GOOD, _MISTAKE, _INTERRUPTED = 1, 2, 130

# Longer tables are no use as text, and take longer to write than to solve.
_POINTS_IN_CSV = 100_000
_FAILURES_SHOWN = 5
_SOLVER_NUMBERS = (
    "tolerance", "certified_tolerance", "damping", "max_evaluations", "samples", "seed",
)  # fmt: skip

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
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
        code = _INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has enough; Python would complain once more at exit.
        sys.stdout = None
        code = 0
    sys.exit(code or 0)


def _complain(message: str) -> int:
    click.echo(f"Error: {message}", err=True)
    return _MISTAKE


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
@_json_option
def list_models(as_json: bool) -> None:
    """List the built-in models."""
    from replica.registry import built_in_models

    models = built_in_models()
    if as_json:
        _print_json(
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
@_json_option
@_latex_option
def show(model: str, as_json: bool, as_latex: bool) -> None:
    """Show what a model declares: parameters, observables, source."""
    loaded = replica.load(model)
    if as_latex:
        click.echo(loaded._repr_latex_())
        return
    if as_json:
        _print_json(model_record(loaded))
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
        _write(out, lambda: out.write_text(text + "\n", encoding="utf-8"))


@commands.command()
@click.argument("model")
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@click.option(
    "--seconds", default=60.0, show_default=True, help="Time of one check before it is skipped."
)
@click.option("--quiet", is_flag=True, help="Show no progress bar.")
@_json_option
def check(
    model: str, parameters: tuple[str, ...], seconds: float, quiet: bool, as_json: bool
) -> None:
    """Verify a model: gradient, identities, limits, bounds, quadrature, back ends.

    The exit code is 1 where a check fails.
    """
    values = parse_values(parameters)
    loaded = replica.load(model)
    named: dict[str, Any] = dict(_by_python_name(loaded, values))
    report = loaded.check(seconds=seconds, progress=not quiet, **named)
    if as_json:
        _print_json(report.to_dict())
    else:
        click.echo(str(report))
    if not report.passed:
        raise click.exceptions.Exit(_NOT_GOOD)


def _solver_options(command: Command) -> Command:
    for option in (
        click.option(
            "--start",
            multiple=True,
            metavar="WORD|NAME=VALUE",
            help="uninformed, informed, or the value of an order parameter (repeatable).",
        ),
        click.option("--tolerance", type=float, help="Residual at which the iteration stops."),
        click.option("--certified-tolerance", type=float, help="Error that a solution may have."),
        click.option("--damping", type=float, help="Share of the old value that a step keeps."),
        click.option("--max-evaluations", type=int, help="Evaluations before giving up."),
        click.option("--samples", type=int, help="Gaussian vectors of a sampled average."),
        click.option("--seed", type=int, help="Seed of these vectors."),
        click.option("--backend", help="Back end: c or numpy."),
    ):
        command = option(command)
    return command


@commands.command()
@click.argument("model")
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@_json_option
@_solver_options
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
    named = _by_python_name(loaded, values)
    solution = loaded.solve(
        start=_start(start),
        settings=_settings(loaded, numbers),
        backend=backend,
        throw=False,
        **named,
    )
    if as_json:
        _print_json(solution.to_dict())
    else:
        click.echo(str(solution))
    if solution.status is not replica.Status.CONVERGED:
        click.echo(f"Not certified: {solution.status.value}", err=True)
        raise click.exceptions.Exit(_NOT_GOOD)


def _scan_options(command: Command) -> Command:
    for option in (
        click.option("-n", "--jobs", default=-1, show_default="all cores", help="Workers."),
        click.option("--warm-axis", help="Axis along which solutions are followed [the last]."),
        click.option("--cold", is_flag=True, help="Start every point like a single solve."),
        click.option("--quiet", is_flag=True, help="Show no progress bar."),
    ):
        command = option(command)
    return _solver_options(command)


@commands.command()
@click.argument("model")
@click.argument("ranges", nargs=-1, required=True, metavar="NAME=START:STOP:COUNT[:log]...")
@click.option("-o", "--out", default="out/scan", show_default=True, help="Files to write, no end.")
@click.option("--observable", "observables", multiple=True, help="Keep this only; repeatable.")
@click.option(
    "--direction", type=click.Choice(["up", "down", "both"]), help="Way along the warm axis."
)
@click.option("--retry", is_flag=True, help="Try failed points again, more carefully.")
@click.option("--store", help="File of the finished blocks [OUT.sqlite].")
@click.option("--scheduler", help="Solve on a Dask cluster: address or file of its scheduler.")
@_json_option
@_scan_options
def scan(
    model: str,
    ranges: tuple[str, ...],
    out: str,
    store: str | None,
    scheduler: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Solve a model on a grid; writes OUT.nc and, up to 100,000 points, OUT.csv.

    Parameters are ranges (alpha=0.1:4:40, lambda=1e-3:10:20:log), lists (rho=0.2,0.5) or single
    values (Delta=1); those not named keep their default. Finished points are kept in OUT.sqlite:
    after an interruption the same command goes on there. Several starts, or both directions, give
    several branches.
    """
    from replica.scan import failures, failures_text, save, status_counts
    from replica.scan.pools import connect

    base = Path(out.removesuffix(".nc").removesuffix(".csv"))
    target = base.with_name(f"{base.name}.nc")
    command = shlex.join(["replica", *click.get_current_context().obj])
    options |= {"out": target, "store": store or base.with_name(f"{base.name}.sqlite")}
    with connect(scheduler) if scheduler else contextlib.nullcontext() as executor:
        ds = _scanned(model, ranges, executor=executor, command=command, **options)
    counts, files = status_counts(ds), [target]
    if sum(counts.values()) <= _POINTS_IN_CSV:
        files.append(save(ds, base.with_name(f"{base.name}.csv")))
    complete = bool(ds.attrs["complete"])
    if as_json:
        _print_json(
            {
                "points": sum(counts.values()),
                "status": counts,
                "files": [str(file) for file in files],
                "store": str(options["store"]),
                "complete": complete,
                "failures": failures(ds, _FAILURES_SHOWN).to_dict("records"),
            }
        )
    else:
        click.echo(f"{_summary(counts)}; written to {' and '.join(map(str, files))}.")
    if failed := failures_text(ds, _FAILURES_SHOWN):
        click.echo(failed, err=True)
    if not complete:
        raise click.exceptions.Exit(_INTERRUPTED)


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
@_json_option
@_solver_options
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
    one a phase [informed, uninformed]. The exit code is 1 where nothing is found or certified.
    """
    from replica.solve.tables import save

    values = parse_values(parameters)
    loaded = replica.load(model)
    options: dict[str, Any] = dict(_by_python_name(loaded, values))
    if along is not None:
        options["along"], options["over"] = parse_limits(along)
    if bracket is not None:
        options["bracket"] = parse_limits(f"bracket={bracket}")[1]
    two = len(start) == 2 and not any("=" in word for word in start)
    try:
        found = loaded.boundary(
            condition, parameter, start=start if two else _start(start), backend=backend,
            settings=_settings(loaded, numbers), **options,
        )  # fmt: skip
    except replica.ConvergenceError as error:
        click.echo(f"Not found: {error}", err=True)
        raise click.exceptions.Exit(_NOT_GOOD) from None
    if out is not None:
        _write(out, lambda: save(found, out))
    if as_json:
        _print_json(found.to_dict())
    else:
        click.echo(str(found))
    points: Sequence[Any] = getattr(found, "points", (found,))
    bad = sum(not point.converged for point in points)
    if bad:
        click.echo(f"Not certified: {bad} of {len(points)} points.", err=True)
        raise click.exceptions.Exit(_NOT_GOOD)


@commands.command()
@click.argument("target", metavar="MODEL|SCAN.nc")
@click.argument("ranges", nargs=-1, metavar="[NAME=START:STOP:COUNT[:log]]...")
@click.option("-q", "--quantity", required=True, help="The variable to show.")
@click.option("-x", help="Parameter along the horizontal axis [the first].")
@click.option("-y", help="Parameter along the vertical axis: draws the quantity as colours.")
@click.option("--hue", help="Parameter that distinguishes curves [the second].")
@click.option("--log-x", is_flag=True, help="Logarithmic horizontal axis.")
@click.option("--log-y", is_flag=True, help="Logarithmic vertical axis.")
@click.option("--points", help="CSV file of simulations, drawn as dots with error bars.")
@click.option("--line", "lines", multiple=True, help="CSV file of a transition line; repeatable.")
@click.option("-o", "--out", default="out/plot.pdf", show_default=True, help="Figure to write.")
@_scan_options
def plot(
    target: str,
    ranges: tuple[str, ...],
    quantity: str,
    x: str | None,
    y: str | None,
    hue: str | None,
    log_x: bool,
    log_y: bool,
    points: str | None,
    lines: tuple[str, ...],
    out: str,
    **options: Any,
) -> None:
    """Draw a quantity of a stored scan, or of a model scanned for it."""
    from replica.report.plot import save
    from replica.scan import read

    if not target.endswith(".nc"):
        ds = _scanned(target, ranges, **options)
    elif ranges:
        raise click.UsageError("A stored scan takes no ranges.")
    else:
        ds = read(target)
    if lines and y is None:
        raise click.UsageError("A line belongs into a phase diagram: choose its vertical axis, -y.")
    if points and y is not None:
        raise click.UsageError("Simulations are shown beside curves, not in a phase diagram.")
    tables = {Path(line).stem.replace("_", " "): _table(line) for line in lines}
    ax = _drawn(ds, quantity, x, y, hue, None if points is None else _table(points), tables)
    if log_x:
        ax.set_xscale("log")
    if log_y:
        ax.set_yscale("log")
    click.echo(f"Written to {save(ax, out)}.")


def _table(path: str) -> Any:
    import pandas as pd

    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ScanError(f"Cannot read a table from {path!r}: {reason}.") from error


def _drawn(
    ds: xr.Dataset,
    quantity: str,
    x: str | None,
    y: str | None,
    hue: str | None,
    points: Any = None,
    lines: Mapping[str, Any] | None = None,
) -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    from replica.report.plot import curve, phase_diagram

    named = {ds[d].attrs.get("symbol", d): str(d) for d in ds.dims}
    x, y, hue = (None if name is None else named.get(name, name) for name in (x, y, hue))
    free = [str(d) for d in ds.dims if ds.sizes[d] > 1 and d not in (x, y, hue, "branch")]
    if x is None:
        x = free.pop(0) if free else str(next(iter(ds.dims)))
    if y is not None:
        lines = {name: table.rename(columns=named) for name, table in (lines or {}).items()}
        return phase_diagram(ds, x, y, quantity, lines=lines)
    if hue is None and free:
        hue = free[0]
    points = None if points is None else points.rename(columns=named)
    return curve(ds, x, quantity, hue=hue, points=points)


def _scanned(
    model: str,
    ranges: tuple[str, ...],
    *,
    jobs: int,
    cold: bool,
    quiet: bool,
    start: tuple[str, ...],
    observables: tuple[str, ...] | None = None,
    **options: Any,
) -> xr.Dataset:
    from replica.scan import scan as run

    axes, fixed = parse_grid(ranges)
    numbers = {name: options.pop(name) for name in _SOLVER_NUMBERS}
    loaded = replica.load(model)
    return run(
        loaded,
        axes,
        fixed,
        observables=observables or None,
        settings=_settings(loaded, numbers),
        n_jobs=jobs,
        warm_start=not cold,
        progress=not quiet,
        start=_starts(start),
        **options,
    )


for command in COMMANDS:
    commands.add_command(command)


def _by_python_name(
    model: Model | FunctionalModel, values: Mapping[str, float]
) -> dict[str, float]:
    from replica.scan import parameter_name

    named = {parameter_name(model, name): value for name, value in values.items()}
    if len(named) < len(values):
        raise click.UsageError("A parameter is given twice, by its name and by its symbol.")
    return named


def _starts(words: tuple[str, ...]) -> str | dict[str, float] | list[Any] | None:
    """Return the starts of a scan: words, and values of order parameters, which are one start."""
    named = [word for word in words if "=" not in word]
    values = parse_values(tuple(word for word in words if "=" in word))
    starts: list[Any] = [*named, *([values] if values else [])]
    return starts if len(starts) > 1 else starts[0] if starts else None


def _start(words: tuple[str, ...]) -> str | dict[str, float] | None:
    if len(words) == 1 and "=" not in words[0]:
        return words[0]
    return parse_values(words) or None


def _settings(model: Any, numbers: Mapping[str, float | None]) -> Any:
    given: dict[str, Any] = {name: value for name, value in numbers.items() if value is not None}
    kind: Any = getattr(model, "settings_type", replica.SolverSettings)
    for name in given:
        if name not in kind.__dataclass_fields__:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} has no meaning for the model {model.name!r}.")
    return kind(**given) if given or kind is not replica.SolverSettings else None


def _summary(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    bad = [f"{count} {status}" for status, count in counts.items() if status != "converged"]
    text = f"{total} point{'s' if total != 1 else ''}"
    return f"{text}, {', '.join(bad)}" if bad else f"{text}, all converged"


def _write(path: Path, write: Callable[[], Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write()
    except (OSError, ValueError) as error:  # matplotlib names an unknown format by ValueError
        reason = getattr(error, "strerror", None) or error
        raise ScanError(f"Cannot write {str(path)!r}: {reason}.") from error


def _print_json(value: Any) -> None:
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))
