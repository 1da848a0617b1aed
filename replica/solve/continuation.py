"""Curves of solutions, followed by pseudo-arclength through their turning points."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replica.solve.ends import CLOSED, given_up, no_continuation, reaches, tends_to_a_limit
from replica.solve.problem import Problem, newton

logger = logging.getLogger(__name__)
Array = NDArray[np.float64]
_FIRST, _LEAST = 0.03, 1e-7
#: Cosine of the largest angle between the tangents of neighbouring points.
_TURN = 0.9
#: Steps so short, one after the other, lead nowhere.
_CREEPING = 1e-5
#: Component of a direction that is rounding.
_STILL = 1e-9
#: How often an arc is halved in search of a point.
_HALVINGS = 10
#: A curve whose parameters change less than this, relatively, over `_IDLE` points has a limit.
_IDLE, _MOVED, _IDLE_LENGTH = 12, 1e-5, 0.05


@dataclass(frozen=True)
class Step:
    """A point of a curve.

    Attributes
    ----------
    state : array
    tangent : array
        Direction in units of the state.
    end : str
        Why the curve ends here; empty where it goes on.
    """

    state: Array
    tangent: Array
    end: str = ""


def tangent_at(problem: Problem, state: Array) -> Array | None:
    """Return the direction of the curve through a state, in units of the state."""
    unit = problem.units(state)
    matrix = problem.on(state).jacobian() * unit / problem.row_units(state)[:, None]
    if not np.all(np.isfinite(matrix)):
        return None
    return np.asarray(np.linalg.svd(matrix)[2][-1]) if len(matrix) else np.ones(1)


def trace(
    problem: Problem,
    state: Array,
    toward: tuple[str, float],
    box: Mapping[str, tuple[float, float]],
    largest: float = 0.2,
    most: int = 500,
) -> Iterator[Step]:
    """Follow a curve from a state.

    Parameters
    ----------
    problem : Problem
        With one free parameter more than it has conditions.
    state : array
        On the curve.
    toward : (str, float)
        A free parameter and the sign of its change with which the curve is entered; the two signs
        always mean opposite directions.
    box : mapping
        Limits of the free parameters; the curve ends exactly there.
    largest : float
        Largest step, in units of the unknowns (and in those of the range of a parameter).
    most : int
        Points after which the curve is given up.

    Yields
    ------
    Step
        The first one is the given state; the last one has ``end`` set.
    """
    names = list(problem.free)
    first = problem.size - len(names)
    box_low = np.array([box[name][0] for name in names])
    box_high = np.array([box[name][1] for name in names])
    spans = box_high - box_low

    def weights(at: Array) -> Array:
        """Units that measure the length of a step."""
        unit = problem.units(at)
        unit[:first] = np.maximum(unit[:first], np.where(problem.low[:first] < 0, 0.1, 0.0))
        floor = np.where(np.isfinite(spans), 1e-2 * spans, 1e-2)
        unit[first:] = np.minimum(np.maximum(np.abs(at[first:]), floor), 0.5 * spans)
        return unit

    tangent = tangent_at(problem, state)
    if tangent is None:
        return
    problem = problem.renewed(state)
    at = first + names.index(toward[0])
    tangent = toward[1] * (tangent if tangent[at] >= 0 else -tangent)
    here, heading = state[first:], tangent[first:]
    stuck = ((here <= box_low) & (heading < 0)) | ((here >= box_high) & (heading > 0))
    if np.any(stuck):
        edge = int(np.argmax(stuck))
        yield Step(state, tangent, reaches(names[edge], float(here[edge])))
        return
    yield Step(state, tangent)
    start, length, recent, creeping = state, min(_FIRST, largest), [state[first:]], 0
    for count in range(1, most):
        unit = problem.units(state)
        measure = unit / weights(state)
        while True:
            speed = float(np.linalg.norm(tangent * measure))
            move = unit * tangent * (length / speed)
            move[np.abs(tangent) < _STILL] = 0.0
            share = problem.allowed(state, move)
            found = newton(problem, state + share * move, tangent)
            direction = None if found is None else tangent_at(problem, found)
            if found is not None and direction is not None:
                scaled = direction * problem.units(found) / unit * measure
                before = tangent * measure
                cosine = scaled @ before / np.linalg.norm(scaled) / np.linalg.norm(before)
                direction = direction if cosine >= 0 else -direction
                missed = float(np.linalg.norm((found - state - share * move) / unit * measure))
                good = abs(cosine) > _TURN and missed < 0.4 * max(share, 0.1) * length
                if good:
                    break
            length /= 3
            if length < _LEAST:
                yield Step(state, tangent, no_continuation(place(problem, state)))
                return
        here, there = state[first:], found[first:]
        limit = np.where(there > here, box_high, box_low)
        gone = (there < box_low) | (there > box_high)
        # A limit that is the edge of the domain is never passed, only approached.
        gone |= np.abs(limit - there) < 0.3 * np.abs(limit - here)
        if np.any(gone):
            edge = int(np.argmax(gone))
            last = at_value(problem, state, found, first + edge, float(limit[edge]))
            if last is not None:
                yield Step(last, direction, reaches(names[edge], float(limit[edge])))
                return
            if length > _LEAST and np.any((there < box_low) | (there > box_high)):
                length /= 3  # go closer before the last step
                continue
        state, tangent = found, direction
        creeping = creeping + 1 if share * length < _CREEPING else 0
        if creeping > 2 * _IDLE:
            yield Step(state, tangent, no_continuation(place(problem, state)))
            return
        logger.debug("point %d at %s, step %.1e", count, place(problem, state), length)
        problem = problem.renewed(state)
        recent = [*recent, state[first:]][-_IDLE:]
        if len(recent) == _IDLE and length > _IDLE_LENGTH:
            moved = np.ptp(recent, axis=0) / np.maximum(np.abs(state[first:]), 1e-3)
            if np.all(moved < _MOVED):
                yield Step(state, tangent, tends_to_a_limit(place(problem, state)))
                return
        back = float(np.linalg.norm((state - start) / unit * measure))
        if count > 5 and back < 0.5 * length:
            yield Step(state, tangent, CLOSED)
            return
        yield Step(state, tangent)
        if share == 1.0 and missed < 0.1 * length and abs(cosine) > 0.98:
            length = min(1.6 * length, largest)
    yield Step(state, tangent, given_up(most, place(problem, state)))


def at_value(
    problem: Problem, before: Array, after: Array, entry: int, value: float
) -> Array | None:
    """Return the point of a curve at which an entry has a value, between two of its points.

    Where Newton's method does not lead there, as next to a critical point, the arc is halved.
    """
    row = np.zeros(problem.size)
    row[entry] = 1.0
    for _ in range(_HALVINGS):
        guess = before + (value - before[entry]) / (after[entry] - before[entry]) * (after - before)
        guess[entry] = value
        found = newton(problem, guess, row)
        if found is not None:
            found[entry] = value
            return found
        chord = (after - before) / problem.units(guess)
        centre = newton(problem, 0.5 * (before + after), chord / np.linalg.norm(chord))
        if centre is None:
            return None
        ends = sorted((before[entry], after[entry]))
        if not ends[0] < centre[entry] < ends[1]:
            return None
        if (centre[entry] - value) * (before[entry] - value) <= 0:
            after = centre
        else:
            before = centre
    return None


def place(problem: Problem, state: Array) -> str:
    """Return the parameters of a state in words."""
    return ", ".join(f"{k} = {v:.6g}" for k, v in problem.parameters(state).items())
