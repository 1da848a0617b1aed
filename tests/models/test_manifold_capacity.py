"""Capacities against closed forms and values that another program computed.

Closed forms: Gardner (1988) for points, conic geometry without margin (statistical dimensions of
polar cones add up to that of the space), orthant probabilities. Other numbers are those of an
independent evaluation of the same averages: one outer quadrature over the chi law for balls, a
root-free quadrature for ellipses, plain sampling for clouds, whose standard error stands in
brackets there and is allowed for here.
"""

import math

import mpmath
import numpy as np
import pytest
from scipy.stats import norm

import replica
from replica import (
    Ball,
    CapacitySettings,
    Contexts,
    Ellipsoid,
    ManifoldModel,
    Point,
    PointCloud,
    Segment,
)


def capacity(name, **values):
    solution = replica.load(name).solve(**values)
    assert solution.converged
    assert solution.method == "quadrature"
    return solution


# -- closed forms ----------------------------------------------------------------------------------

GARDNER = {
    -1: 13.273199837025, -0.5: 4.7700988826194, 0: 2, 0.25: 1.3646427872475,
    0.5: 0.96120505280154, 1: 0.51957222960494, 1.5: 0.30987065171449, 2: 0.20023101560176,
    3: 0.10000203439219,
}  # fmt: skip


@pytest.mark.parametrize(("kappa", "alpha"), GARDNER.items())
def test_points_are_gardners_problem(kappa, alpha):
    solution = capacity("manifold-points", kappa=kappa)
    assert solution["alpha"] == pytest.approx(alpha, rel=2e-13)
    exact = 1 / ((1 + kappa**2) * norm.cdf(kappa) + kappa * norm.pdf(kappa))
    assert solution["alpha"] == pytest.approx(exact, rel=1e-13)
    assert bool(solution.notes) == (kappa < 0)


BALLS = [
    (0.2, 1, 0, 1.598297068488, 0.0383157007),
    (1, 1, 0, 1, 0.8183098862),
    (0.5, 2, 0, 0.949860290488, 0.2430339887),
    (1, 2, 0, 2 / 3, 0.9142135624),
    (0.5, 5, 0, 0.576511051976, 0.2497400637),
    (1, 5, 0, 1 / 3, 0.9854461355),
    (2, 5, 0, 0.234443068573, 3.6718208754),
    (5, 3, 0, 0.311506427977, 17.5339711220),
    (0.3, 10, 0, 0.604349297690, 0.0899999922),
    (1, 10, 0, 2 / 11, 0.9987219713),
    (0.5, 20, 0, 0.208505490161, 0.2499999997),
    (0.2, 50, 0, 0.350226415023, 0.04),
    (1, 50, 0, 2 / 51, 0.9999999998),
    (0.1, 100, 0, 0.525098294730, 0.01),
    (0.5, 5, 0.5, 0.353269196399, 0.2492677091),
    (1, 10, 1, 0.109973921611, 0.9879714191),
    (0.2, 20, 0.3, 0.439186809453, 0.04),
]


@pytest.mark.parametrize(("R", "D", "kappa", "alpha", "squared_radius"), BALLS)
def test_balls(R, D, kappa, alpha, squared_radius):
    solution = capacity("manifold-balls", R=R, D=D, kappa=kappa)
    assert solution["alpha"] == pytest.approx(alpha, rel=0, abs=1e-12)
    assert solution["radius"] ** 2 == pytest.approx(squared_radius, rel=0, abs=6e-11)
    assert solution["dimension"] == solution["dimension_by_overlap"] == D
    assert solution.error["alpha"] < 1e-11


@pytest.mark.parametrize("R", [1e-3, 0.2, 1, 3, 40])
def test_segments_are_two_points_at_an_angle(R):
    alpha = 1 / (1 / 2 + 2 / math.pi * math.atan(R))
    assert capacity("manifold-segments", R=R)["alpha"] == pytest.approx(alpha, rel=1e-12)


