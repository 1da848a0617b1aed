"""Phase diagrams by refinement, against closed forms and against every point of the grid."""

import math

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.optimize import brentq

import replica
from replica import FunctionalModel, OrderParameter, Parameter, m
from replica.compile.system import CompiledSystem
from replica.errors import ParameterError, ReplicaError, ScanError
from replica.scan import boundaries

REPLICON = sp.Symbol("replicon")
HOPFIELD = {
    "retrieval": m > 0.1,
    "metastable retrieval": sp.Symbol("m_informed") > 0.1,
    "spin glass": sp.Symbol("q_uninformed") > 1e-6,
    "paramagnet": True,
}


@pytest.fixture(scope="module")
def hopfield():
    return replica.load("hopfield").phase_diagram(
        HOPFIELD, alpha=(0.002, 0.16), T=(0.1, 1.5), resolution=256, progress=False
    )


def test_the_same_boundaries_for_a_tenth_of_the_solves(hopfield):
    line = boundaries(hopfield)
    line = line[(line["across"] == "T") & (line["other_phase"] == "paramagnet")]
    assert len(line) == 257
    gap = np.abs(line["T"] - 1 - np.sqrt(line["alpha"]))
    assert (gap <= line["uncertainty"] + 1e-9).all()
    assert line["uncertainty"].max() == pytest.approx(0.7 / 256)
    assert 10 * hopfield.attrs["solves"] < 2 * 257**2


def test_phases_of_the_hopfield_memory(hopfield):
    """Amit, Gutfreund & Sompolinsky (1987): retrieval up to 0.138, stable below 0.051, at T = 0."""
    words = hopfield["phase"].attrs["flag_meanings"].split()

    def phase(alpha, T):
        return words[int(hopfield["phase"].sel(alpha=alpha, T=T, method="nearest"))]

    assert phase(0.03, 0.1) == "retrieval"
    assert phase(0.1, 0.1) == "metastable_retrieval"
    assert phase(0.15, 0.1) == "spin_glass"
    assert phase(0.1, 1.4) == "paramagnet"


def test_labels_equal_those_of_every_point():
    model = replica.load("hopfield")
    ds = model.phase_diagram(
        HOPFIELD, alpha=(0.002, 0.16), T=(0.1, 1.5), resolution=32, cells=8, progress=False
    )
    every = model.phase_diagram(
        HOPFIELD, alpha=(0.002, 0.16), T=(0.1, 1.5), resolution=32, cells=32, progress=False
    )
    assert every["evaluated"].all()
    assert not ds["evaluated"].all()
    np.testing.assert_array_equal(ds["phase"], every["phase"])
    solved = ds["evaluated"]
    np.testing.assert_array_equal(ds["q"].where(solved), every["q"].where(solved))


def at_field(T):
    """Field of the de Almeida-Thouless line, by an independent evaluation."""

    def mean(f):
        weight = np.sqrt(2 * np.pi)
        return quad(lambda z: f(z) * np.exp(-(z**2) / 2) / weight, -10, 10, epsabs=1e-13)[0]

    def overlap(h):
        def gap(q):
            return mean(lambda z: np.tanh((np.sqrt(q) * z + h) / T) ** 2) - q

        return brentq(gap, 1e-12, 1)

    def excess(h):
        q = overlap(h)
        return 1 - mean(lambda z: np.cosh((np.sqrt(q) * z + h) / T) ** -4) / T**2

    return brentq(excess, 1e-3, 2)


def test_the_at_line_lies_between_its_neighbours():
    ds = replica.load("sherrington-kirkpatrick").phase_diagram(
        {"broken": REPLICON < 0, "replica symmetric": True},
        h=(0.01, 1.0), T=(0.2, 1.1), resolution=64, cells=8, start="uninformed", progress=False,
    )  # fmt: skip
    line = boundaries(ds)
    line = line[line["across"] == "h"].sort_values("T")
    for _, row in line.iloc[::8].iterrows():
        assert abs(row["h"] - at_field(row["T"])) <= row["uncertainty"] + 1e-6
    assert len(line) > 40


