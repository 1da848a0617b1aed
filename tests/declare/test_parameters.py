"""Parameters of one name in different models."""

import pickle

import pytest
import sympy as sp

from replica import DeclarationError, Model, Parameter, Rademacher, Thermal, load

s = sp.Symbol("s", real=True)


def test_models_keep_their_own_defaults():
    """SymPy caches expressions: equal symbols with unequal defaults would be confused."""
    first, second = Parameter("h", 0.0), Parameter("h", 0.5)
    models = [Model(name="x", thermal=Thermal(s, Rademacher(), -p * s)) for p in (first, second)]
    assert [model.parameters["h"].default for model in models] == [0.0, 0.5]
    assert first == Parameter("h", 0.0)
    assert pickle.loads(pickle.dumps(second)) == second


def test_built_in_models_keep_their_own_defaults():
    assert load("p-spin-ising").parameters["h"].default == 0.5
    assert load("sherrington-kirkpatrick").parameters["h"].default == 0.0


def test_two_parameters_of_one_name():
    first, second = Parameter("h", 0.0), Parameter("h", 0.5)
    with pytest.raises(DeclarationError, match="two different parameters are called 'h'"):
        Model(name="x", thermal=Thermal(s, Rademacher(), -first * s), temperature=second**2)
