"""Labels of two hidden units other than the committee's, and what is refused."""

import dataclasses
import math

import pytest
import sympy as sp

from replica import (
    DeclarationError,
    DerivationError,
    Gaussian,
    Model,
    OrthantLabels,
    Parameter,
    Predictive,
    Quenched,
    Test as NewSample,
    Thermal,
    VectorField,
    components,
)
from replica.declare import q_u
from replica.solve.point import solve_point

alpha = Parameter("alpha", 2.0, (0, 100), open="lower")
w, t, y = sp.symbols("w t y", real=True)
h, z = components("h", 2), components("z", 2)


def posterior(function, law=None, observables=None, fields=None):
    labels = OrthantLabels(y, function, z)
    law = law or Gaussian()
    return Model(
        name="two-units",
        thermal=Thermal(w, law, components=2),
        quenched=Quenched(t, law),
        fields=fields or VectorField(h, alpha, likelihood=labels, labels=labels),
        observables=observables or {"gibbs_error": NewSample(1 - Predictive(y))},
    )


def test_regions_of_the_labels():
    committee = OrthantLabels(y, sp.sign(sp.sign(z[0]) + sp.sign(z[1])), z)
    assert committee.regions == {1: ((1, 1),), 0: ((1, -1), (-1, 1)), -1: ((-1, -1),)}
    gate = OrthantLabels(y, sp.Heaviside(z[0]) * sp.Heaviside(z[1]), z)
    assert gate.values == (1, 0)
    parity = OrthantLabels(y, sp.sign(z[0] * z[1]), z)
    assert parity.regions[-1] == ((1, -1), (-1, 1))


def test_what_is_no_label_of_orthants():
    with pytest.raises(DeclarationError, match="not one number where z1 > 0, z2 > 0"):
        OrthantLabels(y, sp.sign(z[0] + z[1] - 1), z)
    with pytest.raises(DeclarationError, match="the same in every orthant"):
        OrthantLabels(y, sp.sign(z[0]) ** 2, z)
    with pytest.raises(DeclarationError, match="two distinct symbols"):
        OrthantLabels(y, sp.sign(z[0]), (z[0],))
    labels = OrthantLabels(y, sp.sign(z[0] * z[1]), z)
    with pytest.raises(DeclarationError, match="used for the field and for its labels"):
        VectorField(z, alpha, likelihood=labels, labels=labels)


def test_what_is_not_derived():
    parity = sp.sign(z[0] * z[1])
    three, teacher = components("h", 3), components("z", 3)
    labels = OrthantLabels(y, sp.sign(teacher[0] * teacher[1] * teacher[2]), teacher)
    model = posterior(parity)
    refused = {
        "changes when the two hidden units are exchanged": posterior(
            sp.sign(z[0]) + 2 * sp.sign(z[1])
        ),
        "law of mean zero": posterior(parity, Gaussian(1, 1)),
        "has jumps or kinks": posterior(
            parity, observables={"error": NewSample(sp.Heaviside(-y * h[0]))}
        ),
        "for two hidden units, got 3": dataclasses.replace(
            model,
            thermal=Thermal(w, Gaussian(), components=3),
            fields=VectorField(three, alpha, likelihood=labels, labels=labels),
        ),
        "prior and likelihood of the student": dataclasses.replace(
            model, quenched=Quenched(t, Gaussian(0, 2))
        ),
    }
    for message, declared in refused.items():
        with pytest.raises(DerivationError, match=message):
            declared.saddle_point()


def test_overlaps_of_a_parity_machine_vanish_until_they_lose_their_stability():
    """Without overlaps the labels are fair coins, with curvature ``1/pi`` in both directions."""
    model = posterior(sp.sign(z[0] * z[1]), observables={"cross": q_u})
    zero = {"q_u": 0.0, "q": 0.0}
    for load in (2.0, 2.6):
        solution = model.solve(alpha=load, start=zero, throw=False)
        assert solution.replicon == pytest.approx(1 - 4 * load / math.pi**2, abs=1e-10)
        assert solution.free_entropy == pytest.approx(-load * math.log(2), rel=1e-12)


@pytest.mark.slow
def test_a_gate_follows_from_the_unreduced_equations():
    """A label without the symmetry of signs."""
    model = posterior(sp.Heaviside(z[0]) * sp.Heaviside(z[1]))
    reduced = model.solve(alpha=6.0)
    assert reduced["q"] > 0.05  # else the unreduced equations divide by zero
    start = {}
    for tail in ("", "_u"):
        q = reduced[f"q{tail}"]
        start |= {f"m{tail}": q, f"q{tail}": q, f"V{tail}": 1 - q}
    full = solve_point(model.name, model.compile(reduce=False), {"alpha": 6.0}, start=start)
    for name, value in start.items():
        assert full[name] == pytest.approx(value, abs=1e-9), name
    assert full.free_entropy == pytest.approx(reduced.free_entropy, abs=1e-10)
    assert full["gibbs_error"] == pytest.approx(reduced["gibbs_error"], abs=1e-10)
