"""What cannot be said about competitors and matrices is one sentence."""

import numpy as np
import pytest
import sympy as sp

import replica
from replica import Ball, Contexts, ManifoldModel, MatrixWeights, Parameter, Simplex, p
from replica.errors import DeclarationError, ParameterError
from replica.scan import status_counts

d = Parameter("d", 10.0, (1, 1000))
MATRIX = MatrixWeights(d, d)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shape": Simplex(1, p - 1)}, r"declare weights=MatrixWeights\(rows, columns\)"),
        ({"weights": 100}, r"expected weights such as MatrixWeights\(rows, columns\), got 100"),
        ({"weights": MATRIX, "margin": Parameter("p", 1.0)}, "no parameter can be called 'p'"),
        ({"weights": MATRIX, "margin": p}, "in the shape and in observables only"),
        (
            {"weights": MATRIX, "contexts": Contexts(1), "shape": Ball(1, 2)},
            "with contexts are not",
        ),
        ({"observables": {"interior": d}}, "'interior' is no name for an observable, or is taken"),
        ({"observables": {"no name": d}}, "'no name' is no name"),
        ({"observables": {"x": "1"}}, "observable x: expected a finite real number"),
        ({"observables": {"x": sp.Symbol("z")}}, "unbound symbol 'z'"),
    ],
)
def test_wrong_models(options, words):
    with pytest.raises(DeclarationError, match=words):
        ManifoldModel(**{"name": "mine", "shape": Simplex(1, 3), **options})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MatrixWeights(0, 3), "one row and one column or more, got 0 x 3"),
        (lambda: MatrixWeights(3, 3, rank=1.5), "a share of the full rank above 0 and not above 1"),
        (lambda: MatrixWeights("d", 3), "matrix weights: rows: expected a finite real number"),
        (lambda: Simplex(1, 1j), "Simplex: dimension: expected a finite real number"),
    ],
)
def test_wrong_numbers(make, words):
    with pytest.raises(DeclarationError, match=words):
        make()


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (Simplex(1, 2.5), "a whole number of corners, one or more, got 2.5"),
        (Simplex(1, 0), "one or more, got 0"),
        (Simplex(-1, 3), "a radius must be"),
        (Simplex(0, 3), r"without extent it is Point\(\)"),
    ],
)
def test_numbers_that_are_no_simplex(shape, words):
    with pytest.raises(ParameterError, match=words):
        ManifoldModel(name="mine", shape=shape).solve()


def test_wrong_values_of_parameters():
    model = replica.load("factual-recall")
    with pytest.raises(ParameterError, match="outside its domain"):
        model.solve(d=1)
    gamma = Parameter("gamma", 0.5)
    free = ManifoldModel(name="mine", shape=Simplex(1, p - 1), weights=MatrixWeights(d, d, gamma))
    with pytest.raises(ParameterError, match="above 0 and not above 1, got 2"):
        free.solve(gamma=2)
    with pytest.raises(ParameterError, match="1 weights are too few: 2 manifolds need"):
        ManifoldModel(name="mine", shape=Simplex(1, p - 1), weights=MATRIX, margin=2).solve(d=1)


def test_an_observable_that_is_not_computed():
    f = Parameter("f", 0.2, (0, 1), open="both")
    model = ManifoldModel(
        name="mine", shape=Simplex(1, 3), positive_fraction=f,
        observables={"x": sp.Symbol("interior")},
    )  # fmt: skip
    with pytest.raises(DeclarationError, match="observable 'x' needs 'interior'; expected p"):
        model.solve()


def test_a_point_of_a_scan_without_manifolds_leaves_the_others():
    model = ManifoldModel(name="mine", shape=Simplex(1, p - 1), weights=MATRIX, margin=2)
    ds = model.scan(d=[1.0, 10.0], progress=False)
    assert status_counts(ds) == {"converged": 1, "not converged": 1}
    assert np.isnan(ds.p.values[0])
    assert ds.p.values[1] == model.solve(d=10)["p"]


def test_weights_count_manifolds_of_any_shape():
    plain = ManifoldModel(name="mine", shape=Ball(0.5, 5)).solve()
    counted = ManifoldModel(
        name="mine", shape=Ball(0.5, 5), weights=MatrixWeights(20, 30),
        observables={"twice": 2 * p},
    ).solve()  # fmt: skip
    assert counted["alpha"] == plain["alpha"]
    assert counted["p"] == pytest.approx(600 * plain["alpha"], rel=1e-14)
    assert counted["twice"] == 2 * counted["p"]
