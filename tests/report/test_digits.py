import math

import pytest
from hypothesis import given, strategies as st

from replica.errors import TableError
from replica.report.regression.digits import Measured, parse, rounded


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.36939806251234, 1e-14, "0.3693980625"),
        (0.6454354123, 1.3e-7, "0.6454354(2)"),
        (-12.3456789012345, 1e-13, "-12.34567890"),
        (1234.5678, 0.02, "1234.57(2)"),
        (3e-17, 1e-16, "0"),
        (0.0, 0.0, "0"),
        (2.07075012e-6, 1e-16, "2.070750e-6"),
        (5.2e-9, 3e-10, "5.2(3)e-9"),
        (0.5, 4.7e-4, "0.5000(6)"),
        (9.9999999999, 9.7e-8, "10.0000000(1)"),
        (-math.inf, math.nan, "-inf"),
    ],
)
def test_a_number_shows_the_digits_that_its_error_supports(value, error, text):
    assert str(rounded(value, error)) == text


@given(st.floats(-1e4, 1e4), st.floats(1e-14, 1e-2))
def test_what_is_shown_contains_the_value(value, error):
    shown = rounded(value, error)
    assert abs(shown.value - value) <= max(shown.uncertainty, 0.51e-9 * abs(value) + 1e-12)
    assert shown.uncertainty >= error or shown.uncertainty >= 0.49e-12
    # Stored as decimal numbers of few digits, and read again without a change.
    assert float(f"{shown.value:.15g}") == shown.value
    assert float(f"{shown.uncertainty:.3g}") == shown.uncertainty


@given(st.floats(0.1, 1e3), st.floats(1e-9, 1e-2))
def test_what_is_shown_can_be_read(value, error):
    again = parse(str(rounded(value, error)), "here")
    assert abs(again.value - value) <= 1.1 * again.uncertainty + error


@pytest.mark.parametrize(
    ("text", "value", "uncertainty"),
    [
        ("0.138", 0.138, 5.01e-4),
        ("-0.3694(12)", -0.3694, 1.2e-3),
        ("2(1)", 2.0, 1.0),
        ("1.20e-5", 1.2e-5, 5.01e-8),
        ("5.2(3)e-9", 5.2e-9, 3e-10),
        ("<1e-10", 0.0, 1e-10),
    ],
)
def test_a_printed_number_says_how_exact_it_is(text, value, uncertainty):
    assert parse(text, "here") == Measured(pytest.approx(value), pytest.approx(uncertainty))


@pytest.mark.parametrize(
    "text", ["2", "0,138", "about 1", "", "1.0(a)", "0.1 +- 0.2", "<0.1(2)", "<-1e-9"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(TableError, match=r"^here: "):
        parse(text, "here")
