"""The result of a derivation: free entropy, equations, stability, observables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp

from replica.declare.symbols import Parameter
from replica.derive.latex import align_block, symbol_list


@dataclass(frozen=True)
class Unknown:
    """One unknown of the fixed-point map: ``symbol = update(...)``.

    ``starts`` holds the ``"uninformed"`` and ``"informed"`` initial values as expressions of the
    parameters; ``domain`` is open. ``square`` is the unknown that is the square of this one's
    natural size (``q`` of an overlap or a bias): what crosses zero has no size of its own. An
    extremised scalar moves by a step; ``condition`` is what must vanish, and what is printed.
    """

    symbol: sp.Symbol
    update: sp.Expr
    domain: tuple[float, float]
    starts: Mapping[str, sp.Expr]
    doc: str = ""
    square: sp.Symbol | None = None
    condition: sp.Expr | None = None


@dataclass(frozen=True)
class SaddlePoint:
    """Symbolic saddle point of a model, for one ansatz and one temperature regime.

    Attributes
    ----------
    definitions : tuple of (Symbol, Expr)
        Constants that the equations use, in order (``beta = 1/T``).
    conjugates : tuple of (Symbol, Expr)
        Conjugates as explicit functions of the unknowns.
    unknowns : tuple of Unknown
        Order parameters and extremised scalars with their updates.
    free_entropy : Expr
        The functional whose stationarity the equations are, in all variables.
    replicon : Expr or None
        Replicon eigenvalue; replica symmetry is locally stable where it is positive.
    observables : mapping
    stationary : tuple of Symbol
        Variables in which ``free_entropy`` must be stationary at a solution.
    constraints : tuple of (Symbol, Expr)
        Unknowns that others determine at every solution (``q = 1 - V`` of spins): the stationarity
        holds along them.
    """

    name: str
    ansatz: str
    parameters: Mapping[str, Parameter]
    definitions: tuple[tuple[sp.Symbol, sp.Expr], ...]
    conjugates: tuple[tuple[sp.Symbol, sp.Expr], ...]
    unknowns: tuple[Unknown, ...]
    free_entropy: sp.Expr
    replicon: sp.Expr | None
    observables: Mapping[str, sp.Expr]
    stationary: tuple[sp.Symbol, ...]
    constraints: tuple[tuple[sp.Symbol, sp.Expr], ...] = ()
    zero_temperature: bool = False
    bayes_optimal: bool = False
    default_start: str = "uninformed"
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def order_parameters(self) -> tuple[sp.Symbol, ...]:
        """Symbols of the unknowns."""
        return tuple(u.symbol for u in self.unknowns)

    @property
    def equations(self) -> tuple[tuple[sp.Symbol, sp.Expr], ...]:
        """Order parameters with the right-hand sides of their equations."""
        return tuple((u.symbol, u.update) for u in self.unknowns)

    @property
    def conjugate_equations(self) -> tuple[tuple[sp.Symbol, sp.Expr], ...]:
        """Conjugates with their explicit expressions."""
        return self.conjugates

    def latex(self, symbols: bool = True) -> str:
        """Return a complete ``align`` block, followed by a list of symbols where asked for."""
        block = align_block(self)
        return f"{block}\n{symbol_list(self)}" if symbols else block

    def _repr_latex_(self) -> str:
        return self.latex(symbols=False)  # notebooks do not render lists

    def __str__(self) -> str:
        lines = [f"{self.name} ({self.ansatz})"]
        lines += [f"  {s} = {e}" for s, e in self.definitions]
        lines.append(f"  free entropy = {self.free_entropy}")
        lines += [f"  {s} = {e}" for s, e in self.conjugates + self.equations]
        if self.replicon is not None:
            lines.append(f"  replicon = {self.replicon}")
        # The free energy is the free entropy once more.
        shown = [(n, e) for n, e in self.observables.items() if n != "free_energy"]
        lines += [f"  {name} = {e}" for name, e in shown]
        return "\n".join(lines)
