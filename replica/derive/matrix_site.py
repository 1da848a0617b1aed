"""The site piece of a trained vector model with matrix order parameters.

Weights are penalised by ``lambda |w|^2/2``. Labels may see inputs of different covariances, whose
eigenvalues ``s`` at a site weigh the overlaps: a covariance ``g`` has its own ``Q_g`` and ``chi_g``
with conjugates, and ``G = (lambda + sum_g s_g Vhat_g)^-1`` is the response of a site's weights,

    M = E G Mhat R        Q_g = E s_g G (Mhat R Mhat^T + sum_h s_h Qhat_h) G        chi_g = E s_g G

with the local overlaps ``R`` of the quenched vectors and averages over sites. Source: Loureiro,
Sicuro, Gerbelot, Pacco, Krzakala & Zdeborova, NeurIPS 34 (2021), arXiv:2106.03791, for covariances
with common eigenvectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from replica.declare.clusters import Clusters
from replica.declare.laws import Flat
from replica.declare.system import System
from replica.derive.vector_label import Matrices, matrix_symbols
from replica.derive.vector_site import teacher_variance
from replica.errors import DerivationError


@dataclass(frozen=True)
class Covariance:
    """A covariance that some labels see.

    Attributes
    ----------
    metric : Expr
        Its eigenvalue at a site.
    labels : tuple of int
    scales : tuple of Expr
        What multiplies the metric for each of these labels.
    matrices : Matrices
    """

    metric: sp.Expr
    labels: tuple[int, ...]
    scales: tuple[sp.Expr, ...]
    matrices: Matrices

    def scale(self, label: int) -> sp.Expr:
        """What multiplies the metric for a label."""
        return self.scales[self.labels.index(label)]


@dataclass(frozen=True)
class MatrixSite:
    """Single-site problem of weights with a quadratic penalty.

    Attributes
    ----------
    curvature : Expr
        Of the penalty.
    overlaps : Matrix
        Local overlaps of the quenched vectors.
    covariances : tuple of Covariance
    mean : callable
        Average over the sites.
    """

    curvature: sp.Expr
    overlaps: sp.Matrix
    covariances: tuple[Covariance, ...]
    mean: Callable[[sp.Expr], sp.Expr]

    @property
    def mhat(self) -> sp.Matrix:
        """Conjugate of the overlaps with the quenched vectors."""
        return self.covariances[0].matrices.mhat

    @property
    def response(self) -> sp.Matrix:
        """Response of the weights of a site to their field."""
        stiffness = self.curvature * sp.eye(self.mhat.shape[0])
        for item in self.covariances:
            stiffness += item.metric * item.matrices.Vhat
        return stiffness.adjugate() / stiffness.det()

    @property
    def pulled(self) -> sp.Matrix:
        """Second moment of the field of a site."""
        total = self.mhat * self.overlaps * self.mhat.T
        for item in self.covariances:
            total += item.metric * item.matrices.qhat
        return total

    @property
    def potential(self) -> sp.Expr:
        """Energy gained by the weights in their field."""
        return self.mean((self.response * self.pulled).trace() / 2)

    def updates(self) -> list[tuple[str, sp.Matrix, sp.Matrix]]:
        """Name, symbols and updates of the overlaps, those of all covariances."""
        response = self.response
        moment = response * self.pulled * response.T
        m = self.covariances[0].matrices.m
        found = [("m", m, (response * self.mhat * self.overlaps).applyfunc(self.mean))]
        for name, local in (("q", moment), ("chi", response)):
            for item in self.covariances:
                update = (item.metric * local).applyfunc(self.mean)
                found.append((name, getattr(item.matrices, name), update))
        return found

    def squared_response(self, first: Covariance, second: Covariance) -> sp.Matrix:
        """Response of ``Q`` of one covariance to ``Qhat`` of another, as a Kronecker product."""
        response = self.response
        product = first.metric * second.metric * sp.kronecker_product(response, response)
        return product.applyfunc(self.mean)


def matrix_site(system: System, basis: sp.Matrix) -> MatrixSite:
    """Work out the single-site problem, for overlaps in directions of a basis of the components.

    Raises
    ------
    DerivationError
        If the penalty is not quadratic.
    """
    labels = system.fields[0].labels
    if isinstance(labels, Clusters):
        overlaps, variances = labels.overlaps, labels.variances
    else:
        overlaps = teacher_variance(system) * sp.eye(basis.shape[1])
        variances = (sp.S.One,) * basis.shape[0]
    shape = basis.shape[1], overlaps.shape[0]
    seen: dict[sp.Expr, list[tuple[int, sp.Expr]]] = {}
    for label, variance in enumerate(variances):
        scale, metric = sp.factor_terms(variance).as_independent(
            *system.site_constants, as_Add=False
        )
        seen.setdefault(metric, []).append((label, scale))
    names = [""] if len(seen) == 1 else [f"{label + 1}_" for ((label, _), *_) in seen.values()]
    covariances = tuple(
        Covariance(
            metric,
            tuple(label for label, _ in those),
            tuple(scale for _, scale in those),
            matrix_symbols(*shape, name),
        )
        for name, (metric, those) in zip(names, seen.items(), strict=True)
    )
    return MatrixSite(_penalty(system), overlaps, covariances, system.site_mean)


def _penalty(system: System) -> sp.Expr:
    """Curvature of the penalty, which must be quadratic."""
    symbol, penalty = system.thermal.symbol, sp.expand(system.thermal.penalty)
    curvature = penalty.coeff(symbol, 2) * 2
    if not isinstance(system.thermal.prior, Flat) or penalty != curvature * symbol**2 / 2:
        raise DerivationError(
            f"model {system.name}: matrix order parameters need a flat measure with a penalty "
            f"proportional to {symbol}**2, got {system.thermal.penalty}."
        )
    return curvature
