"""Solve: certified saddle points, one at a time or all branches."""

from replica.compile.settings import SolverSettings
from replica.solve.point import find_branches, parameter_values, solve_point
from replica.solve.solution import Solution, Status, make_solution

__all__ = [
    "Solution",
    "SolverSettings",
    "Status",
    "find_branches",
    "make_solution",
    "parameter_values",
    "solve_point",
]
