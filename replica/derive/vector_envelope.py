"""Moreau envelopes of functions of several variables, at zero temperature.

A quadratic function has a closed form. A smooth convex one is solved for where it is integrated. A
function with kinks or walls must be a sum of functions of one variable each: then its proximal
operator moves along a smooth piece, or rests at a kink, in every variable by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import sympy as sp

from replica.calculus.convex import is_convex, sample_values
from replica.calculus.multiprecision import FUNCTIONS
from replica.calculus.separable import has_kinks, pieces_and_rests, summands
from replica.calculus.vector import VectorEnvelope, VectorProximal
from replica.declare.shared import SharedField
from replica.declare.vectors import VectorField
from replica.errors import DerivationError

Potential = tuple[sp.Expr, sp.Matrix, sp.Matrix, tuple[sp.Expr, ...]]


def envelope(
    energy: sp.Expr,
    variables: tuple[sp.Symbol, ...],
    spread: sp.Matrix,
    field: VectorField | SharedField,
) -> Potential:
    """Minus the Moreau envelope, its derivatives and the minimiser.

    Raises
    ------
    DerivationError
        If the energy is not convex, or has kinks that depend on several of the variables.
    """
    if has_kinks(energy):
        _require_convex_summands(energy, variables, field)
    else:
        _require_convex(energy, variables, field)
        if energy.is_polynomial(*variables) and sp.Poly(energy, *variables).total_degree() <= 2:
            return _quadratic(energy, variables, spread)
    problem = (energy, variables, variables, spread)
    range_ = range(len(variables))
    score = sp.Matrix([-VectorEnvelope(*problem, (i,)) for i in range_])
    slope = sp.Matrix(
        [[-VectorEnvelope(*problem, (min(i, j), max(i, j))) for j in range_] for i in range_]
    )
    response = tuple(VectorProximal(*problem, (i,)) for i in range_)
    return -VectorEnvelope(*problem), score, slope, response


def _quadratic(loss: sp.Expr, variables: tuple[sp.Symbol, ...], spread: sp.Matrix) -> Potential:
    x = sp.Matrix(variables)
    at_zero = dict.fromkeys(variables, 0)
    hessian = sp.hessian(loss, variables)
    force = sp.Matrix([loss.diff(v) for v in variables]).subs(at_zero)
    gain = (sp.eye(len(x)) + spread * hessian).inv().applyfunc(sp.cancel)
    value = (gain * (x - spread * force)).applyfunc(sp.factor)
    slope = (-hessian * gain).applyfunc(sp.cancel)
    score = (-force - hessian * value).applyfunc(sp.factor)
    energy = loss.subs(dict(zip(variables, value, strict=True)), simultaneous=True)
    distance = (score.T * spread * score)[0, 0] / 2
    return -sp.factor(sp.expand(energy + distance)), score, slope, tuple(value)


def _require_convex_summands(
    energy: sp.Expr, variables: Sequence[sp.Symbol], field: VectorField | SharedField
) -> None:
    parts = summands(energy, variables)
    if parts is None:
        raise DerivationError(
            f"{field.where}: the {field.described} has kinks that depend on several "
            "margins or components at once; expected a sum of functions of one of them each."
        )
    for part, variable in zip(parts, variables, strict=True):
        if not all(is_convex(part, variable, at) for at in sample_values(part, variable)):
            raise _not_convex(field)
        pieces_and_rests(part, variable)


def _not_convex(field: VectorField | SharedField) -> DerivationError:
    return DerivationError(
        f"{field.where}: the {field.described} is not convex, so that its proximal "
        "operator is not unique."
    )


def _require_convex(
    energy: sp.Expr, variables: Sequence[sp.Symbol], field: VectorField | SharedField
) -> None:
    parameters = sorted(energy.free_symbols - set(variables), key=str)
    entries = sp.hessian(energy, variables).tolist()
    hessian = sp.lambdify([*variables, *parameters], entries, modules=[dict(FUNCTIONS), "mpmath"])
    for values in sample_values(energy, variables[0]):
        for place in range(3):
            point = [2 * math.sin(5 * place + 3 * i) for i in range(len(variables))]
            at = np.array(hessian(*point, *(values[p] for p in parameters)), dtype=float)
            if np.linalg.eigvalsh(at)[0] < -1e-9:
                raise _not_convex(field)
