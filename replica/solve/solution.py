"""The certified result of a solve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

#: At the boundary, unknowns beyond these values stand for zero and infinity.
SMALL, LARGE = 1e-9, 1e9


class Status(Enum):
    """How a solve ended; the value says what to do."""

    CONVERGED = "The order parameters are certified; every other output carries its own error."
    NOT_CONVERGED = (
        "The iteration ran out of evaluations: start closer, raise max_evaluations, or follow the "
        "branch from easier parameters."
    )
    DIVERGED = (
        "The iteration left every finite value, or is led to where the equations have none: no "
        "saddle point is attracting from this start."
    )
    AT_BOUNDARY = (
        "The iteration ended at the boundary of its domain: a limit (capacity, separability, "
        "lambda = 0, perfect recovery) and no regular saddle point."
    )
    CANCELLED = "The solve was interrupted before this point was finished."
    NOT_CERTIFIED = (
        "The iteration converged, but the quadrature error is larger than asked for: raise "
        "inner_panels or max_refinements."
    )

    @classmethod
    def from_code(cls, code: int) -> Status:
        """Status of the integer that the compiled solver returns."""
        return tuple(cls)[int(code)]


@dataclass(frozen=True)
class Solution:
    """One saddle point with its certificate.

    Attributes
    ----------
    order_parameters, conjugates, observables : mapping
        Values by name. ``observables`` includes the free entropy.
    error : mapping
        Certified absolute error of each order parameter (quadrature and round-off).
    observable_error : mapping
        Absolute error of each conjugate and observable, and of the replicon.
    residual : float
        Scaled residual of the undamped map.
    status : Status
    limit : str
        At the boundary, which quantities vanish or diverge; else empty.
    branch : str
        Name of the start that led here.
    replicon : float or None
        Replicon eigenvalue; replica symmetry is locally stable where it is positive.
    stability : float
        Largest real part of the eigenvalues of the map's Jacobian; below one, the branch is
        attracting under damped iteration.
    evaluations : int
        Evaluations of the map.
    sampled : bool
        Whether averages were taken over a sample of points: errors include one standard error.
    """

    model: str
    parameters: Mapping[str, float]
    order_parameters: Mapping[str, float]
    conjugates: Mapping[str, float]
    observables: Mapping[str, float]
    error: Mapping[str, float]
    observable_error: Mapping[str, float]
    residual: float
    status: Status
    branch: str
    replicon: float | None
    stability: float
    evaluations: int
    backend: str
    limit: str = ""
    sampled: bool = False
    _marginal = 0.0

    @property
    def converged(self) -> bool:
        """Whether the solution is certified."""
        return self.status is Status.CONVERGED

    @property
    def unstable(self) -> str:
        """A sentence where damped iteration would leave the solution; else empty.

        At a transition the stability is one, and only what exceeds it counts.
        """
        if not (self.converged and self.stability >= 1 + self._marginal):
            return ""
        return (
            f"unstable: the map's Jacobian has the eigenvalue {self.stability:.4g}, which is not "
            "below 1; a saddle point, but not a phase"
        )

    @property
    def free_entropy(self) -> float:
        """Value of the free entropy."""
        return self.observables["free_entropy"]

    def matrix(self, name: str) -> np.ndarray:
        """Return an order parameter that is a matrix, of entries ``name[1,2]``.

        Raises
        ------
        KeyError
        """
        entries = {
            tuple(int(n) - 1 for n in key[len(name) + 1 : -1].split(",")): value
            for key, value in self.order_parameters.items()
            if key.startswith(f"{name}[")
        }
        if not entries:
            known = {key.partition("[")[0] for key in self.order_parameters if "[" in key}
            raise KeyError(f"{name!r}; the matrices are {', '.join(sorted(known)) or 'none'}")
        matrix = np.empty((1 + max(row for row, _ in entries),) * 2)
        for (row, column), value in entries.items():
            matrix[row, column] = matrix[column, row] = value
        return matrix

    def __getitem__(self, name: str) -> float:
        for table in (self.order_parameters, self.observables, self.conjugates, self.parameters):
            if name in table:
                return table[name]
        if name == "replicon" and self.replicon is not None:
            return self.replicon
        known = [*self.order_parameters, *self.observables, *self.conjugates]
        raise KeyError(f"{name!r}; the solution has {', '.join(known)}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings, for JSON."""
        record: dict[str, Any] = {
            "model": self.model,
            "status": self.status.name.lower(),
            "message": self.status.value,
            "limit": self.limit,
            "branch": self.branch,
        }
        for name in (
            "parameters", "order_parameters", "conjugates", "observables", "error",
            "observable_error",
        ):  # fmt: skip
            record[name] = dict(getattr(self, name))
        for name in ("residual", "replicon", "stability", "evaluations", "backend", "sampled"):
            record[name] = getattr(self, name)
        return record

    def __str__(self) -> str:
        lines = [f"{self.model}: {self.status.name.lower().replace('_', ' ')} ({self.branch})"]
        lines.append("  " + ", ".join(f"{k} = {v:g}" for k, v in self.parameters.items()))
        if self.limit:
            lines.append(f"  limit: {self.limit}")
        if self.unstable:
            lines.append(f"  {self.unstable}")
        for name, value in self.order_parameters.items():
            lines.append(f"  {name:<14} {value: .14g}  +- {self.error[name]:.1e}")
        for name, value in {**self.observables, **self.conjugates}.items():
            lines.append(f"  {name:<14} {value: .14g}  +- {self.observable_error[name]:.1e}")
        if self.replicon is not None:
            lines.append(f"  {'replicon':<14} {self.replicon: .14g}")
        if self.sampled:
            lines.append("  averages are sampled: errors include one standard error")
        lines.append(f"  residual {self.residual:.1e}, {self.evaluations} evaluations")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{name}</td><td>{value:.12g}</td></tr>"
            for name, value in {**self.order_parameters, **self.observables}.items()
        )
        note = f"<p>{self.unstable}</p>" if self.unstable else ""
        return f"<p>{self.model}: {self.status.name.lower()}</p>{note}<table>{rows}</table>"


