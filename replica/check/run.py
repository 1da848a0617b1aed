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
from replica.solve.point import parameter_values

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


def check(model: Any, settings: SolverSettings | None = None, **parameters: float) -> CheckReport:
    """Verify a declared model against itself.

    Parameters
    ----------
    model : Model or FunctionalModel
    settings : SolverSettings, optional
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
    return run(subject)


def run(subject: Subject) -> CheckReport:
    """Run all checks on a subject."""
    items: list[CheckItem] = []
    skipped: dict[str, str] = {}
    for name, function in CHECKS.items():
        begin = time.perf_counter()
        try:
            items += function(subject)
        except NotApplicable as reason:
            skipped[name] = str(reason)
        logger.info("%s: %.2f s", name, time.perf_counter() - begin)
    return CheckReport(subject.model.name, dict(subject.values), tuple(items), skipped)
