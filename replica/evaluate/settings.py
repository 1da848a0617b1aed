"""Settings of the evaluation of a capacity."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from replica.errors import SettingsError

ESTIMATORS = ("controlled", "distance")


@dataclass(frozen=True)
class CapacitySettings:
    """Settings of the evaluation of a capacity.

    Parameters
    ----------
    tolerance : float
        Error of a quadrature, relative to the capacity, with which it counts as certified.
    samples : int
        Gaussian vectors, where an average is sampled.
    seed : int
        Of these vectors. One seed gives one set of vectors, whatever the parameters are, so that
        curves are smooth and results repeat.
    standard_error : float
        Standard error of a sampled capacity, relative to it, with which it counts as certified.
    estimator : str
        ``"controlled"`` combines the squared distance with quantities of known mean, which leaves
        a standard error two to four times smaller; ``"distance"`` is the plain mean.

    Raises
    ------
    SettingsError
        A value is outside its range.
    """

    tolerance: float = 1e-10
    samples: int = 4096
    seed: int = 0
    standard_error: float = 0.05
    estimator: str = "controlled"

    def __post_init__(self) -> None:
        for name in ("tolerance", "standard_error"):
            value = getattr(self, name)
            if not (_is_number(value) and 0 < value < 1):
                raise SettingsError(f"{name} must be a number between 0 and 1, not {value!r}.")
        for name, least in (("samples", 64), ("seed", 0)):
            value = getattr(self, name)
            if not (_is_number(value) and value == int(value) and least <= value <= 10**9):
                raise SettingsError(
                    f"{name} must be an integer from {least} to {10**9}, not {value!r}."
                )
            object.__setattr__(self, name, int(value))
        if self.estimator not in ESTIMATORS:
            raise SettingsError(
                f"estimator must be one of {', '.join(ESTIMATORS)}, not {self.estimator!r}."
            )

    def ladder(self) -> tuple[CapacitySettings, ...]:
        """Return the settings of a scan and of its retries, with 4 and 16 times more vectors."""
        return tuple(replace(self, samples=min(k * self.samples, 10**9)) for k in (1, 4, 16))


def require_settings(settings: object) -> None:
    """Raise SettingsError where settings are of another kind."""
    if not isinstance(settings, CapacitySettings):
        raise SettingsError(f"settings: a capacity takes CapacitySettings(...), got {settings!r}.")


def _is_number(value: object) -> bool:
    return (
        hasattr(value, "__float__") and not isinstance(value, bool) and math.isfinite(float(value))
    )
