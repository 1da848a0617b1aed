"""Augmented systems on toy equations with known answers."""

from types import SimpleNamespace

import numpy as np
import pytest
import sympy as sp

from replica.compile.settings import SolverSettings
from replica.solve.certificate import errors_along, state_errors
from replica.solve.conditions import EqualEntropies, Fold, Holds, LosesStability
from replica.solve.continuation import at_value, tangent_at, trace
from replica.solve.differences import best_share, derivatives, jacobian
from replica.solve.equations import Equations, kept_at_zero
from replica.solve.problem import Problem, newton

INF = float("inf")


class Toy:
    """``x = F(x; p)`` as a system without quadrature; its free entropy is given."""

    def __init__(self, function, entropy, unknowns, parameters, low=-INF):
        self.function, self.entropy = function, entropy
        self.unknowns, self.parameters = tuple(unknowns), tuple(parameters)
        self.outputs = ("free_entropy",)
        self.program = SimpleNamespace(domains=[(low, INF)] * len(unknowns))
        domain = SimpleNamespace(domain=(-INF, INF), symbol_name="")
        symbols = [SimpleNamespace(symbol=sp.Symbol(name, real=True)) for name in unknowns]
        self.saddle = SimpleNamespace(
            parameters=dict.fromkeys(parameters, domain), unknowns=symbols
        )

    def map(self, params, x, fine=False, settings=None):
        return np.array(self.function(x, params))

    def evaluate_block(self, params, x, at, settings=None, *, report=False):
        pairs = zip(x, params, strict=True)
        if report:
            return np.array([[self.entropy(a, p)] for a, p in pairs])
        return np.array([self.function(a, p) for a, p in pairs]).reshape(x.shape)


def cubic(x, p):
    """Two folds: 0 = p + x - x^3, in the form x = F(x)."""
    return [x[0] + p[0] + x[0] - x[0] ** 3]


# x = F with the potential x^2/2 + p x - x^4/4, symmetric at p = 0
FOLDED = Toy(cubic, lambda x, p: p[0] * x[0] + x[0] ** 2 / 2 - x[0] ** 4 / 4, ["x"], ["p"])
BOX = {"p": (-1.0, 1.0)}


def equations(system, free, values=None, zeros=()):
    given = dict.fromkeys(system.parameters, 0.0) | (values or {})
    return Equations("toy", system, given, free, SolverSettings(), zeros)


def test_derivatives_of_the_fourth_order_also_at_an_edge():
    def function(rows):
        return np.stack([np.exp(rows[:, 0]) * rows[:, 1], rows[:, 1] ** 4], axis=1)

    points = np.array([[0.3, 2.0], [0.0, 1.0]])
    found = derivatives(function, points, np.array([1e-3, 1e-3]), low=np.array([0.0, 0.0]))
    for (a, b), matrix in zip(points, found, strict=True):
        exact = [[np.exp(a) * b, np.exp(a)], [0, 4 * b**3]]
        assert matrix == pytest.approx(np.array(exact), rel=1e-12, abs=1e-12)
    one = jacobian(lambda x: function(x[None])[0], points[0])
    assert one == pytest.approx(found[0], rel=1e-9, abs=1e-9)


def test_steps_are_shortened_next_to_a_pole():
    def slope(share):
        steps = share * np.array([1e-3])
        return derivatives(lambda x: 1 / (x - 1), np.array([[1.01]]), steps)[0]

    share = best_share(slope, 1e-12)
    assert share < 0.1
    assert slope(share)[0, 0] == pytest.approx(-1e4, rel=1e-9)
    assert abs(slope(1.0)[0, 0] + 1e4) > 1


