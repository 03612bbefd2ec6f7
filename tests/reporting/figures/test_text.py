"""Text on figures: glyphs, widths and broken lines."""

from hypothesis import given
from hypothesis import strategies as st

from bayesmeta.reporting.figures.text import printable, shorten, width, wrap


def test_glyphs_no_font_has_become_boxes_and_controls_become_spaces():
    assert printable("a\x00b\n\tc \U0001fae8") == "a b c □"
    assert printable("\u2340") == "\u2340"  # in DejaVu Sans itself or in STIX


@given(st.text(max_size=60), st.floats(0.3, 3))
def test_wrapped_lines_fit_and_lose_nothing(text, available):
    clean = printable(text)
    lines = wrap(clean, available, 8)
    assert "".join(lines).replace(" ", "") == clean.replace(" ", "")
    assert all(width(line, 8) <= available or len(line) <= 1 for line in lines)
    assert width(shorten(clean, available, 8), 8) <= available + 1e-9
    assert len(wrap(clean, available, 8, most=2)) <= 2
