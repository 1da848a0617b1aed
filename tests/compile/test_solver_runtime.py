"""The solver runtime, in C and in NumPy, on systems with known answers."""

from __future__ import annotations

import ctypes
import math
from functools import cache
from importlib import resources
from typing import Any

import mpmath
import numpy as np
import pytest

from replica.compile import toolchain
from replica.compile.reference import ReferenceSolver
from replica.compile.reference_quadrature import MAX_BREAKPOINT, RuleMode, starting_edges
from replica.compile.settings import BlockResult, SolverSettings, SolveStatus
from replica.errors import SettingsError

from .toy_systems import (
    BEFORE_THE_EDGE,
    CURIE_WEISS,
    EDGE,
    EDGE_OF_TWO,
    HOPFIELD,
    INF,
    LINEAR,
    LOGISTIC,
    NESTED,
    NETWORK,
    P_SPIN,
    PARABOLA,
    PUSHED_OUT,
    RUNAWAY,
    SK,
    SPIRAL,
    SQUARE,
    UNDEFINED,
    Toy,
)

PLAIN = {"acceleration": False, "newton": False, "max_evaluations": 20_000}
HEADERS = (
    ("vector_math.h", "quadrature.h"),
    ("linear_algebra.h", "fixed_point.h", "iteration.h", "solver.h"),
)
needs_compiler = pytest.mark.skipif(toolchain.find_compiler() is None, reason="needs a C compiler")


@cache
def library(generated: str) -> ctypes.CDLL:
    folder = resources.files("replica.compile") / "c"
    before, after = ("\n".join((folder / n).read_text() for n in names) for names in HEADERS)
    return toolchain.load("\n".join([before, generated, after]))


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


def solve_c(
    toy: Toy, params: Any, starts: Any, chain: bool = False, cancel: Any = None, **settings: Any
) -> BlockResult:
    params, starts = (np.ascontiguousarray(np.atleast_2d(v), float) for v in (params, starts))
    points, n, m = len(params), toy.n_unknown, toy.n_output
    numbers = SolverSettings(**settings).as_array()
    result = BlockResult(
        np.empty((points, n)), np.empty((points, m)), np.empty(points), np.empty((points, n)),
        np.empty((points, m)), np.empty(points, np.int32), np.empty(points, np.int32),
        np.empty(points), np.empty((points, n, n)),
    )  # fmt: skip
    code = library(toy.generated).replica_solve_block(
        pointer(params), pointer(starts), points, int(chain), pointer(numbers), len(numbers),
        *(pointer(array) for array in vars(result).values()),
        None if cancel is None else pointer(cancel),
    )  # fmt: skip
    assert code == 0
    return result


def solve_numpy(
    toy: Toy, params: Any, starts: Any, chain: bool = False, cancel: Any = None, **settings: Any
) -> BlockResult:
    solver = ReferenceSolver(toy, SolverSettings(**settings))
    return solver.solve_block(np.atleast_2d(params), np.atleast_2d(starts), chain, cancel)


@pytest.fixture(params=[pytest.param(solve_c, marks=needs_compiler), solve_numpy])
def solve(request: pytest.FixtureRequest) -> Any:
    return request.param


def sk_residual(q: float, beta: float, h: float) -> float:
    """|E tanh^2(beta sqrt(q) z + h) - q| by mpmath, with the interval split around the dip."""
    with mpmath.workdps(30):
        k = mpmath.mpf(beta) * mpmath.sqrt(mpmath.mpf(q))
        edges = {c * 4**j / k - h / k for j in range(8) for c in (-1, 0, 1)}
        edges = sorted(e for e in edges | {mpmath.mpf(-12), mpmath.mpf(12)} if abs(e) <= 12)
        mean = mpmath.quad(lambda z: mpmath.npdf(z) * mpmath.tanh(k * z + h) ** 2, edges)
        return float(abs(mean - mpmath.mpf(q)))


