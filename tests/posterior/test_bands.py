"""Bands of effects: probabilities, thresholds, and errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.posterior.bands import bands_of

TRIALS = pd.DataFrame(
    {"study": ["A", "B", "C"], "events_e": [3, 5, 7], "n_e": [50, 60, 80], "events_c": [6, 9, 12], "n_c": [50, 60, 80]}
)
RR = {"trivial": 0.9, "small": 0.8, "moderate": 0.6}


@pytest.fixture(scope="module")
def fitted() -> bm.Posterior:
    return bm.fit(TRIALS, measure="RR", likelihood="normal")


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_probabilities_are_differences_of_the_distribution_function(fitted: bm.Posterior, better: str) -> None:
    found = bm.band_probabilities(fitted, RR, better=better)
    assert list(found.columns) == [
        "large_benefit", "moderate_benefit", "small_benefit", "trivial", "small_harm", "moderate_harm", "large_harm",
    ]  # fmt: skip
    assert list(found.index) == ["mu", "theta_new"]
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    edges = np.log([0.6, 0.8, 0.9, 1 / 0.9, 1 / 0.8, 1 / 0.6])
    for term in found.index:
        below = np.concatenate([[0.0], [fitted.cdf(term, edge) for edge in edges], [1.0]])
        expected = np.diff(below) if better == "lower" else np.diff(below)[::-1]
        np.testing.assert_allclose(found.loc[term], expected, atol=1e-10)


def test_they_are_those_of_a_normal_distribution_where_tau_is_known() -> None:
    one = pd.DataFrame({"study": ["A"], "yi": [0.3], "vi": [0.04]})
    fitted = bm.fit(one, measure="SMD", priors={"mu": "Normal(0, 1000)", "tau": "Point(0)"})
    found = bm.band_probabilities(fitted, {"trivial": 0.2, "small": 0.5, "moderate": 0.8}, better="higher")
    normal = stats.norm(0.3, 0.2)
    assert found.loc["mu", "small_benefit"] == pytest.approx(normal.cdf(0.5) - normal.cdf(0.2), abs=1e-6)
    assert found.loc["mu", "trivial"] == pytest.approx(normal.cdf(0.2) - normal.cdf(-0.2), abs=1e-6)
    assert found.loc["mu", "large_benefit"] == pytest.approx(normal.sf(0.8), abs=1e-6)


def test_a_minimal_important_difference_is_the_case_of_one_threshold(fitted: bm.Posterior) -> None:
    one = bm.band_probabilities(fitted, 0.8, better="lower")
    assert list(one.columns) == ["important_benefit", "trivial", "important_harm"]
    pd.testing.assert_frame_equal(one, bm.band_probabilities(fitted, {"trivial": 0.8}, better="lower"))
    beyond = fitted.summary(better="lower", mid=0.8)["prob_beyond_mid"]
    np.testing.assert_allclose(one["important_benefit"], beyond[["mu", "theta_new"]])


def test_summary_has_a_column_per_band(fitted: bm.Posterior) -> None:
    found = fitted.summary(better="lower", mid=RR)
    bands = bm.band_probabilities(fitted, RR, better="lower")
    for name in bands:
        assert found.loc["mu", f"prob_{name}"] == pytest.approx(bands.loc["mu", name])
        assert np.isnan(found.loc["tau", f"prob_{name}"])
    assert found.loc["mu", "prob_beyond_mid"] == pytest.approx(fitted.cdf("mu", np.log(0.9)))
    beyond = bands.loc["mu", ["small_benefit", "moderate_benefit", "large_benefit"]].sum()
    assert found.loc["mu", "prob_beyond_mid"] == pytest.approx(beyond)


def test_both_sides_of_no_effect_give_the_same_bands() -> None:
    assert bands_of("RR", "lower", {"trivial": 1.25}).edges == pytest.approx(
        bands_of("RR", "lower", {"trivial": 0.8}).edges
    )
    assert bands_of("SMD", "lower", {"trivial": -0.2}) == bands_of("SMD", "higher", {"trivial": 0.2})
    assert bands_of("RR", "lower", RR).limits == pytest.approx([0.6, 0.8, 0.9, 1 / 0.9, 1 / 0.8, 1 / 0.6])


def test_a_point_mass_at_no_effect_is_trivial(fitted: bm.Posterior) -> None:
    averaged = bm.model_average(fitted).posterior
    found = bm.band_probabilities(averaged, RR, better="lower", terms=["mu"])
    assert found.loc["mu"].sum() == pytest.approx(1.0)
    # the point mass at no effect is trivial
    assert found.loc["mu", "trivial"] > 1 - bm.model_average(fitted).prob_effect


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"small": 0.8}, "'trivial'"),
        ({"trivial": 0.9, "moderate": 0.6}, "'moderate' but not 'small'"),
        ({"trivial": 0.8, "small": 0.9}, "'small' = 0.9 must be further from no effect than 'trivial' = 0.8"),
        ({"trivial": 0.9, "small": 1.25}, "both sides"),
        ({"trivial": 1.0}, "no difference"),
        ({"trivial": -0.9}, "a ratio between"),
        ({"trivial": float("inf")}, "a ratio between"),
        ({"trivial": "0.9"}, "number"),
        ({"trvial": 0.9}, "did you mean 'trivial'"),
        ({}, "at least the threshold"),
    ],
)
def test_thresholds_that_are_none(fitted: bm.Posterior, given: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        bm.band_probabilities(fitted, given, better="lower")


def test_terms_that_are_no_effects(fitted: bm.Posterior) -> None:
    with pytest.raises(SpecError, match="effect of this posterior"):
        bm.band_probabilities(fitted, RR, better="lower", terms=["tau"])
    with pytest.raises(SpecError, match="side of benefit"):
        fitted.summary(mid=RR)
