"""Derived equations against the textbook's, symbol by symbol."""

import math

import pytest
import sympy as sp
from scipy.integrate import quad

from replica import (
    DeterministicLabels,
    Discrete,
    Field,
    GaussBernoulli,
    Gaussian,
    LinearLabels,
    Model,
    Parameter,
    Quenched,
    Rademacher,
    Site,
    Spherical,
    Thermal,
    V,
    beta,
    chi,
    load,
    m,
    q,
    q_d,
    sign_labels,
)
from replica.calculus.nodes import Average
from replica.calculus.special import Sech2, Tanh
from replica.compile.numpy_functions import FUNCTIONS
from replica.derive.replica_symmetric import is_bayes_optimal
from replica.derive.site import FIELD, Vhat, mhat, qhat
from replica.solve import solve_point

s, t, h, y, z = sp.symbols("s t h y z", real=True)
T = Parameter("T", 0.5, (0, math.inf), open="lower")
alpha = Parameter("alpha", 0.1, (0, math.inf))
lam = Parameter("lam", 2.0, (0, math.inf), symbol="lambda")
signs, noisy = sign_labels(y, z), LinearLabels(y, z, sp.Rational(1, 10))


def equations(model, **options):
    saddle = model.saddle_point(**options)
    return dict(saddle.equations) | dict(saddle.conjugates)


def same(first, second):
    return sp.simplify(first - second) == 0


def test_sherrington_kirkpatrick():
    model = Model("sk", Thermal(s, Rademacher()), pair=beta**2 * q**2 / 4, temperature=T)
    found = equations(model)
    assert found[qhat] == beta**2 * q
    assert found[q] == Average(Tanh(FIELD) ** 2, FIELD, 0, qhat)
    assert found[V] == Average(Sech2(FIELD), FIELD, 0, qhat)
    replicon = model.saddle_point().replicon
    assert same(replicon, 1 - beta**2 * Average(Sech2(FIELD) ** 2, FIELD, 0, qhat))


def test_hopfield():
    found = equations(load("hopfield"))
    assert found[mhat] == beta * m
    alpha_symbol = load("hopfield").parameters["alpha"]
    assert same(found[qhat], alpha_symbol * beta**2 * q / (1 - beta * V) ** 2)
    assert found[m] == Average(Tanh(FIELD), FIELD, mhat, qhat)


def test_hopfield_zero_temperature():
    """m = erf(m / sqrt(2 alpha r)), C = sqrt(2/(pi alpha r)) exp(-m**2/(2 alpha r))."""
    found = equations(load("hopfield-zero-temperature"))
    alpha_symbol = load("hopfield-zero-temperature").parameters["alpha"]
    assert same(found[qhat], alpha_symbol / (1 - chi) ** 2)
    assert found[m] == sp.erf(sp.sqrt(2) * mhat / (2 * sp.sqrt(qhat)))
    density = sp.lambdify((mhat, qhat), found[chi], modules=[dict(FUNCTIONS), "numpy"])
    numeric = float(density(0.3, 0.7))
    assert numeric == pytest.approx(math.sqrt(2 / (math.pi * 0.7)) * math.exp(-0.09 / 1.4))


def test_spherical_p_spin():
    """q/(1-q)**2 = beta**2 p q**(p-1)/2 from the spherical constraint."""
    model = Model("p-spin", Thermal(s, Spherical()), pair=beta**2 * q**3 / 4, temperature=T)
    found = equations(model)
    assert same(found[qhat], 3 * beta**2 * q**2 / 2)
    assert same(found[q], qhat / Vhat**2)
    assert same(found[V], 1 / Vhat)
    assert same(found[Vhat] - 1, qhat / found[Vhat])


