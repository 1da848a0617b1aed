"""Settings of the solver, the ways a solve can end, and the arrays that a solved block returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from replica.errors import SettingsError

Array = NDArray[np.float64]


class SolveStatus(IntEnum):
    """How a solve ended, as the back ends return it; `replica.Status` says it in a sentence."""

    CONVERGED = 0
    NOT_CONVERGED = 1
    DIVERGED = 2
    AT_BOUNDARY = 3
    CANCELLED = 4
    NOT_CERTIFIED = 5


@dataclass(frozen=True)
class SolverSettings:
    """Settings of the fixed-point iteration and of its quadrature.

    Parameters
    ----------
    tolerance : float
        Scaled residual ``max_i |F_i - x_i| / |x_i|`` of the undamped map at which the iteration
        stops; an unknown that may cross zero is measured against at least 0.01, or 1 % of its
        natural size (that of the field) where that is larger than 1.
    certified_tolerance : float
        Largest error of an unknown, on the same scale, with which a solution counts as converged.
    damping : float
        Share of the old value that a damped step keeps: 0 is the plain iteration, 0.9 keeps 90 %.
        The step is shortened further where the iteration oscillates.
    max_evaluations : int
        Evaluations of the map after which the iteration gives up.
    acceleration : bool
        Allow Anderson steps; they never change the branch that damping finds.
    newton : bool
        Allow Newton steps along the damped flow.
    quadrature_tolerance : float
        Error of a quadrature panel relative to its integral; tightened as the certificate asks.
    inner_panels : int
        Panels of 16 nodes for nested integrals, at first.
    max_refinements : int
        How often the quadrature may be refined until the certificate is met.
    samples : int
        Points of averages over more than three variables, in 16 replicates whose spread gives a
        standard error.
    seed : int
        Of these points; they are the same at every evaluation.

    Raises
    ------
    SettingsError
        A value is outside its range.
    """

    tolerance: float = 1e-12
    certified_tolerance: float = 1e-10
    damping: float = 0.5
    max_evaluations: int = 20_000
    acceleration: bool = True
    newton: bool = True
    quadrature_tolerance: float = 1e-12
    inner_panels: int = 4
    max_refinements: int = 4
    samples: int = 16_384
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("tolerance", "certified_tolerance", "quadrature_tolerance"):
            self._require(name, 0 < self._number(name) < 1, "a number between 0 and 1")
        self._require("damping", 0 <= self._number("damping") < 1, "a number in [0, 1)")
        for name, least, most in (
            ("max_evaluations", 1, 10**8), ("inner_panels", 1, 64), ("max_refinements", 0, 20),
            ("samples", 1024, 2**24), ("seed", 0, 2**53),
        ):  # fmt: skip
            value = self._number(name)
            in_range = value == int(value) and least <= value <= most
            self._require(name, in_range, f"an integer from {least} to {most}")
        self._require("samples", int(self.samples).bit_count() == 1, "a power of two")
        for name in ("acceleration", "newton"):
            value = getattr(self, name)
            self._require(name, isinstance(value, (bool, np.bool_)), "True or False")

    def _number(self, name: str) -> float:
        value = getattr(self, name)
        is_number = isinstance(value, (int, float, np.integer, np.floating))
        is_number = is_number and not isinstance(value, bool) and math.isfinite(value)
        self._require(name, is_number, "a finite number")
        return float(value)

    def _require(self, name: str, condition: bool, expected: str) -> None:
        if not condition:
            raise SettingsError(f"{name} must be {expected}, not {getattr(self, name)!r}.")

    def as_array(self) -> Array:
        """Return the values in the order that the compiled solver reads."""
        return np.array([float(getattr(self, field.name)) for field in fields(self)])


@dataclass(frozen=True)
class BlockResult:
    """Solutions of a block of B points with N unknowns and M outputs.

    Attributes
    ----------
    x : array, shape (B, N)
        Fixed points, or where the iteration stopped.
    out : array, shape (B, M)
        Outputs at ``x``.
    residual : array, shape (B,)
        Scaled residual of the undamped map when the iteration stopped.
    error, out_error : arrays, shapes (B, N) and (B, M)
        Estimated absolute errors of ``x`` and ``out``; NaN where there is no fixed point.
    status : int array, shape (B,)
        Values of `SolveStatus`.
    evaluations : int array, shape (B,)
        Evaluations of the map.
    stability : array, shape (B,)
        Largest real part of the eigenvalues of the Jacobian; the damped iteration leaves the fixed
        point if it exceeds 1.
    jacobian : array, shape (B, N, N)
        ``jacobian[b, i, j]`` is the derivative of ``F_i`` with respect to ``x_j``.
    """

    x: Array
    out: Array
    residual: Array
    error: Array
    out_error: Array
    status: NDArray[np.int32]
    evaluations: NDArray[np.int32]
    stability: Array
    jacobian: Array
