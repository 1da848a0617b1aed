"""Symbolic averages of distances as lists of weights and margins, ready for numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from replica.calculus.distances import StandardAverage
from replica.errors import DerivationError


@dataclass(frozen=True)
class Terms:
    """A linear combination of averages: pairs of a weight and a margin."""

    pairs: tuple[tuple[sp.Expr, sp.Expr], ...]

    def at(self, values: Mapping[sp.Symbol, float]) -> list[tuple[float, float]]:
        """Return weights and margins as numbers."""
        return [(float(w.subs(values)), float(k.subs(values))) for w, k in self.pairs]


def linear_terms(expression: sp.Expr) -> Terms:
    """Split a linear combination of averages of one kind.

    Raises
    ------
    DerivationError
        If the expression is not linear in its averages.
    """
    nodes = sorted(expression.atoms(StandardAverage), key=str)
    names = {node: sp.Dummy("average") for node in nodes}
    shell = expression.xreplace(names)
    pairs = []
    for node, name in names.items():
        weight = shell.diff(name)
        if weight.free_symbols & set(names.values()):
            raise DerivationError(f"{expression} is not linear in its averages.")
        pairs.append((weight, node.integrand.margin))
    if (
        sp.expand(shell - sp.Add(*(w * names[n] for (w, _), n in zip(pairs, nodes, strict=True))))
        != 0
    ):
        raise DerivationError(f"{expression} has a part that is no average.")
    return Terms(tuple(pairs))
