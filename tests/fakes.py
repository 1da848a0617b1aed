"""A stand-in for a model and its compiled system, for tests of what happens around the engine.

It is the Curie-Weiss ferromagnet ``m = tanh(beta (m + h))``; points with ``h > 5`` do not converge,
and points with ``h > 8`` interrupt like Ctrl-C.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import sympy

from replica.declare import Parameter
from replica.errors import ParameterError
from replica.solve import Status

CONVERGED, NOT_CONVERGED = (list(Status).index(s) for s in (Status.CONVERGED, Status.NOT_CONVERGED))


@dataclass(frozen=True)
class FakeBlock:
    x: np.ndarray
    out: np.ndarray
    residual: np.ndarray
    error: np.ndarray
    out_error: np.ndarray
    status: np.ndarray
    evaluations: np.ndarray
    stability: np.ndarray


@dataclass
class FakeSystem:
    unknowns: tuple[str, ...] = ("m",)
    parameters: tuple[str, ...] = ("beta_", "h")
    outputs: tuple[str, ...] = ("mhat", "free_energy", "test_error")
    backend: str = "fake"
    source: str = "fake"
    calls: list[dict] = field(default_factory=list)

    program = SimpleNamespace(domains=((-1.0, 1.0),))

    def starts(self, params, kind=None):
        if kind not in (None, "informed"):
            raise ParameterError(f"start {kind!r} is unknown")
        return np.ones((len(params), 1))

    def solve_block(self, params, starts, settings, chain, cancel):
        self.calls.append({"params": params, "starts": starts, "chain": chain})
        if (params[:, 1] > 8).any():
            raise KeyboardInterrupt
        beta, h = params.T
        m = starts[:, 0].copy()
        for _ in range(200):
            m = np.tanh(beta * (m + h))
        outputs = np.stack([beta * m, -(m**2) / 2 - h * m, (1 - m) / 2], axis=-1)
        return FakeBlock(
            x=m[:, None],
            out=outputs,
            residual=np.full(len(m), 1e-13),
            error=np.full((len(m), 1), 1e-12),
            out_error=np.full(outputs.shape, 1e-11),
            status=np.where(h > 5, NOT_CONVERGED, CONVERGED),
            evaluations=np.full(len(m), 200),
            stability=beta * (1 - m**2),
        )


@dataclass(frozen=True)
class FakeSaddlePoint:
    equations: tuple = ((sympy.Symbol("m"), sympy.Symbol("h")),)
    conjugate_equations: tuple = ()
    definitions: tuple = ()
    constraints: tuple = ()
    unknowns: tuple = ()
    observables: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    free_entropy: sympy.Expr = sympy.S.Zero
    replicon: None = None
    ansatz: str = "replica symmetric"
    zero_temperature: bool = False

    def latex(self) -> str:
        return r"\begin{align} m &= \tanh(\beta (m + h)) \end{align}"

    def __str__(self) -> str:
        return "m = tanh(beta*(m + h))"


@dataclass(frozen=True)
class FakeModel:
    name: str = "curie-weiss"
    title: str = "Curie-Weiss ferromagnet"
    reference: str = "textbook"
    system: FakeSystem = field(default_factory=FakeSystem)

    @property
    def parameters(self):
        return {
            "beta_": Parameter("beta_", 0.5, (0, np.inf), "inverse temperature", symbol="beta"),
            "h": Parameter("h", 0.1, (-10, 10), "external field"),
        }

    @property
    def observables(self):
        return {"test_error": sympy.Symbol("m")}

    def saddle_point(self, reduce=True):
        return FakeSaddlePoint()

    def compile(self, backend=None):
        return self.system
