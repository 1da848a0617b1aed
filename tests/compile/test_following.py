"""Solving along a row: a root is followed from its neighbour, on the branch that damping takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from replica.compile.settings import SolveStatus

from .test_solver_runtime import PLAIN, needs_compiler, solve_c, solve_numpy
from .toy_systems import HOPFIELD, LOGISTIC, NETWORK, P_SPIN, SK, Toy

pytestmark = needs_compiler


def _sweep(values: Any, others: list[float], at: int = 0) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    params = np.tile(np.insert(np.asarray(others, dtype=float), at, 0.0), (len(values), 1))
    params[:, at] = values
    return params


SWEEPS = {
    "SK, leaving and entering the glass": (SK, _sweep(np.linspace(0.6, 2, 40), [0.05]), [0.5]),
    "first-order transition": (P_SPIN, _sweep(np.linspace(0.3, 2.5, 60), [0.7, 0.45]), [0.9, 0.8]),
    "spinodal of retrieval": (HOPFIELD, _sweep(np.linspace(0.05, 0.16, 60), []), [1, 0.1, 1.2]),
    "logistic mixture": (
        LOGISTIC,
        _sweep(np.geomspace(0.3, 5, 40), [0.01, 0.3, 1.0]),
        [0.01, 0.5, 0.5, 0.0],
    ),
}


@pytest.mark.parametrize("name", SWEEPS)
@pytest.mark.parametrize("backwards", [False, True])
def test_following_keeps_the_branch_of_damping(name: str, backwards: bool) -> None:
    system, params, start = SWEEPS[name]
    params = params[::-1] if backwards else params
    starts = np.tile(np.asarray(start, dtype=float), (len(params), 1))
    fast = solve_c(system, params, starts, chain=True)
    plain = solve_c(system, params, starts, chain=True, **PLAIN)
    settled = plain.status == SolveStatus.CONVERGED
    assert settled.mean() > 0.7
    assert (fast.status[settled] == SolveStatus.CONVERGED).all()
    np.testing.assert_allclose(fast.x[settled], plain.x[settled], rtol=1e-9, atol=1e-9)
    assert fast.evaluations.sum() < 0.7 * plain.evaluations.sum()


@pytest.mark.parametrize("step", [0.01, 0.1])
def test_following_among_many_fixed_points(step: float) -> None:
    """Weights that wander: roots vanish under way, and damping then leads elsewhere."""
    random = np.random.default_rng(5)
    disagree = solved = 0
    for _ in range(40):
        first = random.normal(size=12) * np.repeat([1.5, 0.2], [9, 3])
        params = first + step * np.cumsum(random.normal(size=(40, 12)), axis=0)
        starts = np.tile(random.normal(size=3), (40, 1))
        fast = solve_c(NETWORK, params, starts, chain=True)
        plain = solve_c(NETWORK, params, starts, chain=True, **PLAIN)
        # Some flows end in a cycle; what damping does after that depends on where it broke off.
        same_past = np.logical_and.accumulate(plain.status == SolveStatus.CONVERGED)
        solved += same_past.sum()
        assert (fast.status[same_past] == SolveStatus.CONVERGED).all()
        assert (fast.stability[same_past] < 1).all()
        disagree += (np.abs(fast.x - plain.x)[same_past] > 1e-8).any(axis=1).sum()
    assert solved > 1000
    assert disagree == 0


@pytest.mark.parametrize(
    ("system", "params", "start"),
    [
        (SK, _sweep(np.linspace(2, 1.2, 6), [0.3]), [0.5]),
        (HOPFIELD, _sweep(np.linspace(0.1, 0.13, 6), []), [1, 0.1, 1.2]),
        (LOGISTIC, _sweep(np.linspace(1, 2, 6), [0.1, 0.3, 1.0]), [0.01, 0.5, 0.5, 0.0]),
    ],
)
def test_c_and_numpy_take_the_same_steps(
    system: Toy, params: np.ndarray, start: list[float]
) -> None:
    starts = np.tile(np.asarray(start, dtype=float), (len(params), 1))
    c, twin = (solve(system, params, starts, chain=True) for solve in (solve_c, solve_numpy))
    np.testing.assert_array_equal(c.status, twin.status)
    np.testing.assert_allclose(c.x, twin.x, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(c.jacobian, twin.jacobian, rtol=1e-6, atol=1e-8)
    assert np.abs(c.evaluations - twin.evaluations).max() <= 2


def test_certificate_sees_a_rule_that_was_inherited_from_far_away() -> None:
    """A jump of the temperature sharpens the integrand; the old rule alone would be wrong."""
    params = np.array([[1.1, 0.3], [30.0, 0.3], [1.1, 0.3], [300.0, 0.3]])
    starts = np.full((4, 1), 0.5)
    row, alone = solve_c(SK, params, starts, chain=True), solve_c(SK, params, starts)
    assert (row.status == SolveStatus.CONVERGED).all()
    assert (np.abs(row.x - alone.x) <= row.error + alone.error).all()
