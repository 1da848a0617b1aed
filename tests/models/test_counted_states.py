"""States of a finite alphabet are averaged over, or counted as those of a spin are."""

import math
import re

import numpy as np
import pytest
import sympy as sp

from replica import Discrete, Model, Parameter, Rademacher, Thermal, beta, q
from replica.calculus.nodes import Average
from replica.derive.printer import name_parts

T = Parameter("T", 0.5, (0, 10), open="lower")
D = Parameter("D", 0.0, (-5, 5))
s = sp.Symbol("s", real=True)


def glass(prior):
    return Model(
        name="glass",
        thermal=Thermal(s, prior, penalty=D * s**2),
        pair=beta**2 * q**2 / 4,
        temperature=T,
    )


def test_spin_one_counts_its_three_states():
    """Ghatak and Sherrington (1977), iterated here with Gauss-Hermite nodes."""
    temperature, field = 0.5, 0.1
    z, weight = np.polynomial.hermite_e.hermegauss(120)
    weight, b = weight / weight.sum(), 1 / temperature
    overlap, density = 0.5, 0.8
    for _ in range(3000):
        tilt = np.exp(-b * field + b**2 * (density - overlap) / 2)
        local = b * np.sqrt(overlap) * z
        Z = 1 + 2 * tilt * np.cosh(local)
        overlap = weight @ (2 * tilt * np.sinh(local) / Z) ** 2
        density = weight @ (2 * tilt * np.cosh(local) / Z)
    free_entropy = b**2 / 4 * (overlap**2 - density**2) + weight @ np.log(Z)
    counted = glass(Discrete([-1, 0, 1], counting=True)).solve(T=temperature, D=field)
    assert counted["q"] == pytest.approx(overlap, abs=1e-10)
    assert counted["free_entropy"] == pytest.approx(free_entropy, abs=1e-10)
    averaged = glass(Discrete([-1, 0, 1])).solve(T=temperature, D=field)
    for name in ("free_entropy", "entropy"):
        assert counted[name] - averaged[name] == pytest.approx(math.log(3), abs=1e-10)
    assert counted["energy"] == pytest.approx(averaged["energy"], abs=1e-10)


def test_two_counted_values_are_a_spin():
    first, second = (
        glass(p).solve(T=0.6) for p in (Rademacher(), Discrete([1, -1], counting=True))
    )
    assert first["entropy"] == pytest.approx(second["entropy"], abs=1e-12)


def test_a_symmetric_prior_prints_with_hyperbolic_functions():
    saddle = glass(Discrete([-1, 0, 1], counting=True)).saddle_point()
    text = saddle._repr_latex_()
    assert r"2 e^{- D \beta - \frac{\hat{V}}{2}} \cosh{\left(\xi \right)} + 1" in text
    assert r"\sinh^{2}{\left(\xi \right)}" in text
    assert not re.search(r"e\^\{[^}]*\\xi", text)


def test_hyperbolic_functions_keep_the_value():
    saddle = glass(Discrete([-1, 0, 1], counting=True)).saddle_point()
    originals = [e for _, e in saddle.equations]
    definitions, printed = name_parts(originals)
    for before, after in zip(originals, printed, strict=True):
        for name, meaning in definitions:
            after = after.xreplace({name: meaning})
        pairs = zip(before.atoms(Average), after.atoms(Average), strict=True)
        for old, new in pairs:
            values = {x: 0.3 + 0.1 * i for i, x in enumerate(sorted(old.free_symbols, key=str))}
            values[old.variable] = 0.77
            numbers = [
                float(
                    e.replace(lambda f: f.func.__name__ == "LogSumExp",
                              lambda f: sp.log(sp.Add(*map(sp.exp, f.args))))
                    .subs(values)
                    .evalf()
                )
                for e in (old.args[0], new.args[0])
            ]  # fmt: skip
            assert numbers[0] == pytest.approx(numbers[1], rel=1e-12)
