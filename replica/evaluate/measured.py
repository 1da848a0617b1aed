"""Manifolds that were measured: capacity, radius and dimension of point clouds with labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from replica.declare.real_numbers import real_expression, real_value
from replica.declare.shapes import PointCloud, checked_points
from replica.errors import DeclarationError
from replica.evaluate.centres import dimension_of_span, mean_correlation, shared_directions
from replica.evaluate.samples import Estimate, Sample, geometry
from replica.evaluate.settings import CapacitySettings, require_settings
from replica.evaluate.threads import cores, single_threaded_algebra

if TYPE_CHECKING:
    import pandas as pd

    from replica.declare.manifolds import Contexts

Array = NDArray[np.float64]
#: Share of the largest variance below which a direction is rounding.
_ROUNDING = 1e-12
_QUANTITIES = ("capacity", "radius", "dimension", "radius_about_mean", "dimension_by_overlap",
               "interior")  # fmt: skip


@dataclass(frozen=True)
class MeasuredClouds:
    """Measured manifolds as clouds, and what was done to them.

    Attributes
    ----------
    clouds : tuple of PointCloud
        In units of the norms of the centres, in as many dimensions as they span.
    centre_norms : array, shape (manifolds,)
    shared_rank : int
        Number of directions common to the centres that were projected out.
    correlation_before, correlation_after : float
        Mean modulus of the cosine of two centres.
    """

    clouds: tuple[PointCloud, ...]
    centre_norms: Array
    shared_rank: int
    correlation_before: float
    correlation_after: float


@dataclass(frozen=True)
class ManifoldMeasurement:
    """Capacity and geometry of measured manifolds, with standard errors.

    Attributes
    ----------
    estimates : mapping of str to Estimate
        ``capacity`` is the harmonic mean over manifolds; ``radius``, ``dimension`` and the others
        are arithmetic means. Standard errors are those of the sampling, not of the choice of
        points.
    manifolds : tuple of mapping
        The same for each manifold.
    names : tuple of str
    prepared : MeasuredClouds
    margin : float
    settings : CapacitySettings
    notes : tuple of str
    """

    estimates: Mapping[str, Estimate]
    manifolds: tuple[Mapping[str, Estimate], ...]
    names: tuple[str, ...]
    prepared: MeasuredClouds
    margin: float
    settings: CapacitySettings
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> float:
        return self.estimates[name].value

    @property
    def error(self) -> dict[str, float]:
        """Standard errors by name."""
        return {name: estimate.error for name, estimate in self.estimates.items()}

    def capacity(
        self, *, positive_fraction: float | None = None, contexts: Contexts | None = None
    ) -> Estimate:
        """Return the capacity of another readout for the same manifolds.

        Parameters
        ----------
        positive_fraction : float, optional
            Fraction of positive labels; the readout has the best threshold then.
        contexts : Contexts, optional
            Weights that depend on the region in which a point lies, by random context vectors.

        Raises
        ------
        ParameterError
            If the fraction is none, or there are no such context vectors.
        """
        from replica.evaluate.readouts import readout_capacity

        clouds = self.prepared.clouds
        return readout_capacity(clouds, self.margin, self.settings, positive_fraction, contexts)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row a manifold, each quantity beside its standard error."""
        import pandas as pd

        rows = []
        for name, found in zip(self.names, self.manifolds, strict=True):
            row: dict[str, Any] = {"manifold": name}
            for quantity, estimate in found.items():
                row[quantity] = estimate.value
                row[f"{quantity}_uncertainty"] = estimate.error
            rows.append(row)
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        done = self.prepared
        lines = [
            f"{len(self.manifolds)} manifolds, margin {self.margin:g}: "
            f"{self.settings.samples} samples each, seed {self.settings.seed}"
        ]
        lines += [f"  {n:<20} {e.value:10.6g} +- {e.error:.1g}" for n, e in self.estimates.items()]
        lines.append(
            f"  correlation of centres {done.correlation_before:.3f}, "
            f"{done.correlation_after:.3f} without {done.shared_rank} shared directions"
        )
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def measure_manifolds(
    manifolds: Sequence[ArrayLike] | Mapping[str, ArrayLike],
    margin: float = 0.0,
    *,
    settings: CapacitySettings | None = None,
    shared_rank: int | str = 0,
    subtract_mean: bool = True,
    progress: bool = False,
) -> ManifoldMeasurement:
    """Measure the capacity, radius and dimension of labelled point clouds.

    Parameters
    ----------
    manifolds : sequence or mapping of array_like, shape (points, dimensions)
        One array a manifold, for example the activity of all units for the pictures of a class.
    margin : float
        In units of the norms of the centres.
    settings : CapacitySettings, optional
        ``samples`` is the number of quadratic programs a manifold.
    shared_rank : int or "least"
        Number of directions shared by the centres that are projected out; ``"least"`` takes the
        number that leaves the least mean correlation (for many manifolds: of a few, it may take
        most of a centre).
    subtract_mean : bool
        Subtract the mean of all points first.
    progress : bool
        Show a progress bar.

    Raises
    ------
    DeclarationError
        If an array has a wrong shape or fewer than two points, dimensions differ, a centre
        vanishes, or ``margin`` or ``shared_rank`` is impossible.
    SettingsError
        If the settings are of another kind.
    """
    settings = CapacitySettings(samples=512) if settings is None else settings
    require_settings(settings)
    margin = real_value(real_expression(margin, "margin"), {}, "margin")
    names, arrays = _named(manifolds)
    with single_threaded_algebra():
        prepared = prepare_clouds(arrays, shared_rank, subtract_mean, settings.seed, names)
    found = _all_measured(prepared.clouds, margin, settings, progress)
    notes: tuple[str, ...] = ()
    equal = [n for n, c in zip(names, prepared.clouds, strict=True) if c.has_duplicates]
    if equal:
        notes = (
            f"{len(equal)} manifolds have equal points ({', '.join(equal[:3])}"
            f"{', ...' if len(equal) > 3 else ''}): capacities are right, anchor points are not "
            "unique.",
        )
    return ManifoldMeasurement(
        _together(found), tuple(found), tuple(names), prepared, margin, settings, notes
    )


