"""The free entropy of a declaration by brute force, without anything that was derived.

The replica-symmetric pieces of the calculus (`docs/calculus.md`) are integrated as they stand, from
the declared expressions: the site's ``log int dP(s) exp(-Vhat s**2/2 + h s - beta r(s))`` or its
maximum at zero temperature, the field's ``log E_eta W(y, w + sqrt(V) eta)`` or its minimum
(Moreau envelope), averaged over fields, labels, clusters and the quenched variable. Every variable,
conjugates too, takes any value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica.check import plain
from replica.check.declared_field import DeclaredField, Numbers
from replica.check.declared_sites import DeclaredSites
from replica.compile.numpy_functions import FUNCTIONS
from replica.declare.laws import Law, Spherical
from replica.declare.symbols import V, beta, chi, m, q, q_d
from replica.declare.system import System

Array = NDArray[np.float64]
#: Infinity for terms of the overlaps at zero temperature, which are evaluated with many digits.
_COLD = sp.Integer(10) ** 30


class DeclaredFreeEntropy:
    """Free entropy (minus the energy, at zero temperature) as a function of all variables.

    Parameters
    ----------
    system : System
    parameters : mapping
        Values of the parameters by symbol.
    """

    def __init__(self, system: System, parameters: Numbers) -> None:
        self.system, self.parameters = system, dict(parameters)
        self.zero = system.zero_temperature
        temperature = float(system.temperature.subs(self.parameters))
        self.beta = np.inf if self.zero else 1 / temperature
        if not self.zero:
            self.parameters[beta] = self.beta
        self.sites = DeclaredSites(self)
        self._known: dict[Any, tuple[float, float]] = {}
        self.preimages: dict[Any, tuple[list[float], list[float]]] = {}

    def __call__(self, point: Mapping[str, float]) -> tuple[float, float, float]:
        """Evaluate at a point.

        Parameters
        ----------
        point : mapping
            ``m``, ``q``, ``V`` or ``chi``, extremised scalars, ``mhat``, ``qhat``, ``Vhat``; those
            that the model does not have are not missed.

        Returns
        -------
        value, error, size : float
            The error of the integrals, as far as they tell; the size is the sum of the moduli of
            all terms.
        """
        spread = point["chi" if self.zero else "V"]
        size = self._fixed_norm()
        overlap = point.get("q", size if size is not None else np.nan)
        own = overlap + (0 if self.zero else spread)
        curvature = point.get("Vhat", 0.0)
        parts = [(-point["qhat"] * spread / 2, 0.0), (self._terms(point, overlap, spread), 0.0)]
        # The norm is held where it is declared, whatever q and V.
        parts.append((curvature * (own if size is None else size) / 2, 0.0))
        if self.system.quenched is not None:
            parts.append((-point["mhat"] * point["m"], 0.0))
        hats = (point.get("mhat", 0.0), point["qhat"], curvature)
        parts.append(self._once(("site", hats), lambda: self._site(*hats)))
        scalars = {e.symbol: point[str(e.symbol)] for e in self.system.extremised}
        local = (point.get("m", 0.0), overlap, spread, *scalars.values())
        for index, item in enumerate(self.system.fields):
            field = DeclaredField(self, item, {**scalars, m: local[0]}, overlap, spread)
            value, error = self._once((index, local), field.average)
            load = self.number(item.load)
            parts.append((load * value, load * error))
        values = [value for value, _ in parts]
        return sum(values), sum(error for _, error in parts), sum(map(abs, values))

    def _once(self, key: Any, work: Any) -> tuple[float, float]:
        """Differences move one variable at a time: keep the pieces that it does not concern."""
        if key not in self._known:
            with np.errstate(all="ignore"):
                self._known[key] = work()
        return self._known[key]

    def number(self, expression: Any, values: Numbers | None = None) -> float:
        """Evaluate an expression of the parameters."""
        return float(sp.sympify(expression).subs({**self.parameters, **(values or {})}))

    def function(self, symbols: list[sp.Symbol], expression: sp.Expr, values: Numbers) -> Any:
        """Return a NumPy function of some symbols, the others at their values."""
        numeric = expression.subs({**self.parameters, **values})
        function = sp.lambdify(symbols, numeric, modules=[dict(FUNCTIONS), "scipy", "numpy"])

        def broadcast(*arrays: Array) -> Array:
            shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
            return np.broadcast_to(function(*arrays), shape)

        return broadcast

    # -- overlaps ----------------------------------------------------------------------------

    def _fixed_norm(self) -> float | None:
        prior = self.system.thermal.prior
        if isinstance(prior, Spherical):
            return self.number(prior.radius2)
        if isinstance(prior, Law) and prior.fixed_norm:
            return self.number(prior.components[0][1] ** 2)
        return None

    def _terms(self, point: Mapping[str, float], overlap: float, spread: float) -> float:
        scale = _COLD if self.zero else sp.Float(self.beta)
        distance = sp.Float(spread, 60) / (scale if self.zero else 1)
        own = sp.Float(overlap, 60) + distance
        values = {beta: scale, q: sp.Float(overlap, 60), m: point.get("m", 0.0), q_d: own}
        exact = {symbol: sp.Float(value, 60) for symbol, value in self.parameters.items()}
        values |= {V: spread, chi: spread, **exact, beta: scale}
        values |= {e.symbol: point[str(e.symbol)] for e in self.system.extremised}
        pair = self.system.pair
        total = pair.subs(q, own).subs(values) - pair.subs(values)
        total += self.system.overlap.subs(values)
        return float((total / (scale if self.zero else 1)).evalf(60))

    # -- site --------------------------------------------------------------------------------

    def _site(self, mhat: float, qhat: float, Vhat: float) -> tuple[float, float]:
        laws = [(sp.S.One, sp.S.Zero, sp.S.Zero)]
        if self.system.quenched is not None:
            laws = list(self.system.quenched.law.components)
        total = sum(self.number(weight) for weight, _, _ in laws)
        sites = self.sites
        metric = sites.values(self.system.thermal.metric)
        value = error = 0.0
        for weight, mean, variance in laws:
            centre = mhat * metric * sites.values(mean)
            deviation = np.sqrt(qhat * metric + (mhat * metric) ** 2 * sites.values(variance))

            def over_sites(z: Array, centre: Array = centre, deviation: Array = deviation) -> Array:
                field = centre[:, None] + deviation[:, None] * z
                rows = np.repeat(np.arange(len(centre)), len(z))
                potential = self._potential(Vhat * metric[rows], rows)
                mean: Array = sites.weights @ potential(field.ravel()).reshape(field.shape)
                return mean

            # Plain evaluations are cheap: the modulus of a field of two values needs many.
            most = 2**17 if self.zero and isinstance(self.system.thermal.prior, Law) else 2**13
            part, change = plain.normal_average(over_sites, 0.0, 1.0, most=most)
            share = self.number(weight) / total
            value, error = value + share * part, error + share * change
        return value, error

    def _potential(self, Vhat: Array, rows: NDArray[np.intp]) -> plain.Function:
        """``log int dP(s) exp(-Vhat s**2/2 + h s - beta r(s))`` or its zero-temperature limit.

        One row of arguments a field; ``rows`` are the sites that they belong to.
        """
        thermal, s = self.system.thermal, self.system.thermal.symbol
        prior, penalty = thermal.prior, thermal.penalty
        scale = 1.0 if self.zero else self.beta
        constants = [column[rows][:, None] for column in self.sites.columns.values()]
        bare = self.function([s, *self.sites.columns], penalty, {})
        breaks = plain.break_points(penalty.subs({**self.parameters, **self.sites.first}), s)

        def energy(x: Array) -> Array:
            return bare(x, *constants)

        def log_weight(x: Array, field: Array) -> Array:
            curvature = Vhat if x.ndim == 1 else Vhat[:, None]
            return -curvature * x**2 / 2 + field * x - scale * energy(x)

        def whole_line(field: Array, mean: float = 0.0, variance: float = 0.0) -> Array:
            h = field[:, None]

            def log_density(x: Array) -> Array:
                log = log_weight(x, h)
                if variance:
                    log = log - (x - mean) ** 2 / variance / 2 - np.log(2 * np.pi * variance) / 2
                return log

            centre = np.full(len(field), mean)
            if self.zero:
                return -plain.minimum(lambda x: -log_density(x), centre, 1.0)
            return plain.log_integral(log_density, centre, 1.0, breaks)

        if not isinstance(prior, Law):
            return whole_line
        components = [tuple(map(self.number, component)) for component in prior.components]

        def mixture(field: Array) -> Array:
            logs = []
            for weight, mean, variance in components:
                if variance:
                    log = whole_line(field, mean, variance)
                else:
                    log = log_weight(np.full(len(field), mean), field)
                logs.append(log + (0 if self.zero else np.log(weight)))
            combine = np.maximum if self.zero else np.logaddexp
            result: Array = combine.reduce(logs)
            return result

        return mixture
