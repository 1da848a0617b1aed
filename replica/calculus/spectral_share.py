r"""Weight of the largest singular values of a Gaussian matrix: how wide low rank leaves a matrix.

Squared singular values of an ``r x c`` matrix, ``y = r/c <= 1``, have the Marchenko-Pastur density;
with ``x = 1 + y + 2 sqrt(y) cos(phi)`` the share of those above ``x(theta)`` is the rank, and their
share of the squared norm is ``(theta - sin(2 theta)/2)/pi``.
"""

from __future__ import annotations

import math
from typing import Any

import sympy as sp


class SpectralShare(sp.Function):
    r"""Share of the squared norm of a Gaussian matrix that its best approximation of a rank has.

    Arguments
    ---------
    rank : Expr
        As a share of the smaller number of rows and columns.
    aspect : Expr
        Smaller of the two numbers divided by the larger one.
    """

    nargs = 2

    @classmethod
    def eval(cls, rank: Any, aspect: Any) -> Any:
        """Return one for full rank."""
        if rank == 1:
            return sp.S.One
        return None

    def _eval_is_positive(self) -> bool:
        return True

    def _eval_evalf(self, prec: int) -> sp.Float | None:
        if not all(a.is_number for a in self.args):
            return None
        return sp.Float(spectral_share(*map(float, self.args)))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"\omega^2\left({printer._print(self.args[0])}\right)"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


def spectral_share(rank: float, aspect: float) -> float:
    """Return the share of the squared norm in the largest singular values.

    Parameters
    ----------
    rank : float
        Share of the singular values, from 0 to 1.
    aspect : float
        Above 0, not above 1.
    """
    if rank >= 1:
        return 1.0
    low, high = 0.0, math.pi
    for _ in range(200):  # halves of an interval, down to neighbouring numbers
        theta = (low + high) / 2
        if theta in (low, high):
            break
        low, high = (theta, high) if _singular_values_above(theta, aspect) < rank else (low, theta)
    return (theta - math.sin(theta) * math.cos(theta)) / math.pi


def _singular_values_above(theta: float, aspect: float) -> float:
    """Share of singular values above that of the angle."""
    root = math.sqrt(aspect)
    turned = math.atan2((1 - root) * math.sin(theta / 2), (1 + root) * math.cos(theta / 2))
    sectors = (1 + aspect) * theta - 2 * root * math.sin(theta) - 2 * (1 - aspect) * turned
    return sectors / (2 * math.pi * aspect)
