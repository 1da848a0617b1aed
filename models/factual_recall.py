"""Factual recall: how many pairs of vectors a linear associative memory maps to each other.

Giorlandino, Goldt & Maillard, arXiv:2605.10795 (2026): a matrix of ``d x d`` weights shall give
each of ``p`` inputs a score for its own target that exceeds the scores for all other targets. One
input is a manifold of ``p - 1`` points, outer products of it with differences of targets; every
input has competitors of its own (the decoupled model). The rule of Hebb adds the outer products of
all pairs (Barnfield, Kim, Nichani, Lee & Lu, arXiv:2605.05189, 2026).
"""

from __future__ import annotations

import math

import sympy as sp

from replica import (
    Average,
    FunctionalModel,
    ManifoldModel,
    MatrixWeights,
    OrderParameter,
    Parameter,
    Simplex,
    p,
)
from replica.calculus.special import NormalCdf

REFERENCE = "Giorlandino, Goldt & Maillard, arXiv:2605.10795 (2026)"

kappa = Parameter("kappa", 0.0, doc="margin, in standard deviations of a score")
n = Parameter("n", 30.0, (1, math.inf), "number of competitors")
d = Parameter("d", 40.0, (2, math.inf), "dimension of inputs and targets")
gamma = Parameter("gamma", 0.5, (0, 1), "hidden units per dimension", open="lower")

competitors = ManifoldModel(
    name="factual-recall-competitors",
    title="Capacity for inputs with a given number of competitors",
    reference=REFERENCE,
    shape=Simplex(1, n),
    margin=kappa,
)
recall = ManifoldModel(
    name="factual-recall",
    title="Factual recall by a linear associative memory",
    reference=REFERENCE,
    shape=Simplex(1, p - 1),
    margin=kappa,
    weights=MatrixWeights(d, d),
    observables={
        "scaled_load": p * sp.log(p) / d**2,
        "fourth_moment": 2 + d / p * sp.Symbol("distance_ratio"),
    },
)
two_layer = ManifoldModel(
    name="factual-recall-two-layer",
    title="Factual recall by a linear network of two layers",
    reference=REFERENCE,
    shape=Simplex(1, p - 1),
    margin=kappa,
    weights=MatrixWeights(d, d, rank=gamma),
    observables={"scaled_load": p * sp.log(p) / d**2},
)

s = sp.Symbol("s", positive=True)
z = sp.Symbol("z", real=True)
pairs = Parameter("p", 100.0, (2, math.inf), "pairs that are stored")
c = Parameter(
    "c", 1.0, (1, 2), "1 where every input has competitors of its own, 2 where all share targets"
)
_below = NormalCdf((s + z) / sp.sqrt(1 + c * d / pairs))  # SymPy writes erfc(-x) as 2 - erfc(x)
_error = Average(1 - sp.exp((pairs - 1) * sp.log(_below)), z)
hebb = FunctionalModel(
    name="factual-recall-hebb",
    title="Factual recall by the rule of Hebb",
    reference="Barnfield, Kim, Nichani, Lee & Lu, arXiv:2605.05189 (2026)",
    free_entropy=-((s - d / sp.sqrt(pairs)) ** 2) / 2,
    order_parameters=(
        OrderParameter(s, rate=1, domain=(0, math.inf), start=1.0, doc="mean of a correct score"),
    ),
    observables={
        "error": _error,
        "failures": pairs * _error,
        "perfect": sp.exp(-pairs * _error),
    },
)
