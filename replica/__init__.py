"""Replica-method saddle-point equations: declared symbolically, derived, compiled, solved.

Nothing heavy is imported before it is used: the public names below are looked up on first access.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Module -> the public names that it defines.
_NAMES = {
    "replica.calculus": "Average LabelAverage MoreauEnvelope Proximal",
    "replica.declare": (
        "AlignedClusters ArgmaxLabels Ball CategoricalLabels ClusterArrays Clusters Contexts "
        "Covariates DeterministicLabels Discrete DiscreteLabels Ellipsoid Empirical Extremised "
        "Field Flat GaussBernoulli Gaussian L1Ball Law LinearLabels MarchenkoPastur MatrixWeights "
        "OrderParameter OrthantLabels Parameter Point PointCloud Predictive Quenched Rademacher "
        "Segment SharedField Simplex Site Spherical Test Thermal Train V VectorField beta chi "
        "chi_u clusters_of_arrays clusters_of_data components covariates covariates_of_data "
        "is_argmax m margin p q q_d q_u sign_labels softmax"
    ),
    "replica.errors": (
        "BackendWarning CompilerError ConvergenceError DataError DeclarationError DerivationError "
        "ModelNotFoundError ParameterError ReplicaError ScanError SettingsError TableError"
    ),
    "replica.action_model": "ActionModel",
    "replica.evaluate": (
        "CapacitySettings CapacitySolution anchor_points joint_capacity largest_margin "
        "measure_manifolds nearest_points projected_capacity version_space"
    ),
    "replica.manifold_model": "ManifoldModel",
    "replica.model": "FunctionalModel Model",
    "replica.registry": "load",
    "replica.solve": "Branch Line Solution SolverSettings Status Transition",
}
_PUBLIC = {name: module for module, names in _NAMES.items() for name in names.split()}
_STAGES = (
    "declare", "derive", "compile", "evaluate", "solve", "scan", "report",
    "calculus", "check", "errors", "model", "models", "registry",
)  # fmt: skip

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    # Names that annotations need; the others are typed as Any.
    from replica.errors import ConvergenceError as ConvergenceError, ReplicaError as ReplicaError
    from replica.manifold_model import ManifoldModel as ManifoldModel
    from replica.model import FunctionalModel as FunctionalModel, Model as Model
    from replica.registry import load as load
    from replica.solve import (
        Branch as Branch,
        Line as Line,
        Solution as Solution,
        SolverSettings as SolverSettings,
        Status as Status,
        Transition as Transition,
    )


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
    elif name in _STAGES:
        value = importlib.import_module(f"replica.{name}")
    else:
        raise AttributeError(f"module 'replica' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, *_STAGES})
