"""Special functions of the calculus in NumPy, by the names that SymPy prints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np
from scipy import special

from replica.compile.orthant_code import normal_orthant


def _sech2(x: Any) -> Any:
    decay = np.exp(-2 * np.abs(x))
    return 4 * decay / (1 + decay) ** 2


def _log_cosh(x: Any) -> Any:
    size = np.abs(x)
    small = np.minimum(size, 0.5)
    far = size + np.log1p(np.exp(-2 * size)) - np.log(2.0)
    return np.where(size < 0.5, 0.5 * np.log1p(np.sinh(small) ** 2), far)


def _mills(x: Any) -> Any:
    return np.sqrt(2 / np.pi) / special.erfcx(-np.asarray(x) / np.sqrt(2.0))


def _mills_excess(x: Any) -> Any:
    far = np.minimum(x, -25.0)
    inverse = 1 / far**2
    # Asymptotic series of x + phi(x)/Phi(x) for x -> -oo, where the two terms cancel.
    series = np.polyval((-1708394.0, 110410.0, -8162.0, 706.0, -74.0, 10.0, -2.0, 1.0), inverse)
    return np.where(np.asarray(x) < -25.0, -series / far, x + _mills(x))


def _spectral_radius(*entries: Any) -> Any:
    matrix = np.array([float(e) for e in entries]).reshape(math.isqrt(len(entries)), -1)
    return np.max(np.abs(np.linalg.eigvals(matrix))) if np.all(np.isfinite(matrix)) else np.nan


def _log_sum_exp(*terms: Any) -> Any:
    return reduce(np.logaddexp, terms)


FUNCTIONS: Mapping[str, Any] = {
    "Tanh": np.tanh,
    "Sech2": _sech2,
    "LogCosh": _log_cosh,
    "Sigmoid": special.expit,
    "Softplus": lambda x: np.logaddexp(0.0, x),
    "NormalPdf": lambda x: np.exp(-0.5 * np.asarray(x) ** 2) / np.sqrt(2 * np.pi),
    "NormalCdf": special.ndtr,
    "LogNormalCdf": special.log_ndtr,
    "Mills": _mills,
    "MillsExcess": _mills_excess,
    "LogSumExp": _log_sum_exp,
    "ExpMinusOne": np.expm1,
    "NormalOrthant": normal_orthant,
    "SpectralRadius": _spectral_radius,
    "Heaviside": lambda x, at_zero=0.5: np.heaviside(x, at_zero),
    "erf": special.erf,
    "erfc": special.erfc,
    "Larger": np.maximum,
    "Smaller": np.minimum,
    "amax": lambda terms, axis=0: reduce(np.maximum, terms),
    "amin": lambda terms, axis=0: reduce(np.minimum, terms),
}
