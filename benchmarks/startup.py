"""What a user waits for before the first number: imports, derivation, compilation."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from benchmarks.table import Row
from benchmarks.timing import human

# A loss of its own for every run: neither SymPy nor the compiler has seen it.
_NEW_MODEL = """
import time
begin = time.perf_counter()
import replica
import sympy as sp
from replica import Extremised, Field, Flat, Gaussian, Model, Parameter, Quenched, Test, Thermal, m
alpha, lam = Parameter("alpha", 2.0), Parameter("lam", 0.01)
w, v, h, y, b = sp.symbols("w v h y b", real=True)
margin = y * (h + b)
model = Model(
    name="new-model",
    thermal=Thermal(w, Flat(), penalty=lam * w**2 / 2),
    quenched=Quenched(v, Gaussian()),
    fields=Field(h, alpha, loss=sp.log(1 + sp.exp(-{steepness} * margin)),
                 clusters={{y: {{1: sp.S.Half, -1: sp.S.Half}}}}, mean=y * m),
    extremised=(Extremised(b),),
    temperature=0,
    observables={{"test_error": Test(sp.Heaviside(-margin))}},
)
solution = model.solve(backend="c")
assert solution.converged
print(time.perf_counter() - begin)
"""
_IMPORT = """
import time
import sympy
begin = time.perf_counter()
{statement}
print(time.perf_counter() - begin)
"""


def _inside(script: str, cache: str | None = None) -> float:
    """Run a script in a new interpreter; return the seconds that it prints."""
    environment = dict(os.environ)
    if cache is not None:
        environment["REPLICA_CACHE_DIR"] = cache
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True
    )
    return float(result.stdout)


def _help() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "replica", "--help"], check=True, capture_output=True)
    return time.perf_counter() - begin


def startup(rounds: int = 5, warm_up: int = 1) -> list[Row]:
    """Time imports and first solutions in new interpreters, best of several.

    Parameters
    ----------
    rounds : int
    warm_up : int
        Rounds before that do not count: they fill the caches of byte code.
    """
    cold, warm, imports, names, helps = [], [], [], [], []
    for number in range(warm_up + rounds):
        with tempfile.TemporaryDirectory() as cache:
            script = _NEW_MODEL.format(steepness=f"sp.Rational({1001 + number}, 1000)")
            cold.append(_inside(script, cache))
            warm.append(_inside(script, cache))
        imports.append(_inside(_IMPORT.format(statement="import replica")))
        names.append(_inside(_IMPORT.format(statement="from replica import Model")))
        helps.append(_help())
    measured = (
        ("import to first certified solution, nothing cached", cold[warm_up:], 3.0),
        ("the same, compiled before", warm[warm_up:], 1.0),
        ("`import replica`, beyond SymPy", imports[warm_up:], 0.3),
        ("`from replica import Model`, beyond SymPy", names[warm_up:], 0.3),
        ("`replica --help`, with the start of Python", helps[warm_up:], 0.5),
    )
    return [
        Row(
            what,
            f"{human(min(times))} (median {human(sorted(times)[len(times) // 2])})",
            f"< {human(limit)}",
            min(times) < limit,
        )
        for what, times, limit in measured
    ]
