"""Factored attention (arXiv:2304.07235) against numbers computed without the package.

The paper prints no numbers. The saddle values are those of a separate NumPy solver with
Gauss-Hermite rules; they are trusted to all digits but the last. Where its rule was too coarse
(entropies, many sequences, the square loss and the posterior mean of uniform contexts) dense
Gauss-Legendre grids replace it (`potts_equations`).
"""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from replica.models import potts_attention as attention

from replica import load

sys.path.insert(0, str(Path(__file__).parent))
import potts_equations as by_hand

U3 = [["1", "1/2", "-1/5"], ["1/2", "1/5", "3/10"], ["-1/5", "3/10", "-7/10"]]
U3B = [["3/2", "1/2", "-1/5"], ["1/2", "9/10", "3/10"], ["-1/5", "3/10", "-1/10"]]
NAMES = ("q", "m", "chi", "train_loss", "test_cross_entropy", "free_energy")
# (model, alpha, lambda, rho): q, m, chi, training loss, test cross-entropy, energy, and the
# test error of 4e5 samples (+-0.001).
POINTS = {
    ("potts-directed-2", 3, 0.1, 4): (
        4.0184600, 3.0412029, 2.4554598, 0.32047262, 0.60859274, 1.1623408, 0.3039,
    ),
    ("potts-directed-3", 2, 0.1, 9): (
        4.9007404, 5.3309109, 3.0490659, 0.51554795, 0.85173373, 1.2761329, 0.3912,
    ),
    ("potts-star-3", 2, 0.1, 9): (
        5.1332558, 5.6744239, 3.7103424, 0.33931691, 0.59442428, 0.93529661, 0.2466,
    ),
    ("potts-star-4", 1, 0.3, 16): (
        1.5406305, 4.2223833, 2.3303638, 0.64003498, 0.84034564, 0.87112956, 0.2448,
    ),
    ("potts-star-2", 1.5, 0.01, 6): (
        13.976926, 6.3634807, 39.510403, 0.03747049, 0.5294895, 0.12609036, 0.1977,
    ),
}  # fmt: skip
# The same for colour matrices of the true model and of the attention.
MATRICES = {
    "another value matrix": (
        lambda: attention.directed(U3, [[1, 0, 0], [0, 1, 0], [0, 0, 1]], name="a4"), 4, 0.05, 9,
        (1.4293620, -0.20959318, 1.3594554, 0.96481819, 1.2455200, 3.8950068, 0.6658),
    ),
    "a similar value matrix": (
        lambda: attention.directed(U3B, [[1, 0, 0], [0, 1, 0], [0, 0, 1]], name="a9"), 3, 0.05, 8,
        (3.7785765, 3.5728719, 2.1721764, 0.78525287, 1.1577381, 2.4502230, 0.5457),
    ),
    "the same matrix, no symmetry": (
        lambda: attention.star(U3B, name="a10"), 3, 0.05, 8,
        (8.8014751, 6.6270966, 5.8478527, 0.54362944, 0.78814909, 1.8509252, 0.3620),
    ),
}  # fmt: skip
CONJUGATES = {
    ("potts-directed-2", 3, 0.1, 4): (0.28299073, 0.30963681, 0.30725570),
    ("potts-directed-3", 2, 0.1, 9): (0.18749639, 0.19426390, 0.22796930),
    ("potts-star-3", 2, 0.1, 9): (0.11299630, 0.16992813, 0.16951690),
    ("potts-star-4", 1, 0.3, 16): (0.078508512, 0.11324367, 0.12911755),
    ("potts-star-2", 1.5, 0.01, 6): (0.0046301163, 0.02684306, 0.01530979),
}
# alpha: q, m, chi, test cross-entropy, cosine at C = 3, rho = 9, lambda = 0.1.
CURVES = {
    "potts-directed-3": {
        0.5: (1.975039, 2.210455, 6.749319, 1.010712, 0.524291),
        1: (3.330435, 3.673211, 4.890398, 0.940391, 0.670925),
        2: (4.900740, 5.330911, 3.049066, 0.851734, 0.802693),
        4: (6.303166, 6.735417, 1.705396, 0.774003, 0.894260),
        8: (7.363740, 7.703476, 0.902177, 0.723149, 0.946273),
    },
    "potts-star-3": {
        0.5: (1.955318, 2.814120, 7.022543, 0.757625, 0.670830),
        1: (3.352453, 4.192286, 5.416747, 0.664311, 0.763217),
        2: (5.133256, 5.674424, 3.710342, 0.594424, 0.834842),
        4: (6.790107, 6.974510, 2.269829, 0.543740, 0.892183),
        8: (7.895018, 7.886717, 1.274347, 0.507591, 0.935618),
    },
}
LAMBDA_SCAN = {0.03: 0.95208, 0.1: 0.85173, 0.2: 0.84931, 0.3: 0.86290, 0.5: 0.89192, 1: 0.94347}


