"""Transitions at which order parameters begin to grow, next to and inside of other phases."""

import logging

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq

from replica import (
    Discrete,
    Model,
    Parameter,
    Quenched,
    Rademacher,
    Thermal,
    V,
    beta,
    load,
    m,
    q,
)  # fmt: skip
from replica.errors import ConvergenceError

z = np.linspace(-12, 12, 4001)
w = np.exp(-(z**2) / 2)
w = w / w.sum()  # the trapezoidal rule, which converges exponentially here
s, t = sp.symbols("s t", real=True)
T = Parameter("T", 0.5, (0, 10), "temperature", open="lower")
J0 = Parameter("J0", 1.2, (-5, 10), "ferromagnetic coupling", symbol="J_0")
D = Parameter("D", 0.0, (-5, 5), "crystal field")

spin_one = Model(
    name="ghatak-sherrington",
    thermal=Thermal(s, Discrete([-1, 0, 1]), penalty=D * s**2),
    pair=beta**2 * q**2 / 4,
    temperature=T,
    observables={"density": q + V},
)
ferromagnet = Model(
    name="sk-ferromagnet",
    thermal=Thermal(s, Rademacher()),
    quenched=Quenched(t, Discrete([1])),
    pair=beta**2 * q**2 / 4,
    overlap=beta * J0 * m**2 / 2,
    temperature=T,
)

h = Parameter("h", 0.0, doc="field")
blume_capel = Model(
    name="blume-capel",
    thermal=Thermal(s, Discrete([-1, 0, 1], counting=True), penalty=D * s**2 - h * s),
    quenched=Quenched(t, Discrete([1])),
    overlap=beta * m**2 / 2,
    temperature=T,
)


def glass_overlap(temperature):
    """Overlap of the glass without magnetisation."""

    def excess(overlap):
        return w @ np.tanh(np.sqrt(overlap) * z / temperature) ** 2 - overlap

    return brentq(excess, 1e-3, 1, xtol=1e-15)


def test_the_overlap_of_sherrington_and_kirkpatrick_as_a_condition():
    model = load("sherrington-kirkpatrick")
    for overlap in (0.3, 0.2, 0.05, 1e-3):
        found = model.boundary(f"q={overlap}", "T", bracket=(0.3, 1.5))
        image = w @ np.tanh(np.sqrt(overlap) * z / found["T"]) ** 2
        assert image == pytest.approx(overlap, rel=1e-10)
        assert found.stability < 1


@pytest.mark.parametrize("bracket", [(0.3, 1.2), (0.6, 1.2)])
@pytest.mark.parametrize("condition", ["second-order", "replicon"])
def test_spins_of_three_values_freeze_where_their_variance_is_the_temperature(condition, bracket):
    exact = brentq(lambda x: x - 1 / (1 + 0.5 * np.exp(-1 / (2 * x))), 0.5, 1)
    found = spin_one.boundary(condition, "T", D=0, bracket=bracket)
    assert found["T"] == pytest.approx(exact, abs=1e-11)
    assert exact == pytest.approx(0.7901659, abs=1e-7)


def test_magnetisation_begins_inside_the_glass():
    overlap = glass_overlap(0.5)
    exact = 0.5 / (1 - overlap)
    found = ferromagnet.boundary("second-order", "J0", T=0.5, bracket=(0.5, 2))
    assert found["J0"] == pytest.approx(exact, abs=1e-10)
    assert (found["m"], found["q"]) == (0, pytest.approx(overlap, abs=1e-10))
    by_value = ferromagnet.boundary("m=1e-3", "J0", T=0.5, bracket=(0.5, 2))
    assert by_value["J0"] == pytest.approx(exact, abs=1e-5)


