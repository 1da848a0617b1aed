"""The exceptions and warnings of the framework: one class a kind of mistake."""

from __future__ import annotations

from typing import Any


class ReplicaError(Exception):
    """Base of every exception that the framework raises on purpose."""


class DeclarationError(ReplicaError):
    """A declaration is inconsistent; the message names the object and the rule that it broke."""


class ParameterError(ReplicaError):
    """A parameter is unknown, missing, or has a value outside its declared domain."""


class DataError(ReplicaError):
    """Data that a model is given have a wrong shape, or values that it cannot use."""


class DerivationError(ReplicaError):
    """The saddle-point equations of a declared model cannot be derived in the requested form."""


class CompilerError(ReplicaError):
    """The generated program could not be compiled or loaded."""


class SettingsError(ReplicaError):
    """A solver setting or the name of a back end is invalid."""


class ConvergenceError(ReplicaError):
    """A solve ended without a certified solution.

    Attributes
    ----------
    solution : replica.Solution or None
        What the solver had when it stopped, with its status and residual.
    """

    def __init__(self, message: str, solution: Any = None) -> None:
        super().__init__(message)
        self.solution = solution

    def __reduce__(self) -> tuple[type[ConvergenceError], tuple[str, Any]]:
        # The default would forget the solution when an exception crosses a process boundary.
        return type(self), (str(self), self.solution)


class ModelNotFoundError(ReplicaError):
    """No built-in model, or no model in a user's file, goes by the given name."""


class ScanError(ReplicaError):
    """A scan or its results cannot be computed, stored, or shown as asked."""


class TableError(ReplicaError):
    """A regression table is malformed, missing, or has an entry that cannot be computed."""


class BackendWarning(UserWarning):
    """A slower back end is used because the preferred one is not available."""
