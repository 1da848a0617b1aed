"""One step of replica-symmetry breaking derives, prints, and reduces to replica symmetry."""

import math

import numpy as np
import pytest
import sympy as sp

from replica import (
    Field,
    Flat,
    GaussBernoulli,
    LinearLabels,
    Model,
    Parameter,
    Quenched,
    Rademacher,
    Spherical,
    Thermal,
    beta,
    load,
    q,
    sign_labels,
)
from replica.compile.system import CompiledSystem
from replica.derive.ansatz import ONE_STEP, REPLICA_SYMMETRIC, Ansatz
from replica.errors import DerivationError

s, t, h, y, z = sp.symbols("s t h y z")
T = Parameter("T", 0.5, (0, math.inf), open="lower")
alpha = Parameter("alpha", 0.7, (0, math.inf))
lam = Parameter("lam", 0.5, (0, math.inf))
signs, noisy = sign_labels(y, z), LinearLabels(y, z, 0.1)
sparse = GaussBernoulli(0.3)

FINITE = [
    Model("sk", Thermal(s, Rademacher()), pair=beta**2 * q**2 / 4, temperature=T),
    Model("spherical-3-spin", Thermal(s, Spherical()), pair=beta**2 * q**3 / 4, temperature=T),
    Model("ising-perceptron", Thermal(s, Rademacher()), fields=Field(h, alpha, constraint=h >= 0)),
    Model("gardner", Thermal(s, Spherical()), fields=Field(h, alpha, constraint=h >= 0.5)),
    Model("teacher", Thermal(s, Rademacher()), Quenched(t, Rademacher()),
          Field(h, alpha, labels=signs, likelihood=signs)),
    Model("compressed-sensing", Thermal(s, sparse), Quenched(t, sparse),
          Field(h, alpha, labels=noisy, likelihood=noisy)),
]  # fmt: skip
ZERO = [
    load("gaussian-mixture-hinge"),
    load("gaussian-mixture-square"),
    Model("lasso", Thermal(s, Flat(), lam * sp.Abs(s)), Quenched(t, sparse),
          Field(h, alpha, labels=noisy, loss=(y - h) ** 2 / 2), temperature=0),
]  # fmt: skip
POINT = {"m": 0.4, "q": 0.55, "V": 0.45, "chi": 0.6, "b": 0.1}


def both(model, gap):
    """Updates and free entropy of replica symmetry, and of one step with ``q_1 - q_0 = gap``."""
    values = []
    flat, steps = model.saddle_point(reduce=False), model.saddle_point(ansatz=ONE_STEP)
    point = dict(POINT)
    for saddle in (flat, steps):
        system = CompiledSystem(saddle, "numpy")
        params = np.array([saddle.parameters[name].default for name in system.parameters])
        x = np.array([point[name] for name in system.unknowns])
        report = dict(zip(system.outputs, system.report(params, x), strict=True))
        values.append((dict(zip(system.unknowns, system.map(params, x), strict=True)), report))
        point |= {"q_0": point["q"] - gap, "q_1": point["q"], "Vhat": report.get("Vhat", 1.0)}
    return values


@pytest.mark.parametrize("model", FINITE, ids=lambda model: model.name)
def test_equal_overlaps_give_replica_symmetry(model):
    (flat, flat_report), (steps, steps_report) = both(model, 0.0)
    for name in ("q_0", "q_1"):
        assert steps[name] == pytest.approx(flat["q"], abs=2e-12)
    for name in {"m", "V"} & flat.keys():
        assert steps[name] == pytest.approx(flat[name], abs=2e-12)
    assert steps_report["free_entropy"] == pytest.approx(flat_report["free_entropy"], abs=2e-12)
    # The functional is stationary in the Parisi parameter where it does not depend on it.
    assert steps_report["stationarity_x1"] == pytest.approx(0, abs=2e-12)


@pytest.mark.parametrize("model", ZERO, ids=lambda model: model.name)
def test_nearly_equal_overlaps_at_zero_temperature(model):
    """The value of a proximal operator has no density at zero gap: approach it instead."""
    (flat, flat_report), (steps, steps_report) = both(model, 1e-6)
    for name, twin in (("q_0", "q"), ("q_1", "q"), ("m", "m"), ("chi", "chi"), ("b", "b")):
        if twin in flat:
            assert steps[name] == pytest.approx(flat[twin], abs=1e-5)
    assert steps_report["free_entropy"] == pytest.approx(flat_report["free_entropy"], abs=1e-5)


@pytest.mark.parametrize("model", [*FINITE, *ZERO], ids=lambda model: model.name)
def test_prints(model):
    latex = model.saddle_point(ansatz=ONE_STEP).latex()
    assert latex.startswith("\\begin{align}")
    assert r"\hat{q}_{1}" in latex
    assert "Average" not in latex


def test_differs_from_replica_symmetry_away_from_it():
    """The comparison above can fail: with a gap the two free entropies differ."""
    (_, flat), (_, steps) = both(FINITE[0], 0.3)
    assert abs(flat["free_entropy"] - steps["free_entropy"]) > 1e-3


def test_one_step_solution_of_sherrington_kirkpatrick():
    """Parisi's 1RSB lowers the free entropy of the low-temperature phase below the RS one.

    The RS entropy is negative at low temperature (-1/(2 pi) at T = 0); one step gives about -0.01
    (Parisi 1980), so that at a stationary Parisi parameter -f lies between RS and the true value.
    """
    model = FINITE[0]
    system = CompiledSystem(model.saddle_point(ansatz=ONE_STEP))
    names = list(system.parameters)
    energies = {}
    for x in (0.2, 0.28, 0.36):
        params = np.zeros((1, len(names)))
        params[0, names.index("T")], params[0, names.index("x1")] = 0.3, x
        start = np.array([[{"q_0": 0.3, "q_1": 0.8, "V": 0.2}[u] for u in system.unknowns]])
        result = system.solve_block(params, start)
        assert result.status[0] == 0
        report = dict(zip(system.outputs, result.out[0], strict=True))
        energies[x] = report["free_entropy"], report["stationarity_x1"]
    flat = model.solve(T=0.3, start={"q": 0.8, "V": 0.2}).free_entropy
    assert all(value < flat for value, _ in energies.values())
    slopes = [slope for _, slope in energies.values()]
    assert slopes[0] * slopes[-1] < 0  # the stationary Parisi parameter lies in between


def test_ansatz_is_a_value():
    assert Ansatz(0) == REPLICA_SYMMETRIC
    assert [str(s) for s in Ansatz(2).overlaps] == ["q_0", "q_1", "q_2"]
    with pytest.raises(DerivationError, match="at least 0"):
        Ansatz(-1)
