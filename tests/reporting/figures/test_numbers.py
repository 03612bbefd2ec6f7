"""Numbers and aligned intervals of forest plots."""

import math

from bayesmeta.reporting.figures.numbers import (
    aligned_intervals,
    figure_number,
    typographic_minus,
    without_alignment,
)
from bayesmeta.reporting.figures.text import width

NAN = math.nan


def test_numbers_are_printed_as_reviews_print_them():
    assert figure_number(8.926) == "8.93"
    assert figure_number(-0.004) == "0.00"
    assert figure_number(0.0045449, ratio=True) == "0.0045"
    assert figure_number(0.0, ratio=True) == "0.00"
    assert figure_number(12345678.0) == "1.2×10⁷"
    assert figure_number(-math.inf) == "−∞"
    assert typographic_minus("-7.9 (4.2), 2010-2012") == "−7.9 (4.2), 2010-2012"
    assert [
        without_alignment(t)
        for t in aligned_intervals([(1, NAN, NAN), (NAN, NAN, NAN)], 2, ratio=False, bare=(False, False))
    ] == [
        "1.00",
        "",
    ]


def test_aligned_intervals_are_equally_wide_from_the_bracket_on():
    shown = aligned_intervals([(1, -2, 3), (1, 0.5, 63.7), (1, 0.004, 10)], 2, ratio=False, bare=(False,) * 3)
    wide = [width(text[text.index("[") :], 8) for text in shown]
    assert max(wide) - min(wide) < 0.002
