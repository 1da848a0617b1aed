"""Declare: what a user writes about a model, and nothing else."""

from replica.declare.fields import (
    DeterministicLabels,
    DiscreteLabels,
    Field,
    LinearLabels,
    sign_labels,
)
from replica.declare.functional import Functional, OrderParameter
from replica.declare.laws import (
    Discrete,
    Flat,
    GaussBernoulli,
    Gaussian,
    Law,
    Rademacher,
    Spherical,
)
from replica.declare.shared import AlignedClusters, CategoricalLabels, SharedField, softmax
from replica.declare.symbols import Parameter, V, beta, chi, m, q, q_d
from replica.declare.system import System
from replica.declare.variables import Extremised, Quenched, Site, Test, Thermal, Train
from replica.declare.vectors import (
    ArgmaxLabels,
    Clusters,
    VectorField,
    chi_u,
    components,
    is_argmax,
    q_u,
)

__all__ = [
    "AlignedClusters",
    "ArgmaxLabels",
    "CategoricalLabels",
    "Clusters",
    "DeterministicLabels",
    "Discrete",
    "DiscreteLabels",
    "Extremised",
    "Field",
    "Flat",
    "Functional",
    "GaussBernoulli",
    "Gaussian",
    "Law",
    "LinearLabels",
    "OrderParameter",
    "Parameter",
    "Quenched",
    "Rademacher",
    "SharedField",
    "Site",
    "Spherical",
    "System",
    "Test",
    "Thermal",
    "Train",
    "V",
    "VectorField",
    "beta",
    "chi",
    "chi_u",
    "components",
    "is_argmax",
    "m",
    "q",
    "q_d",
    "q_u",
    "sign_labels",
    "softmax",
]
