"""Multi-class perceptron (arXiv:2203.12094) against numbers computed without the package.

The reference values come from a separate derivation in the plane of class differences and separate
quadrature (panels, 1e-9 to 1e-13); every printed digit is trusted to about one unit of the last. No
number printed in the paper itself was available.
"""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr

from replica import SolverSettings, Status, load
from replica.solve.point import solve_point

# alpha: q, test error, free entropy.
BAYES_GAUSSIAN = {
    2: {
        0.5: (0.280325734371, 0.322395339606, -0.3216658076),
        1: (0.486263637016, 0.254372970339, -0.5964412557),
        1.5: (0.629997517641, 0.208139534565, -0.8305517855),
        2: (0.728298173971, 0.174534185580, -1.0310381559),
        3: (0.842605876458, 0.129854826136, -1.3558882011),
        5: (0.932064245664, 0.083935169845, -1.8153659603),
        10: (0.981378085045, 0.043573203965, -2.4837523743),
        20: (0.995226919567, 0.022008761141, -3.1703465567),
        100: (0.999807510982, 0.004416386151, -4.7776537086),
    },
    3: {
        0.5: (0.237832483014, 0.471133078900, -0.5143416909),
        1: (0.418965651458, 0.390509582525, -0.9638864990),
        1.5: (0.553605072918, 0.332879516977, -1.3571800913),
        2: (0.652725944462, 0.288748199772, -1.7028049643),
        3: (0.780081032943, 0.225819382662, -2.2810102511),
        5: (0.895164790134, 0.154149601936, -3.1337160221),
        10: (0.968836430167, 0.083784319000, -4.4237245500),
        20: (0.991729118747, 0.043233533805, -5.7783952921),
        100: (0.999659232112, 0.008804213103, -8.9820521138),
    },
}
# alpha: q, test error, free entropy plus the entropy of the prior, on the uninformed branch.
BAYES_RADEMACHER_3 = {
    0.5: (0.240092318598, 0.470055046536, 1.3920069673),
    1: (0.429170936653, 0.386151373968, 0.9444728757),
    1.5: (0.574910301717, 0.323596407584, 0.5572797081),
    2: (0.690585268771, 0.271022894468, 0.2247230262),
    2.5: (0.795533286884, 0.217350343042, -0.0536579558),
    2.8: (0.870547149143, 0.171635728181, -0.1889242515),
}
ENTROPY_3 = 2.75 * math.log(2)  # eight rows of signs, of which the two uniform ones are one point
# (loss, classes, alpha, lambda): m, q, chi, test error, training loss, training error, energy.
TRAINED = {
    ("square", 2, 2, 0.5): (
        0.405778459748, 0.236797930865, 0.5615528128, 0.186118366481, 0.195485741756, 0.01537409,
        0.493780302182,
    ),
    ("square", 2, 2, 0.5707963268): (
        0.392453752003, 0.221418318904, 0.5332792481, 0.186027902646, 0.199527153809, 0.01627578,
        0.507788572806,
    ),
    ("square", 3, 2, 16 * math.pi / 27 - 1): (
        0.260761528860, 0.110339203779, 0.4453481712, 0.305301179526, 0.205226955592, 0.02538581,
        0.539192983378,
    ),
    ("square", 3, 2, 1): (
        0.247870954719, 0.099755598826, 0.4142135624, 0.305455701187, 0.212252039807, 0.02739697,
        0.558777475305,
    ),
    ("cross-entropy", 2, 2, 1): (
        0.539379897068, 0.436416105506, 0.6170526805, 0.195923640015, 0.354189409479, 0.03291917,
        0.926586871710,
    ),
    ("cross-entropy", 2, 1, 0.01): (
        1.962025357400, 7.987294366782, 44.9929166437, 0.255744070960, 0.024749610746, 0.0,
        0.064686082580,
    ),
    ("cross-entropy", 3, 1, 1): (
        0.264431407812, 0.178499703848, 0.8108661725, 0.402179454022, 0.624644023018, 0.02330100,
        0.803143726866,
    ),
    ("square", 3, 2, 0.1): (
        0.387416767936, 0.262339593663, 0.8442887702, 0.324813706497, 0.163090644143, 0.01533575,
        0.364441433147,
    ),
    ("square", 3, 0.5, 1): (
        0.092762750981, 0.036618315806, 0.7807764064, 0.472493398145, 0.150051443150, 0.00027381,
        0.129367214480,
    ),
    ("cross-entropy", 2, 2, 0.1): (
        1.618391801880, 3.620342732474, 3.3408328430, 0.176258574715, 0.127787330882, 0.00146060,
        0.436591798388,
    ),
    ("cross-entropy", 2, 5, 0.01): (
        5.762418398055, 35.630710295529, 7.0270347705, 0.084017592409, 0.037275460327, 0.00004117,
        0.364530853114,
    ),
    ("cross-entropy", 3, 2, 0.1): (
        1.412025607910, 3.069422487450, 4.0202807534, 0.290197008736, 0.195769454817, 0.00084227,
        0.698481158379,
    ),
    ("cross-entropy", 3, 2, 1): (
        0.461445818369, 0.356232582448, 0.6846872946, 0.313548203428, 0.584533378374, 0.04486336,
        1.525299339196,
    ),
    ("cross-entropy", 3, 1, 0.1): (
        0.841891345921, 1.693401469637, 6.0076177508, 0.390685241243, 0.187915715698, 0.00000292,
        0.357255862661,
    ),
    ("cross-entropy", 3, 5, 0.05): (
        3.018326300188, 10.227404919324, 3.0107846851, 0.157397685488, 0.136774854980, 0.00349928,
        1.195244520868,
    ),
}  # fmt: skip


