"""Classification of a Gaussian mixture, by hand: the equations, closed forms and limits.

An independent evaluation in NumPy and SciPy for the tests; it shares nothing with the package. The
loss acts on the margin ``h = m + y b + s xi`` with ``s = sqrt(Delta q)``, already multiplied by the
label, and ``g = Delta chi`` is the scale of its proximal operator ``v(h)``.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import erfc, expit, log_expit, ndtr

TAIL = 14.0  # standard deviations beyond which the Gaussian measure is neglected
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)


def density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class Expectations:
    """Averages over one cluster."""

    push: float  # E[v - h]
    push_square: float  # E[(v - h)^2]
    gain: float  # 1 - E[dv/dh]
    loss: float  # E[l(v)]
    error: float  # P(v < 0)

    def __add__(self, other: Expectations) -> Expectations:
        both = zip(astuple(self), astuple(other), strict=True)
        return Expectations(*(a + b for a, b in both))

    def __mul__(self, weight: float) -> Expectations:
        return Expectations(*(weight * a for a in astuple(self)))


def square(g: float, mu: float, s: float) -> Expectations:
    share, spread = g / (1 + g), (1 - mu) ** 2 + s**2
    return Expectations(
        share * (1 - mu), share**2 * spread, share, spread / (2 * (1 + g) ** 2), ndtr((-g - mu) / s)
    )


def hinge(g: float, mu: float, s: float) -> Expectations:
    a, c = (1 - g - mu) / s, (1 - mu) / s
    below = ndtr(-a) - ndtr(-c) if a > 0 else ndtr(c) - ndtr(a)
    step = density(a) - density(c)
    return Expectations(
        g * ndtr(a) + (1 - mu) * below - s * step,
        g**2 * ndtr(a)
        + s**2 * ((c * c + 1) * below - 2 * c * step + a * density(a) - c * density(c)),
        below,
        s * (a * ndtr(a) + density(a)),
        ndtr((-g - mu) / s),
    )


def logistic(g: float, mu: float, s: float) -> Expectations:
    """Integrate over the deviation d of v from v(mu): h is explicit, and no digit cancels."""
    centre = brentq(lambda v: v - g * expit(-v) - mu, mu - 1, mu + g + 1, xtol=1e-15, rtol=1e-15)

    def field(d):
        """Deviation of h from mu, in standard deviations."""
        fall = expit(-centre - np.minimum(d, 0)) * expit(centre + np.maximum(d, 0))
        fall *= -np.sign(d) * np.expm1(-np.abs(d))  # sigma(-centre) - sigma(-v)
        return (d + g * fall) / s

    def deviation(xi: float) -> float:
        reach = 2 * TAIL * s
        return brentq(lambda d: field(d) - xi, -reach, reach, xtol=1e-12 * s, rtol=1e-14)

    low, high = deviation(-TAIL), deviation(TAIL)
    in_field = [deviation(xi) for xi in np.linspace(-TAIL, TAIL, 56)]
    in_value = np.clip(np.concatenate([np.linspace(-36, 36, 73), [-500, 500]]) - centre, low, high)
    edges = np.unique(np.concatenate([in_field, in_value]))
    half = np.diff(edges)[:, None] / 2
    d = edges[:-1, None] + half * (1 + NODES)
    v, xi = centre + d, field(d)
    slope, curvature = expit(-v), expit(v) * expit(-v)
    w = half * WEIGHTS * np.exp(-(xi**2) / 2) / math.sqrt(2 * math.pi) / s * (1 + g * curvature)
    return Expectations(
        float(np.sum(w * g * slope)),
        float(np.sum(w * (g * slope) ** 2)),
        float(np.sum(w * g * curvature / (1 + g * curvature))),
        float(np.sum(w * -log_expit(v))),
        float(ndtr((-g / 2 - mu) / s)),
    )


LOSSES = {"square": square, "hinge": hinge, "logistic": logistic}


def clusters(loss: str, point: dict[str, float], x: dict[str, float]):
    """Averages over the clusters y = +1 and y = -1, weighted with their fractions."""
    g, s = point["Delta"] * x["chi"], math.sqrt(point["Delta"] * x["q"])
    rho, average = point["rho"], LOSSES[loss]
    return (
        average(g, x["m"] + x["b"], s) * rho,
        average(g, x["m"] - x["b"], s) * (1 - rho),
    )


def residual(loss: str, point: dict[str, float], x: dict[str, float]) -> float:
    """Largest relative violation of the four saddle-point equations."""
    alpha, lam, Delta = point["alpha"], point["lam"], point["Delta"]
    plus, minus = clusters(loss, point, x)
    both, g = plus + minus, Delta * x["chi"]
    m_hat = alpha / g * both.push
    q_hat = alpha * Delta / g**2 * both.push_square
    stiffness = lam + alpha * Delta / g * both.gain
    return max(
        abs(m_hat / stiffness / x["m"] - 1),
        abs((m_hat**2 + q_hat) / stiffness**2 / x["q"] - 1),
        abs(Delta / stiffness / g - 1),
        abs(plus.push - minus.push) / (abs(plus.push) + abs(minus.push)),
    )


def sensitivity(
    loss: str, point: dict[str, float], x: dict[str, float], error: dict[str, float]
) -> float:
    """Relative violation of the equations that known errors of the solution explain.

    Where points lie within 1e-8 of a kink, a rounding of the bias moves them by eight digits.
    """
    plus, minus = clusters(loss, point, x)
    both = plus + minus
    return sum(error[name] / abs(x[name]) for name in ("m", "q", "chi")) + (
        error["m"] + error["b"]
    ) * both.gain / abs(both.push)


def free_energy(loss: str, point: dict[str, float], x: dict[str, float]) -> float:
    """Least training objective per dimension: the loss of all samples and the penalty."""
    plus, minus = clusters(loss, point, x)
    return point["alpha"] * (plus + minus).loss + point["lam"] * x["q"] / 2


def test_error(point: dict[str, float], x: dict[str, float]) -> float:
    scale = math.sqrt(2 * point["Delta"] * x["q"])
    rho = point["rho"]
    return (rho * erfc((x["m"] + x["b"]) / scale) + (1 - rho) * erfc((x["m"] - x["b"]) / scale)) / 2


def square_solution(alpha: float, lam: float, rho: float, Delta: float) -> dict[str, float]:
    """Saddle point of the square loss, in closed form."""
    spread = 4 * rho * (1 - rho)
    linear = lam + (alpha - 1) * Delta
    root = math.sqrt(linear**2 + 4 * lam * Delta)
    g = 2 * Delta / (linear + root) if linear > 0 else (root - linear) / (2 * lam)
    A = alpha * g / (Delta * (1 + g)) * spread
    m = A / (1 + A)
    c = alpha * (g / (1 + g)) ** 2
    q = (m**2 + c / Delta * spread * (1 - m) ** 2) / (1 - c)
    return {"m": m, "q": q, "chi": g / Delta, "b": (2 * rho - 1) * (1 - m)}
