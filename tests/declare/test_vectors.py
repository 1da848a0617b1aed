"""Invalid vector declarations: one clear sentence each."""

import pytest
import sympy as sp

from replica import (
    ArgmaxLabels,
    Clusters,
    DeclarationError,
    Field,
    Flat,
    Gaussian,
    Model,
    Parameter,
    Quenched,
    Thermal,
    VectorField,
    components,
    is_argmax,
    margin,
)

alpha = Parameter("alpha", 1.0, (0, 10), open="lower")
w, t, unknown = sp.symbols("w t unknown", real=True)
h, z, y = components("h", 3), components("z", 3), components("y", 3)
labels = ArgmaxLabels(y, z)
square = (y - h).dot(y - h) / 2
ridge = Thermal(w, Flat(), penalty=w**2 / 2, components=3)


def model(thermal=ridge, **field):
    arguments = {"h": h, "load": alpha, "loss": square, "labels": labels} | field
    return Model(
        name="vectors",
        thermal=thermal,
        quenched=Quenched(t, Gaussian()),
        fields=VectorField(**arguments),
        temperature=0,
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: components("h", 1) and VectorField(components("h", 1), alpha), "at least two"),
        (lambda: ArgmaxLabels(y, components("z", 2)), "3 label symbols but 2 components"),
        (lambda: model(labels=None), "expected labels such as ArgmaxLabels"),
        (lambda: model(loss=None), "exactly one of loss, likelihood and constraint, got none"),
        (lambda: model(labels=ArgmaxLabels(y, h)), "symbols of their own"),
        (lambda: model(loss=y[0] ** 2), "not a function of its field"),
        (lambda: model(loss="h1**2"), "must be a SymPy expression"),
        (lambda: model(loss=square + unknown * h[0]), "unbound symbol 'unknown'"),
        (
            lambda: model(loss=None, likelihood=labels),
            "needs a loss or constraint at zero temperature",
        ),
        (lambda: model(constraint=margin(y, h) >= 1), "got loss, constraint"),
        (lambda: model(loss=None, constraint=margin(y, h)), "must be an inequality"),
        (lambda: model(loss=None, constraint=y[0] >= 1), "not a function of its field"),
        (lambda: model(loss=None, constraint=margin(y, h) >= unknown), "unbound symbol 'unknown'"),
        (lambda: model(load=-1), "must not be negative"),
        (lambda: model(thermal=Thermal(w, Flat(), penalty=w**2)), "components=3"),
        (
            lambda: model(thermal=Thermal(w, Flat(), penalty=w**2, components=2)),
            "has 3 components, expected 2",
        ),
        (lambda: Thermal(w, Gaussian(), components=0), "positive integer"),
        (lambda: Clusters(y, [[1, 0], [0, 1]]), r"shape \(2, 2\), expected \(3, 3\)"),
        (lambda: Clusters(y, [[1, 2, 0], [0, 1, 0], [0, 0, 1]]), "not symmetric"),
        (lambda: Clusters(y, [[1, 2, 0], [2, 1, 0], [0, 0, 1]]), "negative eigenvalue"),
        (lambda: Clusters(y, sp.eye(3), probabilities=[0.5, 0.5]), "expected 3 probabilities"),
        (lambda: Clusters(y, sp.eye(3), variance=-1), "must not be negative"),
        (lambda: model(labels=Clusters(y, sp.eye(3))), "bring their own quenched centroids"),
        (
            lambda: Model(
                name="mixed", thermal=ridge, fields=Field(t, alpha, loss=t**2), temperature=0
            ),
            "need exactly one VectorField",
        ),
    ],
)
def test_refused_at_declaration(build, message):
    with pytest.raises(DeclarationError, match=message):
        build()


def test_is_argmax_picks_the_label_of_the_largest_component():
    chosen = is_argmax(y, h)
    values = dict(zip(h, (0.2, 1.4, -0.3), strict=True))
    picked = [chosen.subs({**values, **dict(zip(y, e, strict=True))}) for e in sp.eye(3).tolist()]
    assert picked == [0, 1, 0]


def test_margin_is_that_of_the_label_over_the_best_of_the_others():
    found = margin(y, h)
    for label in range(3):
        for field in ((0.5, -1, 2), (3, 1, 0.25)):
            others = [value for k, value in enumerate(field) if k != label]
            values = dict(zip(h, field, strict=True)) | {
                s: int(k == label) for k, s in enumerate(y)
            }
            assert found.subs(values) == field[label] - max(others)


def test_components_of_names_with_digits_differ():
    assert [str(s) for s in components("h0", 2)] == ["h01", "h02"]
