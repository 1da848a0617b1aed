import pytest

import replica
from replica.errors import DeclarationError, ModelNotFoundError
from replica.registry import built_in_models

USER_FILE = """
import sympy as sp
from replica import Model, Parameter, Rademacher, Thermal, beta, q

T = Parameter("T", 1.5, (0, 10), "temperature", open="lower")
s = sp.Symbol("s", real=True)

def declared(name):
    return Model(
        name=name, thermal=Thermal(s, Rademacher()), pair=beta**2 * q**2 / 4, temperature=T
    )

glass = declared("my-glass")
"""


@pytest.fixture
def user_file(tmp_path):
    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return str(path)

    return write


def test_a_built_in_model_is_found_by_name():
    assert replica.load("gaussian-mixture-square").name == "gaussian-mixture-square"


def test_every_built_in_model_has_a_title_and_its_own_name():
    models = built_in_models()
    assert list(models) == sorted(models)
    assert all(name == model.name and model.title for name, model in models.items())
    assert all(replica.load(name) is model for name, model in models.items())


def test_one_model_in_a_file_needs_no_name(user_file):
    path = user_file(USER_FILE)
    assert replica.load(path).name == "my-glass"
    assert replica.load(f"{path}:glass").name == "my-glass"
    assert replica.load(f"{path}:my-glass").name == "my-glass"


def test_two_names_of_one_model_are_one_model(user_file):
    assert replica.load(user_file(USER_FILE + "same = glass\n")).name == "my-glass"


def test_several_models_must_be_told_apart(user_file):
    path = user_file(USER_FILE + "other = declared('other-glass')\n")
    with pytest.raises(ModelNotFoundError, match=r"several models.*mine\.py:glass.*other"):
        replica.load(path)
    assert replica.load(f"{path}:other").name == "other-glass"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gaussian-mixture-sqare", "did you mean 'gaussian-mixture-square'"),
        ("", "no built-in model ''"),
        ("nowhere/to/be.py", "no file 'nowhere/to/be.py'"),
    ],
)
def test_a_missing_model_is_one_sentence(name, words):
    with pytest.raises(ModelNotFoundError, match=words) as caught:
        replica.load(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "declares no model"),
        ("import math\n\nx = undefined\n", r"mine\.py, line 3, could not be run: NameError"),
        ("x = (\n", r"mine\.py, line 1, could not be run: SyntaxError: '\(' was never closed"),
        (USER_FILE + "raise SystemExit(3)\n", "could not be run: SystemExit"),
    ],
)
def test_a_broken_file_is_one_sentence(user_file, text, words):
    with pytest.raises(ModelNotFoundError, match=words):
        replica.load(user_file(text))


def test_an_unknown_variable_of_a_file(user_file):
    with pytest.raises(ModelNotFoundError, match=r"no model 'glas' \(did you mean 'glass'\?\)"):
        replica.load(user_file(USER_FILE) + ":glas")


def test_a_wrong_declaration_keeps_its_own_sentence(user_file):
    with pytest.raises(DeclarationError, match=r"mine\.py: model name 'My Glass'"):
        replica.load(user_file(USER_FILE + "declared('My Glass')\n"))