def test_a_curve_is_followed_through_its_folds():
    problem = Problem([equations(FOLDED, ["p"])])
    start = newton(problem, np.array([-1.3, -0.9]), np.array([0.0, 1.0]))
    steps = list(trace(problem, start, ("p", 1.0), BOX))
    states = np.array([step.state for step in steps])
    assert states[:, 1] == pytest.approx(states[:, 0] ** 3 - states[:, 0], abs=1e-12)
    turns = np.sum(np.diff(np.sign([step.tangent[-1] for step in steps])) != 0)
    assert turns == 2
    assert steps[-1].end == "p reaches 1"
    assert states[-1, 1] == 1.0
    assert all(step.end == "" for step in steps[:-1])


def test_a_fold_is_a_regular_solution_of_its_augmented_system():
    guess = np.array([0.5, -0.3])
    problem = Problem([equations(FOLDED, ["p"])], [Fold()]).renewed(guess)
    found = newton(problem, guess)
    assert found == pytest.approx([3**-0.5, -2 * 3**-1.5], abs=1e-11)
    errors = state_errors(problem, found)
    assert abs(found[1] + 2 * 3**-1.5) <= errors[1] + 1e-16
    assert errors[1] < 1e-14  # the parameter is stationary in the unknown


def test_two_copies_find_equal_entropies():
    one = equations(FOLDED, ["p"])
    problem = Problem([one, one], [EqualEntropies()])
    found = newton(problem, np.array([-0.9, 1.2, 0.1]))
    assert found == pytest.approx([-1, 1, 0], abs=1e-12)
    assert problem.parameters(found) == pytest.approx({"p": 0}, abs=1e-12)


def test_a_condition_of_ones_own():
    problem = Problem([equations(FOLDED, ["p"])], [Holds(FOLDED, sp.Symbol("x") ** 2, 1.44)])
    found = newton(problem, np.array([1.0, 0.3]))
    assert found == pytest.approx([1.2, 1.2**3 - 1.2], abs=1e-12)


def test_a_symmetric_phase_loses_its_stability():
    # x = t x - x^3, y = 1 + t x^2: the symmetric phase x = 0, y = 1 is unstable beyond t = 1.
    system = Toy(
        lambda x, p: [p[0] * x[0] - x[0] ** 3, 1 + p[0] * x[0] ** 2],
        lambda x, p: 0.0, ["x", "y"], ["t"],
    )  # fmt: skip
    zeros = kept_at_zero(system, np.array([0.5]), np.array([0.3, 1.0]), [0, 1])
    assert zeros == (0,)
    problem = Problem([equations(system, ["t"], zeros=zeros)], [LosesStability()])
    assert newton(problem, np.array([1.0, 0.7])) == pytest.approx([1, 1], abs=1e-11)


def test_a_step_never_leaves_the_domain():
    # x = p / x has a solution for positive x only
    system = Toy(lambda x, p: [p[0] / x[0]], lambda x, p: 0.0, ["x"], ["p"], low=0.0)
    problem = Problem([equations(system, [], {"p": 1e-4})])
    found = newton(problem, np.array([5.0]))
    assert found is None or found == pytest.approx([1e-2])
    assert newton(problem, np.array([0.03])) == pytest.approx([1e-2], rel=1e-12)
    assert newton(problem, np.array([-1.0])) is None


def test_errors_hold_a_parameter_where_that_is_possible():
    problem = Problem([equations(FOLDED, ["p"])])
    regular = newton(problem, np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    held, _ = errors_along(problem, regular, tangent_at(problem, regular), 1)
    assert held[1] < 1e-15  # the parameter is given
    fold = np.array([3**-0.5, -2 * 3**-1.5])
    errors, _ = errors_along(problem, fold, tangent_at(problem, fold), 1)
    assert 0 < errors[1] < 1e-14  # there it is not: the distance to the curve


def test_a_point_of_a_curve_at_a_value():
    problem = Problem([equations(FOLDED, ["p"])])
    before, after = (newton(problem, np.array([x, x**3 - x]), np.eye(2)[0]) for x in (1.1, 1.5))
    found = at_value(problem, before, after, 1, 1.0)
    assert found[1] == 1.0
    assert found[0] ** 3 - found[0] == pytest.approx(1, abs=1e-13)
