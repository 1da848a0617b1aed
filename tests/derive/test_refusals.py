"""What has no unique minimum is refused in one sentence that says where, and what to do."""

import pytest
import sympy as sp

from replica import DerivationError, Field, Flat, Model, Parameter, Thermal

w, h = sp.symbols("w h", real=True)
a = Parameter("a", 2.0, (0.5, 10))
lam = Parameter("lam", 0.1, (0, 10), open="lower")


def minimise(loss, penalty):
    field = Field(h, 2, loss=loss)
    return Model(name="x", thermal=Thermal(w, Flat(), penalty), fields=field, temperature=0)


@pytest.mark.parametrize(
    ("loss", "penalty", "words"),
    [
        (a * h**2 / 2 + sp.cos(h), w**2, ["(at a = 0.5015)", "narrow the domain of a"]),
        (sp.sin(h) + h**2 / 4, w**2, ["is not convex", "declare a finite temperature."]),
        (h**2, lam * sp.sqrt(sp.Abs(w)), ["is not convex", "narrow the domain of lam"]),
        (h**2, -(w**2) / 2, ["is not convex", "both signs"]),
    ],
)
def test_no_unique_minimum(loss, penalty, words):
    with pytest.raises(DerivationError) as caught:
        minimise(loss, penalty).saddle_point()
    message = str(caught.value)
    assert message.endswith(".")
    assert all(word in message for word in words), message


def test_a_penalty_of_either_sign_is_accepted():
    either = Parameter("c", 0.1, (-1, 10))
    assert minimise(h**2, either * w**2).saddle_point().zero_temperature
