"""Averages over sites that are not alike: a table of numbers, or the Marchenko-Pastur law.

The nodes know nothing of what the numbers mean. They are linear: a derivative is the average of the
derivative.

Source: V. A. Marchenko & L. A. Pastur, Math. USSR-Sbornik 1, 457 (1967).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import sympy as sp

from replica.errors import DerivationError


class Data(sp.Atom):
    """A table of numbers, one column a symbol: an atom of expressions, equal where its bytes are.

    Parameters
    ----------
    values : array, shape (1 + columns, rows)
        The first row of the array holds the weights of the rows of the table, of sum one.
    """

    values: Any
    digest: str

    def __new__(cls, values: Any) -> Data:
        import numpy as np

        self = sp.Atom.__new__(cls)
        self.values = np.ascontiguousarray(values, dtype=float)
        self.values.flags.writeable = False
        content = repr(self.values.shape).encode() + self.values.tobytes()
        self.digest = hashlib.sha256(content).hexdigest()[:16]
        return self

    def _hashable_content(self) -> tuple[Any, ...]:
        return (self.digest,)

    def __reduce__(self) -> Any:
        return Data, (self.values,)

    def _sympystr(self, printer: Any) -> str:
        return f"data {self.digest} of {self.values.shape[1]} sites"

    def _latex(self, printer: Any) -> str:
        return r"\text{data}"


class SiteAverage(sp.Expr):
    """Average of ``integrand`` over constants of a site; the second argument binds their symbols.

    Arguments
    ---------
    integrand : Expr, symbols : Tuple of Symbol, then what says their law
    """

    @property
    def integrand(self) -> sp.Expr:
        return self.args[0]

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        return tuple(self.args[1])

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        inner = self.args[0].free_symbols - set(self.symbols)
        return inner.union(*(a.free_symbols for a in self.args[2:]))

    @property
    def bound_symbols(self) -> list[sp.Symbol]:
        return list(self.symbols)

    def over(self, integrand: Any) -> sp.Expr:
        """Average of another integrand; what does not depend on the site is taken out."""
        integrand = sp.factor_terms(sp.sympify(integrand))
        coefficient, body = integrand.as_independent(*self.symbols, as_Add=False)
        if body == 1:
            return coefficient
        return coefficient * self.func(body, *self.args[1:])

    def nodes(self, values: Mapping[sp.Symbol, float]) -> tuple[dict[sp.Symbol, Any], Any]:
        """Values of the symbols and weights, as arrays; of a continuous law, a fine grid."""
        raise NotImplementedError

    def estimate(self, values: Mapping[sp.Symbol, float]) -> float:
        """Value in double precision, to a few digits, of an average without others inside."""
        import numpy as np

        columns, weights = self.nodes(values)
        integrand = sp.lambdify(list(columns), self.integrand.subs(dict(values)), "numpy")
        return float(np.sum(weights * integrand(*columns.values())))

    def _eval_subs(self, old: sp.Basic, new: sp.Basic) -> sp.Basic | None:
        return self if old in self.symbols else None

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        if any(s in a.free_symbols for a in self.args[2:]):
            raise DerivationError(f"the derivative of a law of the sites by {s} was asked for.")
        return self.over(self.integrand.diff(s)) if s in self.free_symbols else sp.S.Zero

    def _law_latex(self, printer: Any) -> str:
        return ",".join(printer._print(s) for s in self.symbols)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        law = self._law_latex(printer)
        return rf"\mathbb{{E}}_{{{law}}}\left[{printer._print(self.integrand)}\right]{power}"

    def _sympystr(self, printer: Any) -> str:
        p = printer._print
        names = ", ".join(map(p, self.symbols))
        law = ", ".join(p(a) for a in self.args[2:])
        name = type(self).__name__.removesuffix("Average")
        return f"E[{p(self.integrand)}; {names} ~ {name}({law})]"


class EmpiricalAverage(SiteAverage):
    """Average over the rows of a table: ``EmpiricalAverage(integrand, symbols, data)``."""

    def __new__(cls, integrand: Any, symbols: Sequence[sp.Symbol], data: Data) -> Any:
        return super().__new__(cls, sp.sympify(integrand), sp.Tuple(*symbols), data)

    @property
    def data(self) -> Data:
        return self.args[2]

    def nodes(self, values: Mapping[sp.Symbol, float]) -> tuple[dict[sp.Symbol, Any], Any]:
        return dict(zip(self.symbols, self.data.values[1:], strict=True)), self.data.values[0]


class MarchenkoPasturAverage(SiteAverage):
    """Average over the eigenvalues of ``F F^T/p``, ``F`` of ``ratio p x p`` standard normals.

    ``MarchenkoPasturAverage(integrand, symbols, ratio)``. With ``x = 1 + r + 2 sqrt(r) cos(a)`` the
    density in the angle ``a`` is smooth, without the roots at the edges:
    ``2 sin(a)**2/(pi x)`` on ``[0, pi]``; the rest of the mass lies at zero where ``r > 1``.
    """

    def __new__(cls, integrand: Any, symbols: Sequence[sp.Symbol], ratio: Any) -> Any:
        arguments = sp.sympify(integrand), sp.Tuple(*symbols), sp.sympify(ratio)
        return super().__new__(cls, *arguments)

    @property
    def ratio(self) -> sp.Expr:
        return self.args[2]

    def place(self, angle: sp.Expr) -> sp.Expr:
        """The eigenvalue at an angle, without cancellation near zero."""
        root = sp.sqrt(self.ratio)
        return (1 - root) ** 2 + 4 * root * sp.cos(angle / 2) ** 2

    def density(self, angle: sp.Expr) -> sp.Expr:
        """Density of the angle."""
        return 2 * sp.sin(angle) ** 2 / (sp.pi * self.place(angle))

    @property
    def at_zero(self) -> sp.Expr:
        """Mass at zero."""
        return sp.Max(0, 1 - 1 / self.ratio)

    def nodes(self, values: Mapping[sp.Symbol, float]) -> tuple[dict[sp.Symbol, Any], Any]:
        import numpy as np

        ratio, count = float(self.ratio.subs(dict(values))), 2000
        angle = (np.arange(count) + 0.5) * np.pi / count  # periodic: the rule is spectral
        root = np.sqrt(ratio)
        x = (1 - root) ** 2 + 4 * root * np.cos(angle / 2) ** 2
        weights = 2 * np.sin(angle) ** 2 / x / count
        if ratio > 1:
            x, weights = np.append(x, 0.0), np.append(weights, 1 - 1 / ratio)
        return {self.symbols[0]: x}, weights

    def _law_latex(self, printer: Any) -> str:
        p = printer._print
        return rf"{p(self.symbols[0])}\sim\mathrm{{MP}}({p(self.ratio)})"