def test_logarithmic_axis_and_functions_as_conditions():
    ds = replica.load("hopfield").phase_diagram(
        {"glass": lambda found: found["q"] > 1e-6},
        alpha=(1e-3, 0.1), T=(1.0, 1.4), log=["alpha"], resolution=16, cells=4, progress=False,
    )  # fmt: skip
    ratio = ds["alpha"].values[1:] / ds["alpha"].values[:-1]
    np.testing.assert_allclose(ratio, ratio[0])
    expected = ds["T"].values[None, :] < 1 + np.sqrt(ds["alpha"].values[:, None])
    words = ds["phase"].attrs["flag_meanings"].split()
    assert words == ["glass", "other", "unsolved"]
    np.testing.assert_array_equal(ds["phase"].values == 0, expected)


def test_parameters_are_quantities():
    ds = replica.load("hopfield").phase_diagram(
        {"cold": sp.Symbol("T") < 0.45, "warm": lambda found: found["alpha"] > 0},
        alpha=(0.05, 0.1), T=(0.2, 0.7), resolution=8, cells=4, progress=False,
    )  # fmt: skip
    assert ((ds["phase"] == 0) == (ds["T"] < 0.45)).all()


def test_a_phase_is_not_known_where_a_start_has_failed():
    """The informed start may be the only one that succeeds: it is no better for that."""
    m_cubed = replica.Model(
        name="three-spin-ferromagnet",
        thermal=replica.Thermal(sp.Symbol("s", real=True), replica.Rademacher()),
        quenched=replica.Quenched(sp.Symbol("t", real=True), replica.Discrete([1])),
        overlap=replica.beta * replica.Parameter("J", 1.0, (0, 10)) * m**3,
        temperature=replica.Parameter("T", 0.5, (0, 10), open="lower"),
    )
    ds = m_cubed.phase_diagram(
        {"ferromagnet": m > 0.1, "metastable": sp.Symbol("m_informed") > 0.1, "paramagnet": True},
        T=(0.5, 2.5), J=(0.5, 1.5), resolution=16, cells=8, progress=False,
        settings=replica.SolverSettings(max_evaluations=12),
    )  # fmt: skip
    words = ds["phase"].attrs["flag_meanings"].split()
    first_order = 1.4879075093  # of m = tanh(3 m^2 J / T), where the free energies are equal
    wrong = (ds["phase"] == words.index("ferromagnet")) & (ds["T"] / ds["J"] > first_order)
    assert not (wrong & ds["evaluated"]).any()


def test_a_store_makes_the_second_diagram_free(tmp_path, monkeypatch):
    def draw():
        return replica.load("hopfield").phase_diagram(
            HOPFIELD, alpha=(0.01, 0.1), T=(0.9, 1.4), resolution=16, cells=4, progress=False,
            store=tmp_path / "points.sqlite",
        )  # fmt: skip

    first = draw()

    def refuse(*_arguments, **_more):
        raise AssertionError("a point was solved again")

    monkeypatch.setattr(CompiledSystem, "solve_block", refuse)
    second = draw()
    for name in first.data_vars:
        np.testing.assert_array_equal(first[name], second[name])