@pytest.mark.parametrize(
    ("R", "D"), [(0.3, 7), (2, 2.5), (0.01, 40), (1e-6, 5), (1e3, 50), (0.05, 1000), (7, 200)]
)
def test_polar_balls_share_the_dimensions(R, D):
    found = [capacity("manifold-balls", R=r, D=D) for r in (R, 1 / R)]
    total = sum(1 / solution["alpha"] for solution in found)
    error = sum(s.error["alpha"] / s["alpha"] ** 2 for s in found)
    assert abs(total - (D + 1)) < max(error, 1e-15)
    assert error < 1e-11 * D


def test_a_ball_without_extent_is_a_point():
    assert capacity("manifold-balls", R=0, D=4, kappa=0.5)["alpha"] == pytest.approx(
        GARDNER[0.5], rel=1e-13
    )


@pytest.mark.parametrize(
    ("R1", "R2", "kappa", "alpha"),
    [
        (1, 0.2, 0, 0.906975902799),
        (0.5, 1.5, 0, 0.707419673656),
        (1, 0.2, 0.5, 0.534205967865),
        (2, 0.5, 0, 2 / 3),
    ],
)
def test_ellipses(R1, R2, kappa, alpha):
    solution = capacity("manifold-ellipses", R1=R1, R2=R2, kappa=kappa)
    assert solution["alpha"] == pytest.approx(alpha, rel=0, abs=1e-12)
    assert solution.error["alpha"] < 1e-11


@pytest.mark.parametrize(("R1", "R2"), [(1, 1e-3), (1e-3, 2e-3), (0.2, 30), (100, 0.01)])
def test_polar_ellipses_share_the_dimensions(R1, R2):
    loads = [
        1 / capacity("manifold-ellipses", R1=r1, R2=r2)["alpha"]
        for r1, r2 in ((R1, R2), (1 / R1, 1 / R2))
    ]
    assert sum(loads) == pytest.approx(3, abs=3e-12)


def test_a_round_ellipsoid_is_a_ball_and_a_flat_axis_does_not_count():
    round_ = ManifoldModel(name="round", shape=Ellipsoid((0.5, 0.5, 0.5, 0.5, 0.5)))
    assert round_.solve()["alpha"] == pytest.approx(0.576511051976, abs=1e-12)
    flat = ManifoldModel(name="flat", shape=Ellipsoid((1, 0, 0.2)))
    assert flat.solve()["alpha"] == pytest.approx(0.906975902799, abs=1e-12)


@pytest.mark.parametrize(("kappa", "load", "error"), [(0, 1.6989, 0.0022), (0.5, 2.7643, 0.0029)])
def test_an_ellipsoid_in_ten_dimensions(kappa, load, error):
    model = ManifoldModel(name="many-axes", shape=Ellipsoid([1 / i for i in range(1, 11)]),
                          margin=kappa)  # fmt: skip
    solution = model.solve()
    assert solution.method == "sampling"
    own = solution.error["alpha"] / solution["alpha"] ** 2
    assert 1 / solution["alpha"] == pytest.approx(load, abs=3 * math.hypot(error, own))
    assert own < error


@pytest.mark.parametrize(
    ("D", "R", "alpha"),
    [
        (1, 0.5, 1.257597088519), (2, 1, 0.723058708199), (5, 1, 0.468478667712),
        (5, 2, 0.297391151835), (10, 1, 0.351573254415), (20, 2, 0.135911594966),
        (50, 1, 0.207773649324),
    ],
)  # fmt: skip
def test_cross_polytopes(D, R, alpha):
    solution = replica.load("manifold-l1-balls").solve(D=D, R=R)
    assert solution["alpha"] == pytest.approx(alpha, rel=0, abs=2e-12)
    assert solution.error["alpha"] < 1e-11


