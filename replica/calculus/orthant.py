"""Orthant probabilities: what a noiseless argmax says about the fields of a teacher."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.function import ArgumentIndexError

from replica.calculus.special import NormalCdf, NormalPdf, _Stable


class NormalOrthant(_Stable):
    """``P(t_1 <= a_1, ..., t_n <= a_n)`` of standard normal ``t`` with one common correlation.

    ``NormalOrthant(correlation, a_1, ..., a_n)``, for more than two variables with a correlation in
    [0, 1). The family is closed under differentiation: given ``t_k = a_k`` the others are equally
    correlated again.
    """

    nargs = None
    latex_head = r"\Phi"

    @classmethod
    def eval(cls, correlation: Any, *limits: Any) -> Any:
        if not limits:
            return sp.S.One
        if len(limits) == 1:
            return NormalCdf(limits[0])
        if correlation.is_zero:
            return sp.Mul(*map(NormalCdf, limits))
        return None

    def _eval_is_positive(self) -> bool:
        return True

    @property
    def correlation(self) -> sp.Expr:
        """The correlation of any two of the variables."""
        return self.args[0]

    @property
    def limits(self) -> tuple[sp.Expr, ...]:
        """The upper limits."""
        return tuple(self.args[1:])

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        if not 2 <= argindex <= len(self.args):
            raise ArgumentIndexError(self, argindex)
        rho, limits = self.correlation, list(self.limits)
        fixed = limits.pop(argindex - 2)
        rest = [(a - rho * fixed) / sp.sqrt(1 - rho**2) for a in limits]
        return NormalPdf(fixed) * NormalOrthant(rho / (1 + rho), *rest)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        p = printer._print
        inner = ", ".join(map(p, self.limits))
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\Phi_{{{p(self.correlation)}}}{power}\left({inner}\right)"
