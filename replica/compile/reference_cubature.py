"""Adaptive product Gauss-Legendre cubature over boxes: NumPy twin of cubature.h."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from replica.compile.reference_quadrature import Quadrature, RuleMode

Array = NDArray[np.float64]
Box = tuple[Array, Array]
RegionFunction = Callable[[Array, Array], Array]

MAX_BOX = 20_000
MAX_GENERATION = 60
_ORDERS = {1: 16, 2: 12, 3: 8}


def box_rule(lower: Array, upper: Array) -> tuple[Array, Array]:
    """Nodes, one row a dimension, and weights of one box of the unit cube."""
    nodes, weights = np.polynomial.legendre.leggauss(_ORDERS[len(lower)])
    size = (upper - lower) / 2
    axes = [c + h * nodes for c, h in zip((lower + upper) / 2, size, strict=True)]
    grid = np.meshgrid(*axes, indexing="ij")
    product = np.ones(())
    for h in size:
        product = np.multiply.outer(product, h * weights)
    return np.array([g.ravel() for g in grid]), product.ravel()


def integrate_region(
    rule: Quadrature,
    k: int,
    fn: RegionFunction,
    lower: Sequence[float],
    upper: Sequence[float],
    n_integrand: int,
) -> Array:
    """Return the integrals of region ``k``; ``fn`` sums over given nodes of the unit cube."""
    if not all(map(math.isfinite, (*lower, *upper))):
        return np.full(n_integrand, np.nan)
    if any(b <= a for a, b in zip(lower, upper, strict=True)):
        return np.zeros(n_integrand)
    stored: dict[int, list[Box]] = rule.__dict__.setdefault("regions", {})
    if rule.mode is RuleMode.FROZEN and k in stored:
        return np.sum([fn(*box_rule(*box)) for box in stored[k]], axis=0)
    total, boxes = _adaptively(rule, fn, len(lower))
    stored.pop(k, None)
    if boxes:
        stored[k] = boxes
    return total


def _adaptively(rule: Quadrature, fn: RegionFunction, dimension: int) -> tuple[Array, list[Box]]:
    whole = np.zeros(dimension), np.ones(dimension)
    now = [(whole, fn(*box_rule(*whole)))]
    kept: list[Box] = []
    total, accepted = np.zeros_like(now[0][1]), np.zeros_like(now[0][1])
    for generation in range(MAX_GENERATION + 1):
        scale = accepted + sum(np.abs(sums) for _, sums in now)
        if not np.all(np.isfinite(scale)):
            return np.full_like(total, np.nan), []
        following: list[tuple[Box, Array]] = []
        for index, (box, coarse) in enumerate(now):
            splits = [_halves(box, d) for d in range(dimension)]
            sums = [[fn(*box_rule(*half)) for half in pair] for pair in splits]
            ratios = [_error(rule.tolerance, scale, coarse, *pair) for pair in sums]
            across = int(np.argmax(ratios))
            full = len(kept) + len(now) - index + len(following) + 2 > MAX_BOX
            if ratios[across] > 1 and not full and generation < MAX_GENERATION:
                following += list(zip(splits[across], sums[across], strict=True))
                continue
            kept.append(box)
            change = sum(first + second - coarse for first, second in sums)
            total = total + coarse + (change if rule.mode is RuleMode.FINE else 0)
            accepted = accepted + np.abs(coarse)
        if not following:
            break
        now = following
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
    return float(np.max(error[counts] / (relative * scale[counts]), initial=0.0))
