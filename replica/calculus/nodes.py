"""Symbolic averages and proximal operators: the vocabulary in which equations are written.

Every node is a SymPy expression with a bound symbol, knows its derivatives (Price's theorem,
envelope theorem) and its LaTeX. Conventions: an `Average` is over a Gaussian variable given by its
mean and *variance*, so that derivatives never divide by a standard deviation.

Sources: R. Price, IRE Trans. Inf. Theory 4, 69 (1958); J. J. Moreau, Bull. SMF 93, 273 (1965).
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from replica.calculus.orthants import half_line_average
from replica.calculus.special import NormalCdf, NormalPdf, without_branches
from replica.errors import DerivationError


class _Bound(sp.Expr):
    """An expression with one bound symbol (second argument).

    The arguments after it are outside of its scope, so they may contain a symbol of its name.
    """

    @property
    def variable(self) -> sp.Symbol:
        return self.args[1]

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        inner = self.args[0].free_symbols - {self.args[1]}
        return inner.union(*(a.free_symbols for a in self.args[2:]))

    @property
    def bound_symbols(self) -> list[sp.Symbol]:
        return [self.args[1]]

    def _eval_subs(self, old: sp.Basic, new: sp.Basic) -> sp.Basic | None:
        if old == self.args[1]:
            outer = tuple(a._subs(old, new) for a in self.args[2:])
            return self.func(self.args[0], self.args[1], *outer)
        return None

    def _eval_is_extended_real(self) -> bool:
        return True


class Average(_Bound):
    """Gaussian average of ``integrand`` over ``variable ~ Normal(mean, variance)``.

    Arguments
    ---------
    integrand : Expr, variable : Symbol, mean : Expr, variance : Expr
    """

    def __new__(cls, integrand: Any, variable: Any, mean: Any = 0, variance: Any = 1) -> Average:
        args = [sp.sympify(a) for a in (integrand, variable, mean, variance)]
        return super().__new__(cls, *args)

    @property
    def integrand(self) -> sp.Expr:
        return self.args[0]

    @property
    def mean(self) -> sp.Expr:
        return self.args[2]

    @property
    def variance(self) -> sp.Expr:
        return self.args[3]

    def over(self, integrand: Any) -> Average:
        """Return the average of another integrand over the same law."""
        return Average(integrand, self.variable, self.mean, self.variance)

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        integrand, w = self.integrand, self.variable
        result = sp.S.Zero
        if s != w and integrand.diff(s) != 0:
            result += gaussian_average(integrand.diff(s), w, self.mean, self.variance)
        d_mean, d_variance = self.mean.diff(s), self.variance.diff(s)
        if d_mean != 0:
            result += d_mean * gaussian_average(integrand.diff(w), w, self.mean, self.variance)
        if d_variance != 0:
            second = integrand.diff(w, 2)
            result += d_variance / 2 * gaussian_average(second, w, self.mean, self.variance)
        return result

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        p = printer._print
        law = (
            rf"{p(self.variable)}\sim\mathcal{{N}}\left({p(self.mean)},\,{p(self.variance)}\right)"
        )
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\mathbb{{E}}_{{{law}}}\left[{p(self.integrand)}\right]{power}"

    def _sympystr(self, printer: Any) -> str:
        p = printer._print
        return f"E[{p(self.integrand)}; {p(self.variable)} ~ N({p(self.mean)}, {p(self.variance)})]"


class LabelAverage(sp.Expr):
    """Weighted sum over the values of a discrete label, ``sum_c weight(c) integrand(c)``.

    Arguments
    ---------
    integrand : Expr, label : Symbol, values : Tuple, weights : Tuple
    """

    def __new__(cls, integrand: Any, label: Any, values: Any, weights: Any) -> Any:
        integrand = sp.sympify(integrand)
        if label not in integrand.free_symbols:
            return integrand * sp.simplify(sum(weights))
        return super().__new__(cls, integrand, label, sp.Tuple(*values), sp.Tuple(*weights))

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        outer = self.args[3].free_symbols | self.args[2].free_symbols
        return (self.args[0].free_symbols | outer) - {self.args[1]}

    def unroll(self) -> sp.Expr:
        """Return the sum written out, one term a value."""
        integrand, label, values, weights = self.args
        return sp.Add(
            *(
                weight.subs(label, value) * integrand.subs(label, value)
                for value, weight in zip(values, weights, strict=True)
                if weight != 0
            )
        )

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        integrand, label, values, weights = self.args
        result = LabelAverage(integrand.diff(s), label, values, weights)
        d_weights = [w.diff(s) for w in weights]
        if any(d != 0 for d in d_weights):
            result += LabelAverage(integrand, label, values, d_weights)
        return result

    def _eval_subs(self, old: sp.Basic, new: sp.Basic) -> sp.Basic | None:
        return self if old == self.args[1] else None

    def _eval_is_extended_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        p = printer._print
        integrand, label, values, weights = self.args
        pairs = ", ".join(p(v) for v in values)
        if len(set(weights)) == 1:
            head = rf"\sum_{{{p(label)}\in\{{{pairs}\}}}}"
            head = head if weights[0] == 1 else rf"{p(weights[0])}" + head
        else:
            laws = r",\;".join(rf"P({p(v)})={p(w)}" for v, w in zip(values, weights, strict=True))
            head = rf"\mathbb{{E}}_{{{p(label)}:\,{laws}}}"
        inside = p(integrand)
        body = rf"{head} {inside}" if _is_average(integrand) else rf"{head}\left[{inside}\right]"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        p = printer._print
        integrand, label, values, weights = self.args
        laws = ", ".join(f"{p(v)}: {p(w)}" for v, w in zip(values, weights, strict=True))
        return f"Sum_{p(label)}{{{laws}}}[{p(integrand)}]"


def _is_average(expression: sp.Expr) -> bool:
    """Whether an expression is one average, with a factor perhaps: it needs no brackets."""
    factors = sp.Mul.make_args(expression)
    return sum(isinstance(f, Average) for f in factors) == 1 and not any(f.is_Add for f in factors)


def _loss_name(node: Any, printer: Any) -> str:
    """Return the name of a node's function: a printer that meets several has one for each."""
    names: dict[Any, str] = getattr(printer, "losses", {})
    return names.get(node.args[:2], r"\ell")


