"""The equation of a capacity: the envelope theorem, its text and its LaTeX."""

import pickle

import pytest
import sympy as sp

import replica
from replica.calculus.distances import (
    ConvexSet,
    Multiplier,
    SquaredDistance,
    StandardAverage,
    T,
)
from replica.errors import DerivationError
from replica.evaluate.terms import linear_terms

k, D = sp.symbols("k D", real=True)


def average(margin):
    return StandardAverage(SquaredDistance(T, ConvexSet(sp.Symbol("K"), margin)), T, D + 1)


def test_the_derivative_is_the_multiplier():
    slope = average(k**2).diff(k)
    assert slope == 4 * k * StandardAverage(
        Multiplier(T, ConvexSet(sp.Symbol("K"), k**2)), T, D + 1
    )
    assert average(k).diff(D) == 0
    with pytest.raises(DerivationError, match="second derivative"):
        average(k).diff(k, 2)


def test_the_bound_vector_is_not_free():
    assert average(k).free_symbols == {k, D}
    assert average(k).subs(k, 2).free_symbols == {D}


def test_the_equations_of_sparse_labels():
    equation = replica.load("manifold-balls-sparse").saddle_point()
    f = equation.parameters["f"]
    b = equation.unknowns[1].symbol
    assert equation.stationary_threshold == equation.load.diff(b) / 2
    weights = sorted(w.subs(f, 0.2) for w, _ in linear_terms(equation.load).pairs)
    assert weights == [0.2, 0.8]
    latex = equation.latex()
    assert r"\frac{1}{\alpha} &=" in latex
    assert r"\mathbb{E}_{T\sim\mathcal{N}\left(0,\,I_{D + 1}\right)}" in latex
    assert r"\lambda\left(T,\,\mathcal{K}_{\kappa - b}\right)" in latex
    assert latex.count(r"\item") == 7
    assert "distance^2(T, K(kappa + b))" in str(equation)


def test_correlated_centres_stretch_margin_and_radius():
    equation = replica.load("manifold-balls-correlated").saddle_point()
    p = equation.parameters
    assert equation.shape.radius == p["R"] / sp.sqrt(1 - p["rho"])
    assert equation.load.integrand.margin == p["kappa"] / sp.sqrt(1 - p["rho"])


def test_an_expression_that_is_no_combination_of_averages_is_refused():
    with pytest.raises(DerivationError, match="not linear"):
        linear_terms(average(k) ** 2)
    with pytest.raises(DerivationError, match="no average"):
        linear_terms(average(k) + k)


def test_models_and_systems_survive_a_process_boundary():
    model = replica.load("manifold-balls")
    system = pickle.loads(pickle.dumps(model.compile()))
    assert system.unknowns == ("alpha",)
    again = pickle.loads(pickle.dumps(model))
    assert again.solve()["alpha"] == model.solve()["alpha"]
