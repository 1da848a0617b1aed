"""Ferromagnets: without pair interaction and fields ``qhat`` is zero, above T_c also ``mhat``."""

import dataclasses

import pytest
import sympy as sp

from replica import Discrete, Model, Parameter, Quenched, SolverSettings, Thermal, beta, m, q
from replica.check.gradient import check_gradient
from replica.check.subject import Subject

s, t = sp.symbols("s t", real=True)
T = Parameter("T", 0.5, (0, 10), "temperature", open="lower")
D = Parameter("D", 0.0, (-20, 20), "crystal field")
spins = {
    "thermal": Thermal(s, Discrete([-1, 0, 1], counting=True), penalty=D * s**2),
    "quenched": Quenched(t, Discrete([1])),
    "overlap": beta * m**2 / 2,
    "temperature": T,
}
blume_capel = Model(name="blume-capel", **spins)
glass = Model(name="ghatak-sherrington", pair=beta**2 * q**2 / 4, **spins)


@pytest.mark.parametrize("temperature", [0.3, 0.5])
def test_a_ferromagnet_without_disorder_passes(temperature):
    report = blume_capel.check(progress=False, T=temperature)
    assert report.passed, str(report)
    assert {item.name for item in report.items} >= {"gradient: order-parameter equations", "mpmath"}


def test_a_wrong_overlap_in_it_is_found_nevertheless():
    """The slope in ``qhat`` is taken from its one side, and tells ``q``."""
    saddle = blume_capel.saddle_point()
    unknowns = tuple(
        dataclasses.replace(u, update=1.001 * u.update) if str(u.symbol) == "q" else u
        for u in saddle.unknowns
    )
    wrong = dataclasses.replace(saddle, unknowns=unknowns)
    values = {name: p.default for name, p in saddle.parameters.items()}
    subject = Subject(blume_capel, values, wrong, wrong, SolverSettings())
    worst = {item.name: item for item in check_gradient(subject)}
    assert not worst["gradient: order-parameter equations"].passed


def test_the_conjugate_of_a_magnetisation_at_zero_is_as_certain_as_that():
    """It is twice the magnetisation here, which is zero but for rounding."""
    assert abs(glass.solve()["m"]) < 1e-14
    report = glass.check(progress=False)
    assert report.passed, str(report)
