"""Adaptive product Gauss-Legendre cubature over boxes: NumPy twin of cubature.h.

All boxes of a generation are evaluated in one call. Also the proximal operator that centres a box,
as in vector_root.h.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from replica.compile.reference_quadrature import Quadrature, RuleMode

Array = NDArray[np.float64]
Box = tuple[Array, Array]
#: Sums of all integrands over each of several boxes: nodes of shape (dimension, boxes, nodes of a
#: box) on the unit cube and weights of shape (boxes, nodes), to sums of shape (boxes, integrands).
RegionFunction = Callable[[Array, Array], Array]

MAX_BOX = 20_000
NORMAL_CUT = 7.5  # standard deviations of an inner average
MAX_GENERATION = 60
BATCH = 2000  # boxes of one call
#: Rounding of a difference of terms near one: what is known of the square of a small one.
_ROUNDING = 1e-15
_ORDERS = {1: 16, 2: 12, 3: 8}


def box_rule(boxes: Sequence[Box]) -> tuple[Array, Array]:
    """Nodes and weights of several boxes of the unit cube."""
    lower, upper = (np.array([box[side] for box in boxes]) for side in (0, 1))
    dimension = lower.shape[1]
    nodes, weights = np.polynomial.legendre.leggauss(_ORDERS[dimension])
    size = (upper - lower) / 2
    grid = np.stack(np.meshgrid(*[nodes] * dimension, indexing="ij")).reshape(dimension, 1, -1)
    product = np.ones(())
    for _ in range(dimension):
        product = np.multiply.outer(product, weights)
    places = ((lower + upper) / 2).T[:, :, None] + size.T[:, :, None] * grid
    return places, np.prod(size, axis=1)[:, None] * product.ravel()


def _evaluate(fn: RegionFunction, boxes: Sequence[Box]) -> Array:
    parts = [fn(*box_rule(boxes[i : i + BATCH])) for i in range(0, len(boxes), BATCH)]
    return np.concatenate(parts)


def integrate_region(
    rule: Quadrature,
    k: int,
    fn: RegionFunction,
    lower: Sequence[float],
    upper: Sequence[float],
    n_integrand: int,
) -> Array:
    """Return the integrals of region ``k``."""
    if not all(map(math.isfinite, (*lower, *upper))):
        return np.full(n_integrand, np.nan)
    if any(b <= a for a, b in zip(lower, upper, strict=True)):
        return np.zeros(n_integrand)
    stored: dict[int, list[Box]] = rule.__dict__.setdefault("regions", {})
    if rule.mode is RuleMode.FROZEN and k in stored:
        return np.sum(_evaluate(fn, stored[k]), axis=0)
    total, boxes = _adaptively(rule, fn, len(lower))
    stored.pop(k, None)
    if boxes:
        stored[k] = boxes
    return total


def _adaptively(rule: Quadrature, fn: RegionFunction, dimension: int) -> tuple[Array, list[Box]]:
    boxes: list[Box] = [(np.zeros(dimension), np.ones(dimension))]
    sums = _evaluate(fn, boxes)
    kept: list[Box] = []
    total, accepted = np.zeros_like(sums[0]), np.zeros_like(sums[0])
    for generation in range(MAX_GENERATION + 1):
        scale = accepted + np.sum(np.abs(sums), axis=0)
        if not np.all(np.isfinite(scale)):
            return np.full_like(total, np.nan), []
        splits = [_halves(box, d) for box in boxes for d in range(dimension)]
        halves = _evaluate(fn, [half for pair in splits for half in pair])
        following: list[Box] = []
        following_sums: list[Array] = []
        for index, (box, coarse) in enumerate(zip(boxes, sums, strict=True)):
            first = index * dimension
            pairs = halves[2 * first : 2 * (first + dimension)].reshape(dimension, 2, -1)
            ratios = [_error(rule.tolerance, scale, coarse, *pair) for pair in pairs]
            across = int(np.argmax(ratios))
            full = len(kept) + len(boxes) - index + len(following) + 2 > MAX_BOX
            if ratios[across] > 1 and not full and generation < MAX_GENERATION:
                following += splits[first + across]
                following_sums += list(pairs[across])
                continue
            kept.append(box)
            change = np.sum(pairs, axis=(0, 1)) - dimension * coarse
            total = total + coarse + (change if rule.mode is RuleMode.FINE else 0)
            accepted = accepted + np.abs(coarse)
        if not following:
            break
        boxes, sums = following, np.array(following_sums)
    return total, kept


def _halves(box: Box, dimension: int) -> tuple[Box, Box]:
    lower, upper = box
    middle = (lower[dimension] + upper[dimension]) / 2
    left, right = upper.copy(), lower.copy()
    left[dimension] = right[dimension] = middle
    return (lower, left), (right, upper)


def _error(tolerance: float, scale: Array, coarse: Array, first: Array, second: Array) -> float:
    """Largest error of a box in units of what is allowed, relative to the whole region."""
    if not scale[0] > 1e-300:
        return 0.0
    relative = max(tolerance, 4e-15) + 1e-17 / scale[0]
    error = np.abs(coarse - first - second)
    counts = (error > 0) & (scale > 1e-300)
    rounding = _ROUNDING * math.sqrt(scale[0])
    allowed = relative * scale + rounding * (np.sqrt(scale) + rounding)
    return float(np.max(error[counts] / allowed[counts], initial=0.0))


def normal_nodes(dimension: int, axis: int) -> tuple[Array, Array]:
    """Nodes and weights of a trapezoidal sum over standard normal variables; see normal_rule.h."""
    step = 2 * NORMAL_CUT / axis
    line = (np.arange(axis) + 0.5) * step - NORMAL_CUT
    grid = np.stack(np.meshgrid(*[line] * dimension, indexing="ij")).reshape(dimension, -1)
    grid = grid[:, np.sum(grid**2, axis=0) <= NORMAL_CUT**2]
    density = (step / math.sqrt(2 * math.pi)) ** dimension
    return grid, density * np.exp(-np.sum(grid**2, axis=0) / 2)


def vector_root(evaluate: Callable[[Any], Any], spread: Any, target: Any) -> Any:
    """Solve ``v + spread grad(v) = target`` by damped Newton steps; see vector_root.h."""

    def residual(v: Any) -> tuple[Any, Any]:
        gradient, hessian = evaluate(v)
        return v - target + spread @ gradient, np.eye(len(v)) + spread @ hessian

    v = np.array(target)
    gap, matrix = residual(v)
    for _ in range(100):
        step, reach = np.linalg.solve(matrix, gap), 1.0
        size = np.linalg.norm(gap)
        for _ in range(40):
            following = v - reach * step
            gap, matrix = residual(following)
            if np.linalg.norm(gap) <= (1 - 0.25 * reach) * size:
                break
            reach /= 2
        change = np.max(np.abs(following - v) / (1 + np.abs(following)))
        v = following
        if not change > 1e-11:
            break
    return v
