"""Clusters of Gaussian inputs as labels of a vector field: their centroids and their covariances.

Where covariances differ from isotropic ones, sites are the directions of their common eigenbasis:
centroids and eigenvalues are constants of the sites, which the overlaps and variances contain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.declare.component_field import symbol_column
from replica.declare.fields import require_nonnegative
from replica.declare.symbols import Parameter
from replica.errors import DeclarationError


@dataclass(frozen=True)
class Clusters:
    """One-hot labels of the Gaussian clusters that the inputs are drawn from.

    An input of cluster ``c`` is ``v_c/sqrt(N)`` plus Gaussian noise.

    Parameters
    ----------
    label : sequence of Symbol
    overlaps : square array
        Overlaps ``v_a.v_b/N`` of the centroids, numbers or expressions of parameters; with
        constants of the sites, what a site contributes (``v_a v_b``), which is averaged over them.
    probabilities : sequence, optional
        Of the clusters; equal by default.
    variance : Expr or sequence of Expr
        Variance of the noise of all clusters, or one for each. With constants of the sites:
        eigenvalues of the clusters' covariances.

    Raises
    ------
    DeclarationError
        If shapes do not fit, or overlaps, probabilities or variances are none.
    """

    label: Any
    overlaps: Any
    probabilities: Any = None
    variance: Any = 1

    def __post_init__(self) -> None:
        label = symbol_column(self.label, "clusters")
        count = len(label)
        try:
            overlaps = sp.ImmutableMatrix(self.overlaps).applyfunc(sp.nsimplify)
        except (TypeError, ValueError):
            raise DeclarationError(
                f"clusters: expected a matrix of overlaps, got {self.overlaps!r}."
            ) from None
        if overlaps.shape != (count, count):
            raise DeclarationError(
                f"clusters: the overlaps have shape {overlaps.shape}, expected {(count, count)}."
            )
        if overlaps != overlaps.T:
            raise DeclarationError("clusters: the matrix of overlaps is not symmetric.")
        if not overlaps.free_symbols and _least_eigenvalue(overlaps) < -1e-12:
            raise DeclarationError(
                "clusters: the matrix of overlaps has a negative eigenvalue, so that no centroids "
                "have these overlaps."
            )
        odds = self.probabilities
        odds = [sp.Rational(1, count)] * count if odds is None else list(odds)
        odds = tuple(map(sp.sympify, odds))
        total = sp.simplify(sp.Add(*odds))
        if len(odds) != count or (total.is_number and abs(float(total) - 1) > 1e-12):
            raise DeclarationError(
                f"clusters: expected {count} probabilities that sum to 1, got {list(odds)}."
            )
        for odd in odds:
            require_nonnegative(odd, "clusters: a probability")
        for name, value in (
            ("label", label), ("overlaps", overlaps), ("probabilities", odds),
            ("variance", _variances(self.variance, count)),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def variances(self) -> tuple[sp.Expr, ...]:
        """Variance of every cluster."""
        several = isinstance(self.variance, tuple)
        return self.variance if several else (self.variance,) * len(self.label)

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Parameters of the law, and constants of the sites."""
        laws = sp.Tuple(*self.probabilities, *self.variances)
        return self.overlaps.free_symbols | laws.free_symbols

    @property
    def site_constants(self) -> set[sp.Symbol]:
        """Symbols of centroids and covariances that are no parameters."""
        used = self.overlaps.free_symbols | sp.Tuple(*self.variances).free_symbols
        return {s for s in used if not isinstance(s, Parameter)}


def _variances(value: Any, count: int) -> sp.Expr | tuple[sp.Expr, ...]:
    """One variance, or a tuple of one for each cluster."""
    several = isinstance(value, Sequence) and not isinstance(value, str)
    values = tuple(map(sp.sympify, value)) if several else (sp.sympify(value),)
    if several and len(values) != count:
        raise DeclarationError(
            f"clusters: expected one variance or {count}, one for each cluster, got {len(values)}."
        )
    for entry in values:
        require_nonnegative(entry, "clusters: the variance")
    return values if several else values[0]


def _least_eigenvalue(matrix: sp.Matrix) -> float:
    """Smallest eigenvalue of a symmetric matrix of numbers."""
    import numpy as np

    return float(np.linalg.eigvalsh(np.array(matrix.tolist(), dtype=float))[0])