# (classes, alpha): lambda of the least error, that error, that of the square loss at its best.
OPTIMALLY_REGULARISED = {
    (2, 0.5): (0.089456, 0.3224068395, 0.3228446054),
    (2, 1): (0.063117, 0.2544044596, 0.2570754402),
    (2, 2): (0.032532, 0.1745871853, 0.1860279026),
    (2, 5): (0.0079397, 0.0839799115, 0.1134011596),
    (2, 10): (0.0021639, 0.0435994209, 0.0782821427),
    (2, 50): (8.92e-5, 0.0088346352, 0.0342187510),
    (3, 1): (0.06704, 0.39053679, None),
    (3, 2): (0.03973, 0.28880362, 0.3053011795),
    (3, 5): (0.01200, 0.15421636, None),
}
BEST_RIDGE = {2: math.pi / 2 - 1, 3: 16 * math.pi / 27 - 1}


def test_error_of_two_classifiers(r, classes):
    """Probability that two Gaussian argmax labels of correlation ``r`` differ."""
    if classes == 2:
        return math.acos(r) / math.pi
    return 2 / 3 - 3 / (4 * math.pi**2) * (math.acos(-r) ** 2 - math.acos(r / 2) ** 2)


test_error_of_two_classifiers.__test__ = False


@pytest.mark.parametrize(
    ("classes", "alpha"), [(k, a) for k, rows in BAYES_GAUSSIAN.items() for a in rows]
)
def test_bayes_with_a_gaussian_teacher(classes, alpha):
    q, error, entropy = BAYES_GAUSSIAN[classes][alpha]
    solution = load(f"multiclass-bayes-gaussian-{classes}").solve(alpha=alpha)
    assert solution["q"] == pytest.approx(q, abs=2e-12)
    assert solution["test_error"] == pytest.approx(error, abs=2e-12)
    assert solution.free_entropy == pytest.approx(entropy, abs=2e-10)
    closed = test_error_of_two_classifiers(math.sqrt(q), classes)
    assert solution["test_error"] == pytest.approx(closed, abs=1e-11)


@pytest.mark.parametrize("alpha", BAYES_RADEMACHER_3)
def test_bayes_with_binary_rows(alpha):
    q, error, excess = BAYES_RADEMACHER_3[alpha]
    solution = load("multiclass-bayes-rademacher-3").solve(alpha=alpha)
    assert solution["q"] == pytest.approx(q, abs=2e-12)
    assert solution["test_error"] == pytest.approx(error, abs=2e-12)
    assert solution.free_entropy + ENTROPY_3 == pytest.approx(excess, abs=2e-10)


def test_information_theoretic_threshold_of_binary_rows():
    """The uninformed branch has the free entropy of perfect learning at alpha = 2.394895433."""
    model = load("multiclass-bayes-rademacher-3")
    found = model.boundary(f"free_entropy={-ENTROPY_3}", "alpha", bracket=(2.35, 2.45))
    assert found["alpha"] == pytest.approx(2.394895433, abs=2e-9)
    assert found["q"] == pytest.approx(0.77309019, abs=1e-8)
    assert found["test_error"] == pytest.approx(0.22957255, abs=1e-8)


@pytest.mark.slow
def test_end_of_the_uninformed_branch():
    """Message passing recovers the teacher from alpha = 2.885561065 on, where q = 0.91859731."""
    model = load("multiclass-bayes-rademacher-3")
    end = model.boundary("spinodal", "alpha", bracket=(2.6, 3.0))
    assert end["alpha"] == pytest.approx(2.885561065, abs=2e-9)
    assert end["q"] == pytest.approx(0.91859731, abs=1e-8)
    assert model.solve(alpha=2.8857, throw=False)["q"] > 0.99


