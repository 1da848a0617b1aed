"""An evaluated capacity behind the contract of a compiled system, so that solves and scans run."""

from __future__ import annotations

import dataclasses
import logging
import math
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica.compile.settings import BlockResult, SolveStatus
from replica.declare.manifolds import Manifolds
from replica.declare.real_numbers import real_value
from replica.declare.shapes import Ball, L1Ball, Point, PointCloud, Shape
from replica.declare.symbols import p
from replica.derive.capacity import THRESHOLD, CapacityEquation
from replica.errors import (
    DeclarationError,
    DerivationError,
    ParameterError,
    ReplicaError,
)
from replica.evaluate.contexts import context_averages, correlation_matrix
from replica.evaluate.counts import FEWEST, count_threshold, require_a_few
from replica.evaluate.points import EvaluatedPoint, blank, inverse, mixed, store
from replica.evaluate.samples import Estimate
from replica.evaluate.settings import CapacitySettings, require_settings
from replica.evaluate.shape_averages import shape_averages
from replica.evaluate.terms import Terms, linear_terms
from replica.evaluate.threads import single_threaded_algebra
from replica.evaluate.threshold import best_threshold, sparse_load

logger = logging.getLogger(__name__)
Array = NDArray[np.float64]
#: Capacity without the device that the model has: threshold or contexts.
_WITHOUT = {"threshold": "alpha_without_threshold", "contexts": "alpha_without_contexts"}
#: Threshold of the busiest context, and norm of its weights along the context vectors.
_OF_CONTEXTS = ("b", "context_component")


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
        self.program = SimpleNamespace(
            domains=tuple(u.domain for u in equation.unknowns), sampled=0
        )
        if model.contexts is not None:
            if not isinstance(model.shape, (Point, Ball, PointCloud)) or isinstance(
                model.shape, L1Ball
            ):
                raise DeclarationError(
                    f"model {model.name}: contexts are available for points, balls and point "
                    f"clouds, not for {type(model.shape).__name__}."
                )
            self.outputs: tuple[str, ...] = (_WITHOUT["contexts"],)
            if model.positive_fraction is not None:
                self.outputs = (*self.outputs, *_OF_CONTEXTS)
        elif equation.stationary_threshold is not None:
            self.outputs = (_WITHOUT["threshold"],)
        else:
            self.outputs = model.shape.quantities
        self.quantities = self.outputs
        if model.weights is not None:
            self.outputs = (*self.outputs, "p")
        self.outputs = (*self.outputs, *self._observables())
        if model.contexts is None:
            self.load = linear_terms(equation.load)
            condition = equation.stationary_threshold
            self.condition = None if condition is None else linear_terms(condition)

    def _observables(self) -> dict[str, sp.Expr]:
        """Return the declared observables.

        Raises
        ------
        DeclarationError
            If one needs what is not computed with this model.
        """
        known = {*map(sp.Symbol, self.quantities), p, *self.saddle.parameters.values()}
        for name, observable in self.model.observables.items():
            unknown = sorted(map(str, observable.free_symbols - known))
            if unknown:
                raise DeclarationError(
                    f"model {self.model.name}: observable {name!r} needs {unknown[0]!r}; expected "
                    f"p, parameters, or {', '.join(self.quantities)}."
                )
        return dict(self.model.observables)

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
        result = blank(len(params), len(self.unknowns), len(self.outputs))
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
            store(result, index, found, settings)

    def _values(self, row: Array) -> dict[sp.Symbol, float]:
        return dict(zip(self.saddle.parameters.values(), map(float, row), strict=True))

    def shape(self, values: dict[sp.Symbol, float], alpha: float = math.nan) -> Shape:
        """Return the shape with the values of parameters, and with the manifolds at a capacity."""
        assert self.saddle.shape is not None
        if self.saddle.counted:
            count = alpha * self._weights(values)
            values = {**values, p: max(FEWEST, round(count)) if math.isfinite(count) else FEWEST}
        return self.saddle.shape.at(values)

    def _weights(self, values: dict[sp.Symbol, float]) -> float:
        assert self.saddle.weights is not None
        return float(self.saddle.weights.count.subs(values))

    def margin(self, row: Array) -> float:
        """Return the margin at the values of parameters."""
        return float(self.model.margin.subs(self._values(row)))

    def is_sampled(self, row: Array, alpha: float) -> bool:
        """Whether errors of a capacity at the values of parameters are standard errors."""
        shape = self.shape(self._values(row), alpha)
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
        if self.saddle.weights is not None:
            self.saddle.weights.require(values)
        if self.saddle.counted:
            fewest = self._at({**values, p: FEWEST}, CapacitySettings(samples=64))
            require_a_few(FEWEST / fewest.unknowns[0].value, self._weights(values))
        else:
            self.shape(values)
        if self.model.contexts is not None:
            self._correlations(values)

    def _correlations(self, values: dict[sp.Symbol, float]) -> Array:
        assert self.model.contexts is not None
        return correlation_matrix(self.model.contexts, values, f"model {self.model.name}")

    def evaluate(
        self, values: dict[sp.Symbol, float], settings: CapacitySettings
    ) -> EvaluatedPoint:
        """Evaluate one point."""
        if self.model.contexts is not None:
            return self._with_contexts(self.shape(values), values, settings)
        if self.saddle.weights is None:
            return self._observed(self._at(values, settings), values)
        weights = self._weights(values)
        if not self.saddle.counted:
            found = self._at(values, settings)
            alpha = found.unknowns[0]
            count = Estimate(alpha.value * weights, alpha.error * weights)
            return self._observed(found, values, count)
        return self._counted(values, weights, settings)

    def _counted(
        self, values: dict[sp.Symbol, float], weights: float, settings: CapacitySettings
    ) -> EvaluatedPoint:
        """Find the number of manifolds, and interpolate everything there."""
        at = cache(lambda count: self._at({**values, p: float(count)}, settings))
        found = count_threshold(lambda count: 1 / at(count).unknowns[0].value, weights)
        ends, shares = [at(found.below), at(found.below + 1)], (1 - found.fraction, found.fraction)
        load = ends[0].unknowns[0]
        count = Estimate(found.count, found.below * load.error / load.value**2 / found.slope)
        unknowns = mixed([e.unknowns for e in ends], shares)
        unknowns[0] = Estimate(count.value / weights, count.error / weights)
        point = EvaluatedPoint(
            unknowns, mixed([e.outputs for e in ends], shares), max(e.residual for e in ends),
            sum(e.evaluations for e in ends), ends[0].sampled,
        )  # fmt: skip
        return self._observed(point, values, count)

    def _observed(
        self, point: EvaluatedPoint, values: dict[sp.Symbol, float], count: Estimate | None = None
    ) -> EvaluatedPoint:
        """Append the number of manifolds and the declared observables."""
        known = dict(zip(map(sp.Symbol, self.quantities), point.outputs, strict=True))
        outputs = list(point.outputs)
        if count is not None:
            known[p] = count
            outputs.append(count)
        numbers = {**values, **{s: e.value for s, e in known.items()}}
        for observable in self.model.observables.values():
            error = sum(abs(float(observable.diff(s).subs(numbers))) * e.error
                        for s, e in known.items())  # fmt: skip
            outputs.append(Estimate(float(observable.subs(numbers)), error))
        return dataclasses.replace(point, outputs=outputs)

    def _at(self, values: dict[sp.Symbol, float], settings: CapacitySettings) -> EvaluatedPoint:
        """Evaluate the capacity of a shape with numbers in all places."""
        assert self.saddle.shape is not None
        shape = self.saddle.shape.at(values)
        over = shape_averages(shape, settings)
        if self.condition is not None:
            return self._with_threshold(over, values)
        terms = self.load.at(values)
        load = over.distance(terms)
        margin = terms[0][1]
        outputs = over.geometry(margin)
        return EvaluatedPoint(
            [inverse(load)], [outputs[name] for name in self.quantities],
            over.violation(margin), over.evaluations, over.sampled,
        )  # fmt: skip

    def _with_threshold(self, over: Any, values: dict[sp.Symbol, float]) -> EvaluatedPoint:
        assert self.condition is not None
        condition: Terms = self.condition
        found = best_threshold(lambda b: over.multiplier(condition.at({**values, THRESHOLD: b})))
        at_best = self.load.at({**values, THRESHOLD: found.threshold.value})
        without = self.load.at({**values, THRESHOLD: 0.0})
        residual = max(found.residual, *(over.violation(k) for _, k in at_best))
        alpha, free = inverse(over.distance(at_best)), inverse(over.distance(without))
        return EvaluatedPoint(
            [alpha, found.threshold], [free], residual, over.evaluations, over.sampled
        )

    def _with_contexts(
        self, shape: Shape, values: dict[sp.Symbol, float], settings: CapacitySettings
    ) -> EvaluatedPoint:
        model = self.model
        margin = float((model.margin / sp.sqrt(1 - model.centre_correlation)).subs(values))
        fraction = model.positive_fraction
        positive = None if fraction is None else float(fraction.subs(values))
        correlations = self._correlations(values)
        found = context_averages(shape, margin, correlations, settings, positive)
        over, busiest = shape_averages(shape, settings), found.busiest
        if positive is None:
            outputs = [inverse(over.distance([(1.0, margin)]))]
        else:
            outputs = [inverse(sparse_load(over, margin, positive).load)]
            outputs += [busiest.threshold, busiest.component]
        return EvaluatedPoint(
            [inverse(busiest.load)], outputs, found.violation, settings.samples,
            not isinstance(shape, Point),
        )  # fmt: skip

    def __reduce__(self) -> Any:
        return CapacitySystem, (self.model, self.saddle)
