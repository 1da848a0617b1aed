import numpy as np
import pytest
import sympy as sp

import replica
from replica import (
    Ball,
    CapacitySettings,
    Contexts,
    Ellipsoid,
    L1Ball,
    ManifoldModel,
    Parameter,
    Point,
    PointCloud,
)
from replica.errors import (
    ConvergenceError,
    DeclarationError,
    DerivationError,
    ParameterError,
    ScanError,
    SettingsError,
)

POINTS = np.random.default_rng(0).standard_normal((6, 3))


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.ones(3), r"point cloud: expected an array of shape \(points, coordinates\)"),
        (np.ones((2, 3, 4)), r"got shape \(2, 3, 4\)"),
        (np.ones((4, 0)), r"got shape \(4, 0\)"),
        (np.ones((1, 3)), r"at least two points, got 1; a single point is Point\(\)"),
        ([[1.0, np.inf], [0.0, 1.0]], "not finite numbers"),
        (1j * np.ones((2, 3)), "not an array of real numbers"),
        ([["x"], ["y"]], "not an array of real numbers"),
    ],
)
def test_a_wrong_cloud_is_one_sentence(points, words):
    with pytest.raises(DeclarationError, match=words):
        PointCloud(points)


def test_a_cloud_keeps_its_own_points():
    points = POINTS.copy()
    cloud = PointCloud(points)
    points[:] = 0
    np.testing.assert_array_equal(cloud.array, POINTS)
    with pytest.raises(ValueError, match="read-only"):
        cloud.array[0, 0] = 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "Bad Name"}, "lower-case words"),
        ({"shape": 3}, r"expected a shape such as Ball"),
        ({"margin": sp.Symbol("k")}, "unbound symbol 'k'"),
        ({"positive_fraction": 0}, "positive_fraction = 0 is not between 0 and 1"),
        ({"centre_correlation": 1}, "centre_correlation = 1"),
        ({"margin": float("nan")}, r"margin: expected a finite real number .* got nan"),
        ({"margin": [1, 2]}, r"margin: expected a finite real number .* got \[1, 2\]"),
        ({"centre_correlation": np.eye(2)}, "centre_correlation: expected a finite real number"),
        ({"positive_fraction": "f"}, "positive_fraction: expected a finite real number .* 'f'"),
        ({"contexts": 2}, r"expected Contexts\(count, correlation\)"),
    ],
)
def test_a_wrong_model_is_one_sentence(options, words):
    with pytest.raises(DeclarationError, match=words):
        ManifoldModel(**{"name": "mine", "shape": Point(), **options})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Contexts(0), "from 1 to 6, got 0"),
        (lambda: Contexts(1.5), "from 1 to 6"),
        (lambda: Contexts(2, [[1, 0.5], [0.4, 1]]), "symmetric matrix"),
        (lambda: Contexts(3, [[1, 0.5], [0.5, 1]]), "2 correlated vectors"),
        (lambda: Contexts(None), "count: expected a finite real number .* got None"),
        (lambda: Contexts(2, [[1, 0.5], [0.5]]), "expected a matrix of correlations"),
        (lambda: Contexts(2, float("nan")), "correlation: expected a finite real number"),
        (lambda: Ball(1j, 2), "radius: expected a finite real number .* got 1j"),
        (lambda: Ball("R", 2), "radius: expected a finite real number .* got 'R'"),
        (lambda: Ball(1, float("inf")), "dimension: expected a finite real number"),
        (lambda: Ellipsoid([1, None]), "radius: expected a finite real number"),
        (lambda: PointCloud(POINTS, [1, 2]), "scale: expected a finite real number"),
        (lambda: Ellipsoid(()), "sequence of radii"),
        (lambda: Ellipsoid("12"), "sequence of radii"),
    ],
)
def test_wrong_contexts_and_radii_are_one_sentence(make, words):
    with pytest.raises(DeclarationError, match=words):
        make()


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (Ball(-1, 3), "a radius must be"),
        (Ball(1, 0.5), "at least one dimension"),
        (L1Ball(1, 2.5), "whole number of axes"),
        (Ellipsoid((1, -2)), "a radius must be"),
    ],
)
def test_numbers_that_are_no_shape_are_found_before_any_work(shape, words):
    with pytest.raises(ParameterError, match=words):
        ManifoldModel(name="mine", shape=shape).solve()


