"""Transitions of the Blume-Capel model, whose symmetry a field breaks, against its closed form."""

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq, fsolve

from replica import (
    Discrete,
    FunctionalModel,
    Model,
    OrderParameter,
    Parameter,
    Quenched,
    Thermal,
    beta,
    load,
    m,
)
from replica.errors import ConvergenceError, ParameterError

s, t = sp.symbols("s t", real=True)
D = Parameter("D", 0.0, (-20, 20), "crystal field")
h = Parameter("h", 0.0, doc="field")
blume_capel = Model(
    name="blume-capel",
    thermal=Thermal(s, Discrete([-1, 0, 1], counting=True), penalty=D * s**2 - h * s),
    quenched=Quenched(t, Discrete([1])),
    overlap=beta * m**2 / 2,
    temperature=Parameter("T", 0.5, (0, 10), "temperature", open="lower"),
)
T = Parameter("T", 0.8, (0, math.inf), open="lower")
field = Parameter("h", 0.0, (-5, 5), "field")
curie_weiss = FunctionalModel(
    name="curie-weiss",
    free_entropy=-(m**2) / (2 * T) + sp.log(2 * sp.cosh((m + field) / T)),
    order_parameters=[OrderParameter(m, rate=T, domain=(-1, 1), start=0.9)],
)
UP_AND_DOWN = ({"m": 0.99}, {"m": -0.99})


def magnetisation(M, T, D, h=0.0):
    weight = 2 * np.exp(-D / T)
    return weight * np.sinh((M + h) / T) / (1 + weight * np.cosh((M + h) / T))


def free_entropy(M, T, D, h=0.0):
    return -(M**2) / (2 * T) + np.log(1 + 2 * np.exp(-D / T) * np.cosh((M + h) / T))


def coexistence(T, h):
    """Critical D, by bisection, of the two phases that plain iteration reaches from both sides."""

    def gap(D):
        ends = []
        for M in (0.9, 0.0):
            for _ in range(2000):
                M = magnetisation(M, T, D, h)
            ends.append(free_entropy(M, T, D, h))
        return ends[0] - ends[1]

    middle = 0.476 + 1.32 * h
    return brentq(gap, middle - 0.003, middle + 0.003, xtol=1e-13)


def test_a_first_order_line_leaves_the_symmetric_axis():
    line = blume_capel.boundary(
        "first-order", "D", along="h", over=[0, 0.005, 0.02], T=0.25, bracket=(0.3, 0.6)
    )
    assert [p.converged for p in line.points] == [True] * 3
    assert line["D"] == pytest.approx([coexistence(0.25, x) for x in (0, 0.005, 0.02)], abs=1e-10)
    weak = [p.coexisting["m"] for p in line.points]
    assert weak[0] == 0
    assert 0 < weak[1] < weak[2]


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (blume_capel, {"parameter": "D", "T": 0.5, "over": (0, 0.2)}),
        (load("sherrington-kirkpatrick"), {"parameter": "T", "over": (0, 0.5)}),
    ],
)
def test_a_field_has_no_second_order_line(model, options):
    with pytest.raises(ParameterError, match="h breaks the symmetry"):
        model.boundary("second-order", along="h", **options)


def test_a_branch_leaves_the_symmetric_axis():
    branch = blume_capel.follow("h", T=0.6, D=0.3, h=0, until=(0, 0.1), start={"m": 0})
    last = branch.points[-1]
    assert (branch["m"][0], last["h"], last.converged) == (0, 0.1, True)
    exact = brentq(lambda M: magnetisation(M, 0.6, 0.3, 0.1) - M, 0.1, 1, xtol=1e-14)
    assert last["m"] == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("bracket", [(-1, 1), (-0.1, 0.1), (-0.5, 1)])
def test_the_first_phase_is_that_of_the_first_start(bracket):
    found = curie_weiss.boundary("first-order", "h", T=0.6, start=UP_AND_DOWN, bracket=bracket)
    exact = brentq(lambda x: math.tanh(x / 0.6) - x, 0.5, 1, xtol=1e-15)
    assert found["m"] == pytest.approx(exact, abs=1e-12)
    assert found.coexisting["m"] == pytest.approx(-exact, abs=1e-12)


def test_the_informed_start_names_the_informed_phase():
    model = load("spiked-wigner-sparse")
    found = model.boundary("first-order", "lam", rho=0.05, bracket=(0.2, 2))
    assert (found.branch, found.coexisting.branch) == ("informed", "uninformed")
    assert found["q"] > 0.4
    assert found.coexisting["q"] == 0


def test_the_error_of_a_first_order_point_covers_entropies_that_round_alike():
    found = curie_weiss.boundary(
        "first-order", "h", T=0.8168, start=UP_AND_DOWN, bracket=(-0.077, 0.0038)
    )
    assert abs(found["h"]) <= found.error["h"] < 1e-14


def tricritical_side(T, M, D):
    """The coexistence next to the tricritical point, in many digits."""
    with mpmath.workdps(40):
        T = mpmath.mpf(T)

        def phi(M, D):
            return -(M**2) / (2 * T) + mpmath.log(1 + 2 * mpmath.exp(-D / T) * mpmath.cosh(M / T))

        def slope(M, D):
            return mpmath.diff(lambda x: phi(x, D), M)

        def both(M, D):
            return slope(M, D) / M, (phi(M, D) - phi(mpmath.mpf(0), D)) / M**2

        return mpmath.findroot(both, (mpmath.mpf(M), mpmath.mpf(D)))


