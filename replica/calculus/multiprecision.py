"""The stable functions at the working precision of mpmath."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mpmath import mp


def _log_cosh(x: Any) -> Any:
    size = abs(x)
    if size < 1:
        return mp.log1p(mp.sinh(size) ** 2) / 2
    return size + mp.log1p(mp.exp(-2 * size)) - mp.log(2)


def _log_normal_cdf(x: Any) -> Any:
    return mp.log1p(-mp.ncdf(-x)) if x > 0 else mp.log(mp.ncdf(x))


def _mills(x: Any) -> Any:
    return mp.npdf(x) / mp.ncdf(x)


def _mills_excess(x: Any) -> Any:
    lost = 2 * int(mp.log10(1 + abs(x))) + 2 if x < 0 else 0
    with mp.extradps(lost):
        return x + _mills(x)


def _softplus(x: Any) -> Any:
    return max(x, mp.zero) + mp.log1p(mp.exp(-abs(x)))


def _log_sum_exp(*terms: Any) -> Any:
    top = max(terms)
    return top + mp.log(mp.fsum(mp.exp(t - top) for t in terms))


def _heaviside(x: Any, at_zero: Any = None) -> Any:
    if x == 0:
        return mp.mpf("0.5") if at_zero is None else at_zero
    return mp.one if x > 0 else mp.zero


def _normal_orthant(correlation: Any, *limits: Any) -> Any:
    """Average over the common factor of the variables, or over the angle of the correlation."""
    if len(limits) == 2 and correlation < 0:
        # From correlation -1, where the variables are opposite: all terms are positive.
        a, b = limits
        opposite = max(mp.zero, mp.ncdf(a) - mp.ncdf(-b))

        def slope(angle: Any) -> Any:
            s, c = mp.cos(angle), mp.sin(angle)  # the angle is counted from correlation -1
            return mp.exp(-(a * a + b * b + 2 * a * b * s) / (2 * c * c)) if c else mp.zero

        return opposite + mp.quad(slope, [0, mp.acos(-correlation)]) / (2 * mp.pi)
    share, rest = mp.sqrt(correlation), mp.sqrt(1 - correlation)

    def density(t: Any) -> Any:
        return mp.npdf(t) * mp.fprod(mp.ncdf((a + share * t) / rest) for a in limits)

    steps = sorted(max(-40, min(40, -a / share)) for a in limits)
    return mp.quad(density, sorted({-mp.mpf(40), -mp.mpf(8), *steps, mp.mpf(8), mp.mpf(40)}))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "Tanh": mp.tanh,
    "Sech2": lambda x: mp.sech(x) ** 2,
    "LogCosh": _log_cosh,
    "Sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "Softplus": _softplus,
    "NormalPdf": mp.npdf,
    "NormalCdf": mp.ncdf,
    "LogNormalCdf": _log_normal_cdf,
    "Mills": _mills,
    "MillsExcess": _mills_excess,
    "LogSumExp": _log_sum_exp,
    "NormalOrthant": _normal_orthant,
    "Heaviside": _heaviside,
}
