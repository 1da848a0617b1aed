"""One notion of the same solution, in the list of branches of a point and in scans."""

import dataclasses

import numpy as np
import pytest

from replica import load
from replica.scan.block import Columns
from replica.scan.branches import same_rows
from replica.solve.branches import _same
from replica.solve.same import same_solution


@pytest.mark.parametrize(
    ("gap", "error", "same"),
    [(0.9e-8, 0.0, True), (1.1e-8, 0.0, False), (7e-8, 1e-8, True), (1e-7, 1e-8, False)],
)
def test_solutions_are_the_same_to_their_errors(gap, error, same):
    first, second = np.array([0.5, 1.0]), np.array([0.5, 1.0 + gap])
    errors = np.array([0.0, 2 * error])
    assert same_solution(first, second, errors, None) == same


def test_no_number_is_no_solution():
    one = np.array([np.nan, 1.0])
    assert not same_solution(one, one, np.zeros(2), None)


@pytest.mark.parametrize(("move", "same"), [(1e-12, True), (3e-7, False)])
def test_both_lists_of_branches_agree(move, same):
    first = load("sherrington-kirkpatrick").solve(T=0.6, h=0.2)
    moved = {name: value * (1 + move) for name, value in first.order_parameters.items()}
    second = dataclasses.replace(first, order_parameters=moved)
    assert _same(first, second, None) is same
    columns = Columns(len(moved), 0)
    rows = [np.zeros((1, 2 * len(moved) + 8)) for _ in range(2)]
    for row, solution in zip(rows, (first, second), strict=True):
        row[0, columns.x] = [*solution.order_parameters.values()]
        row[0, columns.error] = [*solution.error.values()]
    assert same_rows(*rows, columns, None)[0] == same
