"""The C and the NumPy lowering of one program agree, on every built-in model."""

import numpy as np
import pytest

from replica.compile import toolchain
from replica.registry import built_in_models

MODELS = built_in_models()
needs_compiler = pytest.mark.skipif(toolchain.find_compiler() is None, reason="no C compiler")


def scaled(first, second):
    """Largest difference, relative for large values and absolute for small ones."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(first - second) / np.maximum(np.abs(second), 1.0)
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    return float(np.max(np.where(same, 0.0, difference)))


@needs_compiler
@pytest.mark.parametrize("name", MODELS)
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
