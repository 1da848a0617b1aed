"""The derived free entropy as a numeric function of order parameters and conjugates alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.derive.saddle_point import SaddlePoint, Unknown
from replica.progress import keep_time
from replica.solve.differences import jacobian

Array = NDArray[np.float64]
#: Differences amplify the noise of the quadrature.
FINE = SolverSettings(quadrature_tolerance=1e-14, inner_panels=6)


class FreeEntropy:
    """Free entropy of a saddle point in which the conjugates are variables like any other."""

    def __init__(self, saddle: SaddlePoint, params: Array) -> None:
        symbols = [*saddle.order_parameters, *(s for s, _ in saddle.conjugates)]
        real = (-np.inf, np.inf)
        free = dataclasses.replace(
            saddle,
            conjugates=(),
            unknowns=tuple(Unknown(s, s, real, {"uninformed": sp.S.One}) for s in symbols),
            free_entropy=saddle.free_entropy.subs(dict(saddle.constraints)),
            replicon=None,
            observables={},
        )
        self.names = [str(s) for s in symbols]
        self._signed = [str(u.symbol) for u in saddle.unknowns if u.domain[0] < 0]
        # What a field has a square root of: there is no functional below zero.
        self._positive = {str(s) for s in symbols if s.is_nonnegative}
        self._params, self._system = params, CompiledSystem(free)

    def __call__(self, point: Mapping[str, float]) -> float:
        """Evaluate at a point."""
        keep_time()
        state = np.array([point[name] for name in self.names])
        return float(self._system.report(self._params, state, False, FINE)[0])

    def gradient(
        self, point: Mapping[str, float], names: Sequence[str], settings: SolverSettings = FINE
    ) -> dict[str, float]:
        """Differentiate with respect to some variables, the others at their values."""
        if not names:
            return {}
        chosen = [self.names.index(name) for name in names]
        state = np.array([point[name] for name in self.names])

        def value(x: Array) -> Array:
            keep_time()
            state[chosen] = x
            return self._system.report(self._params, state, False, settings)

        low = np.array([0.0 if n in self._positive else -np.inf for n in names])
        slopes = jacobian(value, state[chosen].copy(), self.scales(point, names), low)[0]
        return dict(zip(names, map(float, slopes), strict=True))

    def scales(self, point: Mapping[str, float], names: Sequence[str]) -> Array:
        """Least scale of every variable for differences.

        Signed order parameters may lie near zero; the others are their own scale, if not zero.
        """
        return np.array([
            1e-2 if name in self._signed or abs(point[name]) < 1e-9 else 0.0 for name in names
        ])  # fmt: skip
