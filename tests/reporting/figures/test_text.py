"""Text on figures: glyphs, widths, broken lines, printed numbers."""

import math

from hypothesis import given
from hypothesis import strategies as st

from bayesmeta.reporting.figures.text import (
    intervals,
    number,
    plain,
    printable,
    shorten,
    typographic_minus,
    width,
    wrap,
)

NAN = math.nan


def test_glyphs_no_font_has_become_boxes_and_controls_become_spaces():
    assert printable("a\x00b\n\tc \U0001fae8") == "a b c □"
    assert printable("\u2340") == "\u2340"  # in DejaVu Sans itself or in STIX


def test_numbers_are_printed_as_reviews_print_them():
    assert number(8.926) == "8.93"
    assert number(-0.004) == "0.00"
    assert number(0.0045449, ratio=True) == "0.0045"
    assert number(0.0, ratio=True) == "0.00"
    assert number(12345678.0) == "1.2×10⁷"
    assert number(-math.inf) == "−∞"
    assert typographic_minus("-7.9 (4.2), 2010-2012") == "−7.9 (4.2), 2010-2012"
    assert [plain(t) for t in intervals([(1, NAN, NAN), (NAN, NAN, NAN)], 2, ratio=False, bare=(False, False))] == [
        "1.00",
        "",
    ]


def test_aligned_intervals_are_equally_wide_from_the_bracket_on():
    shown = intervals([(1, -2, 3), (1, 0.5, 63.7), (1, 0.004, 10)], 2, ratio=False, bare=(False,) * 3)
    wide = [width(text[text.index("[") :], 8) for text in shown]
    assert max(wide) - min(wide) < 0.002


@given(st.text(max_size=60), st.floats(0.3, 3))
def test_wrapped_lines_fit_and_lose_nothing(text, room):
    clean = printable(text)
    lines = wrap(clean, room, 8)
    assert "".join(lines).replace(" ", "") == clean.replace(" ", "")
    assert all(width(line, 8) <= room or len(line) <= 1 for line in lines)
    assert width(shorten(clean, room, 8), 8) <= room + 1e-9
    assert len(wrap(clean, room, 8, most=2)) <= 2