# -- thresholds, correlated centres ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "kappa", "alpha", "b"),
    [
        (0.2, 0, 2.6675945915, 0.54915582), (0.1, 0, 3.9129018539, 0.86159211),
        (0.05, 0, 6.0828452108, 1.14017113), (0.01, 0, 19.1972858177, 1.71743685),
        (0.001, 0, 118.8493768513, 2.43582824), (0.2, 0.5, 1.3056935398, 0.68892482),
        (0.1, 0.5, 1.9620848566, 1.06957842), (0.05, 0.5, 3.1337869373, 1.39935955),
        (0.01, 0.5, 10.5384717875, 2.05496910),
    ],
)  # fmt: skip
def test_sparse_labels_of_points(f, kappa, alpha, b):
    solution = capacity("manifold-points-sparse", f=f, kappa=kappa)
    assert solution["alpha"] == pytest.approx(alpha, rel=0, abs=1e-10)
    # The given thresholds come from a minimisation, which sees half of the digits.
    assert solution["b"] == pytest.approx(b, rel=0, abs=5e-8)
    exact = mpmath.findroot(
        lambda x: f * _multiplier(kappa + x) - (1 - f) * _multiplier(kappa - x), b
    )
    assert solution["b"] == pytest.approx(float(exact), rel=1e-13)


def _multiplier(k):
    return k * mpmath.ncdf(k) + mpmath.npdf(k)


@pytest.mark.parametrize(
    ("R", "D", "f", "alpha", "b"),
    [
        (0.5, 5, 0.2, 0.7993030566, 0.91745700), (0.5, 5, 0.05, 2.0163747465, 1.80395286),
        (0.5, 5, 0.01, 7.1436933778, 2.57175519), (1, 10, 0.2, 0.2663392233, 1.91516174),
        (1, 10, 0.05, 0.7417489944, 3.33798146), (1, 10, 0.01, 2.8408976365, 4.39743188),
    ],
)  # fmt: skip
def test_sparse_labels_of_balls(R, D, f, alpha, b):
    solution = capacity("manifold-balls-sparse", R=R, D=D, f=f)
    assert solution["alpha"] == pytest.approx(alpha, rel=0, abs=1e-10)
    assert solution["b"] == pytest.approx(b, rel=0, abs=5e-8)
    assert solution.error["b"] < 1e-10


def test_balanced_labels_need_no_threshold():
    solution = capacity("manifold-balls-sparse", f=0.5)
    assert solution["b"] == pytest.approx(0, abs=1e-12)
    assert solution["alpha"] == pytest.approx(solution["alpha_without_threshold"], rel=1e-13)


@pytest.mark.parametrize(
    ("R", "D", "rho", "alpha"),
    [
        (0.5, 5, 0.5, 0.433125194124), (0.5, 5, 0.8, 0.309678998156),
        (1, 2, 0.5, 0.574994750730), (0.3, 10, 0.3, 0.508831440842),
    ],
)  # fmt: skip
def test_correlated_centres(R, D, rho, alpha):
    solution = capacity("manifold-balls-correlated", R=R, D=D, rho=rho)
    assert solution["alpha"] == pytest.approx(alpha, rel=0, abs=1e-12)


# -- contexts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("K", "phi", "alpha"), [(1, 0, 4), (2, 0, 8), (2, 0.5, 6), (3, 0, 16)])
def test_contexts_of_points(K, phi, alpha):
    found = capacity("manifold-points-contexts", K=K, phi=phi)["alpha"]
    assert found == pytest.approx(alpha, rel=1e-13)


@pytest.mark.parametrize("K", [1, 2, 3, 4, 5, 6])
def test_half_correlated_contexts_of_points(K):
    found = capacity("manifold-points-contexts", K=K, phi=0.5)["alpha"]
    assert found == pytest.approx(2 * (K + 1), rel=1e-10)


@pytest.mark.parametrize(
    ("R", "D", "alpha", "error"),
    [
        (0.5, 5, 0.76123, 0.00037), (1, 5, 0.39684, 0.00013), (1, 2, 0.93222, 0.00048),
        (0.3, 10, 0.80253, 0.00041), (2, 3, 0.45034, 0.00008), (1, 20, 0.09997, 0.00002),
    ],
)  # fmt: skip
def test_contexts_of_balls(R, D, alpha, error):
    model = replica.load("manifold-balls-contexts")
    solution = model.solve(settings=CapacitySettings(samples=2**15), R=R, D=D)
    allowed = 3 * math.hypot(error, solution.error["alpha"])
    assert solution["alpha"] == pytest.approx(alpha, abs=allowed)
    assert allowed < 0.006