def test_the_other_lines_of_the_ferromagnet():
    assert ferromagnet.boundary("second-order", "T", J0=1.5, bracket=(0.5, 3))[
        "T"
    ] == pytest.approx(1.5, abs=1e-11)
    assert ferromagnet.boundary("second-order", "T", J0=1, bracket=(0.5, 3))["T"] == pytest.approx(
        1, abs=1e-9
    )
    unstable = ferromagnet.boundary("at", "T", J0=1.5, bracket=(0.1, 1.2))
    fields = (1.5 * unstable["m"] + np.sqrt(unstable["q"]) * z) / unstable["T"]
    assert w @ np.cosh(fields) ** -4.0 == pytest.approx(unstable["T"] ** 2, rel=1e-8)
    assert unstable["T"] == pytest.approx(0.2750287, abs=1e-7)


def test_a_branch_that_meets_its_mirror_image_says_what_to_ask():
    with pytest.raises(ConvergenceError, match=r"m vanishes: ask for \"second-order\"") as error:
        ferromagnet.boundary("spinodal", "J0", T=0.5, bracket=(0.9, 2), start="informed")
    assert "ends at J0 = 1.06466" in str(error.value)


def test_the_unstable_paramagnet_is_not_followed():
    # Its entropy vanishes at T = 0.6, where it is long replaced by the glass.
    with pytest.raises(ConvergenceError, match="without q becomes unstable at T = 1"):
        load("sherrington-kirkpatrick").boundary("entropy", "T", bracket=(0.3, 1.5))


def test_a_solution_that_leads_to_an_unstable_one_is_reported(caplog):
    model = load("sherrington-kirkpatrick")
    warm = model.solve(T=1.5)
    with caplog.at_level(logging.WARNING):
        cold = model.solve(T=0.5, start=warm)
    assert cold.stability == pytest.approx(4, abs=1e-6)
    assert "the start is stable and the solution is not" in caplog.text


def test_an_unstable_solution_does_not_look_like_a_phase():
    model = load("sherrington-kirkpatrick")
    phase, paramagnet = model.solve(T=0.5), model.solve(T=0.5, start={"q": 0, "V": 1})
    freezing = model.boundary("second-order", "T", bracket=(0.3, 1.5))
    sentence = "unstable: the map's Jacobian has the eigenvalue 4, which is not below 1"
    for found, said in ((phase, False), (paramagnet, True), (freezing, False)):
        assert (sentence in str(found)) is said
        assert (sentence in found._repr_html_()) is said


@pytest.mark.parametrize("field", [0.9, 0.92])
def test_branches_find_the_paramagnet_beside_the_glass(field):
    def excess(variance):
        return 1 / (1 + 0.5 * np.exp(5 * field - 12.5 * variance)) - variance

    exact = brentq(excess, 0, 0.08)
    glass, paramagnet = spin_one.branches(T=0.2, D=field)
    assert glass["q"] > 0.3
    assert abs(paramagnet["q"]) < 1e-12
    assert paramagnet["V"] == pytest.approx(exact, abs=1e-12)


def test_branches_do_not_list_an_unstable_paramagnet_that_nobody_asked_for():
    model = load("sherrington-kirkpatrick")
    assert len(model.branches(T=0.5)) == 1
    both = model.branches(["uninformed", {"q": 0, "V": 1}], T=0.5)
    assert sorted(bool(found.unstable) for found in both) == [False, True]


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_a_zero_that_rounding_disturbs_is_kept_and_its_instability_reported(backend):
    # Without overlap V = <s^2> solves V = 2 e^x / (1 + 2 e^x) with x = V / (2 T^2), and the map
    # multiplies a small overlap by (V / T)^2.
    found = spin_one.solve(T=0.5, start={"q": 0}, backend=backend)

    def excess(v):
        return 2 * np.exp(2 * v) / (1 + 2 * np.exp(2 * v)) - v

    exact = brentq(excess, 0.5, 1, xtol=1e-15)
    assert found["q"] == 0
    assert found["V"] == pytest.approx(exact, abs=1e-12)
    assert found.stability == pytest.approx((exact / 0.5) ** 2, rel=1e-7)
    glass, *others = spin_one.branches(T=0.5, backend=backend)
    assert (glass["q"] > 0.1, others) == (True, [])


