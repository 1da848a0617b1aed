"""The derived free entropy against one that is integrated from the declaration.

The other checks compare the derivation with itself: a factor lost from the free entropy before it
is differentiated passes them all. Here every piece is integrated as it is declared, at random
values of order parameters and conjugates, and the integrated functional must be stationary at the
solution.

Tolerances: the plain integrals reach eight digits or more, differences of them six; a dropped
constant, a factor or a mean shifts the result by percents.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from replica.check.declared import DeclaredFreeEntropy
from replica.check.free_entropy import FINE
from replica.check.report import CheckItem, NotApplicable, item
from replica.check.subject import Subject
from replica.solve.differences import CENTRAL, FORWARD, STEP

_VALUE, _SLOPE = 1e-6, 1e-5
_POINTS = 2
#: Reach of the random factors between conjugates and the values of their equations.
_REACH = 0.2


def check_independent(subject: Subject) -> Iterator[CheckItem]:
    """Compare the free entropy, and its stationarity, with the integrated declaration."""
    if subject.vector:
        raise NotApplicable("fields of several components are not integrated from the declaration")
    declared = DeclaredFreeEntropy(subject.declared_system, subject.parameters)
    yield _values(subject, declared)
    if not isinstance(subject.attempt, str) and subject.attempt.converged:
        yield _stationarity(subject, declared)


def _values(subject: Subject, declared: DeclaredFreeEntropy) -> CheckItem:
    system, random = subject.full_system, np.random.default_rng(subject.seed)
    conjugates = [str(s) for s, _ in subject.full.conjugates]
    worst, uncertain = 0.0, 0.0
    points = subject.points(system, _POINTS)
    for x in points:
        outputs = system.report(subject.params, x, False, FINE)
        point = dict(zip(system.outputs, map(float, outputs), strict=True))
        point = {name: point[name] for name in conjugates}
        point = {n: v * (1 + _REACH * random.uniform(-1, 1)) for n, v in point.items()}
        point |= dict(zip(system.unknowns, map(float, x), strict=True))
        value, error, size = declared(point)
        size = max(size, 1e-2)
        gap = abs(subject.free_entropy(point) - value) / size
        worst = gap if not gap <= worst else worst
        uncertain = max(uncertain, error / size)
    if uncertain > _VALUE:
        raise NotApplicable(f"the plain integrals reach only {uncertain:.0e} at this point")
    return item(
        "independent: free entropy", worst, _VALUE,
        "derived against integrated from the declaration, relative to the sum of its terms, at "
        f"{len(points)} random points, conjugates random too; integrals to {uncertain:.0e}",
    )  # fmt: skip


def _stationarity(subject: Subject, declared: DeclaredFreeEntropy) -> CheckItem:
    full, point = subject.full, subject.unreduced
    if not full.stationary:
        raise NotApplicable("the equations are not those of a functional")
    names = [str(s) for s in full.stationary]
    slopes = []
    for name, least in zip(names, subject.free_entropy.scales(point, names), strict=True):

        def value(x: float, name: str = name) -> float:
            moved = point | {name: x}
            return declared(moved | subject.constrained(moved))[0]

        slopes.append(_slope(value, point[name], float(least)))
    orders = {str(s) for s in full.order_parameters}
    units = {
        kind: max((abs(point[n]) for n in names if (n in orders) == kind), default=1.0)
        for kind in (True, False)
    }
    gaps = {
        name: abs(slope) / max(units[name not in orders], 1e-3)
        for name, slope in zip(names, slopes, strict=True)
    }
    worst = max(gaps, key=lambda name: gaps[name] if gaps[name] == gaps[name] else np.inf)
    return item(
        "independent: stationarity", gaps[worst], _SLOPE,
        "differences of the integrated free entropy at the solution, in all order parameters and "
        f"conjugates; largest for {worst}",
    )  # fmt: skip


def _slope(function: Callable[[float], float], x: float, least: float) -> float:
    """Differentiate by differences, one-sided where the function ends (``q = 0``)."""
    size = STEP * max(abs(x), least)
    slope = math.nan
    for (shifts, weights), step in ((CENTRAL, size), (FORWARD, size), (FORWARD, -size)):
        pairs = [(x + shift * step, weight) for shift, weight in zip(shifts, weights, strict=True)]
        with np.errstate(invalid="ignore"):
            slope = sum(weight * function(at) for at, weight in pairs if weight) / step
        if math.isfinite(slope):
            break
    return slope
