"""Public objects survive a process boundary."""

import pickle

import pytest

from replica import ConvergenceError, SolverSettings, load

MODEL = load("gaussian-mixture-hinge")


def again(thing):
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize("name", ["gaussian-mixture-hinge", "hopfield", "compressed-sensing"])
def test_model_solves_after_a_round_trip(name):
    model = load(name)
    model.solve()  # whatever it caches stays behind
    twin = again(model)
    assert twin.parameters.keys() == model.parameters.keys()
    assert twin.solve().order_parameters == model.solve().order_parameters


def test_parameter_keeps_its_declaration():
    parameter = MODEL.parameters["lam"]
    twin = again(parameter)
    assert twin == parameter
    assert (twin.python_name, twin.symbol_name) == ("lam", "lambda")
    assert (twin.domain, twin.open, twin.doc) == (parameter.domain, parameter.open, parameter.doc)


def test_derived_objects():
    saddle = MODEL.saddle_point()
    assert again(saddle).latex() == saddle.latex()
    solution = MODEL.solve()
    assert again(solution) == solution
    assert again(SolverSettings(damping=0.3)) == SolverSettings(damping=0.3)
    system = MODEL.compile("numpy")
    assert again(system).unknowns == system.unknowns
    with pytest.raises(ConvergenceError) as caught:
        MODEL.solve(settings=SolverSettings(max_evaluations=2))
    twin = again(caught.value).solution
    assert twin.status is caught.value.solution.status
    assert twin.residual == caught.value.solution.residual