def test_errors_next_to_the_tricritical_point():
    line = blume_capel.boundary(
        "first-order", "D", along="T", T=0.3, over=[0.32, 0.333, 0.3332], bracket=(0.3, 0.6)
    )
    assert len(line) == 3
    for point in line.points:
        M, D = tricritical_side(point["T"], point["m"], point["D"])
        assert abs(M - point["m"]) <= point.error["m"] < 1e-7
        assert abs(D - point["D"]) <= point.error["D"] < 1e-12


def test_points_that_are_hard_to_reach_are_there_and_their_errors_cover_them():
    over = [0.333, 0.33330124, 0.33332]
    line = blume_capel.boundary("first-order", "D", along="T", T=0.3, over=over, bracket=(0.3, 0.6))
    assert (list(line["T"]), line.missing) == (over, ())
    for point in line.points:  # whether they are certified or not
        M, D = tricritical_side(point["T"], point["m"], point["D"])
        assert abs(M - point["m"]) <= point.error["m"] < 1e-5
        assert abs(D - point["D"]) <= point.error["D"] < 1e-8


@pytest.mark.parametrize("T", [0.36, 0.5, 0.66, 0.6666176])
def test_the_error_of_a_second_order_point_covers_the_rounding_of_differences(T):
    found = blume_capel.boundary("second-order", "D", T=T, bracket=(-0.5, 1))
    exact = T * math.log(2 * (1 - T) / T)
    assert abs(found["D"] - exact) <= found.error["D"] < 1e-10


def test_a_solution_elsewhere_leads_to_a_phase_and_not_to_a_saddle():
    # At T = 0.1 the magnetisation 0.4 belongs to the saddle between both phases.
    solution = blume_capel.solve(T=0.3, D=0.46, start={"m": 0.9})
    with pytest.raises(ConvergenceError, match="not met"):
        blume_capel.boundary("m=0.4", "D", T=0.1, start=solution)


def test_a_first_order_point_leads_to_one_at_another_temperature():
    start = blume_capel.boundary("first-order", "D", T=0.3, bracket=(0.3, 0.6))
    found = blume_capel.boundary("first-order", "D", T=0.25, start=start)
    assert found["D"] == pytest.approx(coexistence(0.25, 0), abs=1e-11)
    assert (found.unstable, found.coexisting.unstable) == ("", "")


def test_a_memory_leads_to_the_transitions_of_another_temperature():
    # Published equations, solved in many digits elsewhere.
    hopfield = load("hopfield")
    memory = hopfield.solve(alpha=0.01, T=0.8, start="informed")
    equal = hopfield.boundary("first-order", "alpha", T=0.78, start=(memory, "uninformed"))
    assert equal["alpha"] == pytest.approx(0.006434041, abs=1e-9)
    end = hopfield.boundary("spinodal", "alpha", T=0.78, start=memory)
    assert end["alpha"] == pytest.approx(0.012180409, abs=1e-9)
    branch = hopfield.follow("alpha", T=0.5, start=memory, until=(0.001, 0.15))
    assert all(p.converged == math.isfinite(p.free_entropy) for p in branch.points)
    assert branch.points[0]["m"] > 0.9


@pytest.mark.parametrize("bracket", [(0.1, 0.9), (0.2, 0.5)])
def test_a_spinodal_is_that_of_the_phase_of_the_start(bracket):
    # At small alpha both starts lead to the one phase there is, the bad one.
    sensing = load("compressed-sensing")
    ends = [
        sensing.boundary("spinodal", "alpha", rho=0.2, Delta=1e-6, bracket=bracket, start=start)
        for start in ("informed", "uninformed")
    ]
    assert [end["alpha"] for end in ends] == pytest.approx([0.2327453509, 0.3554247298], abs=1e-9)
    assert ends[0]["V"] < 1e-3 < ends[1]["V"]


def test_a_spherical_glass_next_to_a_paramagnet_without_overlap():
    # A. Crisanti & H.-J. Sommers: phi(q) of the replica-symmetric p = 3 model, in closed form.
    found = load("p-spin-spherical").boundary(
        "first-order", "T", p=3, h=0, bracket=(0.3, 0.47), start=({"q": 0.7}, {"q": 1e-9})
    )

    def excess(v):
        T, q = v
        return T**-2 * 3 * q * (1 - q) ** 2 / 2 - 1, q / (1 - q) + np.log(1 - q) - q**3 / (2 * T**2)

    T, q = fsolve(excess, [0.45, 0.44], xtol=1e-13)
    assert (found["T"], found["q"]) == pytest.approx((T, q), abs=1e-9)
    assert found.coexisting["q"] == 0


def test_a_paramagnet_in_a_field_exists_above_the_freezing_temperature():
    model = load("sherrington-kirkpatrick")
    branch = model.follow("h", T=1.2, h=0, until=(0, 0.1), start={"q": 0})
    z = np.linspace(-12, 12, 4001)
    w = np.exp(-(z**2) / 2) / np.sum(np.exp(-(z**2) / 2))
    exact = brentq(lambda q: w @ np.tanh((np.sqrt(q) * z + 0.1) / 1.2) ** 2 - q, 1e-4, 0.5)
    assert branch.points[-1]["q"] == pytest.approx(exact, abs=1e-10)
    # Below, the overlap would be negative: q = h^2 / (T^2 - 1) to first order.
    ended = model.follow("h", T=0.9, h=0, until=(0, 0.1), start={"q": 0})
    assert ended["h"][-1] < 1e-4
    assert ended.ends[1].startswith("no regular continuation")
