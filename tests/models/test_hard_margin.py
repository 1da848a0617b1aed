"""Largest margins of several classes, and losses with kinks.

The reference values maximise the margin over the alignment with the teacher, by squared distances
to the wedge of each label in the plane of class differences: no package code, ten digits.
"""

import math

import numpy as np
import pytest
import sympy as sp
from numpy.polynomial.legendre import leggauss
from replica.models.multiclass_perceptron import largest_margin, trained
from scipy.optimize import nnls
from scipy.special import ndtr

from replica import (
    ArgmaxLabels,
    ConvergenceError,
    DerivationError,
    Field,
    Flat,
    Gaussian,
    Model,
    Parameter,
    Quenched,
    SolverSettings,
    Test as NewSample,
    Thermal,
    VectorField,
    components,
    load,
    margin,
    sign_labels,
)
from replica.solve.point import solve_point

# (classes, alpha): margin, alignment, test error.
LARGEST_MARGIN = {
    (2, 1): (0.7865498417, 0.6713576482, 0.265711469938),
    (2, 2): (0.4545775610, 0.8297576432, 0.188478610316),
    (2, 5): (None, 0.9568700800, 0.093827007807),
    (3, 0.5): (None, 0.4712566267, 0.478731848474),
    (3, 1): (0.9697301276, 0.6226912773, 0.403894356419),
    (3, 2): (0.5746641385, 0.7824058904, 0.307131532362),
    (3, 3): (0.4082800194, 0.8625997536, 0.244692480225),
    (3, 5): (0.2569409051, 0.9340111640, 0.170391548509),
    (3, 10): (None, None, 0.094060940402),
}


def hinge(y, h):
    """Weston and Watkins: a hinge for every other class."""
    pairs = ((k, j) for k in range(len(h)) for j in range(len(h)) if j != k)
    return sp.Add(*(y[k] * sp.Max(0, 1 - (h[k] - h[j])) for k, j in pairs))


def squared_hinge(y, h):
    pairs = ((k, j) for k in range(len(h)) for j in range(len(h)) if j != k)
    return sp.Add(*(y[k] * sp.Max(0, 1 - (h[k] - h[j])) ** 2 / 2 for k, j in pairs))


@pytest.mark.parametrize("case", LARGEST_MARGIN, ids=str)
def test_largest_margin(case):
    classes, alpha = case
    solution = load(f"multiclass-hard-margin-{classes}").solve(alpha=alpha)
    names = ("margin", "alignment", "test_error")
    for name, value, place in zip(names, LARGEST_MARGIN[case], (1e-10, 1e-10, 1e-11), strict=True):
        if value is not None:
            assert solution[name] == pytest.approx(value, abs=place), name


@pytest.mark.parametrize(("classes", "alpha", "scaled"), [(2, 100, 0.5004), (3, 100, 0.99720)])
def test_largest_margin_of_many_samples(classes, alpha, scaled):
    """Weights grow with the load, and the declared start is lost; the rate is 0.5005 (K - 1).

    What is left of the volume is 1/alpha^2: rounding is amplified as much, and certified so.
    """
    solution = load(f"multiclass-hard-margin-{classes}").solve(
        alpha=alpha, settings=SolverSettings(certified_tolerance=1e-7)
    )
    assert solution.branch == "continued from the default parameters"
    assert alpha * solution["test_error"] == pytest.approx(scaled, abs=1e-5)
    assert alpha * solution["test_error"] == pytest.approx(0.5005 * (classes - 1), rel=5e-3)
    r = solution["alignment"]
    closed = math.acos(r) / math.pi
    if classes == 3:
        closed = 2 / 3 - 3 / (4 * math.pi**2) * (math.acos(-r) ** 2 - math.acos(r / 2) ** 2)
    assert solution["test_error"] == pytest.approx(closed, abs=1e-8)


def test_two_classes_are_a_binary_perceptron():
    """The difference of the rows has twice their squared norm."""
    w, t, h, y, z = sp.symbols("w t h y z", real=True)
    alpha = Parameter("alpha", 1.0, (0, 10), open="lower")
    binary = Model(
        name="binary",
        thermal=Thermal(w, Flat(), penalty=w**2 / 2),
        quenched=Quenched(t, Gaussian()),
        fields=Field(h, alpha, constraint=y * h >= 1, labels=sign_labels(y, z)),
        temperature=0,
        observables={"test_error": NewSample(sp.Heaviside(-y * h))},
    ).solve(alpha=1.3)
    two = load("multiclass-hard-margin-2").solve(alpha=1.3)
    assert 2 * two["q"] == pytest.approx(binary["q"], rel=1e-11)
    assert two["chi"] == pytest.approx(binary["chi"], rel=1e-11)
    assert two["test_error"] == pytest.approx(binary["test_error"], abs=1e-12)


