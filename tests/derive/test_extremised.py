"""Scalars over which the free entropy is extremised: their equation and the size of their step."""

import numpy as np
import pytest
import sympy as sp

from replica import Extremised, Field, Flat, Gaussian, Model, Parameter, Quenched, Thermal, m
from replica.compile.system import CompiledSystem
from replica.derive.ansatz import ONE_STEP

w, v, h, h_2, y, b = sp.symbols("w v h h_2 y b", real=True)
alpha = Parameter("alpha", 2.0, (0, np.inf), open="lower")
Delta = Parameter("Delta", 0.7, (0, np.inf), open="lower")
CLUSTERS = {y: {1: sp.Rational(1, 5), -1: sp.Rational(4, 5)}}
LOGISTIC = sp.log(1 + sp.exp(-y * (h + b)))
SQUARE = (1 - y * (h + b)) ** 2 / 2


def field(load, loss=LOGISTIC, variance=Delta, symbol=h):
    return Field(
        symbol, load, loss=loss.subs(h, symbol), clusters=CLUSTERS, mean=y * m, variance=variance
    )


def classifier(*fields):
    return Model(
        name="classifier",
        thermal=Thermal(w, Flat(), penalty=w**2 / 20),
        quenched=Quenched(v, Gaussian()),
        fields=fields,
        extremised=Extremised(b),
        temperature=0,
    )


def test_samples_may_be_declared_in_parts():
    whole = classifier(field(alpha)).solve(alpha=1.5)
    parts = classifier(field(alpha / 3), field(2 * alpha / 3, symbol=h_2)).solve(alpha=1.5)
    for name, value in whole.order_parameters.items():
        assert parts[name] == pytest.approx(value, rel=1e-10)


def test_fields_of_different_load_and_variance():
    """At a solution every derivative of the free entropy vanishes, also the scalar's."""
    model = classifier(field(alpha), field(3 * alpha, SQUARE, 2 * Delta, h_2))
    solution = model.solve(alpha=0.5)
    system = model.compile()
    params = np.array([solution.parameters[name] for name in system.parameters])
    values = []
    for shift in (-1e-4, 1e-4):
        x = np.array(list(solution.order_parameters.values()))
        x[system.unknowns.index("b")] += shift
        values.append(system.report(params, x)[system.outputs.index("free_entropy")])
    assert abs(values[1] - values[0]) / 2e-4 < 1e-8


def test_one_step_moves_a_scalar_as_replica_symmetry_does():
    model = classifier(field(alpha, SQUARE), field(3 * alpha, SQUARE, 2 * Delta, h_2))
    moved = []
    for ansatz in (None, ONE_STEP):
        system = CompiledSystem(model.saddle_point(ansatz=ansatz), "numpy")
        point = {"m": 0.4, "q": 0.5, "q_0": 0.5, "q_1": 0.5 + 1e-9, "chi": 0.6, "b": 0.1, "Vhat": 1}
        params = np.array([system.saddle.parameters[name].default for name in system.parameters])
        x = np.array([point[name] for name in system.unknowns])
        moved.append(system.map(params, x)[system.unknowns.index("b")])
    assert moved[1] == pytest.approx(moved[0], rel=1e-6)


@pytest.mark.parametrize("loss", [SQUARE, LOGISTIC], ids=["square", "logistic"])
def test_scalars_move_where_the_spread_is_small(loss):
    """The spread falls as 1/alpha, the curvature of the loss does not: few evaluations suffice."""
    model = classifier(field(alpha, loss))
    for load in (1e3, 1e5, 1e7):
        assert model.solve(alpha=load).evaluations < 300
