"""Comparison-adjusted effects against pairwise meta-analyses of each comparison, and Egger's test against least squares by scipy."""

import numpy as np
import pandas as pd
import pytest
from network_examples import pair, senn, smoking, star
from scipy import stats

import bayesmeta as bm

ORDER = [
    "Placebo", "Acarbose", "Benfluorex", "Metformin", "Miglitol", "Sulfonylurea", "Rosiglitazone", "Pioglitazone", "Sitagliptin",
    "Vildagliptin",
]  # fmt: skip


@pytest.mark.parametrize("method", ["CE", "DL"])
def test_effects_are_centred_at_those_of_their_comparisons(method):
    net = bm.network_meta(senn(), "MD", method=method)
    found = bm.comparison_adjusted(net, ORDER)
    assert found.tau2 == net.tau2
    for _, rows in found.table.groupby("comparison"):
        weights = 1 / (rows["se"] ** 2 + net.tau2)
        pooled = np.average(rows["estimate"], weights=weights)
        np.testing.assert_allclose(rows["direct"], pooled, atol=1e-12)
        np.testing.assert_allclose(rows["adjusted"], rows["estimate"] - pooled, atol=1e-12)
    places = {name: i for i, name in enumerate(ORDER)}
    assert all(places[a] < places[b] for a, b in zip(found.table["treat1"], found.table["treat2"], strict=True))
    # the trial with three arms is there with its three comparisons
    assert len(found.table) == 28


def test_effects_are_those_of_the_data_in_the_stated_direction():
    frame = senn().to_frame()
    found = bm.comparison_adjusted(bm.network_meta(senn(), "MD"), ORDER).table
    for _, row in found.iterrows():
        pairs = [
            {row["treat1"], row["treat2"]} == {a, b} for a, b in zip(frame["treat1"], frame["treat2"], strict=True)
        ]
        own = frame[(frame["study"] == row["study"]) & np.array(pairs)]
        sign = 1.0 if own["treat1"].iloc[0] == row["treat1"] else -1.0
        # netmeta's data give standard errors with four decimals, so those of the trial with three arms are made consistent
        np.testing.assert_allclose(
            [row["estimate"], row["se"]], [sign * own["yi"].iloc[0], own["sei"].iloc[0]], atol=1e-4
        )


def test_egger_is_the_regression_on_precision():
    found = bm.comparison_adjusted(bm.network_meta(senn(), "MD", method="DL"), ORDER)
    adjusted, se = found.table["adjusted"].to_numpy(), found.table["se"].to_numpy()
    line = stats.linregress(1 / se, adjusted / se)
    assert found.egger.df == 26
    np.testing.assert_allclose(
        [found.egger.intercept, found.egger.se, found.egger.slope], [line.intercept, line.intercept_stderr, line.slope]
    )
    np.testing.assert_allclose(found.egger.pvalue, 2 * stats.t.sf(abs(line.intercept / line.intercept_stderr), 26))


def test_the_reverse_order_changes_signs_only():
    net = bm.network_meta(senn(), "MD")
    one, other = (bm.comparison_adjusted(net, order) for order in (ORDER, ORDER[::-1]))
    np.testing.assert_allclose(one.egger.pvalue, other.egger.pvalue)
    np.testing.assert_allclose(one.egger.intercept, -other.egger.intercept)
    np.testing.assert_allclose(sorted(one.table["adjusted"]), sorted(-other.table["adjusted"]))


def test_small_study_effects_are_found():
    rng = np.random.default_rng(4)
    se = rng.uniform(0.05, 0.5, 60)
    which = rng.integers(0, 3, 60)
    pairs = [("old", "p"), ("new", "p"), ("new", "old")]
    effect = rng.normal(0, se) - 1.5 * se  # the later treatment looks better in small trials
    rows = [(f"S{i}", *pairs[k], e, s) for i, (k, e, s) in enumerate(zip(which, effect, se, strict=True))]
    frame = pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"])
    net = bm.network_meta(frame, "MD", method="CE")
    assert bm.comparison_adjusted(net, ["p", "old", "new"]).egger.pvalue < 1e-4
    # without an order that has a meaning they cancel
    assert (
        bm.comparison_adjusted(net, ["old", "p", "new"]).egger.pvalue
        > bm.comparison_adjusted(net, ["p", "old", "new"]).egger.pvalue
    )


def test_posteriors_and_two_treatments():
    net = bm.network(smoking(), reference="No contact")
    found = bm.comparison_adjusted(net, net.treatments)
    np.testing.assert_allclose(found.tau2, net.quantile("tau", 0.5) ** 2)
    assert "28 effects of 6 comparisons" in repr(found)
    two = bm.comparison_adjusted(bm.network_meta(pair(), "MD"), ["p", "x"])
    assert (two.table["comparison"] == "p vs x").all()
    assert two.egger is None or two.egger.df == 1


def test_single_trials_and_errors():
    net = bm.network_meta(star(), method="CE")
    found = bm.comparison_adjusted(net, ["p", "x", "y", "z"])
    np.testing.assert_allclose(found.table["adjusted"], 0.0, atol=1e-15)
    for order, match in (
        (["p", "x"], "missing: y, z"), (["p", "x", "y", "z", "z"], "given twice"), (["p", "q"], "unknown treatment 'q'"), ("p", "missing"),
    ):  # fmt: skip
        with pytest.raises(bm.SpecError, match=match):
            bm.comparison_adjusted(net, order)
    with pytest.raises(bm.SpecError, match="weights contrasts"):
        bm.comparison_adjusted(bm.network_meta(smoking(), method="MH"), net.treatments)
    with pytest.raises(bm.SpecError, match="takes a network"):
        bm.comparison_adjusted(pair(), ["p", "x"])
