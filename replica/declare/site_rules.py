"""What a declaration with site constants must satisfy, checked before any work starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from replica.declare.clusters import Clusters
from replica.declare.sites import Empirical, estimate
from replica.declare.symbols import Parameter
from replica.declare.variables import Quenched
from replica.declare.vectors import VectorField
from replica.errors import DeclarationError

if TYPE_CHECKING:
    from replica.declare.system import System

#: Rounding that a covariance computed from data may carry, relative to its size.
_ROUNDING = 1e-9
_RESERVED = {"m", "q", "q_d", "V", "chi", "beta", "R", "mhat", "qhat", "Vhat", "xi"}


def validate_sites(system: System) -> None:
    """Refuse constants that nothing uses, a negative metric or variance, too small a teacher.

    Raises
    ------
    DeclarationError
    """
    assert system.sites is not None
    thermal, quenched, where = system.thermal, system.quenched, f"model {system.name}:"
    taken = {thermal.symbol, *(e.symbol for e in system.extremised)}
    if quenched is not None and quenched.law != Quenched(quenched.symbol).law:
        taken.add(quenched.symbol)
    for symbol in system.sites.symbols:
        if str(symbol) in _RESERVED:
            raise DeclarationError(
                f"{where} the site constant {symbol} has the name of an order parameter, a "
                "conjugate or a local field; give it another symbol."
            )
        if symbol in taken or isinstance(symbol, Parameter):
            raise DeclarationError(
                f"{where} {symbol} is a constant of the sites and something else; "
                "give each its own symbol."
            )
    if any(p.symbol_name == "R" for p in system.parameters.values()):
        raise DeclarationError(
            f"{where} the parameter 'R' has the name of the teacher's self-overlap; "
            "give it another symbol."
        )
    used = thermal.metric.free_symbols | thermal.penalty.free_symbols | thermal.prior.free_symbols
    signs = {f"the metric of {thermal.symbol}": thermal.metric}
    if quenched is not None:
        used |= quenched.law.free_symbols
        used |= sp.sympify(quenched.self_overlap or 0).free_symbols
        for _, _, variance in quenched.law.components:
            signs[f"a variance of {quenched.symbol}"] = variance
    for item in system.fields:
        if isinstance(item, VectorField) and isinstance(item.labels, Clusters):
            used |= item.labels.free_symbols
            signs |= {
                f"the variance of cluster {c + 1}": variance
                for c, variance in enumerate(item.labels.variances)
            }
    for value in system.observables.values():
        used |= value.free_symbols
    if idle := [s for s in system.sites.symbols if s not in used]:
        raise DeclarationError(f"{where} the site constant {idle[0]} appears nowhere.")
    if isinstance(system.sites, Empirical):
        for what, expression in signs.items():
            _require_nonnegative(system.sites, expression, f"{where} {what}")
    _require_room(system, where)


def _require_nonnegative(sites: Empirical, expression: sp.Expr, what: str) -> None:
    import numpy as np

    if not expression.free_symbols or expression.free_symbols - set(sites.symbols):
        return  # a number, refused elsewhere, or a matter of parameters
    columns = sites.data.values[1:]
    values = sp.lambdify(sites.symbols, expression, "numpy")(*columns)
    if np.any(values < 0):
        site = int(np.argmin(values))
        raise DeclarationError(
            f"{what} must not be negative, but {expression} is {values[site]:g} at site {site}."
        )


def _require_room(system: System, where: str) -> None:
    """Refuse a teacher's field of smaller variance than the part of it that students see."""
    quenched = system.quenched
    if quenched is None or quenched.self_overlap is None:
        return
    seen = estimate(system.site_mean(system.thermal.metric * quenched.law.second_moment))
    whole = estimate(system.site_mean(quenched.self_overlap))
    if seen is not None and whole is not None and whole < seen * (1 - _ROUNDING):
        raise DeclarationError(
            f"{where} the self-overlap {whole:g} of {quenched.symbol} is smaller than {seen:g}, "
            "what its law gives: teacher and student have no joint covariance."
        )
