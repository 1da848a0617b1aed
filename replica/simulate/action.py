"""Sample the order parameters of an action at finite width, where the action alone is only a mode.

The overlaps of Gaussian weights are Wishart matrices: with respect to the measure ``dU / det
U^((d+1)/2)`` of positive definite matrices that scaling leaves invariant, their density is exactly
``exp(-S/2)``. In log-Cholesky coordinates ``C_11, C_21, ..`` this measure is the product of
``C_ii^(1-i)``, so that a random walk in these few coordinates samples the posterior of a network of
any width that is not below the size of a matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from replica.calculus.matrices import SymmetricMatrix
from replica.compile.action.coordinates import Coordinates
from replica.compile.action.operations import NotPositiveError
from replica.errors import ParameterError
from replica.kernels.threads import few_threads
from replica.solve.action import solve_action
from replica.solve.point import parameter_values

if TYPE_CHECKING:
    from replica.action_model import ActionModel
    from replica.solve.solution import Solution

Array = NDArray[np.float64]
#: Batches from which a standard error is estimated.
_BATCHES = 20


@dataclass(frozen=True)
class ActionSamples:
    """Samples of order parameters.

    Attributes
    ----------
    entries : ndarray, shape (samples, entries)
        Distinct entries of the order parameters, named by ``names``.
    names : tuple of str
    observables : mapping
        Values of the model's observables in each sample.
    acceptance : float
        Share of accepted steps.
    """

    model: str
    parameters: Mapping[str, float]
    entries: Array
    names: tuple[str, ...]
    observables: Mapping[str, Array]
    acceptance: float

    def __getitem__(self, name: str) -> Array:
        if name in self.observables:
            return self.observables[name]
        if name in self.names:
            return self.entries[:, self.names.index(name)]
        raise KeyError(f"{name!r}; there are {', '.join((*self.names, *self.observables))}")

    def mean(self, name: str) -> float:
        """Return the average of an entry or an observable."""
        return float(self[name].mean())

    def standard_error(self, name: str) -> float:
        """Return the standard error of `mean`, from batches longer than the correlations."""
        batches = np.array([part.mean() for part in np.array_split(self[name], _BATCHES)])
        return float(batches.std(ddof=1) / np.sqrt(_BATCHES))

    def matrices(self, name: str) -> Array:
        """Return the samples of a matrix, shape (samples, size, size)."""
        own = [i for i, entry in enumerate(self.names) if entry.startswith(f"{name}[")]
        if not own:
            raise KeyError(name)
        size = int((np.sqrt(8 * len(own) + 1) - 1) / 2)
        result = np.empty((len(self.entries), size, size))
        rows, columns = np.triu_indices(size)
        result[:, rows, columns] = result[:, columns, rows] = self.entries[:, own]
        return result


def sample_action(
    model: ActionModel,
    steps: int = 30_000,
    *,
    seed: int = 0,
    thin: int = 10,
    warm_up: float = 0.1,
    start: Solution | None = None,
    progress: bool = False,
    **parameters: float,
) -> ActionSamples:
    """Sample ``exp(-S/2)`` with respect to the invariant measure, by random-walk Metropolis.

    Parameters
    ----------
    model : ActionModel
    steps : int
        Steps of the chain.
    seed : int
    thin : int
        Steps between samples.
    warm_up : float
        Share of the steps that is dropped at the beginning.
    start : Solution, optional
        The minimum of the action at these parameters (default: solved for).
    progress : bool
        Show a bar, where the output is a terminal.
    **parameters : float

    Returns
    -------
    ActionSamples

    Raises
    ------
    ParameterError
        If a number of steps is not positive, or the density has no integral, which happens where a
        width is below the size of a matrix.
    """
    if steps < 1 or thin < 1 or not 0 <= warm_up < 1:
        raise ParameterError(
            f"expected positive numbers of steps and a share in [0, 1), got steps={steps}, "
            f"thin={thin}, warm_up={warm_up:g}."
        )
    system = model.compile()
    values = parameter_values(system.saddle.parameters, parameters)
    solution = start or solve_action(model.name, system, values)
    point = np.array([values[name] for name in system.parameters])
    problem, coordinates = system.problem(point), system.coordinates
    entries = np.array([solution.order_parameters[name] for name in system.unknowns])
    theta = coordinates.from_entries(entries)
    measure = _measure(coordinates.symbols)

    def log_density(at: Array) -> float:
        try:
            return -problem.value(at) / 2 + float(measure @ at)
        except (NotPositiveError, OverflowError):
            return -np.inf

    _require_integral(coordinates, theta, log_density)
    random = np.random.default_rng(seed)
    values_, vectors = np.linalg.eigh(problem.hessian(theta) / 2)
    scale = vectors * (2.38 / np.sqrt(len(theta)) / np.sqrt(values_))
    now, accepted = log_density(theta), 0
    kept: list[Array] = []
    observed: list[list[float]] = []
    bar = tqdm(range(steps), unit="step", disable=None if progress else True)
    with few_threads(system.programs.largest):
        for step in bar:
            proposal = theta + scale @ random.standard_normal(len(theta))
            then = log_density(proposal)
            if np.log(random.random()) < then - now:
                theta, now, accepted = proposal, then, accepted + 1
            if step >= warm_up * steps and step % thin == 0:
                kept.append(coordinates.entries(theta))
                observed.append(problem.observables(theta))
    columns = np.array(observed).T if observed else np.empty((0, 0))
    return ActionSamples(
        model.name, values, np.array(kept), coordinates.names,
        dict(zip(system.saddle.observables, columns, strict=True)), accepted / steps,
    )  # fmt: skip


def _require_integral(
    coordinates: Coordinates, theta: Array, log_density: Callable[[Array], float]
) -> None:
    """Refuse a density that does not fall as the last direction of a matrix shrinks to nothing."""
    for symbol, size, part in coordinates.parts:
        if size < 2:
            continue
        near, far = theta.copy(), theta.copy()
        near[part.stop - 1] -= 8.0
        far[part.stop - 1] -= 10.0
        if not log_density(far) < log_density(near) - 1e-4:
            raise ParameterError(
                f"the density of {symbol} does not fall where the matrix becomes singular and "
                f"cannot be sampled; expected widths not below its size, {size}."
            )


def _measure(symbols: tuple[Any, ...]) -> Array:
    """Exponents of the coordinates' exponentials in the invariant measure."""
    exponents: list[float] = []
    for symbol in symbols:
        size = int(symbol.shape[0]) if isinstance(symbol, SymmetricMatrix) else 1
        rows, columns = np.tril_indices(size)
        exponents += [float(-i) if i == j else 0.0 for i, j in zip(rows, columns, strict=True)]
    return np.array(exponents)
