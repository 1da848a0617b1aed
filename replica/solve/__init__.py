"""Solve: certified saddle points, branches of them, and the transitions where they change."""

from replica.compile.settings import SolverSettings
from replica.solve.boundary import boundary
from replica.solve.branch import Branch, follow
from replica.solve.branches import find_branches
from replica.solve.certificate import Transition
from replica.solve.continued import solve_or_continue
from replica.solve.line import Line
from replica.solve.point import parameter_values, solve_point
from replica.solve.solution import Solution, Status, make_solution

__all__ = [
    "Branch",
    "Line",
    "Solution",
    "SolverSettings",
    "Status",
    "Transition",
    "boundary",
    "find_branches",
    "follow",
    "make_solution",
    "parameter_values",
    "solve_or_continue",
    "solve_point",
]
