"""Parameters as written on a command line: ``name=value`` and ``name=start:stop:count[:log]``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from replica.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A mistyped count should not fill the memory.
_MOST_POINTS = 10_000_000


def parse_values(words: Iterable[str]) -> dict[str, float]:
    """Read ``name=value`` words.

    Parameters
    ----------
    words : iterable of str
        For example ``["alpha=2", "lambda=1e-3", "rho=1/3"]``.

    Returns
    -------
    dict of str to float

    Raises
    ------
    ParameterError
        If a word is malformed, a name comes twice, or a range stands where one value must.
    """
    values: dict[str, float] = {}
    for word in words:
        name, text = _split(word, values)
        if ":" in text or "," in text:
            raise ParameterError(f"{word!r} gives several values, and here {name!r} takes one.")
        values[name] = _number(text, word)
    return values


def parse_grid(words: Iterable[str]) -> tuple[dict[str, NDArray[np.float64]], dict[str, float]]:
    """Read ranges and values.

    Parameters
    ----------
    words : iterable of str
        ``name=value``, ``name=value,value,...``, ``name=start:stop:count`` (equal steps) or
        ``name=start:stop:count:log`` (equal ratios).

    Returns
    -------
    axes : dict of str to ndarray
    fixed : dict of str to float

    Raises
    ------
    ParameterError
        If a word is malformed or a name comes twice.
    """
    axes: dict[str, NDArray[np.float64]] = {}
    fixed: dict[str, float] = {}
    for word in words:
        name, text = _split(word, {**axes, **fixed})
        if ":" in text:
            axes[name] = _range(text, word)
        elif "," in text:
            axes[name] = _array([_number(part, word) for part in text.split(",")])
        else:
            fixed[name] = _number(text, word)
    return axes, fixed


def parse_limits(word: str) -> tuple[str, NDArray[np.float64] | tuple[float, float] | None]:
    """Read limits of a parameter.

    Parameters
    ----------
    word : str
        ``name``, ``name=low:high``, or a range or list as in `parse_grid`.

    Returns
    -------
    name : str
    limits : pair of float, array or None

    Raises
    ------
    ParameterError
        If the word is malformed.
    """
    if "=" not in word:
        return word.strip(), None
    name, text = _split(word, ())
    if text.count(":") == 1:
        low, high = (_number(part, word) for part in text.split(":"))
        return name, (low, high)
    axes, _ = parse_grid([word])
    if name not in axes:
        raise ParameterError(f"{word!r} is not of the form name=low:high or name=low:high:count.")
    return name, axes[name]


def _split(word: str, taken: Iterable[str]) -> tuple[str, str]:
    name, separator, text = word.partition("=")
    name, text = name.strip(), text.strip()
    if not (name and separator and text):
        raise ParameterError(
            f"{word!r} is not of the form name=value or name=start:stop:count[:log]."
        )
    if name in taken:
        raise ParameterError(f"Parameter {name!r} is given twice.")
    return name, text


def _number(text: str, word: str) -> float:
    # A fraction is common (rho=1/3); anything more is no number, and nothing is evaluated.
    numerator, slash, denominator = text.partition("/")
    try:
        value = float(numerator) / float(denominator) if slash else float(text)
    except (ValueError, ZeroDivisionError):
        raise ParameterError(f"{text!r} in {word!r} is not a number.") from None
    if math.isnan(value):
        raise ParameterError(f"{text!r} in {word!r} is not a number.")
    return value


def _range(text: str, word: str) -> NDArray[np.float64]:
    import numpy as np

    parts = text.split(":")
    if len(parts) not in (3, 4) or (len(parts) == 4 and parts[3] not in ("lin", "log")):
        raise ParameterError(f"{word!r} is not of the form name=start:stop:count[:log].")
    start, stop = _number(parts[0], word), _number(parts[1], word)
    if not parts[2].strip().isdigit() or not 1 <= int(parts[2]) <= _MOST_POINTS:
        raise ParameterError(f"The count {parts[2]!r} in {word!r} must be a positive integer.")
    if not (math.isfinite(start) and math.isfinite(stop)):
        raise ParameterError(f"The ends of the range {word!r} must be finite.")
    count = int(parts[2])
    if count > 1 and start == stop:
        raise ParameterError(f"The range {word!r} has several points and no length.")
    if len(parts) == 4 and parts[3] == "log":
        if not (start > 0 and stop > 0):
            raise ParameterError(f"The logarithmic range {word!r} needs positive ends.")
        return np.geomspace(start, stop, count)
    return np.linspace(start, stop, count)


def _array(values: list[float]) -> NDArray[np.float64]:
    import numpy as np

    return np.array(values)
