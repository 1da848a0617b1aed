"""Averages over more variables than product rules reach: samples and their standard errors."""

import numpy as np
import pytest
import sympy as sp

from replica import SettingsError, SolverSettings, load
from replica.calculus.orthant import NormalOrthant
from replica.calculus.vector import VectorAverage
from replica.compile import samples
from replica.compile.system import CompiledSystem

from .test_cubature import BACKENDS, evaluate, q

z = sp.symbols("z1:6", real=True)
LAW = q * (sp.eye(5) + sp.ones(5, 5)), [sp.Rational(k, 10) for k in range(5)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_moments_and_generating_functions(backend):
    covariance, mean = LAW
    # E exp(a.z) = exp(a.mean + a.C.a / 2) with a = (2, -2, 1, 0, 0) / 5 and C = 0.3 (1 + 11^T).
    average = VectorAverage(sp.exp((2 * z[0] - 2 * z[1] + z[2]) / 5), z, mean, covariance)
    exact = np.exp((0 - 0.2 + 0.2) / 5 + 0.3 * (4 + 4 + 1 + 1) / 50)
    assert evaluate(average, backend, 0.3) == pytest.approx(exact, rel=2e-4)
    orthant = VectorAverage(sp.Mul(*map(sp.Heaviside, z)), z, [0] * 5, covariance)
    # The largest of six exchangeable numbers is any of them.
    assert evaluate(orthant, backend, 0.3) == pytest.approx(1 / 6, rel=3e-3)


@pytest.mark.skipif("c" not in BACKENDS, reason="needs a C compiler")
def test_back_ends_take_the_same_points():
    covariance, mean = LAW
    average = VectorAverage(sp.tanh(z[0] * z[1] - z[4]) + z[2] ** 4, z, mean, covariance)
    assert evaluate(average, "c", 0.3) == pytest.approx(evaluate(average, "numpy", 0.3), rel=1e-13)


@pytest.mark.parametrize(
    ("classes", "error"), [(4, 0.4232296088), (5, 0.4661545008), (10, 0.5739333524)]
)
def test_how_often_the_largest_components_agree(classes, error):
    """Against quadrature of the same probability by a separate program, at correlation 0.7."""
    u, v = sp.symbols("u v", real=True)
    law = sp.Matrix([[1, q], [q, 1]])
    average = VectorAverage(NormalOrthant(q, u, v) ** (classes - 1), (u, v), (0, 0), law)
    assert 1 - classes * evaluate(average, BACKENDS[-1], 0.7) == pytest.approx(error, abs=2e-10)


@pytest.fixture
def sampled(monkeypatch):
    """Three classes, with the averages over two variables sampled."""
    with monkeypatch.context() as patch:  # the built-in models must not be compiled like that
        patch.setattr(samples, "BOX_DIMENSION", 1)
        return {
            name: CompiledSystem(load(name).saddle_point(), BACKENDS[-1])
            for name in ("multiclass-cross-entropy-3", "multiclass-square-3")
        }


def test_standard_errors_cover_the_difference_to_product_rules(sampled):
    for name, system in sampled.items():
        exact = load(name).solve(alpha=2, lam=0.5)
        assert (exact.sampled, bool(system.program.sampled)) == (False, True)
        params = np.array([[exact.parameters[p] for p in system.parameters]])
        result = system.solve_block(params, settings=SolverSettings(samples=4096))
        assert result.status[0] == 0
        assert result.residual[0] < 1e-12
        truth = np.array([exact[u] for u in system.unknowns])
        gaps = np.abs(result.x[0] - truth)
        assert np.all(gaps <= 5 * result.error[0] + 1e-12)
        assert np.all(result.error[0] < 0.01 * np.abs(truth))
        outputs = np.array([exact[o] for o in system.outputs])
        assert np.all(np.abs(result.out[0] - outputs) <= 5 * result.out_error[0] + 1e-12)


def test_seeds_spread_as_the_standard_errors_say(sampled):
    system = sampled["multiclass-cross-entropy-3"]
    params = np.array([[{"alpha": 2.0, "lam": 0.5}[p] for p in system.parameters]])
    results = [
        system.solve_block(params, settings=SolverSettings(samples=1024, seed=seed))
        for seed in range(12)
    ]
    spread = np.std([r.x[0] for r in results], axis=0, ddof=1)
    claimed = np.sqrt(np.mean([r.error[0] ** 2 for r in results], axis=0))
    # Of 11 degrees of freedom: a factor of two is five standard deviations away.
    assert np.all(spread < 2 * claimed)
    assert np.all(spread > 0.4 * claimed)


t = sp.symbols("t1:4", real=True)


def nested(integrand):
    """An average over three variables around ``z_1 / 2``, inside one over two."""
    inner = sp.Rational(1, 4) * q * (sp.eye(3) + sp.ones(3, 3))
    return VectorAverage(integrand, t, [z[0] / 2] * 3, inner)


@pytest.mark.parametrize("backend", BACKENDS)
def test_inner_averages_are_sampled_with_the_outer_one(backend):
    law = z[:2], [0, 0], q * (sp.eye(2) + sp.ones(2, 2))
    wave = nested(sp.sin(sp.Add(*t)))
    average = VectorAverage(z[0] * wave + 3 * nested(t[1] ** 2) + z[1] ** 2, *law)
    # The sum is 3 z_1/2 plus noise of variance 3 q; z_1 has the variance 2 q.
    s = 0.3
    exact = 1.5 * 2 * s * np.exp(-(1.5**2) * 2 * s / 2 - 3 * s / 2)
    exact += 3 * (2 * s / 4 + s / 2) + 2 * s
    assert evaluate(average, backend, s) == pytest.approx(exact, rel=1e-3)


def test_inner_averages_that_enter_nonlinearly_are_refused():
    from replica.errors import DerivationError

    law = z[:2], [0, 0], q * sp.eye(2)
    inner = nested(1 / (1 + sp.exp(-sp.Add(*t))))
    for integrand in (sp.log(inner), inner**2, inner * nested(t[0])):
        with pytest.raises(DerivationError, match="enters nonlinearly"):
            evaluate(VectorAverage(integrand, *law), "numpy")


@pytest.mark.parametrize("samples", [1000, 512, 2**25, 1024.5])
def test_numbers_of_points_that_are_refused(samples):
    with pytest.raises(SettingsError, match="samples must be"):
        SolverSettings(samples=samples)


def test_more_variables_than_can_be_sampled():
    from replica.errors import DerivationError

    many = sp.symbols("y1:66", real=True)
    average = VectorAverage(sp.cos(sp.Add(*many)), many, [0] * 65, q * sp.eye(65))
    with pytest.raises(DerivationError, match="65 variables"):
        evaluate(average, "numpy")
