import numpy as np
import pytest

from replica.errors import ParameterError
from replica.scan.grid import make_grid, parameter_name


def test_defaults_fill_the_parameters_that_are_not_named(model):
    grid = make_grid(model, {"h": [0.0, 1.0]}, {})
    assert grid.shape == (2,)
    assert grid.fixed == {"beta_": 0.5}


def test_symbol_and_python_name_are_the_same_parameter(model):
    assert parameter_name(model, "beta") == "beta_"
    assert list(make_grid(model, {"beta": [1.0]}, {"h": 0}).axes) == ["beta_"]


def test_rows_run_along_the_chosen_axis(model):
    grid = make_grid(model, {"beta": [1.0, 2.0], "h": [0.0, 0.5, 1.0]}, {})
    rows = grid.at(np.arange(6), "h", ("beta_", "h")).reshape(2, 3, 2)
    np.testing.assert_array_equal(rows[1, :, 0], 2.0)
    np.testing.assert_array_equal(rows[1, :, 1], [0.0, 0.5, 1.0])
    rows = grid.at(np.array([4, 5]), "beta_", ("beta_", "h"))
    np.testing.assert_array_equal(rows, [[1.0, 1.0], [2.0, 1.0]])


@pytest.mark.parametrize(
    ("axes", "fixed", "words"),
    [
        ({}, {}, "at least one axis"),
        ({"bta": [1.0]}, {}, "did you mean 'beta'"),
        ({"h": []}, {}, "non-empty"),
        ({"h": [[1.0]]}, {}, "non-empty"),
        ({"h": ["a"]}, {}, "not a list of numbers"),
        ({"h": [1.0, 1.0]}, {}, "more than once"),
        ({"h": [0.0, 11.0]}, {}, "'h' = 11 is outside"),
        ({"h": [0.0, np.nan]}, {}, "'h' = nan is outside"),
        ({"h": [0.0]}, {"beta_": -1.0}, "'beta_' = -1 is outside"),
        ({"h": [0.0]}, {"h": 1.0}, "both as an axis and as a value"),
        ({"beta": [1.0], "beta_": [2.0]}, {}, "twice"),
    ],
)
def test_mistakes_are_one_sentence(model, axes, fixed, words):
    with pytest.raises(ParameterError, match=words) as caught:
        make_grid(model, axes, fixed)
    assert "\n" not in str(caught.value)
