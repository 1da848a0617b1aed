"""A compiled system: one numeric contract for the C back end and its NumPy twin."""

from __future__ import annotations

import ctypes
import logging
import os
import warnings
from dataclasses import fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica.compile import toolchain
from replica.compile.c_code import c_source
from replica.compile.lower import lower
from replica.compile.program import Program
from replica.compile.settings import BlockResult, SolverSettings, SolveStatus
from replica.derive.saddle_point import SaddlePoint
from replica.errors import BackendWarning, ParameterError, SettingsError

logger = logging.getLogger(__name__)
BACKENDS = ("c", "numpy")
#: A conjugate beyond this value stands for one that has no finite value.
_DIVERGING = 1e12
#: An unknown this small, next to the others, is on its way to zero if the map shrinks it still.
_VANISHING = 1e-9
#: Share of the old value that is kept where longer steps lead to where the equations have no value.
_CAREFUL = 0.9
Array = NDArray[np.float64]


class CompiledSystem:
    """Fixed-point map and report of a saddle point, ready to be evaluated and solved.

    Attributes
    ----------
    unknowns, parameters, outputs : tuple of str
        Names of the columns of ``x``, ``params`` and ``out``.
    backend : str
        ``"c"`` or ``"numpy"``.
    """

    def __init__(self, saddle: SaddlePoint, backend: str | None = None) -> None:
        self.saddle = saddle
        self.program: Program = lower(saddle)
        self.unknowns = tuple(str(s) for s in self.program.unknowns)
        self.parameters = tuple(saddle.parameters)
        self.outputs = self.program.outputs
        self._start_functions: dict[tuple[int, str], Any] = {}
        self.backend = choose_backend(backend)
        if self.backend == "c":
            self._library  # compile now, so that errors come early  # noqa: B018

    @cached_property
    def source(self) -> str:
        """The generated C source."""
        return c_source(self.program)

    @cached_property
    def _library(self) -> ctypes.CDLL:
        library = toolchain.load(self.source)
        library.replica_solve_block.restype = ctypes.c_int
        library.replica_evaluate_block.restype = ctypes.c_int
        return library

    @cached_property
    def _data(self) -> tuple[Any, Any]:
        """Tables of the sites and their lengths, as the library takes them."""
        tables = [data.values for data in self.program.data]
        pointers = (ctypes.c_void_p * len(tables))(*(t.ctypes.data for t in tables))
        return pointers, (ctypes.c_int * len(tables))(*(t.shape[1] for t in tables))

    @cached_property
    def _reference(self) -> Any:
        from replica.compile.numpy_code import NumpySystem

        return NumpySystem(self.program)

    def _start_column(self, unknown: int, kind: str, params: Array) -> Array:
        """Return the declared initial values of one unknown at all points."""
        expression = sp.sympify(self.saddle.unknowns[unknown].starts[kind])
        if expression.is_Number:  # nearly always: making a function would cost more than a solve
            return np.full(len(params), float(expression))
        key = (unknown, kind)
        if key not in self._start_functions:
            symbols = list(self.saddle.parameters.values())
            self._start_functions[key] = sp.lambdify(symbols, expression, "numpy")
        values = self._start_functions[key](*params.T)
        return np.broadcast_to(values, (len(params),)).astype(float)

    def starts(self, params: Array, kind: str | None = None) -> Array:
        """Return the declared initial values, one row a point.

        Parameters
        ----------
        params : array, shape (points, parameters)
        kind : str, optional
            ``"uninformed"`` or ``"informed"``; the model's own choice by default.
        """
        kind = kind or self.saddle.default_start
        kinds = {k for u in self.saddle.unknowns for k in u.starts}
        if kind not in kinds:
            known = ", ".join(sorted(kinds))
            raise ParameterError(f"start {kind!r} is unknown; expected one of {known}.")
        columns = [self._start_column(i, kind, params) for i in range(len(self.unknowns))]
        return np.ascontiguousarray(np.stack(columns, axis=1))

    def solve_block(
        self,
        params: Array,
        starts: Array | None = None,
        settings: SolverSettings | None = None,
        chain: bool = False,
        cancel: Any = None,
    ) -> BlockResult:
        """Solve a block of points; the C back end releases the GIL.

        Parameters
        ----------
        params : array, shape (points, parameters)
        starts : array, shape (points, unknowns), optional
        settings : SolverSettings, optional
        chain : bool
            Start each point at the solution of the one before it.

        Returns
        -------
        BlockResult
            Fixed points at which the free entropy has no finite value lie beyond a pole, across
            which long steps may jump: such points are solved again from their starts with short
            steps, and count as diverged if these lead there, too.
        """
        settings = SolverSettings() if settings is None else settings
        if not isinstance(settings, SolverSettings):
            raise SettingsError(f"settings: expected SolverSettings(...), got {settings!r}.")
        params = np.ascontiguousarray(np.atleast_2d(params), dtype=float)
        if params.shape[1] != len(self.parameters):
            raise ParameterError(
                f"expected {len(self.parameters)} parameters a point, got {params.shape[1]}."
            )
        starts = self.starts(params) if starts is None else starts
        starts = np.ascontiguousarray(np.atleast_2d(starts), dtype=float)
        if starts.shape != (len(params), len(self.unknowns)):
            raise ParameterError(
                f"starts have shape {starts.shape}, expected {(len(params), len(self.unknowns))}."
            )
        result = self._solved(params, starts, settings, chain, cancel)
        astray = self._astray(result)
        if np.any(astray) and settings.damping < _CAREFUL:
            careful = replace(settings, damping=_CAREFUL)
            again = self._solved(params[astray], starts[astray], careful, False, cancel)
            again.evaluations[:] += result.evaluations[astray]
            for field in fields(BlockResult):
                getattr(result, field.name)[astray] = getattr(again, field.name)
        result.status[self._astray(result)] = SolveStatus.DIVERGED
        return result

    def _solved(
        self, params: Array, starts: Array, settings: SolverSettings, chain: bool, cancel: Any
    ) -> BlockResult:
        if self.backend == "numpy":
            from replica.compile.reference import ReferenceSolver

            solver = ReferenceSolver(self._reference, settings)
            result = solver.solve_block(params, starts, chain=chain, cancel=cancel)
        else:
            result = self._solve_c(params, starts, settings, chain, cancel)
        self._flag_limits(params, result)
        return result

    def _astray(self, result: BlockResult) -> NDArray[np.bool_]:
        """Return which fixed points lie where the free entropy has no value."""
        free_entropy = result.out[:, self.outputs.index("free_entropy")]
        return np.asarray((result.status == SolveStatus.CONVERGED) & ~np.isfinite(free_entropy))

    def _flag_limits(self, params: Array, result: BlockResult) -> None:
        """Flag points whose conjugates diverge: a limit, not a regular saddle point."""
        columns = self._conjugate_columns
        with np.errstate(invalid="ignore"):
            diverges = np.any(np.abs(result.out[:, columns]) > _DIVERGING, axis=1)
        regular = result.status == SolveStatus.CONVERGED
        result.status[diverges & regular] = SolveStatus.AT_BOUNDARY
        positive = np.array([low == 0 for low, _ in self.program.domains])
        size = np.max(np.abs(result.x), axis=1, keepdims=True)
        tiny = positive & (np.abs(result.x) < _VANISHING * size)
        for row in np.flatnonzero(np.any(tiny, axis=1) & regular & ~diverges):
            if self._vanishes(params[row], result.x[row], tiny[row]):
                result.status[row] = SolveStatus.AT_BOUNDARY

    def _vanishes(self, params: Array, x: Array, tiny: NDArray[np.bool_]) -> bool:
        """Whether tiny unknowns go to zero while a conjugate grows without bound.

        Next to the other unknowns such a residual is small, next to the tiny one it is not. Where
        no conjugate grows (``q = 0`` of a paramagnet) zero is a regular value.
        """
        shrinking = tiny & (np.abs(self.map(params, x)) < np.abs(x) / 2)
        if not np.any(shrinking):
            return False
        smaller = np.where(shrinking, x / 100, x)
        here, there = (
            np.abs(self.report(params, point)[self._conjugate_columns]) for point in (x, smaller)
        )
        return bool(np.any((there > 2 * here) & (here > 1)))

    @cached_property
    def _conjugate_columns(self) -> list[int]:
        names = {str(s) for s, _ in self.saddle.conjugates}
        return [i for i, name in enumerate(self.outputs) if name in names]

    def _solve_c(
        self, params: Array, starts: Array, settings: SolverSettings, chain: bool, cancel: Any
    ) -> BlockResult:
        points, unknowns, outputs = len(params), len(self.unknowns), len(self.outputs)
        numbers, sample = settings.as_array(), self._sample(settings)
        x, error = np.empty((points, unknowns)), np.empty((points, unknowns))
        out, out_error = np.empty((points, outputs)), np.empty((points, outputs))
        residual, stability = np.empty(points), np.empty(points)
        status, evaluations = np.empty(points, np.int32), np.empty(points, np.int32)
        jacobian = np.empty((points, unknowns, unknowns))
        pointer = _pointer
        code = self._library.replica_solve_block(
            pointer(params), pointer(starts), ctypes.c_int(points), ctypes.c_int(int(chain)),
            pointer(numbers), ctypes.c_int(len(numbers)),
            pointer(x), pointer(out), pointer(residual), pointer(error), pointer(out_error),
            pointer(status), pointer(evaluations), pointer(stability), pointer(jacobian),
            pointer(cancel), *self._data, pointer(sample),
        )  # fmt: skip
        if code != 0:
            raise MemoryError("the compiled solver could not allocate its workspace.")
        return BlockResult(
            x, out, residual, error, out_error, status, evaluations, stability, jacobian
        )

    def _sample(self, settings: SolverSettings) -> Array | None:
        """Points over which averages of many variables are taken, if there are any."""
        if not self.program.sampled:
            return None
        from replica.compile.sobol import normal_points

        return normal_points(self.program.sampled, settings.samples, settings.seed)

    def map(
        self, params: Array, x: Array, fine: bool = False, settings: SolverSettings | None = None
    ) -> Array:
        """Evaluate the fixed-point map at one point, with a rule adapted there."""
        return self._evaluate("map", params, x, len(self.unknowns), fine, settings)

    def report(
        self, params: Array, x: Array, fine: bool = False, settings: SolverSettings | None = None
    ) -> Array:
        """Evaluate the outputs at one point, with a rule adapted there."""
        return self._evaluate("report", params, x, len(self.outputs), fine, settings)

    def _evaluate(
        self,
        what: str,
        params: Array,
        x: Array,
        count: int,
        fine: bool,
        settings: SolverSettings | None,
    ) -> Array:
        params = np.ascontiguousarray(params, dtype=float)
        x = np.ascontiguousarray(x, dtype=float)
        settings = settings or SolverSettings()
        if self.backend == "numpy":
            from replica.compile.reference import ReferenceSolver

            solver = ReferenceSolver(self._reference, settings)
            result: Array = getattr(solver, what)(params, x, fine=fine)
            return result
        out, numbers, sample = np.empty(count), settings.as_array(), self._sample(settings)
        getattr(self._library, f"replica_{what}")(
            _pointer(params), _pointer(x), _pointer(out), ctypes.c_int(int(fine)),
            _pointer(numbers), ctypes.c_int(len(numbers)), *self._data, _pointer(sample),
        )  # fmt: skip
        return out

    def evaluate_block(
        self,
        params: Array,
        x: Array,
        at: tuple[Array, Array],
        settings: SolverSettings | None = None,
        *,
        report: bool = False,
    ) -> Array:
        """Evaluate the map at many states on one rule: a smooth function, made for differences.

        Parameters
        ----------
        params : array, shape (points, parameters)
        x : array, shape (points, unknowns)
        at : pair of array
            Parameters and unknowns of the state at which the rule is adapted.
        settings : SolverSettings, optional
        report : bool
            Evaluate the outputs instead of the map.

        Returns
        -------
        array, shape (points, unknowns) or (points, outputs)
        """
        settings = settings or SolverSettings()
        params, x, *base = (np.ascontiguousarray(a, dtype=float) for a in (params, x, *at))
        if self.backend == "numpy":
            from replica.compile.reference import ReferenceSolver

            solver = ReferenceSolver(self._reference, settings)
            return solver.evaluate_block(params, x, base[0], base[1], report=report)
        values = np.empty((len(x), len(self.outputs if report else self.unknowns)))
        numbers, sample = settings.as_array(), self._sample(settings)
        code = self._library.replica_evaluate_block(
            _pointer(base[0]), _pointer(base[1]), _pointer(params), _pointer(x),
            ctypes.c_int(len(x)), _pointer(numbers), ctypes.c_int(len(numbers)),
            _pointer(None if report else values), _pointer(values if report else None),
            *self._data, _pointer(sample),
        )  # fmt: skip
        if code != 0:
            raise MemoryError("the compiled solver could not allocate its workspace.")
        return values

    def __reduce__(self) -> Any:
        return CompiledSystem, (self.saddle, self.backend)


def _pointer(array: NDArray[Any] | None) -> ctypes.c_void_p | None:
    return None if array is None else ctypes.c_void_p(array.ctypes.data)


def choose_backend(backend: str | None) -> str:
    """Pick the back end: the argument, ``REPLICA_BACKEND``, else C where there is a compiler."""
    chosen = backend or os.environ.get("REPLICA_BACKEND") or None
    if chosen is not None:
        if chosen not in BACKENDS:
            raise SettingsError(f"back end {chosen!r} is unknown; expected 'c' or 'numpy'.")
        return chosen
    if toolchain.find_compiler() is not None:
        return "c"
    warnings.warn(
        "No C compiler was found, so equations run in NumPy, about ten times slower; install gcc, "
        "clang or 'pip install replica-theory[compiler]'.",
        BackendWarning,
        stacklevel=4,
    )
    return "numpy"
