"""Averages over models whose interval ends at no effect exactly."""

from __future__ import annotations

import pytest

import bayesmeta as bm


def averaged(yi, sei):
    return bm.compare(yi=yi, sei=sei, measure="RR").set_index("method").loc["bayes:normal:averaged"]


def test_an_interval_without_width_is_explained() -> None:
    row = averaged([0.01, -0.012, 0.005, 0.001], [0.02] * 4)
    assert row["ci_low"] == row["ci_high"] == 0
    assert row["estimate"] != 0
    assert row["note"].startswith("probability above 0.99 of no effect exactly, so the 95% interval is that one point")
    assert row["note"].endswith("the mean over all models lies outside it")


def test_an_interval_that_ends_at_no_effect_is_explained() -> None:
    row = averaged([0.5, 0.4, 0.2], [0.2, 0.25, 0.2])
    assert row["ci_low"] == 0 < row["ci_high"]
    probability = 1 - row["prob_effect"]
    assert row["note"] == f"probability {probability:.2f} of no effect exactly, and the 95% interval ends there"


def test_an_interval_around_no_effect_needs_no_note() -> None:
    row = averaged([1.0, -1.0, 0.3], [0.2] * 3)
    assert row["ci_low"] < row["estimate"] < row["ci_high"]
    assert row["ci_low"] < 0
    assert row["note"] == ""


@pytest.mark.parametrize("shift", [-0.3, -0.1, 0.0, 0.1, 0.3])
def test_the_mean_is_outside_only_where_the_note_says_so(shift) -> None:
    row = averaged([0.1 + shift, -0.11 + shift, shift], [0.15, 0.2, 0.1])
    outside = not row["ci_low"] <= row["estimate"] <= row["ci_high"]
    assert outside == ("outside it" in row["note"])


def test_the_note_is_in_the_averaged_row_only() -> None:
    frame = bm.compare(yi=[0.01, -0.012, 0.005, 0.001], sei=[0.02] * 4, measure="RR").set_index("method")
    noted = frame.index[frame["note"].fillna("").str.contains("of no effect exactly")]
    assert list(noted) == ["bayes:normal:averaged"]
