"""Every invalid action gives one clear sentence, at declaration time."""

import pytest
import sympy as sp

from replica import ActionModel, DataError, DeclarationError, OrderParameter, load
from replica.calculus.matrices import Agreement, LogDet, SymmetricMatrix

U = SymmetricMatrix("U", 2)
a, b, free = sp.Symbol("a", positive=True), sp.Symbol("b"), sp.Symbol("c", real=True)
y = sp.MatrixSymbol("y", 2, 1)
action = sp.Trace(U) - LogDet(U) + sp.Trace(y.T * U.inverse() * y)


def declared(**changes):
    arguments = {
        "name": "toy", "action": action, "order_parameters": [OrderParameter(U, start=1)],
        "data": {"y": [1.0, 2.0]},
    }  # fmt: skip
    return ActionModel(**{**arguments, **changes})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "Toy"}, "lower-case words joined by hyphens"),
        ({"order_parameters": []}, "no order parameter is declared"),
        ({"action": action + b}, "unbound symbol 'b' in 'action'"),
        ({"observables": {"size": b}}, "unbound symbol 'b' in 'size'"),
        ({"action": action + Agreement(y, y)}, "not smooth"),
        ({"order_parameters": [OrderParameter(U), OrderParameter(a)]}, "does not depend on"),
        (
            {
                "action": action + free,
                "order_parameters": [OrderParameter(U), OrderParameter(free)],
            },
            "neither a SymmetricMatrix nor a positive symbol",
        ),
        ({"order_parameters": [OrderParameter(U, rate=1)]}, "neither a conjugate nor a rate"),
    ],
)
def test_invalid(changes, sentence):
    with pytest.raises(DeclarationError, match=sentence):
        declared(**changes)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "the data 'y' are missing; expected y"),
        ({"y": [1, 2], "z": 1}, "there are no data 'z'; expected y"),
        ({"y": [1, 2, 3]}, "'y' has 3 entries, expected 2"),
        ({"y": [1, float("nan")]}, "not finite"),
    ],
)
def test_invalid_data(data, sentence):
    with pytest.raises(DataError, match=sentence):
        declared(data=data).compile()


def test_a_small_action_is_solved():
    """U = 1/2 (1 + sqrt(1 + 4 |y|^2)) along y, and 1 orthogonal to it."""
    found = declared().solve(start="uninformed")
    along = (1 + (1 + 4 * 5) ** 0.5) / 2
    assert found.matrix("U") @ [1, 2] == pytest.approx([along, 2 * along], abs=1e-11)
    assert found.matrix("U") @ [2, -1] == pytest.approx([2, -1], abs=1e-11)
    with pytest.raises(KeyError, match="the matrices are U"):
        found.matrix("V")


def test_built_in_models_survive_a_process_boundary():
    import pickle

    model = pickle.loads(pickle.dumps(load("attention-paths-denoising")))
    assert model.solve(start="uninformed", N=30)["U_a"] == pytest.approx(1.21268036, abs=1e-8)
    system = pickle.loads(pickle.dumps(declared().compile()))
    assert system.unknowns == ("U[1,1]", "U[1,2]", "U[2,2]")
