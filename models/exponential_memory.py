"""Exponentially many memories: an energy that is the logarithm of a sum over patterns.

Lucibello & Mezard, Phys. Rev. Lett. 132, 077301 (2024): ``P = exp(alpha N)`` patterns and the
energy ``-log sum_mu exp(lambda s.xi_mu)/lambda``. A pattern is a minimum near itself as long as its
own term, ``exp(lambda N)``, outweighs all others, which are a random energy model: their overlaps
``c`` with the pattern have the density ``exp(N (alpha - I(c)))``, with the cumulant function
``K(t) = max_c (t c - I(c))`` of the overlap.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import FunctionalModel, OrderParameter, Parameter

alpha = Parameter(
    "alpha", 0.2, (0, math.inf), "log of the number of patterns per neuron", open="lower"
)
lam = Parameter("lam", 1.0, (0, math.inf), "sharpness", symbol="lambda", open="lower")
c, x = sp.symbols("c x", positive=True)
t = sp.Symbol("t", real=True)


def memory(
    cumulants: sp.Expr, name: str, title: str, own: sp.Expr = sp.S.One, load: sp.Expr = alpha
) -> FunctionalModel:
    """Declare the noise of the other patterns at a pattern, ``lim log(sum)/N``.

    A random energy model at the inverse temperature ``lambda``: ``x`` is its Parisi parameter. The
    pattern's own term is ``exp(lambda own N)``.
    """
    noise = lam * c + (load - c * t + cumulants) / x
    return FunctionalModel(
        name=f"exponential-memory-{name}",
        title=f"Exponential memory, {title}",
        reference="Lucibello & Mezard, Phys. Rev. Lett. 132, 077301 (2024)",
        free_entropy=noise,
        order_parameters=(
            OrderParameter(
                c, conjugate=t, domain=(0, math.inf), start=0.5, doc="overlap that dominates"
            ),
            OrderParameter(
                x,
                rate=-x / 2,
                within=(0, 1),
                domain=(0, math.inf),
                start=0.9,
                doc="Parisi parameter: one, or less where the sum is condensed",
            ),
        ),
        observables={"margin": lam * own - noise} | ({} if load == alpha else {"load": load}),
    )


# Of a Gaussian variable, of a coordinate on the sphere |xi|^2 = N, of a sign.
root = sp.sqrt(1 + 4 * t**2)
gaussian = memory(t**2 / 2, "gaussian", "Gaussian patterns")
spherical = memory((root - 1) / 2 - sp.log((1 + root) / 2) / 2, "spherical", "spherical patterns")
binary = memory(sp.log(sp.cosh(t)), "binary", "binary patterns")

# The shortest of exp(alpha N) Gaussian patterns, of squared norm r N: the first that is lost.
r = Parameter("r", 0.5, (0, 1), "squared norm of the shortest pattern per neuron", open="both")
shortest = memory(
    r * t**2 / 2,
    "gaussian-shortest",
    "shortest Gaussian pattern",
    own=r,
    load=(r - 1 - sp.log(r)) / 2,
)
