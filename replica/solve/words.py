"""Conditions of boundaries as users write them: words, quantities, expressions."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.logic.boolalg import Boolean

from replica.compile.system import CompiledSystem
from replica.declare.functional import Functional
from replica.errors import ParameterError
from replica.names import nearest
from replica.solve.conditions import Condition, Fold, Holds, LosesStability

#: Words for conditions; any other string is a quantity of the model, or ``NAME=VALUE``.
WORDS = {
    "second-order": "second-order",
    "replicon": "replicon",
    "at": "replicon",
    "spinodal": "spinodal",
    "fold": "spinodal",
    "first-order": "first-order",
    "entropy": "entropy",
    "capacity": "capacity",
    "separability": "capacity",
}


def parse(system: CompiledSystem, word: str | None, condition: str | sp.Expr) -> Condition:
    """Return a condition of one phase.

    Raises
    ------
    ParameterError
        If the model has no such quantity.
    """
    if word == "second-order":
        return LosesStability()
    if word == "spinodal":
        return Fold()
    if word == "replicon" and "replicon" not in system.outputs:
        raise ParameterError(f"model {system.saddle.name}: its equations have no replicon.")
    if word == "replicon":
        return Holds(system, "replicon")
    if word == "entropy":
        return Holds(system, "entropy" if "entropy" in system.outputs else "free_entropy")
    if isinstance(condition, sp.Equality):
        return Holds(system, condition.lhs - condition.rhs)
    if not isinstance(condition, str):
        return Holds(system, _expression(condition))
    _check_word(system, condition)
    quantity, equals, number = condition.partition("=")
    try:
        value = float(number) if equals else 0.0
    except ValueError:
        raise ParameterError(f"condition {condition}: {number!r} is not a number.") from None
    return Holds(system, quantity.strip(), value)


def _expression(condition: Any) -> sp.Expr:
    """Return a condition that is no string as an expression."""
    try:
        if not callable(condition) or isinstance(condition, sp.Basic):
            found = sp.sympify(condition)
            if isinstance(found, (sp.Expr, Boolean)):
                return found
    except sp.SympifyError:
        pass
    kind = "a function" if callable(condition) else f"{condition!r}"
    raise ParameterError(
        f"condition: expected one of {_words()}, 'NAME=VALUE', or a SymPy expression that vanishes "
        f"(such as sp.Symbol('q') - 0.5), got {kind}."
    )


def _check_word(system: CompiledSystem, condition: str) -> None:
    """Refuse a condition that is neither a word nor about a quantity, with what was meant."""
    quantity = condition.partition("=")[0].strip()
    symbols = [p.symbol_name for p in system.saddle.parameters.values()]
    known = {*system.outputs, *system.unknowns, *system.parameters, *symbols}
    if quantity in known or any(sign in condition for sign in "<>!"):
        return
    words = [] if "=" in condition else list(WORDS)
    meant = nearest(quantity.replace("_", "-"), words) or nearest(quantity, [*words, *known])
    if meant:
        raise ParameterError(
            f"condition {condition} is unknown (did you mean {meant}?): expected one of "
            f"{_words()}, or 'NAME=VALUE' of a quantity of the model."
        )
    raise ParameterError(
        f"condition {condition} is unknown: expected one of {_words()}, or 'NAME=VALUE' of one of "
        f"{', '.join(sorted(known))}."
    )


def _words() -> str:
    return ", ".join(map(repr, WORDS))


def check_entropy(model: Any) -> None:
    """Refuse the entropy of a functional that declares none: its temperature is not known."""
    if isinstance(model, Functional) and "entropy" not in model.observables:
        raise ParameterError(
            f"model {model.name}: an explicit functional has no entropy of its own; declare an "
            "observable 'entropy', or ask for 'free_entropy=0'."
        )