@pytest.mark.parametrize(
    ("options", "value", "words"),
    [
        ({"centre_correlation": "x"}, 1.0, "centre_correlation = 1 is not at least 0"),
        ({"centre_correlation": "x"}, 1.5, r"centre_correlation = 1\.5"),
        ({"positive_fraction": "x"}, 0.0, "positive_fraction = 0 is not between 0 and 1"),
        ({"margin": "log"}, 0.0, "margin: log.* is zoo, which is no finite real number"),
        ({"shape": "root"}, -1.0, "Ball: sqrt.* which is no finite real number"),
    ],
)
def test_values_that_declare_nothing_are_found_before_any_work(options, value, words):
    x = Parameter("x", 0.5, (-2, 2))
    given = {"x": x, "log": sp.log(x), "root": Ball(sp.sqrt(x), 3)}
    options = {name: given[key] for name, key in options.items()}
    model = ManifoldModel(**{"name": "mine", "shape": Ball(0.5, 3), **options})
    with pytest.raises(ParameterError, match=words):
        model.solve(x=value)
    ds = model.scan(x=[0.5, value], progress=False)  # what can be computed is
    assert ds.alpha.values[0] == model.solve(x=0.5)["alpha"]
    assert np.isnan(ds.alpha.values[1])


def test_contexts_that_cannot_be_are_one_sentence():
    model = replica.load("manifold-points-contexts")
    with pytest.raises(ParameterError, match=r"cannot have the correlations -0\.9"):
        model.solve(K=3, phi=-0.9)
    with pytest.raises(ParameterError, match=r"whole number from 1 to 6, got 1\.5"):
        model.solve(K=1.5)
    gated = ManifoldModel(name="mine", shape=Ellipsoid((1, 2)), contexts=Contexts(1))
    with pytest.raises(DeclarationError, match="contexts are available for points, balls"):
        gated.solve()


def test_contexts_of_centres_that_share_a_direction_say_what_is_assumed():
    options = {"shape": Point(), "contexts": Contexts(1)}
    shared = ManifoldModel(name="mine", centre_correlation=0.5, **options)
    assert "orthogonal to what the centres share" in shared.solve().notes[0]
    assert not ManifoldModel(name="mine", **options).solve().notes


def test_the_equation_of_contexts_with_sparse_labels_depends_on_parameters_only():
    f, kappa = Parameter("f", 0.1, (0, 1), open="both"), Parameter("kappa", 0.0)
    model = ManifoldModel(
        name="mine", shape=Point(), margin=kappa, positive_fraction=f, contexts=Contexts(2)
    )
    equation = model.saddle_point()
    assert equation.load.free_symbols == {f, kappa}
    assert r"\min_{a,\,b}" in equation.latex()
    assert "min_{a, b}" in str(equation)
    assert r"\sqrt{1 + a^{\mathsf{T}}\boldsymbol{\Phi}\, a}" in equation.latex()


def test_equal_points_are_flagged_and_the_capacity_is_right():
    settings = CapacitySettings(samples=512)
    plain = ManifoldModel(name="mine", shape=PointCloud(POINTS)).solve(settings=settings)
    doubled = PointCloud(np.vstack([POINTS, POINTS[:2]]))
    assert doubled.has_duplicates
    twice = ManifoldModel(name="mine", shape=doubled).solve(settings=settings)
    assert twice["alpha"] == pytest.approx(plain["alpha"], rel=1e-10)
    assert "anchor points are not unique" in twice.notes[0]
    assert "note: some points are equal" in str(twice)
    assert not plain.notes


