"""Adaptive composite Gauss-Legendre quadrature of vector integrands: NumPy twin of quadrature.h.

A rule is a list of panels, stored as nodes and weights on the unit interval, so that it can stay
frozen while the end points of its segment move with the unknowns.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings

Array = NDArray[np.float64]
SegmentFunction = Callable[[float, float, Array, Array], Array]

ORDER = 16
START_PANELS = 2
MAX_PANEL = 2000
MAX_BISECTION = 30
MAX_FEATURE = 64
MAX_BREAKPOINT = 512
MAX_INNER_PANEL = 64
_NODES, _WEIGHTS = (values / 2 for values in np.polynomial.legendre.leggauss(ORDER))


class RuleMode(Enum):
    """What an integration does with the stored rules."""

    ADAPT = "build the rule of each segment at the present state, then use it"
    FROZEN = "use the stored rule; build it where there is none"
    FINE = "as ADAPT, but integrate on the bisected panels, with the inner rule doubled"


class _Panel(NamedTuple):
    left: float
    right: float
    parent: float  # error of the parent in units of its allowance
    sums: Array


def panel_rule(left: float, right: float) -> tuple[Array, Array]:
    """Return nodes and weights of one Gauss-Legendre panel."""
    return 0.5 * (left + right) + (right - left) * _NODES, (right - left) * _WEIGHTS


def uniform_rule(panels: int) -> tuple[Array, Array]:
    """Return nodes and weights of equal panels on [0, 1]."""
    rules = [panel_rule(j / panels, (j + 1) / panels) for j in range(panels)]
    return np.concatenate([t for t, _ in rules]), np.concatenate([w for _, w in rules])


def starting_edges(a: float, b: float, features: Sequence[tuple[float, float]]) -> list[float]:
    """Return the panel edges on [0, 1] from which bisection starts.

    Around a feature of centre c and width d they lie at c and c +- d {2, 8, 32, ...}; a wide
    neighbour gives way to a narrow one.
    """
    points: list[tuple[float, float]] = []
    for location, extent in features[:MAX_FEATURE]:
        centre, width = (location - a) / (b - a), abs(extent) / (b - a)
        if not (math.isfinite(centre) and width < 0.25):
            continue
        points.append((width, centre))
        if width < 1e-15:
            continue
        distance, reach = 2 * width, max(abs(centre), abs(1 - centre))
        while distance < reach:
            sides = (centre - distance, centre + distance)
            points += [(distance, position) for position in sides if 0 < position < 1]
            distance *= 4
    points += [(1 / START_PANELS, k / START_PANELS) for k in range(1, START_PANELS)]
    points = points[:MAX_BREAKPOINT]
    edges = [0.0, 1.0]
    for size, position in sorted(points, key=lambda point: point[0]):
        at = int(np.searchsorted(edges, position))
        if at == 0 or at == len(edges):
            continue
        gap = max(0.4 * size, 1e-15)
        if position - edges[at - 1] >= gap and edges[at] - position >= gap:
            edges.insert(at, position)
    return edges


@dataclass
class Quadrature:
    """Rules of all segments of a system, at a tolerance relative to each segment."""

    tolerance: float
    inner_panels: int
    samples: int
    seed: int

    def __post_init__(self) -> None:
        self._segments: dict[int, tuple[Array, Array]] = {}
        self.mode = RuleMode.ADAPT
        self.lost = False  # a measure was narrower than the numbers around it can tell
        self.width = 0  # components of the points of a sample
        self.replicate: int | None = None  # of a sample, the only one that is used
        self.set_inner(self.inner_panels)

    @classmethod
    def of(cls, settings: SolverSettings) -> Quadrature:
        """Return the rules that a solve with these settings starts from."""
        s = settings
        return cls(s.quadrature_tolerance, s.inner_panels, s.samples, s.seed)

    def set_inner(self, panels: int) -> None:
        """Set the number of panels of nested integrals."""
        self.inner_panels = min(panels, MAX_INNER_PANEL)
        self._inner = uniform_rule(self.inner_panels), uniform_rule(2 * self.inner_panels)
        self.set_mode(self.mode)

    def set_mode(self, mode: RuleMode) -> None:
        """Choose what the next integrations do."""
        self.mode = mode
        self.inner_t, self.inner_w = self._inner[mode is RuleMode.FINE]

    def integrate(
        self,
        k: int,
        fn: SegmentFunction,
        a: float,
        b: float,
        features: Sequence[tuple[float, float]],
        n_integrand: int,
    ) -> Array:
        """Return the integrals of segment ``k`` over [a, b]; integrand 0 is the density."""
        a, b = float(a), float(b)
        if not (math.isfinite(a) and math.isfinite(b)):
            return np.full(n_integrand, np.nan)
        if b <= a:
            return np.zeros(n_integrand)
        if self.mode is RuleMode.FROZEN and k in self._segments:
            return np.asarray(fn(a, b, *self._segments[k]))
        return self._integrate_adaptively(k, fn, a, b, features)

    def notice_measure(self, sums: Array) -> Array:
        """Return the sums of a whole measure: NaN in results if nothing of the measure was met.

        An iteration may pass such a place.
        """
        if sums[0] != 0:
            return sums
        self.lost = True
        return np.full_like(sums, np.nan) if self.mode is RuleMode.FINE else sums

    def _integrate_adaptively(
        self,
        k: int,
        fn: SegmentFunction,
        a: float,
        b: float,
        features: Sequence[tuple[float, float]],
    ) -> Array:
        def evaluate(left: float, right: float, parent: float = 0.0) -> _Panel:
            return _Panel(left, right, parent, np.asarray(fn(a, b, *panel_rule(left, right))))

        edges = starting_edges(a, b, features)
        now = [evaluate(*pair) for pair in itertools.pairwise(edges)]
        kept: list[tuple[float, float]] = []
        total, accepted = np.zeros_like(now[0].sums), np.zeros_like(now[0].sums)
        for generation in range(MAX_BISECTION + 1):
            scale = accepted + sum(np.abs(panel.sums) for panel in now)
            if not np.all(np.isfinite(scale)):  # no rule is stored: the next evaluation builds it
                self._segments.pop(k, None)
                return total + sum(panel.sums for panel in now)
            following: list[_Panel] = []
            group = 1 if generation == 0 else 2  # siblings are judged together
            for start in range(0, len(now), group):
                panels = now[start : start + group]
                halves = [
                    (evaluate(left, 0.5 * (left + right)), evaluate(0.5 * (left + right), right))
                    for left, right, *_ in panels
                ]
                ratios = [
                    self._error(scale, panel, *pair)
                    for panel, pair in zip(panels, halves, strict=True)
                ]
                # A small error that bisection reduces on neither side is round-off.
                parent = panels[0].parent
                noise = group == 2 and min(ratios) > 1 and parent * self.tolerance < 1e-8
                noise = noise and sum(ratios) > 0.25 * parent
                for panel, (first, second), ratio in zip(panels, halves, ratios, strict=True):
                    count = len(kept) + len(now) - start + len(following) + 2
                    full = count > MAX_PANEL or generation == MAX_BISECTION
                    if ratio > 1 and not noise and not full:
                        following += [first._replace(parent=ratio), second._replace(parent=ratio)]
                        continue
                    kept.append((panel.left, panel.right))
                    fine = first.sums + second.sums
                    total += fine if self.mode is RuleMode.FINE else panel.sums
                    accepted += np.abs(fine)
            if not following:
                break
            now = following
        rules = [panel_rule(*pair) for pair in kept]
        nodes, weights = zip(*rules, strict=True)
        self._segments[k] = np.concatenate(nodes), np.concatenate(weights)
        return total

    def _error(self, scale: Array, panel: _Panel, first: _Panel, second: _Panel) -> float:
        """Return the largest error of a panel in units of what is allowed.

        The allowance is relative to the segment, and grows where the segment carries almost
        nothing of the measure: the far tails of special functions are noisy.
        """
        relative = self.tolerance + 1e-17 / scale[0] if scale[0] > 1e-300 else math.inf
        error = np.abs(panel.sums - first.sums - second.sums)
        size = np.maximum(scale, np.abs(first.sums) + np.abs(second.sums))
        counts = (error > 0) & (size > 1e-300)
        return float(np.max(error[counts] / (relative * size[counts]), initial=0.0))
