"""Checks of a capacity: against a sample, the envelope theorem, conditions of optimality."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from replica.check.report import CheckItem, CheckReport, NotApplicable, item
from replica.declare.shapes import Ball, Ellipsoid, L1Ball, Point, Shape
from replica.evaluate.projections import project
from replica.evaluate.samples import Estimate, Sample, mean
from replica.evaluate.settings import CapacitySettings
from replica.evaluate.shape_averages import ShapeAverages, shape_averages
from replica.evaluate.solve import solve_capacity
from replica.evaluate.threads import single_threaded_algebra
from replica.solve.point import parameter_values

#: Standard errors that a correct average may be off: one check in 10^8 would fail by chance.
_DEVIATIONS = 6.0
_SAMPLES = 20_000


@dataclasses.dataclass(frozen=True)
class _Subject:
    shape: Shape
    margin: float
    over: ShapeAverages
    dimension: int


def check_capacity(model: Any, **parameters: float) -> CheckReport:
    """Verify a capacity at one point.

    Parameters
    ----------
    model : ManifoldModel
    **parameters : float
        Values of the model's parameters; the others keep their default.

    Returns
    -------
    CheckReport
    """
    system = model.compile()
    values = parameter_values(model.parameters, parameters)
    solution = solve_capacity(model.name, system, values, throw=False)
    items = [
        CheckItem(
            "solution", solution.converged, solution.error["alpha"], float("nan"),
            f"{solution.status.value} (error {solution.error['alpha']:.1e})",
        ),
        item("optimality", solution.residual, 1e-8, "conditions of optimality, and of a threshold"),
    ]  # fmt: skip
    numbers = {model.parameters[n]: v for n, v in values.items()}
    shape = system.shape(numbers)
    size = float(shape.dimension)
    margin = float(model.margin.subs(numbers)) / np.sqrt(
        1 - float(model.centre_correlation.subs(numbers))
    )
    settings = CapacitySettings(samples=_SAMPLES)
    subject = _Subject(shape, margin, shape_averages(shape, settings), int(size))
    skipped: dict[str, str] = {}
    for name, function in (
        ("sample", _against_sample),
        ("envelope theorem", _envelope),
        ("duality", _duality),
    ):
        try:
            if size != int(size) and name != "duality":
                raise NotApplicable("the dimension is no whole number")
            with single_threaded_algebra():
                items += function(subject)
        except NotApplicable as reason:
            skipped[name] = str(reason)
    return CheckReport(model.name, values, tuple(items), skipped)


def _gap(found: Estimate, other: Estimate) -> float:
    error = float(np.hypot(found.error, other.error))
    return abs(found.value - other.value) / max(error, 1e-14)


def _against_sample(subject: _Subject) -> Iterator[CheckItem]:
    """Compare with the plain mean over other vectors, and with Stein's identity."""
    settings = CapacitySettings(samples=_SAMPLES, seed=1)
    sample = Sample(_whole(subject.shape), settings)
    found = sample.at(subject.margin)
    plain = mean(found.distance)
    yield item(
        "sample", _gap(subject.over.distance([(1.0, subject.margin)]), plain), _DEVIATIONS,
        f"average distance against the plain mean of {_SAMPLES} projections, in standard errors",
    )  # fmt: skip
    difference = mean(found.distance - found.divergence - subject.margin * found.multiplier)
    yield item(
        "Stein's identity", _gap(difference, Estimate(0.0, 0.0)), _DEVIATIONS,
        "E d^2 = E div(T - V) + margin E lambda, in standard errors",
    )  # fmt: skip


def _whole(shape: Shape) -> Shape:
    if isinstance(shape, Ball):
        return dataclasses.replace(shape, dimension=int(float(shape.dimension)))
    return shape


def _envelope(subject: _Subject) -> Iterator[CheckItem]:
    """Compare the multiplier with differences of the distance of a few vectors."""
    vectors = np.random.default_rng(2).standard_normal((200, subject.dimension + 1))
    step = 1e-5
    above, below = (
        project(_whole(subject.shape), vectors, subject.margin + s).distance for s in (step, -step)
    )
    slope = 2 * project(_whole(subject.shape), vectors, subject.margin).multiplier
    gap = np.abs((above - below) / (2 * step) - slope)
    yield item(
        "envelope theorem", float((gap / (1 + slope)).max()), 1e-4,
        "multipliers against differences of squared distances in the margin",
    )  # fmt: skip


def _duality(subject: _Subject) -> Iterator[CheckItem]:
    """Compare a cone with its polar one: their statistical dimensions add up."""
    shape = subject.shape
    settings = CapacitySettings(samples=_SAMPLES)
    if isinstance(shape, Point):
        raise NotApplicable("a point has no polar shape")
    if isinstance(shape, Ball) and not isinstance(shape, L1Ball) and shape.radius > 0:
        other: Shape = dataclasses.replace(shape, radius=1 / shape.radius)
    elif isinstance(shape, Ellipsoid) and all(r > 0 for r in shape.radii):
        other = Ellipsoid(tuple(1 / r for r in shape.radii))
    else:
        raise NotApplicable("the polar cone is not one of the same kind of shape")
    first = subject.over.distance([(1.0, 0.0)])
    second = shape_averages(other, settings).distance([(1.0, 0.0)])
    total = float(shape.dimension) + 1
    allowed = max(1e-10, _DEVIATIONS * float(np.hypot(first.error, second.error)))
    yield item(
        "duality", abs(first.value + second.value - total), allowed,
        "1/alpha without margin, for radii R and 1/R, add up to D + 1",
    )  # fmt: skip
