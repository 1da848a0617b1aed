"""Lines that are wider than a page are broken where LaTeX allows it."""

import pytest

from replica.derive.line_breaks import NEW_LINE, break_inside, width
from replica.registry import built_in_models


def test_width_counts_what_is_printed():
    assert width(r"\frac{a b c}{d}") == 3
    assert width(r"\alpha \hat{q}") == 2
    assert width("a + b") == 4
    assert width("x^{2}") == pytest.approx(1.7)
    assert width(r"\left(a\right)") == width("(a)") == 3


def test_a_wide_sum_in_parentheses_is_broken_with_matched_halves():
    term = r"\mathbb{E}\left[\left(x - y\right)^{2}\right]"
    latex = rf"1 - \lambda \left({term} + {term} - {term}\right)"
    assert break_inside(latex, widest=100) == latex
    lines = break_inside(latex, widest=20).split(NEW_LINE)
    assert len(lines) == 3
    assert lines[0] == rf"1 - \lambda \left({term} \right."
    assert lines[1].startswith(r"\left. ")
    assert lines[1].lstrip(r"\left. ").startswith("+")
    assert lines[2].endswith(r"\right)")
    for line in lines:
        assert line.count(r"\left") == line.count(r"\right")
        assert line.count("{") == line.count("}")


@pytest.mark.parametrize(
    "latex",
    [r"\frac{a + b + c}{d}", r"a \left[b + c\right]", r"e^{a + b}", "a + b", r"\left(a b\right)"],
)
def test_what_cannot_be_broken_stays(latex):
    assert break_inside(latex, widest=1) == latex


def test_brackets_of_every_printed_line_match():
    for model in built_in_models().values():
        block = model.saddle_point().latex(symbols=False)
        for line in block.split(r"\\"):
            assert line.count(r"\left") == line.count(r"\right")