@pytest.mark.parametrize("T", [0.5, 0.7, 0.9, 1.1])
def test_the_paramagnet_of_sherrington_and_kirkpatrick_is_kept(T):
    found = load("sherrington-kirkpatrick").solve(T=T, start={"q": 0})
    assert (found["q"], found.stability) == (0, pytest.approx(T**-2, rel=1e-7))


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_a_magnetisation_on_its_way_to_zero_ends_there(backend):
    # Next to the Curie point of the Blume-Capel model, where damping contracts slowly.
    field = {"T": 0.712109375, "D": -0.125}
    found = blume_capel.solve(**field, start={"m": 0.9}, backend=backend)
    weight = 2 * np.exp(-field["D"] / field["T"])
    assert (found.converged, found["m"]) == (True, 0)
    exact = weight / (1 + weight) / field["T"]
    assert found.stability == pytest.approx(exact, abs=1e-7)
    assert 0.98 < exact < 1


def test_a_memory_without_magnetisation_stays_without_it():
    assert load("hopfield").solve(alpha=0.01, T=0.3, start={"m": 0.0})["m"] == 0


def memory_glass(alpha, T):
    """Overlap of the glass of Hopfield's memory: a narrow window between its pole and one."""

    def excess(q):
        width = np.sqrt(alpha * q) / (1 - (1 - q) / T) / T
        return w @ np.tanh(width * z) ** 2 - q

    return brentq(excess, 1 - T + 1e-6, 0.99, xtol=1e-14)


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_steps_do_not_lead_over_the_pole_of_a_glass(backend):
    # Plain steps from these starts cross 1 - q = T, beyond which the free entropy has no value.
    expected = memory_glass(0.01, 0.3)
    for start in ({"m": 0}, {"m": 0, "q": 0.9}, {"m": 0, "q": 0.99, "V": 0.01}):
        found = load("hopfield").solve(alpha=0.01, T=0.3, start=start, backend=backend)
        assert found["m"] == 0
        assert found["q"] == pytest.approx(expected, abs=1e-12)
        assert np.isfinite(found.free_entropy)


@pytest.mark.parametrize(("alpha", "T"), [(0.001, 0.3), (0.01, 0.3), (0.005, 0.2)])
def test_branches_find_the_glass_beside_the_memory(alpha, T):
    memory, glass = load("hopfield").branches(alpha=alpha, T=T)
    assert memory["m"] > 0.99
    assert glass["q"] == pytest.approx(memory_glass(alpha, T), abs=1e-12)
    assert glass.stability < 1


def test_beyond_the_pole_nothing_is_converged():
    found = load("hopfield").solve(alpha=0.01, T=0.3, start={"m": 0, "q": 0, "V": 1}, throw=False)
    assert not found.converged


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_small_unknowns_that_are_no_zeros_of_symmetry_stay(backend):
    """To first order in 1/lam, m = alpha/(2 lam) and q = (alpha^2/4 + alpha/4)/lam^2."""
    alpha, lam = 1e-3, 1e8
    point = {"alpha": alpha, "lam": lam, "rho": 0.5, "Delta": 1.0}
    solution = load("gaussian-mixture-logistic").solve(backend=backend, **point)
    assert solution["m"] == pytest.approx(alpha / (2 * lam), rel=1e-8)
    assert solution["q"] == pytest.approx((alpha**2 + alpha) / (4 * lam**2), rel=1e-8)
    assert solution["b"] == 0


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_no_result_is_given_where_a_measure_is_lost(backend):
    """At q = 0 the average is taken at one point, which a rule in that variable never meets."""
    zero = {"m": 0.0, "q": 0.0, "b": 0.0}
    model = load("gaussian-mixture-logistic")
    solution = model.solve(start=zero, throw=False, backend=backend)
    assert not solution.converged
    assert np.isnan(solution["free_energy"])
