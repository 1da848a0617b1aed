"""An evaluated capacity behind the contract of a compiled system, so that solves and scans run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica.compile.settings import BlockResult, SolveStatus
from replica.declare.manifolds import MOST_CONTEXTS, Manifolds
from replica.declare.real_numbers import real_value
from replica.declare.shapes import Ball, L1Ball, Point, PointCloud, Shape
from replica.derive.capacity import THRESHOLD, CapacityEquation
from replica.errors import (
    DeclarationError,
    DerivationError,
    ParameterError,
    ReplicaError,
)
from replica.evaluate.contexts import context_averages, correlation_matrix
from replica.evaluate.samples import Estimate
from replica.evaluate.settings import CapacitySettings, require_settings
from replica.evaluate.shape_averages import GEOMETRY, shape_averages
from replica.evaluate.terms import Terms, linear_terms
from replica.evaluate.threads import single_threaded_algebra
from replica.evaluate.threshold import best_threshold

logger = logging.getLogger(__name__)
Array = NDArray[np.float64]
#: Capacity without the device that the model has: threshold or contexts.
_WITHOUT = {"threshold": "alpha_without_threshold", "contexts": "alpha_without_contexts"}


@dataclass(frozen=True)
class _Point:
    """What one point of a block gives."""

    unknowns: list[Estimate]
    outputs: list[Estimate]
    residual: float
    evaluations: int
    sampled: bool


class CapacitySystem:
    """The equation of a capacity, ready to be solved.

    Attributes
    ----------
    unknowns, parameters, outputs : tuple of str
    backend : str
        Always ``"numpy"``.
    """

    backend = "numpy"

    def __init__(self, model: Manifolds, equation: CapacityEquation) -> None:
        self.model, self.saddle = model, equation
        self.parameters = tuple(equation.parameters)
        self.unknowns = tuple(str(u.symbol) for u in equation.unknowns)
        self.program = SimpleNamespace(domains=tuple(u.domain for u in equation.unknowns))
        if model.contexts is not None:
            if not isinstance(model.shape, (Point, Ball, PointCloud)) or isinstance(
                model.shape, L1Ball
            ):
                raise DeclarationError(
                    f"model {model.name}: contexts are available for points, balls and point "
                    f"clouds, not for {type(model.shape).__name__}."
                )
            self.outputs: tuple[str, ...] = (_WITHOUT["contexts"],)
        elif equation.stationary_threshold is not None:
            self.outputs = (_WITHOUT["threshold"],)
        else:
            self.outputs = ("interior",) if isinstance(model.shape, Point) else GEOMETRY
        if model.contexts is None:
            self.load = linear_terms(equation.load)
            condition = equation.stationary_threshold
            self.condition = None if condition is None else linear_terms(condition)

    @property
    def source(self) -> str:
        """What is evaluated, as text."""
        return str(self.saddle)

    def starts(self, params: Array, kind: str | None = None) -> Array:
        """Return initial values, of which the result does not depend."""
        if kind not in (None, "uninformed", "informed"):
            raise ParameterError(
                f"start {kind!r} is unknown; expected one of informed, uninformed."
            )
        return np.ones((len(np.atleast_2d(params)), len(self.unknowns)))

    def solve_block(
        self,
        params: Array,
        starts: Array | None = None,
        settings: CapacitySettings | None = None,
        chain: bool = False,
        cancel: Any = None,
    ) -> BlockResult:
        """Evaluate a block of points; one that cannot be evaluated says so in its status."""
        settings = CapacitySettings() if settings is None else settings
        require_settings(settings)
        params = np.atleast_2d(np.asarray(params, dtype=float))
        rows = [self._values(row) for row in params]
        result = _blank(len(params), len(self.unknowns), len(self.outputs))
        with single_threaded_algebra():
            self._fill(result, rows, settings, cancel)
        return result

    def map(self, *args: Any, **options: Any) -> Array:
        """Refuse: there are no order parameters to iterate."""
        raise self._no_map()

    def report(self, *args: Any, **options: Any) -> Array:
        """Refuse: outputs belong to the solution alone."""
        raise self._no_map()

    def evaluate_block(self, *args: Any, **options: Any) -> Array:
        """Refuse: there are no order parameters at which to evaluate."""
        raise self._no_map()

    def _no_map(self) -> DerivationError:
        return DerivationError(
            f"model {self.model.name}: a capacity is an average, without a map of order parameters "
            "that could be followed or drawn."
        )

    def _fill(
        self,
        result: BlockResult,
        rows: list[dict[sp.Symbol, float]],
        settings: CapacitySettings,
        cancel: Any,
    ) -> None:
        for index, values in enumerate(rows):
            if cancel is not None and cancel[0]:
                break
            try:
                self.require(values)
                found = self.evaluate(values, settings)
            except ReplicaError as error:
                # What is computed stays; the point says that it has no value.
                logger.warning("%s: %s", self.model.name, error)
                result.status[index] = SolveStatus.NOT_CONVERGED
                continue
            _store(result, index, found, settings)

    def _values(self, row: Array) -> dict[sp.Symbol, float]:
        return dict(zip(self.saddle.parameters.values(), map(float, row), strict=True))

    def shape(self, values: dict[sp.Symbol, float]) -> Shape:
        """Return the shape with the values of parameters."""
        assert self.saddle.shape is not None
        return self.saddle.shape.at(values)

    def margin(self, row: Array) -> float:
        """Return the margin at the values of parameters."""
        return float(self.model.margin.subs(self._values(row)))

    def is_sampled(self, row: Array) -> bool:
        """Whether errors at the values of parameters are standard errors."""
        shape = self.shape(self._values(row))
        if self.model.contexts is not None and not isinstance(shape, Point):
            return True
        return shape_averages(shape, CapacitySettings(samples=64)).sampled

    def require(self, values: dict[sp.Symbol, float]) -> None:
        """Raise ParameterError where values of parameters declare nothing."""
        model, numbers = self.model, {}
        for name in ("margin", "centre_correlation", "positive_fraction"):
            if (given := getattr(model, name)) is not None:
                numbers[name] = real_value(given, values, f"model {model.name}: {name}")
        correlation, fraction = numbers["centre_correlation"], numbers.get("positive_fraction", 0.5)
        if not 0 <= correlation < 1:
            raise ParameterError(
                f"model {model.name}: centre_correlation = {correlation:g} is not at least 0 and "
                "less than 1."
            )
        if not 0 < fraction < 1:
            raise ParameterError(
                f"model {model.name}: positive_fraction = {fraction:g} is not between 0 and 1."
            )
        self.shape(values)
        if self.model.contexts is not None:
            self._correlations(values)

    def _correlations(self, values: dict[sp.Symbol, float]) -> Array:
        assert self.model.contexts is not None
        contexts, name = self.model.contexts, self.model.name
        count = real_value(contexts.count, values, f"model {name}: the number of contexts")
        if not (count == int(count) and 1 <= count <= MOST_CONTEXTS):
            raise ParameterError(
                f"model {name}: the number of context vectors must be a whole number "
                f"from 1 to {MOST_CONTEXTS}, got {count:g}."
            )
        given, what = contexts.correlation, f"model {name}: a correlation of contexts"
        if isinstance(given, sp.MatrixBase):
            entries = [real_value(entry, values, what) for entry in given]
            return correlation_matrix(int(count), np.reshape(entries, given.shape))
        return correlation_matrix(int(count), real_value(given, values, what))

    def evaluate(self, values: dict[sp.Symbol, float], settings: CapacitySettings) -> _Point:
        """Evaluate one point."""
        shape = self.shape(values)
        if self.model.contexts is not None:
            return self._with_contexts(shape, values, settings)
        over = shape_averages(shape, settings)
        if self.condition is not None:
            return self._with_threshold(over, values)
        terms = self.load.at(values)
        load = over.distance(terms)
        margin = terms[0][1]
        outputs = over.geometry(margin)
        return _Point(
            [_inverse(load)], [outputs[name] for name in self.outputs],
            over.violation(margin), over.evaluations, over.sampled,
        )  # fmt: skip

    def _with_threshold(self, over: Any, values: dict[sp.Symbol, float]) -> _Point:
        assert self.condition is not None
        condition: Terms = self.condition
        found = best_threshold(lambda b: over.multiplier(condition.at({**values, THRESHOLD: b})))
        at_best = self.load.at({**values, THRESHOLD: found.threshold.value})
        without = self.load.at({**values, THRESHOLD: 0.0})
        residual = max(found.residual, *(over.violation(k) for _, k in at_best))
        alpha, free = _inverse(over.distance(at_best)), _inverse(over.distance(without))
        return _Point([alpha, found.threshold], [free], residual, over.evaluations, over.sampled)

    def _with_contexts(
        self, shape: Shape, values: dict[sp.Symbol, float], settings: CapacitySettings
    ) -> _Point:
        margin = float(self.saddle.load.args[0].margin.subs(values))
        over = shape_averages(shape, settings)
        found = context_averages(shape, margin, self._correlations(values), settings)
        without = over.distance([(1.0, margin)])
        return _Point(
            [_inverse(found.busiest)], [_inverse(without)], found.violation, settings.samples,
            not isinstance(shape, Point),
        )  # fmt: skip

    def __reduce__(self) -> Any:
        return CapacitySystem, (self.model, self.saddle)


def _inverse(load: Estimate) -> Estimate:
    if not load.value > 0:
        return Estimate(float("inf"), float("inf"))
    return Estimate(1 / load.value, load.error / load.value**2)


def _blank(points: int, unknowns: int, outputs: int) -> BlockResult:
    def empty(*last: int) -> Array:
        return np.full((points, *last), np.nan)

    return BlockResult(
        x=empty(unknowns), out=empty(outputs), residual=empty(), error=empty(unknowns),
        out_error=empty(outputs), status=np.full(points, SolveStatus.CANCELLED, dtype=np.int32),
        evaluations=np.zeros(points, dtype=np.int32), stability=empty(),
        jacobian=empty(unknowns, unknowns),
    )  # fmt: skip


def _store(result: BlockResult, index: int, found: _Point, settings: CapacitySettings) -> None:
    result.x[index] = [e.value for e in found.unknowns]
    result.error[index] = [e.error for e in found.unknowns]
    result.out[index] = [e.value for e in found.outputs]
    result.out_error[index] = [e.error for e in found.outputs]
    result.residual[index] = found.residual
    result.evaluations[index] = min(found.evaluations, np.iinfo(np.int32).max)
    alpha = found.unknowns[0]
    allowed = settings.standard_error if found.sampled else settings.tolerance
    good = np.isfinite(alpha.value) and alpha.error <= allowed * alpha.value
    result.status[index] = SolveStatus.CONVERGED if good else SolveStatus.NOT_CERTIFIED