def test_an_error_larger_than_asked_for_is_not_certified():
    model = ManifoldModel(name="mine", shape=PointCloud(POINTS))
    settings = CapacitySettings(samples=64, standard_error=1e-6)
    with pytest.raises(ConvergenceError, match="raise samples") as caught:
        model.solve(settings=settings)
    assert caught.value.solution["alpha"] > 0
    status = model.solve(settings=settings, throw=False).status
    assert status is replica.Status.NOT_CERTIFIED


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"samples": 3}, "samples must be an integer"),
        ({"seed": -1}, "seed must be an integer"),
        ({"tolerance": 2}, "tolerance must be a number"),
        ({"estimator": "best"}, "estimator must be one of controlled, distance"),
    ],
)
def test_wrong_settings_are_one_sentence(options, words):
    with pytest.raises(SettingsError, match=words):
        CapacitySettings(**options)


def test_settings_of_another_kind_are_refused():
    model = replica.load("manifold-balls")
    with pytest.raises(SettingsError, match="CapacitySettings"):
        model.solve(settings=replica.SolverSettings())
    with pytest.raises(SettingsError, match="no back end 'c'"):
        model.solve(backend="c")


def test_what_a_capacity_has_not_is_refused():
    from replica.derive.ansatz import ONE_STEP
    from replica.report.plot import iterates

    model = replica.load("manifold-balls")
    with pytest.raises(SettingsError, match="no lines are followed"):
        model.boundary("alpha=1", "R", along="D", over=(1, 5))
    with pytest.raises(DerivationError, match="the capacity itself"):
        model.follow("R")
    with pytest.raises(DerivationError, match="many digits"):
        model.verify(model.solve())
    with pytest.raises(DerivationError, match="replica symmetric"):
        model.saddle_point(ansatz=ONE_STEP)
    with pytest.raises(ScanError, match="no free_entropy that tells which phase counts"):
        model.phase_diagram({"easy": "alpha > 1", "hard": "alpha <= 1"}, R=(0.1, 1), D=(1, 5))
    with pytest.raises(ScanError, match="no free_entropy to rank"):
        model.scan(R=[0.1, 0.2], direction="both", progress=False)
    with pytest.raises(DerivationError, match="without a map of order parameters"):
        iterates(model)
    with pytest.raises(DerivationError, match="without a map of order parameters"):
        replica.solve.follow(model, "R")


def test_the_only_branch_is_the_solution():
    model = replica.load("manifold-l1-balls")
    settings = CapacitySettings(samples=256, seed=3)
    (only,) = model.branches(starts=["informed"], settings=settings, limits=True, kappa=0.5)
    assert str(only) == str(model.solve(kappa=0.5, settings=settings))
    assert (only.samples, only.seed) == (256, 3)


def test_a_retry_takes_more_vectors():
    model = replica.load("manifold-l1-balls")
    few = CapacitySettings(samples=64, standard_error=0.01)
    ds = model.scan(R=[0.1, 2.0], kappa=[0.0, 0.5], settings=few, retry=True, progress=False)
    np.testing.assert_array_equal(ds.status, 0)
    np.testing.assert_array_equal(ds.retry, [[0, 2], [0, 0]])
    more = CapacitySettings(samples=256, standard_error=0.01)
    assert ds.alpha.values[0, 1] == model.solve(R=0.1, kappa=0.5, settings=more)["alpha"]


def test_a_point_of_a_scan_without_shape_leaves_the_others():
    from replica.scan import status_counts

    R = Parameter("R", 0.5, (-1, 1))
    ds = ManifoldModel(name="mine", shape=Ball(R, 3)).scan(R=[-0.5, 0.5], progress=False)
    assert status_counts(ds) == {"converged": 1, "not converged": 1}
    assert np.isnan(ds.alpha.values[0])
    assert ds.alpha.values[1] > 0


def test_a_scan_says_how_it_was_sampled():
    ds = replica.load("manifold-balls").scan(R=[0.5], progress=False)
    assert '"samples": 4096' in ds.attrs["settings"]