def test_points_without_a_solution_are_a_phase_of_their_own():
    ds = replica.load("hopfield").phase_diagram(
        {"any": True}, alpha=(0.05, 0.1), T=(0.2, 0.3), resolution=2, cells=2, progress=False,
        settings=replica.SolverSettings(max_evaluations=1),
    )  # fmt: skip
    assert (ds["phase"] == 2).all()
    assert ds["phase"].attrs["flag_meanings"].split()[2] == "unsolved"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"alpha": (0.1, 0.2)}, "over two parameters"),
        ({"alpha": (0.2, 0.1), "T": (0.1, 1)}, "low < high"),
        ({"alpha": (0.1, 0.2), "T": 5.0}, "over two parameters"),
        ({"alpha": (0.1, 0.2, 0.3), "T": (0.1, 1)}, "interval of alpha: expected two numbers"),
        ({"alpha": (-1, 0.2), "T": (0.1, 1)}, "alpha"),
        ({"beta": (0.1, 0.2), "T": (0.1, 1)}, "'beta'"),
        ({"alpha": (0.1, 0.2), "T": (0.1, 1), "resolution": 0}, "resolution"),
        ({"alpha": (0.1, 0.2), "T": (0.1, 1), "start": []}, "start must not be empty"),
        ({"alpha": (0.1, 0.2), "T": (0.1, 1), "start": "warm"}, "warm"),
        ({"alpha": (0, 0.2), "T": (0.1, 1), "log": ["alpha"]}, "alpha"),
    ],
)
def test_bad_questions_are_refused_before_any_work(arguments, words, monkeypatch):
    monkeypatch.setattr(CompiledSystem, "solve_block", None)
    with pytest.raises((ParameterError, ScanError), match=words):
        replica.load("hopfield").phase_diagram({"all": True}, progress=False, **arguments)


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        ({}, "at least one phase"),
        ({"glass": sp.Symbol("magnetization") > 0}, "no quantity 'magnetization'"),
        ({"glass": "q > 0"}, "SymPy condition"),
        ({"glass": sp.Symbol("q")}, "no condition"),
        ({"glass": lambda found: found["nope"] > 0}, "no quantity 'nope'"),
        ({"glass": lambda found: found["q"]}, "truth value"),
        ({"glass": lambda found: np.zeros(3, dtype=bool)}, "truth value"),
        ({"spin_glass": True}, "single spaces"),
        ({"unsolved": True}, "taken"),
        ({f"phase {i}": True for i in range(101)}, "at most 100"),
    ],
)
def test_bad_phases_are_refused(phases, words):
    model = replica.load("hopfield")
    with pytest.raises(ReplicaError, match=words):
        model.phase_diagram(phases, alpha=(0.1, 0.2), T=(0.1, 1), progress=False)


def test_a_phase_that_no_start_leads_to_is_named(caplog):
    model = replica.load("hopfield")
    phases = {"retrieval": m > 0.1, "mirror": m < -0.1, "other phases": True}
    region = {"alpha": (0.02, 0.04), "T": (0.1, 0.3), "resolution": 4, "cells": 4}
    ds = model.phase_diagram(phases, **region, progress=False)
    assert ds.attrs["absent"] == "mirror, other phases"
    (record,) = caplog.records
    assert "no start leads to 'mirror', 'other phases' anywhere" in record.getMessage()
    assert "start=['uninformed', 'informed', {...}]" in record.getMessage()
    caplog.clear()
    found = model.phase_diagram({"retrieval": m > 0.1}, **region, progress=False)
    assert found.attrs["absent"] == ""
    assert not caplog.records


def test_a_mistyped_quantity_is_told_what_was_meant():
    model = replica.load("hopfield")
    with pytest.raises(ScanError, match=r"no quantity 'replicn' \(did you mean 'replicon'\?\)"):
        model.phase_diagram({"a": sp.Symbol("replicn") < 0}, alpha=(0.1, 0.2), T=(0.1, 0.2))


def test_a_better_phase_that_no_start_leads_to_is_said(caplog):
    """Spins of size zero or one: beyond their first-order line ferromagnets are metastable."""
    mhat, size = sp.symbols("mhat m", real=True)
    T = Parameter("T", 0.2, (0, math.inf), open="lower")
    D = Parameter("D", 0.2, (-5, 5))
    magnetisation = OrderParameter(size, conjugate=mhat, domain=(-1, 1), start=(0.9, 0.99))
    free_entropy = -mhat * size + size**2 / (2 * T) + sp.log(1 + 2 * sp.exp(-D / T) * sp.cosh(mhat))
    model = FunctionalModel("blume-capel", free_entropy, [magnetisation])
    phases = {"ferromagnet": size > 0.1, "paramagnet": True}
    region = {"D": (0.4, 0.6), "T": (0.15, 0.3), "resolution": 32, "cells": 8, "progress": False}
    few = model.phase_diagram(phases, **region)
    assert few.attrs["missed"] > 0
    (record,) = caplog.records
    assert "no start leads to a symmetric phase of larger free entropy" in record.getMessage()
    caplog.clear()
    more = model.phase_diagram(phases, start=["informed", {"m": 0}], **region)
    assert more.attrs["missed"] == 0
    assert not caplog.records
    # The first-order line at T = 1/4 is at D = 0.47626583663.
    line = boundaries(more)
    line = line[(line["across"] == "D") & np.isclose(line["T"], 0.24843750)]
    assert len(line) == 1
    assert line["D"].iloc[0] == pytest.approx(0.4763, abs=0.005)
