"""The printed derivation is complete: every symbol that it uses is explained."""

import re

import pytest

from replica.registry import built_in_models

MODELS = built_in_models()


@pytest.mark.parametrize("name", MODELS)
def test_block_and_symbols(name):
    saddle = MODELS[name].saddle_point()
    latex = saddle.latex()
    assert latex.count(r"\begin{align}") == latex.count(r"\end{align}") == 1
    assert latex.count(r"\begin{itemize}") == latex.count(r"\end{itemize}") == 1
    assert "unknown." not in latex
    block, symbols = latex.split(r"\end{align}")
    for parameter in saddle.parameters.values():
        assert parameter.doc
        assert parameter.doc in symbols
    for symbol, _ in saddle.equations:
        assert re.search(rf"\$.*{symbol.name[0]}.*\$", symbols)
    # LaTeX, not Python: no names of the framework's classes, balanced braces.
    assert not re.search(r"Average|Proximal|Moreau|NormalCdf|LogCosh|Softplus\(", block)
    depth = 0
    for character in re.sub(r"\\[{}]", "", block + r"\end{align}"):
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0


def test_notebook_shows_the_equations_alone():
    saddle = MODELS["gaussian-mixture-logistic"].saddle_point()
    assert saddle._repr_latex_() == saddle.latex(symbols=False)
    assert "itemize" not in saddle._repr_latex_()
