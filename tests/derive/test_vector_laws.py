"""Laws of Gaussian vectors are printed once, under a name, in rows whose brackets match."""

import sympy as sp

from replica.calculus.vector import VectorAverage
from replica.derive.printer import latex
from replica.derive.vector_laws import name_laws
from replica.registry import load

x, y, a, b = sp.symbols("x y a b", real=True)


def average(mean, covariance):
    return VectorAverage(sp.cos(x * y), (x, y), mean, covariance)


def test_equal_laws_have_one_name_and_plain_ones_none():
    plain = average((0, 0), [[a, 0], [0, a]])
    moved = average((a, b), [[2 * a, a], [a, 2 * a]])
    names, rows = name_laws([plain + moved, 3 * moved])
    assert [(name, scale, matrix.tolist()) for name, scale, matrix in rows] == [
        (r"\boldsymbol{\mu}", 1, [[a], [b]]),
        (r"\boldsymbol{\Sigma}", a, [[2, 1], [1, 2]]),
    ]
    assert r"\mathcal{N}\left(0,\,a\,\mathbf{1}\right)" in latex(plain, None, names)
    printed = latex(moved, None, names)
    assert printed == (
        r"\mathbb{E}_{(x, y)\sim\mathcal{N}\left(\boldsymbol{\mu},\,\boldsymbol{\Sigma}\right)}"
        r"\left[\cos{\left(x y \right)}\right]"
    )


def test_different_laws_are_numbered():
    several = sp.Add(*(average((0, 0), [[k * a, b], [b, k * a]]) for k in (1, 2, 3)))
    names, rows = name_laws([several])
    assert sorted(name for name, *_ in rows) == [
        rf"\boldsymbol{{\Sigma}}_{{{k}}}" for k in (1, 2, 3)
    ]
    assert len(names) == 3


def test_one_variable_keeps_its_variance_in_place():
    printed = load("multiclass-cross-entropy-2").saddle_point().latex()
    assert r"\mathbb{E}_{x_{1}\sim\mathcal{N}\left(0,\,2 q\right)}" in printed
    assert "Sigma" not in printed


def test_the_spectral_radius_is_explained_where_it_stands():
    printed = load("cluster-mixture-cross-entropy-3").saddle_point().latex()
    block, _, symbols = printed.partition(r"\end{align}")
    assert r"\lambda_{\mathrm{replicon}} &= 1 - \varrho\left(\mathsf{R}\right)" in block
    assert r"$\varrho(\mathsf{R})$: largest modulus of the eigenvalues" in symbols
