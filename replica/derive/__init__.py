"""Derive: symbolic saddle points from declarations."""

from __future__ import annotations

from typing import Any

from replica.declare.functional import Functional
from replica.declare.manifolds import Manifolds
from replica.declare.system import System
from replica.derive.saddle_point import SaddlePoint, Unknown
from replica.errors import DerivationError

__all__ = ["SaddlePoint", "Unknown", "derive"]


def derive(declaration: Any, ansatz: Any = None, reduce: bool = True) -> Any:
    """Derive the saddle point of a declaration for an ansatz (replica symmetric by default).

    ``reduce`` allows symmetries to reduce the order parameters: the Nishimori identities of
    Bayes-optimal inference, and the exchange of classes of vector models.
    """
    if isinstance(declaration, Functional):
        from replica.derive.functional import derive_functional

        return derive_functional(declaration)
    if isinstance(declaration, Manifolds):
        if ansatz is not None and ansatz.steps > 0:
            raise DerivationError(
                f"model {declaration.name}: the capacity of manifolds is derived replica "
                "symmetric, which is exact for a margin of zero or more."
            )
        from replica.derive.capacity import derive_capacity

        return derive_capacity(declaration)
    if not isinstance(declaration, System):
        from replica.derive.action import derive_action

        return derive_action(declaration)
    if declaration.vector:
        from replica.derive.vector import derive_vector
        from replica.derive.vector_channel import is_exchangeable

        if ansatz is not None and ansatz.steps > 0:
            raise DerivationError(
                f"model {declaration.name}: a variable of several components is only derived "
                "with the replica-symmetric ansatz."
            )
        if declaration.fields[0].by_orthant:
            from replica.derive.two_units import derive_two_units

            return derive_two_units(declaration, reduce=reduce)
        exchangeable = declaration.quenched is not None and is_exchangeable(declaration)
        if declaration.zero_temperature and not (reduce and exchangeable):
            from replica.derive.vector_matrix import derive_matrix

            return derive_matrix(declaration)
        return derive_vector(declaration, reduce=reduce)
    if ansatz is None or ansatz.steps == 0:
        from replica.derive.replica_symmetric import derive_replica_symmetric

        return derive_replica_symmetric(declaration, reduce=reduce)
    if declaration.sites is not None or declaration.thermal.metric != 1:
        raise DerivationError(
            f"model {declaration.name}: sites that differ are derived in the replica-symmetric "
            f"ansatz only, not with {ansatz.steps} steps."
        )
    from replica.derive.hierarchical import derive_hierarchical

    return derive_hierarchical(declaration, ansatz)
