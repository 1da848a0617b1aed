"""Bad declarations of fields that share weights: one sentence each, before any work."""

import pytest
import sympy as sp

from replica import (
    AlignedClusters,
    CategoricalLabels,
    Flat,
    Gaussian,
    Model,
    Parameter,
    Quenched,
    SharedField,
    Test,
    Thermal,
    VectorField,
    components,
    softmax,
)
from replica.errors import DeclarationError, DerivationError

alpha = Parameter("alpha", 1.0, (0, 10))
w, t = sp.symbols("w t", real=True)
z, z0, y = components("z", 2), components("z0_", 2), components("y", 3)
G = sp.Matrix([[1, 0], [0, 1], [-1, -1]])
LABELS = CategoricalLabels(y, softmax(G * z0), z0)
STAR = AlignedClusters(y, G)
LOSS = sp.log(sp.Add(*map(sp.exp, G * z))) - y.dot(G * z)


def model(**changes):
    arguments = {
        "name": "shared",
        "thermal": Thermal(w, Flat(), penalty=w**2 / 2),
        "quenched": Quenched(t, Gaussian()),
        "fields": SharedField(z, alpha, loss=LOSS, labels=LABELS),
        "temperature": 0,
    } | changes
    return Model(**arguments)


REFUSED = {
    "number of probabilities": (lambda: CategoricalLabels(y, [0.5, 0.5], z0), "got 2"),
    "sum of probabilities": (lambda: CategoricalLabels(y, [0.5, 0.1, 0.1], z0), "sum to 0.7"),
    "jumps": (lambda: CategoricalLabels(y, [sp.Heaviside(z0[0]), 0, 0], z0), "not smooth"),
    "one label": (lambda: CategoricalLabels(y[:1], [1], z0), "at least two"),
    "rows of directions": (lambda: AlignedClusters(y, G[:2, :]), "2 directions"),
    "directions": (lambda: AlignedClusters(y, "up"), "expected a matrix"),
    "cluster probabilities": (lambda: AlignedClusters(y, G, [0.5, 0.5, 0.5]), "sum to 1.5"),
    "teacher of clusters": (lambda: AlignedClusters(y, G, None, y), "3 symbols"),
    "labels": (lambda: SharedField(z, alpha, loss=LOSS, labels=y), "expected labels"),
    "size": (lambda: SharedField(y[:1], alpha, loss=LOSS, labels=LABELS), "1 components"),
    "shared symbol": (lambda: SharedField(z0, alpha, loss=LOSS, labels=LABELS), "is used for"),
    "weight": (lambda: SharedField(z, alpha, labels=LABELS), "exactly one of loss"),
    "likelihood": (
        lambda: SharedField(z, alpha, likelihood=STAR, labels=STAR), "categorical labels itself",
    ),
    "constant loss": (lambda: SharedField(z, alpha, loss=y[0], labels=STAR), "not a function"),
    "seen teacher": (
        lambda: SharedField(z, alpha, loss=LOSS + z0[0], labels=LABELS), "does not see",
    ),
    "negative load": (lambda: SharedField(z, -1, loss=LOSS, labels=STAR), "negative"),
    "no quenched variable": (lambda: model(quenched=None), "no quenched variable"),
    "temperature": (lambda: model(temperature=1), "loss or constraint at zero temperature"),
    "two fields": (lambda: model(fields=(SharedField(z, alpha, loss=LOSS, labels=STAR),) * 2),
                   "only field"),
    "unbound symbol": (
        lambda: model(fields=SharedField(z, alpha, loss=LOSS * w, labels=STAR)), "unbound",
    ),
    "teacher of another size": (
        lambda: VectorField(components("h", 3), alpha, loss=LOSS, labels=LABELS), "teacher's field",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_sentence(case):
    build, words = REFUSED[case]
    with pytest.raises(DeclarationError) as error:
        build()
    assert words in str(error.value)


UNDERIVED = {
    "not convex": (
        {"fields": SharedField(z, alpha, loss=-LOSS, labels=STAR)}, "not convex",
    ),
    "kinks": (
        {"fields": SharedField(z, alpha, loss=sp.Abs(z[0] * z[1]) + z[0] ** 2, labels=STAR)},
        "kinks",
    ),
    "constraint on a sum": (
        {"fields": SharedField(z, alpha, constraint=z[0] ** 2 + z[1] <= 1, labels=STAR)},
        "kinks that depend on several",
    ),
    "three planes": (
        {"observables": {"e": Test(sum(map(sp.Heaviside, G * z)))}}, "on 3 planes",
    ),
    "both fields": ({"observables": {"e": Test(z[0] * z0[0])}}, "both teacher and student"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNDERIVED)
def test_what_cannot_be_derived_is_named(case):
    changes, words = UNDERIVED[case]
    with pytest.raises(DerivationError, match=words):
        model(**changes).saddle_point()
