"""Actions of matrices: a certified minimum against the same equations typed by hand in NumPy."""

from __future__ import annotations

import numpy as np
from replica.models.attention_paths import attention_paths

from benchmarks import plain_paths
from benchmarks.table import Row
from benchmarks.timing import human, interleave
from replica.datasets import GaussianPaths
from replica.kernels.threads import few_threads


def paths(heads: int = 3, examples: int = 200, rounds: int = 3) -> list[Row]:
    """Time one minimum of two layers with so many heads each.

    Parameters
    ----------
    heads, examples, rounds : int
    """
    combination = tuple(np.r_[1.0, 0.5, -0.5, np.zeros(heads**2 - 3)])
    task = GaussianPaths(
        5, examples, 100, 200, heads=(heads, heads), combination=combination
    )  # fmt: skip
    data, N, T = task(), 100.0, 0.05
    model = attention_paths((heads, heads), data=data)
    Z, y = data["Z"].values, data["y"]

    def ours() -> float:
        return model.solve(start="uninformed", N=N, T=T)["action"]

    def plain() -> float:
        with few_threads(examples):
            return plain_paths.solve(Z, y, (heads, heads), N, T)[1]

    timings = interleave({"ours": ours, "plain": plain}, rounds)
    difference = abs(ours() - plain()) / abs(ours())
    stored, naive = data["Z"].stored_bytes, 8 * (examples * heads**2) ** 2
    gain = timings["plain"].best / timings["ours"].best
    return [
        Row(
            f"attention paths, {heads**2} paths, {examples} examples, certified",
            f"{human(timings['ours'].best)} ({stored / 1e6:.0f} MB of kernels)",
        ),
        Row(
            "the same typed by hand in NumPy, BFGS",
            f"{human(timings['plain'].best)} ({naive / 1e6:.0f} MB; action differs by "
            f"{difference:.0e})",
        ),
        Row("NumPy / replica", f"{gain:.1f}"),
    ]
