"""The checks beside the gradient: identities, limits, bounds, quadrature, back ends, digits."""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from collections.abc import Iterator

import numpy as np
import sympy as sp

from replica.check.report import CheckItem, NotApplicable, item
from replica.check.subject import Subject
from replica.compile import toolchain
from replica.compile.system import CompiledSystem
from replica.declare.laws import Law, Spherical
from replica.declare.sites import estimate
from replica.declare.symbols import Parameter
from replica.derive.replica_symmetric import derive_replica_symmetric, self_overlap
from replica.errors import ReplicaError
from replica.solve.high_precision import evaluate, verify_system
from replica.solve.point import solve_point
from replica.solve.solution import Solution

_BACKENDS = 1e-12


def check_solution(subject: Subject) -> Iterator[CheckItem]:
    """Say whether the point has a certified solution."""
    found = subject.attempt
    if isinstance(found, str):
        yield CheckItem("solution", False, math.nan, subject.settings.certified_tolerance, found)
        return
    detail = found.status.value
    if found.converged:
        fixed = [n for n, v in found.parameters.items() if v != subject.values[n]]
        detail = "residual of the undamped map at the certified solution"
        if fixed:
            solved = ", ".join(f"{n} = {found.parameters[n]:.10g}" for n in fixed)
            detail += f" (no scale: solved for {solved} at chi = 1)"
    yield CheckItem(
        "solution", found.converged, found.residual, subject.settings.certified_tolerance,
        f"{detail} ({found.residual:.1e})",
    )  # fmt: skip


def check_nishimori(subject: Subject) -> Iterator[CheckItem]:
    """Compare the reduced equations of a matched model with the full ones."""
    if not subject.saddle.bayes_optimal:
        raise NotApplicable("the declaration is not recognised as Bayes-optimal")
    reduced = subject.solution
    second = float(_second_moment(subject))
    names = [name for name in ("q", "q_u") if name in reduced.order_parameters]
    expected: dict[str, float] = {}
    for name in names:  # along one direction, or along two
        tail = name.removeprefix("q")
        expected |= {f"m{tail}": reduced[name], name: reduced[name]}
        expected[f"V{tail}"] = second - reduced[name]
    full = solve_point(
        subject.model.name, subject.full_system, subject.values, expected, subject.settings,
        throw=False,
    )  # fmt: skip
    for name in names:
        tail = name.removeprefix("q")
        hats = (f"mhat{tail}", f"qhat{tail}", f"Vhat{tail}")
        expected |= dict.fromkeys(hats, reduced[f"qhat{tail}"])
    expected["free_entropy"] = reduced.free_entropy
    found = {**full.order_parameters, **full.conjugates, **full.observables}
    errors = {**full.error, **full.observable_error} if full.sampled else {}
    gaps = {
        name: max(abs(found[name] - value) - 6 * errors.get(name, 0.0), 0.0) / max(abs(value), 1e-2)
        for name, value in expected.items()
        if name in found
    }
    worst = max(gaps, key=lambda name: gaps[name])
    beyond = ", beyond six standard errors" if full.sampled else ""
    yield item(
        "Nishimori identities", gaps[worst], 1e-8,
        "m = q, q + V = R and equal conjugates at the solution of the equations that assume none"
        f"{beyond}; largest for {worst}",
    )  # fmt: skip


def _second_moment(subject: Subject) -> float:
    quenched = subject.declared_system.quenched
    if quenched is None:
        raise NotApplicable("no quenched variable is declared")
    overlap = estimate(subject.declared_system.teacher_overlap, subject.parameters)
    assert overlap is not None
    return overlap


def _number(expression: sp.Expr, subject: Subject) -> float:
    parameters = subject.saddle.parameters
    values = subject.solution.parameters
    return float(sp.sympify(expression).subs({parameters[n]: v for n, v in values.items()}))


