"""The C and the NumPy lowering of one program agree, on every built-in model that has both."""

import numpy as np
import pytest

from replica import ActionModel, ManifoldModel
from replica.compile import toolchain
from replica.registry import built_in_models

# Actions and capacities of manifolds have one back end, NumPy.
MODELS = {
    name: model
    for name, model in built_in_models().items()
    if not isinstance(model, (ActionModel, ManifoldModel))
}
# Three dimensions, or an average within an average of second derivatives, take NumPy long.
LONG = {"potts-star-4", "potts-star-10", "potts-directed-10", "potts-bayes-3"}
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in MODELS]
needs_compiler = pytest.mark.skipif(toolchain.find_compiler() is None, reason="no C compiler")


def scaled(first, second):
    """Largest difference, relative for large values and absolute for small ones."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(first - second) / np.maximum(np.abs(second), 1.0)
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    return float(np.max(np.where(same, 0.0, difference)))


@needs_compiler
@pytest.mark.parametrize("name", NAMES)
def test_back_ends_agree(name):
    model = MODELS[name]
    compiled, reference = model.compile("c"), model.compile("numpy")
    params = np.array([model.parameters[p].default for p in compiled.parameters])
    start = compiled.starts(params[None])[0]
    solved = compiled.solve_block(params[None])
    points = [start, 0.7 * start + 0.1] + ([solved.x[0]] if solved.status[0] == 0 else [])
    for x in points:
        assert scaled(compiled.map(params, x), reference.map(params, x)) < 1e-12
        assert scaled(compiled.report(params, x), reference.report(params, x)) < 1e-12


@needs_compiler
@pytest.mark.parametrize("name", ["gaussian-mixture-hinge", "gaussian-mixture-logistic"])
def test_both_solvers_find_the_same_solution(name):
    model = MODELS[name]
    first = model.solve(alpha=3.0, lam=0.05, rho=0.3, backend="c")
    second = model.solve(alpha=3.0, lam=0.05, rho=0.3, backend="numpy")
    for symbol, value in first.order_parameters.items():
        assert second[symbol] == pytest.approx(value, rel=1e-11, abs=1e-12)
    assert second.evaluations == first.evaluations


@needs_compiler
@pytest.mark.parametrize("name", NAMES)
def test_many_states_on_one_rule(name):
    model = MODELS[name]
    compiled, reference = model.compile("c"), model.compile("numpy")
    params = np.array([model.parameters[p].default for p in compiled.parameters])
    x = 0.7 * compiled.starts(params[None])[0] + 0.1
    many = np.array([x, 1.001 * x, 0.999 * x])
    at, repeated = (params, x), np.repeat(params[None], 3, axis=0)
    for report in (False, True):
        first, second = (
            system.evaluate_block(repeated, many, at, report=report)
            for system in (compiled, reference)
        )
        assert scaled(first, second) < 1e-12
        single = compiled.report if report else compiled.map
        alone = np.array([single(params, one) for one in many])
        assert scaled(first[0], alone[0]) < 1e-14  # the rule is that of this state
        assert scaled(first, alone) < 1e-10


@needs_compiler
def test_functions_on_one_rule_are_smooth():
    # Differences of the tenth order would show the noise of a rule that is adapted anew.
    system = MODELS["gaussian-mixture-logistic"].compile("c")
    params = np.array([1.0, 2.0, 0.1, 0.3])
    x = np.array([1.4, 3.5, 4.0, -0.5])
    shifts = 1e-3 * np.arange(-10, 11)
    many = np.repeat(x[None], 21, axis=0)
    many[:, 1] += shifts
    values = system.evaluate_block(np.repeat(params[None], 21, axis=0), many, (params, x))
    rough = values - np.array([np.polyval(np.polyfit(shifts, v, 5), shifts) for v in values.T]).T
    assert np.max(np.abs(rough)) < 2e-14
