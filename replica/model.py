"""The pipeline as methods: a declaration that derives, compiles, solves and scans itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from replica.declare.functional import Functional
from replica.declare.system import System
from replica.errors import DerivationError

if TYPE_CHECKING:
    import sympy as sp
    import xarray as xr

    from replica.check import CheckReport
    from replica.compile.settings import SolverSettings
    from replica.compile.system import CompiledSystem
    from replica.derive.saddle_point import SaddlePoint
    from replica.solve import Branch, Line, Solution, Transition


class _Pipeline:
    """Methods shared by both doors; every stage is imported when it is first used."""

    name: str

    def saddle_point(self, ansatz: Any = None, reduce: bool = True) -> SaddlePoint:
        """Derive the saddle-point equations.

        Parameters
        ----------
        ansatz : Ansatz, optional
            Replica symmetric by default.
        reduce : bool
            Use the Nishimori identities where the model is recognised as Bayes-optimal.

        Raises
        ------
        DerivationError
            If the declaration has no such saddle point.
        """
        from replica.derive import derive
        from replica.derive.ansatz import Ansatz

        if ansatz is not None and not isinstance(ansatz, Ansatz):
            raise DerivationError(
                f"ansatz: expected an Ansatz such as ONE_STEP or Ansatz(1), got {ansatz!r}."
            )
        cache = self.__dict__.setdefault("_cache", {})
        key = ("saddle", ansatz, reduce)
        if key not in cache:
            if note := cast("Model", self).note:
                logging.getLogger(__name__).warning("model %s: %s", self.name, note)
            cache[key] = derive(self, ansatz=ansatz, reduce=reduce)
        saddle: SaddlePoint = cache[key]
        return saddle

    def compile(self, backend: str | None = None, reduce: bool = True) -> CompiledSystem:
        """Compile the equations; ``backend`` is ``"c"`` or ``"numpy"``."""
        from replica.compile.system import CompiledSystem, choose_backend

        cache = self.__dict__.setdefault("_cache", {})
        backend = choose_backend(backend)
        key = ("system", backend, reduce)
        if key not in cache:
            cache[key] = CompiledSystem(self.saddle_point(reduce=reduce), backend)
        system: CompiledSystem = cache[key]
        return system

    def solve(
        self,
        start: str | Mapping[str, float] | Solution | None = None,
        settings: SolverSettings | None = None,
        backend: str | None = None,
        throw: bool = True,
        **parameters: float,
    ) -> Solution:
        """Solve one point.

        Parameters
        ----------
        start : str, mapping or Solution, optional
            ``"uninformed"``, ``"informed"``, values of order parameters, or a neighbouring
            solution. Where none is given and the declared one leads nowhere, the solution at the
            default parameters is continued to the given ones.
        settings : SolverSettings, optional
        backend : str, optional
        throw : bool
            Raise where there is no certified solution (else it is returned with its status).
        **parameters : float
            Values of the model's parameters; the others keep their default.

        Raises
        ------
        ParameterError, ConvergenceError
        """
        from replica.solve import solve_or_continue

        system = self.compile(backend)
        return solve_or_continue(self.name, system, parameters, start, settings, throw)

    def branches(
        self,
        starts: Sequence[Any] | None = None,
        settings: SolverSettings | None = None,
        backend: str | None = None,
        limits: bool = False,
        **parameters: float,
    ) -> list[Solution]:
        """Return the distinct solutions of several starts, largest free entropy first.

        A phase to which none of the starts leads is missed.

        Parameters
        ----------
        starts : sequence, optional
            Starts as for `solve`. By default the two declared ones, symmetric ones (what may vanish
            is exactly zero) and random ones (seeded, logarithmic in positive unknowns).
        settings : SolverSettings, optional
        backend : str, optional
        limits : bool
            List limits too, such as perfect recovery, which are no regular saddle points and have
            the status ``AT_BOUNDARY``.
        **parameters : float

        Raises
        ------
        ParameterError
        """
        from replica.solve import find_branches

        return find_branches(
            self.name, self.compile(backend), parameters, starts, settings, limits=limits
        )

    def scan(self, **arguments: Any) -> xr.Dataset:
        """Solve a grid of parameters, each point from its neighbour's solution.

        Parameters
        ----------
        **arguments
            Parameters of the model: arrays and lists are axes of the grid, numbers are fixed; those
            not named keep their default. And options:

            - ``start``: start of the first point of a row, as for `solve`; several give branches.
            - ``direction``: ``"up"``, ``"down"`` or ``"both"``, along the warm axis.
            - ``warm_axis``: the axis along which solutions are followed (the last).
            - ``warm_start``: False starts every point like a single solve.
            - ``observables``: names of the outputs to keep (all).
            - ``settings``: a `SolverSettings`.
            - ``retry``: whether failed points are tried again, more carefully.
            - ``store``: an SQLite file of the finished points, from which a scan goes on.
            - ``out``: a netCDF file to write the result to.
            - ``n_jobs``, ``executor``: workers, a number (all cores) or a pool or Dask client.
            - ``progress``: whether to show a progress bar.
            - ``backend``: ``"c"`` or ``"numpy"``.
            - ``command``: what to note as the command that made the data.

        Returns
        -------
        xarray.Dataset
            Order parameters, outputs, errors, residual and status on the grid.

        Raises
        ------
        ParameterError, ScanError

        See Also
        --------
        replica.scan.scan
        """
        from replica.scan import scan

        chosen, values = self._split(scan, arguments, "model", "axes", "fixed")
        axes = {k: v for k, v in values.items() if getattr(v, "__len__", None) is not None}
        fixed = {k: v for k, v in values.items() if k not in axes}
        return scan(cast("Model", self), axes=axes, fixed=fixed, **chosen)

    def phase_diagram(self, phases: Mapping[str, Any], **arguments: Any) -> xr.Dataset:
        """Draw a phase diagram whose points are spent where phases meet.

        Parameters
        ----------
        phases : mapping of str to condition
            Names to conditions on the solution, the first that holds counts.
        **arguments
            Two parameters as intervals, others as values, and the options of
            `replica.scan.phase_diagram`.
        """
        from replica.scan.diagram import phase_diagram

        options, values = self._split(phase_diagram, arguments, "model", "phases", "over", "fixed")
        over = {k: v for k, v in values.items() if getattr(v, "__len__", None) is not None}
        fixed = {k: v for k, v in values.items() if k not in over}
        return phase_diagram(cast("Model", self), phases, over, fixed, **options)

    def check(
        self, seconds: float = 60.0, progress: bool = True, **parameters: float
    ) -> CheckReport:
        """Verify the model against itself: gradients, identities, bounds, back ends, quadrature.

        Parameters
        ----------
        seconds : float
            Time that one check may take. One that takes longer is skipped, and the report says so.
        progress : bool
            Whether to show a progress bar.
        **parameters : float

        Raises
        ------
        ParameterError, DerivationError
        """
        from replica.check import check

        return check(self, None, seconds, progress, **parameters)

    def follow(self, parameter: str, **arguments: Any) -> Branch:
        """Follow a branch of solutions in a parameter through its folds.

        Keywords are ``until=(low, high)``, ``start``, the other options of `replica.solve.follow`,
        and values of the other parameters.
        """
        from replica.solve import follow

        return follow(self, parameter, **arguments)

    def boundary(
        self, condition: str | sp.Expr, parameter: str, **arguments: Any
    ) -> Transition | Line:
        """Locate a transition: the critical value of a parameter, or a line in two of them.

        Parameters
        ----------
        condition : str or Expr
            ``"second-order"``, ``"replicon"`` (or ``"at"``), ``"spinodal"``, ``"first-order"``,
            ``"entropy"``, ``"capacity"`` (or ``"separability"``), ``"NAME=VALUE"`` of an output or
            an order parameter, or an expression that shall vanish.
        parameter : str
            The critical parameter.
        **arguments
            Values of other parameters, and options:

            - ``bracket``: pair of values between which the critical one is searched for.
            - ``start``: the branch, as for `solve`; a pair of starts for ``"first-order"``.
            - ``along``: a second parameter, along which a line is followed.
            - ``over``: limits of that parameter, or the values at which the line has its points.
            - ``within``: limits of the critical parameter on the line.
            - ``step``, ``points``: largest relative step, and most points, of the line.
            - ``settings``: a `SolverSettings`.
            - ``backend``: ``"c"`` or ``"numpy"``.

        Returns
        -------
        Transition or Line
            A line where ``along`` is given.

        Raises
        ------
        ParameterError, ConvergenceError

        See Also
        --------
        replica.solve.boundary
        """
        from replica.solve import boundary

        return boundary(self, condition, parameter, **arguments)

    def verify(self, solution: Solution, digits: int = 30) -> Any:
        """Evaluate the equations at a solution with mpmath and return the digits' verdict."""
        from replica.solve.high_precision import verify

        return verify(self, solution, digits)

    def _split(
        self, function: Any, arguments: Mapping[str, Any], *own: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Split keywords into the options of a function and the parameters of the model."""
        from replica.names import options_of, parameter_name

        options = options_of(function, *own)
        chosen = {k: v for k, v in arguments.items() if k in options}
        values = {k: v for k, v in arguments.items() if k not in options}
        for name in values:
            parameter_name(cast("Model", self).parameters, name, options)
        return chosen, values

    def _repr_latex_(self) -> str:
        return self.saddle_point()._repr_latex_()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_cache"}


@dataclass(frozen=True)
class Model(_Pipeline, System):
    """A disordered system, declared symbolically.

    Parameters
    ----------
    name : str
        Lower-case words joined by hyphens.
    thermal : Thermal
        The variable that is summed over, with its prior and penalty.
    quenched : Quenched, optional
        The variable that is fixed: a teacher, a pattern, a centroid.
    fields : Field or sequence of Field
        Gaussian local fields with their load and weight.
    pair : Expr
        ``g(q)`` of the extensive term ``N sum_ab g(Q_ab)`` over ordered pairs of replicas,
        including ``a = b`` (SK: ``beta**2 q**2/4``).
    overlap : Expr
        ``u(m, q_d)`` of the extensive term ``N sum_a u(M_a, Q_aa)`` (Hopfield: ``beta m**2/2``).
    temperature : Expr
        A parameter, 0, or 1 (inference: the posterior measure).
    extremised : Extremised or sequence
        Scalars over which the free entropy is extremised (a learned bias).
    observables : mapping
        Names to expressions of order parameters, parameters and ``Test``, ``Train``, ``Site``.
    title, reference : str
    start : str or mapping
        Default start: ``"uninformed"``, ``"informed"``, or values by name.
    sites : Empirical or MarchenkoPastur, optional
        Law of constants that differ from site to site: spectra, projections of a teacher. Metric,
        penalty, prior, and the law of the quenched variable may depend on them.

    Raises
    ------
    DeclarationError
        If the declaration is inconsistent; the message names what and where.
    """

    __hash__ = object.__hash__


@dataclass(frozen=True)
class FunctionalModel(_Pipeline, Functional):
    """An explicit free entropy of named order parameters.

    Parameters
    ----------
    name : str
    free_entropy : Expr
        The functional, with `Average` and `MoreauEnvelope` nodes where it has averages.
    order_parameters : sequence of OrderParameter
    observables : mapping
    title, reference : str
    """

    __hash__ = object.__hash__
