"""Aligned intervals of forest plots."""

import math

import pytest

from bayesmeta.reporting.figures.alignment import aligned_intervals, without_alignment
from bayesmeta.reporting.figures.text import width
from bayesmeta.reporting.numbers import estimate, typographic

NAN = math.nan


@pytest.mark.parametrize(
    "numbers",
    [
        (2.675, 1.2, 5.5), (0.0078, 0.0031, 0.019), (-0.00097, -0.00154, -0.0004), (1.6e-8, 4e-9, 2.8e-8), (1.4e9, -0.2e9, 3.1e9),
        (0.0045449, 0.001, 12345678.0), (-0.004, -0.3, 0.2), (1.0, NAN, NAN), (1.0, 0.2, math.inf),
    ],
)  # fmt: skip
def test_a_figure_writes_an_estimate_as_a_table_does(numbers):
    (shown,) = aligned_intervals([numbers], bare=(False,))
    assert without_alignment(shown) == typographic(estimate(*numbers), powers=True)


def test_missing_numbers_are_blank():
    assert aligned_intervals([(1, NAN, NAN), (NAN, NAN, NAN)], bare=(False, False)) == ["1.00", ""]


def test_aligned_intervals_are_equally_wide_from_the_bracket_on():
    shown = aligned_intervals([(1, -2, 3), (1, 0.5, 63.7), (1, 0.04, 10)], bare=(False,) * 3)
    wide = [width(text[text.index("[") :], 8) for text in shown]
    assert max(wide) - min(wide) < 0.002
