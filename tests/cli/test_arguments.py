import numpy as np
import pytest

from replica.arguments import parse_grid, parse_limits, parse_values
from replica.errors import ParameterError


def test_values():
    values = parse_values(["alpha=2", "lambda=1e-3", "rho=1/4", " Delta = -1.5 "])
    assert values == {"alpha": 2.0, "lambda": 1e-3, "rho": 0.25, "Delta": -1.5}


def test_ranges_lists_and_values():
    axes, fixed = parse_grid(["a=0:1:5", "b=0.01:100:5:log", "c=3,1,1/2", "d=7", "e=2:1:2:lin"])
    np.testing.assert_allclose(axes["a"], [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(axes["b"], [0.01, 0.1, 1, 10, 100])
    np.testing.assert_allclose(axes["c"], [3, 1, 0.5])
    np.testing.assert_allclose(axes["e"], [2, 1])
    assert list(axes) == ["a", "b", "c", "e"]
    assert fixed == {"d": 7.0}


def test_a_range_of_one_point():
    assert parse_grid(["a=2:2:1"])[0]["a"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("alpha", "not of the form"),
        ("alpha=", "not of the form"),
        ("=3", "not of the form"),
        ("alpha=two", "'two' in 'alpha=two' is not a number"),
        ("alpha=__import__('os')", "is not a number"),
        ("alpha=1+1", "is not a number"),
        ("alpha=1/0", "is not a number"),
        ("alpha=nan", "is not a number"),
        ("alpha=0:1", "not of the form"),
        ("alpha=0:1:5:cubic", "not of the form"),
        ("alpha=0:1:5:log:2", "not of the form"),
        ("alpha=0:1:0", "count '0'"),
        ("alpha=0:1:-3", "count '-3'"),
        ("alpha=0:1:2.5", "count '2.5'"),
        ("alpha=0:1:99999999999", "count"),
        ("alpha=0:1:5:log", "positive ends"),
        ("alpha=0:inf:5", "finite"),
        ("alpha=1:1:5", "no length"),
        ("alpha=1,,2", "'' in 'alpha=1,,2' is not a number"),
    ],
)
def test_malformed_words_are_one_sentence(word, words):
    with pytest.raises(ParameterError) as caught:
        parse_grid([word])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_comes_once():
    with pytest.raises(ParameterError, match="given twice"):
        parse_values(["a=1", "a=2"])
    with pytest.raises(ParameterError, match="given twice"):
        parse_grid(["a=1", "a=0:1:3"])


def test_one_point_takes_no_range():
    with pytest.raises(ParameterError, match="several values"):
        parse_values(["a=0:1:3"])


def test_limits():
    assert parse_limits("T") == ("T", None)
    assert parse_limits("T=1/2:2") == ("T", (0.5, 2.0))
    name, values = parse_limits("T=1:100:3:log")
    assert (name, values.tolist()) == ("T", pytest.approx([1, 10, 100]))
    with pytest.raises(ParameterError, match="name=low:high"):
        parse_limits("T=1")