def test_contexts_of_a_ball_and_of_a_dense_cloud_with_a_margin():
    contexts, settings = Contexts(2, 0.3), CapacitySettings(samples=2**14)
    ball = ManifoldModel(name="ball", shape=Segment(0.8), margin=0.4, contexts=contexts)
    dense = PointCloud(np.linspace(-0.8, 0.8, 81)[:, None])
    cloud = ManifoldModel(name="cloud", shape=dense, margin=0.4, contexts=contexts)
    first, second = ball.solve(settings=settings), cloud.solve(settings=settings)
    allowed = 4 * math.hypot(first.error["alpha"], second.error["alpha"])
    assert first["alpha"] == pytest.approx(second["alpha"], abs=allowed)
    assert allowed < 0.06


@pytest.mark.parametrize(
    ("contexts", "alpha", "error"),
    [
        (Contexts(1), 0.940, 0.004),
        (Contexts(2), 1.572, 0.004),
        (Contexts(2, 0.5), 1.2753, 0.0033),
    ],
)
def test_contexts_of_a_cloud(contexts, alpha, error):
    model = ManifoldModel(name="cloud", shape=cloud(0, 10, 5, 1.0), contexts=contexts)
    solution = model.solve(settings=CapacitySettings(samples=2**14))
    assert solution["alpha"] == pytest.approx(
        alpha, abs=3 * math.hypot(error, solution.error["alpha"])
    )


def test_sparse_labels_with_contexts_of_points():
    """Minimised over threshold and component, by quadrature over the field of the context."""
    from scipy.optimize import minimize

    f, kappa = 0.1, 0.4
    nodes, weights = np.polynomial.legendre.leggauss(200)
    nodes, weights = 5 * (nodes + 1), 5 * weights
    weights = weights * norm.pdf(nodes)  # of a positive field

    def inverse(k):
        return (1 + k**2) * norm.cdf(k) + k * norm.pdf(k)

    def load(x):
        a, b = x
        s = np.sqrt(1 + a * a)
        both = f * inverse(s * kappa + b - a * nodes) + (1 - f) * inverse(s * kappa - b + a * nodes)
        return weights @ both

    best = minimize(load, [0.3, 0.5], tol=1e-13)
    model = ManifoldModel(
        name="points", shape=Point(), margin=kappa, positive_fraction=f, contexts=Contexts(1)
    )
    solution = model.solve()
    assert best.x == pytest.approx([0, solution["b"]], abs=1e-5)
    assert 1 / solution["alpha"] == pytest.approx(best.fun, rel=1e-7)
    sparse = replica.load("manifold-points-sparse").solve(f=f, kappa=kappa)
    assert solution["alpha"] == pytest.approx(2 * sparse["alpha"], rel=1e-12)
    assert solution["context_component"] == 0


def test_sparse_labels_with_contexts_of_a_ball_and_of_a_dense_cloud():
    """Two programs for one average: sections of a ball, and quadratic programs."""
    options = {"margin": 0.4, "contexts": Contexts(2, 0.3), "positive_fraction": 0.1}
    dense = PointCloud(np.linspace(-0.8, 0.8, 25)[:, None])
    ball, many = (
        ManifoldModel(name="gated", shape=shape, **options).solve(
            settings=CapacitySettings(samples=2**power)
        )
        for shape, power in ((Segment(0.8), 15), (dense, 12))
    )
    for name in ("alpha", "b", "context_component"):
        allowed = 4 * math.hypot(*(s.error.get(name, s.observable_error.get(name))
                                   for s in (ball, many)))  # fmt: skip
        assert ball[name] == pytest.approx(many[name], abs=allowed)
        assert allowed < 0.2
    assert max(ball.residual, many.residual) < 1e-8
    # The component along the context vectors is not zero, and a threshold alone does worse.
    assert ball["context_component"] > 4 * ball.observable_error["context_component"]
    assert ball["alpha"] > 2 * ball["alpha_without_contexts"]


