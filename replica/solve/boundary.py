"""Transitions: a critical value of one parameter, or a line in two."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, overload

import numpy as np
import sympy as sp

from replica.compile.settings import SolverSettings
from replica.compile.system import CompiledSystem
from replica.errors import ConvergenceError, ParameterError, ReplicaError
from replica.names import options_of
from replica.solve.capacity import capacity, scale_free
from replica.solve.carry import carried
from replica.solve.certificate import Transition, uncertain
from replica.solve.coexistence import same_phase, two_phases
from replica.solve.conditions import EqualEntropies, Holds
from replica.solve.enter import limits, parameter_key, reachable
from replica.solve.line import Line, Point, transition
from replica.solve.point import Start, parameter_values
from replica.solve.problem import Problem
from replica.solve.question import Question
from replica.solve.search import one_phase
from replica.solve.solution import Solution
from replica.solve.trace_line import trace_line, widened
from replica.solve.words import WORDS, check_entropy, parse

#: Where along a line its first point is searched for, as shares of the range.
_PLACES = (0.5, 0.25, 0.75, 0.05, 0.95, 0.0, 1.0)


@overload
def boundary(
    model: Any,
    condition: str | sp.Expr,
    parameter: str,
    *,
    along: None = None,
    **options: Any,
) -> Transition: ...


@overload
def boundary(
    model: Any, condition: str | sp.Expr, parameter: str, *, along: str, **options: Any
) -> Line: ...


def boundary(
    model: Any,
    condition: str | sp.Expr,
    parameter: str,
    *,
    along: str | None = None,
    over: Sequence[float] | None = None,
    within: Sequence[float] | None = None,
    bracket: Sequence[float] | None = None,
    start: Start | Sequence[Start] = None,
    step: float = 0.2,
    points: int = 500,
    settings: SolverSettings | None = None,
    backend: str | None = None,
    **fixed: float,
) -> Transition | Line:
    """Locate a transition: the critical value of a parameter, or a line in two parameters.

    Parameters
    ----------
    model : Model or FunctionalModel
    condition : str or Expr
        - ``"second-order"``: the phase in which order parameters vanish loses its stability;
        - ``"replicon"`` (or ``"at"``): the replicon eigenvalue vanishes;
        - ``"spinodal"``: the branch turns back;
        - ``"first-order"``: two branches have the same free entropy;
        - ``"entropy"``: the entropy vanishes (the free entropy, for models that count);
        - ``"capacity"`` (or ``"separability"``): hard constraints cease to be satisfiable,
          ``chi`` diverges (``V`` vanishes, at finite temperature);
        - ``"NAME=VALUE"``, or an expression or equation of outputs, order parameters and
          parameters (an expression shall be zero).
    parameter : str
        The critical parameter.
    along : str, optional
        A second parameter, along which a line is followed.
    over : pair of float, or more values
        Limits of that parameter. With more than two values the line consists of its points there,
        as far as it goes.
    within : pair of float, optional
        Limits of the critical parameter on a line, its domain by default.
    bracket : pair of float, optional
        Where the critical parameter is searched for at first, from both ends; by default, from its
        value in ``fixed`` (or its own default) in both directions. It does not limit a line.
    start : str, mapping or Solution, or two of them
        On the branch, as in `solve`; two for ``"first-order"``, by default ``("informed",
        "uninformed")``. A solution at a neighbouring transition is followed directly.
    step : float
        Largest relative change of an unknown or a parameter between points of a line.
    points : int
        Most points of a line in one direction.
    settings : SolverSettings, optional
    backend : str, optional
    **fixed : float
        Other parameters; where ``along`` and ``parameter`` are among them, the search begins there.

    Returns
    -------
    Transition or Line
        A line where ``along`` is given.

    Raises
    ------
    ParameterError
        If the question is not well posed.
    ConvergenceError
        If the transition is not found or cannot be certified.
    """
    if not (0 < step <= 1 and points > 1):
        raise ParameterError("boundary: expected a step up to 1 and more than one point.")
    word = WORDS.get(condition) if isinstance(condition, str) else None
    if word == "entropy":
        check_entropy(model)
    if word == "capacity":
        model = scale_free(model)
    system = model.compile(backend)
    name = parameter_key(system, parameter)
    box = limits(system, name, bracket, "bracket")
    given = _first_parameters(start)
    options = options_of(boundary, "model", "parameter")
    values = parameter_values(system.saddle.parameters, {**given, **fixed}, options)
    outside = not box[0] <= values[name] <= box[1]
    if bracket is not None and name in _named(system, fixed):
        raise ParameterError(
            f"boundary: {name} is searched for in the bracket, from both ends; leave out "
            f"{name}={values[name]:g}, or the bracket, to begin there."
        )
    if bracket is None and outside:
        raise ParameterError(f"{name} = {values[name]:g} is outside its domain.")
    if bracket is None:
        box = reachable(box, values[name])
    question = Question(model.name, system, name, values, box, bracket is not None, settings)
    if along is None:
        if over is not None or within is not None:
            raise ParameterError("boundary: over= and within= need along=, for a line.")
        problem, state = _located(question, word, condition, start)
        found = transition(Point(problem, state, None), _names(start, problem), (name,))
        return _checked(found)
    other = parameter_key(system, along)
    if other == name:
        raise ParameterError(f"boundary: {name} is both the critical parameter and along.")
    ends, at = _range(system, other, over, values[other])
    first = _enter_line(question, word, condition, start, other, ends, fixed)
    problem, state, second = first
    free = (name, other)
    wide, state = widened(problem, state, free, {**values, other: second})
    whole = {name: limits(system, name, within, "within"), other: ends}
    found_points, why = trace_line(wide, state, whole, step, points, at)
    if not found_points:
        raise ConvergenceError(
            f"model {model.name}: the line reaches none of the values of {other}; it ends because "
            f"{why[0]}, and because {why[1]}."
        )
    branches = _names(start, problem)
    reached = {float(p.state[-1]) for p in found_points}
    return Line(
        condition=problem.conditions[0].name,
        critical=name,
        along=other,
        points=tuple(transition(p, branches, free) for p in found_points),
        ends=why,
        missing=tuple(v for v in at or () if v not in reached),
    )


def _checked(found: Transition) -> Transition:
    for phase in (found, found.coexisting):
        if phase is not None and not phase.converged:
            name = found.critical[0]
            raise ConvergenceError(
                f"model {found.model}: {found.condition} at {name} = {found.parameters[name]:.10g} "
                f"is not certified ({uncertain(phase, found.critical)}).",
                found,
            )
    return found


def _first_parameters(start: Start | Sequence[Start]) -> dict[str, float]:
    first = start[0] if isinstance(start, (tuple, list)) and start else start
    return dict(first.parameters) if isinstance(first, Solution) else {}


def _names(start: Start | Sequence[Start], problem: Problem) -> list[str]:
    """Return the names of the branches of the phases."""
    pair = len(problem.phases) == 2
    default = problem.phases[0].system.saddle.default_start
    if pair and isinstance(start, Transition) and start.coexisting is not None:
        return [start.branch, start.coexisting.branch]
    starts: list[Any] = list(start) if isinstance(start, (tuple, list)) else [start]
    if pair and len(starts) < 2:
        starts = ["informed", "uninformed"]
    return [_name(one, default) for one in starts]


def _name(start: Start, default: str) -> str:
    if start is None or isinstance(start, str):
        return start or default
    return start.branch if isinstance(start, Solution) else "given start"


def _range(
    system: CompiledSystem, name: str, over: Sequence[float] | None, value: float
) -> tuple[tuple[float, float], list[float] | None]:
    """Return the limits of a line, and the values at which its points are asked for."""
    if over is None:
        return reachable(limits(system, name, None, "over"), value), None
    try:
        values = [float(v) for v in over]
    except (TypeError, ValueError):
        raise ParameterError(f"over: expected numbers, got {over!r}.") from None
    if len(values) < 3:
        return limits(system, name, values, "over"), None
    values = sorted(values)
    return limits(system, name, (values[0], values[-1]), "over"), values


def _enter_line(
    question: Question, word: str | None, condition: str | sp.Expr,
    start: Start | Sequence[Start], along: str, ends: tuple[float, float],
    fixed: dict[str, float],
) -> tuple[Problem, Any, float]:  # fmt: skip
    """Return a point of the line, and where along it that lies."""
    low, high = ends
    here = question.values[along]
    symbol = question.system.saddle.parameters[along].symbol_name
    places = [here] if low <= here <= high else []
    if not ({along, symbol} & set(fixed) and places):
        finite = np.isfinite(high) and np.isfinite(low)
        inner = [low + share * (high - low) for share in _PLACES] if finite else []
        places += [p for p in inner if p not in places]
    last: ReplicaError | None = None
    for place in places:
        try:
            parameter = question.system.saddle.parameters[along]
            values = {**question.values, along: parameter.validate(place)}
            at = dataclasses.replace(question, values=values)
            problem, state = _located(at, word, condition, start)
        except (ConvergenceError, ParameterError) as error:
            if last is None or isinstance(last, ParameterError):
                last = error
            continue
        return problem, state, place
    if isinstance(last, ParameterError):
        raise last
    tried = ", ".join(f"{p:g}" for p in places)
    raise ConvergenceError(
        f"The line was not entered at {along} = {tried}; give {along}= where it exists, with a "
        f"start= and a bracket= of {question.name}. At the first: {last}",
        getattr(last, "solution", None),
    ) from last


def _located(
    question: Question, word: str | None, condition: str | sp.Expr, start: Start | Sequence[Start]
) -> tuple[Problem, Any]:
    pair = isinstance(start, (tuple, list))
    if word == "first-order":
        if isinstance(start, Transition) and start.coexisting is not None:
            halves = (start, start.coexisting)
            direct = carried(question, EqualEntropies(), start, halves)
            if direct is not None and not same_phase(*direct):
                return direct
            return two_phases(question, halves)
        starts = tuple(start) if pair else ("informed", "uninformed")  # type: ignore[arg-type]
        if len(starts) != 2 or (start is not None and not pair):
            raise ParameterError(
                "first-order: expected two starts, start=(first, second), one on each branch."
            )
        return two_phases(question, starts)
    if pair:
        raise ParameterError(f"{condition}: expected one start, got {len(start)}.")  # type: ignore[arg-type]
    one: Any = start
    if word == "capacity":
        return capacity(question, one)
    parsed = parse(question.system, word, condition)
    if isinstance(parsed, Holds) and parsed.names <= set(question.values) - {question.name}:
        raise ParameterError(
            f"condition {condition}: it depends on {', '.join(sorted(parsed.names))} alone, and "
            f"not on {question.name}."
        )
    return one_phase(question, parsed, one)


def _named(system: CompiledSystem, given: Iterable[str]) -> set[str]:
    return {parameter_key(system, name) for name in given}
