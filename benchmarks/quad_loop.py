"""The script that one writes first: `scipy.integrate.quad` with a proximal operator inside."""

from __future__ import annotations

import math

from scipy.integrate import quad
from scipy.optimize import brentq


def sigmoid(x: float) -> float:
    """Logistic function, without overflow."""
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def proximal(point: float, scale: float, bias: float) -> float:
    """Solve ``v = point + scale sigmoid(-(v + bias))``."""

    def gap(v: float) -> float:
        return v - point - scale * sigmoid(-(v + bias))

    return brentq(gap, point, point + scale, xtol=1e-13)


def solve(
    alpha: float,
    lam: float,
    delta: float,
    rho: float,
    tolerance: float = 1e-10,
    max_iterations: int = 10_000,
) -> tuple[dict[str, float], int]:
    """Iterate the saddle-point equations of the logistic mixture with damping 1/2.

    Returns
    -------
    order parameters, number of iterations
    """
    m, q, chi, b = 0.01, 0.5, 0.5, 0.0
    iteration = 0
    while iteration < max_iterations:
        iteration += 1
        scale, deviation = chi * delta, math.sqrt(delta * q)

        def average(power: int, y: int, scale: float = scale, bias: float = b, mean: float = m,
                    deviation: float = deviation) -> float:  # fmt: skip
            # Fields and bias are multiplied by the label, so that both labels have one law.
            def integrand(z: float) -> float:
                point = mean + deviation * z
                v = proximal(point, scale, y * bias)
                density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
                s = sigmoid(-(v + y * bias))
                if power > 0:
                    return density * (scale * s) ** power  # scale s = v - point
                return density * (1 / (1 + scale * s * (1 - s)) - 1)

            value, _ = quad(integrand, -9, 9, epsabs=1e-10, epsrel=1e-10, limit=200)
            return value

        weights = ((1, rho), (-1, 1 - rho))
        first = {y: average(1, y) for y, _ in weights}
        m_hat = alpha / scale * sum(r * first[y] for y, r in weights)
        q_hat = alpha / (delta * chi**2) * sum(r * average(2, y) for y, r in weights)
        v_hat = -alpha / chi * sum(r * average(0, y) for y, r in weights)
        total = lam + v_hat
        new = (
            m_hat / total,
            (m_hat**2 + q_hat) / total**2,
            1 / total,
            b + sum(r * y * first[y] for y, r in weights),
        )
        old = (m, q, chi, b)
        change = max(abs(x - y) / max(abs(y), 1e-2) for x, y in zip(new, old, strict=True))
        m, q, chi, b = (0.5 * (x + y) for x, y in zip(new, old, strict=True))
        if change < tolerance:
            break
    return {"m": m, "q": q, "chi": chi, "b": b}, iteration
