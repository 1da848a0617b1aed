"""Batches of quadratic programs against one at a time, by another solver."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import minimize, nnls

from replica import nearest_points
from replica.errors import ParameterError
from replica.evaluate.quadratic_programs import Polyhedron, is_feasible


def least_distance(rows, margins, target):
    """Lawson & Hanson's transformation to one least-squares problem; the target is not inside."""
    matrix = np.vstack([rows.T, margins - rows @ target])
    goal = np.zeros(len(matrix))
    goal[-1] = 1
    u, _ = nnls(matrix, goal)
    rest = matrix @ u - goal
    return target - rest[:-1] / rest[-1]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6), st.integers(2, 30), st.integers(1, 12), st.sampled_from([0.0, 0.3, -0.5])
)
def test_a_batch_is_its_programs(seed, count, dimension, margin):
    random = np.random.default_rng(seed)
    rows = np.column_stack([np.ones(count), random.standard_normal((count, dimension))])
    targets = random.standard_normal((20, dimension + 1))
    found = nearest_points(rows, margin, targets)
    for target, point in zip(targets, found.points, strict=True):
        inside = (rows @ target >= margin).all()
        expected = target if inside else least_distance(rows, np.full(count, margin), target)
        np.testing.assert_allclose(point, expected, atol=1e-7)
    assert (found.multipliers >= 0).all()
    assert found.violation.max() < 1e-10


def test_a_general_purpose_solver_finds_the_same_point():
    random = np.random.default_rng(3)
    rows, margins = random.standard_normal((6, 4)), random.uniform(-1, 0.5, 6)
    target = random.standard_normal(4) * 2
    found = nearest_points(rows, margins, target)
    reference = minimize(
        lambda v: np.square(v - target).sum(), np.zeros(4), method="SLSQP",
        constraints={"type": "ineq", "fun": lambda v: rows @ v - margins},
        options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    assert found.squared_distances[0] == pytest.approx(reference.fun, rel=1e-6)


def test_constraints_may_differ_from_target_to_target():
    random = np.random.default_rng(4)
    rows = np.column_stack([np.ones(9), random.standard_normal((9, 3))])
    targets = random.standard_normal((50, 4))
    allowed = random.random((50, 9)) < 0.5
    allowed[0] = False
    found = Polyhedron(rows).nearest(targets, 0.2, allowed)
    for index in range(50):
        some = allowed[index]
        alone = (
            Polyhedron(rows[some]).nearest(targets[index : index + 1], 0.2).squared_distances[0]
            if some.any()
            else 0.0
        )
        assert found.squared_distances[index] == pytest.approx(alone, abs=1e-12)


def test_equal_and_nearly_equal_points_are_harmless():
    random = np.random.default_rng(5)
    rows = np.column_stack([np.ones(8), random.standard_normal((8, 4))])
    targets = random.standard_normal((200, 5))
    plain = Polyhedron(rows).nearest(targets, 0.1).squared_distances
    for shift in (0.0, 1e-14, 1e-9):
        doubled = Polyhedron(np.vstack([rows, rows + shift])).nearest(targets, 0.1)
        np.testing.assert_allclose(
            doubled.squared_distances, plain, atol=1e-6 * (shift > 0) + 1e-12
        )


def test_an_infeasible_program_is_one_sentence():
    rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ParameterError, match=r"infeasible program: no vector .* 3 constraints"):
        nearest_points(rows, 0.1, np.zeros(2))
    assert is_feasible(rows, np.array([0.1, -0.2, 0.1]))
    assert nearest_points(rows, [0.1, -0.2, 0.1], np.zeros(2)).points[0] == pytest.approx(
        [0.1, 0.1]
    )


@pytest.mark.parametrize(
    ("rows", "targets", "words"),
    [
        (np.ones((3, 2)), np.ones((4, 3)), r"targets of shape \(4, 3\) do not fit"),
        (np.array([[1.0, np.nan]]), np.ones((4, 2)), "finite numbers"),
    ],
)
def test_wrong_shapes_are_one_sentence(rows, targets, words):
    with pytest.raises(ParameterError, match=words):
        nearest_points(rows, 0.0, targets)


def test_margins_and_targets_that_are_not_finite_are_one_sentence():
    for margin, target in ((np.nan, np.zeros(2)), (0.0, np.array([np.inf, 0.0]))):
        with pytest.raises(ParameterError, match="margins and targets: expected finite numbers"):
            nearest_points(np.eye(2), margin, target)
