"""Logistic regression on Gaussian covariates of many modes, against vectorised NumPy."""

from __future__ import annotations

import numpy as np
from replica.models.gaussian_covariate import gaussian_covariate

from benchmarks import covariate_numpy
from benchmarks.table import Row
from benchmarks.timing import human, interleave
from replica import Covariates

POINT = {"alpha": 2.0, "lam": 0.01}


def covariate(modes: int = 2000, repeats: int = 20, rounds: int = 7) -> list[Row]:
    """Time the solve of a model of power-law covariances.

    Parameters
    ----------
    modes, repeats, rounds : int
    """
    omega = np.arange(1, modes + 1) ** -1.0
    omega *= modes / np.sum(omega)
    teacher = np.random.default_rng(1).normal(size=modes)
    rho = 1.1 * float(np.mean(omega * teacher**2))
    system = gaussian_covariate("logistic", Covariates(omega, teacher, rho)).compile("c")
    params = np.tile([POINT[name] for name in system.parameters], (repeats, 1))

    def by_hand() -> tuple[dict[str, float], int]:
        return covariate_numpy.solve(omega, teacher**2, rho, **POINT)

    timings = interleave({"replica": lambda: system.solve_block(params), "numpy": by_hand}, rounds)
    ours, (theirs, iterations) = system.solve_block(params[:1]), by_hand()
    gap = max(
        abs(theirs[name] - ours.x[0, i]) / abs(ours.x[0, i])
        for i, name in enumerate(system.unknowns)
    )
    time_ours, time_numpy = timings["replica"].best / repeats, timings["numpy"].best
    return [
        Row(
            f"logistic loss, {modes} modes, certified",
            f"{human(time_ours)} ({ours.evaluations[0]} evaluations of the map)",
            "< 50 ms",
            time_ours < 0.05,
        ),
        Row(
            "the same in vectorised NumPy, no certificate",
            f"{human(time_numpy)} ({iterations} iterations; differs by {gap:.0e})",
        ),
        Row("NumPy / generated", f"{time_numpy / time_ours:.1f}"),
    ]
