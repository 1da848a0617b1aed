import io
import math

import pandas as pd
import pytest
from hypothesis import given, strategies as st

from replica.errors import ScanError
from replica.report.table import format_value, to_csv, to_latex, to_markdown
from replica.scan import scan


@pytest.fixture
def ds(model):
    return scan(model, {"h": [0.5, 6.0]}, progress=False)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.123456789, 1e-12, "0.123457"),
        (0.123456789, 2e-4, "0.123"),
        (0.123456789, 0.5, "0.1"),
        (123456.789, math.nan, "123457"),
        (-1.0, 0.0, "-1.00000"),
        (1e-9, math.nan, "1.00000e-09"),
        (1.5e12, 1e10, "1.5e+12"),
        (0.0, 1e-3, "0"),
        (math.nan, 1e-3, "nan"),
        (math.inf, 1e-3, "inf"),
    ],
)
def test_digits_follow_the_error(value, error, text):
    assert format_value(value, error) == text


@given(st.floats(-1e6, 1e6), st.floats(1e-12, 1.0))
def test_what_is_shown_is_right_to_the_error_or_to_six_digits(value, error):
    shown = float(format_value(value, error))
    assert abs(shown - value) <= max(5 * error, 5.1e-6 * abs(value))


def test_markdown_hides_values_that_did_not_converge(ds):
    head, rule, first, second = to_markdown(ds, columns=["h", "m", "test_error"]).splitlines()
    assert head == "| $h$ | $m$ | test error |"
    assert rule == "| ---: | ---: | ---: |"
    assert first.startswith("| 0.5 | 0.")
    assert second == "| 6 | – | – |"


def test_default_columns_are_parameters_and_values(ds):
    head = to_markdown(ds).splitlines()[0]
    assert head == r"| $h$ | $m$ | $\hat{m}$ | free energy | test error |"


def test_latex_is_a_booktabs_table(ds, tmp_path):
    text = to_latex(ds, tmp_path / "new" / "t.tex", columns=["h", "free_energy"], caption="Curie")
    assert (tmp_path / "new" / "t.tex").read_text() == text
    for part in (
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
        r"$h$ & free energy \\",
        "$-0.",
        "Curie",
    ):
        assert part in text


def test_latex_escapes_names_and_writes_powers():
    frame = pd.DataFrame({"model_name": ["a_b & c"], "error": [1.23456789e-9]})
    text = to_latex(frame)
    assert r"model name & error \\" in text
    assert r"a\_b \& c & $1.23457 \times 10^{-9}$ \\" in text


def test_chosen_numbers_have_no_digits_added():
    frame = pd.DataFrame({"alpha": [0.1, 10.0], "test_error": [0.1, 1 / 3]})
    assert to_markdown(frame, digits=4).splitlines()[2:] == [
        "| 0.1 | 0.1000 |",
        "| 10 | 0.3333 |",
    ]


def test_csv_keeps_all_digits(ds):
    again = pd.read_csv(io.StringIO(to_csv(ds, columns=["h", "m", "status"])))
    assert again["m"][0] == float(ds["m"][0])
    assert again["status"].tolist() == ["converged", "not converged"]


def test_an_unknown_column_is_named(ds):
    with pytest.raises(ScanError, match="no column 'mass'; there are h, m"):
        to_csv(ds, columns=["mass"])