def _all_measured(
    clouds: Sequence[PointCloud], margin: float, settings: CapacitySettings, progress: bool
) -> list[dict[str, Estimate]]:
    from tqdm.auto import tqdm

    def one(index: int) -> dict[str, Estimate]:
        return _measured(clouds[index], margin, settings, index)

    hidden = None if progress else True
    with single_threaded_algebra(), ThreadPoolExecutor(min(cores(), len(clouds))) as executor:
        results = executor.map(one, range(len(clouds)))
        bar = tqdm(results, total=len(clouds), desc="manifolds", unit="manifold", disable=hidden)
        return list(bar)


def own_settings(settings: CapacitySettings, index: int) -> CapacitySettings:
    """Return settings with a sample for one manifold alone, so that errors average out."""
    own = int(np.random.SeedSequence([settings.seed, index]).generate_state(1)[0] % 10**9)
    return dataclasses.replace(settings, seed=own)


def _measured(
    cloud: PointCloud, margin: float, settings: CapacitySettings, index: int
) -> dict[str, Estimate]:
    sample = Sample(cloud, own_settings(settings, index))
    load = sample.distance([(1.0, margin)])
    anchors = geometry(sample.at(margin), sample.vectors)
    return {"capacity": _inverse(load), **anchors}


def _inverse(load: Estimate) -> Estimate:
    return Estimate(1 / load.value, load.error / load.value**2)