def make_solution(
    model: str,
    parameters: Mapping[str, float],
    system: Any,
    result: Any,
    index: int,
    branch: str,
) -> Solution:
    """Build a `Solution` from one row of a solved block."""
    conjugate_names = {str(s) for s, _ in system.saddle.conjugates}
    values = dict(zip(system.outputs, map(float, result.out[index]), strict=True))
    errors = dict(zip(system.outputs, map(float, result.out_error[index]), strict=True))
    replicon = values.pop("replicon", None)
    if replicon is not None and math.isnan(replicon):
        replicon = None
    status = Status.from_code(int(np.asarray(result.status)[index]))
    unknowns = dict(zip(system.unknowns, map(float, result.x[index]), strict=True))
    conjugates = {k: v for k, v in values.items() if k in conjugate_names}
    return Solution(
        model=model,
        parameters=dict(parameters),
        order_parameters=unknowns,
        conjugates=conjugates,
        observables={k: v for k, v in values.items() if k not in conjugate_names},
        error=dict(zip(system.unknowns, map(float, result.error[index]), strict=True)),
        observable_error=errors,
        residual=float(result.residual[index]),
        status=status,
        branch=branch,
        replicon=replicon,
        stability=float(result.stability[index]),
        evaluations=int(result.evaluations[index]),
        backend=system.backend,
        limit=_limit(system, unknowns, conjugates) if status is Status.AT_BOUNDARY else "",
        sampled=bool(system.program.sampled),
    )


def _limit(system: Any, unknowns: Mapping[str, float], conjugates: Mapping[str, float]) -> str:
    """Say which quantities vanish or diverge at the boundary of the domain."""
    largest = max(map(abs, unknowns.values()))
    lows = dict(zip(unknowns, (low for low, _ in system.program.domains), strict=True))
    gone = [n for n, v in unknowns.items() if lows[n] == 0 and abs(v) < SMALL * largest]
    grown = [n for n, v in unknowns.items() if abs(v) > LARGE]
    if grown:  # all else is small next to what diverges
        gone = [n for n in gone if abs(unknowns[n]) < SMALL]
    if gone:
        # A conjugate of what vanishes may go like the root of its inverse.
        grown += [n for n, v in conjugates.items() if abs(v) > math.sqrt(LARGE)]
    parts = [f"{n} vanishes" for n in gone] + [f"{n} diverges" for n in grown]
    text = ", ".join(parts)
    if system.saddle.bayes_optimal and "V" in gone:
        text += ": the quenched variable is recovered perfectly"
    return text