@pytest.mark.parametrize("shape", [Ball(0.5, 5), PointCloud([[0.5, 0.1], [-0.3, 0.4], [0, -0.6]])])
def test_balanced_labels_with_contexts_need_neither_threshold_nor_component(shape):
    settings = CapacitySettings(samples=512)
    plain = ManifoldModel(name="plain", shape=shape, contexts=Contexts(2, 0.5))
    half = ManifoldModel(
        name="half", shape=shape, contexts=Contexts(2, 0.5), positive_fraction=0.5
    ).solve(settings=settings)
    assert half["alpha"] == pytest.approx(plain.solve(settings=settings)["alpha"], rel=1e-10)
    assert half["b"] == pytest.approx(0, abs=1e-8)
    assert half["context_component"] == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("name", ["ball", "cloud"])
def test_slopes_of_the_average_of_a_region_are_those_of_differences(name):
    from replica.evaluate.context_samples import BallRegions, CloudRegions, Labels

    settings, root = CapacitySettings(samples=256, estimator="distance"), np.eye(2)
    sample = (
        BallRegions(Ball(0.7, 3.0), root, settings)
        if name == "ball"
        else CloudRegions(cloud(0, 6, 3, 1.0), root, settings)
    )

    def value(x):
        labels = Labels([(0.2, 1), (0.8, -1)], x[3], x[:2], x[2])
        return sample.average((1, -1), labels)

    x, step = np.array([0.2, -0.1, 0.5, 0.3]), 1e-5
    slopes = value(x).slopes.mean(axis=0)
    differences = [
        (value(x + step * e).plain - value(x - step * e).plain) / (2 * step) for e in np.eye(4)
    ]
    assert slopes == pytest.approx(differences, abs=1e-5)


def test_busy_and_idle_contexts_of_a_cloud():
    """Averages of both kinds of regions of two correlated context vectors."""
    from replica.evaluate.contexts import context_averages

    settings = CapacitySettings(samples=2**14)
    found = context_averages(cloud(0, 10, 5, 1.0), 0.0, np.array([[1, 0.5], [0.5, 1]]), settings)
    for signs, load, error in (((1, 1), 0.7841, 0.0020), ((1, -1), 0.4769, 0.0016)):
        own = found.regions[signs].load
        assert own.value == pytest.approx(load, abs=3 * math.hypot(error, own.error))


# -- clouds ----------------------------------------------------------------------------------------


def cloud(seed, points, dimension, radius):
    random = np.random.default_rng(seed)
    return PointCloud(radius / np.sqrt(dimension) * random.standard_normal((points, dimension)))


def test_the_cloud_is_the_one_of_the_table():
    first = [0.05622826, -0.05907909, 0.28640572, 0.04691276, -0.23955863]
    np.testing.assert_allclose(cloud(0, 10, 5, 1.0).array[0], first, atol=5e-9)


@pytest.mark.parametrize(
    ("setup", "kappa", "alpha", "radius", "dimension", "about_mean", "by_overlap"),
    [
        ((0, 10, 5, 1.0), 0, 0.6059146593, 0.91345588, 2.62121573, 0.87380301, 2.42313934),
        ((1, 20, 10, 1.0), 0, 0.4376226206, 0.86087785, 4.30187647, 0.83662615, 4.02618087),
        ((2, 50, 20, 0.5), 0, 0.5351395813, 0.47472261, 6.12510476, 0.46724523, 5.89990532),
        ((3, 30, 3, 2.0), 0, 0.3439854066, 2.23058532, 3.05442150, 2.22324151, 2.88785537),
        ((0, 10, 5, 1.0), 0.5, 0.3811452054, 0.82863268, 2.84704275, 0.79430978, 2.69741101),
    ],
)
def test_a_given_sample_repeats_to_the_last_digit(
    setup, kappa, alpha, radius, dimension, about_mean, by_overlap
):
    model = ManifoldModel(name="cloud", shape=cloud(*setup), margin=kappa)
    settings = CapacitySettings(samples=1000, seed=12345, estimator="distance")
    solution = model.solve(settings=settings)
    assert solution["alpha"] == pytest.approx(alpha, rel=0, abs=6e-11)
    expected = (radius, dimension, about_mean, by_overlap)
    names = ("radius", "dimension", "radius_about_mean", "dimension_by_overlap")
    for name, value in zip(names, expected, strict=True):
        assert solution[name] == pytest.approx(value, rel=0, abs=6e-9)
    assert (solution.method, solution.samples, solution.seed) == ("sampling", 1000, 12345)
    assert solution.residual < 1e-13


