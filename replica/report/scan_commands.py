"""The sub-commands that solve a grid and draw it."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import replica
from replica.arguments import parse_grid
from replica.errors import ScanError
from replica.options import (
    INTERRUPTED,
    SOLVER_NUMBERS,
    json_option,
    print_json,
    settings_of,
    solver_options,
    starts_of,
)

if TYPE_CHECKING:
    import xarray as xr

    Command = TypeVar("Command", bound=Callable[..., Any])

# Longer tables are no use as text, and take longer to write than to solve.
_POINTS_IN_CSV = 100_000
_FAILURES_SHOWN = 5


def _scan_options(command: Command) -> Command:
    for option in (
        click.option("-n", "--jobs", default=-1, show_default="all cores", help="Workers."),
        click.option("--warm-axis", help="Axis along which solutions are followed [the last]."),
        click.option("--cold", is_flag=True, help="Start every point like a single solve."),
        click.option("--quiet", is_flag=True, help="Show no progress bar."),
    ):
        command = option(command)
    return solver_options(command)


@click.command()
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
@json_option
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
        print_json(
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
        raise click.exceptions.Exit(INTERRUPTED)


@click.command()
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
    numbers = {name: options.pop(name) for name in SOLVER_NUMBERS}
    loaded = replica.load(model)
    return run(
        loaded,
        axes,
        fixed,
        observables=observables or None,
        settings=settings_of(loaded, numbers),
        n_jobs=jobs,
        warm_start=not cold,
        progress=not quiet,
        start=starts_of(start),
        **options,
    )


def _summary(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    bad = [f"{count} {status}" for status, count in counts.items() if status != "converged"]
    text = f"{total} point{'s' if total != 1 else ''}"
    return f"{text}, {', '.join(bad)}" if bad else f"{text}, all converged"


SCAN_COMMANDS: Sequence[click.Command] = (scan, plot)
