"""Numbers with their uncertainty, as metrology writes them: ``0.3694(12)``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from replica.errors import TableError

#: Significant digits of a computed value, where its error allows as many.
DIGITS = 10
# No digit behind this one is shown, so that a zero looks the same everywhere.
_LAST = -12
_NUMBER = re.compile(
    r"(?P<mantissa>[+-]?\d+(?:\.\d*)?)(?:\((?P<last>\d+)\))?(?:e(?P<power>[+-]?\d+))?"
)


@dataclass(frozen=True)
class Measured:
    """A rounded value and its absolute uncertainty, half a unit of the last digit at least.

    Both are decimal numbers of few digits, so that they are stored and read without a change.
    """

    value: float
    uncertainty: float

    def __str__(self) -> str:
        if not math.isfinite(self.value):
            return f"{self.value:g}"
        unit, units = _unit(self.uncertainty)
        if abs(self.value) < self.uncertainty and units is None:
            return "0"
        last = "" if units is None else f"({units})"
        size = math.floor(math.log10(abs(self.value))) if self.value else unit
        if size >= -5 and unit <= 0:
            return f"{self.value:.{-unit}f}{last}"
        power = max(size, unit)
        return f"{self.value / 10.0**power:.{power - unit}f}{last}e{power}"


def rounded(value: float, error: float, digits: int = DIGITS) -> Measured:
    """Round a computed value to the digits that its error supports.

    Parameters
    ----------
    value : float
    error : float
        Its certified absolute error.
    digits : int
        The most significant digits to keep.

    Returns
    -------
    Measured
        Where the error reaches the last digit kept, the uncertainty is the error in units of that
        digit, rounded up; elsewhere it is half a unit.
    """
    if not (math.isfinite(value) and math.isfinite(error)):
        return Measured(value, math.inf)
    size = math.floor(math.log10(abs(value))) if value else _LAST
    unit = max(size - digits + 1, _LAST)
    if 2 * error < 10.0**unit:
        return Measured(_round(value, unit), float(f"5e{unit - 1}"))
    unit = max(unit, math.floor(math.log10(error)))
    units = math.ceil(error / 10.0**unit)
    if units >= 10:
        unit, units = unit + 1, 1
    units += units == 5  # five units would read as half a unit of the digit before
    return Measured(_round(value, unit), float(f"{units}e{unit}"))


def parse(text: str, where: str) -> Measured:
    """Read a printed number with its uncertainty.

    Parameters
    ----------
    text : str
        ``"0.138"`` (half a unit of the last digit), ``"0.3694(12)"`` (units of the last digit),
        ``"1.20e-5"``, or a bound ``"<1e-10"`` of the absolute value.
    where : str
        What to call the number in an error message.

    Raises
    ------
    TableError
        If it is not a number, or a whole number, which would not say how exact it is.
    """
    bound = text.startswith("<")
    found = _NUMBER.fullmatch(text.removeprefix("<"))
    if found is None or (bound and (found["last"] or found["mantissa"].startswith("-"))):
        raise TableError(
            f"{where}: {text!r} is not a number such as '0.138', '0.3694(12)' or '<1e-9'."
        )
    if bound:
        return Measured(0.0, float(text[1:]))
    mantissa, last, power = found["mantissa"], found["last"], int(found["power"] or 0)
    decimals = len(mantissa.partition(".")[2])
    if not decimals and last is None:
        raise TableError(
            f"{where}: {text!r} does not say how exact it is; write digits after the point, or the "
            f"uncertainty of the last digit as in '{mantissa}(1)'."
        )
    unit = power - decimals
    # The printed digit itself may have been rounded from a tie.
    uncertainty = 0.501 * 10.0**unit if last is None else float(f"{last}e{unit}")
    return Measured(float(f"{mantissa}e{power}"), uncertainty)


def _unit(uncertainty: float) -> tuple[int, int | None]:
    """Return the power of ten of the last digit shown, and the uncertainty in units of it."""
    mantissa, _, exponent = f"{uncertainty:.0e}".partition("e")
    # A half unit is what rounding alone leaves, and is not shown.
    if mantissa == "5" and float(f"5e{int(exponent)}") == uncertainty:
        return int(exponent) + 1, None
    return int(exponent), int(mantissa)


def _round(value: float, unit: int) -> float:
    return float(f"{value:.{-unit}f}") + 0.0 if unit < 0 else round(value, -unit) + 0.0
