"""Names that users give: found, or refused with the nearest ones."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from replica.errors import ParameterError


def parameter_name(parameters: Mapping[str, Any], given: str, options: Iterable[str] = ()) -> str:
    """Return the Python name of a parameter, given that or its symbol.

    Parameters
    ----------
    parameters : mapping of str to Parameter
    given : str
    options : iterable of str
        Keywords that the function takes beside parameters, for the hint.

    Raises
    ------
    ParameterError
        If there is none; the message names the nearest ones.
    """
    symbols = {p.symbol_name: name for name, p in parameters.items()}
    if given in parameters:
        return given
    if given in symbols:
        return symbols[given]
    meant = nearest(given, [*symbols, *parameters], options)
    hint = f" (did you mean {meant}?)" if meant else ""
    known = ", ".join(parameters) or "none"
    raise ParameterError(f"parameter {given!r} is unknown{hint}; the model has {known}.")


def nearest(given: str, names: Iterable[str], options: Iterable[str] = ()) -> str:
    """Return in words the name that was probably meant, capitals aside; empty if none is near."""
    names = list(names)
    folded = {name.casefold(): name for name in (*options, *names)}
    close = difflib.get_close_matches(given.casefold(), list(folded), 1)
    if not close:
        return ""
    found = folded[close[0]]
    return repr(found) if found in names else f"the option {found!r}"


def options_of(function: Callable[..., Any], *own: str) -> list[str]:
    """Return the keywords of a function, but for its own."""
    kinds = inspect.signature(function).parameters.values()
    return [p.name for p in kinds if p.kind is not p.VAR_KEYWORD and p.name not in own]
