"""Checks of an action at one point: derivatives, identities, starts, many digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from replica.check.report import CheckItem, CheckReport, item
from replica.compile.action.program import MatrixProgram
from replica.solve.action import action_branches, solve_action
from replica.solve.point import parameter_values

if TYPE_CHECKING:
    from replica.action_model import ActionModel
    from replica.compile.action.problem import ActionProblem
    from replica.compile.action.system import CompiledAction

#: Directions along which derivatives are compared with differences, and their step.
_DIRECTIONS, _STEP = 5, 1e-4
_DERIVATIVE, _IDENTITY, _BRANCH = 1e-7, 1e-8, 1e-8


def check_action(model: ActionModel, **parameters: float) -> CheckReport:
    """Verify a declared action against itself.

    Parameters
    ----------
    model : ActionModel
    **parameters : float

    Returns
    -------
    CheckReport
    """
    system = model.compile()
    values = parameter_values(system.saddle.parameters, parameters)
    point = np.array([values[name] for name in system.parameters])
    solution = solve_action(model.name, system, values, throw=False)
    status = solution.status
    items = [
        CheckItem(
            "solution", solution.converged, solution.residual, 1e-10,
            f"{status.name.lower()}, residual {solution.residual:.1e}",
        )
    ]  # fmt: skip
    theta = system.coordinates.from_entries(
        np.array([solution.order_parameters[name] for name in system.unknowns])
    )
    problem = system.problem(point)
    items += _derivatives(problem, theta)
    items += _identities(model, system, point, theta)
    if solution.converged:
        lowest = action_branches(model.name, system, values)[0]["action"]
        gap = (solution["action"] - lowest) / max(1.0, abs(lowest))
        items.append(item("starts", gap, _BRANCH, "action above the lowest of random starts"))
    return CheckReport(model.name, values, tuple(items))


def _derivatives(problem: ActionProblem, theta: Any) -> list[CheckItem]:
    """Compare the gradient with differences of the action, the Hessian with the gradient's."""
    random = np.random.default_rng(0)
    at = theta + 0.1 * random.standard_normal(len(theta))  # where nothing vanishes
    gradient, hessian = problem.gradient(at)[1], problem.hessian(at)
    worst = [0.0, 0.0]
    for _ in range(_DIRECTIONS):
        direction = random.standard_normal(len(theta))
        shift = _STEP * direction
        # Fourth order, so that the step may be large enough for the digits of the action.
        near, far = (
            [f(at + k * shift) - f(at - k * shift) for f in (problem.value, _slope(problem))]
            for k in (1, 2)
        )
        slopes = [(8 * a - b) / (12 * _STEP) for a, b in zip(near, far, strict=True)]
        scale = np.linalg.norm(direction)
        for i, (slope, derived) in enumerate(zip(slopes, (gradient, hessian), strict=True)):
            gap = np.linalg.norm(slope - derived @ direction)
            worst[i] = max(worst[i], float(gap / (np.linalg.norm(derived) * scale)))
    return [
        item("gradient", worst[0], _DERIVATIVE, "derived gradient against differences"),
        item("curvature", worst[1], _DERIVATIVE, "derived curvature against differences"),
    ]


def _slope(problem: ActionProblem) -> Any:
    return lambda at: problem.gradient(at)[1]


def _identities(
    model: ActionModel, system: CompiledAction, point: Any, theta: Any
) -> list[CheckItem]:
    """Evaluate what vanishes at every saddle point, relative to the sizes of its terms."""
    found = []
    for name, expression in model.identities.items():
        terms = expression.args if expression.is_Add else (expression,)
        sizes = {f.examples: system.features[n].examples for n, f in model.features.items()}
        program = MatrixProgram(terms, sizes, system.features)
        inputs = system.problem(point).inputs(theta)
        numbers = np.array([float(v) for v in program(inputs)])
        value = abs(numbers.sum()) / max(1.0, np.abs(numbers).max())
        found.append(item(name, value, _IDENTITY, "vanishes at the saddle point"))
    return found
