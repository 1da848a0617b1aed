"""The ansatz as a value: how many steps of replica-symmetry breaking."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from replica.errors import DerivationError


@dataclass(frozen=True)
class Ansatz:
    """Hierarchical ansatz with ``steps`` steps; replica symmetry is ``Ansatz(0)``.

    The levels are ``0..steps`` with overlaps ``q_0 < ... < q_steps < q_d`` and Parisi parameters
    ``x_1 < ... < x_steps`` (``x_0 = 0``, ``x_{steps+1} = 1``). At zero temperature the Parisi
    parameters are rescaled, ``y = beta x``.
    """

    steps: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.steps, int) or self.steps < 0:
            raise DerivationError(
                f"ansatz: the number of steps must be an integer of at least 0, got {self.steps!r}."
            )

    @property
    def overlaps(self) -> tuple[sp.Symbol, ...]:
        """``q_0, ..., q_steps``."""
        return tuple(sp.Symbol(f"q_{level}", nonnegative=True) for level in range(self.steps + 1))

    @property
    def conjugates(self) -> tuple[sp.Symbol, ...]:
        """Conjugates of the overlaps."""
        return tuple(
            sp.Symbol(f"qhat_{level}", nonnegative=True) for level in range(self.steps + 1)
        )


REPLICA_SYMMETRIC = Ansatz(0)
ONE_STEP = Ansatz(1)
