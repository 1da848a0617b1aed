"""Why a branch or a line ends: all the words for it."""

from __future__ import annotations

#: There is no such phase beyond.
SPINODAL = "a phase meets its spinodal"
#: It is a saddle point beyond.
INSTABILITY = "a phase loses its stability"
#: Two phases cease to be different.
CRITICAL_POINT = "the two phases become one (critical point)"
CLOSED = "the curve is closed"


def mirrored(names: str) -> str:
    """A line of folds comes to where unknowns vanish, and its mirror image begins."""
    return f"{names} vanishes there (critical point)"


def reaches(name: str, value: float) -> str:
    """A parameter has come to the end of its range."""
    return f"{name} reaches {value:g}"


def tends_to_a_limit(where: str) -> str:
    """The parameters converge while the unknowns go on to a limit."""
    return f"tends to a limit at {where}"


def no_continuation(where: str) -> str:
    """The steps have become too short: next to it the equations are singular."""
    return f"no regular continuation beyond {where}"


def given_up(points: int, where: str) -> str:
    """It has taken all the points that it may have."""
    return f"given up after {points} points at {where}"


def is_singular(end: str) -> bool:
    """Return whether it ends where its equations are singular, for a reason yet to be told."""
    return end.startswith((tends_to_a_limit(""), no_continuation("")))