@pytest.mark.parametrize(
    ("setup", "kappa", "ball", "points"),
    [
        ((0, 10, 5, 1.0), 0, 0.580, 0.469), ((1, 20, 10, 1.0), 0, 0.418, 0.357),
        ((2, 50, 20, 0.5), 0, 0.530, 0.485), ((3, 30, 3, 2.0), 0, 0.352, 0.284),
        ((0, 10, 5, 1.0), 0.5, 0.372, 0.321),
    ],
)  # fmt: skip
def test_a_cloud_is_nearly_a_ball_of_its_radius_and_dimension(setup, kappa, ball, points):
    """And, in many dimensions, points with a larger margin (same papers as the equation)."""
    settings = CapacitySettings(samples=1000, seed=12345, estimator="distance")
    found = ManifoldModel(name="cloud", shape=cloud(*setup), margin=kappa).solve(settings=settings)
    R, D = found["radius"], found["dimension"]
    round_ = capacity("manifold-balls", R=R, D=D, kappa=kappa)["alpha"]
    assert round_ == pytest.approx(ball, abs=6e-4)
    assert round_ == pytest.approx(found["alpha"], rel=0.05)
    larger = (kappa + R * math.sqrt(D)) / math.sqrt(1 + R**2)
    assert capacity("manifold-points", kappa=larger)["alpha"] == pytest.approx(points, abs=6e-4)


def test_the_sample_of_the_published_routine():
    model = ManifoldModel(name="cloud", shape=cloud(0, 10, 5, 1.0))
    settings = CapacitySettings(samples=2000, seed=12345, estimator="distance")
    solution = model.solve(settings=settings)
    assert solution["alpha"] == pytest.approx(0.6099816083401562, rel=1e-11)
    assert solution["radius_about_mean"] == pytest.approx(0.878308927, abs=6e-10)
    assert solution["dimension_by_overlap"] == pytest.approx(2.449781, abs=6e-7)


@pytest.mark.parametrize(
    ("setup", "kappa", "load", "error", "radius", "dimension", "by_overlap"),
    [
        ((0, 10, 5, 1.0), 0, 1.6808, 0.0011, 0.911, 2.595, 2.456),
        ((1, 20, 10, 1.0), 0, 2.3112, 0.0035, 0.863, 4.293, 4.094),
        ((2, 50, 20, 0.5), 0, 1.8234, 0.0033, 0.478, 5.982, 5.786),
        ((3, 30, 3, 2.0), 0, 2.7721, 0.0024, 2.253, 2.916, 2.883),
        ((0, 10, 5, 1.0), 0.5, 2.6434, 0.0062, 0.829, 2.798, 2.707),
    ],
)
def test_many_samples_agree_within_their_errors(
    setup, kappa, load, error, radius, dimension, by_overlap
):
    model = ManifoldModel(name="cloud", shape=cloud(*setup), margin=kappa)
    solution = model.solve(settings=CapacitySettings(samples=2**14))
    own = solution.error["alpha"] / solution["alpha"] ** 2
    assert 1 / solution["alpha"] == pytest.approx(load, abs=3 * math.hypot(own, error))
    assert own < 0.006
    expected = {"radius": radius, "dimension": dimension, "dimension_by_overlap": by_overlap}
    for name, value in expected.items():
        # The printed values have a sampling error too, of about half of ours, and three digits.
        allowed = 4 * solution.observable_error[name] + 1e-3
        assert solution[name] == pytest.approx(value, abs=allowed)


def test_controlled_estimates_are_unbiased_and_their_errors_honest():
    model = ManifoldModel(name="cloud", shape=cloud(0, 10, 5, 1.0), margin=0.3)
    exact = 1 / model.solve(settings=CapacitySettings(samples=2**17, seed=10**6))["alpha"]
    scores = []
    for seed in range(60):
        solution = model.solve(settings=CapacitySettings(samples=256, seed=seed))
        error = solution.error["alpha"] / solution["alpha"] ** 2
        scores.append((1 / solution["alpha"] - exact) / error)
    assert abs(np.mean(scores)) < 4 / math.sqrt(60)
    assert 0.75 < np.std(scores) < 1.3


