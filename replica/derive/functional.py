"""Saddle point of an explicit functional: stationarity solved for, pair by pair."""

from __future__ import annotations

import sympy as sp

from replica.calculus.special import stabilise
from replica.declare.functional import Functional
from replica.derive.saddle_point import SaddlePoint, Unknown
from replica.errors import DerivationError


def derive_functional(functional: Functional) -> SaddlePoint:
    """Derive fixed-point equations from the stationarity of a declared functional.

    The terms bilinear in order parameters and conjugates form a matrix ``A``; stationarity in the
    conjugates then gives the order parameters, and stationarity in those gives the conjugates.

    Raises
    ------
    DerivationError
        If the bilinear terms are missing or singular, or a conjugate appears in the equations of
        another one, so that there is no explicit fixed-point form.
    """
    phi = stabilise(functional.free_entropy)
    paired = [o for o in functional.order_parameters if o.conjugate is not None]
    primal = [o.symbol for o in paired]
    dual = [o.conjugate for o in paired]
    coupling = _bilinear(phi, primal, dual)
    if coupling.det() == 0:
        raise DerivationError(
            f"model {functional.name}: the terms bilinear in order parameters and conjugates are "
            "missing or singular; expected a term such as -m*mhat for every pair."
        )
    by_dual = sp.Matrix([phi.diff(s) for s in dual]) - coupling * sp.Matrix(primal)
    by_primal = sp.Matrix([phi.diff(s) for s in primal]) - coupling.T * sp.Matrix(dual)
    by_dual, by_primal = by_dual.applyfunc(_collect), by_primal.applyfunc(_collect)
    updates = dict(zip(primal, -coupling.inv() * by_dual, strict=True)) if paired else {}
    conjugates = tuple(zip(dual, -coupling.T.inv() * by_primal, strict=True)) if paired else ()
    for symbol, value in conjugates:
        if value.free_symbols & set(dual):
            raise DerivationError(
                f"model {functional.name}: the equation of {symbol} contains conjugates, so that "
                "there is no explicit fixed-point form; declare another pairing."
            )
    unknowns = []
    for item in functional.order_parameters:
        update, condition = updates.get(item.symbol), None
        if update is None:
            condition = phi.diff(item.symbol)
            update = sp.expand(item.symbol + item.rate * condition, deep=False)
        if item.within is not None:  # stationary, or at the end to which the derivative points
            lowest, highest = map(sp.nsimplify, item.within)
            update, condition = sp.Max(lowest, sp.Min(highest, update)), None
        pair = item.start if isinstance(item.start, tuple) else (item.start, item.start)
        starts = dict(zip(("uninformed", "informed"), map(sp.Float, pair), strict=True))
        unknowns.append(
            Unknown(item.symbol, update, item.domain, starts, item.doc, None, condition)
        )
    return SaddlePoint(
        name=functional.name,
        ansatz="declared functional",
        parameters=functional.parameters,
        definitions=(),
        conjugates=conjugates,
        unknowns=tuple(unknowns),
        free_entropy=phi,
        replicon=None,
        observables={k: stabilise(v) for k, v in functional.observables.items()},
        stationary=(*(o.symbol for o in functional.order_parameters if not o.within), *dual),
    )


def _bilinear(phi: sp.Expr, primal: list[sp.Symbol], dual: list[sp.Symbol]) -> sp.Matrix:
    """Matrix of the coefficients of ``dual_j primal_i`` among the explicit terms."""
    coupling = sp.zeros(len(dual), len(primal))
    for term in sp.Add.make_args(_collect(phi)):
        for j, conjugate in enumerate(dual):
            for i, order in enumerate(primal):
                rest = term / (conjugate * order)
                if not rest.free_symbols & {*primal, *dual}:
                    coupling[j, i] += rest
    return coupling


def _collect(expression: sp.Expr) -> sp.Expr:
    """Multiply products out, term by term, so that bilinear terms are seen and cancel."""
    return sp.Add(*(sp.expand(term, deep=False) for term in sp.Add.make_args(expression)))