def check_zero_temperature(subject: Subject) -> Iterator[CheckItem]:
    """Compare the zero-temperature equations with those of decreasing temperatures."""
    system = subject.declared_system
    if not system.zero_temperature:
        raise NotApplicable("the model is not at zero temperature")
    if any(f.constraint is not None for f in system.fields):
        raise NotApplicable("hard constraints do not depend on the temperature")
    limit = subject.solution
    T = Parameter("decreasing_temperature", 0.1, (0, math.inf), open="lower", symbol="T_check")
    try:
        warm = dataclasses.replace(
            system, temperature=T, observables={}, start="uninformed", name=f"{system.name}-warm"
        )
        # Nothing but the equations is needed, and they are large.
        saddle = derive_replica_symmetric(warm)
        bare = dataclasses.replace(saddle, free_entropy=sp.S.Zero, replicon=None, observables={})
        compiled = CompiledSystem(bare)
    except ReplicaError as error:
        raise NotApplicable(f"no equations at finite temperature: {error}") from None
    names = [n for n in limit.order_parameters if n != "q" or "q" in compiled.unknowns]

    @functools.cache
    def at(temperature: float) -> np.ndarray:
        start = {n: v for n, v in limit.order_parameters.items() if n in compiled.unknowns}
        start["V"] = temperature * limit["chi"]
        if "q" not in start:
            start["q"] = max(_number(self_overlap(system), subject) - start["V"], 0)
        values = {**limit.parameters, T.python_name: temperature}
        values = {n: v for n, v in values.items() if n in compiled.parameters}
        found = solve_point(warm.name, compiled, values, start, subject.settings, throw=False)
        if not found.converged:
            return np.full(len(names), np.nan)
        numbers = {**found.order_parameters, "chi": found["V"] / temperature}
        return np.array([numbers[n] for n in names])

    target = np.array([limit[n] for n in names])
    scale = np.maximum(np.abs(target), [1e-300 if n in ("q", "chi") else 1e-2 for n in names])
    coldest = None
    for temperature in 0.2 * 0.25 ** np.arange(8):
        ladder = [at(temperature / 2**k) for k in range(3)]
        raw = [np.abs(x - target) / scale for x in ladder]
        if np.all(np.isfinite(raw)):
            coldest = temperature, ladder, raw
            if np.max(raw) < 3e-3:
                break
        elif coldest is not None:
            break
    if coldest is None:
        raise NotApplicable("no certified solutions at temperatures near zero")
    temperature, ladder, raw = coldest
    first, second, third = ladder
    twice = (2 * second - first, 2 * third - second)
    extrapolated = (4 * twice[1] - twice[0]) / 3
    # The approach may be faster than any power of T; then the coldest is nearest.
    gap = np.minimum(np.abs(extrapolated - target) / scale, raw[2])
    worst = int(np.argmax(gap))
    # A wrong limit keeps its distance; a right one is approached, at kinks not as a power of T.
    allowed = 0.25 * float(np.max(raw[0])) + 1e-7
    yield item(
        "zero-temperature limit", float(gap[worst]), allowed,
        f"solutions at T = {temperature:.2g}, T/2, T/4 extrapolated to 0, from deviations of "
        f"{np.max(raw[0]):.0e} to {np.max(raw[2]):.0e}; largest for {names[worst]}",
    )  # fmt: skip


def check_bounds(subject: Subject) -> Iterator[CheckItem]:
    """Check what every state satisfies: Cauchy-Schwarz, positivity, fixed norms."""
    system, solution = subject.declared_system, subject.solution
    numbers = solution.order_parameters
    prior = system.thermal.prior
    norm = None
    if isinstance(prior, Spherical) or (isinstance(prior, Law) and prior.fixed_norm):
        norm = _number(self_overlap(system), subject)
    q = numbers.get("q", norm)
    if q is None:
        raise NotApplicable("the order parameters are matrices")
    violations = {f"{n} >= 0": -numbers[n] for n in ("q", "V", "chi") if n in numbers}
    if "qhat" in solution.conjugates:
        violations["qhat >= 0"] = -solution.conjugates["qhat"]
    if system.quenched is not None:
        second = _second_moment(subject)
        overlap = numbers.get("m", q)
        violations["m^2 <= q R"] = (overlap**2 - q * second) / max(q * second, 1e-2)
        if subject.saddle.bayes_optimal:
            violations["q <= R"] = (q - second) / max(second, 1e-2)
    if norm is not None:
        total = q + numbers.get("V", 0.0)
        violations["q + V = R"] = abs(total - norm) / norm
    if "entropy" in solution.observables and isinstance(prior, Law) and prior.counting:
        states = math.log(len(prior.components))
        violations["entropy <= log(states)"] = solution["entropy"] - states
    worst = max(violations, key=lambda name: violations[name])
    yield item(
        "physical bounds", violations[worst], 1e-9,
        f"violation of {', '.join(violations)}; the tightest is {worst}",
    )  # fmt: skip


