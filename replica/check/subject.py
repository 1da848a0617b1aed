"""What is checked: a model at one point, its equations, its solution, random points around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica.calculus.nodes import Average
from replica.calculus.vector import VectorAverage
from replica.check.free_entropy import FreeEntropy
from replica.check.report import NotApplicable
from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.declare.functional import Functional
from replica.declare.symbols import Parameter
from replica.declare.system import System
from replica.derive.saddle_point import SaddlePoint
from replica.errors import ReplicaError
from replica.solve.boundary import boundary
from replica.solve.point import solve_point
from replica.solve.solution import Solution

Array = NDArray[np.float64]
_ATTEMPTS = 60


@dataclass(frozen=True)
class Subject:
    """A model at one point.

    Attributes
    ----------
    model : Model or FunctionalModel
    values : mapping
        Values of all parameters.
    saddle : SaddlePoint
        The equations that are solved.
    full : SaddlePoint
        The same without the identities of Bayes-optimal inference: those of the functional.
    settings : SolverSettings
    seed : int
        Of the random points.
    """

    model: Any
    values: Mapping[str, float]
    saddle: SaddlePoint
    full: SaddlePoint
    settings: SolverSettings
    seed: int = 0

    @cached_property
    def system(self) -> CompiledSystem:
        """The compiled equations."""
        return self._compiled(self.saddle, True)

    @cached_property
    def full_system(self) -> CompiledSystem:
        """The compiled equations without the identities of Bayes-optimal inference."""
        if self.full is self.saddle:
            return self.system
        return self._compiled(self.full, False)

    @cached_property
    def free_entropy(self) -> FreeEntropy:
        """The derived free entropy, unreduced, as a function of all variables."""
        return FreeEntropy(self.full, self.params)

    def _compiled(self, saddle: SaddlePoint, reduce: bool) -> CompiledSystem:
        if saddle is self.model.saddle_point(reduce=reduce):
            system: CompiledSystem = self.model.compile(reduce=reduce)
            return system
        return CompiledSystem(saddle)

    @property
    def declared_system(self) -> System:
        """The declaration, where it is one of a disordered system."""
        if not isinstance(self.model, System):
            raise NotApplicable("the model is declared as a functional")
        return self.model

    @property
    def scalars(self) -> set[sp.Symbol]:
        """Unknowns without conjugate, over which the functional is extremised."""
        if isinstance(self.model, Functional):
            return {o.symbol for o in self.model.order_parameters if o.conjugate is None}
        return {e.symbol for e in self.model.extremised}

    @property
    def vector(self) -> bool:
        """Whether equations or observables have averages over several variables."""
        expressions = [e for _, e in (*self.saddle.equations, *self.saddle.conjugates)]
        expressions += [self.saddle.free_entropy, *self.saddle.observables.values()]
        return any(e.has(VectorAverage) for e in expressions)

    @property
    def nested(self) -> bool:
        """Whether the equations have averages within averages, which are slow at many digits."""
        expressions = [e for _, e in (*self.saddle.equations, *self.saddle.conjugates)]
        nodes = set().union(*(e.atoms(Average) for e in expressions))
        return any(node.integrand.has(Average) for node in nodes)

    # -- the solution ------------------------------------------------------------------------

    @cached_property
    def attempt(self) -> Solution | str:
        """The solution at the point, or why there is none."""
        try:
            if self._without_scale is not None:
                others: dict[str, Any] = {
                    name: v for name, v in self.values.items() if name != self._without_scale
                }
                return boundary(
                    self.model, "capacity", self._without_scale, settings=self.settings, **others
                )
            found = self._solved(None)
            return found if found.converged else self._solved("informed")
        except ReplicaError as error:
            return str(error)

    def _solved(self, start: str | None) -> Solution:
        return solve_point(
            self.model.name, self.system, self.values, start, self.settings, throw=False
        )

    @property
    def _without_scale(self) -> str | None:
        """The load of a zero-temperature model of nothing but hard constraints.

        Its equations fix only ratios of the unknowns, and the load instead.
        """
        model = self.model
        if not isinstance(model, System) or not model.zero_temperature or not model.fields:
            return None
        other = model.thermal.penalty != 0 or model.pair != 0 or model.overlap != 0
        load = model.fields[0].load
        if other or any(f.constraint is None for f in model.fields):
            return None
        return load.python_name if isinstance(load, Parameter) else None

    @property
    def solution(self) -> Solution:
        """The certified solution."""
        if isinstance(self.attempt, str) or not self.attempt.converged:
            raise NotApplicable("there is no certified solution to check at this point")
        return self.attempt

    @property
    def params(self) -> Array:
        """Values of the parameters in the order of the compiled system."""
        values = self.values
        if not isinstance(self.attempt, str):
            values = self.attempt.parameters
        return np.array([values[name] for name in self.system.parameters])

    @property
    def unreduced(self) -> dict[str, float]:
        """Order parameters and conjugates of the solution, those of the unreduced equations too.

        The identities of Bayes-optimal inference determine the ones that are not solved for.
        """
        solution = self.solution
        point = {**solution.order_parameters, **solution.conjugates}
        if self.saddle.bayes_optimal:
            point["m"] = point["q"]
            point |= dict.fromkeys(("mhat", "Vhat"), point["qhat"])
        return point

    @property
    def parameters(self) -> dict[sp.Symbol, float]:
        """Values of the parameters by symbol."""
        names = zip(self.system.parameters, map(float, self.params), strict=True)
        return {self.full.parameters[name]: value for name, value in names}

    # -- points ------------------------------------------------------------------------------

    def points(self, system: CompiledSystem, count: int) -> list[Array]:
        """Random points near the solution, or the start, at which every equation is defined."""
        random = np.random.default_rng(self.seed)
        starts = [system.starts(self.params[None], kind)[0] for kind in ("uninformed", "informed")]
        centre = starts[0]
        if not isinstance(self.attempt, str) and self.attempt.converged:
            known = self.attempt.order_parameters
            centre = np.array([
                known.get(name, start)
                for name, start in zip(system.unknowns, starts[0], strict=True)
            ])  # fmt: skip
            if "m" not in known and "m" in system.unknowns:  # the reduced equations have m = q
                centre[system.unknowns.index("m")] = known["q"]
        found: list[Array] = []
        for attempt in range(_ATTEMPTS):
            reach = 0.3 * 0.9**attempt
            mix = random.uniform(0, reach, size=2)
            x = centre + mix[0] * (starts[0] - centre) + mix[1] * (starts[1] - centre)
            x *= 1 + reach * random.uniform(-1, 1, len(x))
            for i, (low, _) in enumerate(system.program.domains):
                if not low >= 0:  # symmetric solutions lie at zero: leave the symmetry
                    x[i] += 0.1 * reach * random.normal()
            if system.saddle is self.full:
                known = self.constrained(dict(zip(system.unknowns, map(float, x), strict=True)))
                x = np.array([known.get(n, v) for n, v in zip(system.unknowns, x, strict=True)])
            if self._defined(system, x):
                found.append(x)
            if len(found) == count:
                return found
        raise NotApplicable("no point was found at which every equation is defined")

    def _defined(self, system: CompiledSystem, x: Array) -> bool:
        """Whether the point is inside every domain, and all equations are finite there."""
        domains = zip(x, system.program.domains, strict=True)
        if not all(low < value < high for value, (low, high) in domains):
            return False
        report = system.report(self.params, x)
        outputs = dict(zip(system.outputs, map(float, report), strict=True))
        outputs.pop("replicon", None)
        positive = [str(s) for s, _ in system.saddle.conjugates if s.is_nonnegative]
        return bool(
            np.all(np.isfinite(system.map(self.params, x)))
            and np.all(np.isfinite(list(outputs.values())))
            and all(outputs[name] >= 0 for name in positive)
        )

    def constrained(self, point: Mapping[str, float]) -> dict[str, float]:
        """Values of the unknowns that others determine, at a point."""
        if not self.full.constraints:
            return {}
        values = self.parameters | {s: point[str(s)] for s in self.full.order_parameters}
        return {str(s): float(e.subs(values)) for s, e in self.full.constraints}
