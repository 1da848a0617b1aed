"""Numeric program of a saddle point: assignments and loops, independent of the target language."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from replica.calculus.spectra import Data


class ProximalRoot(sp.Function):
    """Value ``v`` of a proximal piece at a point: ``ProximalRoot(piece, target, lower, upper)``.

    ``piece`` is the index of a `RootProblem` of the program.
    """

    nargs = 4
    is_number = False  # it depends on parameters through the piece, even at a constant target

    def _eval_is_extended_real(self) -> bool:
        return True


class VectorRoot(sp.Function):
    """A component of a proximal operator: ``VectorRoot(problem, component, *targets)``.

    ``problem`` is the index of a `VectorRootProblem` of the program.
    """

    nargs = None
    is_number = False  # it depends on parameters through the problem

    def _eval_is_extended_real(self) -> bool:
        return True


class Larger(sp.Function):
    """The larger of two numbers, without the slow symbolic comparison of `sympy.Max`."""

    nargs = 2

    def _eval_is_extended_real(self) -> bool:
        return True


class Smaller(sp.Function):
    """The smaller of two numbers."""

    nargs = 2

    def _eval_is_extended_real(self) -> bool:
        return True


class ExpMinusOne(sp.Function):
    """``exp(x) - 1`` with all digits where it is small."""

    nargs = 1

    def _eval_is_extended_real(self) -> bool:
        return True


@dataclass(frozen=True)
class RootProblem:
    """Monotone function ``point(v)`` of a smooth proximal piece, to be inverted.

    Its derivative is at least ``1/gain``, because the function of a proximal operator is convex.
    """

    variable: sp.Symbol
    point: sp.Expr
    derivative: sp.Expr
    gain: sp.Expr


@dataclass(frozen=True)
class VectorRootProblem:
    """Equation ``v + spread grad function(v) = target`` of a smooth convex function."""

    variables: tuple[sp.Symbol, ...]
    function: sp.Expr
    spread: sp.ImmutableMatrix

    @property
    def gradient(self) -> list[sp.Expr]:
        """Derivatives of the function."""
        return [self.function.diff(v) for v in self.variables]

    @property
    def hessian(self) -> list[sp.Expr]:
        """Second derivatives, row by row."""
        return [g.diff(v) for g in self.gradient for v in self.variables]


@dataclass(frozen=True)
class Assign:
    """``symbol = expression``."""

    symbol: sp.Symbol
    expression: sp.Expr


@dataclass(frozen=True)
class VectorSolve:
    """The proximal operator of ``problem`` at ``targets``, and the slopes of its function there.

    ``symbols`` receive its ``n`` components, the ``n`` derivatives of the function, and row by row
    the ``n * n`` second derivatives of the envelope, ``H (1 + S H)^-1``.
    """

    symbols: tuple[sp.Symbol, ...]
    problem: int
    targets: tuple[sp.Expr, ...]


@dataclass(frozen=True)
class Segment:
    """Smooth piece of an integral; ``integrands[0]`` is the density of the measure itself."""

    variable: sp.Symbol
    lower: sp.Expr
    upper: sp.Expr
    body: tuple[Step, ...]
    integrands: tuple[sp.Expr, ...]
    features: tuple[tuple[sp.Expr, sp.Expr], ...]


@dataclass(frozen=True)
class InnerAverage:
    """Averages over independent standard normal variables at every node of an outer region.

    ``tables`` are functions of these variables and of scalars alone: they are computed once for all
    nodes of the outer region. ``body`` comes ahead of the integrands.
    """

    outputs: tuple[sp.Symbol, ...]
    variables: tuple[sp.Symbol, ...]
    tables: tuple[tuple[sp.Symbol, sp.Expr], ...]
    body: tuple[Assign, ...]
    integrands: tuple[sp.Expr, ...]


@dataclass(frozen=True)
class Region:
    """Smooth piece of an integral over a box; ``integrands[0]`` is the density of the measure."""

    variables: tuple[sp.Symbol, ...]
    lower: tuple[sp.Expr, ...]
    upper: tuple[sp.Expr, ...]
    body: tuple[Assign | InnerAverage, ...]
    integrands: tuple[sp.Expr, ...]


@dataclass(frozen=True)
class Sample:
    """Average over standard normal points; ``integrands[0]`` is 1, the measure itself."""

    variables: tuple[sp.Symbol, ...]
    body: tuple[Assign | VectorSolve, ...]
    integrands: tuple[sp.Expr, ...]


@dataclass(frozen=True)
class Loop:
    """Integrals that share a measure; ``outputs[i]`` accumulates ``integrands[i]``."""

    outputs: tuple[sp.Symbol, ...]
    segments: tuple[Segment, ...] | tuple[Region, ...] | tuple[Sample, ...]


@dataclass(frozen=True)
class SiteLoop:
    """Sums over the rows of a table; ``outputs[i]`` accumulates ``integrands[i]``.

    ``table`` is the index of the table in the program's data, ``columns`` are what its columns
    after the weights are called.
    """

    outputs: tuple[sp.Symbol, ...]
    table: int
    columns: tuple[sp.Symbol, ...]
    body: tuple[Step, ...]
    integrands: tuple[sp.Expr, ...]


Step = Assign | Loop | SiteLoop


@dataclass(frozen=True)
class Block:
    """A sequence of steps and the expressions that it returns."""

    steps: tuple[Step, ...]
    results: tuple[sp.Expr, ...]


@dataclass(frozen=True)
class Program:
    """Fixed-point map and report of one saddle point.

    Attributes
    ----------
    unknowns, parameters : tuple of Symbol
        Inputs of both blocks.
    domains : tuple of pair of float
        Open interval of each unknown.
    squares : tuple of int
        For each unknown, the index of the one that is the square of its natural size, or -1.
    vanishing : tuple of bool
        Whether each unknown is zero in some phase. What is positive by its declaration, as a
        variance is, may be tiny but has digits.
    outputs : tuple of str
        Names of the report's results.
    map, report : Block
    roots : tuple of RootProblem
    data : tuple of Data
        Tables that site loops run over. They are handed over when the program runs: it is the same
        for all tables.
    vector_roots : tuple of VectorRootProblem
    """

    name: str
    unknowns: tuple[sp.Symbol, ...]
    parameters: tuple[sp.Symbol, ...]
    domains: tuple[tuple[float, float], ...]
    squares: tuple[int, ...]
    vanishing: tuple[bool, ...]
    outputs: tuple[str, ...]
    map: Block
    report: Block
    roots: tuple[RootProblem, ...]
    data: tuple[Data, ...] = ()
    vector_roots: tuple[VectorRootProblem, ...] = ()

    @cached_property
    def sampled(self) -> int:
        """Most variables of an average over a sample of points; 0 if there is none."""
        steps = (*self.map.steps, *self.report.steps)
        pieces = (p for step in steps if isinstance(step, Loop) for p in step.segments)
        return max((len(p.variables) for p in pieces if isinstance(p, Sample)), default=0)
