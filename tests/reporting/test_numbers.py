"""The printed form of numbers: rounded as a reader would, and never to a false zero."""

import math
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bayesmeta.errors import SpecError
from bayesmeta.reporting.numbers import (
    count,
    estimate,
    interval,
    number,
    percent,
    probability,
    pvalue,
    row,
    significant,
    typographic,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
ordinary = st.floats(min_value=-2000, max_value=2000)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.735371, "0.74"),
        (2.675, "2.68"),  # binary 2.67499...: the decimal form decides
        (1.005, "1.01"),
        (0.125, "0.13"),  # half-even would give 0.12
        (-0.125, "-0.13"),
        (0.145, "0.15"),
        (-0.0, "0.00"),
        (-0.004, "-0.0040"),
        (0.0049, "0.0049"),
        (0.0005, "0.00050"),
        (0.0078, "0.0078"),
        (-0.00001, "-1.0e-5"),
        (1.234e-300, "1.2e-300"),
        (0.005, "0.0050"),
        (63.6991, "63.70"),
        (999.994, "999.99"),
        (999.995, "1000"),
        (1234.4, "1234"),
        (-1234.5, "-1235"),
        (999_999.4, "999999"),
        (999_999.5, "1.0e6"),
        (4.91e8, "4.9e8"),
        (9.96e8, "1.0e9"),
        (-1.7e308, "-1.7e308"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (7, "7.00"),
        (np.float32(0.1), "0.10"),
        (np.float64(0.7354), "0.74"),
    ],
)
def test_number(x, text):
    assert number(x) == text


@pytest.mark.parametrize("absent", [None, math.nan, np.nan, np.float32("nan"), pd.NA, pd.NaT])
def test_missing_values_are_blank_or_what_was_asked_for(absent):
    writers = (number, significant, pvalue, probability, percent, count, estimate)
    assert [write(absent) for write in writers] == [""] * 7
    assert [write(absent, missing="NE") for write in writers] == ["NE"] * 7


@given(ordinary)
def test_number_is_within_half_a_unit_of_what_it_shows(x):
    text = number(x)
    shown = Decimal(text)
    unit = Decimal(1).scaleb(int(shown.as_tuple().exponent))
    assert abs(shown - Decimal(str(x))) <= unit / 2


@given(finite | st.floats(-0.01, 0.01))
def test_number_never_shows_a_negative_zero_and_keeps_the_sign(x):
    text = number(x)
    assert not (text.startswith("-") and float(text) == 0)
    assert float(text) == 0 or (float(text) < 0) == (x < 0)
    assert float(text) != 0 or x == 0


@given(finite, finite)
def test_number_keeps_order(x, y):
    low, high = sorted((x, y))
    assert float(number(low)) <= float(number(high))


@given(st.integers(-99_999, 99_999), st.integers(0, 2))
def test_numbers_that_fit_are_shown_as_they_are(units, digits):
    x = Decimal(units).scaleb(-2)
    shown = number(float(x), digits=2)
    assert Decimal(shown) == x
    if digits == 1:
        assert Decimal(number(float(x), digits=1)) in {x.quantize(Decimal("0.1"), ROUND_HALF_UP), x}


@given(finite, st.integers(1, 6))
def test_significant_digits(x, digits):
    assume(1e-300 < abs(x) < 1e15)
    text = significant(x, digits)
    shown = Decimal(text)
    assert abs(shown - Decimal(str(x))) <= abs(Decimal(str(x))) * Decimal(10) ** (1 - digits) / 2 + Decimal("0.5") * (
        abs(x) >= 10**digits
    )
    if abs(x) < 10 ** (digits - 1):
        assert len(shown.as_tuple().digits) == digits
    assert len(text) < 16


@pytest.mark.parametrize(("x", "text"), [(0.0996, "0.10"), (99.6, "100"), (-0.01234, "-0.012"), (0, "0"), (1.0, "1.0")])
def test_significant_at_the_edges(x, text):
    assert significant(x) == text