def _together(found: Sequence[Mapping[str, Estimate]]) -> dict[str, Estimate]:
    result = {}
    for name in _QUANTITIES:
        parts = [f[name] for f in found]
        if name == "capacity":
            parts = [Estimate(1 / p.value, p.error / p.value**2) for p in parts]
        value = float(np.mean([p.value for p in parts]))
        error = float(np.sqrt(np.sum([p.error**2 for p in parts])) / len(parts))
        estimate = Estimate(value, error)
        result[name] = _inverse(estimate) if name == "capacity" else estimate
    return result


def prepare_clouds(
    arrays: Sequence[Array],
    shared_rank: int | str = 0,
    subtract_mean: bool = True,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> MeasuredClouds:
    """Turn measured points into clouds around centres of norm one.

    Raises
    ------
    DeclarationError
        If a centre vanishes, so that there is no unit of length.
    """
    names = [str(i) for i in range(len(arrays))] if names is None else names
    counted = isinstance(shared_rank, (int, np.integer)) and not isinstance(shared_rank, bool)
    if not (shared_rank == "least" or (counted and int(shared_rank) >= 0)):
        raise DeclarationError(
            f"shared_rank: expected a number of directions >= 0 or 'least', got {shared_rank!r}."
        )
    if subtract_mean and len(arrays) > 1:
        mean = np.concatenate(arrays).mean(axis=0)
        arrays = [points - mean for points in arrays]
    centres = np.array([points.mean(axis=0) for points in arrays])
    before = mean_correlation(centres) if len(arrays) > 1 else 0.0
    wanted = int(shared_rank) if counted else None
    if wanted and wanted >= (span := dimension_of_span(centres)):
        raise DeclarationError(
            f"shared_rank: {wanted} directions leave nothing of centres that span {span} dimensions"
            f"{' after the mean is subtracted' if subtract_mean else ''}."
        )
    directions = shared_directions(centres, wanted, seed) if len(arrays) > 2 else None
    rank = 0 if directions is None else directions.shape[1]
    if directions is not None and rank:
        arrays = [points - points @ directions @ directions.T for points in arrays]
        centres = np.array([points.mean(axis=0) for points in arrays])
    norms = np.linalg.norm(centres, axis=1)
    sizes = np.array([np.abs(points).max() for points in arrays])
    for name, norm, size in zip(names, norms, sizes, strict=True):
        if norm <= 1e-12 * size:
            raise DeclarationError(
                f"manifold {name}: its centre is zero, so that there is no unit for its radius; "
                "set subtract_mean=False or shared_rank=0 if that took it away."
            )
    clouds = tuple(
        PointCloud(_coordinates((points - centre) / norm))
        for points, centre, norm in zip(arrays, centres, norms, strict=True)
    )
    after = mean_correlation(centres) if len(arrays) > 1 else 0.0
    return MeasuredClouds(clouds, norms, rank, before, after)


def _coordinates(points: Array) -> Array:
    """Rotate points into as many dimensions as they span."""
    wide = points.shape[1] > points.shape[0]
    values, vectors = np.linalg.eigh(points @ points.T if wide else points.T @ points)
    keep = values > _ROUNDING * max(values[-1], 1e-300)
    if not keep.any():  # equal points
        return np.zeros((len(points), 1))
    coordinates: Array = (
        vectors[:, keep] * np.sqrt(values[keep]) if wide else points @ vectors[:, keep]
    )
    return coordinates[:, ::-1]


def _named(
    manifolds: Sequence[ArrayLike] | Mapping[str, ArrayLike],
) -> tuple[list[str], list[Array]]:
    if isinstance(manifolds, Mapping):
        names, values = [str(n) for n in manifolds], list(manifolds.values())
    else:
        values = list(manifolds)
        names = [str(i) for i in range(len(values))]
    if not values:
        raise DeclarationError("manifolds: expected at least one array of points, got none.")
    arrays = [checked_points(v, f"manifold {n}") for n, v in zip(names, values, strict=True)]
    widths = sorted({a.shape[1] for a in arrays})
    if len(widths) > 1:
        raise DeclarationError(
            f"manifolds: all need the same number of coordinates, got {widths[0]} and {widths[-1]}."
        )
    return names, arrays
