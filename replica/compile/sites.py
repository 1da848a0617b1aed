"""Averages over sites as loops: over the rows of a table, or an integral over a spectral law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import sympy as sp

from replica.calculus.spectra import Data, EmpiricalAverage, MarchenkoPasturAverage, SiteAverage
from replica.compile.expressions import unroll
from replica.compile.program import Loop, RootProblem, Segment, SiteLoop
from replica.errors import DerivationError

if TYPE_CHECKING:
    from replica.compile.program import Step


class Lowering(Protocol):
    """What the lowering of a whole program offers to that of a loop."""

    roots: list[RootProblem]
    data: list[Data]

    def fresh(self, **assumptions: bool) -> sp.Symbol:
        """A new symbol."""

    def lower(self, expressions: list[sp.Expr]) -> tuple[list[Step], list[sp.Expr]]:
        """Steps that compute all averages inside expressions, and what is left of these."""


def site_sums(group: Sequence[SiteAverage], whole: Lowering) -> tuple[list[Step], list[sp.Expr]]:
    """Lower averages over one law of the sites.

    Returns
    -------
    steps, results
        What computes the averages, and an expression for each of them.

    Raises
    ------
    DerivationError
        If averages over sites are nested, or an inner problem that differs from site to site has no
        explicit solution.
    """
    if isinstance(group[0], EmpiricalAverage):
        return _over_table(group, whole)
    assert isinstance(group[0], MarchenkoPasturAverage)
    return _over_spectrum(group, whole)


def refuse_site_loops(body: Sequence[Step]) -> None:
    """Refuse sums over a table at every node of another average."""
    if any(isinstance(step, SiteLoop) for step in body):
        raise DerivationError(
            "an average over sites lies inside another average; expected site constants in the "
            "metric, the penalty, the prior, the quenched law and Site(...) only."
        )


def _over_table(group: Sequence[SiteAverage], whole: Lowering) -> tuple[list[Step], list[sp.Expr]]:
    node = group[0]
    assert isinstance(node, EmpiricalAverage)
    if node.data not in whole.data:
        whole.data.append(node.data)
    columns = tuple(whole.fresh() for _ in node.symbols)
    names = dict(zip(node.symbols, columns, strict=True))
    body, integrands = _inside([a.integrand.xreplace(names) for a in group], columns, whole)
    outputs = tuple(whole.fresh() for _ in group)
    loop = SiteLoop(outputs, whole.data.index(node.data), columns, tuple(body), tuple(integrands))
    return [loop], list(outputs)


def _over_spectrum(
    group: Sequence[SiteAverage], whole: Lowering
) -> tuple[list[Step], list[sp.Expr]]:
    """Integrate over the angle with a rule of its own, and add the mass at zero."""
    node = group[0]
    assert isinstance(node, MarchenkoPasturAverage)
    (x,), angle = node.symbols, whole.fresh()
    integrands = [a.integrand.subs(x, node.place(angle)) for a in group]
    body, results = _inside(integrands, (angle,), whole)
    density = node.density(angle)
    summands = (density, *(density * r for r in results))
    outputs = tuple(whole.fresh() for _ in summands)
    segment = Segment(angle, sp.S.Zero, sp.pi, tuple(body), summands, ())
    steps: list[Step] = [Loop(outputs, (segment,))]
    totals: list[sp.Expr] = list(outputs[1:])
    mass = node.at_zero
    if mass != 0:
        inner, at_zero = whole.lower([a.integrand.subs(x, 0) for a in group])
        steps += inner
        totals = [total + mass * value for total, value in zip(totals, at_zero, strict=True)]
    return steps, totals


def _inside(
    integrands: list[sp.Expr], local: tuple[sp.Symbol, ...], whole: Lowering
) -> tuple[list[Step], list[sp.Expr]]:
    before = len(whole.roots)
    body, results = whole.lower([unroll(e) for e in integrands])
    refuse_site_loops(body)
    for problem in whole.roots[before:]:
        if (problem.point.free_symbols | problem.gain.free_symbols) & set(local):
            raise DerivationError(
                "the penalty has a proximal operator without explicit form, which is not supported "
                "where its scale differs from site to site; expected a penalty of quadratic pieces."
            )
    return body, results