def digits(value):
    """Two units of the last but one printed digit, of eight."""
    return 2 * 10.0 ** (math.floor(math.log10(abs(value))) - 6)


def expect(solution, row):
    for name, value in zip(NAMES, row[:-1], strict=True):
        assert solution[name] == pytest.approx(value, abs=digits(value)), name
    assert solution["test_error"] == pytest.approx(row[-1], abs=0.0015)


@pytest.mark.parametrize("case", POINTS, ids=str)
def test_trained_attention(case):
    name, alpha, lam, rho = case
    solution = load(name).solve(alpha=alpha, lam=lam, rho=rho)
    expect(solution, POINTS[case])
    for conjugate, value in zip(("qhat", "mhat", "Vhat"), CONJUGATES[case], strict=True):
        assert solution[conjugate] == pytest.approx(value, abs=2 * digits(value)), conjugate
    energy = alpha * solution["train_loss"] + lam * solution["q"] / 2
    assert solution["free_energy"] == pytest.approx(energy, rel=1e-12)
    colours = int(name[-1])
    features = by_hand.feature_map(colours)
    odds = [1 / colours] * colours if "star" in name else None
    least = by_hand.entropy_of_labels(features, rho, odds)
    assert solution["least_cross_entropy"] == pytest.approx(least, abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("case", MATRICES)
def test_other_colour_matrices(case):
    build, alpha, lam, rho, row = MATRICES[case]
    solution = build().solve(alpha=alpha, lam=lam, rho=rho)
    expect(solution, row)
    if "same" in case:
        assert solution["qhat"] == pytest.approx(0.096839989, abs=2e-8)
        assert solution["mhat"] == pytest.approx(0.14165662, abs=2e-7)
        assert solution["Vhat"] == pytest.approx(0.12100294, abs=2e-7)


@pytest.mark.parametrize("name", CURVES)
def test_learning_curves(name):
    rows = CURVES[name]
    curve = load(name).scan(alpha=list(rows), lam=0.1, rho=9.0, progress=False)
    names = ("q", "m", "chi", "test_cross_entropy", "cosine")
    for k, row in enumerate(rows.values()):
        for quantity, value in zip(names, row, strict=True):
            sixth = 10.0 ** (math.floor(math.log10(value)) - 5)
            assert float(curve[quantity][k]) == pytest.approx(value, abs=sixth), (quantity, k)


def test_the_best_penalty_is_near_the_bayes_optimal_error():
    scan = load("potts-directed-3").scan(lam=list(LAMBDA_SCAN), alpha=2.0, rho=9.0, progress=False)
    np.testing.assert_allclose(scan["test_cross_entropy"], list(LAMBDA_SCAN.values()), atol=6e-6)
    assert float(scan["test_cross_entropy"].min()) > 0.845749


def test_bayes_optimal_couplings():
    """Against a fixed point on dense grids (three colours: computed once, 160 s)."""
    overlap, surprise = by_hand.bayes_overlap(by_hand.feature_map(2), 4.0, 3.0)
    two = load("potts-bayes-2").solve(alpha=3, rho=4)
    assert two["q"] == pytest.approx(overlap, abs=1e-10)
    assert surprise == pytest.approx(0.5720181459, abs=2e-8)
    step = 1e-4
    high, low = (load("potts-bayes-2").solve(alpha=3 + s, rho=4) for s in (step, -step))
    slope = (high.free_entropy - low.free_entropy) / (2 * step)
    assert -slope == pytest.approx(surprise, abs=1e-7)
    three = load("potts-bayes-3").solve(alpha=2, rho=9)
    assert three["q"] == pytest.approx(5.807366501400, abs=1e-9)
    assert three.replicon > 0


def test_square_loss_in_closed_form():
    """All algebra, but one average that is the same for every load and penalty."""
    alpha, lam, rho, dimension = 2.0, 0.1, 9.0, 2
    features = by_hand.feature_map(3)
    x, w = by_hand.normal_grid(dimension)
    p = by_hand.softmax(math.sqrt(rho) * x @ features.T)
    square = np.sum(features**2)
    tau = float(w @ (p @ np.sum(features**2, axis=1) - np.sum((p @ features) ** 2, axis=1)))
    s0, third = square / 3, 1 / 3
    # chi (lam + alpha k d/3) = 1 with k = 1/(1 + chi/3).
    b = lam + alpha * dimension * third - third
    chi = (-b + math.sqrt(b**2 + 4 * lam * third)) / (2 * lam * third)
    k = 1 / (1 + chi * third)
    for name, force, push in (
        ("star", None, s0),
        ("directed", alpha * k * tau, s0),
    ):
        if name == "star":  # m = rho chi mh, mh = alpha k s0 (1 - m/3)
            gain = rho * chi * alpha * k * s0
            m = gain / (1 + gain * third)
            force = m / (rho * chi)
            fixed = alpha * k**2 * s0 * (1 - m * third) ** 2
        else:
            m = rho * chi * force
            fixed = alpha * k**2 * (push - 2 * m * tau * third)
        slope = alpha * k**2 * dimension * third**2
        q = chi**2 * (rho * force**2 + fixed) / (1 - chi**2 * slope)
        solution = load(f"potts-{name}-square-3").solve(alpha=alpha, lam=lam, rho=rho)
        assert solution["chi"] == pytest.approx(chi, rel=1e-11)
        assert solution["m"] == pytest.approx(m, rel=1e-11)
        assert solution["q"] == pytest.approx(q, rel=1e-11)
    assert chi == pytest.approx(0.88533865071, abs=1e-10)


def test_a_strong_penalty_is_the_hebb_rule():
    """To leading order ``m = rho mh/lam``, ``q = (rho mh^2 + qh)/lam^2``."""
    for name, q, m in (
        ("potts-directed-3", 1.05242277e-6, 2.34039774e-3),
        ("potts-star-3", 2.21778408e-6, 3.99600358e-3),
    ):
        solution = load(name).solve(alpha=2, lam=1000, rho=9)
        # The directed values hold the coarse rule of their source (3e-5).
        tolerance = 1e-4 if "directed" in name else 1e-7
        assert solution["q"] == pytest.approx(q, rel=tolerance)
        assert solution["m"] == pytest.approx(m, rel=tolerance)
        leading = 9 * 2 * 2 / 9 / 1000
        if "star" in name:
            assert solution["m"] == pytest.approx(leading, rel=2e-3)


@pytest.mark.parametrize("name", ["potts-directed-3", "potts-star-3"])
def test_many_sequences_reach_the_fisher_information(name):
    """Twice ``alpha`` times the excess tends to one, and ``alpha`` times the error to ``1/I``."""
    features = by_hand.feature_map(3)
    x, w = by_hand.normal_grid(2)
    z = 3 * x if "directed" in name else 3 * x + 9 * features[0]
    p = by_hand.softmax(z @ features.T)
    mean = p @ features
    information = float(w @ (p @ np.sum(features**2, axis=1) - np.sum(mean**2, axis=1)))
    products, errors = [], []
    for alpha in (100, 200):
        solution = load(name).solve(alpha=alpha, lam=1e-6, rho=9)
        excess = solution["test_cross_entropy"] - solution["least_cross_entropy"]
        products.append(2 * alpha * excess)
        errors.append(alpha * solution["coupling_error"] * information)
    for first, second in (products, errors):
        assert 1 < second < first < 1.05
        assert 2 * second - first == pytest.approx(1, abs=1e-3)  # corrections of 1/alpha


@pytest.mark.parametrize(("alpha", "start"), [(0.5, (2.0, 2.8, 7.0)), (2.0, (5.0, 5.7, 3.7))])
def test_the_star_on_a_grid_by_hand(alpha, start):
    q, m, chi = by_hand.trained(by_hand.feature_map(3), 9.0, alpha, 0.1, False, start)
    solution = load("potts-star-3").solve(alpha=alpha, lam=0.1, rho=9)
    assert solution["q"] == pytest.approx(q, rel=1e-9)
    assert solution["m"] == pytest.approx(m, rel=1e-9)
    assert solution["chi"] == pytest.approx(chi, rel=1e-9)


def test_two_colours_are_logistic_regression():
    """Of the spins: one field, ``log(1 + exp(-y z))``, labels of a logistic teacher."""
    import sympy as sp

    from replica import DiscreteLabels, Field, Flat, Gaussian, Model, Parameter, Quenched, Thermal

    w, t, h, h0, y = sp.symbols("w t h h0 y", real=True)
    alpha, lam = Parameter("alpha", 3.0, (0, 9)), Parameter("lam", 0.1, (0, 9))
    logistic = Model(
        name="logistic-teacher-and-student",
        thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2),
        quenched=Quenched(t, Gaussian(0, 4)),
        fields=Field(
            h, alpha, loss=sp.log(1 + sp.exp(-y * h)),
            labels=DiscreteLabels(y, (1, -1), 1 / (1 + sp.exp(-y * h0)), h0),
        ),
        temperature=0,
    )  # fmt: skip
    one = logistic.solve(alpha=3, lam=0.1)
    two = load("potts-directed-2").solve(alpha=3, lam=0.1, rho=4)
    for name in ("m", "q", "chi", "free_energy", "replicon"):
        assert two[name] == pytest.approx(one[name], rel=1e-9), name