def test_sparse_labels_of_a_cloud_gain_by_the_threshold():
    points = cloud(0, 10, 5, 1.0)
    settings = CapacitySettings(samples=2**13)
    model = ManifoldModel(name="cloud", shape=points, positive_fraction=0.1)
    solution = model.solve(settings=settings)

    def load(b):
        terms = []
        for weight, margin in ((0.1, b), (0.9, -b)):
            one = ManifoldModel(name="one", shape=points, margin=margin)
            terms.append(weight / one.solve(settings=settings)["alpha"])
        return sum(terms)

    best = solution["b"]
    assert 1 / solution["alpha"] == pytest.approx(load(best), rel=2e-3)
    assert load(best) < min(load(best - 0.3), load(best + 0.3), load(0))


# -- other models of the library -------------------------------------------------------------------


def test_points_come_out_of_the_saddle_point_of_the_volume_too():
    """Of Gardner's free entropy, at finite load, and where the least violation sets in."""
    volume = replica.load("gardner-spherical")
    table = [
        (0.5, 0, 0.307393175380, -0.377669575132),
        (1, 0, 0.585311851791, -0.855820596715),
        (1.5, 0, 0.821721186839, -1.589208239693),
        (0.5, 0.5, 0.591820732224, -0.756742911932),
        (0.3, 1, 0.634263821252, -0.758221304996),
    ]
    sphere = math.log(2 * math.pi * math.e) / 2
    for alpha, kappa, q, entropy in table:
        solution = volume.solve(alpha=alpha, kappa=kappa)
        assert solution["q"] == pytest.approx(q, abs=1e-11)
        assert solution["free_entropy"] - sphere == pytest.approx(entropy, abs=1e-11)


def test_the_average_of_a_segment_comes_out_of_the_compiled_quadrature_too():
    """The regimes of a ball in one dimension, as nested averages of a declared functional."""
    import sympy as sp

    from replica import Average, FunctionalModel, OrderParameter, Parameter

    R, kappa = Parameter("R", 0.8, (0, 10), open="lower"), Parameter("kappa", 0.3)
    m, mhat, t0, t = sp.symbols("m mhat t0 t", real=True)
    size = sp.Abs(t)
    touching = sp.Max(0, R * size + kappa - t0) ** 2 / (1 + R**2)
    # Beyond t_0 < kappa - |t|/R the anchor stops at the end of the normal cone.
    beyond = sp.Max(0, kappa - size / R - t0) ** 2 * R**2 / (1 + R**2)
    load = Average(Average(touching + beyond, t0), t)
    model = FunctionalModel(
        name="segment",
        free_entropy=-m * mhat + m**2 / 2 + mhat**2 / 4,
        order_parameters=[OrderParameter(m, mhat)],
        observables={"load": load},
    )
    for values in ({"R": 0.8, "kappa": 0.3}, {"R": 0.2, "kappa": 0.0}, {"R": 3.0, "kappa": 1.0}):
        found = model.solve(**values)["load"]
        expected = 1 / capacity("manifold-segments", **values)["alpha"]
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", [n for n in replica.registry.built_in_models() if "manifold" in n])
def test_models_pass_their_own_check(name):
    report = replica.load(name).check()
    assert report.passed, str(report)


def test_a_scan_is_the_solves():
    model = replica.load("manifold-balls")
    ds = model.scan(R=[0.2, 1.0], D=[1, 10], progress=False)
    for R in (0.2, 1.0):
        for D in (1, 10):
            alpha = model.solve(R=R, D=D)["alpha"]
            assert float(ds.alpha.sel(R=R, D=D)) == alpha


def test_a_ball_of_other_radius_than_declared_is_a_parameter():
    R = replica.Parameter("R", 0.5, (0, 2))
    model = ManifoldModel(name="mine", shape=Ball(2 * R, 5))
    assert model.solve(R=0.25)["alpha"] == pytest.approx(0.576511051976, abs=1e-12)