class ProximalNode(_Bound):
    """Common part of the nodes built on ``argmin_v (v - point)**2 / (2 scale) + function(v)``."""

    head = ""

    def __new__(cls, function: Any, variable: Any, point: Any, scale: Any) -> Any:
        args = [sp.sympify(a) for a in (function, variable, point, scale)]
        return super().__new__(cls, *args)

    @property
    def function(self) -> sp.Expr:
        return self.args[0]

    @property
    def point(self) -> sp.Expr:
        return self.args[2]

    @property
    def scale(self) -> sp.Expr:
        return self.args[3]

    def same(self, kind: type) -> Any:
        """Return the node of another kind on the same problem."""
        return kind(*self.args)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        p = printer._print
        function = rf"{p(self.scale)}\,{_loss_name(self, printer)}"
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"{self.head}_{{{function}}}{power}\left({p(self.point)}\right)"


class Proximal(ProximalNode):
    """Proximal operator ``argmin_v (v - point)**2 / (2 scale) + function(v)``, function convex."""

    head = r"\operatorname{prox}"

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        slope = self.same(ProximalSlope)
        inner = self.point.diff(s)
        if self.scale.diff(s) != 0:
            inner -= self.scale.diff(s) * (self.point - self) / self.scale
        if s != self.variable and s in self.function.free_symbols:
            force = without_branches(self.function.diff(s).diff(self.variable))
            inner -= self.scale * force.subs(self.variable, self)
        return slope * inner


class ProximalSlope(ProximalNode):
    """Derivative of the proximal operator with respect to its point."""

    head = r"\operatorname{prox}'"

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        if s not in self.free_symbols:
            return sp.S.Zero
        raise DerivationError(
            "the second derivative of a proximal operator was asked for: write the functional so "
            "that only first derivatives of proximal operators appear in its stationarity."
        )


class MoreauEnvelope(ProximalNode):
    """Moreau envelope ``min_v (v - point)**2 / (2 scale) + function(v)``."""

    head = r"\mathcal{M}"

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        prox = self.same(Proximal)
        gap = (self.point - prox) / self.scale
        result = self.point.diff(s) * gap - self.scale.diff(s) * gap**2 / 2
        if s in self.function.free_symbols - {self.variable}:
            # Not function.diff(s) != 0: a wall that moves with the parameter is flat on both sides.
            result += EnvelopeDerivative(*self.args, s)
        return result


class EnvelopeDerivative(_Bound):
    """Derivative of a Moreau envelope with respect to a parameter of its function."""

    @property
    def parameter(self) -> sp.Symbol:
        return self.args[4]

    function = ProximalNode.function
    point = ProximalNode.point
    scale = ProximalNode.scale

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        p = printer._print
        power = "" if exp is None else f"^{{{exp}}}"
        function = rf"{p(self.scale)}\,{_loss_name(self, printer)}"
        derivative = rf"\partial_{{{p(self.parameter)}}}\mathcal{{M}}_{{{function}}}"
        body = rf"{derivative}\left({p(self.point)}\right)"
        return body if exp is None else rf"\left[{body}\right]{power}"

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        if s not in self.free_symbols:
            return sp.S.Zero
        raise DerivationError(
            "the second derivative of a Moreau envelope with respect to a parameter was asked for."
        )


