"""Walks over expressions, whose trees repeat shared parts many times."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp


def distinct(expression: sp.Basic) -> Iterable[sp.Basic]:
    """Every subexpression once: far fewer than the nodes of the tree where parts are shared."""
    seen: set[sp.Basic] = set()
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(node.args)
    return seen
