"""Single-site laws: priors of thermal variables and laws of quenched ones.

All but `Spherical` and `Flat` are finite mixtures of Gaussians (a point mass is a Gaussian of zero
variance), for which the single-site partition function has one closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.errors import DeclarationError

Component = tuple[sp.Expr, sp.Expr, sp.Expr]


@dataclass(frozen=True)
class Law:
    """Mixture of Gaussians ``sum_k weight_k Normal(mean_k, variance_k)``."""

    name: str
    components: tuple[Component, ...]
    #: A thermal spin counts states (weights 1) instead of averaging over them.
    counting: bool = False

    @property
    def second_moment(self) -> sp.Expr:
        """``E[t**2]`` of the normalised law."""
        total = sum(w for w, _, _ in self.components)
        moment = sum(w * (mu**2 + var) for w, mu, var in self.components) / total
        return sp.simplify(moment)

    @property
    def normalised(self) -> tuple[Component, ...]:
        """Components with weights that sum to one."""
        total = sp.simplify(sum(w for w, _, _ in self.components))
        return tuple((sp.simplify(w / total), mu, var) for w, mu, var in self.components)

    @property
    def fixed_norm(self) -> bool:
        """Whether ``s**2`` is the same for every value, as for spins."""
        squares = {sp.simplify(mu**2) for _, mu, _ in self.components}
        return len(squares) == 1 and all(var == 0 for _, _, var in self.components)

    @property
    def two_values(self) -> bool:
        """Whether there are two values, as of a spin or a neuron that is silent or active."""
        return len(self.components) == 2 and all(var == 0 for _, _, var in self.components)

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Parameters that the law depends on."""
        return set().union(*(e.free_symbols for c in self.components for e in c))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Spherical:
    """Flat measure on the sphere ``sum_i s_i**2 = N radius2``."""

    radius2: Any = 1
    name: str = "spherical"

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Parameters that the law depends on."""
        return sp.sympify(self.radius2).free_symbols

    @property
    def second_moment(self) -> sp.Expr:
        """``E[s**2]``, fixed by the constraint."""
        return sp.sympify(self.radius2)


@dataclass(frozen=True)
class Flat:
    """Lebesgue measure ``ds``; a penalty must make it normalisable."""

    name: str = "flat"

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Parameters that the law depends on (none)."""
        return set()


def Rademacher() -> Law:
    """Spin ``s = +-1``. As a thermal variable it is counted (``sum_s``), as a law it is fair."""
    return Law(
        "rademacher",
        ((sp.S.One, sp.S.One, sp.S.Zero), (sp.S.One, -sp.S.One, sp.S.Zero)),
        counting=True,
    )


def Gaussian(mean: Any = 0, variance: Any = 1) -> Law:
    """Normal law.

    Raises
    ------
    DeclarationError
        If the variance is negative.
    """
    variance = _nonnegative(variance, "variance of a Gaussian law")
    return Law("gaussian", ((sp.S.One, sp.sympify(mean), variance),))


def GaussBernoulli(density: Any, mean: Any = 0, variance: Any = 1) -> Law:
    """Zero with probability ``1 - density``, else ``Normal(mean, variance)``."""
    density = _nonnegative(density, "density of a Gauss-Bernoulli law")
    variance = _nonnegative(variance, "variance of a Gauss-Bernoulli law")
    if density.is_number and density > 1:
        raise DeclarationError(f"density of a Gauss-Bernoulli law: {density} is larger than 1.")
    return Law(
        "gauss-bernoulli",
        ((1 - density, sp.S.Zero, sp.S.Zero), (density, sp.sympify(mean), variance)),
    )


def Discrete(
    values: Sequence[Any],
    probabilities: Sequence[Any] | None = None,
    *,
    counting: bool = False,
) -> Law:
    """Finite set of values with probabilities (uniform where none are given).

    Parameters
    ----------
    values, probabilities : sequence
    counting : bool
        Count the states of a thermal variable (``sum_s``, weights one), as `Rademacher` does. Else
        the law is normalised, and free entropy and entropy are relative to it: ``log n`` lower for
        ``n`` values of equal probability.

    Raises
    ------
    DeclarationError
        If the lengths differ, the probabilities do not sum to one, or counted states have some.
    """
    points = [sp.sympify(v) for v in values]
    if not points:
        raise DeclarationError("discrete law: expected at least one value, got none.")
    if counting and (probabilities is not None or len(set(points)) < len(points)):
        raise DeclarationError(
            "discrete law: counted states have weight one each; expected different values and no "
            "probabilities."
        )
    if counting:
        return Law("discrete", tuple((sp.S.One, x, sp.S.Zero) for x in points), counting=True)
    if probabilities is None:
        weights = [sp.Rational(1, len(points))] * len(points)
    else:
        weights = [_nonnegative(p, "probability of a discrete law") for p in probabilities]
    if len(weights) != len(points):
        raise DeclarationError(
            f"discrete law: {len(points)} values but {len(weights)} probabilities."
        )
    total = sp.simplify(sum(weights))
    if total.is_number and abs(float(total) - 1) > 1e-12:
        raise DeclarationError(f"discrete law: the probabilities sum to {total}, expected 1.")
    merged: dict[sp.Expr, sp.Expr] = {}
    for weight, point in zip(weights, points, strict=True):
        merged[point] = merged.get(point, sp.S.Zero) + weight
    return Law("discrete", tuple((w, x, sp.S.Zero) for x, w in merged.items()))


def _nonnegative(value: Any, what: str) -> sp.Expr:
    expression = sp.sympify(value)
    if expression.is_negative:
        raise DeclarationError(f"{what}: {expression} is negative.")
    return expression
