"""Our Gauss-Legendre rules against those of quadpy, where the extra of that name is installed."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from replica import SolverSettings
from replica.compile.reference_quadrature import ORDER, Quadrature, uniform_rule

try:
    import quadpy
except Exception as error:  # current releases raise RuntimeError without a licence key
    pytest.skip(f"quadpy is not usable: {error}", allow_module_level=True)

HEADER = Path(__file__).parents[2] / "replica" / "compile" / "c" / "quadrature.h"


@pytest.fixture(scope="module")
def scheme():
    return quadpy.c1.gauss_legendre(ORDER)


def constants(name):
    block = re.search(rf"{name}\[[^]]*\] = {{([^}}]*)}}", HEADER.read_text()).group(1)
    return np.array([float(number) for number in block.split(",")])


def test_the_panel_rule_is_the_same(scheme):
    nodes, weights = uniform_rule(1)
    np.testing.assert_allclose(2 * nodes - 1, scheme.points, rtol=0, atol=4e-15)
    np.testing.assert_allclose(2 * weights, scheme.weights, rtol=0, atol=4e-15)


def test_the_constants_in_c_are_the_same(scheme):
    half = ORDER // 2
    np.testing.assert_allclose(constants("gauss_node"), scheme.points[half:], rtol=0, atol=4e-15)
    np.testing.assert_allclose(constants("gauss_weight"), scheme.weights[half:], rtol=0, atol=4e-15)


@pytest.mark.parametrize("width", [1.0, 1e-1, 1e-3])
def test_adaptive_integrals_agree(width):
    """A Gaussian average of a sigmoid of the given width, split at its centre by both."""

    def density(x):
        return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)

    def integrand(x):
        return density(x) / (1 + np.exp(np.clip((0.3 - x) / width, -700, 700)))

    def segment(a, b, t, w):
        x = a + (b - a) * t
        return (b - a) * np.stack([density(x), integrand(x)]) @ w

    edges = [-9.0, 0.3 - 40 * width, 0.3, 0.3 + 40 * width, 9.0]
    edges = sorted(edge for edge in edges if -9 <= edge <= 9)
    theirs = sum(
        quadpy.c1.integrate_adaptive(integrand, piece, eps_abs=1e-14, eps_rel=1e-14)[0]
        for piece in itertools.pairwise(edges)
    )
    rules = Quadrature.of(SolverSettings(quadrature_tolerance=1e-12))
    ours = rules.integrate(0, segment, -9.0, 9.0, [(0.3, width)], 2)
    assert ours[1] == pytest.approx(theirs, rel=1e-12)
