"""Solutions that coexist at a point: what many starts lead to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.solve.equations import kept_at_zero, may_vanish
from replica.solve.point import Start, parameter_values, start_vector
from replica.solve.same import same_solution
from replica.solve.solution import LARGE, Solution, Status, make_solution

Array = NDArray[np.float64]
#: Random starts between the declared ones, and random starts on logarithmic scales.
_BETWEEN, _LOGARITHMIC = 6, 6
#: Starts in each symmetric subspace, beside the declared ones.
_SYMMETRIC = 4
#: Powers of ten by which a logarithmic start multiplies the uninformed one.
_POWERS = (-3.0, 1.0)
#: Relative distance to a limit at which the iteration may have stopped.
_LIMIT = 1e-6
#: Symmetric subspaces that are searched, those of most zeros first.
_SUBSPACES = 4


def find_branches(
    model: str,
    system: CompiledSystem,
    given: Mapping[str, float],
    starts: Sequence[Start] | None = None,
    settings: SolverSettings | None = None,
    seed: int = 0,
    limits: bool = False,
) -> list[Solution]:
    """Solve one point from several starts and return the distinct solutions.

    Nothing guarantees that these are all: a phase into whose basin of attraction no start falls is
    missed. Give ``starts`` of your own where you expect one.

    Parameters
    ----------
    starts : sequence, optional
        By default the declared ones; starts where all unknowns that a symmetry may keep at zero
        are exactly zero, or some of them; and random ones (seeded), between the declared ones and
        with logarithmic distances from the uninformed one.
    limits : bool
        List limits too (perfect recovery, capacity), which end at the boundary of the domain and
        are no regular saddle points; the free entropy of a limit has its own error, which may be
        large or infinite.

    Returns
    -------
    list of Solution
        Distinct converged solutions, and limits where asked for, the largest free entropy first.
        Unstable ones are listed after all phases where a start was given for them, but not those
        that only a start on the symmetric subspace leads to.
    """
    options = ("starts", "settings", "backend", "limits")
    values = parameter_values(system.saddle.parameters, given, options)
    params = np.array([[values[name] for name in system.parameters]], dtype=float)
    if starts is None:
        named = _default_starts(system, params, settings, np.random.default_rng(seed))
    else:
        named = [
            (
                start if isinstance(start, str) else f"start {i}",
                start_vector(system, start, params)[0],
            )
            for i, start in enumerate(starts)
        ]
    block = np.repeat(params, len(named), axis=0)
    result = system.solve_block(block, np.array([vector for _, vector in named]), settings)
    found: list[Solution] = []
    for i, (name, _) in enumerate(named):
        solution = make_solution(model, values, system, result, i, name)
        wanted = solution.converged or (limits and solution.status is Status.AT_BOUNDARY)
        wanted = wanted and not (name.startswith("symmetric") and solution.unstable)
        if wanted and not any(_same(solution, other, settings) for other in found):
            found.append(solution)
    return sorted(
        found, key=lambda s: (math.isnan(s.free_entropy), bool(s.unstable), -s.free_entropy)
    )


def _default_starts(
    system: CompiledSystem,
    params: Array,
    settings: SolverSettings | None,
    random: np.random.Generator,
) -> list[tuple[str, Array]]:
    """Return names and values of the starts where none are given."""
    declared = ["uninformed", "informed"]
    base = [system.starts(params, kind)[0] for kind in declared]
    named = list(zip(declared, base, strict=True))
    for i in range(_BETWEEN):
        mix = random.uniform(size=len(system.unknowns))
        named.append((f"random {i}", base[0] * (1 - mix) + base[1] * mix))
    low, high = np.array(system.program.domains, dtype=float).reshape(-1, 2).T

    def logarithmic() -> Array:
        # Only of unknowns with a scale: the others may have any sign, and stay between.
        mix, power = random.uniform(size=len(low)), random.uniform(*_POWERS, size=len(low))
        x = np.where(low == 0, base[0] * 10**power, base[0] * (1 - mix) + base[1] * mix)
        edge = np.where(np.isfinite(high), 0.999 * high, np.inf)
        return np.asarray(np.minimum(x, edge))

    named += [(f"random {_BETWEEN + i}", logarithmic()) for i in range(_LOGARITHMIC)]
    count = 0
    for zeros in _subspaces(system, params[0], base[0], settings):
        for x in [base[0], base[1], *(logarithmic() for _ in range(_SYMMETRIC))]:
            point = x.copy()
            point[list(zeros)] = 0.0
            named.append((f"symmetric {count}", point))
            count += 1
    return named


def _subspaces(
    system: CompiledSystem, params: Array, x: Array, settings: SolverSettings | None
) -> list[tuple[int, ...]]:
    """Return sets of unknowns that the equations keep at zero, the largest first."""
    largest = kept_at_zero(system, params, x, may_vanish(system), settings)
    smaller = (
        some
        for size in range(len(largest) - 1, 0, -1)
        for some in itertools.combinations(largest, size)
        if kept_at_zero(system, params, x, some, settings) == some
    )
    return list(
        itertools.islice(itertools.chain([largest] if largest else [], smaller), _SUBSPACES)
    )


def _same(first: Solution, second: Solution, settings: SolverSettings | None) -> bool:
    if (first.status, first.limit) != (second.status, second.limit):
        return False
    one, other = (np.array([*s.order_parameters.values()]) for s in (first, second))
    if first.status is Status.CONVERGED:
        errors = np.sum([[*s.error.values()] for s in (first, second)], axis=0)
        return bool(same_solution(one, other, errors, settings))
    # A limit is approached and has no certified error; what diverges stops at any large value.
    counts = np.maximum(np.abs(one), np.abs(other)) < LARGE
    one, other = one[counts], other[counts]
    return bool(
        same_solution(one, other, _LIMIT * np.maximum(np.abs(one), np.abs(other)), settings)
    )
