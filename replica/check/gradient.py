"""Equations against the gradient of the functional that they are the stationarity of.

At a random point ``x`` the conjugates take the values of their equations; the functional must then
be stationary in the order parameters at ``x``. With these conjugates the order parameters take the
values of *their* equations, and the functional must be stationary in the conjugates there. Both
hold away from any solution, so that nothing cancels by chance. An extremised scalar is moved along
the gradient: the step over the gradient must be the same for every value of the scalar.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from replica.check.free_entropy import FINE, FreeEntropy
from replica.check.report import CheckItem, NotApplicable, item
from replica.check.subject import Subject
from replica.compile.settings import SolverSettings
from replica.declare.functional import Functional

_TOLERANCE = 1e-7
#: Values of an extremised scalar that are compared, relative to its scale.
_SHIFTS = (0.13, -0.21, 0.34)
Array = NDArray[np.float64]
Worst = dict[str, tuple[float, str]]
#: By kind of equation, number of the point and name of the variable.
Components = dict[tuple[str, int, str], float]
#: Independent samples where averages are sampled, and the points of each.
_SEEDS, _SAMPLES = 8, 2048


def check_gradient(subject: Subject) -> Iterator[CheckItem]:
    """Compare every equation with the gradient of the free entropy, at random points."""
    saddle, system = subject.full, subject.full_system
    if not saddle.stationary:
        raise NotApplicable("the equations are not those of a functional")
    functional = subject.free_entropy
    scalars = [s for s in saddle.order_parameters if s in subject.scalars]
    orders = [
        str(s) for s in saddle.order_parameters if s in saddle.stationary and s not in scalars
    ]
    conjugates = [str(s) for s, _ in saddle.conjugates if s in saddle.stationary]
    points = subject.points(system, 3)

    def components(settings: SolverSettings) -> Components:
        found: Components = {}
        for k, x in enumerate(points):
            outputs = system.report(subject.params, x, False, settings)
            here = dict(zip(system.outputs, map(float, outputs), strict=True))
            here |= dict(zip(system.unknowns, map(float, x), strict=True))
            slopes = functional.gradient(here, orders, settings)
            found |= _relative("conjugate", k, slopes, here, conjugates)
            images = system.map(subject.params, x, False, settings)
            there = here | dict(zip(system.unknowns, map(float, images), strict=True))
            there |= {str(s): here[str(s)] for s in scalars}
            slopes = functional.gradient(there, conjugates, settings)
            found |= _relative("order", k, slopes, there, orders)
            found |= _relative("order", -1 - k, _excess(subject, there), there, orders)
            for symbol in scalars:
                spread = _spread(functional, subject, x, here, symbol)
                found |= _relative("scalar", k, {str(symbol): spread}, {}, [])
        return found

    sampled = bool(system.program.sampled)
    worst = _of_samples(components) if sampled else _largest(components(FINE))
    where = f"at {len(points)} random points"
    where += ", beyond six standard errors" if sampled else ""
    texts = {
        "conjugate": ("gradient: conjugate equations", "d(free entropy)/d(order parameter), "
                      f"conjugates from their equations, {where}"),
        "order": ("gradient: order-parameter equations", "d(free entropy)/d(conjugate), order "
                  f"parameters from their equations, {where}"),
        "scalar": ("gradient: extremised scalars", "step over d(free entropy)/d(scalar), the same "
                   f"for all values, {where}"),
    }  # fmt: skip
    for kind, (size, symbol) in worst.items():
        name, text = texts[kind]
        yield item(name, size, _TOLERANCE, f"{text}; largest for {symbol}")


def _relative(
    kind: str, point: int, slopes: dict[str, float], at: dict[str, float], partners: Sequence[str]
) -> Components:
    """Components in units of the terms that cancel in them."""
    unit = max(max((abs(at[name]) for name in partners), default=1.0), 1e-3)
    return {(kind, point, name): slope / unit for name, slope in slopes.items()}


def _largest(found: Components) -> Worst:
    """The largest component of each kind, and whose it is."""
    worst: Worst = {}
    for (kind, _, name), value in found.items():
        if not abs(value) <= worst.get(kind, (-1.0, ""))[0]:  # NaN is worst
            worst[kind] = (abs(value), name)
    return worst


def _of_samples(components: Callable[[SolverSettings], Components]) -> Worst:
    """What the components have beyond their standard errors, from samples that are independent."""
    settings = [dataclasses.replace(FINE, samples=_SAMPLES, seed=k) for k in range(_SEEDS)]
    runs = [components(each) for each in settings]
    excess: Components = {}
    for key in runs[0]:
        values = np.array([run[key] for run in runs])
        error = float(np.std(values, ddof=1)) / math.sqrt(_SEEDS)
        excess[key] = max(abs(float(np.mean(values))) - 6 * error, 0.0)
    return _largest(excess)


def _excess(subject: Subject, point: dict[str, float]) -> dict[str, float]:
    """How far unknowns are from what the constraints make of the others."""
    return {name: point[name] - value for name, value in subject.constrained(point).items()}


def _spread(
    functional: FreeEntropy, subject: Subject, x: Array, here: dict[str, float], symbol: sp.Symbol
) -> float:
    """Relative spread of step over gradient between values of an extremised scalar.

    The conjugates follow the scalar, but the functional is differentiated by the scalar alone. In
    an interval with ends the step itself is compared, cut off there.
    """
    system, name = subject.full_system, str(symbol)
    index = system.unknowns.index(name)
    scale = max(abs(here[name]), 0.3)
    within = _within(subject, symbol)
    steps, slopes, gaps = [], [], []
    for shift in _SHIFTS:
        moved = x.copy()
        moved[index] += shift * scale
        image = system.map(subject.params, moved, False, FINE)[index]
        rate = _rate(subject, moved, symbol)
        outputs = system.report(subject.params, moved, False, FINE)
        at = here | dict(zip(system.outputs, map(float, outputs), strict=True))
        slopes.append(functional.gradient(at | {name: float(moved[index])}, [name])[name])
        steps.append((image - moved[index]) / rate)
        if within is not None:
            gaps.append(abs(image - np.clip(moved[index] + rate * slopes[-1], *within)) / scale)
    if within is not None:
        return float(max(gaps))
    size = max(map(abs, steps)) * max(map(abs, slopes))
    crossed = [a * slopes[-1] - b * steps[-1] for a, b in zip(steps, slopes, strict=True)]
    return max(map(abs, crossed)) / size if size else 0.0


def _within(subject: Subject, symbol: sp.Symbol) -> tuple[float, float] | None:
    """Interval of an order parameter of a functional, ends included."""
    if not isinstance(subject.model, Functional):
        return None
    (within,) = (o.within for o in subject.model.order_parameters if o.symbol == symbol)
    return within


def _rate(subject: Subject, x: Array, symbol: sp.Symbol) -> float:
    """Declared rate of a scalar; that of a disordered system does not depend on the scalar."""
    if not isinstance(subject.model, Functional):
        return 1.0
    (rate,) = (o.rate for o in subject.model.order_parameters if o.symbol == symbol)
    values = dict(zip(subject.full.order_parameters, map(float, x), strict=True))
    parameters = subject.full.parameters
    values |= {
        parameters[n]: float(p)
        for n, p in zip(subject.system.parameters, subject.params, strict=True)
    }
    return float(sp.sympify(rate).subs(values))
