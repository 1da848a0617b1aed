"""Solve: one capacity, as a solution that says how it was evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from replica.declare.manifolds import Manifolds
from replica.declare.shapes import L1Ball, PointCloud
from replica.errors import ConvergenceError
from replica.evaluate.settings import CapacitySettings
from replica.evaluate.system import CapacitySystem
from replica.solve.point import parameter_values
from replica.solve.solution import Solution, make_solution


@dataclass(frozen=True)
class CapacitySolution(Solution):
    """A capacity with its error.

    Attributes
    ----------
    method : str
        ``"quadrature"`` (errors are bounds) or ``"sampling"`` (errors are standard errors).
    samples, seed : int or None
        Of the sample, where there is one.
    notes : tuple of str
        What the reader must know to use the numbers.
    """

    method: str = "quadrature"
    samples: int | None = None
    seed: int | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings, for JSON."""
        own = {name: getattr(self, name) for name in ("method", "samples", "seed")}
        return {**super().to_dict(), **own, "notes": list(self.notes)}

    def __str__(self) -> str:
        lines = super().__str__().splitlines()
        if self.method == "sampling":
            del lines[-2]  # the last line says more
            lines[-1] = (
                f"  residual {self.residual:.1e}, {self.samples} samples, seed {self.seed}; "
                "errors are standard errors"
            )
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def capacity_system(model: Any) -> CapacitySystem:
    """Return what evaluates the equation of a model."""
    return CapacitySystem(model, model.saddle_point())


def solve_capacity(
    name: str,
    system: CapacitySystem,
    given: Mapping[str, float],
    settings: CapacitySettings | None = None,
    throw: bool = True,
) -> CapacitySolution:
    """Evaluate one capacity.

    Raises
    ------
    ParameterError
        If a parameter is unknown, or has a value outside its domain.
    ConvergenceError
        If the error is larger than asked for and ``throw`` is set; it carries the solution.
    """
    values = parameter_values(system.saddle.parameters, given)
    settings = CapacitySettings() if settings is None else settings
    row = np.array([[values[n] for n in system.parameters]], dtype=float)
    system.require({system.saddle.parameters[n]: v for n, v in values.items()})
    result = system.solve_block(row, settings=settings)
    plain = make_solution(name, values, system, result, 0, "convex")
    sampled = system.is_sampled(row[0], plain["alpha"])
    solution = CapacitySolution(
        **{f.name: getattr(plain, f.name) for f in fields(plain) if f.name != "sampled"},
        sampled=sampled,
        method="sampling" if sampled else "quadrature",
        samples=settings.samples if sampled else None,
        seed=settings.seed if sampled else None,
        notes=_notes(system.model, float(system.margin(row[0]))),
    )
    if throw and not solution.converged:
        where = ", ".join(f"{k}={v:g}" for k, v in values.items()) or "its declaration"
        wanted = (
            f"{settings.standard_error:g} (raise samples)"
            if sampled
            else f"{settings.tolerance:g} (raise tolerance)"
        )
        raise ConvergenceError(
            f"model {name} at {where}: the capacity {solution['alpha']:g} has the error "
            f"{solution.error['alpha']:.1e}, relative to it more than {wanted}.",
            solution,
        )
    return solution


def _notes(model: Manifolds, margin: float) -> tuple[str, ...]:
    notes = []
    if margin < 0:
        notes.append("below a margin of zero this is an upper bound, not the capacity.")
    if model.weights is not None and model.weights.rank != 1:
        notes.append("matrices of low rank are not convex: below full rank this is an upper bound.")
    if model.contexts is not None and model.centre_correlation != 0:
        notes.append("context vectors are taken to be orthogonal to what the centres share.")
    if isinstance(model.shape, PointCloud) and model.shape.has_duplicates:
        notes.append(
            "some points are equal: the capacity is right, anchor points are not unique, so that "
            "radius and dimension depend on which is chosen."
        )
    if isinstance(model.shape, L1Ball):
        notes.append("radius and dimension are sampled; the capacity without margin is not.")
    return tuple(notes)