def test_the_matched_equations_follow_from_the_full_ones():
    model = load("potts-bayes-2")
    assert model.saddle_point().bayes_optimal
    from replica.solve.point import solve_point

    start = {"m": 1.0, "q": 1.0, "V": 2.0}
    full = solve_point(model.name, model.compile(reduce=False), {"alpha": 3.0, "rho": 4.0}, start)
    reduced = model.solve(alpha=3, rho=4)
    assert full["m"] == pytest.approx(reduced["q"], abs=1e-9)
    assert full["free_entropy"] == pytest.approx(reduced["free_entropy"], abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "alpha", "row"),
    [
        ("potts-full-directed-3", 6, (2.584225, 2.077725, 1.892255, 0.408628, 0.941145, 3.227037)),
        ("potts-full-star-3", 4, (1.982869, 1.803964, 3.120814, 0.230844, 0.676901, 1.518236)),
    ],
)
def test_full_pseudo_likelihood(name, alpha, row):
    """Nine couplings a site instead of one; six digits are trusted."""
    solution = load(name).solve(alpha=alpha, lam=0.1, rho=9)
    q, m, chi, train, test, energy = row
    values = dict(solution.order_parameters)
    if "star" in name:  # the basis of the plane: u = m G*_a
        values = {"q": values["q_11"], "m": math.sqrt(2) * values["m_11"], "chi": values["chi_11"]}
    assert values["q"] == pytest.approx(q, abs=2e-6)
    assert values["m"] == pytest.approx(m, abs=2e-6)
    assert values["chi"] == pytest.approx(chi, abs=2e-6)
    assert solution["train_loss"] == pytest.approx(train, abs=2e-6)
    assert solution["test_cross_entropy"] == pytest.approx(test, abs=2e-6)
    assert 2 * solution["free_energy"] == pytest.approx(energy, abs=4e-6)


@pytest.mark.slow
def test_what_factoring_buys():
    """The excess is the number of parameters per site over ``2 alpha``: 4 against 1."""
    least = by_hand.entropy_of_labels(by_hand.feature_map(3), 9.0)
    products = []
    for alpha in (100, 200):
        solution = load("potts-full-directed-3").solve(alpha=alpha, lam=1e-6, rho=9)
        products.append(2 * alpha * (solution["test_cross_entropy"] - least))
    assert products[0] == pytest.approx(4.33676, abs=2e-3)
    assert 2 * products[1] - products[0] == pytest.approx(4, abs=0.02)
