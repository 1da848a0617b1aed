"""Every invalid declaration gives one clear sentence, at declaration time."""

import math

import pytest
import sympy as sp

from replica import (
    DeclarationError,
    Discrete,
    DiscreteLabels,
    Extremised,
    Field,
    Flat,
    FunctionalModel,
    GaussBernoulli,
    Gaussian,
    LinearLabels,
    Model,
    OrderParameter,
    Parameter,
    Quenched,
    Rademacher,
    Spherical,
    Test as NewSample,
    Thermal,
    V,
    beta,
    chi,
    m,
    q,
    sign_labels,
)

s, t, h, y, z, b, c, unknown = sp.symbols("s t h y z b c unknown")
alpha = Parameter("alpha", 1.0, (0, math.inf), open="lower")
T = Parameter("T", 1.0, (0, math.inf), open="lower")
spins = Thermal(s, Rademacher())
ridge = Thermal(s, Flat(), penalty=s**2 / 2)
labels = sign_labels(y, z)


def functional(**changes):
    arguments = {
        "name": "toy",
        "free_entropy": -m * c + sp.log(2 * sp.cosh(c)),
        "order_parameters": (OrderParameter(m, conjugate=c),),
    }
    return FunctionalModel(**{**arguments, **changes})


INVALID = {
    "name": (lambda: Model(name="Not A Name", thermal=spins), "lower-case words"),
    "thermal is no variable": (lambda: Model(name="x", thermal=s), "expected Thermal"),
    "unbound symbol in the loss": (
        lambda: Model(name="x", thermal=ridge, temperature=0,
                      fields=Field(h, alpha, loss=(h - unknown) ** 2)),
        "unbound symbol 'unknown'",
    ),
    "unbound symbol in the penalty": (
        lambda: Model(name="x", thermal=Thermal(s, Flat(), unknown * s**2)), "penalty of s",
    ),
    "unbound symbol in the pair term": (
        lambda: Model(name="x", thermal=spins, pair=unknown * q**2), "pair term",
    ),
    "unbound symbol in the load": (
        lambda: Model(name="x", thermal=spins, fields=Field(h, unknown, constraint=h >= 0)),
        "unbound symbol 'unknown'",
    ),
    "overlap without quenched variable": (
        lambda: Model(name="x", thermal=spins, overlap=beta * m**2), "no quenched variable",
    ),
    "teacher labels without quenched variable": (
        lambda: Model(name="x", thermal=spins,
                      fields=Field(h, alpha, labels=labels, likelihood=labels)),
        "no quenched variable",
    ),
    "observable of unknown symbols": (
        lambda: Model(name="x", thermal=spins, observables={"a": unknown}), "observable 'a'",
    ),
    "observable with a reserved name": (
        lambda: Model(name="x", thermal=spins, observables={"entropy": q}), "reserved",
    ),
    "observable over a missing field": (
        lambda: Model(name="x", thermal=spins, observables={"a": NewSample(h)}), "over a field",
    ),
    "weight is not a function of its field": (
        lambda: Field(h, alpha, loss=y**2), "not a function of its field",
    ),
    "two weights": (lambda: Field(h, alpha, loss=h**2, constraint=h >= 0), "exactly one"),
    "no weight": (lambda: Field(h, alpha), "exactly one"),
    "constraint that is no inequality": (lambda: Field(h, alpha, constraint=h), "inequality"),
    "loss given as text": (lambda: Field(h, alpha, loss="h**2"), "SymPy expression"),
    "NaN in a loss": (lambda: Field(h, alpha, loss=h + sp.nan), "NaN"),
    "cluster probabilities": (
        lambda: Field(h, alpha, loss=h * c, clusters={c: {1: 0.5, -1: 0.4}}), "sum to",
    ),
    "clusters and labels": (
        lambda: Field(h, alpha, loss=h * c, clusters={c: {1: 1}}, labels=labels), "together",
    ),
    "mean that is not linear": (
        lambda: Model(name="x", thermal=ridge, quenched=Quenched(t, Gaussian()), temperature=0,
                      fields=Field(h, alpha, loss=h**2, mean=m**2)),
        "not linear in m",
    ),
    "likelihood at zero temperature": (
        lambda: Model(name="x", thermal=Thermal(s, Spherical()), temperature=0,
                      fields=Field(h, alpha, likelihood=sp.exp(h))),
        "no zero-temperature limit",
    ),
    "Gaussian prior at zero temperature": (
        lambda: Model(name="x", thermal=Thermal(s, Gaussian()), temperature=0), "zero temperature",
    ),
    "temperature in the pair term": (
        lambda: Model(name="x", thermal=spins, pair=q**2 / 4 / T**2, temperature=T),
        "write the inverse temperature as replica.beta",
    ),
    "temperature in the overlap term": (
        lambda: Model(name="x", thermal=spins, quenched=Quenched(t, Rademacher()),
                      overlap=m**2 / 2 / T, temperature=T),
        "the overlap term contains T",
    ),
    "temperature in the penalty": (
        lambda: Model(name="x", thermal=Thermal(s, Rademacher(), -T * s), temperature=T),
        "the penalty of s contains T",
    ),
    "inverse temperature as a parameter, in the loss": (
        lambda: Model(name="x", thermal=ridge, temperature=1 / T,
                      fields=Field(h, alpha, loss=T * h**2)),
        "the weight of the field h contains T",
    ),
    "loss of the teacher's field": (
        lambda: Field(h, alpha, loss=(z - h) ** 2, labels=LinearLabels(y, z, 1)),
        "which the student does not see",
    ),
    "variance at zero temperature": (
        lambda: Model(name="x", thermal=ridge, temperature=0, observables={"a": V}),
        "does not exist at zero temperature",
    ),
    "susceptibility at finite temperature": (
        lambda: Model(name="x", thermal=spins, temperature=T, observables={"a": chi}),
        "does not exist at finite temperature",
    ),
    "quenched variable that is a symbol": (
        lambda: Model(name="x", thermal=spins, quenched=t), "expected Quenched(symbol, law)",
    ),
    "quenched variable that is a law": (
        lambda: Model(name="x", thermal=spins, quenched=Gaussian()), "Quenched(symbol, law)",
    ),
    "one symbol for thermal and quenched variable": (
        lambda: Model(name="x", thermal=spins, quenched=Quenched(s, Gaussian())), "give each",
    ),
    "label values and teacher in the wrong order": (
        lambda: DiscreteLabels(y, z, (1, -1), sp.Heaviside(y * z)),
        "in DiscreteLabels(y, values, P, h0)",
    ),
    "label probability and teacher in the wrong order": (
        lambda: DiscreteLabels(y, (1, -1), z, sp.Heaviside(y * z)), "for the teacher's field",
    ),
    "label and values in the wrong order": (
        lambda: DiscreteLabels((1, -1), y, sp.Heaviside(y * z), z), "a symbol for the label",
    ),
    "label value that is no tuple": (
        lambda: DiscreteLabels(y, 1, sp.Heaviside(y * z), z), "expected a tuple of values",
    ),
    "observable of text": (lambda: NewSample("(y-h)**2"), "got the text '(y-h)**2'"),
    "label with other assumptions": (
        lambda: Model(name="x", thermal=ridge, quenched=Quenched(t, Gaussian()), temperature=0,
                      fields=Field(h, alpha, loss=(sp.Symbol("y", real=True) - h) ** 2,
                                   labels=LinearLabels(y, z, 1))),
        "other assumptions",
    ),
    "penalty of another symbol": (
        lambda: Thermal(s, Flat(), penalty=t**2), "is a function of t, not of s",
    ),
    "energy at zero temperature": (
        lambda: Model(name="x", thermal=ridge, temperature=0, observables={"energy": q}),
        "the energy of the ground state is 'free_energy'",
    ),
    "flat measure without penalty": (lambda: Thermal(s, Flat()), "normalisable"),
    "prior that is no law": (lambda: Thermal(s, "rademacher"), "expected a prior"),
    "law that is no law": (lambda: Quenched(t, Spherical()), "expected a law"),
    "extremised scalar that appears nowhere": (
        lambda: Model(name="x", thermal=ridge, temperature=0, extremised=Extremised(b),
                      fields=Field(h, alpha, loss=h**2)),
        "appears nowhere",
    ),
    "negative temperature": (lambda: Model(name="x", thermal=spins, temperature=-1), "negative"),
    "unknown start": (lambda: Model(name="x", thermal=spins, start="warm"), "start='warm'"),
    "parameter named like an order parameter": (
        lambda: Model(name="x", thermal=Thermal(s, Rademacher(), -Parameter("q", 1.0) * s)),
        "name of an order",
    ),
    "default outside the domain": (lambda: Parameter("a", -1.0, (0, 1)), "outside its domain"),
    "parameter that is a keyword": (lambda: Parameter("lambda", 1.0), "symbol='lambda'"),
    "twin of a framework symbol": (
        lambda: Model(name="x", thermal=spins, observables={"a": sp.Symbol("q") ** 2}),
        "from replica import q",
    ),
    "mean of a continuous label": (
        lambda: Field(h, alpha, loss=(y - h) ** 2, labels=LinearLabels(y, z, 1), mean=3 * y),
        "not jointly Gaussian",
    ),
    "mean of the teacher's field": (
        lambda: Field(h, alpha, loss=(1 - y * h) ** 2, labels=sign_labels(y, z), mean=z / 2),
        "not jointly Gaussian",
    ),
    "constraint that is an equation": (
        lambda: Field(h, alpha, constraint=sp.Eq(h, 1)), "inequality",
    ),
    "label probabilities": (
        lambda: DiscreteLabels(y, (1, -1), sp.Heaviside(y * z) / 2, z), "sum to 0.5",
    ),
    "observable over two fields of one symbol": (
        lambda: Model(name="x", thermal=spins, fields=[Field(h, alpha, constraint=h >= 0)] * 2,
                      observables={"a": NewSample(h)}),
        "same symbol",
    ),
    "penalty with the quenched variable": (
        lambda: Model(name="x", thermal=Thermal(s, Rademacher(), -s * t),
                      quenched=Quenched(t, Gaussian())),
        "as an overlap term",
    ),
    "negative label noise": (lambda: LinearLabels(y, z, -0.1), "must not be negative"),
    "label noise whose domain is negative": (
        lambda: LinearLabels(y, z, Parameter("s", 0.1, (-1, 1))), "must not be negative",
    ),
    "flip above one": (lambda: sign_labels(y, z, flip=1.7), "must not be negative"),
    "negative load": (lambda: Field(h, -2, constraint=h >= 0), "must not be negative"),
    "labels that are a symbol": (
        lambda: Field(h, alpha, loss=(y - h) ** 2, labels=y), "expected labels such as",
    ),
    "labels of the student's own field": (
        lambda: Field(h, alpha, loss=(y - h) ** 2, labels=LinearLabels(y, h, 0.1)),
        "student's own field",
    ),
    "loss of a label that is not declared": (
        lambda: Model(name="x", thermal=ridge, temperature=0,
                      fields=Field(h, alpha, loss=(y - h) ** 2)),
        "no labels or clusters are declared",
    ),
    "observables as a list": (
        lambda: Model(name="x", thermal=spins, observables=[q]), "mapping of names",
    ),
    "observable given as text": (
        lambda: Model(name="x", thermal=spins, observables={"a": "q**2"}), "got 'q**2'",
    ),
    "observable named like an order parameter": (
        lambda: Model(name="x", thermal=spins, observables={"q": 2 * q}), "reserved",
    ),
    "no temperature": (lambda: Model(name="x", thermal=spins, temperature=None), "got None"),
    "fields that are none": (lambda: Model(name="x", thermal=spins, fields=("a",)), "Field(...)"),
    "penalty given as text": (lambda: Thermal(s, Flat(), penalty="s**2"), "SymPy expression"),
    "empty domain": (lambda: Parameter("a", 0.0, (1, 0)), "empty"),
    "parameter that is no identifier": (lambda: Parameter("a b", 0.0), "identifier"),
    "probabilities of a discrete law": (lambda: Discrete([0, 1], [0.5, 0.6]), "sum to"),
    "lengths of a discrete law": (lambda: Discrete([0, 1], [1.0]), "2 values but 1"),
    "counted states with probabilities": (
        lambda: Discrete([0, 1], [0.5, 0.5], counting=True), "weight one each",
    ),
    "negative variance": (lambda: Gaussian(variance=-1), "negative"),
    "density above one": (lambda: GaussBernoulli(1.5), "larger than 1"),
    "functional with an unbound symbol": (
        lambda: functional(free_entropy=-m * c + unknown), "unbound symbol",
    ),
    "order parameter without rule": (
        lambda: functional(order_parameters=(OrderParameter(m),)), "needs either",
    ),
    "order parameter that the functional lacks": (
        lambda: functional(order_parameters=(OrderParameter(m, conjugate=c),
                                             OrderParameter(q, rate=1))),
        "does not depend",
    ),
    "functional without order parameters": (
        lambda: functional(order_parameters=()), "no order parameter",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", INVALID)
def test_one_clear_sentence(case):
    declare, words = INVALID[case]
    with pytest.raises(DeclarationError) as caught:
        declare()
    message = str(caught.value)
    assert words in message
    assert message.endswith(".")
    assert "\n" not in message


def test_two_values_have_a_limit_at_zero_temperature_and_three_are_refused():
    def cold(values):
        return Model(
            name="cold",
            thermal=Thermal(s, Discrete(values, counting=True)),
            pair=beta**2 * q**2 / 4,
            temperature=0,
        )

    assert cold([0, 2]).name == "cold"
    with pytest.raises(
        DeclarationError, match=r"at zero temperature the prior .* has no effect or"
    ):
        cold([-1, 0, 1])
