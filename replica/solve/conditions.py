"""Conditions that single out a point of a branch, as functions of states."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.logic.boolalg import Boolean

from replica.compile.system import CompiledSystem
from replica.errors import ParameterError
from replica.names import nearest
from replica.solve.differences import best_share
from replica.solve.equations import Rule

Array = NDArray[np.float64]
#: Change of a condition under shorter difference steps that is good enough.
_GOOD = 1e-12
#: Share of the usual step with which what vanishes by symmetry may be differentiated: next to zero
#: a map is smooth on the scale of its unknowns, and short steps show rounding.
_LONG = 16.0
#: Factors of the steps of differences that show their rounding.
_STEPS = (0.71, 0.83, 0.93, 1.07, 1.19)
_EPS = float(np.finfo(float).eps)


class Condition:
    """A scalar function of the states of one or two phases that vanishes at the transition."""

    name: str
    #: Whether it loses its meaning where a phase meets its spinodal.
    ends_at_folds = True

    def values(self, rules: Sequence[Rule], states: Sequence[Array]) -> Array:
        """Return its value at many states, shape ``(B,)``."""
        raise NotImplementedError

    def renewed(self, rules: Sequence[Rule]) -> Condition:
        """Return the condition fitted to a new base state."""
        return self

    def rounding(self, rules: Sequence[Rule], states: Sequence[Array]) -> float:
        """Return rounding at one state that a rounding of the state itself does not show."""
        return 0.0


class Holds(Condition):
    """An expression of outputs, order parameters and parameters has a value.

    Parameters
    ----------
    system : CompiledSystem
    expression : str or Expr
    value : float

    Raises
    ------
    ParameterError
        If a symbol of the expression is no quantity of the model, or if the expression is a
        comparison or no finite number.
    """

    def __init__(
        self, system: CompiledSystem, expression: str | sp.Expr, value: float = 0.0
    ) -> None:
        inequality = isinstance(expression, (Boolean, bool)) or (
            isinstance(expression, str) and any(sign in expression for sign in "<>!")
        )
        if inequality:
            raise ParameterError(
                f"condition {expression}: expected a quantity that reaches a value, such as "
                "'q=0.5', or an expression that vanishes, not a comparison."
            )
        if not np.isfinite(value):
            raise ParameterError(f"condition {expression}={value:g}: expected a finite number.")
        known = {*system.outputs, *system.unknowns, *system.parameters}
        aliases = {p.symbol_name: key for key, p in system.saddle.parameters.items()}
        if isinstance(expression, str) and expression not in known | set(aliases):
            expression = sp.Symbol(expression)  # refused below
        written = sp.Symbol(expression) if isinstance(expression, str) else sp.sympify(expression)
        names = {s: aliases.get(str(s), str(s)) for s in written.free_symbols}
        unknown = sorted(set(names.values()) - known)
        if unknown or not names:
            meant = nearest(unknown[0], sorted(known)) if unknown else ""
            hint = f"did you mean {meant}?" if meant else ", ".join(sorted(known))
            raise ParameterError(
                f"condition {expression}: expected outputs, order parameters or parameters of the "
                f"model ({hint})."
            )
        if written.has(sp.I, sp.nan, sp.zoo, sp.oo, -sp.oo):
            raise ParameterError(f"condition {expression}: expected a real, finite expression.")
        self.name = f"{expression} = {value:g}"
        self.value = value
        self._names = list(names.values())
        #: The quantities on which it depends.
        self.names = frozenset(self._names)
        self._reports = bool(set(self._names) & set(system.outputs))
        self._function = sp.lambdify(list(names), written, "numpy")

    def values(self, rules: Sequence[Rule], states: Sequence[Array]) -> Array:
        """Return its value at many states, shape ``(B,)``."""
        rule, many = rules[0], states[0]
        system = rule.equations.system
        params, x = rule.equations.split(many)
        table: dict[str, Array] = dict(zip(system.parameters, params.T, strict=True))
        table |= dict(zip(system.unknowns, x.T, strict=True))
        if self._reports:
            table |= dict(zip(system.outputs, rule.reports(many).T, strict=True))
        with np.errstate(all="ignore"):
            found: Any = self._function(*(table[name] for name in self._names))
        return np.broadcast_to(np.asarray(found, dtype=float) - self.value, len(many))


class Capacity(Holds):
    """Constraints cease to be satisfiable: ``chi`` diverges, and leaves the equations no scale.

    Only ratios of the unknowns count there, and ``chi`` may be fixed to one.
    """

    ends_at_folds = False

    def __init__(self, system: CompiledSystem, chi: float = 1.0) -> None:
        super().__init__(system, "chi", chi)
        self.name = "capacity"


class _Differences(Condition):
    """A condition made of derivatives by differences, whose rounding depends on the steps."""

    share: float

    def with_share(self, share: float) -> Condition:
        """Return the condition with another share of the usual step."""
        raise NotImplementedError

    def rounding(self, rules: Sequence[Rule], states: Sequence[Array]) -> float:
        """Return how far the condition moves under slightly other steps."""
        here = self.values(rules, states)
        moved = (
            self.with_share(factor * self.share).values(rules, states) - here for factor in _STEPS
        )
        return float(max(np.max(np.abs(change)) for change in moved))


class LosesStability(_Differences):
    """The phase becomes unstable against an unknown that a symmetry keeps at zero.

    The largest real part of the eigenvalues of the map in these unknowns, minus one.

    Parameters
    ----------
    phase : int
        Which one, of several.
    share : float
        Of the usual step of differences.
    """

    name = "second-order"

    def __init__(self, phase: int = 0, share: float = 1.0) -> None:
        self.phase, self.share = phase, share

    def with_share(self, share: float) -> LosesStability:
        """Return the condition with another share of the usual step."""
        return LosesStability(self.phase, share)

    def renewed(self, rules: Sequence[Rule]) -> LosesStability:
        """Return the condition fitted to a new base state."""
        base, phase = [rule.base[None] for rule in rules], self.phase
        share = best_share(
            lambda share: LosesStability(phase, share).values(rules, base), _GOOD / 8, _LONG
        )
        return LosesStability(phase, share)

    def values(self, rules: Sequence[Rule], states: Sequence[Array]) -> Array:
        """Return its value at many states, shape ``(B,)``."""
        rule = rules[self.phase]
        zeros = list(rule.equations.zeros)
        blocks = rule.slopes(states[self.phase], self.share)[:, zeros][:, :, zeros]
        finite = np.all(np.isfinite(blocks), axis=(1, 2))
        largest = np.full(len(blocks), np.nan)
        if np.any(finite):
            largest[finite] = np.linalg.eigvals(blocks[finite]).real.max(axis=1)
        return np.asarray(largest - 1.0)


class Fold(_Differences):
    """The branch turns back: ``(J - I) v = 0`` for some ``v``.

    The scalar ``g`` of the bordered system ``[[J - I, b], [c, 0]] [v, g] = [0, 1]``, which vanishes
    with the determinant of ``J - I`` and is regular there (W. Govaerts, *Numerical Methods for
    Bifurcations of Dynamical Equilibria*, SIAM, 2000).

    Parameters
    ----------
    phase : int
        Which one, of several.
    borders : pair of array, optional
        Approximate left and right null vectors.
    share : float
        Of the usual step of differences.
    """

    name = "spinodal"
    ends_at_folds = False

    def __init__(
        self, phase: int = 0, borders: tuple[Array, Array] | None = None, share: float = 1.0
    ) -> None:
        self.phase, self.borders, self.share = phase, borders, share

    def with_share(self, share: float) -> Fold:
        """Return the condition with another share of the usual step."""
        return Fold(self.phase, self.borders, share)

    def _matrices(self, rule: Rule, states: Array) -> Array:
        equations = rule.equations
        unit = equations.units(rule.base)[: equations.size]
        kept = np.ix_(range(len(states)), equations.kept, equations.kept)
        scaled = rule.slopes(states, self.share)[kept] * unit[None, None, :] / unit[None, :, None]
        return np.asarray(scaled - np.eye(equations.size))

    def renewed(self, rules: Sequence[Rule]) -> Fold:
        """Return the condition fitted to a new base state."""
        rule, phase = rules[self.phase], self.phase
        matrix = self._matrices(rule, rule.base[None])[0]
        if not np.all(np.isfinite(matrix)):
            return self
        left, _, right = np.linalg.svd(matrix)
        borders, base = (left[:, -1], right[-1]), [one.base[None] for one in rules]
        share = best_share(lambda share: Fold(phase, borders, share).values(rules, base), _GOOD)
        return Fold(phase, borders, share)

    def values(self, rules: Sequence[Rule], states: Sequence[Array]) -> Array:
        """Return its value at many states, shape ``(B,)``."""
        column, row = self.borders or self.renewed(rules).borders or (None, None)
        matrices = self._matrices(rules[self.phase], states[self.phase])
        count, n = matrices.shape[:2]
        bordered = np.zeros((count, n + 1, n + 1))
        bordered[:, :n, :n] = matrices
        bordered[:, :n, n], bordered[:, n, :n] = column, row
        found = np.full(count, np.nan)
        finite = np.all(np.isfinite(bordered), axis=(1, 2))
        goal = np.zeros((n + 1, 1))
        goal[n] = 1.0
        with contextlib.suppress(np.linalg.LinAlgError):
            found[finite] = np.linalg.solve(bordered[finite], goal)[:, n, 0]
        return found


class EqualEntropies(Condition):
    """Two phases have the same free entropy."""

    name = "first-order"

    def values(self, rules: Sequence[Rule], states: Sequence[Array]) -> Array:
        """Return its value at many states, shape ``(B,)``."""
        at = rules[0].equations.system.outputs.index("free_entropy")
        first, second = (r.reports(s)[:, at] for r, s in zip(rules, states, strict=True))
        return np.asarray(first - second)

    def rounding(self, rules: Sequence[Rule], states: Sequence[Array]) -> float:
        """Return the rounding of both free entropies, which symmetry may make the same."""
        at = rules[0].equations.system.outputs.index("free_entropy")
        each = (r.reports(s)[:, at] for r, s in zip(rules, states, strict=True))
        return float(_EPS * sum(np.max(np.abs(value)) for value in each))
