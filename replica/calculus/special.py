"""Special functions whose derivatives stay inside a numerically stable family.

SymPy differentiates ``log(cosh(x))`` or ``log(1 + exp(x))`` into quotients that overflow. The
functions here are closed under differentiation and each has a stable implementation in every
numeric layer (C, NumPy, mpmath).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from mpmath import workprec
from sympy.core.function import ArgumentIndexError

from replica.calculus.multiprecision import FUNCTIONS


class _Stable(sp.Function):
    """Base class: a real function of one real argument with a LaTeX head."""

    nargs: Any = 1
    latex_head = ""

    @classmethod
    def eval(cls, *args: Any) -> Any:
        return None

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        if not all(argument.is_number for argument in self.args):
            return None
        with workprec(prec + 10):
            values = [argument._to_mpmath(prec + 10) for argument in self.args]
            return sp.Expr._from_mpmath(FUNCTIONS[type(self).__name__](*values), prec)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        inner = ", ".join(printer._print(argument) for argument in self.args)
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"{self.latex_head}{power}\left({inner}\right)"


class Tanh(_Stable):
    """Hyperbolic tangent whose derivative is `Sech2`, free of cancellation."""

    latex_head = r"\tanh"

    @classmethod
    def eval(cls, x: Any) -> Any:
        if x.is_zero:
            return sp.S.Zero
        if x.could_extract_minus_sign():
            return -cls(-x)
        return None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return Sech2(self.args[0])


class Sech2(_Stable):
    """``1 / cosh(x)**2``, an even function."""

    latex_head = r"\operatorname{sech}^2"

    @classmethod
    def eval(cls, x: Any) -> Any:
        if x.is_zero:
            return sp.S.One
        return cls(-x) if x.could_extract_minus_sign() else None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x = self.args[0]
        return -2 * Tanh(x) * Sech2(x)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        inner = printer._print(self.args[0])
        power = "2" if exp is None else f"{2 * int(exp)}" if exp.isdigit() else f"2 {exp}"
        return rf"\operatorname{{sech}}^{{{power}}}\left({inner}\right)"


class LogCosh(_Stable):
    """``log(cosh(x))``, an even function."""

    latex_head = r"\log\cosh"

    @classmethod
    def eval(cls, x: Any) -> Any:
        if x.is_zero:
            return sp.S.Zero
        return cls(-x) if x.could_extract_minus_sign() else None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return Tanh(self.args[0])


class Sigmoid(_Stable):
    """Logistic function ``1 / (1 + exp(-x))``."""

    latex_head = r"\sigma"

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x = self.args[0]
        return Sigmoid(x) * Sigmoid(-x)


class Softplus(_Stable):
    """``log(1 + exp(x))``."""

    latex_head = r"\operatorname{softplus}"

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return Sigmoid(self.args[0])

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"\log\left(1 + e^{{{printer._print(self.args[0])}}}\right)"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


class NormalPdf(_Stable):
    """Density of the standard normal law."""

    latex_head = r"\phi"

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x = self.args[0]
        return -x * NormalPdf(x)


class NormalCdf(_Stable):
    """Distribution function of the standard normal law."""

    latex_head = r"\Phi"

    @classmethod
    def eval(cls, x: Any) -> Any:
        return sp.S.Half if x.is_zero else None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return NormalPdf(self.args[0])


class LogNormalCdf(_Stable):
    """``log(NormalCdf(x))`` with relative accuracy in both tails."""

    latex_head = r"\log\Phi"

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return Mills(self.args[0])


class Mills(_Stable):
    """Inverse Mills ratio ``NormalPdf(x) / NormalCdf(x)``."""

    latex_head = r"\mathcal{R}"

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x = self.args[0]
        return -Mills(x) * MillsExcess(x)


class MillsExcess(_Stable):
    """``x + Mills(x)``, accurate where the two terms cancel (``x -> -oo``)."""

    latex_head = r"\mathcal{R}_{+}"

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        x = self.args[0]
        return 1 - Mills(x) * MillsExcess(x)


class LogSumExp(_Stable):
    """``log(exp(x_1) + ... + exp(x_n))``; a term may be ``-oo``."""

    nargs = None
    latex_head = r"\log\sum\exp"

    @classmethod
    def eval(cls, *args: Any) -> Any:
        return args[0] if len(args) == 1 else None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        if not 1 <= argindex <= len(self.args):
            raise ArgumentIndexError(self, argindex)
        return sp.exp(self.args[argindex - 1] - self)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        terms = " + ".join(printer._print(sp.exp(a)) for a in self.args)
        body = rf"\log\left({terms}\right)"
        return body if exp is None else rf"\left[{body}\right]^{{{exp}}}"


def _log_stable(argument: sp.Expr) -> sp.Expr:
    """Rewrite ``log(argument)`` when it is one of the overflowing patterns."""
    coefficient, rest = argument.as_coeff_Mul()
    if coefficient.is_positive and coefficient != 1:
        return sp.log(coefficient) + _log_stable(rest)
    if isinstance(argument, sp.exp):
        return argument.args[0]
    if isinstance(argument, sp.cosh):
        return LogCosh(argument.args[0])
    if isinstance(argument, NormalCdf):
        return LogNormalCdf(argument.args[0])
    if isinstance(argument, Sigmoid):
        return -Softplus(-argument.args[0])
    if isinstance(argument, sp.Pow) and argument.base.is_positive:
        return argument.exp * _log_stable(argument.base)
    if argument.is_Add and len(argument.args) == 2 and argument.has(sp.exp):
        first, second = argument.args
        if second == 1:
            first, second = second, first
        if first == 1 and isinstance(second, sp.exp):
            return Softplus(second.args[0])
    if argument.is_Add and all(a == 1 or isinstance(a, sp.exp) for a in argument.args):
        return LogSumExp(*(sp.S.Zero if a == 1 else a.args[0] for a in argument.args))
    return sp.log(argument)


def stabilise(expression: sp.Expr) -> sp.Expr:
    """Rewrite overflowing patterns of a user's expression in terms of the stable functions.

    Parameters
    ----------
    expression : sympy.Expr
        For example ``log(1 + exp(-h))``, ``tanh(h)``, ``log(erfc(h))``.

    Returns
    -------
    sympy.Expr
        An equal expression; what is not recognised is left as it is.
    """

    def inverse_one_plus_exp(power: sp.Pow) -> sp.Expr:
        base = power.base
        if power.exp.is_negative and base.is_Add and len(base.args) == 2 and 1 in base.args:
            other = next(a for a in base.args if a != 1)
            if isinstance(other, sp.exp):
                return Sigmoid(-other.args[0]) ** (-power.exp)
        return power

    root2 = sp.sqrt(2)
    result = sp.sympify(expression)
    result = result.replace(sp.tanh, Tanh)
    result = result.replace(sp.erfc, lambda x: 2 * NormalCdf(-root2 * x))
    result = tails(result)  # SymPy writes erfc(-x) as 2 - erfc(x)
    result = result.replace(lambda e: isinstance(e, sp.Pow), inverse_one_plus_exp)
    return result.replace(sp.log, _log_stable)


def tails(expression: sp.Expr) -> sp.Expr:
    """Write what a distribution function lacks as the other tail, ``1 - Phi(x) = Phi(-x)``.

    A difference loses the digits of a small tail.
    """
    return expression.replace(lambda e: e.is_Add, lambda e: merge_pairs(e, missing_tail))


def missing_tail(term: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """Return what makes a multiple of a distribution function the other tail, and that tail."""
    for factor in sp.Mul.make_args(term):
        if isinstance(factor, NormalCdf):
            rest = term / factor
            return -rest, -rest * NormalCdf(-factor.args[0])
    return None


def merge_pairs(
    total: sp.Expr, partner: Callable[[sp.Expr], tuple[sp.Expr, sp.Expr] | None]
) -> sp.Expr:
    """Return a sum with pairs of terms merged.

    ``partner`` returns the other term of a pair and what the two make together, or None.
    """
    terms = list(sp.Add.make_args(total))
    for term in tuple(terms):
        pair = partner(term) if term in terms else None
        if pair is not None and pair[0] in terms:
            terms.remove(term)
            terms.remove(pair[0])
            terms.append(pair[1])
    return sp.Add(*terms)


def without_branches(expression: sp.Expr) -> sp.Expr:
    """Write ``Piecewise`` with step functions, whose argument may then be a proximal operator.

    SymPy folds a ``Piecewise`` that is substituted into the condition of another one, and with it
    the function of a proximal node.
    """

    def step(condition: sp.Basic) -> sp.Expr:
        if condition in (sp.true, sp.false):
            return sp.Integer(bool(condition))
        if isinstance(condition, sp.And):
            return sp.Mul(*map(step, condition.args))
        if isinstance(condition, sp.Or):
            return 1 - sp.Mul(*(1 - step(c) for c in condition.args))
        if isinstance(condition, sp.Not):
            return 1 - step(condition.args[0])
        return sp.Heaviside(condition.gts - condition.lts)

    def steps(*branches: sp.Tuple) -> sp.Expr:
        total, rest = sp.S.Zero, sp.S.One
        for value, condition in branches:
            total += rest * step(condition) * value
            rest *= 1 - step(condition)
        return total

    return expression.replace(sp.Piecewise, steps)