@pytest.mark.parametrize("case", TRAINED, ids=str)
def test_trained_classifiers(case):
    loss, classes, alpha, lam = case
    solution = load(f"multiclass-{loss}-{classes}").solve(alpha=alpha, lam=lam)
    names = ("m", "q", "chi", "test_error", "train_loss", "train_error", "free_energy")
    places = (2e-12, 2e-12, 2e-10, 2e-12, 2e-12, 1e-8, 2e-12)
    for name, value, place in zip(names, TRAINED[case], places, strict=True):
        assert solution[name] == pytest.approx(value, abs=place), name
    cosine = solution["m"] / math.sqrt(solution["q"])
    closed = test_error_of_two_classifiers(cosine, classes)
    assert solution["test_error"] == pytest.approx(closed, abs=1e-10)


@pytest.mark.parametrize("case", OPTIMALLY_REGULARISED, ids=str)
def test_optimal_regularisation(case):
    """The error is stationary in the penalty, of which fewer digits are known."""
    classes, alpha = case
    lam, error, square = OPTIMALLY_REGULARISED[case]
    model = load(f"multiclass-cross-entropy-{classes}")
    place = 2e-10 if classes == 2 else 2e-7  # of three classes seven digits are known
    assert model.solve(alpha=alpha, lam=lam)["test_error"] == pytest.approx(error, abs=place)
    rough = SolverSettings(certified_tolerance=1e-8)
    for other in (0.9 * lam, 1.1 * lam):
        assert model.solve(alpha=alpha, lam=other, settings=rough)["test_error"] > error - place
    if square is not None:
        ridge = load(f"multiclass-square-{classes}").solve(alpha=alpha, lam=BEST_RIDGE[classes])
        assert ridge["test_error"] == pytest.approx(square, abs=2e-10)


def test_square_loss_at_a_vanishing_penalty():
    """Three classes, lambda to 0: closed forms on both sides of the peak."""
    model = load("multiclass-square-3")
    beyond = model.solve(alpha=2, lam=1e-9)
    assert beyond["m"] == pytest.approx(0.4231421877, abs=1e-8)
    assert beyond["q"] == pytest.approx(1 / 3, abs=1e-8)
    assert beyond["chi"] == pytest.approx(1, abs=1e-8)
    assert beyond["test_error"] == pytest.approx(0.3399982503, abs=1e-8)
    assert beyond["train_loss"] == pytest.approx(0.160475344, abs=1e-8)
    assert beyond["train_error"] == pytest.approx(0.0156394, abs=1e-7)
    before = model.solve(alpha=0.5, lam=1e-7)
    assert before["m"] == pytest.approx(0.2115710939, abs=1e-6)
    assert before["q"] == pytest.approx(0.2438086767, abs=1e-6)
    assert before["test_error"] == pytest.approx(0.4980497405, abs=1e-6)


def test_conjugates_fix_signs_and_scales():
    solution = load("multiclass-cross-entropy-3").solve(alpha=2, lam=0.1)
    assert solution["mhat"] == pytest.approx(0.3512256219, abs=2e-10)
    assert solution["qhat"] == pytest.approx(0.0665488445, abs=2e-10)
    assert solution["Vhat"] == pytest.approx(0.1487388472, abs=2e-10)


def test_many_samples_at_a_weak_penalty():
    solution = load("multiclass-cross-entropy-3").solve(alpha=5, lam=0.01)
    assert solution["m"] == pytest.approx(5.1032241417, abs=2e-10)
    assert solution["q"] == pytest.approx(29.0971876298, abs=2e-10)
    assert solution["test_error"] == pytest.approx(0.1542491667, abs=2e-10)


@pytest.mark.parametrize(("alpha", "lam"), [(2.0, 0.1), (0.5, 1.0), (4.0, 0.8616845355)])
def test_square_loss_in_closed_form(alpha, lam):
    """Three classes: V from a quadratic equation, m and q from it."""
    classes, moment = 3, 3 / (4 * math.sqrt(math.pi))
    V = (-(lam + alpha - 1) + math.sqrt((lam + alpha - 1) ** 2 + 4 * lam)) / (2 * lam)
    m = alpha * V * moment / (1 + V)
    a = alpha * V**2 / (1 + V) ** 2
    solution = load("multiclass-square-3").solve(alpha=alpha, lam=lam)
    assert solution["chi"] == pytest.approx(V, rel=1e-10)
    assert solution["chi_u"] == pytest.approx(V, rel=1e-10)
    assert solution["m"] == pytest.approx(m, rel=1e-10)
    expected = (m**2 + a * (1 / classes - 2 * m * moment)) / (1 - a)
    assert solution["q"] == pytest.approx(expected, rel=1e-10)
    assert solution["q_u"] == pytest.approx(a / classes / (1 - a), rel=1e-10)
    assert solution.replicon == pytest.approx(1 - a, rel=1e-9)


