"""The range and the ticks of a forest plot's axis."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bayesmeta.reporting.figures.axis import axis_limits, ticks
from bayesmeta.reporting.figures.text import width


def test_axis_covers_estimates_but_not_absurd_intervals():
    wild = [(math.log(0.002), math.log(40))]
    calm = [(math.log(v / 1.6), math.log(v * 1.6)) for v in (0.7, 0.8, 0.9, 1.1)]
    low, high = axis_limits(np.log([0.7, 0.8, 0.9, 1.1, 0.28]), calm + wild, [(-0.2, -0.4, 0.0)], log=True)
    assert math.exp(low) < 0.28
    assert 1.6 * 1.1 < math.exp(high) < 10
    assert math.exp(low) > 0.02
    far_low, far_high = axis_limits([100, 101], [(99, 101), (100, 102)], [], log=False)
    assert 95 < far_low < 99
    assert 102 < far_high < 110
    # A precise study far from the others is shown.
    assert axis_limits([0.1, 0.2, 0.3, 3.0], [(0.0, 0.6)] * 4, [], log=False)[1] > 3


finite = st.floats(-20, 20)


@settings(max_examples=60)
@example([(0.0, 2.3e-308)], False)
@given(st.lists(st.tuples(finite, st.floats(0, 30)), min_size=1, max_size=8), st.booleans())
def test_axis_and_ticks_hold_for_any_data(rows, log):
    spans = [(y - h, y + h) for y, h in rows]
    low, high = axis_limits([y for y, _ in rows], spans, [(rows[0][0], *spans[0])], log=log)
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low < rows[0][0] < high  # the pooled estimate is always on the axis
    if log:
        low, high = math.exp(low), math.exp(high)
    values, labels = ticks(low, high, log=log, inches=2.7, label_width=lambda text: width(text, 7))
    assert values == sorted(set(values))
    assert all(low <= v <= high for v in values)
    assert 1 <= len(values) <= 9
    assert all("e" not in label and "-" not in label for label in labels)
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [
        (0.05, 22, True, ["0.1", "1", "10"]),
        (0.3, 1.9, True, ["0.5", "1", "1.5"]),
        (0.998, 1.006, True, ["1.000", "1.002"]),
        (-0.9, 0.45, False, ["−0.4", "0", "0.4"]),
        (0.001, 2000, True, ["0.01", "1", "100"]),
    ],
)
def test_ticks_are_the_ones_a_reader_expects(low, high, log, expected):
    values, labels = ticks(low, high, log=log, inches=2.7, label_width=lambda text: width(text, 7))
    assert set(expected) <= set(labels)
    assert len(values) >= 3


def test_ticks_thin_out_on_a_short_axis():
    def count(inches):
        return len(ticks(0.01, 100, log=True, inches=inches, label_width=lambda text: width(text, 7))[0])

    assert count(0.9) < count(1.8) <= count(6.0)
