"""Names that are nearly right are answered with the right one, and help() names all options."""

import inspect
from pathlib import Path

import pytest

from replica import FunctionalModel, Model, load
from replica.cli import main
from replica.errors import ParameterError
from replica.registry import built_in_models
from replica.scan import scan
from replica.solve import boundary

INDEX = Path(__file__).parent.parent / "docs" / "index.md"


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda m: m.boundary("at", "t"), "'t' is unknown .did you mean 'T'"),
        (lambda m: m.boundary("at", "T", bracket=(0.1, 1), H=0.2), "did you mean 'h'"),
        (lambda m: m.boundary("at", "T", brackets=(0.1, 1)), "did you mean the option 'bracket'"),
        (lambda m: m.follow("T", untill=(0.1, 1)), "did you mean the option 'until'"),
        (lambda m: m.solve(setting=1), "did you mean the option 'settings'"),
        (lambda m: m.branches(limit=True), "did you mean the option 'limits'"),
        (lambda m: m.scan(T=[0.5, 1.0], observable=["q"]), "did you mean the option 'observables'"),
        (lambda m: m.scan(t=[0.5, 1.0]), "did you mean 'T'"),
        (lambda m: m.check(Tt=1), "did you mean 'T'"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(ask, sentence):
    with pytest.raises(ParameterError, match=sentence):
        ask(load("sherrington-kirkpatrick"))


@pytest.mark.parametrize("words", [["solve", "t=.5"], ["scan", "t=.5:1:3"], ["check", "t=.5"]])
def test_so_it_is_on_the_command_line(words, capsys):
    command, value = words
    with pytest.raises(SystemExit) as stop:
        main([command, "sherrington-kirkpatrick", value])
    assert stop.value.code == 2
    assert "did you mean 'T'?" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [Model, FunctionalModel])
def test_help_lists_every_option(kind):
    for method, function in ((kind.scan, scan), (kind.boundary, boundary)):
        own = {"model", "axes", "fixed", "condition", "parameter"}
        for name in set(inspect.signature(function).parameters) - own:
            assert f"``{name}``" in method.__doc__, name


def test_the_index_has_every_built_in_model():
    text = INDEX.read_text(encoding="utf-8")
    missing = [name for name in built_in_models() if f"`{name}`" not in text]
    assert missing == []
