"""Averages over Gaussian vectors, orthant probabilities, vector proximal operators."""

import numpy as np
import pytest
import sympy as sp
from mpmath import mp
from scipy.stats import multivariate_normal

from replica.calculus.multiprecision import FUNCTIONS as PRECISE
from replica.calculus.orthant import NormalOrthant
from replica.calculus.vector import VectorAverage, VectorEnvelope, VectorProximal, vector_average
from replica.compile import toolchain
from replica.compile.numpy_functions import FUNCTIONS
from replica.compile.orthant_code import normal_orthant
from replica.compile.system import CompiledSystem
from replica.derive.saddle_point import SaddlePoint, Unknown

BACKENDS = ["numpy", *(["c"] if toolchain.find_compiler() else [])]
x, y, u, v = sp.symbols("x y u v", real=True)
q = sp.Symbol("q", positive=True)


def evaluate(expression, backend, at=1.0):
    """Value of an expression of ``q`` through the whole numeric lowering."""
    unknown = Unknown(q, sp.sympify(expression), (0.0, float("inf")), {"uninformed": sp.S.One})
    saddle = SaddlePoint(
        "number", "", {}, (), (), (unknown,), sp.S.Zero, None, {}, ()
    )  # fmt: skip
    return CompiledSystem(saddle, backend).map(np.empty(0), np.array([at]))[0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_gaussian_moments_and_generating_functions(backend):
    covariance = q * sp.Matrix([[2, sp.Rational(1, 2)], [sp.Rational(1, 2), 1]])
    mean = (sp.Rational(3, 10), -sp.Rational(1, 5))
    average = VectorAverage(sp.exp(x - y), (x, y), mean, covariance)
    exact = np.exp(0.5 + (2 + 1 - 1) * 0.7 / 2)
    assert evaluate(average, backend, 0.7) == pytest.approx(exact, rel=1e-12)
    orthant = VectorAverage(sp.Heaviside(x) * sp.Heaviside(y), (x, y), (0, 0), covariance)
    angle = 0.25 + np.arcsin(0.5 / np.sqrt(2)) / (2 * np.pi)
    assert evaluate(orthant, backend, 0.7) == pytest.approx(angle, rel=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_three_dimensions(backend):
    covariance = q * (sp.eye(3) + sp.ones(3, 3))
    z = sp.Symbol("z", real=True)
    average = VectorAverage(
        sp.Heaviside(x) * sp.Heaviside(y) * sp.Heaviside(z), (x, y, z), (0, 0, 0), covariance
    )
    assert evaluate(average, backend, 1.3) == pytest.approx(0.25, rel=1e-11)


def test_polynomials_are_averaged_in_closed_form():
    covariance = sp.Matrix([[2, q], [q, 3]])
    result = vector_average(x**2 * y**2 + x, (x, y), (1, 0), covariance)
    # Isserlis: E (1 + a)^2 b^2 = C_bb + C_aa C_bb + 2 C_ab^2.
    assert sp.expand(result - (3 + 6 + 2 * q**2 + 1)) == 0


def test_price_theorem():
    average = VectorAverage(sp.exp(x * sp.S.Half) * y**2, (x, y), (0, 0), [[q, 1], [1, 2]])
    slope = evaluate(average.diff(q), "numpy", 3.0)
    h = 1e-4
    numeric = (evaluate(average, "numpy", 3 + h) - evaluate(average, "numpy", 3 - h)) / (2 * h)
    assert slope == pytest.approx(numeric, rel=1e-7)


@pytest.mark.parametrize("rho", [0.5, 1 / 3, 0.25, -0.4])
def test_bivariate_orthant_probabilities(rho):
    rng = np.random.default_rng(0)
    for a, b in rng.uniform(-4, 4, (40, 2)):
        exact = multivariate_normal.cdf([a, b], cov=[[1, rho], [rho, 1]])
        assert normal_orthant(rho, a, b) == pytest.approx(exact, abs=2e-13)


def test_orthant_probabilities_of_three_variables():
    """No two of three fields of equal correlation 1/2 differ in law: P(all positive) = 1/4."""
    assert normal_orthant(0.5, 0.0, 0.0, 0.0) == pytest.approx(0.25, abs=1e-14)
    precise = PRECISE["NormalOrthant"](0.5, 0.3, -1.2, 0.8)
    assert normal_orthant(0.5, 0.3, -1.2, 0.8) == pytest.approx(float(precise), abs=1e-13)


def test_derivative_of_an_orthant_probability():
    limits = (x, x**2, 1 - x)
    node = NormalOrthant(sp.Rational(1, 2), *limits)
    slope = sp.lambdify(x, node.diff(x), modules=[dict(FUNCTIONS), "numpy"])
    value = sp.lambdify(x, node, modules=[dict(FUNCTIONS), "numpy"])
    h = 1e-5
    assert slope(0.4) == pytest.approx((value(0.4 + h) - value(0.4 - h)) / (2 * h), rel=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_proximal_operator_of_a_quadratic_function(backend):
    """With l = v^T H v/2 + b.v everything is linear: prox = (1 + S H)^-1 (x - S b)."""
    H, b = sp.Matrix([[2, 1], [1, 3]]), sp.Matrix([1, -2])
    spread, covariance = q * sp.Matrix([[2, 1], [1, 2]]), sp.Matrix([[3, 1], [1, 2]])
    w = sp.Matrix([u, v])
    problem = ((w.T * H * w)[0, 0] / 2 + b.dot(w), (u, v), (x, y), spread)
    gain = (sp.eye(2) + spread * H).inv()
    mean = sp.Matrix([1, 2])
    exact = (gain * (mean - spread * b)).subs(q, 0.6)
    for i in range(2):
        node = VectorAverage(VectorProximal(*problem, (i,)), (x, y), mean, covariance)
        assert evaluate(node, backend, 0.6) == pytest.approx(float(exact[i]), rel=1e-11)
        curved = VectorAverage(VectorEnvelope(*problem, (i, 1)), (x, y), mean, covariance)
        assert evaluate(curved, backend, 0.6) == pytest.approx(
            float((H * gain).subs(q, 0.6)[i, 1]), rel=1e-11
        )
    force = VectorEnvelope(*problem, (0,)) ** 2
    assert VectorEnvelope(*problem).diff(x) == VectorEnvelope(*problem, (0,))
    linear = (H * gain).subs(q, 0.6)
    offset = linear * mean + (sp.eye(2) - (H * gain * spread)).subs(q, 0.6) * b
    square = offset[0] ** 2 + (linear * covariance * linear.T)[0, 0]
    value = evaluate(VectorAverage(force, (x, y), mean, covariance), backend, 0.6)
    assert value == pytest.approx(float(square), rel=1e-11)


def test_a_thin_layer_between_two_labels_is_seen():
    """Probability of a label given a field that is nearly the teacher's: the layer is 1e-6 wide."""
    scale = sp.Float(1e6)
    kernel = NormalOrthant(sp.Rational(1, 2), scale * x, scale * y)
    node = VectorAverage(kernel * (1 - kernel), (x, y), (0, 0), q * sp.Matrix([[2, 1], [1, 2]]))
    density = 1 / np.sqrt(4 * np.pi)  # of one margin at zero
    exact = 2 * density * 0.5 * 1e-6 * (1 / np.sqrt(np.pi))  # int Phi (1 - Phi) = 1/sqrt(pi)
    assert evaluate(node, "numpy") == pytest.approx(exact, rel=1e-5)


def _both_positive(variance, covariance):
    """Probability that two fields are positive, given their means along sum and difference."""
    spread = [v - c for v, c in zip(variance, covariance, strict=True)]
    total = sp.Add(*spread)
    limits = ((x + y) / sp.sqrt(total), (x - y) / sp.sqrt(total))
    return NormalOrthant((spread[0] - spread[1]) / total, *limits)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("ratio", [1e-12, 0.2, 0.499, 0.501, 0.9])
def test_signs_of_two_fields_that_are_nearly_equal_or_not(backend, ratio):
    """Averaged over the means, the probability is that of the sums: a wedge of one angle."""
    variance, covariance = (sp.S.One, sp.Rational(9, 10)), (q, ratio * q)
    kernel = _both_positive(variance, covariance)
    node = VectorAverage(kernel, (x, y), (0, 0), sp.diag(*covariance))
    exact = 0.25 + np.arcsin(0.1 / 1.9) / (2 * np.pi)
    assert evaluate(node, backend, 0.95) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gap", [0.3, 1e-4, 1e-8, 1e-12])
def test_layers_at_the_signs_of_two_fields_may_be_thin(backend, gap):
    """Two independent fields: the same sign in two replicas of each has a closed form."""
    kernel = _both_positive((sp.S.One, sp.S.One), (q, q))
    node = VectorAverage(kernel * (1 - kernel), (x, y), (0, 0), sp.diag(q, q))
    at = 1 - gap
    missed = np.arccos(at) / (2 * np.pi)  # of the probability 1/2 of a sign
    exact = missed * (1 - missed)
    assert evaluate(node, backend, at) == pytest.approx(exact, rel=1e-5 if gap < 1e-9 else 1e-9)


@pytest.mark.parametrize("rho", [-0.99999, -0.9, -0.3, 0.85, 0.999, 0.99999])
def test_orthant_probabilities_keep_their_digits_for_every_correlation(rho):
    """Relative accuracy, also of tiny probabilities, against mpmath over one of the variables."""
    rest = mp.sqrt(1 - mp.mpf(rho) ** 2)

    def exact(a, b):
        def slope(t):
            return mp.npdf(t) * mp.ncdf((b - rho * t) / rest)

        near = [b / rho + k * rest for k in (-40, -9, -3, -1, 0, 1, 3, 9, 40)]
        inside = [t for t in [*near, -9, -4, -2, 0, 2, a - 0.1, a - 1] if -30 < t < a]
        return mp.quad(slope, sorted({-30, *inside, a}))

    for a, b in ((-1.5, -0.7), (0.4, -2.0), (1.3, 0.6), (-0.2, 0.9), (0.0, 0.5)):
        value, known = float(normal_orthant(rho, a, b)), float(exact(a, b))
        assert value == pytest.approx(known, rel=2e-10, abs=1e-65), (a, b)