def test_four_classes_satisfy_the_equation_of_the_margin():
    """``alpha E sum_y P_y dist^2 = (K - 1)(1 - r^2)`` by brute force on a sample."""
    classes, alpha = 4, 1.0
    solution = largest_margin(classes).solve(alpha=alpha)
    r, kappa = solution["alignment"], solution["margin"]
    count = 4000
    fields = np.random.default_rng(5).standard_normal((count, 2, classes))
    student = fields[:, 0]
    teacher = r * student + math.sqrt(1 - r**2) * fields[:, 1]
    own = np.argmax(teacher, axis=1)
    order = np.array([[k for k in range(classes) if k != c] for c in range(classes)])
    rows = np.arange(count)[:, None]
    margins = (student[rows, own[:, None]] - student[rows, order[own]]) / math.sqrt(2)
    gram = (np.eye(classes - 1) + 1) / 2
    distances = [wedge_distance(x - kappa, gram) for x in margins]
    target = (classes - 1) * (1 - r**2) / alpha
    error = np.std(distances) / math.sqrt(count)
    assert abs(np.mean(distances) - target) < 4 * error
    assert error < 0.03 * target


def wedge_distance(x, gram):
    """Squared distance to the orthant in the metric of the inverse of ``gram``."""
    size = len(x)
    for active in range(2**size):
        on = [k for k in range(size) if active >> k & 1]
        pull = np.zeros(size)
        if on:
            pull[on] = np.linalg.solve(gram[np.ix_(on, on)], -x[on])
        if np.all(pull >= 0) and np.all(x + gram @ pull >= -1e-12):
            return float(pull @ gram @ pull)
    raise AssertionError("no active set fits")


@pytest.mark.slow
def test_matrices_of_exchangeable_classes_agree():
    model = load("multiclass-hard-margin-3")
    reduced = model.solve(alpha=2)
    full = solve_point(model.name, model.compile(reduce=False), {"alpha": 2.0})
    assert full["q_11"] == pytest.approx(reduced["q"], rel=1e-10)
    assert full["q_12"] == pytest.approx(0, abs=1e-10)
    for name in ("margin", "alignment", "test_error"):
        assert full[name] == pytest.approx(reduced[name], abs=1e-10)


@pytest.mark.parametrize("loss", [hinge, squared_hinge])
def test_two_classes_of_hinges_are_one_hinge(loss):
    """The difference of the rows carries half the penalty."""
    w, t, h, y, z = sp.symbols("w t h y z", real=True)
    alpha = Parameter("alpha", 2.0, (0, 10), open="lower")
    one = sp.Max(0, 1 - y * h)
    binary = Model(
        name="binary",
        thermal=Thermal(w, Flat(), penalty=w**2 / 4 / 5),
        quenched=Quenched(t, Gaussian()),
        fields=Field(h, alpha, loss=one if loss is hinge else one**2 / 2, labels=sign_labels(y, z)),
        temperature=0,
    ).solve()
    two = trained(loss, 2, "hinge", "Hinge").solve(alpha=2, lam=0.2)
    assert 2 * two["q"] == pytest.approx(binary["q"], rel=1e-10)
    assert two["free_energy"] == pytest.approx(binary["free_energy"], abs=1e-11)


def test_hinges_of_three_classes_by_hand():
    """The equations on a grid of the plane, with the proximal operator by its active sets."""
    alpha, lam = 2.0, 1.0
    solution = trained(hinge, 3, "hinge", "Hinge").solve(alpha=alpha, lam=lam)
    m, q, chi = (solution[name] for name in ("m", "q", "chi"))
    gram = np.array([[2.0, 1.0], [1.0, 2.0]])
    nodes, weights = leggauss(600)
    z, law = 8.5 * nodes, 8.5 * weights * np.exp(-((8.5 * nodes) ** 2) / 2) / math.sqrt(2 * math.pi)
    grid = np.stack(np.meshgrid(z, z, indexing="ij"), axis=-1).reshape(-1, 2)
    x = math.sqrt(q) * grid @ np.linalg.cholesky(gram).T
    # Label probability given the margins: the teacher's margins have correlation 1/2.
    u = m / q * x / math.sqrt(2 * (1 - m**2 / q))
    label = both_positive(u)
    force = hinge_force(x, chi * gram)
    value = x + chi * force @ gram
    energy = np.maximum(0, 1 - value).sum(axis=1) + chi * np.sum(force @ gram * force, axis=1) / 2
    weight = 3 * np.multiply.outer(law, law).ravel() * label
    assert weight.sum() == pytest.approx(1, abs=1e-6)
    pull = np.sum(force @ gram * force, axis=1)
    assert solution["qhat"] == pytest.approx(alpha * weight @ pull / 2, rel=1e-4)
    assert solution["train_loss"] == pytest.approx(
        weight @ np.maximum(0, 1 - value).sum(axis=1), abs=1e-4
    )
    total = alpha * weight @ energy
    reduced = 2 * (lam * q / 2 - (q - m**2) / (2 * chi)) + total
    assert solution["free_energy"] == pytest.approx(reduced, abs=1e-4)


