"""Models by name: the built-in ones, and those of a user's own file."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import runpy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from replica.errors import ModelNotFoundError, ReplicaError

if TYPE_CHECKING:
    from replica.model import FunctionalModel, Model

    # An ActionModel has the same face.
    AnyModel: TypeAlias = Model | FunctionalModel

_BUILT_IN = "replica.models"


def load(name: str | Path) -> AnyModel:
    """Return a built-in model, or a model declared in a Python file.

    Parameters
    ----------
    name : str or Path
        The name of a built-in model (``"gaussian-mixture-logistic"``), or ``"path/to/file.py"``, or
        ``"path/to/file.py:object"`` where the file declares several models; ``object`` is the name
        of the Python variable or of the model. The file is run.

    Returns
    -------
    Model, FunctionalModel, ActionModel or ManifoldModel

    Raises
    ------
    ModelNotFoundError
        If there is no such model, or more than one.

    Examples
    --------
    >>> import replica
    >>> replica.load("gaussian-mixture-square").name
    'gaussian-mixture-square'
    """
    text = str(name)
    path, separator, variable = text.rpartition(":")
    if separator and path.endswith(".py"):
        return _from_file(Path(path), variable)
    if text.endswith(".py"):
        return _from_file(Path(text), None)
    return _built_in(text)


def built_in_models() -> dict[str, AnyModel]:
    """Return all built-in models by name, in alphabetical order."""
    found: dict[str, AnyModel] = {}
    for module in _modules():
        found.update(_models_of(module))
    return dict(sorted(found.items()))


def _built_in(name: str) -> AnyModel:
    # The file is usually called like the model or its family: look there before importing all.
    likely = sorted(_modules(), key=lambda module: not name.startswith(module.replace("_", "-")))
    for module in likely:
        models = _models_of(module)
        if name in models:
            return models[name]
    raise ModelNotFoundError(
        f"There is no built-in model {name!r}{_suggestion(name, built_in_models())}; "
        "'replica list' shows them all, and a file of your own is given by its path, ending in .py."
    )


def _modules() -> list[str]:
    package = importlib.import_module(_BUILT_IN)
    names = [info.name for info in pkgutil.iter_modules(package.__path__)]
    return [name for name in names if not name.startswith("_")]


def _models_of(module: str) -> dict[str, AnyModel]:
    namespace = vars(importlib.import_module(f"{_BUILT_IN}.{module}"))
    return {model.name: model for model in _instances(namespace).values()}


def _instances(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the distinct models of a namespace by the first variable that holds each."""
    from replica.action_model import ActionModel
    from replica.manifold_model import ManifoldModel
    from replica.model import FunctionalModel, Model

    kinds = (Model, FunctionalModel, ActionModel, ManifoldModel)
    found: dict[str, Any] = {}
    for variable, value in namespace.items():
        new = isinstance(value, kinds) and not any(value is other for other in found.values())
        if new and not variable.startswith("_"):
            found[variable] = value
    return found


def _from_file(path: Path, variable: str | None) -> AnyModel:
    if not path.is_file():
        raise ModelNotFoundError(f"There is no file {str(path)!r} to read a model from.")
    models = _instances(_run(path))
    if not models:
        raise ModelNotFoundError(f"{path} declares no model at its top level.")
    if variable is not None:
        for key, model in models.items():
            if variable in (key, model.name):
                return model
        raise ModelNotFoundError(
            f"{path} has no model {variable!r}{_suggestion(variable, models)}; "
            f"it declares {_listed(models)}."
        )
    if len(models) > 1:
        raise ModelNotFoundError(
            f"{path} declares several models, choose one as {path}:{next(iter(models))} "
            f"(it has {_listed(models)})."
        )
    return next(iter(models.values()))


def _run(path: Path) -> dict[str, Any]:
    try:
        return runpy.run_path(str(path))
    except ReplicaError as error:
        raise type(error)(f"{path}: {error}") from error
    except (Exception, SystemExit) as error:  # whatever the user's own code raises
        line = _line_in(path, error)
        where = f"{path}, line {line}," if line else str(path)
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ModelNotFoundError(
            f"{where} could not be run: {type(error).__name__}: {reason}."
        ) from error


def _line_in(path: Path, error: BaseException) -> int | None:
    """Return the last line of the user's file in a traceback."""
    if isinstance(error, SyntaxError):
        return error.lineno
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""


def _listed(models: Mapping[str, Any]) -> str:
    return ", ".join(models)
