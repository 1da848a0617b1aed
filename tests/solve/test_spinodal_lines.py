"""Where lines of spinodals end: at saddles, and at their mirror images."""

import math

import numpy as np
import pytest
import sympy as sp

from replica import (
    Discrete,
    FunctionalModel,
    Model,
    OrderParameter,
    Parameter,
    Quenched,
    Spherical,
    Thermal,
    beta,
    m,
    q,
)  # fmt: skip
from replica.errors import ConvergenceError

T = Parameter("T", 0.5, (0, 10), "temperature", open="lower")
J0 = Parameter("J0", 1.0, (0, 10), "ferromagnetic coupling", symbol="J_0")
s, t = sp.symbols("s t", real=True)
glass = Model(
    name="ferromagnetic-glass",
    thermal=Thermal(s, Spherical()),
    quenched=Quenched(t, Discrete([1])),
    pair=beta**2 * q**3 / 4,
    overlap=beta * J0 * m**3,
    temperature=T,
)
INFORMED = {"start": "informed", "bracket": (0.2, 4)}


def spinodal_coupling(temperature):
    """Coupling of a phase of m^2 = q - 3 q^2 (1 - q)^2 / (2 T^2) and J0 = T / (3 m (1 - q)).

    It is least where (1 - q) m is largest: at q = 1 / 3.
    """
    square = 1 / 3 - 1.5 * (2 / 9 / temperature) ** 2
    return temperature / (2 * math.sqrt(square))


def test_a_line_of_spinodals_ends_where_its_phase_is_a_saddle():
    # Below T = 2/3 the fold is one of two saddles: the replicon vanishes where they meet.
    line = glass.boundary(
        "spinodal", "J0", along="T", over=[0.4, 0.5, 0.7, 1, 1.5], T=1, **INFORMED
    )
    assert line.ends == ("a phase loses its stability", "T reaches 1.5")
    assert line.missing == (0.4, 0.5)
    assert line["J0"] == pytest.approx([spinodal_coupling(v) for v in (0.7, 1, 1.5)], rel=1e-10)
    whole = glass.boundary("spinodal", "J0", along="T", over=(0.4, 1.05), T=1, **INFORMED)
    assert whole["T"][0] == pytest.approx(2 / 3, abs=1e-4)
    assert whole["J0"][0] == pytest.approx(math.sqrt(2 / 3), abs=1e-6)
    assert max(point.stability for point in whole.points) < 1 + 1e-6


def test_a_replicon_that_vanishes_at_the_spinodal_itself_is_said():
    spinodal = glass.boundary("spinodal", "J0", T=0.5, **INFORMED)
    assert spinodal["J0"] == pytest.approx(math.sqrt(2 / 3), abs=1e-9)
    with pytest.raises(ConvergenceError, match=r"= 0\.816497, where replicon = 0 holds at the sp"):
        glass.boundary("at", "J0", T=0.5, **INFORMED)


def test_a_line_of_spinodals_ends_where_its_mirror_image_begins():
    h = Parameter("h", 0.3, (0, 5), "strength of the bimodal field")
    M = sp.Symbol("M", real=True)
    cosh = [sp.log(2 * sp.cosh((M + sign * h) / T)) for sign in (1, -1)]
    magnet = FunctionalModel(
        name="random-field-magnet",
        free_entropy=-(M**2) / (2 * T) + sum(cosh) / 2,
        order_parameters=[OrderParameter(M, rate=T, domain=(-1, 1), start=(0.001, 0.99))],
    )
    line = magnet.boundary(
        "spinodal", "h", along="T", over=(0.1, 0.8), T=0.4, start="informed", bracket=(0.3, 0.7)
    )
    assert line.ends == ("T reaches 0.1", "M vanishes there (critical point)")
    assert np.all(line["M"] > 0)
    assert np.all(np.diff(line["T"]) > 0)
    # The tricritical point, where the terms of second and fourth order vanish.
    assert line["T"][-1] == pytest.approx(2 / 3, abs=1e-3)
    assert line["h"][-1] == pytest.approx(2 / 3 * math.atanh(1 / math.sqrt(3)), abs=1e-3)
