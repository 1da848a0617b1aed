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


def rows(name):
    block = MODELS[name].saddle_point().latex(symbols=False)
    lines = block.replace(" \\\\\n  &\\quad ", "").splitlines()[1:-1]
    return dict(line.strip().removesuffix(r" \\").split(" &= ", 1) for line in lines)


@pytest.mark.parametrize("name", ["ridge-sign", "logistic-sign"])
def test_sign_labels_print_the_angle_and_one_label(name):
    printed = rows(name)
    assert printed[r"\text{test error}"] == (
        r"\frac{\arccos{\left(\frac{m}{\sqrt{q}} \right)}}{\pi}"
    )
    # Both labels contribute the same: no sum is left.
    assert not any(r"\sum" in text for text in printed.values())


@pytest.mark.parametrize("name", ["gaussian-mixture-hinge", "gaussian-mixture-separability"])
def test_a_learned_bias_prints_its_condition(name):
    printed = rows(name)
    assert "b" not in printed
    assert printed["0"].endswith(
        r"\left[\partial_{b}\mathcal{M}_{\Delta \chi\,\ell}\left(\omega\right)\right]"
    )


def test_the_condition_of_a_scalar_vanishes_where_it_stands_still():
    saddle = MODELS["gaussian-mixture-square"].saddle_point()
    (bias,) = [u for u in saddle.unknowns if u.condition is not None]
    solution = MODELS["gaussian-mixture-square"].solve(rho=0.3)
    symbols = {p: solution.parameters[n] for n, p in saddle.parameters.items()}
    symbols |= {s: solution[str(s)] for s in saddle.order_parameters}
    condition = bias.condition.unroll()
    assert float(condition.subs(symbols)) == pytest.approx(0, abs=1e-12)
    moved = {**symbols, bias.symbol: symbols[bias.symbol] + 1}
    assert float(condition.subs(moved)) == pytest.approx(1, abs=1e-12)


def test_priors_of_three_values_print_their_partition_function_once():
    printed = rows("spiked-wigner-ternary")
    assert r"\mathcal{Z}(\xi)" in printed
    assert printed[r"\mathcal{Z}(\xi)"].count("e^{") == 2
    assert len(printed["V"]) < 1000
    assert printed["q"].count(r"\mathbb{E}") == 2  # the mirror images are one


def test_sums_begin_with_a_plus_where_they_can():
    for name in MODELS:
        replicon = rows(name).get(r"\lambda_{\mathrm{replicon}}")
        assert replicon is None or replicon[0] in r"1\-"
        assert replicon is None or not replicon.endswith("+ 1")
