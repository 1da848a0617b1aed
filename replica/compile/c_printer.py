"""SymPy expressions as C: doubles only, vectorising functions, small powers as products."""

from __future__ import annotations

import math
from collections.abc import Mapping

import sympy as sp
from sympy.printing.c import C99CodePrinter

from replica.calculus import special
from replica.compile.orthant_code import c_name, is_general
from replica.compile.program import ExpMinusOne, ProximalRoot

_FUNCTIONS = {
    special.Tanh: "rv_tanh",
    special.Sech2: "rv_sech2",
    special.LogCosh: "rv_log_cosh",
    special.Sigmoid: "rv_sigmoid",
    special.Softplus: "rv_softplus",
    special.NormalPdf: "rv_normal_pdf",
    special.NormalCdf: "rv_normal_cdf",
    special.LogNormalCdf: "rv_log_normal_cdf",
    special.Mills: "rv_mills",
    special.MillsExcess: "rv_mills_excess",
    sp.exp: "rv_exp",
    ExpMinusOne: "rv_expm1",
    sp.log: "rv_log",
    sp.erf: "rv_erf",
    sp.erfc: "rv_erfc",
    sp.tanh: "rv_tanh",
    sp.Abs: "fabs",
    sp.sign: "rv_sign",
    sp.Heaviside: "rv_heaviside",
}


class Printer(C99CodePrinter):
    """Doubles only, own vectorising functions, small powers as products.

    Symbols are printed by their name in the C source, as ``names`` has it.
    """

    def __init__(self, names: Mapping[sp.Symbol, str]) -> None:
        super().__init__({"math_macros": {}})  # C99 itself defines no M_SQRT1_2
        self.names = names
        self.orthants: set[tuple[float | None, int]] = (
            set()
        )  # correlations and numbers of variables

    def _print_Symbol(self, expr: sp.Symbol) -> str:
        return self.names[expr]

    def _print_Function(self, expr: sp.Function) -> str:
        name = _FUNCTIONS.get(expr.func)
        if name is not None:
            return f"{name}({self._print(expr.args[0])})"
        if isinstance(expr, ProximalRoot):
            index, *rest = expr.args
            return f"root_{int(index)}(s, {', '.join(self._print(a) for a in rest)})"
        return str(super()._print_Function(expr))

    def _print_Nested(self, name: str, args: tuple[sp.Expr, ...]) -> str:
        text = self._print(args[-1])
        for argument in reversed(args[:-1]):
            text = f"{name}({self._print(argument)}, {text})"
        return text

    def _print_LogSumExp(self, expr: sp.Expr) -> str:
        return self._print_Nested("rv_log_add_exp", expr.args)

    def _print_Max(self, expr: sp.Expr) -> str:
        return self._print_Nested("rv_max", expr.args)

    def _print_Min(self, expr: sp.Expr) -> str:
        return self._print_Nested("rv_min", expr.args)

    def _print_VectorRoot(self, expr: sp.Expr) -> str:
        problem, component, *targets = expr.args
        values = ", ".join(map(self._print, targets))
        return f"vector_root_{int(problem)}(s, {int(component)}, (const double[]){{{values}}})"

    def _print_SpectralRadius(self, expr: sp.Expr) -> str:
        size = math.isqrt(len(expr.args))
        entries = ", ".join(map(self._print, expr.args))
        return f"rv_spectral_radius({size}, (double[]){{{entries}}})"

    def _print_NormalOrthant(self, expr: sp.Expr) -> str:
        limits = ", ".join(map(self._print, expr.args[1:]))
        if is_general(expr.args[0], len(expr.args) - 1):
            self.orthants.add((None, 2))
            return f"{c_name(None, 2)}({self._print(expr.args[0])}, {limits})"
        kind = float(expr.args[0]), len(expr.args) - 1
        self.orthants.add(kind)
        return f"{c_name(*kind)}({limits})"

    _print_Larger = _print_Max
    _print_Smaller = _print_Min
    _print_ProximalRoot = _print_Function
    for _kind in _FUNCTIONS:
        locals()[f"_print_{_kind.__name__}"] = _print_Function
    _print_ExpBase = _print_Function

    def _print_Rational(self, expr: sp.Rational) -> str:
        return repr(int(expr.p) / int(expr.q))

    def _print_Integer(self, expr: sp.Integer) -> str:
        return repr(float(int(expr)))

    _print_One = _print_Zero = _print_NegativeOne = _print_Integer

    def _print_Half(self, expr: sp.Expr) -> str:
        return "0.5"

    def _print_Float(self, expr: sp.Float) -> str:
        return repr(float(expr))

    def _print_Pi(self, expr: sp.Expr) -> str:
        return repr(math.pi)

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return repr(math.e)

    def _print_Infinity(self, expr: sp.Expr) -> str:
        return "INFINITY"

    def _print_NegativeInfinity(self, expr: sp.Expr) -> str:
        return "-INFINITY"

    def _print_NaN(self, expr: sp.Expr) -> str:
        return "NAN"

    def _print_Pow(self, expr: sp.Pow) -> str:
        base, exponent = expr.base, expr.exp
        if exponent == sp.S.Half:
            return f"sqrt({self._print(base)})"
        if exponent == -sp.S.Half:
            return f"(1.0/sqrt({self._print(base)}))"
        if exponent.is_Rational and exponent.q == 2:
            whole = abs(int(exponent.p)) // 2
            root = f"sqrt({self._print(base)})"
            text = f"({root}*{self._product(base, whole)})" if whole else root
            return text if exponent > 0 else f"(1.0/{text})"
        if exponent.is_Integer and 0 < abs(int(exponent)) <= 12:
            text = self._product(base, abs(int(exponent)))
            return text if exponent > 0 else f"(1.0/{text})"
        return f"pow({self._print(base)}, {self._print(exponent)})"

    def _product(self, base: sp.Expr, count: int) -> str:
        text = f"({self._print(base)})"
        return f"({'*'.join([text] * count)})"
