"""Teacher and student on different Gaussian features: from covariances to constants of the sites.

In the eigenbasis of the student's covariance ``Omega`` (eigenvalues ``omega_i``) every direction is
a site: weights ``w_i``, metric ``omega_i``, and the best student in place of the teacher,
``t_i = sqrt(d/p) (U^T Phi^T theta)_i / omega_i``. What no student can express is the difference
between the variance ``theta.Psi.theta/p`` of the teacher's field and ``(1/d) sum_i omega_i t_i^2``.

Source: Loureiro, Gerbelot, Cui, Goldt, Krzakala, Mezard & Zdeborova, NeurIPS 2021
(arXiv:2102.08127).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from replica.declare.sites import Empirical, numbers
from replica.errors import DeclarationError

#: Negative eigenvalues and asymmetry of this share of the largest entry are rounding.
_ROUNDING = 1e-8
#: Eigenvalues below this share of the largest are those of directions without variance.
_RANK = 1e-12


@dataclass(frozen=True)
class Covariates:
    """Spectrum of the student's features, the teacher seen through them, and the teacher's norm.

    Attributes
    ----------
    omega : array, shape (d,)
        Eigenvalues of the covariance of the student's features.
    teacher : array, shape (d,)
        Weights of the best student, in the eigenbasis.
    self_overlap : float
        Variance of the teacher's field.
    """

    omega: Any
    teacher: Any
    self_overlap: float

    def sites(self, omega: sp.Symbol, teacher: sp.Symbol, self_overlap: sp.Symbol) -> Empirical:
        """Return the constants of the sites, under the names of these symbols.

        The self-overlap is the same at all of them: as a column it is data like the others, and one
        compiled program serves all covariances.
        """
        import numpy as np

        norm = np.full(np.shape(self.omega), self.self_overlap)
        return Empirical({omega: self.omega, teacher: self.teacher, self_overlap: norm})


def covariates(Psi: Any, Phi: Any, Omega: Any, theta: Any) -> Covariates:
    """Diagonalise the covariances of teacher features ``u`` and student features ``v``.

    Parameters
    ----------
    Psi : array, shape (p, p)
        ``E[u u^T]``.
    Phi : array, shape (p, d)
        ``E[u v^T]``.
    Omega : array, shape (d, d)
        ``E[v v^T]``.
    theta : array, shape (p,)
        Weights of the teacher, whose field is ``theta.u/sqrt(p)``.

    Raises
    ------
    DeclarationError
        If the shapes do not fit, ``Psi`` or ``Omega`` is not symmetric, or the three are not the
        covariance of any joint law.
    """
    import numpy as np

    p, d = np.size(theta), np.shape(Omega)[-1] if np.ndim(Omega) == 2 else 0
    theta = numbers(theta, (p,), "teacher theta")
    Psi = symmetric(numbers(Psi, (p, p), "covariance Psi"), "Psi")
    Omega = symmetric(numbers(Omega, (d, d), "covariance Omega"), "Omega")
    Phi = numbers(Phi, (p, d), "covariance Phi")
    joint = np.linalg.eigvalsh(np.block([[Psi, Phi], [Phi.T, Omega]]))
    if joint[0] < -_ROUNDING * joint[-1]:
        raise DeclarationError(
            "covariances Psi, Phi, Omega: together they are no covariance of (u, v), whose "
            f"eigenvalues must not be negative; the smallest is {joint[0]:g}."
        )
    return _diagonal(Omega, Phi.T @ theta / np.sqrt(p), float(theta @ Psi @ theta / p))


def covariates_of_data(features: Any, targets: Any) -> Covariates:
    """Empirical covariances of a data set, with the targets as field of the teacher.

    The teacher seen through the features is the least-squares fit on all data; its residuals are
    what no student can express. Moments are taken about zero: centre first what shall be centred.

    Parameters
    ----------
    features : array, shape (n, d)
    targets : array, shape (n,)

    Raises
    ------
    DeclarationError
        If the shapes do not fit, there are fewer than two samples, or an entry is not finite.
    """
    import numpy as np

    shape = np.shape(features)
    if len(shape) != 2 or shape[0] < 2:
        raise DeclarationError(
            f"features: expected an array of samples by features, of two samples at least, got "
            f"shape {shape}."
        )
    v = numbers(features, shape, "features")
    y = numbers(targets, shape[:1], "targets")
    return _diagonal(v.T @ v / len(v), v.T @ y / len(v), float(y @ y / len(v)))


def _diagonal(Omega: Any, cross: Any, self_overlap: float) -> Covariates:
    import numpy as np

    omega, basis = np.linalg.eigh(Omega)
    projected = np.sqrt(len(omega)) * (basis.T @ cross)
    used = omega > _RANK * max(omega[-1], 0.0)
    if not np.any(used):
        raise DeclarationError("covariance Omega: the student's features have no variance.")
    teacher = np.divide(projected, omega, out=np.zeros_like(omega), where=used)
    omega = np.where(used, omega, 0.0)
    # Rounding must not leave a teacher's field of less variance than its visible part.
    return Covariates(omega, teacher, max(self_overlap, float(np.mean(omega * teacher**2))))


def symmetric(matrix: Any, name: str) -> Any:
    """Return a covariance without its rounding, or raise `DeclarationError` where it is none."""
    import numpy as np

    gap = np.abs(matrix - matrix.T)
    if np.max(gap) > _ROUNDING * np.max(np.abs(matrix)):
        row, column = (int(i) for i in np.unravel_index(np.argmax(gap), gap.shape))
        raise DeclarationError(
            f"covariance {name}: expected a symmetric matrix, but the entries ({row}, {column}) "
            f"and ({column}, {row}) are {matrix[row, column]:g} and {matrix[column, row]:g}."
        )
    lowest, highest = np.linalg.eigvalsh(matrix)[[0, -1]]
    if lowest < -_ROUNDING * max(highest, 0.0):
        raise DeclarationError(
            f"covariance {name}: the eigenvalues must not be negative, but the smallest is "
            f"{lowest:g}."
        )
    return (matrix + matrix.T) / 2