def check_quadrature(subject: Subject) -> Iterator[CheckItem]:
    """Evaluate the solution again on a rule of twice as many nodes."""
    solution, system, settings = subject.solution, subject.system, subject.settings
    x = np.array([solution.order_parameters[n] for n in system.unknowns])
    names = [*system.unknowns, *system.outputs]
    coarse, fine = (
        np.append(
            system.map(subject.params, x, doubled, settings),
            system.report(subject.params, x, doubled, settings),
        )
        for doubled in (False, True)
    )
    gap = _relative(coarse, fine)
    worst = int(np.argmax(gap))
    yield item(
        "quadrature doubled", float(gap[worst]), settings.certified_tolerance,
        "equations, free entropy and observables at the solution, on the rule and on one of twice "
        f"as many nodes; largest for {names[worst]}",
    )  # fmt: skip


def check_backends(subject: Subject) -> Iterator[CheckItem]:
    """Compare the C and the NumPy lowering at random points."""
    if toolchain.find_compiler() is None:
        raise NotApplicable("there is no C compiler")
    first = subject.system
    if first.backend != "c":
        first = CompiledSystem(subject.saddle, "c")
    second = copy.copy(first)  # of the same program
    second.backend = "numpy"
    names = [*first.unknowns, *first.outputs]
    worst, where = -1.0, ""
    points = subject.points(subject.system, 3)
    for x in points:
        values = [
            np.append(s.map(subject.params, x), s.report(subject.params, x))
            for s in (first, second)
        ]
        gap = _relative(*values)
        index = int(np.argmax(gap))
        if not gap[index] <= worst:
            worst, where = float(gap[index]), names[index]
    yield item(
        "C against NumPy", worst, _BACKENDS,
        f"equations and outputs at {len(points)} random points; largest for {where}",
    )  # fmt: skip


def _relative(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Relative difference, for small values that of values near one; both may be infinite."""
    with np.errstate(invalid="ignore"):
        gap = np.abs(first - second) / np.maximum(np.abs(second), 1.0)
    return np.where((first == second) | (np.isnan(first) & np.isnan(second)), 0.0, gap)


def check_digits(subject: Subject) -> Iterator[CheckItem]:
    """Compare the solution with the same equations evaluated by mpmath."""
    if subject.vector:
        raise NotApplicable("averages over several variables are not evaluated with many digits")
    solution: Solution = subject.solution
    nested = subject.nested  # slow: fewer digits, and one evaluation
    digits = 10 if nested else 25
    held = [n for n, v in solution.parameters.items() if v != subject.values[n]]
    if held:
        # No scale, so that no solution is isolated: the residual of the equations remains.
        values = {**solution.parameters, **solution.order_parameters}
        updates = evaluate(subject.saddle, values, digits).updates
        gaps = {
            n: abs(float(f) - values[n]) / max(abs(values[n]), 1e-2) for n, f in updates.items()
        }
        worst = max(gaps, key=lambda n: gaps[n])
        yield item(
            "mpmath", gaps[worst], subject.settings.certified_tolerance,
            f"residual of the equations with {digits} digits; largest for {worst}",
        )  # fmt: skip
        return
    verdict = verify_system(subject.system, solution, digits, refine=not nested)
    excess = {
        n: error / max(verdict.certified_error[n], 1e-15 * max(abs(solution[n]), 1.0))
        for n, error in verdict.true_error.items()
    }
    worst = max(excess, key=lambda n: excess[n])
    yield CheckItem(
        "mpmath", verdict.within, verdict.true_error[worst], verdict.certified_error[worst],
        f"the equations with {digits} digits, each average over its own variable; "
        f"error of {worst} is {verdict.true_error[worst]:.1e}, certified "
        f"{verdict.certified_error[worst]:.1e}",
    )  # fmt: skip
