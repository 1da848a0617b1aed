"""One solve: the generated code against a hand-written C program and the usual Python loop."""

from __future__ import annotations

import copy
import time
from importlib import resources
from pathlib import Path

import numpy as np

import replica
from benchmarks import quad_loop
from benchmarks.table import Row
from benchmarks.timing import human, interleave
from replica.compile import toolchain
from replica.compile.settings import BlockResult
from replica.compile.system import CompiledSystem

MODEL = "gaussian-mixture-logistic"
POINT = {"Delta": 1.0, "alpha": 2.0, "lam": 0.01, "rho": 0.5}
_BEFORE = ("vector_math.h", "quadrature.h")
_AFTER = ("linear_algebra.h", "fixed_point.h", "iteration.h", "solver.h")
_OUTPUTS = (
    "free_entropy", "mhat", "qhat", "Vhat", "replicon", "free_energy", "test_error",
    "best_bias_error", "train_loss", "train_error", "alignment",
)  # fmt: skip


def handwritten(system: CompiledSystem) -> CompiledSystem:
    """Return a copy of the compiled system that runs the hand-written C instead."""
    if system.outputs != _OUTPUTS or system.parameters != tuple(POINT):
        raise RuntimeError(f"handwritten.c computes {_OUTPUTS}, the model {system.outputs}.")
    headers = resources.files("replica.compile") / "c"
    text = Path(__file__).with_name("handwritten.c").read_text(encoding="utf-8")
    source = "\n".join(
        [*((headers / n).read_text() for n in _BEFORE), text]
        + [(headers / n).read_text() for n in _AFTER]
    )
    other = copy.copy(system)
    other.__dict__["_library"] = toolchain.load(source)
    return other


def single_solve(
    repeats: int = 200, rounds: int = 15, quad_iterations: int = 10_000
) -> tuple[list[Row], BlockResult]:
    """Time one solve to a certified 1e-10.

    Parameters
    ----------
    repeats : int
        Solves, all from the same start, in one timed block; what Python adds vanishes.
    rounds : int
    quad_iterations : int
        Iterations after which the Python loop gives up.
    """
    system = replica.load(MODEL).compile("c")
    by_hand = handwritten(system)
    params = np.tile([POINT[name] for name in system.parameters], (repeats, 1))
    timings = interleave(
        {
            "replica": lambda: system.solve_block(params),
            "hand": lambda: by_hand.solve_block(params),
        },
        rounds,
    )
    ours, theirs = system.solve_block(params[:1]), by_hand.solve_block(params[:1])
    difference = float(np.max(np.abs(ours.x - theirs.x) / np.maximum(np.abs(ours.x), 1e-2)))
    begin = time.perf_counter()
    solution, iterations = quad_loop.solve(
        POINT["alpha"], POINT["lam"], POINT["Delta"], POINT["rho"], max_iterations=quad_iterations
    )
    loop = time.perf_counter() - begin
    gap = max(
        abs(solution[name] - ours.x[0, i]) / max(abs(ours.x[0, i]), 1e-2)
        for i, name in enumerate(system.unknowns)
    )
    time_ours = timings["replica"].best / repeats
    time_hand = timings["hand"].best / repeats
    ratio, gain = time_ours / time_hand, loop / time_ours
    rows = [
        Row(
            "one solve, certified",
            f"{human(time_ours)} ({ours.evaluations[0]} evaluations of the map)",
        ),
        Row(
            "the same in hand-written C",
            f"{human(time_hand)} ({theirs.evaluations[0]} evaluations; differs by "
            f"{difference:.0e})",
        ),
        Row("generated / hand-written", f"{ratio:.2f}", "≤ 1.3", ratio <= 1.3),
        Row(
            "Python with `scipy.integrate.quad`, damping 1/2",
            f"{human(loop)} ({iterations} iterations; differs by {gap:.0e})",
        ),
        Row("Python loop / generated", f"{gain:,.0f}", "≥ 1000", gain >= 1000),
    ]
    return rows, ours
