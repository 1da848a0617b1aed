"""An action with its parameters and data: numbers for value, gradient, curvature, observables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica.compile.action.coordinates import Coordinates
from replica.compile.action.program import MatrixProgram
from replica.derive.action import ActionSaddlePoint
from replica.kernels.features import PathFeatures, directions_at_once

Array = NDArray[np.float64]
#: Disturbed evaluations from which the size of rounding errors is estimated, and a margin for
#: having so few of them.
_SAMPLES, _MARGIN = 3, 10.0


class ActionPrograms:
    """The programs of a saddle point, for given data; one for all parameters.

    ``largest`` is the number of rows of the largest matrix in the action.
    """

    def __init__(
        self, saddle: ActionSaddlePoint, features: Mapping[str, PathFeatures],
        arrays: Mapping[str, Array], sizes: Mapping[Any, int], symbols: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.coordinates = Coordinates([o.symbol for o in saddle.order_parameters])
        self.directions = saddle.directions
        self.data = {symbols[name]: array for name, array in arrays.items()}
        matrices = saddle.action.atoms(sp.Inverse, sp.MatrixSymbol)
        self.largest = max((int(m.shape[0].subs(sizes)) for m in matrices), default=1)
        gradients = list(saddle.gradient.values())
        self.value = MatrixProgram([saddle.action], sizes, features)
        self.first = MatrixProgram([saddle.action, *gradients], sizes, features)
        second = [*gradients, *saddle.curvature.values()]
        self.second = MatrixProgram(second, sizes, features, list(self.directions.values()))
        terms = [g.args if g.is_Add or g.is_MatAdd else (g,) for g in gradients]
        self.term_counts = [len(t) for t in terms]
        self.terms = MatrixProgram([t for group in terms for t in group], sizes, features)
        self.observables = MatrixProgram(list(saddle.observables.values()), sizes, features)


class ActionProblem:
    """An action of coordinates at one point, for a minimiser and its certificate."""

    def __init__(self, programs: ActionPrograms, parameters: Mapping[Any, float]) -> None:
        self._programs = programs
        self._fixed = {**parameters, **programs.data}
        self.coordinates = programs.coordinates
        self.evaluations = 0

    def inputs(self, theta: Array) -> dict[Any, Any]:
        """Return the value of every symbol."""
        return {**self._fixed, **self.coordinates.values(theta)}

    def value(self, theta: Array) -> float:
        """Return the action."""
        return float(self._programs.value(self.inputs(theta))[0])

    def gradient(
        self, theta: Array, noise: np.random.Generator | None = None
    ) -> tuple[float, Array]:
        """Return the action and its gradient in the coordinates.

        Raises
        ------
        NotPositiveError
        """
        self.evaluations += 1
        action, *gradients = self._programs.first(self.inputs(theta), noise)
        by_symbol = dict(zip(self.coordinates.symbols, gradients, strict=True))
        return float(action), self.coordinates.gradient(theta, by_symbol)

    def hessian(self, theta: Array) -> Array:
        """Return the Hessian in the coordinates."""
        size = self.coordinates.size
        at_once = directions_at_once(self._programs.largest)
        rows = np.empty((size, size))
        known: dict[int, Any] = {}
        for first in range(0, size, at_once):
            last = min(first + at_once, size)
            changes = self.coordinates.directions(theta, first, last)
            inputs = self.inputs(theta)
            inputs |= {self._programs.directions[s]: c for s, c in changes.items()}
            found = self._programs.second(inputs, known=known)
            count = len(self.coordinates.symbols)
            gradients, slopes = (
                dict(zip(self.coordinates.symbols, part, strict=True))
                for part in (found[:count], found[count:])
            )
            rows[first:last] = self.coordinates.curvature(theta, gradients, slopes, first, last)
        return (rows + rows.T) / 2

    def rounding(self, theta: Array, seed: int = 0) -> Array:
        """Return samples of what rounding does to the gradient, shape (samples, coordinates).

        Every matrix that is factorised is disturbed by its backward error, and every term of the
        gradient by its last digit.
        """
        random = np.random.default_rng(seed)
        _, plain = self.gradient(theta)
        last_digit = np.finfo(float).eps * self._magnitude(theta)
        samples = [self.gradient(theta, random)[1] - plain for _ in range(_SAMPLES)]
        signs = random.choice([-1.0, 1.0], size=(_SAMPLES, len(theta)))
        return _MARGIN * (np.array(samples) + signs * last_digit)

    def _magnitude(self, theta: Array) -> Array:
        """Return the largest term of each component of the gradient."""
        values = iter(self._programs.terms(self.inputs(theta)))
        total = np.zeros(len(theta))
        groups = [[next(values) for _ in range(count)] for count in self._programs.term_counts]
        for terms in zip(*_padded(groups), strict=True):
            by_symbol = dict(zip(self.coordinates.symbols, terms, strict=True))
            total = np.maximum(total, np.abs(self.coordinates.gradient(theta, by_symbol)))
        return total

    def observables(self, theta: Array, noise: np.random.Generator | None = None) -> list[float]:
        """Return the declared observables."""
        return [float(v) for v in self._programs.observables(self.inputs(theta), noise)]


def _padded(groups: list[list[Any]]) -> list[list[Any]]:
    """Give all order parameters the same number of terms, by zeros."""
    longest = max(map(len, groups))
    return [
        [*terms, *(np.zeros_like(terms[0]) for _ in range(longest - len(terms)))]
        for terms in groups
    ]
