"""Small systems with known answers, written by hand for both back ends of the solver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import erf

INF = float("inf")


@dataclass(frozen=True)
class Toy:
    """A system as C code and as the NumPy object that `ReferenceSolver` takes."""

    n_unknown: int
    n_parameter: int
    c_map: str
    numpy_map: Callable[..., Any]
    domain: Sequence[tuple[float, float]] = ()
    c_segments: str = ""
    n_segment: int = 0
    c_report: str = "out[0] = x[0];"
    numpy_report: Callable[..., Any] = field(default=lambda rule, x, p: x[:1])
    n_output: int = 1
    square_of: tuple[int, ...] = ()

    @property
    def bounds(self) -> list[tuple[float, float]]:
        return list(self.domain) or [(-INF, INF)] * self.n_unknown

    @property
    def lower(self) -> np.ndarray:
        return np.array([low for low, _ in self.bounds])

    @property
    def upper(self) -> np.ndarray:
        return np.array([high for _, high in self.bounds])

    @property
    def vanishing(self) -> np.ndarray:
        return np.ones(self.n_unknown, dtype=bool)

    @property
    def squares(self) -> np.ndarray:
        return np.array(self.square_of or [-1] * self.n_unknown)

    def map(self, rule: Any, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.array(self.numpy_map(rule, x, p), dtype=float)

    def report(self, rule: Any, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.array(self.numpy_report(rule, x, p), dtype=float)

    @property
    def generated(self) -> str:
        """The part of the C source that the code generator would write."""

        def array(values: np.ndarray) -> str:
            return ", ".join(str(v).replace("inf", "INFINITY") for v in values)

        return f"""
enum {{ N_UNKNOWN = {self.n_unknown}, N_PARAMETER = {self.n_parameter}, N_OUTPUT = {self.n_output},
       N_SEGMENT = {self.n_segment}, MAX_INTEGRAND = 4 }};
static const double unknown_lower[N_UNKNOWN] = {{{array(self.lower)}}};
static const double unknown_upper[N_UNKNOWN] = {{{array(self.upper)}}};
static const int unknown_square[N_UNKNOWN] = {{{array(self.squares)}}};
static const int unknown_vanishes[N_UNKNOWN] = {{{array(self.vanishing.astype(int))}}};
{self.c_segments}
static void system_map(quadrature *rule, const double *x, const double *p, double *fx)
{{ (void)rule; (void)x; (void)p; {self.c_map} }}
static void system_report(quadrature *rule, const double *x, const double *p, double *out)
{{ (void)rule; (void)x; (void)p; {self.c_report} }}
"""


def segment(name: str, n_integrand: int, body: str) -> str:
    """Return a C segment function; ``body`` sets g[0..n_integrand) from z (and s, rule)."""
    return f"""
