"""Refinement of a lattice, against the evaluation of every point."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from replica.scan.quadtree import refine

SIDE = 8 * 2**4 + 1


def everywhere(function):
    i, j = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    return function(np.stack([i.ravel(), j.ravel()], axis=1)).reshape(SIDE, SIDE)


def disc(x, y, radius):
    return lambda p: (np.hypot(p[:, 0] - x, p[:, 1] - y) < radius).astype(np.int8)


@settings(max_examples=30)
@given(st.floats(0, 128), st.floats(0, 128), st.floats(24, 90))
def test_a_disc_is_found_exactly(x, y, radius):
    """It is larger than a cell at first, so that corners fall inside, and its edge is followed."""
    calls = []

    def counted(points):
        calls.append(len(points))
        return disc(x, y, radius)(points)

    labels, evaluated = refine(counted, (8, 8), 4)
    np.testing.assert_array_equal(labels, everywhere(disc(x, y, radius)))
    assert sum(calls) == evaluated.sum() <= SIDE**2 / 4


def test_no_point_is_evaluated_twice_and_one_phase_needs_the_corners_only():
    seen = []

    def nothing(points):
        seen.extend(map(tuple, points.tolist()))
        return np.zeros(len(points), dtype=np.int8)

    labels, evaluated = refine(nothing, (8, 8), 4)
    assert len(seen) == len(set(seen)) == 81 == evaluated.sum()
    assert not labels.any()


@pytest.mark.parametrize("tip", [20, 40])
def test_a_tongue_that_cuts_one_edge_of_a_cell_is_followed(tip):
    """From a half-plane a tongue, thinner than a cell, reaches into cells whose corners agree."""

    def tongue(points):
        i, j = points.T
        return ((i > 100) | ((np.abs(j - 40) <= 2) & (i > 100 - tip))).astype(np.int8)

    labels, _ = refine(tongue, (8, 8), 4)
    np.testing.assert_array_equal(labels, everywhere(tongue))
