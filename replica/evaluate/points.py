"""Evaluated points and the results of blocks that they fill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import BlockResult, SolveStatus
from replica.evaluate.samples import Estimate
from replica.evaluate.settings import CapacitySettings

Array = NDArray[np.float64]


@dataclass(frozen=True)
class EvaluatedPoint:
    """What one point of a block gives: its unknowns, outputs, and how they were found."""

    unknowns: list[Estimate]
    outputs: list[Estimate]
    residual: float
    evaluations: int
    sampled: bool


def mixed(ends: list[list[Estimate]], shares: tuple[float, float]) -> list[Estimate]:
    """Interpolate between two lists of estimates."""
    return [
        Estimate(
            *(shares[0] * getattr(a, n) + shares[1] * getattr(b, n) for n in ("value", "error"))
        )
        for a, b in zip(*ends, strict=True)
    ]


def inverse(load: Estimate) -> Estimate:
    """Return the capacity of a load, infinite where it vanishes."""
    if not load.value > 0:
        return Estimate(float("inf"), float("inf"))
    return Estimate(1 / load.value, load.error / load.value**2)


def blank(points: int, unknowns: int, outputs: int) -> BlockResult:
    """Return the result of a block of which no point is evaluated yet."""

    def empty(*last: int) -> Array:
        return np.full((points, *last), np.nan)

    return BlockResult(
        x=empty(unknowns), out=empty(outputs), residual=empty(), error=empty(unknowns),
        out_error=empty(outputs), status=np.full(points, SolveStatus.CANCELLED, dtype=np.int32),
        evaluations=np.zeros(points, dtype=np.int32), stability=empty(),
        jacobian=empty(unknowns, unknowns),
    )  # fmt: skip


def store(
    result: BlockResult, index: int, found: EvaluatedPoint, settings: CapacitySettings
) -> None:
    """Enter a point into the result of its block, with its status."""
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
