"""Where the declared start leads nowhere, a solution is continued from the default parameters."""

import math

import pytest
import sympy as sp

from replica import (
    ConvergenceError,
    Field,
    Flat,
    Gaussian,
    Model,
    Parameter,
    Quenched,
    Thermal,
    sign_labels,
)
from replica.solve.continued import continue_from_defaults

w, t, h, y, z = sp.symbols("w t h y z", real=True)


def perceptron(labels):
    """Weights of smallest norm with margins of at least one, of a teacher's labels or others."""
    alpha = Parameter("alpha", 1.0, (0, math.inf), open="lower")
    return Model(
        name="largest-margin",
        thermal=Thermal(w, Flat(), penalty=w**2 / 2),
        quenched=Quenched(t, Gaussian()),
        fields=Field(h, alpha, constraint=y * h >= 1, labels=labels),
        temperature=0,
    )


def test_weights_that_grow_with_the_load():
    model = perceptron(sign_labels(y, z))
    found = model.solve(alpha=30)
    assert found.branch == "continued from the default parameters"
    assert math.acos(found["m"] / math.sqrt(found["q"])) / math.pi == pytest.approx(
        0.5005 / 30, rel=5e-3
    )
    near = model.solve(alpha=30, start={"m": 15, "q": 250, "chi": 0.5})
    assert found["q"] == pytest.approx(near["q"], rel=1e-8)
    assert found["chi"] == pytest.approx(near["chi"], rel=1e-8)


def test_where_there_is_no_solution_the_failure_stays():
    """Labels with flips are not separable at a large load."""
    model = perceptron(sign_labels(y, z, flip=sp.Rational(1, 5)))
    with pytest.raises(ConvergenceError):
        model.solve(alpha=30)
    assert continue_from_defaults(model.name, model.compile(), {"alpha": 30}) is None
    assert continue_from_defaults(model.name, model.compile(), {"alpha": 1}) is None
