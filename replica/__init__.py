"""Replica-method saddle-point equations: declared symbolically, derived, compiled, solved.

Nothing heavy is imported before it is used: the public names below are looked up on first access.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> module that defines it.
_PUBLIC = {
    "BackendWarning": "replica.errors",
    "CompilerError": "replica.errors",
    "ConvergenceError": "replica.errors",
    "DeclarationError": "replica.errors",
    "DerivationError": "replica.errors",
    "ModelNotFoundError": "replica.errors",
    "ParameterError": "replica.errors",
    "ReplicaError": "replica.errors",
    "ScanError": "replica.errors",
    "SettingsError": "replica.errors",
    "load": "replica.registry",
    "Model": "replica.model",
    "FunctionalModel": "replica.model",
    **{
        name: "replica.declare"
        for name in (
            "DeterministicLabels", "Discrete", "DiscreteLabels", "Extremised", "Field", "Flat",
            "GaussBernoulli", "Gaussian", "Law", "LinearLabels", "OrderParameter", "Parameter",
            "Quenched", "Rademacher", "Site", "Spherical", "Test", "Thermal", "Train", "V", "beta",
            "chi", "m", "q", "q_d", "sign_labels",
        )
    },
    **{
        name: "replica.calculus"
        for name in ("Average", "LabelAverage", "MoreauEnvelope", "Proximal")
    },
    "Solution": "replica.solve",
    "SolverSettings": "replica.solve",
    "Status": "replica.solve",
}
_STAGES = (
    "declare", "derive", "compile", "solve", "scan", "report", "models", "errors", "registry",
)  # fmt: skip

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from replica.model import Model as Model
    from replica.errors import (
        BackendWarning as BackendWarning,
        CompilerError as CompilerError,
        ConvergenceError as ConvergenceError,
        DeclarationError as DeclarationError,
        DerivationError as DerivationError,
        ModelNotFoundError as ModelNotFoundError,
        ParameterError as ParameterError,
        ReplicaError as ReplicaError,
        ScanError as ScanError,
        SettingsError as SettingsError,
    )
    from replica.registry import load as load
    from replica.solve import (
        Solution as Solution,
        SolverSettings as SolverSettings,
        Status as Status,
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
