"""The saddle-point equations of a phase as smooth functions of a state."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.solve.differences import STEP, derivatives

Array = NDArray[np.float64]
#: Least scale of an unknown or a parameter that may cross zero.
CROSSING = 1e-2
#: Quadrature tolerance of equations that are differentiated twice.
_TIGHT = 1e-14
#: An unknown below this size counts as zero, if the equations keep it there.
ZERO = 1e-12
#: What is smaller has no scale of its own.
_NOTHING = 1e-100
#: Least scale of a positive unknown: a variance of 1e-40 has no influence, and to follow it in
#: relative steps would take hundreds of them.
_TINY = 1e-16
#: Relative changes of a parameter under which a symmetry is to be kept.
_CHANGES = (0.05, -0.05)


class Equations:
    """Equations ``F(x; p) - x = 0`` of one phase at free parameters.

    A state is an array: the unknowns that are not zero by symmetry, then the free parameters.

    Parameters
    ----------
    model : str
    system : CompiledSystem
    values : mapping
        Values of all parameters; those of the free ones are ignored.
    free : sequence of str
    settings : SolverSettings, optional
    zeros : sequence of int
        Unknowns that a symmetry of the phase keeps at zero.
    """

    def __init__(
        self,
        model: str,
        system: CompiledSystem,
        values: Mapping[str, float],
        free: Sequence[str],
        settings: SolverSettings | None = None,
        zeros: Sequence[int] = (),
    ) -> None:
        self.model, self.system, self.free = model, system, tuple(free)
        self.values = dict(values)
        given = settings or SolverSettings()
        tight = min(given.quadrature_tolerance, _TIGHT)
        self.settings = dataclasses.replace(given, quadrature_tolerance=tight)
        self.zeros = tuple(zeros)
        self.kept = [i for i in range(len(system.unknowns)) if i not in self.zeros]
        self.size = len(self.kept)
        self._base = np.array([values[name] for name in system.parameters])
        self._at = [system.parameters.index(name) for name in free]
        domains = np.array(system.program.domains, dtype=float).reshape(-1, 2)
        ranges = np.array([system.saddle.parameters[name].domain for name in free], dtype=float)
        self.domain_x, self.domain_p = domains.T, ranges.reshape(-1, 2).T
        self.low = np.append(self.domain_x[0][self.kept], self.domain_p[0])
        self.high = np.append(self.domain_x[1][self.kept], self.domain_p[1])

    def like(self, free: Sequence[str], values: Mapping[str, float] | None = None) -> Equations:
        """Return the same equations with other free parameters or values."""
        given = self.values if values is None else values
        return Equations(self.model, self.system, given, free, self.settings, self.zeros)

    def released(self, zeros: Sequence[int]) -> Equations:
        """Return the same equations with fewer unknowns kept at zero."""
        return Equations(self.model, self.system, self.values, self.free, self.settings, zeros)

    def refined(self) -> Equations:
        """Return the same equations on a finer quadrature."""
        finer = dataclasses.replace(
            self.settings,
            quadrature_tolerance=max(1e-2 * self.settings.quadrature_tolerance, 1e-16),
            inner_panels=min(2 * self.settings.inner_panels, 64),
        )
        return Equations(self.model, self.system, self.values, self.free, finer, self.zeros)

    # -- states ------------------------------------------------------------------------------

    def split(self, states: Array) -> tuple[Array, Array]:
        """Return parameters and unknowns, ``(B, parameters)`` and ``(B, unknowns)``."""
        params = np.repeat(self._base[None], len(states), axis=0)
        params[:, self._at] = states[:, self.size :]
        x = np.zeros((len(states), len(self.system.unknowns)))
        x[:, self.kept] = states[:, : self.size]
        return params, x

    def state(self, x: Array, parameters: Mapping[str, float]) -> Array:
        """Return the state of unknowns and parameters."""
        return np.append(x[self.kept], [parameters[name] for name in self.free])

    def units(self, state: Array) -> Array:
        """Return the scale of each entry of a state."""
        least = np.where(np.arange(len(state)) < self.size, _TINY, 1e-300)
        crosses = (self.low < 0) | (np.abs(state) < _NOTHING)
        return np.maximum(np.abs(state), np.where(crosses, CROSSING, least))

    def accuracy_units(self, state: Array) -> Array:
        """Return the scale against which the accuracy of each entry of a state is judged."""
        least = [accuracy_scale(self.system, name) for name in self.free]
        return np.maximum(self.units(state), np.append(np.zeros(self.size), least))

    def on(self, state: Array, fine: bool = False) -> Rule:
        """Return the equations on a quadrature rule that is adapted at a state.

        With ``fine``, the rule is finer and differences have half the step, for estimates of error.
        """
        return Rule(self, state, fine)

    def fine(self, state: Array) -> Array:
        """Evaluate the excess ``F(x) - x`` on the bisected rule."""
        params, x = self.split(state[None])
        image = self.system.map(params[0], x[0], True, self.settings)
        return np.asarray(image[self.kept] - state[: self.size])

    def broken(self, state: Array) -> float:
        """Return how far the equations move the unknowns that a symmetry keeps at zero."""
        params, x = self.split(state[None])
        image = self.system.map(params[0], x[0], False, self.settings)
        return float(np.max(np.abs(image[list(self.zeros)]), initial=0.0))


class Rule:
    """Equations on one quadrature rule: functions of many states at once."""

    def __init__(self, equations: Equations, state: Array, fine: bool = False) -> None:
        self.equations, self.base = equations, state
        self.settings, self._share = equations.settings, 1.0
        if fine:
            panels = min(2 * self.settings.inner_panels, 64)
            self.settings = dataclasses.replace(
                self.settings, quadrature_tolerance=1e-16, inner_panels=panels
            )
            self._share = 0.5
        params, x = equations.split(state[None])
        self._at = params[0], x[0]
        crosses = (equations.domain_x[0] < 0) | (np.abs(x[0]) < _NOTHING)
        full = np.where(crosses, CROSSING, _TINY)
        self._steps = self._share * STEP * np.maximum(np.abs(x[0]), full)

    def images(self, params: Array, x: Array) -> Array:
        """Return ``F(x; p)`` at many points."""
        return self.equations.system.evaluate_block(params, x, self._at, self.settings)

    def excess(self, states: Array) -> Array:
        """Return ``F(x) - x`` of the unknowns that are not zero by symmetry."""
        images = self.images(*self.equations.split(states))
        return images[:, self.equations.kept] - states[:, : self.equations.size]

    def reports(self, states: Array) -> Array:
        """Return the outputs, one row a state."""
        params, x = self.equations.split(states)
        return self.equations.system.evaluate_block(params, x, self._at, self.settings, report=True)

    def slopes(self, states: Array, share: float = 1.0) -> Array:
        """Return the Jacobian of the map by all unknowns, ``(B, unknowns, unknowns)``.

        Parameters
        ----------
        states : array
        share : float
            Share of the usual step of differences.
        """
        params, x = self.equations.split(states)
        n = x.shape[1]

        def function(rows: Array) -> Array:
            return self.images(rows[:, n:], rows[:, :n])

        extra = np.full(params.shape[1], np.inf)
        low, high = self.equations.domain_x
        return derivatives(
            function,
            np.hstack([x, params]),
            np.append(share * self._steps, extra),
            np.append(low, -extra),
            np.append(high, extra),
            range(n),
        )


def accuracy_scale(system: CompiledSystem, name: str) -> float:
    """Return the scale of a parameter that may cross zero, next to which its errors are small.

    Half of its declared range, and at most one; zero for a parameter of one sign.
    """
    low, high = system.saddle.parameters[name].domain
    return min(0.5 * (high - low), 1.0) if low < 0 < high else 0.0


def may_vanish(system: CompiledSystem) -> list[int]:
    """Return the unknowns that are zero in some phase.

    Not those that vanish in a limit only: a small variance (``V = 5e-14``) is no symmetry.
    """
    return [i for i, u in enumerate(system.saddle.unknowns) if not u.symbol.is_positive]


def kept_at_zero(
    system: CompiledSystem,
    params: Array,
    x: Array,
    candidates: Sequence[int],
    settings: SolverSettings | None = None,
) -> tuple[int, ...]:
    """Return which of some unknowns the equations keep at zero, where all of them are zero.

    Only those that are zero in some phase, see `may_vanish`.

    Parameters
    ----------
    system : CompiledSystem
    params, x : array
        One point; its other unknowns are used as they are.
    candidates : sequence of int
    """
    zeros = [i for i in may_vanish(system) if i in candidates]
    while zeros:
        point = x.copy()
        point[zeros] = 0.0
        image = system.map(params, point, False, settings)
        still = [i for i in zeros if abs(image[i]) < ZERO]
        if still == zeros and np.all(np.isfinite(image)):
            break
        if still == zeros:  # something else has no value there
            return ()
        zeros = still
    return tuple(zeros)


def kept_nearby(
    system: CompiledSystem,
    params: Array,
    x: Array,
    zeros: Sequence[int],
    free: Sequence[str],
    settings: SolverSettings | None = None,
) -> tuple[int, ...]:
    """Return which of the zeros the equations still keep where free parameters have changed.

    A field that is zero at the point breaks its symmetry everywhere else.

    Parameters
    ----------
    system : CompiledSystem
    params, x : array
        One point, where the equations keep the zeros.
    zeros : sequence of int
    free : sequence of str
    """
    kept = tuple(zeros)
    for name in free:
        at = system.parameters.index(name)
        low, high = system.saddle.parameters[name].domain
        for share in _CHANGES:
            near = params.copy()
            near[at] += share * max(abs(params[at]), 1.0)
            if not (kept and low < near[at] < high):
                continue
            image = system.map(near, x, False, settings)
            # Where the map has no value nothing is known.
            kept = tuple(i for i in kept if not abs(image[i]) >= ZERO)
    return kept