def gaussian_average(integrand: Any, variable: sp.Symbol, mean: Any = 0, variance: Any = 1) -> Any:
    """Average over a Gaussian variable, in closed form where a rule applies.

    Rules (calculus, section 6): polynomials in the variable; ``Heaviside``, ``NormalCdf``,
    ``sign``, ``Abs`` and ``DiracDelta`` of an affine argument; polynomials times a step of one;
    ``Heaviside`` times ``NormalCdf`` of multiples of a variable of mean zero; sums and multiples
    of those. Anything else stays an `Average`.
    """
    integrand, mean, variance = map(sp.sympify, (integrand, mean, variance))
    if integrand.is_polynomial(variable):
        return _polynomial_average(integrand, variable, mean, variance)
    if integrand.is_Mul and integrand.has(sp.Heaviside) and integrand.has(NormalCdf):
        integrand = sp.expand_mul(integrand, deep=False)
    closed: list[sp.Expr] = []
    rest: list[sp.Expr] = []
    for term in sp.Add.make_args(integrand):
        value = _closed_form(term, variable, mean, variance)
        (rest if value is None else closed).append(term if value is None else value)
    result = sp.Add(*closed)
    if rest:
        coefficient, body = sp.factor_terms(sp.Add(*rest)).as_independent(variable, as_Add=False)
        if coefficient.has(Average):
            coefficient, body = sp.S.One, sp.Add(*rest)
        result += coefficient * Average(body, variable, mean, variance)
    return result


def _closed_form(term: sp.Expr, w: sp.Symbol, mean: sp.Expr, variance: sp.Expr) -> sp.Expr | None:
    """Closed form of the average of one term, or None."""
    coefficient, body = term.as_independent(w, as_Add=False)
    if body.is_polynomial(w):
        return coefficient * _polynomial_average(body, w, mean, variance)
    if body.is_Mul and body.has(sp.DiracDelta):
        delta = next(f for f in body.args if isinstance(f, sp.DiracDelta))
        slope = delta.args[0].diff(w)
        if w in slope.free_symbols:
            return None
        root = -delta.args[0].subs(w, 0) / slope
        density = _closed_form(delta, w, mean, variance)
        return coefficient * (body / delta).subs(w, root) * density
    orthant = half_line_average(body, w, mean, variance)
    if orthant is not None:
        return coefficient * orthant
    power, step = body.as_independent(sp.Heaviside, as_Add=False)
    if isinstance(step, sp.Heaviside) and power != 1 and power.is_polynomial(w):
        return coefficient * _truncated_average(power, step, w, mean, variance)
    if not isinstance(body, (sp.Heaviside, NormalCdf, sp.sign, sp.Abs, sp.DiracDelta)):
        return None
    slope = body.args[0].diff(w)
    if w in slope.free_symbols:
        return None
    centre, spread = body.args[0].subs(w, mean), slope**2 * variance
    if isinstance(body, NormalCdf):
        return coefficient * NormalCdf(centre / sp.sqrt(1 + spread))
    scale = sp.sqrt(spread)
    ratio = centre / scale
    if isinstance(body, sp.Heaviside):
        return coefficient * NormalCdf(ratio)
    if isinstance(body, sp.DiracDelta):
        return coefficient * NormalPdf(ratio) / scale
    sign = sp.erf(ratio / sp.sqrt(2))
    if isinstance(body, sp.sign):
        return coefficient * sign
    return coefficient * (centre * sign + 2 * scale * NormalPdf(ratio))


def _truncated_average(
    body: sp.Expr, step: sp.Expr, w: sp.Symbol, mean: sp.Expr, variance: sp.Expr
) -> sp.Expr:
    """``E[body step]`` of a polynomial and a step, by ``E[(w - mean) F] = variance E[F']``."""
    lower, rest = sp.div(sp.expand(body), w - mean, w)
    total = rest * gaussian_average(step, w, mean, variance)
    if lower != 0:
        slope = sp.Add.make_args(sp.expand(lower.diff(w) * step + lower * step.diff(w)))
        total += variance * sp.Add(*(gaussian_average(t, w, mean, variance) for t in slope))
    return total


def _polynomial_average(body: sp.Expr, w: sp.Symbol, mean: sp.Expr, variance: sp.Expr) -> sp.Expr:
    """``sum_k (variance/2)**k / k! d^(2k) body / dw^(2k)`` at the mean (heat equation)."""
    result, derivative, factor, order = sp.S.Zero, body, sp.S.One, 0
    while derivative != 0:
        result += factor * derivative.subs(w, mean)
        derivative = derivative.diff(w, 2)
        order += 1
        factor *= variance / (2 * order)
    return result
