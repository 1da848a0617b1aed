"""Every name in the printed equations is explained once, and the plain text has all of them."""

import logging

import sympy as sp

from replica import Field, Flat, Gaussian, LinearLabels, Model, Parameter, Quenched, Thermal, load
from replica.report.text import model_text

alpha = Parameter("alpha", 2.0, (0, 100), "samples", open="lower")
w, w0, h, h0, y = sp.symbols("w w0 h h0 y", real=True)


def lasso(**options):
    return Model(
        name="two-losses",
        thermal=Thermal(w, Flat(), penalty=sp.Abs(w) + w**4),
        quenched=Quenched(w0, Gaussian()),
        fields=Field(h, alpha, loss=sp.cosh(y - h) - 1, labels=LinearLabels(y, h0, sp.S.One)),
        **options,
    )


def test_two_losses_have_two_names_and_everything_is_explained():
    text = lasso(temperature=0).saddle_point().latex()
    equations, symbols = text.split(r"\begin{itemize}")
    for name in (r"\ell_{1}", r"\ell_{2}"):
        assert rf"\,{name}" in equations
        assert f"{name}(" in symbols
    assert r"\,\ell}" not in equations
    assert r"\operatorname{prox}'_{" in equations
    assert r"\operatorname{prox}'_{\gamma\ell}(x)" in symbols
    assert ": conjugate." not in symbols
    meanings = [line.split("$: ")[1] for line in symbols.splitlines() if r"\hat" in line]
    assert len(set(meanings)) == len(meanings) == 3


def test_one_loss_keeps_its_plain_name():
    text = load("gardner-least-violation").saddle_point().latex()
    assert r"\ell_{1}" not in text


def test_the_plain_text_has_the_replicon_and_the_observables():
    saddle = load("ridge-linear").saddle_point()
    lines = str(saddle).splitlines()
    assert f"  replicon = {saddle.replicon}" in lines
    shown = [name for name in saddle.observables if name != "free_energy"]
    assert shown
    assert all(f"  {name} = {saddle.observables[name]}" in lines for name in shown)


def test_a_loss_without_temperature_is_noted(caplog):
    forgotten = lasso()
    assert "sampled at temperature 1" in model_text(forgotten)
    assert "sampled" not in model_text(lasso(temperature=0))
    with caplog.at_level(logging.WARNING):
        Model(
            name="forgotten",
            thermal=Thermal(w, Flat(), penalty=w**2 / 2),
            quenched=Quenched(w0, Gaussian()),
            fields=Field(h, alpha, loss=(y - h) ** 2, labels=LinearLabels(y, h0, sp.S.One)),
        ).saddle_point()
    assert "declare temperature=0 for its minimum" in caplog.text