def test_estimate_and_interval():
    assert estimate(0.7354, 0.5207, 1.0387) == "0.74 [0.52, 1.04]"
    assert estimate(-0.2188, -0.4585, 0.0009) == "-0.22 [-0.46, 0.0009]"
    assert estimate(0.7354) == "0.74"
    assert estimate(0.7354, 0.5207, math.nan) == "0.74 [0.52, NE]"
    assert interval(None, None, missing="NE") == "NE"
    assert interval(0.0, math.inf) == "[0.00, inf]"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((-0.00097, -0.00154, -0.00040), "-0.00097 [-0.00154, -0.00040]"),
        ((1.6e-8, 0.4e-8, 2.8e-8), "1.6e-8 [4.0e-9, 2.8e-8]"),
        ((1e-8, -4e-9, 2.4e-8), "1.0e-8 [-4.0e-9, 2.4e-8]"),
        ((1425674648141428700, 1.1e18, 1.7e18), "1.43e18 [1.10e18, 1.70e18]"),
        ((1.4e9, -0.2e9, 3.1e9), "1.4e9 [-2.0e8, 3.1e9]"),
        ((0.05, 1e-9, 3e6), "0.05 [1.0e-9, 3.0e6]"),
        ((0.002, -0.3, 0.3), "0.00 [-0.30, 0.30]"),
        ((0.3, -0.004, 0.6), "0.30 [-0.004, 0.60]"),
        ((0.3, -1e-17, 0.6), "0.30 [0.00, 0.60]"),
        ((0.0078, 0.0031, 0.019), "0.0078 [0.0031, 0.0190]"),
        ((2.675, 1.2, 5.5), "2.68 [1.20, 5.50]"),
        ((1234.56, 1234.51, 1234.61), "1234.56 [1234.51, 1234.61]"),
        ((1234.56, 1000.0, 1500.0), "1235 [1000, 1500]"),
    ],
)
def test_digits_follow_the_width_of_the_interval(numbers, text):
    assert estimate(*numbers) == text


@given(ordinary, st.floats(1e-9, 1e12), st.floats(1e-9, 1e12))
def test_rounding_is_finer_than_a_sixth_of_half_the_interval(x, below, above):
    low, high = x - below, x + above
    assume(low < x < high)
    for value, text in zip((x, low, high), row((x,), low, high), strict=True):
        assert abs(Decimal(text) - Decimal(str(value))) <= Decimal(str((high - low) / 2)) / Decimal(6)


@given(finite, finite)
def test_an_end_of_an_interval_keeps_its_sign(one, other):
    low, high = sorted((one, other))
    for value, text in zip((low, high), row((), low, high), strict=True):
        if abs(value) > 1e-9 * (high - low):
            assert np.sign(float(text)) == np.sign(value)


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0829, "0.083"),
        (0.0009999, "<0.001"),
        (0.001, "0.001"),
        (0.0, "<0.001"),
        (1.0, "1.000"),
        (0.9996, ">0.999"),
        (0.0455, "0.046"),
    ],
)
def test_pvalue(p, text):
    assert pvalue(p) == text


@pytest.mark.parametrize("p", [-0.01, 1.01, 95, math.inf])
def test_a_probability_outside_its_range_is_refused_with_the_value_shown(p):
    with pytest.raises(SpecError, match=str(p)):
        pvalue(p)
    with pytest.raises(SpecError, match="fraction"):
        probability(p)


def test_probability_never_claims_certainty():
    assert [probability(p) for p in (0, 0.004, 0.005, 0.5, 0.994, 0.995, 1)] == [
        "<0.01",
        "<0.01",
        "0.01",
        "0.50",
        "0.99",
        ">0.99",
        ">0.99",
    ]
    assert probability(0.9996, 3) == ">0.999"


def test_percent_and_count():
    assert [percent(x) for x in (0, 0.2, 0.5, 41.27, 99.4, 99.7, 100)] == [
        "0%",
        "<1%",
        "1%",
        "41%",
        "99%",
        ">99%",
        "100%",
    ]
    assert percent(34.16, 1) == "34.2%"
    assert [count(n) for n in (0, 3.0, np.int64(278), 12_345)] == ["0", "3", "278", "12345"]


@pytest.mark.parametrize(
    ("ascii_text", "text"),
    [
        ("-0.22 [-0.46, -0.02]", "−0.22 [−0.46, −0.02]"),
        ("[-inf, inf]", "[−∞, ∞]"),
        ("(-3)", "(−3)"),
        ("post-intervention", "post-intervention"),
        ("2015-11-22", "2015-11-22"),
        ("COVID-19, information", "COVID-19, information"),
        ("f(x)-1", "f(x)-1"),
        ("", ""),
    ],
)
def test_typographic_changes_numbers_and_no_words(ascii_text, text):
    assert typographic(ascii_text) == text
    assert typographic(text) == text