def test_two_classes_are_the_binary_perceptron():
    for alpha in (0.5, 2.0, 6.0):
        binary = load("perceptron-gaussian").solve(alpha=alpha)
        classes = load("multiclass-bayes-gaussian-2").solve(alpha=alpha)
        for name in ("q", "test_error", "free_entropy", "replicon"):
            assert classes[name] == pytest.approx(binary[name], abs=1e-10), name


def test_two_classes_are_logistic_regression():
    """The difference of the weights is penalised half as much and has twice the overlaps."""
    for alpha, lam in ((2.0, 0.1), (1.0, 0.01), (5.0, 1.0)):
        binary = load("logistic-sign").solve(alpha=alpha, lam=lam / 2)
        classes = load("multiclass-cross-entropy-2").solve(alpha=alpha, lam=lam)
        assert classes["q"] == pytest.approx(binary["q"] / 2, rel=1e-9)
        assert classes["m"] == pytest.approx(binary["m"] / math.sqrt(2), rel=1e-9)
        assert classes["chi"] == pytest.approx(binary["chi"] / 2, rel=1e-9)
        for name in ("test_error", "train_loss", "train_error", "free_energy", "replicon"):
            assert classes[name] == pytest.approx(binary[name], abs=1e-9), name


def test_binary_rows_of_two_classes_have_a_three_valued_difference():
    """Scalar equations of the difference of two rows of signs, (-2, 0, 2) with odds (1, 2, 1)."""
    alpha = 1.0
    solution = load("multiclass-bayes-rademacher-2").solve(alpha=alpha)
    q, qhat = solution["q"], solution["qhat"]
    values, odds = np.array([-math.sqrt(2), 0, math.sqrt(2)]), np.array([0.25, 0.5, 0.25])

    def mean_square(field):
        weights = odds * np.exp(field * values - qhat * values**2 / 2)
        mean = weights @ values / weights.sum()
        law = np.exp(-((field - qhat * values) ** 2) / (2 * qhat)) / math.sqrt(2 * math.pi * qhat)
        return mean**2 * (odds @ law)

    assert q == pytest.approx(quad(mean_square, -40, 40, epsabs=1e-11)[0], abs=1e-9)
    teacher = lambda z: (  # noqa: E731
        math.exp(-q * z * z / (1 - q) - z * z / 2) / (2 * math.pi) ** 1.5
        / ndtr(math.sqrt(q / (1 - q)) * z)
    )  # fmt: skip
    force = 2 * alpha / (1 - q) * quad(teacher, -12, 12, epsabs=1e-12)[0]
    assert qhat == pytest.approx(force, abs=1e-9)


def test_matched_equations_follow_from_the_full_ones():
    model = load("multiclass-bayes-gaussian-3")
    assert model.saddle_point().bayes_optimal
    reduced = model.solve(alpha=1.5)
    start = {"m": 0.5, "q": 0.5, "V": 0.5}
    full = solve_point(model.name, model.compile(reduce=False), {"alpha": 1.5}, start=start)
    assert full["m"] == pytest.approx(reduced["q"], abs=1e-10)
    assert full["free_entropy"] == pytest.approx(reduced["free_entropy"], abs=1e-10)
    assert full.replicon == pytest.approx(reduced.replicon, abs=1e-9)


def test_the_error_of_a_coarse_rule_is_certified():
    model = load("multiclass-cross-entropy-3")
    fine = model.solve(alpha=5, lam=0.05)
    coarse = model.solve(
        alpha=5, lam=0.05,
        settings=SolverSettings(quadrature_tolerance=1e-5, certified_tolerance=1e-2),
    )  # fmt: skip
    assert coarse.status is Status.CONVERGED
    true = abs(coarse["q"] - fine["q"])
    assert 1e-9 < true < 20 * coarse.error["q"]


def test_a_scan_follows_a_learning_curve():
    curve = load("multiclass-cross-entropy-3").scan(alpha=[0.5, 1.0, 2.0, 4.0], lam=0.1)
    errors = curve["test_error"].values
    assert np.all(np.diff(errors) < 0)
    assert errors[2] == pytest.approx(0.290197008736, abs=1e-10)


def test_the_derivation_prints():
    text = load("multiclass-cross-entropy-3").saddle_point().latex()
    assert r"\mathcal{M}_{\chi\,\ell}" in text
    assert r"\Phi_{\frac{1}{2}}" in text
    assert "Heaviside" not in text
