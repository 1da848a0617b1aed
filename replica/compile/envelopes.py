"""Averages with a Moreau envelope of several variables: what both ways to integrate them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sympy as sp

from replica.calculus.trees import distinct
from replica.calculus.vector import ENVELOPE_NODES, VectorAverage
from replica.errors import DerivationError


def differentiated(expression: sp.Expr) -> sp.Expr:
    """Carry out the derivatives that an equation only names."""
    named = [e for e in distinct(expression) if isinstance(e, sp.Derivative)]
    return expression.xreplace({e: e.doit(deep=False) for e in named})


def envelope_problem(average: VectorAverage) -> tuple[sp.Basic, ...] | None:
    """Function, variables, points and spread of the envelope in an average, if there is one."""
    nodes = (e for e in distinct(average.integrand) if isinstance(e, ENVELOPE_NODES))
    problems = {node.problem for node in nodes}
    if len(problems) > 1:
        raise DerivationError("an average contains two different Moreau envelopes.")
    problem = problems.pop() if problems else None
    if problem is not None and tuple(problem[2]) != average.variables:
        raise DerivationError(
            f"the point {problem[2]} of a Moreau envelope is not the integration variable."
        )
    return problem


def written_out(
    expression: sp.Expr,
    at: Mapping[sp.Symbol, sp.Expr],
    explicit: Callable[[sp.Expr], sp.Expr],
) -> sp.Expr:
    """Put the integration variables, and what stands for the envelopes, in their places."""
    nodes = [e for e in distinct(expression) if isinstance(e, ENVELOPE_NODES)]
    stand_ins = {e: sp.Dummy(f"e{k}", real=True) for k, e in enumerate(nodes)}
    moved = expression.xreplace(stand_ins).xreplace(dict(at))
    return moved.xreplace({stand_ins[e]: explicit(e) for e in nodes})
