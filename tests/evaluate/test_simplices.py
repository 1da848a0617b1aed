"""Averages of simplices: closed forms, many digits, quadratic programs, samples."""

import math

import mpmath
import numpy as np
import pytest
from scipy.stats import norm

from replica import CapacitySettings, ManifoldModel, Parameter, PointCloud, Simplex
from replica.errors import ConvergenceError
from replica.evaluate import nearest_points, simplices
from replica.evaluate.projections import project
from replica.evaluate.samples import gaussian_vectors, mean
from replica.evaluate.simplices import simplex_averages


@pytest.mark.parametrize(("corners", "load"), [(1, 1 / 2), (2, 5 / 6)])
def test_few_corners_without_margin(corners, load):
    assert simplex_averages(1, corners, 0).distance == pytest.approx(load, rel=1e-14)


@pytest.mark.parametrize("radius", [0.01, 0.5, 1, 30])
@pytest.mark.parametrize("margin", [-2, 0, 0.7, 20])
def test_one_corner_is_a_point_with_another_margin(radius, margin):
    k = margin / math.sqrt(1 + radius**2)
    found = simplex_averages(radius, 1, margin)
    expected = (1 + k**2) * norm.cdf(k) + k * norm.pdf(k)
    assert found.distance == pytest.approx(expected, rel=3e-13)
    assert found.interior == pytest.approx(norm.cdf(-k), rel=3e-13, abs=1e-15)
    assert found.defect < 3e-13


@pytest.mark.parametrize("corners", [3, 40, 10**4, 10**7])
def test_without_margin_every_score_is_the_largest_as_often(corners):
    found = simplex_averages(1, corners, 0)
    assert found.interior == pytest.approx(1 / (corners + 1), rel=1e-13)
    assert found.active == pytest.approx(found.distance, rel=1e-14)
    assert found.defect < 1e-13


def test_three_competitors_by_solid_angles():
    """Four exchangeable numbers: the angles of a regular tetrahedron are elementary."""
    # Of the simplicial cone of three differences, at the angles pi/3: internal and external ones.
    solid = (3 * math.acos(1 / 3) - math.pi) / (4 * math.pi)
    dihedral = math.acos(1 / 3) / (2 * math.pi)
    # v_3, v_1: three active, one active (three facets of the cone, each with the outer half).
    three = solid
    two = 3 / 2 * (math.pi / 3) / (2 * math.pi)
    none = 1 / 4
    one = 1 - none - two - three
    found = simplex_averages(1, 3, 0)
    assert found.distance == pytest.approx(one + 2 * two + 3 * three, rel=1e-14)
    assert one == pytest.approx(3 / 2 * (1 / 2 - dihedral), rel=1e-14)


@pytest.mark.parametrize(
    ("n", "kappa", "load"),
    [
        (10, 0, 2.093928927983), (30, 0, 3.285526193746), (100, 0, 4.806753302793),
        (1000, 0, 8.121762361267), (10, 0.5, 3.2005117391), (30, 0.5, 4.798641574618),
        (30, 1, 6.691898296666), (100, 0.5, 6.744421931527), (10, -0.5, 1.2868225044),
        (20, 0, 2.8202605836), (50, 0, 3.9077493662), (10**4, 0, 11.76641638),
        (10**5, 0, 15.61406127), (10**6, 0, 19.597589),
    ],
)  # fmt: skip
def test_another_evaluation_of_the_sum(n, kappa, load):
    """To the digits of the other one, which ends its sum earlier for many corners."""
    digits = len(f"{load}".split(".")[1])
    found = simplex_averages(1, n, kappa)
    assert found.distance == pytest.approx(load, rel=0, abs=5 * 10.0**-digits)
    assert found.relative_error < 1e-12


@pytest.mark.parametrize(("k", "margin"), [(1, 0.5), (60, 0), (25, 1.5), (12, -1)])
def test_both_factors_to_many_digits(k, margin):
    """Trapezoidal sums of 25 digits, for a million corners."""
    corners, c = 10**6, mpmath.sqrt(k)
    with mpmath.workdps(25):

        def laplace(w):
            return mpmath.exp(w * w / 2) * mpmath.erfc(w / mpmath.sqrt(2))

        step = mpmath.mpf(1) / 32
        shifted = mpmath.fsum(
            (mpmath.exp(-((y + 1j * c) ** 2) / 2) * laplace(c - margin - 1j * y) ** k).real
            for y in (step * j for j in range(-320, 321))
        )
        excess = mpmath.log(shifted * step / mpmath.sqrt(2 * mpmath.pi))
        centre, width = -mpmath.mpf(margin) / (k + 1), 1 / mpmath.sqrt(k + 1)
        level = mpmath.fsum(
            mpmath.npdf(x, centre, width) * mpmath.exp((corners - k) * mpmath.log(mpmath.ncdf(x)))
            for x in (mpmath.mpf(j) / 160 for j in range(480, 1120))
        )
        level = mpmath.log(level / 160)
    assert simplices._excess(1.0, k, margin).log == pytest.approx(float(excess), abs=3e-13)
    assert simplices._level(1.0, corners, k, margin).log == pytest.approx(float(level), abs=5e-13)