static void {name}(const quadrature *rule, const double *restrict s, double a, double b,
                   const double *restrict t, const double *restrict w, int n, double *restrict sum)
{{
    (void)rule; (void)s;
    for (int j = 0; j < n; ++j) {{
        const double z = a + (b - a) * t[j];
        double g[{n_integrand}];
        {body}
        for (int i = 0; i < {n_integrand}; ++i) sum[i] += (b - a) * w[j] * g[i];
    }}
}}
"""


GAUSS = "g[0] = 0.3989422804014327 * exp(-0.5 * z * z);"


def _gauss(z: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)


def _sk_map(rule: Any, x: np.ndarray, p: np.ndarray) -> Any:
    k, h = p[0] * np.sqrt(x[0]), p[1]

    def sums(a: float, b: float, t: np.ndarray, w: np.ndarray) -> np.ndarray:
        z = a + (b - a) * t
        g = (b - a) * w * _gauss(z)
        return np.array([g.sum(), g @ np.tanh(k * z + h) ** 2])

    return rule.integrate(0, sums, -9.0, 9.0, [(-h / k, 1 / k)], 2)[1:]


SK = Toy(  # replica-symmetric Sherrington-Kirkpatrick model: parameters beta, h
    1,
    2,
    "double s[2] = {p[0] * sqrt(x[0]), p[1]}, sum[2] = {0, 0};"
    "double f[2] = {-s[1] / s[0], 1 / s[0]};"
    "integrate(rule, 0, square, s, 2, -9, 9, 1, f, sum); fx[0] = sum[1];",
    _sk_map,
    domain=[(0, 1)],
    c_segments=segment(
        "square", 2, GAUSS + "const double u = tanh(s[0] * z + s[1]); g[1] = g[0] * u * u;"
    ),
    n_segment=1,
)


def _p_spin_map(rule: Any, x: np.ndarray, p: np.ndarray) -> Any:
    k = p[0] * np.sqrt(1.5) * x[1]
    h = p[0] * (3 * p[1] * x[0] ** 2 + p[2] * x[0])

    def sums(a: float, b: float, t: np.ndarray, w: np.ndarray) -> np.ndarray:
        z = a + (b - a) * t
        g = (b - a) * w * _gauss(z)
        u = np.tanh(k * z + h)
        return np.array([g.sum(), g @ u, g @ (u * u)])

    return rule.integrate(0, sums, -9.0, 9.0, [(-h / k, 1 / k)], 3)[1:]


P_SPIN = Toy(  # 3-spin glass with ferromagnetic terms: parameters beta, J_3, J_2
    2,
    3,
    "double s[2] = {p[0] * sqrt(1.5) * x[1], p[0] * (3 * p[1] * x[0] * x[0] + p[2] * x[0])};"
    "double sum[3] = {0, 0, 0}, f[2] = {-s[1] / s[0], 1 / s[0]};"
    "integrate(rule, 0, both, s, 3, -9, 9, 1, f, sum); fx[0] = sum[1]; fx[1] = sum[2];",
    _p_spin_map,
    domain=[(-1, 1), (0, 1)],
    c_segments=segment(
        "both",
        3,
        GAUSS + "const double u = tanh(s[0] * z + s[1]); g[1] = g[0] * u; g[2] = g[1] * u;",
    ),
    n_segment=1,
)


def _hopfield_map(rule: Any, x: np.ndarray, p: np.ndarray) -> Any:
    m, c, r = x
    width = 2 * p[0] * r
    response = np.sqrt(4 / (np.pi * width)) * np.exp(-m * m / width)
    return erf(m / np.sqrt(width)), response, 1 / (1 - c) ** 2


HOPFIELD = Toy(  # zero temperature: parameter alpha, unknowns m, C, r
    3,
    1,
    "const double width = 2 * p[0] * x[2]; fx[0] = erf(x[0] / sqrt(width));"
    "fx[1] = sqrt(4 / (3.141592653589793 * width)) * exp(-x[0] * x[0] / width);"
    "fx[2] = 1 / ((1 - x[1]) * (1 - x[1]));",
    _hopfield_map,
    domain=[(-1, 1), (0, 1), (0, INF)],
)


def _nested_map(rule: Any, x: np.ndarray, p: np.ndarray) -> Any:
    def sums(a: float, b: float, t: np.ndarray, w: np.ndarray) -> np.ndarray:
        z = a + (b - a) * t
        g = (b - a) * w * _gauss(z)
        inner = np.exp(-p[0] * x[0] * z[:, None] ** 2 * rule.inner_t**2) @ rule.inner_w
        return np.array([g.sum(), g @ inner])

    return rule.integrate(0, sums, -9.0, 9.0, [], 2)[1:]


# E_z int_0^1 exp(-p x z^2 t^2) dt = arsinh(c) / c with c = sqrt(2 p x)
NESTED = Toy(
    1,
    1,
    "double s[1] = {p[0] * x[0]}, sum[2] = {0, 0};"
    "integrate(rule, 0, nested, s, 2, -9, 9, 0, 0, sum); fx[0] = sum[1];",
    _nested_map,
    domain=[(0, INF)],
    c_segments=segment(
        "nested",
        2,
        GAUSS + "double inner = 0; for (int i = 0; i < rule->inner_n; ++i)"
        "inner += rule->inner_w[i] * exp(-s[0] * z * z * rule->inner_t[i] * rule->inner_t[i]);"
        "g[1] = g[0] * inner;",
    ),
    n_segment=1,
)


def scalar(c_code: str, function: Callable[..., Any], low: float = -INF, high: float = INF) -> Toy:
    """Return a map of one unknown x[0] and one parameter p[0]."""
    return Toy(1, 1, f"fx[0] = {c_code};", lambda r, x, p: [function(x[0], p[0])], [(low, high)])


LINEAR = scalar("p[0] * (x[0] - 1) + 1", lambda x, p: p * (x - 1) + 1)
SQUARE = scalar("x[0] * x[0] + p[0]", lambda x, p: x * x + p)
PARABOLA = scalar("p[0] * x[0] * (1 - x[0])", lambda x, p: p * x * (1 - x), 0, 1)
CURIE_WEISS = scalar("tanh(p[0] * x[0])", lambda x, p: np.tanh(p * x), -1, 1)
UNDEFINED = scalar("x[0] > 2 ? NAN : x[0] + p[0]", lambda x, p: np.nan if x > 2 else x + p)
# The equations have no value beyond 1, which the iteration approaches in ever shorter steps.
EDGE = scalar("x[0] > 1 ? NAN : 2", lambda x, p: np.nan if x > 1 else 2)
EDGE_OF_TWO = Toy(
    2,
    1,
    "fx[0] = x[1] > 0.5 ? NAN : 0.3; fx[1] = 0.9 * x[1] + 0.1 * x[0] + p[0];",
    lambda r, x, p: [np.nan if x[1] > 0.5 else 0.3, 0.9 * x[1] + 0.1 * x[0] + p[0]],
)
# The same, with a fixed point just before.
BEFORE_THE_EDGE = scalar("log(1 - x[0]) + 5", lambda x, p: np.log(1 - x) + 5)
PUSHED_OUT = scalar("0.5 * x[0] - p[0]", lambda x, p: 0.5 * x - p, 0)
RUNAWAY = scalar("1.1 * x[0] + p[0]", lambda x, p: 1.1 * x + p, 0)
SPIRAL = Toy(
    2,
    1,
    "fx[0] = 1 + 0.5 * (x[0] - 1) + p[0] * (x[1] - 2);"
    "fx[1] = 2 - p[0] * (x[0] - 1) + 0.5 * (x[1] - 2);",
    lambda r, x, p: [
        1 + 0.5 * (x[0] - 1) + p[0] * (x[1] - 2),
        2 - p[0] * (x[0] - 1) + 0.5 * (x[1] - 2),
    ],
)


def _prox(gamma: float, h: float) -> float:
    """Return v with v - gamma sigma(-v) = h, well enough for the end of a segment."""
    low, high = h, h + gamma
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if middle - gamma / (1 + np.exp(middle)) > h else (middle, high)
    return 0.5 * (low + high)


def _logistic_map(rule: Any, x: np.ndarray, p: np.ndarray) -> Any:
    (alpha, lam, rho, delta), (m, q, gamma, b) = p, x
    deviation = np.sqrt(delta * q)

    def moments(k: int, mean: float) -> np.ndarray:
        def sums(a: float, b: float, t: np.ndarray, w: np.ndarray) -> np.ndarray:
            v = a + (b - a) * t
            e = 1 / (1 + np.exp(v))
            slope = 1 + gamma * e * (1 - e)
            z = (v - gamma * e - mean) / deviation
            g = (b - a) * w * _gauss(z) * slope / deviation
            return np.array([g.sum(), g @ e, g @ (e * e), g @ (e * (1 - e) / slope)])

        ends = (_prox(gamma, mean - 9 * deviation), _prox(gamma, mean + 9 * deviation))
        return rule.integrate(k, sums, *ends, [], 4)

    first, second = moments(0, m + b), moments(1, m - b)
    _, e1, e2, e3 = rho * first + (1 - rho) * second
    denominator = lam + alpha * delta * e3
    return (
        alpha * e1 / denominator,
        (alpha**2 * e1**2 + alpha * delta * e2) / denominator**2,
        delta / denominator,
        b + (rho * first[1] - (1 - rho) * second[1]) / e3,
    )


LOGISTIC = Toy(  # ridge-regularised logistic regression on a mixture: unknowns m, q, gamma, b
    4,
    4,
    "const double alpha = p[0], rho = p[2], delta = p[3], b = x[3], deviation = sqrt(delta * x[1]);"
    "double y[2][4] = {{0}}; for (int k = 0; k < 2; ++k) {"
    "const double mean = x[0] + (k ? -b : b), s[3] = {x[2], mean, deviation};"
    "integrate(rule, k, margin, s, 4, prox(x[2], mean - 9 * deviation),"
    "prox(x[2], mean + 9 * deviation), 0, 0, y[k]); }"
    "double e[4]; for (int i = 0; i < 4; ++i) e[i] = rho * y[0][i] + (1 - rho) * y[1][i];"
    "const double d = p[1] + alpha * delta * e[3]; fx[0] = alpha * e[1] / d;"
    "fx[1] = (alpha * alpha * e[1] * e[1] + alpha * delta * e[2]) / (d * d); fx[2] = delta / d;"
    "fx[3] = b + (rho * y[0][1] - (1 - rho) * y[1][1]) / e[3];",
    _logistic_map,
    domain=[(-INF, INF), (0, INF), (0, INF), (-INF, INF)],
    c_segments="""
static double prox(double gamma, double h)
{
    double low = h, high = h + gamma;
    for (int i = 0; i < 40; ++i) {
        const double middle = 0.5 * (low + high);
        if (middle - gamma / (1 + exp(middle)) > h) high = middle; else low = middle;
    }
    return 0.5 * (low + high);
}
"""
    + segment(
        "margin",
        4,
        "const double e = 1 / (1 + exp(z)), slope = 1 + s[0] * e * (1 - e);"
        "const double h = (z - s[0] * e - s[1]) / s[2];"
        "g[0] = 0.3989422804014327 * exp(-0.5 * h * h) * slope / s[2];"
        "g[1] = g[0] * e; g[2] = g[1] * e; g[3] = g[0] * e * (1 - e) / slope;",
    ),
    n_segment=2,
)

NETWORK = Toy(  # x_i = sum_j W_ij tanh x_j + b_i: many fixed points, stable and unstable
    3,
    12,
    "for (int i = 0; i < 3; ++i) { fx[i] = p[9 + i];"
    "for (int j = 0; j < 3; ++j) fx[i] += p[3 * i + j] * tanh(x[j]); }",
    lambda rule, x, p: p[:9].reshape(3, 3) @ np.tanh(x) + p[9:],
)