def test_ridge_regression():
    """Square loss and linear labels: qhat = alpha (1 + s2 - 2m + q)/(1 + chi)^2."""
    model = Model("ridge", Thermal(s, penalty=lam * s**2 / 2), Quenched(t, Gaussian()),
                  Field(h, alpha, labels=noisy, loss=(y - h) ** 2 / 2), temperature=0)  # fmt: skip
    found = equations(model)
    assert same(found[qhat], alpha * (sp.Rational(11, 10) - 2 * m + q) / (1 + chi) ** 2)
    assert same(found[mhat], alpha / (1 + chi))
    assert same(found[Vhat], alpha / (1 + chi))
    assert same(found[chi], 1 / (lam + Vhat))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Model("matched", Thermal(s, Gaussian()), Quenched(t, Gaussian()),
               Field(h, alpha, labels=signs, likelihood=signs)), True),
        (Model("same-expression", Thermal(s, Rademacher()), Quenched(t, Rademacher()),
               Field(h, alpha, labels=signs, likelihood=sp.Heaviside(y * h))), True),
        (Model("other-prior", Thermal(s, Gaussian()), Quenched(t, Rademacher()),
               Field(h, alpha, labels=signs, likelihood=signs)), False),
        (Model("other-channel", Thermal(s, Gaussian()), Quenched(t, Gaussian()),
               Field(h, alpha, labels=sign_labels(y, z, flip=sp.Rational(1, 10)),
                     likelihood=sp.Heaviside(y * h))), False),
        (Model("spiked", Thermal(s, Rademacher()), Quenched(t, Rademacher()),
               pair=lam * q**2 / 4, overlap=lam * m**2 / 2 - lam * q_d**2 / 4), True),
        (Model("mismatched-snr", Thermal(s, Rademacher()), Quenched(t, Rademacher()),
               pair=lam * q**2 / 4, overlap=lam * m**2 / 3 - lam * q_d**2 / 4), False),
        (Model("tempered", Thermal(s, Rademacher()), Quenched(t, Rademacher()), temperature=T,
               fields=Field(h, alpha, labels=signs, likelihood=signs)), False),
    ],
    ids=lambda value: getattr(value, "name", value),
)  # fmt: skip
def test_bayes_optimality_is_recognised(model, expected):
    assert is_bayes_optimal(model) is expected
    assert model.saddle_point().bayes_optimal is expected
    names = {str(symbol) for symbol in model.saddle_point().order_parameters}
    assert ("m" in names) is not expected


@pytest.mark.parametrize("name", ["perceptron-rademacher", "spiked-wigner-sparse"])
def test_reduced_and_full_sets_agree(name):
    """The reduction is checkable: solving the full set gives m = q and the same free entropy."""
    model = load(name)
    reduced = model.solve()
    size = reduced["q"] + reduced["V"]
    start = {"m": 0.8 * size, "q": 0.8 * size, "V": 0.2 * size}
    full = solve_point(name, model.compile(reduce=False), {}, start)
    assert full["m"] == pytest.approx(full["q"], abs=1e-10)
    assert full["mhat"] == pytest.approx(full["qhat"], rel=1e-9)
    assert full["q"] == pytest.approx(reduced["q"], abs=1e-10)
    assert full.free_entropy == pytest.approx(reduced.free_entropy, abs=1e-10)


def test_three_valued_prior():
    """A user's own discrete prior: V and q add up to the second moment of the posterior."""
    law = Discrete([-1, 0, 2], [sp.Rational(1, 5), sp.Rational(1, 2), sp.Rational(3, 10)])
    model = Model("own-prior", Thermal(s, law), Quenched(t, law),
                  Field(h, alpha, labels=noisy, likelihood=noisy))  # fmt: skip
    solution = model.solve(alpha=0.5)
    assert solution["q"] + solution["V"] == pytest.approx(0.2 + 4 * 0.3, abs=1e-12)


def test_constant_of_a_penalty_weighs_the_components():
    """A free Gauss-Bernoulli variable in a well: its mean by direct integration."""
    well = 2 * (s - 1) ** 2
    weak = sp.Rational(1, 10**12)
    model = Model("well", Thermal(s, GaussBernoulli(sp.Rational(1, 2)), well), pair=weak * q**2,
                  observables={"mean": Site(s)})  # fmt: skip
    density = [lambda x, k=k: x**k * math.exp(-(x**2) / 2 - 2 * (x - 1) ** 2) for k in (0, 1)]
    mass, first = (quad(f, -8, 8)[0] / math.sqrt(2 * math.pi) for f in density)
    expected = first / (mass + math.exp(-2))
    assert model.solve()["mean"] == pytest.approx(expected, rel=1e-9)


def test_constant_of_a_penalty_is_energy():
    ridge = lam * s**2 / 2
    values = [
        Model("shifted", Thermal(s, penalty=energy), Quenched(t, Gaussian()), temperature=T,
              fields=Field(h, alpha, labels=noisy, loss=(y - h) ** 2 / 2)).solve()["free_energy"]
        for energy in (ridge, ridge + 3)
    ]  # fmt: skip
    assert values[1] - values[0] == pytest.approx(3, rel=1e-12)


def test_equal_atoms_are_one():
    twice = Discrete([1, -1, 1], [sp.Rational(1, 5), sp.Rational(1, 2), sp.Rational(3, 10)])
    assert twice == Discrete([1, -1])


def test_scale_of_deterministic_labels_moves_the_free_entropy():
    """Labels |2 z| instead of |z|: the density of the labels changes by log 2 a sample."""
    free = []
    for function in (sp.Abs(z), sp.Abs(2 * z)):
        labels = DeterministicLabels(y, function, z)
        model = Model("magnitudes", Thermal(s, Gaussian()), Quenched(t, Gaussian()),
                      Field(h, alpha, labels=labels, likelihood=labels))  # fmt: skip
        free.append(model.solve(alpha=0.8).free_entropy)
    assert free[0] - free[1] == pytest.approx(0.8 * math.log(2), rel=1e-9)
