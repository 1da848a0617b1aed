"""Shares of the largest singular values."""

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, optimize

from replica.calculus.spectral_share import SpectralShare, spectral_share

SQUARE = {
    0.05: 0.172168234916, 0.1: 0.313568010884, 0.2: 0.535586186489, 0.25: 0.622912551278,
    0.3: 0.697305670292, 0.4: 0.813350885651, 0.5: 0.893730793878, 0.6: 0.946265076445,
    0.75: 0.987047802983, 0.9: 0.999176514995, 1: 1,
}  # fmt: skip


@pytest.mark.parametrize(("rank", "share"), SQUARE.items())
def test_quarter_circle(rank, share):
    assert spectral_share(rank, 1) == pytest.approx(share, rel=0, abs=6e-13)


@pytest.mark.parametrize(("rank", "aspect"), [(0.3, 1.0), (0.3, 0.5), (0.8, 0.1), (0.05, 0.02)])
def test_integrals_of_the_density(rank, aspect):
    low, high = (1 - np.sqrt(aspect)) ** 2, (1 + np.sqrt(aspect)) ** 2

    def density(x):
        return np.sqrt((high - x) * (x - low)) / (2 * np.pi * aspect * x)

    def above(cut, power):
        return integrate.quad(lambda x: x**power * density(x), cut, high, epsabs=1e-12)[0]

    cut = optimize.brentq(lambda x: above(x, 0) - rank, max(low, 1e-9) * 1.0001, high)
    assert spectral_share(rank, aspect) == pytest.approx(above(cut, 1), abs=1e-8)


def test_a_matrix():
    values = np.linalg.svd(np.random.default_rng(0).standard_normal((200, 500)), compute_uv=False)
    squares = values**2
    assert spectral_share(0.25, 0.4) == pytest.approx(squares[:50].sum() / squares.sum(), abs=0.01)


def test_an_expression_of_parameters():
    g = sp.Symbol("gamma", positive=True)
    assert SpectralShare(1, 1) == 1
    assert float(1 / SpectralShare(g, 1).subs(g, 0.5)) == pytest.approx(1 / SQUARE[0.5], abs=1e-12)
    assert sp.latex(1 / SpectralShare(g, 1)) == r"\frac{1}{\omega^2\left(\gamma\right)}"
