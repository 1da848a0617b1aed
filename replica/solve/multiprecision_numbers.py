"""Numbers with mpmath: functions that it lacks, quadrature of vectors, sign changes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from mpmath import mp
from mpmath.calculus.quadrature import GaussLegendre

#: Panels are bisected until two halves agree with the whole to this share of the digits; the
#: halves themselves are then about twice as accurate.
_AGREEMENT = 0.7
_MAX_PANELS = 3000
_SAMPLES = 64


def sign_changes(
    function: Callable[[Any], list[Any]], count: int, low: Any, high: Any
) -> list[tuple[int, Any]]:
    """Index and position of the sign changes of several functions: exact for linear ones."""
    middle = (low + high) / 2
    left, centre, right = function(low), function(middle), function(high)
    tiny = mp.mpf(10) ** (3 - mp.dps)
    found: list[tuple[int, Any]] = []
    curved = []
    for i in range(count):
        scale = abs(left[i]) + abs(centre[i]) + abs(right[i])
        if abs(left[i] + right[i] - 2 * centre[i]) > tiny * scale:
            curved.append(i)
        elif left[i] * right[i] < 0:
            found.append((i, low - left[i] * (high - low) / (right[i] - left[i])))
    if not curved:
        return found
    grid = [low + (high - low) * k / _SAMPLES for k in range(_SAMPLES + 1)]
    values = [function(z) for z in grid]
    for i in curved:
        for k in range(_SAMPLES):
            if values[k][i] == 0:
                found.append((i, grid[k]))
            elif values[k][i] * values[k + 1][i] < 0:
                ends, heights = (grid[k], grid[k + 1]), (values[k][i], values[k + 1][i])
                root = _root(function, i, ends, heights)
                found.append((i, root))
    return found


def _root(
    function: Callable[[Any], list[Any]],
    index: int,
    bracket: tuple[Any, Any],
    values: tuple[Any, Any],
) -> Any:
    """Find a root of one component by false position; an end that stays loses half its weight."""
    (a, b), (at_a, at_b) = bracket, values
    least = mp.mpf(10) ** (3 - mp.dps)
    for _ in range(20 * mp.dps):
        c = (a * at_b - b * at_a) / (at_b - at_a)
        at_c = function(c)[index]
        if at_c == 0:
            return c
        a, at_a = (b, at_b) if at_c * at_b < 0 else (a, at_a / 2)
        b, at_b = c, at_c
        if abs(b - a) <= least * (1 + abs(b)):
            break
    return b


def integrate(integrand: Callable[[Any], list[Any]], splits: Sequence[Any]) -> list[Any]:
    """Integrate a vector over panels between the given points, bisected until they agree."""
    rule = _rule(mp.prec)
    tolerance = mp.mpf(10) ** (-_AGREEMENT * mp.dps)

    def panel(a: Any, b: Any) -> tuple[list[Any], list[Any]]:
        middle, half = (a + b) / 2, (b - a) / 2
        columns = []
        for t, weight in rule:
            factor = half * weight
            columns.append([factor * value for value in integrand(middle + half * t)])
        rows = list(zip(*columns, strict=True))
        return [mp.fsum(row) for row in rows], [mp.fsum(row, absolute=True) for row in rows]

    pending = [(a, b, panel(a, b)) for a, b in itertools.pairwise(splits)]
    size = [mp.fsum(column) for column in zip(*(p[2][1] for p in pending), strict=True)]
    total = [mp.zero] * len(size)
    count = 0
    while pending:
        a, b, (whole, _) = pending.pop()
        middle = (a + b) / 2
        first, second = panel(a, middle), panel(middle, b)
        halves = [x + y for x, y in zip(first[0], second[0], strict=True)]
        size = [max(s, x + y) for s, x, y in zip(size, first[1], second[1], strict=True)]
        agree = all(
            abs(x - y) <= tolerance * s for x, y, s in zip(whole, halves, size, strict=True)
        )
        count += 1
        if agree or count > _MAX_PANELS or any(map(mp.isnan, halves)):
            total = [x + y for x, y in zip(total, halves, strict=True)]
        else:
            pending += [(a, middle, first), (middle, b, second)]
    return total


def integrate_analytic(integrand: Callable[[Any], list[Any]], reach: Any) -> list[Any] | None:
    """Integrate a vector that decays within ``[-reach, reach]`` by the trapezoidal rule.

    For analytic integrands every halving of the step squares the error.

    Returns
    -------
    list or None
        None where halving does not converge, so that panels are the better choice.
    """
    step = reach / 24
    values = [integrand(k * step) for k in range(-24, 25)]
    total = [step * mp.fsum(row) for row in zip(*values, strict=True)]
    tolerance = mp.mpf(10) ** (-_AGREEMENT * mp.dps)
    for count in (24, 48, 96):
        between = [integrand((k + mp.mpf("0.5")) * step) for k in range(-count, count)]
        values += between
        size = [step * mp.fsum(row, absolute=True) for row in zip(*values, strict=True)]
        finer = [
            (old + step * mp.fsum(row)) / 2
            for old, row in zip(total, zip(*between, strict=True), strict=True)
        ]
        error = [abs(a - b) / s for a, b, s in zip(total, finer, size, strict=True) if s]
        if any(map(mp.isnan, error)):
            return finer
        total, step = finer, step / 2
        worst = max(error, default=mp.zero)
        if worst <= tolerance:
            return total
        if worst > 0.01:
            return None
    return None


@cache
def _rule(precision: int) -> list[tuple[Any, Any]]:
    """Gauss-Legendre nodes and weights on [-1, 1]: 24 nodes, 48 beyond 25 digits."""
    degree = 4 if precision < 86 else 5
    return sorted(GaussLegendre(mp).calc_nodes(degree, precision))
