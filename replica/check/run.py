"""All checks of a model at one point."""

from __future__ import annotations

import logging
import time
from typing import Any

from replica.check.gradient import check_gradient
from replica.check.independent import check_independent
from replica.check.items import (
    check_backends,
    check_bounds,
    check_digits,
    check_nishimori,
    check_quadrature,
    check_solution,
    check_zero_temperature,
)
from replica.check.report import CheckItem, CheckReport, NotApplicable
from replica.check.subject import Subject
from replica.compile.settings import SolverSettings
from replica.errors import ParameterError
from replica.progress import OutOfTime, bar_disabled, time_limit
from replica.solve.point import parameter_values

#: Time that one check may take by default.
SECONDS = 60.0
logger = logging.getLogger(__name__)
CHECKS = {
    "solution": check_solution,
    "gradient": check_gradient,
    "independent": check_independent,
    "Nishimori identities": check_nishimori,
    "zero-temperature limit": check_zero_temperature,
    "physical bounds": check_bounds,
    "quadrature doubled": check_quadrature,
    "C against NumPy": check_backends,
    "mpmath": check_digits,
}


def check(
    model: Any,
    settings: SolverSettings | None = None,
    seconds: float = SECONDS,
    progress: bool = True,
    **parameters: float,
) -> CheckReport:
    """Verify a declared model against itself.

    Parameters
    ----------
    model : Model or FunctionalModel
    settings : SolverSettings, optional
    seconds : float
        Time that one check may take; then it is skipped, and the report says so.
    progress : bool
        Whether to show a progress bar (never in a log file or under continuous integration).
    **parameters : float
        Values of the model's parameters; the others keep their default.

    Returns
    -------
    CheckReport

    Raises
    ------
    ParameterError, DerivationError
    """
    saddle = model.saddle_point()
    subject = Subject(
        model=model,
        values=parameter_values(saddle.parameters, parameters),
        saddle=saddle,
        full=model.saddle_point(reduce=False) if saddle.bayes_optimal else saddle,
        settings=settings or SolverSettings(),
    )
    if not seconds > 0:
        raise ParameterError(f"check: expected a positive number of seconds, got {seconds!r}.")
    return run(subject, seconds, progress)


def run(subject: Subject, seconds: float = SECONDS, progress: bool = False) -> CheckReport:
    """Run all checks on a subject."""
    from tqdm.auto import tqdm

    items: list[CheckItem] = []
    skipped: dict[str, str] = {}
    with tqdm(total=len(CHECKS), unit="check", disable=bar_disabled(progress)) as bar:
        for name, function in CHECKS.items():
            bar.set_description(name)
            begin = time.perf_counter()
            try:
                with time_limit(seconds):
                    items += function(subject)
            except NotApplicable as reason:
                skipped[name] = str(reason)
            except OutOfTime:
                skipped[name] = _too_long(subject, seconds)
            logger.info("%s: %.2f s", name, time.perf_counter() - begin)
            bar.update()
    return CheckReport(subject.model.name, dict(subject.values), tuple(items), skipped)


def _too_long(subject: Subject, seconds: float) -> str:
    why = ", as averages within averages do" if subject.nested else ""
    return f"NOT CHECKED: it takes more than {seconds:g} s{why}; give it more (seconds=)"