def both_positive(u):
    """Probability that two normal variables of means ``u`` and correlation 1/2 are positive."""
    angle, weight = leggauss(20)
    angle, weight = math.pi / 12 * (angle + 1), math.pi / 12 * weight
    a, b = u[:, :1], u[:, 1:]
    inner = np.exp(-(a**2 + b**2 - 2 * a * b * np.sin(angle)) / (2 * np.cos(angle) ** 2))
    return ndtr(u[:, 0]) * ndtr(u[:, 1]) + inner @ weight / (2 * math.pi)


def hinge_force(x, spread):
    """Forces in [0, 1] that pull margins to one, by cyclic exact minimisation of the dual."""
    force = np.zeros_like(x)
    for _ in range(60):
        for k in range(x.shape[1]):
            short = 1 - x[:, k] - force @ spread[:, k]
            force[:, k] = np.clip(force[:, k] + short / spread[k, k], 0, 1)
    return force


def vector_model(**field):
    w, t = sp.symbols("w t", real=True)
    alpha = Parameter("alpha", 1.0, (0, 10), open="lower")
    classes = field.pop("classes", 3)
    h, y, z = (components(name, classes) for name in "hyz")
    weight = {name: build(y, h) for name, build in field.items()}
    return Model(
        name="kinked",
        thermal=Thermal(w, Flat(), penalty=w**2 / 2, components=classes),
        quenched=Quenched(t, Gaussian()),
        fields=VectorField(h, alpha, labels=ArgmaxLabels(y, z), **weight),
        temperature=0,
    )


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"loss": lambda y, h: sp.Max(0, 1 - margin(y, h))}, "kinks that depend on several"),
        ({"constraint": lambda y, h: (h.T * h)[0] <= 1}, "kinks that depend on several"),
        ({"loss": lambda y, h: -hinge(y, h)}, "loss .* is not convex"),
        ({"constraint": lambda y, h: h[0] - h[1] >= 1}, "kinks that depend on several"),
        ({"constraint": lambda y, h: margin(y, h) >= 1, "classes": 5}, "four classes"),
    ],
)
def test_what_cannot_be_derived_is_refused(field, message):
    with pytest.raises(DerivationError, match=message):
        vector_model(**field).compile()


def test_labels_of_a_teacher_are_always_separable():
    with pytest.raises(ConvergenceError, match="no capacity was found"):
        load("multiclass-hard-margin-2").boundary("separability", "alpha", bracket=(0.5, 5))


def least_norm(rng, classes, dimension, alpha):
    """Smallest weights with all margins at least one, as a least-distance program."""
    x = rng.standard_normal((round(alpha * dimension), dimension)) / math.sqrt(dimension)
    teacher = rng.standard_normal((dimension, classes))
    own = np.argmax(x @ teacher, axis=1)
    rows = []
    for sample, c in zip(x, own, strict=True):
        for k in range(classes):
            if k != c:
                row = np.zeros((dimension, classes))
                row[:, c], row[:, k] = sample, -sample
                rows.append(row.ravel())
    matrix = np.vstack([np.array(rows).T, np.ones(len(rows))])
    target = np.zeros(len(matrix))
    target[-1] = 1
    residual = matrix @ nnls(matrix, target)[0] - target
    weights = (-residual[:-1] / residual[-1]).reshape(dimension, classes)
    plane = dimension * (classes - 1)
    centred = teacher - teacher.mean(axis=1, keepdims=True)
    fresh = rng.standard_normal((20_000, dimension))
    wrong = np.argmax(fresh @ weights, axis=1) != np.argmax(fresh @ teacher, axis=1)
    return np.sum(weights**2) / plane, np.sum(weights * centred) / plane, np.mean(wrong)


@pytest.mark.slow
def test_quadratic_programs_of_finite_data_agree():
    runs, dimension, rng = 12, 100, np.random.default_rng(7)
    found = np.array([least_norm(rng, 3, dimension, 2.0) for _ in range(runs)])
    theory = load("multiclass-hard-margin-3").solve(alpha=2)
    for values, name in zip(found.T, ("q", "m", "test_error"), strict=True):
        error = values.std(ddof=1) / math.sqrt(runs)
        assert abs(values.mean() - theory[name]) < 4 * error + theory[name] / dimension, name
        assert error < 0.05 * theory[name], name