@pytest.mark.parametrize(("radius", "corners", "margin"), [(1, 6, 0), (0.4, 9, 0.8), (2.5, 5, -1)])
def test_projections_are_quadratic_programs(radius, corners, margin):
    shape = Simplex(radius, corners).at({})
    vectors = gaussian_vectors(400, corners + 1, 3)
    found = project(shape, vectors, margin)
    cloud = PointCloud(-radius * np.eye(corners))
    programs = nearest_points(cloud.generators(), margin, vectors)
    np.testing.assert_allclose(found.distance, programs.squared_distances, atol=1e-12)
    total = programs.multipliers.sum(axis=1)
    np.testing.assert_allclose(found.multiplier, total, atol=1e-12)
    np.testing.assert_array_equal(found.divergence, (programs.multipliers > 0).sum(axis=1))
    outside = ~found.interior
    anchors = (programs.points - vectors)[outside, 1:] / total[outside, None]
    np.testing.assert_allclose(found.anchor[outside], anchors, atol=1e-9)


@pytest.mark.parametrize(
    ("radius", "corners", "margin"), [(1, 35, 0), (1, 12, 0.6), (0.5, 8, -0.4), (3, 20, 1)]
)
def test_every_average_is_that_of_a_sample(radius, corners, margin):
    vectors = gaussian_vectors(100_000, corners + 1, 0)
    sample = project(Simplex(radius, corners).at({}), vectors, margin)
    centre = vectors[:, 0] + sample.multiplier
    found = simplex_averages(radius, corners, margin)
    pairs = [
        (found.distance, sample.distance), (found.squared, sample.distance**2),
        (found.multiplier, sample.multiplier), (found.active, sample.divergence),
        (found.interior, sample.interior.astype(float)), (found.centre, centre),
        (found.centre_squared, centre**2),
    ]  # fmt: skip
    for exact, values in pairs:
        estimate = mean(values)
        assert abs(estimate.value - exact) < 4 * estimate.error


def test_the_multiplier_is_half_a_slope():
    step = 1e-4
    above, below = (simplex_averages(0.7, 25, 0.5 + s).distance for s in (step, -step))
    slope = simplex_averages(0.7, 25, 0.5).multiplier
    assert (above - below) / (4 * step) == pytest.approx(slope, rel=1e-8)


def test_the_sampled_door_agrees():
    kappa = Parameter("kappa", 0.5)
    settings = CapacitySettings(samples=2**13)
    cloud = ManifoldModel(name="cloud", shape=PointCloud(-np.eye(12)), margin=kappa)
    exact = ManifoldModel(name="exact", shape=Simplex(1, 12), margin=kappa)
    sampled = cloud.solve(settings=settings)
    assert sampled.method == "sampling"
    solution = exact.solve()
    assert solution.method == "quadrature"
    gap = abs(sampled["alpha"] - solution["alpha"])
    assert gap < 4 * sampled.error["alpha"] < 0.02 * solution["alpha"]


def test_sparse_labels_find_their_threshold():
    f = Parameter("f", 0.1, (0, 1), open="both")
    shape = Simplex(1, 10)
    sparse = ManifoldModel(name="sparse", shape=shape, positive_fraction=f)
    solution = sparse.solve()
    assert solution["alpha"] > solution["alpha_without_threshold"]
    assert solution.residual < 1e-12

    def load(b):
        return (
            0.1 * simplex_averages(1, 10, b).distance + 0.9 * simplex_averages(1, 10, -b).distance
        )

    assert 1 / solution["alpha"] == pytest.approx(load(solution["b"]), rel=1e-13)
    assert all(load(solution["b"] + s) > load(solution["b"]) for s in (-1e-3, 1e-3))


def test_a_sum_that_misses_something_is_no_result(monkeypatch):
    monkeypatch.setattr(simplices, "_NEGLIGIBLE", 1e-3)
    with pytest.raises(ConvergenceError, match="add up to"):
        simplex_averages(1, 100, 0)
