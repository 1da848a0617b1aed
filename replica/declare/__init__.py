"""Declare: what a user writes about a model, and nothing else."""

from replica.declare.cluster_arrays import ClusterArrays, clusters_of_arrays, clusters_of_data
from replica.declare.clusters import Clusters
from replica.declare.covariances import Covariates, covariates, covariates_of_data
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
from replica.declare.manifolds import Contexts, Manifolds
from replica.declare.orthant_labels import OrthantLabels, Predictive
from replica.declare.shapes import (
    Ball,
    Ellipsoid,
    L1Ball,
    Point,
    PointCloud,
    Segment,
    Shape,
)
from replica.declare.shared import AlignedClusters, CategoricalLabels, SharedField, softmax
from replica.declare.simplices import Simplex
from replica.declare.sites import Empirical, MarchenkoPastur
from replica.declare.symbols import Parameter, V, beta, chi, m, p, q, q_d
from replica.declare.system import System
from replica.declare.variables import Extremised, Quenched, Site, Test, Thermal, Train
from replica.declare.vectors import (
    ArgmaxLabels,
    VectorField,
    chi_u,
    components,
    is_argmax,
    margin,
    q_u,
)
from replica.declare.weights import MatrixWeights

__all__ = [
    "AlignedClusters",
    "ArgmaxLabels",
    "Ball",
    "CategoricalLabels",
    "ClusterArrays",
    "Clusters",
    "Contexts",
    "Covariates",
    "DeterministicLabels",
    "Discrete",
    "DiscreteLabels",
    "Ellipsoid",
    "Empirical",
    "Extremised",
    "Field",
    "Flat",
    "Functional",
    "GaussBernoulli",
    "Gaussian",
    "L1Ball",
    "Law",
    "LinearLabels",
    "Manifolds",
    "MarchenkoPastur",
    "MatrixWeights",
    "OrderParameter",
    "OrthantLabels",
    "Parameter",
    "Point",
    "PointCloud",
    "Predictive",
    "Quenched",
    "Rademacher",
    "Segment",
    "Shape",
    "SharedField",
    "Simplex",
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
    "clusters_of_arrays",
    "clusters_of_data",
    "components",
    "covariates",
    "covariates_of_data",
    "is_argmax",
    "m",
    "margin",
    "p",
    "q",
    "q_d",
    "q_u",
    "sign_labels",
    "softmax",
]
