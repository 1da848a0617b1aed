r"""Capacity of manifolds whose centres and axes are correlated with those of other manifolds.

The fields of all centres and axes are jointly Gaussian with a covariance ``C``. For ``P`` manifolds
with random labels ``y`` (Wakhloo, Sussman & Chung, Phys. Rev. Lett. 131, 027301 (2023))

    1/alpha = 1/P E_{y, T ~ N(0, C)} min_V (V - T) C^{-1} (V - T),    y_mu V_mu.S >= margin,

one quadratic program over the fields of all manifolds. With ``C = L L^T`` and ``V = L v`` it is the
squared distance of a standard Gaussian vector from a polyhedron, also where ``C`` is singular.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from replica.declare.real_numbers import real_expression, real_value
from replica.declare.shapes import checked_points
from replica.errors import DeclarationError, ParameterError
from replica.evaluate.quadratic_programs import Polyhedron, is_feasible
from replica.evaluate.samples import Estimate, mean
from replica.evaluate.settings import CapacitySettings, require_settings
from replica.evaluate.threads import single_threaded_algebra

Array = NDArray[np.float64]
#: Vectors that share one draw of the labels.
_VECTORS = 8
#: Eigenvalue of a covariance, relative to the largest, that counts as zero.
_ROUNDING = 1e-12


def joint_capacity(
    manifolds: Sequence[ArrayLike],
    covariance: ArrayLike,
    margin: float = 0.0,
    *,
    settings: CapacitySettings | None = None,
) -> Estimate:
    """Capacity of given manifolds with correlated centres and axes.

    Parameters
    ----------
    manifolds : sequence of array_like, shape (points, dimensions)
        Points about the centre of each, in units of its norm.
    covariance : array_like
        Of the centres, of shape (manifolds, manifolds), where axes are independent; or of the
        centre and the axes of the first manifold, then of the second, and so on.
    margin : float
    settings : CapacitySettings, optional
        ``samples`` is the number of quadratic programs, each over all manifolds (default 512);
        8 of them share one draw of the labels.

    Returns
    -------
    Estimate
        Capacity and standard error over labels and vectors.

    Raises
    ------
    DeclarationError
        If an array has a wrong shape or fewer than two points, or ``covariance`` is not a
        covariance of that many fields.
    ParameterError
        If no weights satisfy all constraints, which may be where ``covariance`` is singular.
    """
    settings = CapacitySettings(samples=512) if settings is None else settings
    require_settings(settings)
    margin = real_value(real_expression(margin, "margin"), {}, "margin")
    if not len(manifolds):
        raise DeclarationError("manifolds: expected at least one array of points, got none.")
    clouds = [checked_points(m, f"manifold {i}") for i, m in enumerate(manifolds)]
    widths = np.array([1 + cloud.shape[1] for cloud in clouds])
    root = _root(_whole(covariance, widths))
    starts = np.cumsum(widths) - widths
    rows = np.concatenate([
        np.column_stack([np.ones(len(cloud)), cloud]) @ root[start : start + width]
        for cloud, start, width in zip(clouds, starts, widths, strict=True)
    ])  # fmt: skip
    owner = np.repeat(np.arange(len(clouds)), [len(cloud) for cloud in clouds])
    random = np.random.default_rng(settings.seed)
    loads = []
    with single_threaded_algebra():
        for _ in range(max(2, settings.samples // _VECTORS)):
            labelled = random.choice([-1.0, 1.0], len(clouds))[owner, None] * rows
            if margin > 0 and not is_feasible(labelled, np.full(len(rows), margin)):
                raise ParameterError(
                    f"infeasible program: with this covariance no weights have the margin "
                    f"{margin:g} for all labels; it is singular."
                )
            vectors = random.standard_normal((_VECTORS, rows.shape[1]))
            found = Polyhedron(labelled).nearest(vectors, margin)
            if settings.estimator == "distance":
                loads.append(found.squared_distances.mean())
            else:  # Stein's identity, with less variance
                active = (found.multipliers > 0).sum(axis=1)
                loads.append((active + margin * found.multipliers.sum(axis=1)).mean())
    load, count = mean(np.array(loads)), len(clouds)
    return Estimate(count / load.value, count * load.error / load.value**2)


def _whole(covariance: ArrayLike, widths: NDArray[np.int_]) -> Array:
    """Return the covariance of all centres and axes."""
    try:
        given = np.array(covariance, dtype=float)
    except (TypeError, ValueError):
        raise DeclarationError("covariance: expected a matrix of real numbers.") from None
    count, total = len(widths), int(widths.sum())
    if given.shape not in ((count, count), (total, total)):
        raise DeclarationError(
            f"covariance: expected the shape {(count, count)} for centres, or {(total, total)} for "
            f"centres and axes, got {given.shape}."
        )
    if not (np.isfinite(given).all() and np.allclose(given, given.T, rtol=1e-10, atol=1e-12)):
        raise DeclarationError("covariance: expected a symmetric matrix of finite numbers.")
    if len(given) == total:
        return given
    whole = np.eye(total)
    centres = np.cumsum(widths) - widths
    whole[np.ix_(centres, centres)] = given
    return whole


def _root(covariance: Array) -> Array:
    """Return a root with as many columns as the covariance has rank."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    largest = float(values[-1])
    if not largest > 0 or values[0] < -1e-9 * largest:
        raise DeclarationError(
            f"covariance: expected a positive semidefinite matrix, got the eigenvalue "
            f"{values[0]:.3g}."
        )
    keep = values > _ROUNDING * largest
    root: Array = vectors[:, keep] * np.sqrt(values[keep])
    return root
