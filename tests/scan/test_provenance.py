"""What a data set says about its origin, and what makes two models the same."""

import dataclasses
import os
import shlex
import subprocess
import sys

import pytest
import sympy as sp

import replica
from replica import Field, Flat, FunctionalModel, Model, OrderParameter, Parameter, Thermal
from replica.scan import scan
from replica.scan.provenance import fingerprint, signature

MODEL = "gaussian-mixture-hinge"


@pytest.fixture(scope="module")
def ridge():
    w, h = sp.symbols("w h", real=True)
    alpha = Parameter("alpha", 2.0, (0, 100), "samples", open="lower")
    lam = Parameter("lam", 0.1, (0, 100), "penalty", open="lower")
    return Model(
        name="ridge",
        thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2),
        fields=Field(h, alpha, loss=(1 - h) ** 2 / 2),
        temperature=0,
        observables={"norm": sp.sqrt(replica.q)},
    )


def functional(energy, domain=(-1, 1)):
    m = sp.Symbol("m", real=True)
    b = Parameter("b", 0.5, (0, 10))
    return FunctionalModel(
        name="any",
        free_entropy=energy(m, b),
        order_parameters=[OrderParameter(m, rate=1, domain=domain, start=0.5)],
    )


def test_a_signature_does_not_depend_on_the_process():
    """SymPy orders by hashes in places, and those of strings differ from process to process."""
    code = (
        "import sys, replica; from replica.scan.provenance import fingerprint;"
        "model = replica.load(sys.argv[1]);"
        "print(fingerprint(model, model.compile('numpy')))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code, MODEL],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    model = replica.load(MODEL)
    assert seen == {f"{fingerprint(model, model.compile('numpy'))}\n"}


def test_words_do_not_matter(ridge):
    other = dataclasses.replace(ridge, title="Another title", reference="Somewhere")
    assert signature(other) == signature(ridge)


def test_what_is_reported_matters(ridge):
    other = dataclasses.replace(ridge, observables={"norm": sp.sqrt(replica.q) / 2})
    assert signature(other) != signature(ridge)


def test_the_free_entropy_and_the_domain_matter():
    """Constants of the free entropy leave no trace in the equations."""
    models = [
        functional(lambda m, b: -(m**2) / 2 + b * m),
        functional(lambda m, b: -(m**2) / 2 + b * m + 1),
        functional(lambda m, b: -(m**2) / 2 + b * m, domain=(-2, 1)),
    ]
    assert len({signature(model) for model in models}) == 3


def test_attributes_say_how_the_scan_was_asked_for(model, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["my scan.py", "-x"])
    ds = scan(model, {"h": [0.1, 0.2]}, start="informed", direction="down", progress=False)
    assert ds.attrs["command"] == shlex.join(["my scan.py", "-x"])
    assert ds.attrs["sweeps"] == "informed down"
    assert ds.attrs["retry"] == 0
    assert ds.attrs["warm_axis"] == "h"
    assert scan(model, {"h": [0.1]}, command="mine", progress=False).attrs["command"] == "mine"
