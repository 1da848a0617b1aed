"""The benchmarks run, at sizes that say nothing about speed."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import plain_attention, plain_softmax, qp_loop, quad_loop
from benchmarks.covariate import covariate
from benchmarks.grid import grid
from benchmarks.manifolds import manifolds
from benchmarks.memories import memories
from benchmarks.paths import paths
from benchmarks.scale import scale
from benchmarks.single import POINT, single_solve
from benchmarks.startup import startup
from benchmarks.table import Row, markdown
from benchmarks.timing import Timing, human, interleave
from replica import load, nearest_points
from replica.compile import toolchain

needs_compiler = pytest.mark.skipif(toolchain.find_compiler() is None, reason="no C compiler")


def test_candidates_alternate() -> None:
    order: list[str] = []
    timings = interleave({name: lambda n=name: order.append(n) for name in "ab"}, rounds=2)
    assert order == ["a", "b"] * 3
    assert len(timings["a"].wall) == len(timings["a"].cpu) == 2


def test_best_and_median() -> None:
    timing = Timing(wall=(3.0, 1.0, 9.0), cpu=(2.0, 1.0, 1.5))
    assert (timing.best, timing.median, timing.best_cpu) == (1.0, 3.0, 1.0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.0, "2 s"), (0.0123, "12.3 ms"), (4.5e-5, "45 µs"), (3e-9, "3 ns")]
)
def test_durations_have_units(seconds: float, text: str) -> None:
    assert human(seconds) == text


@needs_compiler
def test_handwritten_program_solves_the_same_equations() -> None:
    rows, result = single_solve(repeats=1, rounds=1, quad_iterations=1)
    assert result.status[0] == 0
    (hand,) = [row.result for row in rows if row.what == "the same in hand-written C"]
    assert float(hand.split("differs by ")[1].rstrip(")")) < 1e-10


def test_python_loop_solves_the_same_equations() -> None:
    # A strong penalty: a dozen iterations instead of hundreds.
    import replica

    point = {**POINT, "lam": 10.0}
    loop, _ = quad_loop.solve(2.0, 10.0, 1.0, 0.5, tolerance=1e-7)
    exact = replica.load("gaussian-mixture-logistic").solve(**point).order_parameters
    assert loop == pytest.approx(exact, rel=1e-6, abs=1e-6)


def test_plain_softmax_regression_solves_the_same_equations() -> None:
    # A strong penalty: a rule of few nodes is good enough.
    found, _ = plain_softmax.solve(2.0, 1.0, nodes=30)
    exact = load("multiclass-cross-entropy-3").solve(alpha=2, lam=1).order_parameters
    assert found == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("labels", ["star", "directed"])
def test_plain_attention_solves_the_same_equations(labels: str) -> None:
    # A weak teacher and a strong penalty: a rule of few nodes is good enough.
    found, _ = plain_attention.solve(labels, 2.0, 0.5, 2.0, nodes=16)
    exact = load(f"potts-{labels}-3").solve(alpha=2, lam=0.5, rho=2).order_parameters
    assert found == pytest.approx(exact, rel=2e-6)


def test_loops_and_batches_of_programs_are_timed() -> None:
    rows = manifolds(loop_samples=100, rounds=1, large=(2, 12, 20))
    assert len(rows) in (4, 7)  # with CVXOPT, where it is installed
    assert rows[-1].what.startswith("2 manifolds of 12 points in 20 dimensions")


def test_the_loops_find_the_capacity_of_a_cloud() -> None:
    random = np.random.default_rng(0)
    generators = np.column_stack([np.ones(6), random.standard_normal((6, 3))])
    target = random.standard_normal(4)
    expected = nearest_points(generators, 0.0, target).squared_distances[0]
    assert qp_loop.least_squares(generators, target) == pytest.approx(expected, rel=1e-10)
    interior_point = qp_loop.interior_point()
    if interior_point is not None:
        assert interior_point(generators, target) == pytest.approx(expected, rel=1e-5)


@needs_compiler
def test_numpy_solves_the_same_covariate_equations() -> None:
    _, numpy, _ = covariate(modes=30, repeats=1, rounds=1)
    assert float(numpy.result.split("differs by ")[1].rstrip(")")) < 1e-8


@needs_compiler
def test_grid_and_starts_are_timed() -> None:
    rows = [*grid(side=2, rounds=1, control_rounds=100), *startup(rounds=1, warm_up=0)]
    assert len(rows) == 13
    assert "4 certified" in rows[0].result


@pytest.mark.slow
@needs_compiler
def test_large_grids_are_measured() -> None:
    rows = scale(side=4)
    assert [row.met for row in rows if row.target] == [True] * 4
    assert "16 certified" in rows[0].result


def test_hand_typed_paths_have_the_same_action() -> None:
    rows = paths(heads=2, examples=20, rounds=1)
    assert float(rows[1].result.split("differs by ")[1].rstrip(")")) < 1e-9


@needs_compiler
def test_numpy_solves_the_equations_of_memories() -> None:
    rows = memories(side=3, d=10.0, rounds=1)
    differences = [float(rows[i].result.split("differs by ")[1].rstrip(")")) for i in (1, 4, 7)]
    assert max(differences) < 1e-8
    assert "9 points, 9 certified" in rows[0].what


def test_table_says_what_was_missed() -> None:
    page = markdown({"One": [Row("a", "1 s", "< 0.5 s", False), Row("b", "2 s")]}, ["a note"])
    assert "| a | 1 s | < 0.5 s | **no** |" in page
    assert "| b | 2 s |  |  |" in page
    assert page.endswith("- a note\n")
