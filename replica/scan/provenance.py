"""Where data come from: the fingerprint of what was solved, and how it was asked for."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import replica
from replica.solve import SolverSettings

if TYPE_CHECKING:
    from replica.compile.system import CompiledSystem
    from replica.model import FunctionalModel, Model
    from replica.scan.grid import Grid


def provenance(
    model: Model | FunctionalModel,
    system: CompiledSystem,
    grid: Grid,
    attributes: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the attributes from which the numbers of a data set can be traced."""
    return {
        "model": model.name,
        "title": model.title,
        "reference": model.reference,
        "signature": signature(model),
        "fixed": json.dumps(grid.fixed),
        "backend": str(system.backend),
        **attributes,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "replica_version": replica.__version__,
    }


def request(
    settings: SolverSettings | None, sweeps: Sequence[str], retried: bool, command: str | None
) -> dict[str, Any]:
    """Return the attributes that say how a scan was asked for."""
    used = SolverSettings() if settings is None else settings
    return {
        "settings": json.dumps(dataclasses.asdict(used), default=str),
        "sweeps": ", ".join(sweeps),
        "retry": int(retried),
        "command": shlex.join(sys.argv) if command is None else command,
    }


def fingerprint(model: Model | FunctionalModel, system: CompiledSystem) -> dict[str, str]:
    """Return what the results of a model depend on beside parameters, starts, and settings.

    The source of the compiled program is part of it: it has the quadrature and the solver, too.
    """
    return {
        "signature": signature(model),
        "program": hashlib.sha256(system.source.encode()).hexdigest(),
        "backend": str(system.backend),
        "version": replica.__version__,
    }


def signature(model: Model | FunctionalModel) -> str:
    """Return a short fingerprint of what a model stands for.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    str
        Hexadecimal digits that change when anything that is solved for or reported changes: the
        ansatz, the free entropy, the equations and their domains, the observables. Names and
        sentences that only explain do not matter.
    """
    saddle = model.saddle_point()
    lines = [
        f"ansatz {saddle.ansatz}, zero temperature {saddle.zero_temperature}",
        f"parameters {', '.join(saddle.parameters)}",
        f"free entropy = {saddle.free_entropy}",
        f"replicon = {saddle.replicon}",
    ]
    for kind, pairs in (
        ("definition", saddle.definitions),
        ("equation", saddle.equations),
        ("conjugate", saddle.conjugate_equations),
        ("constraint", saddle.constraints),
        ("observable", saddle.observables.items()),
        ("domain", ((unknown.symbol, unknown.domain) for unknown in saddle.unknowns)),
    ):
        lines += [f"{kind} {name} = {expression}" for name, expression in pairs]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
