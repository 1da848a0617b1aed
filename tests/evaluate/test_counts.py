"""Thresholds in a number of manifolds."""

import math

import pytest

from replica.errors import ConvergenceError, ParameterError
from replica.evaluate.counts import count_threshold


@pytest.mark.parametrize("weights", [4.0, 17.3, 400.0, 1e9])
def test_between_two_whole_numbers(weights):
    def load(count):
        return math.log(count + 1)

    found = count_threshold(load, weights)
    low, high = found.below, found.below + 1
    assert low * load(low) <= weights < high * load(high)
    exact = (weights - low * load(low)) / (high * load(high) - low * load(low))
    assert found.count == pytest.approx(low + exact, rel=1e-12)


def test_a_load_that_jumps():
    assert count_threshold(lambda count: 1.0 if count < 1000 else 50.0, 5000).below == 999


def test_too_few_and_too_many():
    with pytest.raises(ParameterError, match=r"1 weights are too few: 2 manifolds need 4\."):
        count_threshold(lambda count: 2.0, 1)
    with pytest.raises(ConvergenceError, match="there is no threshold"):
        count_threshold(lambda count: 0.0, 10)
