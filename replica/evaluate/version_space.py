r"""Below capacity: overlap and volume of the weights that classify all manifolds.

The solutions are a fraction of the sphere whose logarithm per weight is the minimum over ``q`` of
``1/2 [log(1 - q) + q/(1 - q)] + alpha E_T log Pr_Z[sqrt(q) T + sqrt(1 - q) Z in K]``; the weights
form a convex set for a margin of zero or more, so that replica symmetry is exact. One sample of
vectors ``T`` serves all ``q``, which leaves a smooth function to minimise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from replica.declare.shapes import Point, Shape
from replica.declare.simplices import Simplex
from replica.errors import ConvergenceError, DeclarationError, ParameterError
from replica.evaluate.samples import Estimate, controlled, gaussian_vectors, mean
from replica.evaluate.settings import CapacitySettings, require_settings

Array = NDArray[np.float64]
#: Reach and step of the integral over the field of the centre, in standard deviations.
_REACH, _STEP = 8.0, 0.2
_NUMBERS_IN_A_BATCH = 2_000_000
#: Overlap beyond which there is no volume left.
_LARGEST = 1 - 1e-4
_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class VersionSpace:
    """The weights that classify all manifolds, as a set.

    Attributes
    ----------
    overlap : Estimate
        Overlap ``q`` of two typical solutions, with its standard error.
    free_entropy : Estimate
        Logarithm of the fraction of all weights that are solutions, per weight.
    load, margin : float
    settings : CapacitySettings
    """

    overlap: Estimate
    free_entropy: Estimate
    load: float
    margin: float
    settings: CapacitySettings

    def __str__(self) -> str:
        q, entropy = self.overlap, self.free_entropy
        return (
            f"load {self.load:g}, margin {self.margin:g}: q = {q.value:.6g} +- {q.error:.1g}, "
            f"free entropy = {entropy.value:.6g} +- {entropy.error:.1g} "
            f"({self.settings.samples} samples, seed {self.settings.seed}; standard errors)"
        )


def version_space(
    shape: Shape, load: float, margin: float = 0.0, settings: CapacitySettings | None = None
) -> VersionSpace:
    """Evaluate overlap and volume of the solutions at a load below capacity.

    Parameters
    ----------
    shape : Point or Simplex
        With numbers in the place of parameters.
    load : float
        Manifolds per weight.
    margin : float
    settings : CapacitySettings, optional
        Its samples and seed are those of the average over fields, and its estimator takes away
        what correlates with moments of the fields that are known, or not.

    Raises
    ------
    DeclarationError
        If the probability of another shape was asked for.
    ParameterError
        If a number is not one of a shape, a load or a margin.
    ConvergenceError
        If there is no volume left: the load is at capacity or above.
    """
    settings = CapacitySettings() if settings is None else settings
    require_settings(settings)
    if not isinstance(shape, (Point, Simplex)):
        raise DeclarationError(
            f"version space: available for Point() and Simplex(R, n), not for "
            f"{type(shape).__name__}."
        )
    shape = shape.at({})
    if not (math.isfinite(load) and load > 0 and math.isfinite(margin)):
        raise ParameterError(
            f"version space: expected a finite load above 0 and a finite margin, got {load:g} and "
            f"{margin:g}."
        )
    radius, corners = 1.0, 0
    if isinstance(shape, Simplex):
        radius, corners = float(shape.radius), int(shape.dimension)
    vectors = gaussian_vectors(settings.samples, corners + 1, settings.seed)

    def logarithms(q: float) -> Array:
        return log_probabilities(vectors, q, radius, margin)

    def average(values: Array) -> Estimate:
        if settings.estimator == "distance":
            return mean(values)
        return controlled(values, values, vectors)

    def free_entropy(q: float) -> float:
        return (math.log1p(-q) + q / (1 - q)) / 2 + load * average(logarithms(q)).value

    found = optimize.minimize_scalar(
        free_entropy, bounds=(1e-9, 1 - 1e-6), method="bounded", options={"xatol": 1e-9}
    )
    q = float(found.x)
    if q > _LARGEST:
        raise ConvergenceError(
            f"version space: no volume of solutions is left at the load {load:g} and the margin "
            f"{margin:g}; the capacity is exceeded."
        )
    step = _DIFFERENCE * min(q, 1 - q)
    at, above, below = logarithms(q), logarithms(q + step), logarithms(q - step)
    # The condition for q has the mean of slopes; its curvature says how an error moves q.
    slope = average((above - below) / (2 * step))
    curvature = (free_entropy(q + 10 * step) + free_entropy(q - 10 * step)
                 - 2 * free_entropy(q)) / (10 * step) ** 2  # fmt: skip
    return VersionSpace(
        overlap=Estimate(q, load * slope.error / abs(curvature)),
        free_entropy=Estimate(free_entropy(q), load * average(at).error),
        load=float(load),
        margin=float(margin),
        settings=settings,
    )


def log_probabilities(vectors: Array, q: float, radius: float, margin: float) -> Array:
    """Logarithm of the probability that ``sqrt(q) T + sqrt(1 - q) Z`` is in the set, by vector.

    The integral over the field of the centre is centred at the peak of its log-concave integrand.
    """
    size = max(1, _NUMBERS_IN_A_BATCH // (vectors.shape[1] * round(2 * _REACH / _STEP)))
    parts = [vectors[first : first + size] for first in range(0, len(vectors), size)]
    return np.concatenate([_batch(part, q, radius, margin) for part in parts])


def _batch(vectors: Array, q: float, radius: float, margin: float) -> Array:
    width = math.sqrt(1 - q)
    centre = (math.sqrt(q) * vectors[:, 0] - margin) / width
    if vectors.shape[1] == 1:
        return np.asarray(special.log_ndtr(centre))
    # Corner i stays below where its noise is less than (z + centre)/R - offset_i.
    offsets = math.sqrt(q) * vectors[:, 1:] / width
    z = np.zeros(len(vectors))
    for _ in range(60):
        below = (z + centre)[:, None] / radius - offsets
        hazard = math.sqrt(2 / math.pi) / special.erfcx(-below / math.sqrt(2))
        slope = hazard.sum(axis=1) / radius - z
        curvature = 1 + (hazard * (below + hazard)).sum(axis=1) / radius**2
        move = slope / curvature
        z += move
        if np.abs(move).max() < 1e-3:
            break
    grid = z[:, None] + np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    below = (grid + centre[:, None])[:, :, None] / radius - offsets[:, None, :]
    exponent = special.log_ndtr(below).sum(axis=2) - grid**2 / 2
    result: Array = special.logsumexp(exponent, axis=1)
    return result + math.log(_STEP / math.sqrt(2 * math.pi))
