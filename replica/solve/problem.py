"""An augmented system as a value: phases with common parameters, and conditions on them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from replica.solve.conditions import Condition
from replica.solve.differences import STEP, best_share, derivatives
from replica.solve.equations import Equations, Rule

Array = NDArray[np.float64]
#: Share of the way to the edge of the domain that one step may go.
_TO_THE_EDGE = 0.8
_NEWTON_STEPS = 14
#: Relative accuracy of derivatives with which Newton's method converges well.
_SLOPES = 1e-4
#: Step of Newton's method, in units of the unknowns, at which it has converged.
_CONVERGED = 1e-10
#: Step that may be the last one where round-off forbids smaller ones.
_STAGNATED = 1e-7


class Problem:
    """Equations of one or two phases with common free parameters, and conditions.

    A state holds the unknowns of every phase, then the free parameters. With as many free
    parameters as conditions the solutions are points, with one more they are curves.

    Parameters
    ----------
    phases : sequence of Equations
    conditions : sequence of Condition
    share : float
        Share of the usual step with which its equations are differentiated.
    """

    def __init__(
        self,
        phases: Sequence[Equations],
        conditions: Sequence[Condition] = (),
        share: float = 1.0,
    ) -> None:
        self.phases, self.conditions = tuple(phases), tuple(conditions)
        self.share = share
        self.free = self.phases[0].free
        ends = np.cumsum([0, *(phase.size for phase in self.phases)])
        parameters = list(range(ends[-1], ends[-1] + len(self.free)))
        self._columns = [[*range(a, b), *parameters] for a, b in itertools.pairwise(ends)]
        self.size = int(ends[-1]) + len(self.free)
        self.low, self.high = np.empty(self.size), np.empty(self.size)
        for phase, columns in zip(self.phases, self._columns, strict=True):
            self.low[columns], self.high[columns] = phase.low, phase.high

    # -- states ------------------------------------------------------------------------------

    def parts(self, states: Array) -> list[Array]:
        """Return the states of every phase."""
        return [states[..., columns] for columns in self._columns]

    def join(self, parts: Sequence[Array]) -> Array:
        """Return the state of the states of every phase."""
        state = np.empty(self.size)
        for part, columns in zip(parts, self._columns, strict=True):
            state[columns] = part
        return state

    def parameters(self, state: Array) -> dict[str, float]:
        """Return the values of the free parameters."""
        values = state[self.size - len(self.free) :]
        return dict(zip(self.free, map(float, values), strict=True))

    def units(self, state: Array) -> Array:
        """Return the scale of each entry of a state."""
        return self.join([p.units(s) for p, s in zip(self.phases, self.parts(state), strict=True)])

    def accuracy_units(self, state: Array) -> Array:
        """Return the scale against which the accuracy of each entry of a state is judged."""
        parts = zip(self.phases, self.parts(state), strict=True)
        return self.join([phase.accuracy_units(part) for phase, part in parts])

    def row_units(self, state: Array) -> Array:
        """Return the scale of each equation: that of its unknown, and one for a condition."""
        parts = zip(self.phases, self.parts(state), strict=True)
        units = [phase.units(part)[: phase.size] for phase, part in parts]
        return np.concatenate([*units, np.ones(len(self.conditions))])

    def allowed(self, state: Array, move: Array) -> float:
        """Return the share of a move that stays inside the domain."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            down = np.where(move < 0, (self.low - state) / move, np.inf)
            up = np.where(move > 0, (self.high - state) / move, np.inf)
        room = float(np.min(np.minimum(down, up), initial=np.inf))
        return 1.0 if room > 1.0 else _TO_THE_EDGE * room

    def is_excluded(self, state: Array) -> bool:
        """Return whether a free parameter is at a bound that does not belong to its domain."""
        parameters = self.phases[0].system.saddle.parameters
        for name, value in self.parameters(state).items():
            (low, high), excluded = parameters[name].domain, parameters[name].open
            if (value == low and excluded in ("lower", "both")) or (
                value == high and excluded in ("upper", "both")
            ):
                return True
        return False

    def on(self, state: Array, fine: bool = False) -> Local:
        """Return the problem on rules that are adapted at a state."""
        return Local(self, state, fine)

    def renewed(self, state: Array) -> Problem:
        """Return the problem with its conditions and its differences fitted to a state."""
        local, rows = self.on(state), self.row_units(state)[:, None]
        fitted = Problem(self.phases, [c.renewed(local.rules) for c in self.conditions])
        local.problem = fitted
        scale = self.units(state) / rows
        fitted.share = best_share(lambda share: local.jacobian(share) * scale, _SLOPES)
        return fitted


class Local:
    """A problem on rules that are adapted at one state."""

    def __init__(self, problem: Problem, state: Array, fine: bool = False) -> None:
        self.problem, self.state = problem, state
        self.rules: list[Rule] = [
            phase.on(part, fine)
            for phase, part in zip(problem.phases, problem.parts(state), strict=True)
        ]

    def residuals(self, states: Array) -> Array:
        """Return the left-hand sides of all equations, ``(B, rows)``."""
        parts = self.problem.parts(states)
        rows = [rule.excess(part) for rule, part in zip(self.rules, parts, strict=True)]
        rows += [c.values(self.rules, parts)[:, None] for c in self.problem.conditions]
        return np.hstack(rows)

    def conditions(self) -> Array:
        """Return the values of the conditions at the state."""
        parts = self.problem.parts(self.state[None])
        return np.array([c.values(self.rules, parts)[0] for c in self.problem.conditions])

    def residual(self) -> Array:
        """Return the left-hand sides at the state."""
        return np.asarray(self.residuals(self.state[None])[0])

    def jacobian(self, share: float | None = None) -> Array:
        """Return the derivatives of the left-hand sides by the state, ``(rows, size)``."""
        problem = self.problem
        steps = (problem.share if share is None else share) * STEP * problem.units(self.state)
        found = derivatives(self.residuals, self.state[None], steps, problem.low, problem.high)
        return np.asarray(found[0])


def newton(problem: Problem, guess: Array, row: Array | None = None) -> Array | None:
    """Solve a problem by Newton's method.

    Parameters
    ----------
    problem : Problem
    guess : array
    row : array, optional
        Of a curve: its solution is searched for in the plane through the guess that is normal to
        this direction (in units of the state).

    Returns
    -------
    array or None
        None if the method does not converge.
    """
    state, unit, last = guess.copy(), problem.units(guess), np.inf
    if np.any(state < problem.low) or np.any(state > problem.high):
        return None
    for _ in range(_NEWTON_STEPS):
        local = problem.on(state)
        rows = problem.row_units(state)
        residual, matrix = local.residual() / rows, local.jacobian() * unit / rows[:, None]
        if row is not None:
            residual = np.append(residual, row @ ((state - guess) / unit))
            matrix = np.vstack([matrix, row])
        if not (np.all(np.isfinite(residual)) and np.all(np.isfinite(matrix))):
            return None
        try:
            step = -np.linalg.solve(matrix, residual)
        except np.linalg.LinAlgError:
            return None
        size = float(np.max(np.abs(step), initial=0.0))
        if not np.isfinite(size):
            return None
        share = min(problem.allowed(state, unit * step), 1.0 if size < 0.5 else 0.5 / size)
        if size < _STAGNATED and size > 0.5 * last and share == 1.0:  # not held by an edge
            return state
        state = state + share * unit * step
        if size < _CONVERGED:
            return state
        last = size
    return None
