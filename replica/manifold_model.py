"""The third door's methods: a capacity has one solution, and no equations to compile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replica.declare.manifolds import Manifolds
from replica.errors import DerivationError, SettingsError
from replica.model import _Pipeline

if TYPE_CHECKING:
    import sympy as sp
    import xarray as xr

    from replica.check import CheckReport
    from replica.evaluate.solve import CapacitySolution
    from replica.evaluate.system import CapacitySystem
    from replica.solve import Branch, Line, Solution, Transition


@dataclass(frozen=True)
class ManifoldModel(_Pipeline, Manifolds):
    """A classification of manifolds, of which the capacity is asked for.

    ``alpha N`` manifolds with random labels, of which every point shall be on its side of a
    hyperplane in ``N`` dimensions.

    Parameters
    ----------
    name : str
    shape : Shape
        `Point`, `Ball`, `Segment`, `Ellipsoid`, `L1Ball`, `Simplex` or `PointCloud`, in units of
        the norm of the centre.
    margin : Expr
        Least distance of the points from the hyperplane, in the same units.
    positive_fraction : Expr, optional
        Fraction of positive labels; the readout has a threshold then, the best one.
    centre_correlation : Expr
        Share of the squared norm of the centres that all have in common.
    contexts : Contexts, optional
        Weights of the readout that depend on the region in which a point lies.
    weights : MatrixWeights, optional
        A finite number of weights. There are ``p`` manifolds at capacity then, on which the shape
        may depend (``replica.p``).
    observables : mapping
        Names to expressions of ``p``, of parameters, and of what is known of the shape.
    title, reference : str

    Raises
    ------
    DeclarationError
        If the declaration is inconsistent; the message names what and where.
    """

    __hash__ = object.__hash__

    @property
    def settings_type(self) -> type:
        """Class of the settings with which the model is solved."""
        from replica.evaluate.settings import CapacitySettings

        return CapacitySettings

    def scan(self, **arguments: Any) -> xr.Dataset:
        """Solve a grid: keywords are parameters (arrays are axes) and the options of `scan`."""
        if arguments.get("settings") is None:
            arguments["settings"] = self.settings_type()
        return super().scan(**arguments)

    def compile(self, backend: str | None = None, reduce: bool = True) -> CapacitySystem:  # type: ignore[override]
        """Return what evaluates the equation; ``backend`` may be ``"numpy"`` only."""
        from replica.evaluate.solve import capacity_system

        if backend not in (None, "numpy"):
            raise SettingsError(
                f"model {self.name}: capacities are evaluated in NumPy, there is no back end "
                f"{backend!r}."
            )
        cache = self.__dict__.setdefault("_cache", {})
        if "capacity" not in cache:
            cache["capacity"] = capacity_system(self)
        system: CapacitySystem = cache["capacity"]
        return system

    def solve(
        self,
        start: Any = None,
        settings: Any = None,
        backend: str | None = None,
        throw: bool = True,
        **parameters: float,
    ) -> CapacitySolution:
        """Evaluate the capacity at one point.

        Parameters
        ----------
        start : ignored
            The capacity is the value of a convex problem: there is one solution.
        settings : CapacitySettings, optional
        backend : str, optional
        throw : bool
            Raise where the result is not certified (else it is returned with its status).
        **parameters : float
            Values of the model's parameters; the others keep their default.

        Raises
        ------
        ParameterError, ConvergenceError
        """
        from replica.evaluate.solve import solve_capacity

        return solve_capacity(self.name, self.compile(backend), parameters, settings, throw)

    def follow(self, parameter: str, **arguments: Any) -> Branch:
        """Refuse: there is one solution at each value of a parameter, which `scan` gives."""
        raise self._no_transition()

    def boundary(
        self, condition: str | sp.Expr, parameter: str, **arguments: Any
    ) -> Transition | Line:
        """Find where the capacity, or another quantity, has a value.

        Parameters
        ----------
        condition : str
            ``"NAME=VALUE"``: with ``"alpha=0.5"`` and the parameter of the margin, the largest
            margin at that load.
        parameter : str
        **arguments
            Values of other parameters, and the options ``bracket`` and ``settings`` of
            `replica.evaluate.locate.locate`.

        Raises
        ------
        ParameterError, ConvergenceError
        """
        from replica.evaluate.locate import locate

        if arguments.pop("along", None) is not None:
            raise SettingsError(
                f"model {self.name}: no lines are followed in capacities; scan over the second "
                "parameter instead."
            )
        self.compile(arguments.pop("backend", None))
        arguments.pop("start", None)  # there is one solution
        return locate(self, str(condition), parameter, **arguments)

    def _no_transition(self) -> DerivationError:
        return DerivationError(
            f"model {self.name}: its solution is the capacity itself, so that there is no "
            "branch to follow."
        )

    def verify(self, solution: Solution, digits: int = 30) -> Any:
        """Refuse: distances to convex sets are evaluated in double precision."""
        raise DerivationError(
            f"model {self.name}: averages of distances to convex sets cannot be evaluated with "
            "many digits; check() compares them with a sample."
        )

    def branches(
        self,
        starts: Any = None,
        settings: Any = None,
        backend: str | None = None,
        limits: bool = False,
        **parameters: float,
    ) -> list[Solution]:
        """Return the one solution; ``starts`` and ``limits`` change nothing."""
        return [self.solve(None, settings, backend, True, **parameters)]

    def check(
        self, seconds: float = 60.0, progress: bool = True, **parameters: float
    ) -> CheckReport:
        """Verify the model against itself: sampling, envelope theorem, duality, optimality.

        All checks together take a few seconds, so that ``seconds`` and ``progress`` change nothing.
        """
        from replica.check.capacity import check_capacity

        return check_capacity(self, **parameters)
