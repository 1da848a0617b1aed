"""Memories read off the connectivity of a neural network, Bayes-optimal.

Goldt, Krzakala, Zdeborova & Brunel, PLoS Comput. Biol. 19, e1010813 (2023): of a memory ``x`` one
observes the synapses ``J_ij = max(0, x_i x_j/sqrt(N) + nu z_ij - tau)``. The products are small,
so that the channel only acts by its Fisher information at zero, ``1/Delta``, as Gaussian noise of
variance ``Delta`` would.
"""

from __future__ import annotations

import math

import sympy as sp

from replica import Discrete, Law, Model, Parameter, Rademacher, q
from replica.calculus import LogNormalCdf, NormalCdf, gaussian_average

from .spiked_wigner import posterior

DOC = "noise of a synapse"
strong = Parameter("nu", 0.6, (0, math.inf), DOC, open="lower")  # sparse ones stand less
weak = Parameter("nu", 0.15, (0, math.inf), DOC, open="lower")
tau = Parameter("tau", 0.0, doc="threshold of a synapse; far below zero there is no rectifier")
rho = Parameter("rho", 0.3, (0, 1), "fraction of active neurons", open="both")
product, z = sp.symbols("w z", real=True)


def information(nu: Parameter) -> sp.Expr:
    """Fisher information of a synapse about the product: of silent ones and of active ones."""
    score = LogNormalCdf((tau - product) / nu).diff(product).subs(product, 0)
    active = gaussian_average(sp.Heaviside(nu * z - tau) * (z / nu) ** 2, z)
    return NormalCdf(tau / nu) * score**2 + active


def memory(law: Law, nu: Parameter, name: str, title: str) -> Model:
    """Declare the posterior of a memory with entries of a law of mean zero."""
    signal = information(nu)
    return posterior(
        law,
        signal,
        name=f"memory-reconstruction-{name}",
        title=f"Memory reconstruction, {title}",
        reference="Goldt, Krzakala, Zdeborova & Brunel, PLoS Comput. Biol. 19, e1010813 (2023)",
        observables={"Delta": 1 / signal, "mse": law.second_moment - q},
    )


rademacher = memory(Rademacher(), strong, "rademacher", "Rademacher patterns")
sparse = memory(
    Discrete([-1, 0, 1], [rho / 2, 1 - rho, rho / 2]), weak, "sparse", "sparse Rademacher patterns"
)
skewed = memory(Discrete([1 - rho, -rho], [rho, 1 - rho]), weak, "skewed", "skewed patterns")
