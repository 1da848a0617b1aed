"""Models and results as plain text and as records for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replica.model import FunctionalModel, Model


def model_record(model: Model | FunctionalModel) -> dict[str, Any]:
    """Return what a model declares as nested dictionaries.

    Parameters
    ----------
    model : Model or FunctionalModel

    Returns
    -------
    dict
        Name, title, reference, parameters and observables.
    """
    return {
        "name": model.name,
        "title": model.title,
        "reference": model.reference,
        "parameters": {
            name: {
                "symbol": parameter.symbol_name,
                "default": parameter.default,
                "domain": _domain(parameter),
                "doc": parameter.doc,
            }
            for name, parameter in model.parameters.items()
        },
        "observables": {name: str(value) for name, value in model.observables.items()},
    }


def model_text(model: Model | FunctionalModel) -> str:
    """Return what a model declares as text for a terminal.

    Parameters
    ----------
    model : Model or FunctionalModel

    Returns
    -------
    str
    """
    record = model_record(model)
    parameters = [
        (name, f"= {entry['default']:g}", f"in {entry['domain']}", entry["doc"])
        for name, entry in record["parameters"].items()
    ]
    observables = [(name, f"= {value}") for name, value in record["observables"].items()]
    lines = [f"{model.name}: {model.title}"]
    lines += [model.reference] if model.reference else []
    lines += ["", model.note] if model.note else []
    for title, rows in (("Parameters", parameters), ("Observables", observables)):
        if rows:
            lines += ["", title, *_columns(rows)]
    return "\n".join(lines)


def plain(value: Any) -> Any:
    """Return nested data with Python's own types; JSON has no NaN, which becomes None.

    Parameters
    ----------
    value : Any
        Mappings, sequences, arrays, numbers, texts.

    Returns
    -------
    Any
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _domain(parameter: Any) -> str:
    low, high = parameter.domain
    left = "(" if parameter.open in ("lower", "both") or math.isinf(low) else "["
    right = ")" if parameter.open in ("upper", "both") or math.isinf(high) else "]"
    return f"{left}{low:g}, {high:g}{right}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(f"{c:{w}}" for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
