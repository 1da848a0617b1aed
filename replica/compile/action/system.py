"""A compiled action: the contract of a compiled system, by dense linear algebra."""

from __future__ import annotations

import hashlib
from functools import cached_property
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica.calculus.matrices import SymmetricMatrix
from replica.compile.action.minimise import Minimum, minimise
from replica.compile.action.operations import NotPositiveError
from replica.compile.action.problem import ActionProblem, ActionPrograms
from replica.compile.settings import BlockResult, SolverSettings, SolveStatus
from replica.declare.action import Action
from replica.derive.action import ActionSaddlePoint
from replica.errors import DerivationError, ParameterError, SettingsError
from replica.kernels.threads import few_threads

Array = NDArray[np.float64]
#: Starts by name: the declared values, and these many times as much.
STARTS = {"uninformed": 1.0, "small": 1e-3, "large": 1e3}


class CompiledAction:
    """An action that can be minimised at many parameters, with the face of a compiled system.

    Attributes
    ----------
    unknowns, parameters, outputs : tuple of str
        Names of the columns of ``x`` (the distinct entries), ``params`` and ``out``.
    """

    backend = "numpy"

    def __init__(self, declaration: Action, saddle: ActionSaddlePoint) -> None:
        self._declaration, self.saddle = declaration, saddle
        with few_threads(0):
            features, arrays, sizes = declaration.load_data()
        symbols = declaration.arrays
        self.features, self.arrays = features, arrays
        self.programs = ActionPrograms(saddle, features, arrays, sizes, symbols)
        self.coordinates = self.programs.coordinates
        self.unknowns = self.coordinates.names
        self.parameters = tuple(saddle.parameters)
        self.outputs = (
            "free_entropy", "action", "gradient_norm", "condition", *saddle.observables,
        )  # fmt: skip
        low = [0.0 if _positive(name) else -np.inf for name in self.unknowns]
        self.program = SimpleNamespace(domains=tuple((bound, np.inf) for bound in low), sampled=0)

    @cached_property
    def source(self) -> str:
        """What is computed: the equations, and a digest of the data."""
        digest = hashlib.sha256()
        for name, features in self.features.items():
            digest.update(f"{name} {features.values.shape}".encode() + features.values.tobytes())
        for name, array in self.arrays.items():
            digest.update(f"{name} {array.shape}".encode() + array.tobytes())
        return f"{self.saddle}\n{self.saddle.observables}\n{digest.hexdigest()}"

    def starts(self, params: Array, kind: str | None = None) -> Array:
        """Return the declared initial values, one row a point; see `STARTS`."""
        kind = kind or self.saddle.default_start
        if kind not in STARTS:
            raise ParameterError(
                f"start {kind!r} is unknown; expected one of {', '.join(sorted(STARTS))}."
            )
        rows = []
        for point in np.atleast_2d(params):
            values = self._values(point)
            entries: list[Array] = []
            for item in self.saddle.order_parameters:
                scale = STARTS[kind] * float(sp.sympify(item.start).subs(values))
                size = int(item.symbol.shape[0]) if isinstance(item.symbol, SymmetricMatrix) else 1
                entries.append(scale * np.eye(size)[np.triu_indices(size)])
            rows.append(np.concatenate(entries))
        return np.array(rows)

    def problem(self, point: Array) -> ActionProblem:
        """Return the action at one point."""
        return ActionProblem(self.programs, self._values(point))

    def _values(self, point: Array) -> dict[Any, float]:
        return dict(zip(self.saddle.parameters.values(), map(float, point), strict=True))

    def require_value(self, point: Array, start: Array) -> None:
        """Raise where the action has no value at the start.

        Raises
        ------
        ParameterError
        """
        try:
            with few_threads(self.programs.largest):
                self.problem(point).gradient(self.coordinates.from_entries(start))
        except NotPositiveError as error:
            values = ", ".join(
                f"{n} = {v:g}" for n, v in zip(self.parameters, point, strict=True)
            )  # fmt: skip
            raise ParameterError(
                f"at {values} the action has no value: {error} that it inverts is singular (more "
                "examples than independent features need a temperature above zero)."
            ) from None

    def map(self, *_arguments: Any, **_options: Any) -> NoReturn:
        """Refuse: there is no fixed-point map, whose iterations and Jacobian others ask for.

        Raises
        ------
        DerivationError
        """
        raise DerivationError(
            f"model {self._declaration.name}: an action is minimised, and has no fixed-point map "
            "to iterate, to differentiate or to draw."
        )

    #: What else needs the map, or its outputs away from a minimum.
    report = evaluate_block = map

    def solve_block(
        self,
        params: Array,
        starts: Array | None = None,
        settings: SolverSettings | None = None,
        chain: bool = False,
        cancel: Any = None,
    ) -> BlockResult:
        """Minimise the action at a block of points; see `CompiledSystem.solve_block`."""
        settings = SolverSettings() if settings is None else settings
        if not isinstance(settings, SolverSettings):
            raise SettingsError(f"settings: expected SolverSettings(...), got {settings!r}.")
        params = np.atleast_2d(np.asarray(params, dtype=float))
        if params.shape[1] != len(self.parameters):
            raise ParameterError(
                f"expected {len(self.parameters)} parameters a point, got {params.shape[1]}."
            )
        starts = self.starts(params) if starts is None else np.atleast_2d(starts)
        if starts.shape != (len(params), len(self.unknowns)):
            raise ParameterError(
                f"starts have shape {starts.shape}, expected {(len(params), len(self.unknowns))}."
            )
        with few_threads(self.programs.largest):
            return self._solve_rows(params, starts, settings, chain, cancel)

    def _solve_rows(
        self, params: Array, starts: Array, settings: SolverSettings, chain: bool, cancel: Any
    ) -> BlockResult:
        result = _blank(len(params), len(self.unknowns), len(self.outputs))
        previous: Array | None = None
        for index, point in enumerate(params):
            if cancel is not None and cancel[0]:
                break
            start = previous if chain and previous is not None else starts[index]
            self._solve(result, index, point, start, settings)
            good = result.status[index] == SolveStatus.CONVERGED
            previous = result.x[index] if good else None
        return result

    def _solve(
        self, result: BlockResult, index: int, point: Array, start: Array, settings: SolverSettings
    ) -> None:
        problem = self.problem(point)
        result.x[index] = start
        try:
            minimum = minimise(problem, self.coordinates.from_entries(start), settings)
            result.x[index] = self.coordinates.entries(minimum.theta)
            status = self._certify(result, index, problem, minimum, settings)
        except NotPositiveError:
            status = SolveStatus.AT_BOUNDARY
        result.status[index] = status
        result.evaluations[index] = problem.evaluations

    def _certify(
        self, result: BlockResult, index: int, problem: ActionProblem, minimum: Minimum,
        settings: SolverSettings,
    ) -> SolveStatus:  # fmt: skip
        """Estimate the errors of a minimum, and say whether they are small enough.

        The error of the entries is what the left-over gradient and samples of its rounding error
        do to them, through the inverse Hessian.
        """
        theta, coordinates = minimum.theta, self.coordinates
        result.residual[index] = minimum.residual
        if minimum.status is not SolveStatus.CONVERGED:
            if minimum.status is not SolveStatus.DIVERGED:
                self._report(result, index, problem, theta, np.zeros((0, len(theta))))
            return minimum.status
        eigenvalues = np.linalg.eigvalsh(minimum.hessian)
        result.stability[index] = 1 - eigenvalues[0] / eigenvalues[-1]
        result.jacobian[index] = np.eye(len(theta)) - minimum.hessian / eigenvalues[-1]
        _, left_over = problem.gradient(theta)
        causes = np.vstack([left_over, problem.rounding(theta)])
        shifts: Any = np.linalg.solve(minimum.hessian, causes.T).T
        moved = np.abs(shifts @ coordinates.jacobian(theta).T)
        result.error[index] = moved[0] + moved[1:].max(axis=0)
        self._report(result, index, problem, theta, shifts)
        result.out[index, 3] = eigenvalues[-1] / eigenvalues[0]
        relative = np.max(result.error[index] / coordinates.scales(theta))
        if relative <= settings.certified_tolerance:
            return SolveStatus.CONVERGED
        return SolveStatus.NOT_CERTIFIED

    def _report(
        self, result: BlockResult, index: int, problem: ActionProblem, theta: Array, shifts: Any
    ) -> None:
        """Store the outputs, and how they change where the coordinates are shifted."""

        def outputs(at: Array, noise: Any = None) -> Array:
            action, gradient = problem.gradient(at, noise)
            size = float(np.abs(gradient).max())
            return np.array([-action / 2, action, size, np.nan, *problem.observables(at, noise)])

        plain = outputs(theta)
        random = np.random.default_rng(1)
        changes = [np.abs(outputs(theta + shift, random) - plain) for shift in shifts]
        rounding = np.finfo(float).eps * np.abs(plain) * len(theta)
        result.out[index] = plain
        if changes:
            result.out_error[index] = np.max(changes, axis=0) + rounding
            result.out_error[index, 2:4] = 0.0  # a norm and a condition number certify, themselves

    def __reduce__(self) -> Any:
        return CompiledAction, (self._declaration, self.saddle)


def _positive(name: str) -> bool:
    """Whether an entry is on the diagonal, or a number."""
    row, comma, column = name.rpartition("[")[2].rstrip("]").partition(",")
    return not comma or row == column


def _blank(points: int, unknowns: int, outputs: int) -> BlockResult:
    def nan(*shape: int) -> Array:
        return np.full((points, *shape), np.nan)

    return BlockResult(
        x=nan(unknowns), out=nan(outputs), residual=nan(), error=nan(unknowns),
        out_error=nan(outputs),
        status=np.full(points, SolveStatus.CANCELLED, dtype=np.int32),
        evaluations=np.zeros(points, dtype=np.int32), stability=nan(),
        jacobian=nan(unknowns, unknowns),
    )  # fmt: skip