@pytest.mark.parametrize(("beta", "h"), [(1.5, 0.0), (2.0, 0.1), (300.0, 0.0), (300.0, 0.3)])
def test_sherrington_kirkpatrick_to_round_off(solve: Any, beta: float, h: float) -> None:
    result = solve(SK, [beta, h], [0.9])
    assert result.status[0] == SolveStatus.CONVERGED
    assert sk_residual(result.x[0, 0], beta, h) < 2e-15
    assert result.error[0, 0] < 1e-12
    assert result.evaluations[0] < 30


@needs_compiler
@pytest.mark.parametrize(
    ("toy", "params", "start"),
    [
        (SK, [2.0, 0.1], [0.9]),
        (P_SPIN, [1.5, 1.0, 0.45], [0.9, 0.8]),
        (HOPFIELD, [0.1379], [1, 0.1, 1.2]),
        (NESTED, [2.0], [1.0]),
        (SPIRAL, [30.0], [3.0, 1.0]),
    ],
)
def test_both_back_ends_agree(toy: Toy, params: list[float], start: list[float]) -> None:
    c, reference = solve_c(toy, params, start), solve_numpy(toy, params, start)
    np.testing.assert_allclose(c.x, reference.x, rtol=1e-12)
    np.testing.assert_allclose(c.out, reference.out, rtol=1e-12)
    np.testing.assert_allclose(c.jacobian, reference.jacobian, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(c.stability, reference.stability, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(c.status, reference.status)
    np.testing.assert_allclose(c.evaluations, reference.evaluations, rtol=0.3)


@pytest.mark.parametrize("distance", [0.1, 1e-3, 1e-5])
def test_hopfield_near_its_spinodal(solve: Any, distance: float) -> None:
    alpha = 0.13790556 * (1 - distance)
    result = solve(HOPFIELD, [alpha], [1, 0.1, 1.2])
    m = result.x[0, 0]
    with mpmath.workdps(30):
        # m = sqrt(2 alpha r) y reduces the equations to one for y = m / sqrt(2 alpha r)
        def equation(y: Any) -> Any:
            right = mpmath.sqrt(2 * mpmath.mpf(alpha)) + 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(
                -y * y
            )
            return mpmath.erf(y) - y * right

        y = mpmath.findroot(equation, mpmath.erfinv(mpmath.mpf(m)))
        exact = float(mpmath.erf(y))
    assert result.status[0] == SolveStatus.CONVERGED
    assert abs(m - exact) <= max(result.error[0, 0], 1e-15)
    assert result.error[0, 0] < 1e-12
    assert result.evaluations[0] < 80
    assert 0.6 < result.stability[0] < 1


def test_nested_integral(solve: Any) -> None:
    result = solve(NESTED, [2.0], [1.0])
    exact = mpmath.findroot(
        lambda x: mpmath.asinh(mpmath.sqrt(4 * x)) / mpmath.sqrt(4 * x) - x, 0.6
    )
    assert result.x[0, 0] == pytest.approx(float(exact), rel=1e-13)


def test_inner_rule_is_refined_until_certified(solve: Any) -> None:
    result = solve(NESTED, [3e3], [1.0], inner_panels=1)
    root = mpmath.findroot(
        lambda x: mpmath.asinh(mpmath.sqrt(6000 * x)) / mpmath.sqrt(6000 * x) - x, 0.15
    )
    assert result.status[0] == SolveStatus.CONVERGED
    assert abs(result.x[0, 0] - float(root)) < 1e-10 * float(root)


@pytest.mark.parametrize("slope", [-3.0, -300.0, 0.5, 0.99999])
def test_linear_map_of_any_contraction(solve: Any, slope: float) -> None:
    result = solve(LINEAR, [slope], [3.0])
    assert result.status[0] == SolveStatus.CONVERGED
    assert abs(result.x[0, 0] - 1) <= result.error[0, 0]
    assert result.stability[0] == pytest.approx(slope, abs=1e-8)
    assert result.evaluations[0] < 40


def test_round_off_is_part_of_the_certificate(solve: Any) -> None:
    result = solve(LINEAR, [1 - 1e-7], [3.0])
    assert result.status[0] == SolveStatus.NOT_CERTIFIED
    assert abs(result.x[0, 0] - 1) <= result.error[0, 0] < 1e-7


@pytest.mark.parametrize(
    ("toy", "params", "start", "status"),
    [
        (SQUARE, [1.0], [0.5], SolveStatus.AT_BOUNDARY),  # leaves for infinity
        (UNDEFINED, [0.3], [0.0], SolveStatus.DIVERGED),
        (UNDEFINED, [0.3], [5.0], SolveStatus.DIVERGED),
        (PUSHED_OUT, [1.0], [3.0], SolveStatus.AT_BOUNDARY),
        (RUNAWAY, [1.0], [3.0], SolveStatus.AT_BOUNDARY),
    ],
)
def test_failures_are_named(
    solve: Any, toy: Toy, params: list[float], start: list[float], status: SolveStatus
) -> None:
    assert solve(toy, params, start).status[0] == status


@pytest.mark.parametrize("settings", [{}, {"acceleration": False, "newton": False}])
@pytest.mark.parametrize(("toy", "start"), [(EDGE, [0.2]), (EDGE_OF_TWO, [0.0, 0.0])])
def test_equations_without_a_value_end_the_iteration_soon(
    solve: Any, toy: Toy, start: list[float], settings: dict[str, bool]
) -> None:
    result = solve(toy, [0.1], start, **settings)
    assert result.status[0] == SolveStatus.DIVERGED
    assert result.evaluations[0] < 1000


def test_a_fixed_point_just_before_the_edge_is_found(solve: Any) -> None:
    result = solve(BEFORE_THE_EDGE, [0.0], [0.1])
    assert result.status[0] == SolveStatus.CONVERGED
    assert math.log1p(-result.x[0, 0]) + 5 == pytest.approx(result.x[0, 0], abs=1e-13)


@needs_compiler
@pytest.mark.parametrize(("toy", "start"), [(EDGE, [0.2]), (EDGE_OF_TWO, [0.0, 0.0])])
def test_both_back_ends_give_up_at_the_same_evaluation(toy: Toy, start: list[float]) -> None:
    ends = [solve(toy, [0.1], start) for solve in (solve_c, solve_numpy)]
    assert ends[0].evaluations[0] == ends[1].evaluations[0]


def test_starting_edges_fit_where_the_compiled_solver_keeps_them() -> None:
    features = [(0.999 * k / 64 + 1e-3, 1e-14) for k in range(64)]
    assert 2 + MAX_BREAKPOINT >= len(starting_edges(0, 1, features)) > MAX_BREAKPOINT / 2
    assert 0.5 not in starting_edges(0, 1, features)  # there was no room left for it


def test_too_few_evaluations(solve: Any) -> None:
    result = solve(HOPFIELD, [0.1379], [1, 0.1, 1.2], max_evaluations=5)
    assert result.status[0] == SolveStatus.NOT_CONVERGED
    assert np.isnan(result.error).all()


@pytest.mark.parametrize("r", [2.8, 3.2, 3.9])
def test_cycles_of_the_undamped_map_are_damped(solve: Any, r: float) -> None:
    result = solve(PARABOLA, [r], [0.3])
    assert result.x[0, 0] == pytest.approx(1 - 1 / r, rel=1e-14)
    assert result.stability[0] == pytest.approx(2 - r, abs=1e-8)


@pytest.mark.parametrize("beta", [0.5, 0.999])
def test_decay_to_zero_finishes(solve: Any, beta: float) -> None:
    for toy, params in [(CURIE_WEISS, [beta]), (SK, [beta, 0.0])]:
        result = solve(toy, params, [0.4])
        assert result.status[0] == SolveStatus.CONVERGED
        assert abs(result.x[0, 0]) < 1e-13
        assert result.evaluations[0] < 150  # damping alone needs 25,000


def test_a_symmetric_start_keeps_its_symmetry(solve: Any) -> None:
    symmetric = solve(CURIE_WEISS, [2.0], [0.0])
    assert symmetric.x[0, 0] == 0
    assert symmetric.stability[0] == pytest.approx(2)
    perturbed = solve(CURIE_WEISS, [2.0], [1e-12])
    assert perturbed.x[0, 0] == pytest.approx(0.9575040240772687, rel=1e-14)


def test_slow_bottleneck_behind_a_spinodal(solve: Any) -> None:
    """No root is left near 1/2; the iteration must go through, not call the ghost a solution."""
    assert solve(SQUARE, [0.25 + 1e-6], [0.0]).status[0] == SolveStatus.AT_BOUNDARY
    assert solve(SQUARE, [0.25 - 1e-8], [0.0]).x[0, 0] == pytest.approx(0.4999, abs=1e-11)


@needs_compiler
@pytest.mark.parametrize("beta", [1.2, 2.6])
def test_acceleration_keeps_the_branch_of_damping(beta: float) -> None:
    random = np.random.default_rng(1)
    for params in ([beta, 2.0, 0.0], [beta, 0.7, 0.45]):
        starts = random.uniform([-1, 0], [1, 1], (60, 2))
        block = np.tile(params, (60, 1))
        fast, plain = solve_c(P_SPIN, block, starts), solve_c(P_SPIN, block, starts, **PLAIN)
        np.testing.assert_allclose(fast.x, plain.x, atol=1e-9)
        assert (fast.status == SolveStatus.CONVERGED).all()
        assert np.unique(np.round(fast.x, 6), axis=0).shape[0] > 1  # phases do coexist


@needs_compiler
def test_branch_of_damping_among_many_fixed_points() -> None:
    random = np.random.default_rng(3)
    networks = random.normal(size=(20, 12)) * np.repeat([1.5, 0.2], [9, 3])
    params, starts = np.repeat(networks, 30, axis=0), 2 * random.normal(size=(600, 3))
    fast, plain = solve_c(NETWORK, params, starts), solve_c(NETWORK, params, starts, **PLAIN)
    settled = plain.status == SolveStatus.CONVERGED  # some flows end in a cycle
    assert settled.mean() > 0.8
    np.testing.assert_allclose(fast.x[settled], plain.x[settled], atol=1e-9)
    assert (fast.stability[settled] < 1).all()
    assert np.median(fast.evaluations) < 0.5 * np.median(plain.evaluations)


@pytest.mark.parametrize(
    ("params", "expected", "most"),
    [  # reference values: independent NumPy solution, quadrature refined twice
        ([2, 1, 0.5, 1], [0.4900851295, 0.3736539863, 0.7338779398, 0], 40),
        ([2, 1, 0.2, 1], [0.3836912524, 0.2683588531, 0.7953710131, -1.3004789850], 40),
        ([5, 0.01, 0.2, 1], [3.2649003684, 20.1562390265, 6.9338242215, -2.4504031498], 60),
        ([1, 1e-4, 0.2, 1], [3.4114294526, 43.1323596269, 5181.4631451, -5.0804237945], 90),
    ],
)
def test_logistic_mixture(
    solve: Any, params: list[float], expected: list[float], most: int
) -> None:
    result = solve(LOGISTIC, params, [0.5, 0.5, 1.0, 0.0])
    assert result.status[0] == SolveStatus.CONVERGED
    np.testing.assert_allclose(result.x[0], expected, rtol=3e-10, atol=1e-10)
    assert result.evaluations[0] <= most


@needs_compiler
@pytest.mark.parametrize("params", [[3.8, 1e-6, 0.5, 1], [3.6, 1e-6, 0.5, 1]])
def test_stiff_flow_takes_hundreds_of_evaluations(params: list[float]) -> None:
    """Beside the separability threshold damping needs 3,000 evaluations, or more than 200,000."""
    result = solve_c(LOGISTIC, params, [0.5, 0.5, 1.0, 0.0])
    assert result.status[0] == SolveStatus.CONVERGED
    assert result.evaluations[0] < 300


@pytest.mark.parametrize("strength", [300.0, 3e3, 3e4])
def test_certificate_bounds_the_error_of_a_coarse_rule(solve: Any, strength: float) -> None:
    exact = float(
        mpmath.findroot(
            lambda x: (
                mpmath.asinh(mpmath.sqrt(2 * strength * x)) - x * mpmath.sqrt(2 * strength * x)
            ),
            strength ** (-1 / 3),
        )
    )
    coarse = {"inner_panels": 1, "max_refinements": 0}
    rough = solve(NESTED, [strength], [1.0], **coarse, certified_tolerance=0.5)
    assert rough.status[0] == SolveStatus.CONVERGED
    assert 1e-10 * exact < abs(rough.x[0, 0] - exact) <= rough.error[0, 0]
    assert solve(NESTED, [strength], [1.0], **coarse).status[0] == SolveStatus.NOT_CERTIFIED
    refined = solve(NESTED, [strength], [1.0], inner_panels=1)
    assert refined.status[0] == SolveStatus.CONVERGED
    assert abs(refined.x[0, 0] - exact) <= 1e-10 * exact


def test_chain_follows_the_last_solution(solve: Any) -> None:
    betas = np.linspace(2.0, 1.2, 9)[:, None]
    starts = np.full((9, 1), 1e-3)
    cold, warm = solve(CURIE_WEISS, betas, starts), solve(CURIE_WEISS, betas, starts, chain=True)
    np.testing.assert_allclose(warm.x, cold.x, rtol=1e-12)
    assert warm.evaluations[1:].sum() < cold.evaluations[1:].sum()


def test_a_bias_is_measured_against_its_field(solve: Any) -> None:
    """An error of 1e-10 is too much for a bias of 1e-7, and little beside a field of 1e4."""
    answers = []
    for square_of in ((), (1, -1)):
        biased = Toy(
            n_unknown=2, n_parameter=1, domain=((-INF, INF), (0, INF)), square_of=square_of,
            c_map="fx[0] = 0.5 * x[0] + p[0] + (rule->mode == RULE_FINE ? 1e-10 : 0); fx[1] = 1e8;",
            numpy_map=lambda rule, x, p: [
                    0.5 * x[0] + p[0] + 1e-10 * (rule.mode is RuleMode.FINE), 1e8
                ],
        )  # fmt: skip
        answers.append(solve(biased, [1e-7 / 3], [1.0, 1e8]))
    without, with_size = answers
    assert without.status[0] == SolveStatus.NOT_CERTIFIED
    assert with_size.status[0] == SolveStatus.CONVERGED
    assert abs(with_size.x[0, 0] - 2e-7 / 3) < 4e-10


def test_cancel(solve: Any) -> None:
    result = solve(CURIE_WEISS, [[2.0]] * 3, [[0.5]] * 3, cancel=np.array([1], np.int32))
    assert (result.status == SolveStatus.CANCELLED).all()


@needs_compiler
def test_eigenvalues_of_random_matrices() -> None:
    random = np.random.default_rng(2)
    function = library(LINEAR.generated).replica_eigenvalues
    for trial in range(300):
        n = 1 + trial % 12
        matrix = random.normal(size=(n, n))
        if trial % 3 == 1:  # units of the unknowns may differ by many orders
            scale = 10.0 ** random.uniform(-6, 6, n)
            matrix = matrix * scale / scale[:, None]
        if trial % 3 == 2:
            matrix[:, random.integers(n)] = 0
        real, imag = np.empty(n), np.empty(n)
        assert function(pointer(matrix), n, pointer(real), pointer(imag)) == 0
        left = np.max(np.linalg.eigvals(matrix).real)
        assert np.max(real) == pytest.approx(left, rel=1e-9, abs=1e-9)
        assert np.sum(real) == pytest.approx(np.trace(matrix), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"damping": 1.0}, {"tolerance": 0.0}, {"max_evaluations": 0}, {"inner_panels": 2.5},
        {"newton": "yes"}, {"quadrature_tolerance": float("nan")}, {"certified_tolerance": None},
    ],
)  # fmt: skip
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        SolverSettings(**wrong)
