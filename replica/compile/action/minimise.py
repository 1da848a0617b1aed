"""Minimise an action: quasi-Newton steps in a metric of its curvature, then Newton's method."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from replica.compile.action.operations import NotPositiveError
from replica.compile.action.problem import ActionProblem
from replica.compile.settings import SolverSettings, SolveStatus

Array = NDArray[np.float64]
# The quasi-Newton phase ends at this distance (in the metric of the curvature), where Newton's
# method converges; a phase gets so many steps before its metric is computed anew.
_NEAR, _STEPS, _PHASES = 1e-4, 80, 8
# Newton steps with one Hessian, as long as each is shorter by this factor.
_CONTRACTION, _NEWTON_STEPS = 0.3, 40
# Beyond this logarithm an order parameter has left every scale.
_FAR = 60.0


@dataclass(frozen=True)
class Minimum:
    """Where a minimisation ended.

    Attributes
    ----------
    theta : ndarray
        Coordinates.
    hessian : ndarray
        In the coordinates.
    residual : float
        Length of the last Newton step: the largest change of an entry relative to its scale.
    status : SolveStatus
    """

    theta: Array
    hessian: Array
    residual: float
    status: SolveStatus


def minimise(problem: ActionProblem, start: Array, settings: SolverSettings) -> Minimum:
    """Find a minimum of the action from a start.

    Raises
    ------
    NotPositiveError
        If the action has no value at the start.
    """
    theta = np.array(start, dtype=float)
    problem.gradient(theta)
    hessian = problem.hessian(theta)
    best = Minimum(theta, hessian, np.inf, SolveStatus.NOT_CONVERGED)
    for _ in range(_PHASES):
        budget = settings.max_evaluations - problem.evaluations
        if budget <= 0:
            return best
        theta = _quasi_newton(problem, theta, hessian, min(_STEPS, budget))
        if np.abs(theta).max() > _FAR or not np.isfinite(theta).all():
            return Minimum(theta, hessian, np.inf, SolveStatus.DIVERGED)
        best = _newton(problem, theta, settings)
        if best.status is SolveStatus.CONVERGED:
            return best
        theta, hessian = best.theta, best.hessian
    return best


def _quasi_newton(problem: ActionProblem, theta: Array, hessian: Array, steps: int) -> Array:
    """BFGS in coordinates in which the curvature at the start is the identity."""
    values, vectors = np.linalg.eigh(hessian)
    values = np.maximum(np.abs(values), 1e-8 * np.abs(values).max())
    root = vectors / np.sqrt(values)

    def function(moved: Array) -> tuple[float, Array]:
        try:
            action, slope = problem.gradient(theta + root @ moved)
        except (NotPositiveError, OverflowError):
            return np.inf, np.zeros_like(moved)
        return (action, root.T @ slope) if np.isfinite(action) else (np.inf, np.zeros_like(moved))

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = minimize(
            function, np.zeros_like(theta), jac=True, method="BFGS",
            options={"gtol": _NEAR, "maxiter": steps},
        )  # fmt: skip
    return theta + root @ found.x if np.isfinite(found.fun) else theta


def _newton(problem: ActionProblem, theta: Array, settings: SolverSettings) -> Minimum:
    """Newton steps, the Hessian kept while they contract; never away from the minimum."""
    hessian = problem.hessian(theta)
    previous, fresh = np.inf, True
    factor = _factorised(hessian)
    for _ in range(_NEWTON_STEPS):
        if factor is None:  # a saddle: leave it along the direction of negative curvature
            return Minimum(_off_saddle(problem, theta, hessian), hessian, np.inf, _FAILED)
        step = -cho_solve(factor, problem.gradient(theta)[1])
        size = float(np.max(np.abs(problem.coordinates.jacobian(theta) @ step)
                            / problem.coordinates.scales(theta)))  # fmt: skip
        if size <= settings.tolerance:
            return Minimum(theta, hessian, size, SolveStatus.CONVERGED)
        if size > _CONTRACTION * previous:
            if fresh and size <= settings.certified_tolerance:  # what is left is rounding
                return Minimum(theta, hessian, size, SolveStatus.CONVERGED)
            if fresh and not size < previous:
                break
            hessian, fresh = problem.hessian(theta), True
            factor, previous = _factorised(hessian), size / _CONTRACTION
            continue
        if size > 1.0:  # not near enough
            break
        theta, previous = theta + step, size
        fresh = False
    return Minimum(theta, hessian, min(size, previous), _FAILED)


_FAILED = SolveStatus.NOT_CONVERGED


def _factorised(hessian: Array) -> tuple[Array, bool] | None:
    try:
        return cho_factor(hessian, lower=True)
    except np.linalg.LinAlgError:
        return None


def _off_saddle(problem: ActionProblem, theta: Array, hessian: Array) -> Array:
    """Return the lower of the two points beside a saddle."""
    values, vectors = np.linalg.eigh(hessian)
    step = 0.1 * vectors[:, 0] / max(1.0, np.sqrt(abs(values[0])))
    return min((theta + step, theta - step), key=problem.value)
