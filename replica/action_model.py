"""The pipeline as methods, for actions of matrices with data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from replica.declare.action import Action, Source
from replica.errors import DerivationError, SettingsError
from replica.model import _Pipeline

if TYPE_CHECKING:
    import xarray as xr

    from replica.check import CheckReport
    from replica.compile.action.system import CompiledAction
    from replica.compile.settings import SolverSettings
    from replica.derive.action import ActionSaddlePoint
    from replica.solve import Solution


@dataclass(frozen=True)
class ActionModel(_Pipeline, Action):
    """An explicit action of positive definite matrices and positive numbers, with data.

    The action is minimised: ``exp(-action/2)`` weighs the order parameters.

    Parameters
    ----------
    name : str
    action : Expr
        Of traces and log-determinants of matrix expressions, see `replica.calculus.matrices`.
    order_parameters : sequence of OrderParameter
        Each symbol is a `SymmetricMatrix` or positive; ``start`` is a multiple of the identity, a
        number or an expression of the parameters.
    data : mapping or callable
        Arrays by name: `PathFeatures` (or arrays) for the features, arrays for the other matrices.
        A function without argument is called when the data are first needed.
    observables : mapping
        Names to scalar expressions of order parameters, parameters and data.
    definitions : mapping
        Symbols that stand for longer expressions where equations are printed.
    identities : mapping
        Names to scalar expressions that vanish at every saddle point; `check` verifies them.
    title, reference : str

    Raises
    ------
    DeclarationError, DataError
        If the declaration is inconsistent, or the data do not fit.
    """

    __hash__ = object.__hash__

    def saddle_point(self, ansatz: Any = None, reduce: bool = True) -> Any:
        """Derive the stationarity of the action: an `ActionSaddlePoint`."""
        if ansatz is not None:
            raise DerivationError(f"model {self.name}: an action takes no ansatz, got {ansatz!r}.")
        from replica.derive.action import derive_action

        saddle: ActionSaddlePoint = self._cached("saddle", lambda: derive_action(self))
        return saddle

    def compile(self, backend: str | None = None, reduce: bool = True) -> Any:
        """Bring action and data into the form of a `CompiledAction`; linear algebra is NumPy's.

        Raises
        ------
        SettingsError
            If ``backend`` is another than ``"numpy"``.
        DataError
        """
        if backend not in (None, "numpy"):
            raise SettingsError(
                f"model {self.name}: back end {backend!r} is not for actions; expected 'numpy'."
            )
        from replica.compile.action.system import CompiledAction

        system: CompiledAction = self._cached(
            "system", lambda: CompiledAction(self, self.saddle_point())
        )
        return system

    def with_data(self, data: Source | None = None, **arrays: Any) -> ActionModel:
        """Return the same model with other data: all of them, or those given by name.

        Raises
        ------
        DataError
        """
        if arrays:
            known = self.data() if callable(self.data) else self.data
            data = {**known, **(dict(data) if isinstance(data, Mapping) else {}), **arrays}
        return self if data is None else replace(self, data=data)

    def solve(  # type: ignore[override]  # the keyword for data is new
        self,
        start: Any = None,
        settings: SolverSettings | None = None,
        backend: str | None = None,
        throw: bool = True,
        data: Source | None = None,
        **parameters: float,
    ) -> Solution:
        """Minimise the action at one point.

        Parameters
        ----------
        start : str, mapping or Solution, optional
            ``"uninformed"`` (the declared start), ``"small"`` or ``"large"`` (1/1000 and 1000 times
            of it), entries by name, or a solution. By default all three, and the lowest action.
        settings : SolverSettings, optional
        backend : str, optional
            ``"numpy"``, the only one.
        throw : bool
            Raise where there is no certified solution (else it is returned with its status).
        data : mapping or callable, optional
            Other data than the declared ones.
        **parameters : float

        Raises
        ------
        ParameterError, DataError, SettingsError, ConvergenceError
        """
        from replica.solve.action import solve_action

        model = self.with_data(data)
        return solve_action(model.name, model.compile(backend), parameters, start, settings, throw)

    def branches(
        self,
        starts: Sequence[Any] | None = None,
        settings: SolverSettings | None = None,
        backend: str | None = None,
        limits: bool = False,
        **parameters: float,
    ) -> list[Solution]:
        """Return all distinct minima from several starts, the lowest action first."""
        from replica.solve.action import action_branches

        return action_branches(
            self.name, self.compile(backend), parameters, starts, settings, limits=limits
        )

    def phase_diagram(self, phases: Mapping[str, Any], **arguments: Any) -> xr.Dataset:
        """Draw a phase diagram as of a `Model`, by default from all starts of `solve`."""
        from replica.compile.action.system import STARTS

        return super().phase_diagram(phases, **{"start": tuple(STARTS), **arguments})

    def check(
        self, seconds: float = 60.0, progress: bool = True, **parameters: float
    ) -> CheckReport:
        """Verify the model against itself: derivatives, identities, starts.

        No check takes long, so that ``seconds`` and ``progress`` make no difference.
        """
        from replica.check.action import check_action

        return check_action(self, **parameters)

    def follow(self, parameter: str, **arguments: Any) -> Any:
        """Refuse: an action is minimised, and has no map whose branches could be followed."""
        raise DerivationError(
            f"model {self.name}: branches of an action are not followed through folds; scan "
            f"{parameter} in both directions instead."
        )

    def boundary(self, condition: Any, parameter: str, **arguments: Any) -> Any:
        """Refuse: transitions are those of fixed-point equations."""
        raise DerivationError(
            f"model {self.name}: transitions of an action are not located; scan {parameter} and "
            "compare branches instead."
        )

    def verify(self, solution: Solution, digits: int = 30) -> Any:
        """Refuse: there is no evaluation of matrix expressions with many digits."""
        raise DerivationError(
            f"model {self.name}: an action is evaluated in double precision only; see the errors "
            "of the solution."
        )

    def _cached(self, key: str, make: Any) -> Any:
        cache = self.__dict__.setdefault("_cache", {})
        if key not in cache:
            cache[key] = make()
        return cache[key]
