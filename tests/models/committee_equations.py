"""Equations of the two-unit committee, written down separately and integrated on a plain grid.

Along the sum and the difference of the units a posterior field is ``h_u ~ N(x_u, V_u)`` and
``h ~ N(x, V)``, independent. Both units are positive where ``h_u > |h|``, so that one integral over
``h`` gives the probabilities of the labels and their derivatives; 0 stands for "they disagree".
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

NODES, WEIGHTS = np.polynomial.legendre.leggauss(60)


def density(x):
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def probabilities(x_u, x, V_u, V):
    """Probability of the label 1 with its derivatives in x_u, in x, and twice in x."""
    total = np.zeros((4, *np.shape(x_u)))
    reach = 8.5 * np.sqrt(V)
    for side in (1, -1):  # the kink is at h = 0
        low, high = np.clip(side * x - reach, 0, None), np.clip(side * x + reach, 0, None)
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            h = side * (low + (high - low) * (node + 1) / 2)
            gap = (h - x) / V
            law = density((h - x) / np.sqrt(V)) / np.sqrt(V) * weight * (high - low) / 2
            above = (x_u - np.abs(h)) / np.sqrt(V_u)
            total[0] += law * ndtr(above)
            total[1] += law * density(above) / np.sqrt(V_u)
            total[2] += law * gap * ndtr(above)
            total[3] += law * (gap**2 - 1 / V) * ndtr(above)
    return total


def labels(x_u, x, V_u, V):
    """The same for the labels 1, -1 and 0."""
    one = probabilities(x_u, x, V_u, V)
    other = probabilities(-x_u, -x, V_u, V) * np.array([1, -1, -1, 1]).reshape(4, *[1] * np.ndim(x))
    neither = -one - other
    neither[0] += 1
    return one, other, neither


def averages(q_u, q, count=121, cut=7.5):
    """Conjugates without the load, E[log Z], and Gibbs error, for rows of variance one."""
    line = np.linspace(-cut, cut, count)
    weight = np.outer(density(line), density(line)) * (line[1] - line[0]) ** 2
    x_u, x = np.meshgrid(np.sqrt(q_u) * line, np.sqrt(q) * line, indexing="ij")
    total = np.zeros(4)
    for Z, along, across, _ in labels(x_u, x, 1 - q_u, 1 - q):
        seen = Z > 1e-13  # beyond, differences of probabilities near one are noise
        Z = np.where(seen, Z, 1.0)
        parts = along**2 / Z, across**2 / Z, Z * np.log(Z), Z * (1 - Z)
        total += [np.sum(weight * np.where(seen, part, 0)) for part in parts]
    return total


def fixed_point_gap(q_u, q, alpha):
    """Residual of the equations with Gaussian rows."""
    force_u, force, *_ = averages(q_u, q)
    return np.array([alpha * f / (1 + alpha * f) - o for f, o in ((force_u, q_u), (force, q))])


def free_entropy(q_u, q, alpha):
    """Free entropy at a solution, Gaussian rows."""
    terms = averages(q_u, q)
    return alpha * terms[2] + sum(
        f * (1 - o) / 2 - np.log1p(f) / 2
        for f, o in ((alpha * terms[0], q_u), (alpha * terms[1], q))
    )


def specialisation():
    """Where the phase with q = 0 loses its stability: alpha and q_u, Gaussian rows."""
    line = np.linspace(-7.5, 7.5, 301)
    weight = density(line) * (line[1] - line[0])

    def at(q_u):
        x_u = np.sqrt(q_u) * line
        force, growth = 0.0, 0.0
        for Z, along, _, bend in labels(x_u, 0 * x_u, 1 - q_u, 1.0):
            seen = Z > 1e-13
            force += np.sum((weight * along**2)[seen] / Z[seen])
            growth += np.sum((weight * bend**2)[seen] / Z[seen])
        alpha = q_u / (1 - q_u) / force
        return alpha, alpha * growth - 1

    q_u = brentq(lambda q: at(q)[1], 0.5, 0.9, xtol=1e-13)
    return at(q_u)[0], q_u
