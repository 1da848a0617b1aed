"""What sub-commands share: options, exit codes, and their words as values of the library."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import replica
from replica.arguments import parse_values
from replica.errors import ScanError
from replica.report.text import plain

if TYPE_CHECKING:
    from replica import FunctionalModel, Model

    Command = TypeVar("Command", bound=Callable[..., Any])

#: Exit codes beside 0: the run is fine and its result is not; the request is wrong; Ctrl-C.
NOT_GOOD, MISTAKE, INTERRUPTED = 1, 2, 130
#: Options that are numbers of the solver's settings.
SOLVER_NUMBERS = (
    "tolerance", "certified_tolerance", "damping", "max_evaluations", "samples", "seed",
)  # fmt: skip

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def solver_options(command: Command) -> Command:
    """Add the options of a solve to a command."""
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
        click.option("--samples", type=int, help="Points of a sampled average."),
        click.option("--seed", type=int, help="Seed of these vectors."),
        click.option("--backend", help="Back end: c or numpy."),
    ):
        command = option(command)
    return command


def by_python_name(model: Model | FunctionalModel, values: Mapping[str, float]) -> dict[str, float]:
    """Return values by the Python names of their parameters."""
    from replica.scan import parameter_name

    named = {parameter_name(model, name): value for name, value in values.items()}
    if len(named) < len(values):
        raise click.UsageError("A parameter is given twice, by its name and by its symbol.")
    return named


def starts_of(words: tuple[str, ...]) -> str | dict[str, float] | list[Any] | None:
    """Return the starts of a scan: words, and values of order parameters, which are one start."""
    named = [word for word in words if "=" not in word]
    values = parse_values(tuple(word for word in words if "=" in word))
    starts: list[Any] = [*named, *([values] if values else [])]
    return starts if len(starts) > 1 else starts[0] if starts else None


def start_of(words: tuple[str, ...]) -> str | dict[str, float] | None:
    """Return the start of one solve: a word, or values of order parameters."""
    if len(words) == 1 and "=" not in words[0]:
        return words[0]
    return parse_values(words) or None


def starts_of_phases(words: tuple[str, ...]) -> str | dict[str, float] | list[Any] | None:
    """Return the starts of the two phases of a transition, each a word or values.

    Words and values are phases of their own, and so are two values of one order parameter; values
    of different ones belong to one phase.
    """
    phases: list[Any] = []
    for word in words:
        if "=" not in word:
            phases.append(word)
            continue
        value = parse_values((word,))
        last = phases[-1] if phases and isinstance(phases[-1], dict) else None
        if last is None or set(value) <= set(last):
            phases.append(value)
        else:
            last.update(value)
    return phases if len(phases) > 1 else phases[0] if phases else None


def settings_of(model: Any, numbers: Mapping[str, float | None]) -> Any:
    """Return the settings of a model that options give, None where there are none."""
    given: dict[str, Any] = {name: value for name, value in numbers.items() if value is not None}
    kind: Any = getattr(model, "settings_type", replica.SolverSettings)
    for name in given:
        if name not in kind.__dataclass_fields__:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} has no meaning for the model {model.name!r}.")
    return kind(**given) if given or kind is not replica.SolverSettings else None


def write(path: Path, write: Callable[[], Any]) -> None:
    """Write a file into a folder that is made; what fails is an error of one sentence."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write()
    except (OSError, ValueError) as error:  # matplotlib names an unknown format by ValueError
        reason = getattr(error, "strerror", None) or error
        raise ScanError(f"Cannot write {str(path)!r}: {reason}.") from error


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))
