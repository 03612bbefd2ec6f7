"""Threshold analysis: against refits of the moved data, the published example, and networks in which nothing changes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from network_examples import pair, senn, smoking, star

import bayesmeta as bm
from bayesmeta.networks.threshold import linear_in_data

# Trials of thrombolytics (Caldwell, Ades and Higgins 2005, BMJ 331:897), as analysed by Phillippo et al. 2019: deaths and patients.
TREATMENTS = {1: "SK", 2: "t-PA", 3: "Acc t-PA", 4: "SK + t-PA", 5: "r-PA", 6: "TNK"}
TRIALS = [
    (1, [(1, 1472, 20251), (3, 652, 10396), (4, 723, 10374)]), (2, [(1, 9, 130), (2, 6, 123)]), (3, [(1, 5, 63), (2, 2, 59)]),
    (4, [(1, 3, 65), (2, 3, 64)]), (5, [(1, 887, 10396), (2, 929, 10372)]), (6, [(1, 1455, 13780), (2, 1418, 13746)]),
    (7, [(1, 7, 85), (2, 4, 86)]), (8, [(1, 12, 159), (2, 7, 157)]), (9, [(1, 10, 135), (2, 5, 135)]),
    (10, [(1, 4, 107), (4, 6, 109)]), (11, [(1, 285, 3004), (5, 270, 3006)]), (34, [(3, 522, 8488), (6, 523, 8461)]),
    (35, [(3, 356, 4921), (5, 757, 10138)]), (36, [(3, 13, 155), (5, 7, 169)]),
]  # fmt: skip


def thrombolytics():
    rows = [(f"Trial {s}", TREATMENTS[t], r, n) for s, arms in TRIALS for t, r, n in arms]
    return bm.read_arms(pd.DataFrame(rows, columns=["study", "treatment", "events", "n"]))


def best_after(net, contrasts, sign):
    """The best treatment of a network fitted to other contrasts by the same method."""
    fit = bm.network_meta(contrasts, method=net.method)
    return fit.treatments[int(np.argmax(sign * fit.estimates))]


def common(contrasts, tau2):
    """The same network with tau fixed: its estimates are those of a common effect with covariance S + tau2 R."""
    return replace(contrasts, S=contrasts.S + tau2 * contrasts.R)


def test_thresholds_of_the_published_example():
    net = bm.network_meta(thrombolytics(), method="CE", reference="SK")
    found = bm.threshold_analysis(net, by="study", better="lower")
    assert found.best == "Acc t-PA"
    # The example of nmathresh has -0.06 for trial 11, and in words: at an adjustment of -0.14 treatment 5 replaces treatment 3 as the best,
    # at 0.87 treatment 2 does. It has the binomial likelihood and posterior draws.
    row = found.table.loc["Trial 11: r-PA vs SK"]
    np.testing.assert_allclose([row["estimate"], row["low"]], [-0.06, -0.14], atol=0.005)
    np.testing.assert_allclose(row["high"], 0.87, atol=0.015)
    assert (row["new_best_low"], row["new_best_high"]) == ("r-PA", "t-PA")
    assert row["sensitive"]
    # the text names trials 34, 35 and 11 as those to which the decision is sensitive
    assert {name.split(":")[0] for name in found.table.index[found.table["sensitive"]]} == {
        "Trial 34",
        "Trial 35",
        "Trial 11",
    }


def test_a_threshold_of_the_published_example_is_error_of_simulation():
    # In words the example of nmathresh has a threshold of 5.277 for the log odds ratio of treatments 4 and 1 in trial 1, where r-PA becomes
    # the best. Trial 1 has nearly all evidence on treatment 4, so what moves with it hardly moves the others: r-PA loses against Acc t-PA,
    # by 0.0005 per unit, and the threshold in that direction is infinite. nmathresh multiplies the inverse covariance of the data with the
    # covariance of posterior draws, whose errors do not cancel as the exact values do.
    net = bm.network_meta(thrombolytics(), method="CE", reference="SK")
    row = bm.threshold_analysis(net, by="study", better="lower").table.loc["Trial 1: SK + t-PA vs SK"]
    assert row["high"] == np.inf
    np.testing.assert_allclose(row["low"], -0.106, atol=0.001)
    data = net.contrasts
    effects, design, inverse = (
        dict(zip(net.treatments, net.estimates, strict=True)),
        data.design("SK"),
        np.linalg.inv(data.S),
    )
    names = list(data.basic("SK"))
    lead = np.array([(name == "r-PA") - (name == "Acc t-PA") for name in names], dtype=float)
    moved = np.array(
        [data.studies[k] == "Trial 1" and data.treatments[t] == "SK + t-PA" for k, t in zip(data.study_of_row, data.treat, strict=True)]
    ) * 1.0  # fmt: skip
    covariance = np.linalg.inv(design.T @ inverse @ design)

    def rate(covariance):
        return float(lead @ covariance @ design.T @ inverse @ moved)

    gap = effects["r-PA"] - effects["Acc t-PA"]
    np.testing.assert_allclose(rate(covariance), 0.0005, atol=0.0001)
    needed = -gap / 5.277
    rng = np.random.default_rng(1)
    simulated = [rate(np.cov(rng.multivariate_normal(np.zeros(5), covariance, 20_000).T)) for _ in range(30)]
    assert np.std(simulated) > 0.5 * abs(needed) > 5 * abs(rate(covariance))


@pytest.mark.parametrize("method", ["CE", "DL", "REML"])
@pytest.mark.parametrize("data", [thrombolytics, smoking, senn])
def test_the_best_treatment_changes_just_above_the_threshold(data, method):
    measure = "MD" if data is senn else None
    net = bm.network_meta(data(), measure, method=method)
    sign = -1.0 if data is not smoking else 1.0
    side = "lower" if sign < 0 else "higher"
    found = bm.threshold_analysis(net, by="study", better=side)
    fixed = common(net.contrasts, net.tau2)
    plain = bm.network_meta(fixed, method="CE")
    np.testing.assert_allclose(plain.estimates, net.estimates, atol=1e-9)
    checked = 0
    for name, row in found.table.iterrows():
        study, label = name.split(": ")
        moving = label.split(" vs ")[0]
        k = fixed.studies.index(study)
        for end, new in (("low", row["new_best_low"]), ("high", row["new_best_high"])):
            if not np.isfinite(row[end]):
                assert new == ""
                # nothing that far changes the best treatment
                assert best_after(plain, _moved(fixed, k, moving, 50.0 if end == "high" else -50.0), sign) == found.best
                continue
            assert best_after(plain, _moved(fixed, k, moving, row[end] * (1 - 1e-6)), sign) == found.best
            assert best_after(plain, _moved(fixed, k, moving, row[end] * (1 + 1e-6)), sign) == new
            checked += 1
    assert checked > 10


def _moved(contrasts, study, treatment, by):
    """The contrasts of a network in which one arm of a study has moved."""
    y = contrasts.y.copy()
    rows, arms = contrasts.slices[study], contrasts.arms_of_studies[study]
    arm = [contrasts.treatments[t] for t in arms].index(treatment)
    y[rows] += [-by] * (len(arms) - 1) if arm == 0 else [by if i == arm else 0.0 for i in range(1, len(arms))]
    return replace(contrasts, y=y)


def test_contrast_thresholds_equal_refits_of_independent_contrasts():
    """The network is rebuilt from the pooled evidence on each contrast, one two-arm study each, and that study is moved."""
    net = bm.network_meta(thrombolytics(), method="DL")
    found = bm.threshold_analysis(net, better="lower")
    rows = [
        (f"S{i}", *name.split(" vs "), row["estimate"], row["se"])
        for i, (name, row) in enumerate(found.table.iterrows())
    ]
    frame = pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"])
    rebuilt = bm.network_meta(frame, "OR", method="CE")
    np.testing.assert_allclose(rebuilt.estimates, net.estimates, atol=1e-9)
    np.testing.assert_allclose(rebuilt.se_matrix, net.se_matrix, atol=1e-9)
    checked = 0
    for i, (_, row) in enumerate(found.table.iterrows()):
        for end, new in (("low", row["new_best_low"]), ("high", row["new_best_high"])):
            if np.isfinite(row[end]):
                for factor, best in ((1 - 1e-6, found.best), (1 + 1e-6, new)):
                    moved = frame.assign(yi=frame["yi"] + row[end] * factor * (frame.index == i))
                    assert best_after(rebuilt, bm.network_contrasts(moved, "OR"), -1.0) == best
                    checked += 1
    assert checked >= 18


def test_bayesian_thresholds_with_tau_fixed():
    prior = {"tau": "Point(0.3)", "d": "Normal(0, 2)"}
    net = bm.network(thrombolytics(), reference="SK", better="lower", priors=prior)
    found = bm.threshold_analysis(net, by="study")
    checked = 0
    for name, row in found.table.iterrows():
        study, label = name.split(": ")
        for end, new in (("low", row["new_best_low"]), ("high", row["new_best_high"])):
            if np.isfinite(row[end]):
                for factor, best in ((1 - 1e-6, found.best), (1 + 1e-6, new)):
                    moved = _moved(
                        net.contrasts, net.contrasts.studies.index(study), label.split(" vs ")[0], row[end] * factor
                    )
                    again = bm.network(moved, reference="SK", priors=prior)
                    means = again.summary(studies=False)["mean"]
                    effects = {"SK": 0.0} | {t: means[f"{t} vs SK"] for t in again.treatments if t != "SK"}
                    assert min(effects, key=effects.get) == best
                    checked += 1
    assert checked > 20


def test_effects_and_influence_of_a_posterior():
    """With tau's distribution fixed the posterior means are linear in the data and the prior mean of zero."""
    net = bm.network(smoking(), reference="No contact", better="higher")
    linear = linear_in_data(net)
    np.testing.assert_allclose(linear.influence @ net.contrasts.y, linear.effects, atol=1e-10)
    means = net.summary(studies=False)["mean"]
    at = net.treatments.index("No contact")
    for i, name in enumerate(net.treatments):
        if i != at:
            np.testing.assert_allclose(
                linear.effects[i] - linear.effects[at], means[f"{name} vs No contact"], atol=1e-10
            )


def test_thresholds_of_components_and_moderators():
    """Effects are linear in the data there too, and fitting again at a threshold with tau known changes the best treatment."""
    rows = [
        ("a", "x", "p", -0.5, 0.2), ("b", "y", "p", -0.3, 0.3), ("c", "x+y", "p", -1.0, 0.25), ("d", "x+y", "x", -0.2, 0.2),
        ("e", "z", "p", -0.7, 0.2), ("f", "z", "x", -0.1, 0.2),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"])
    ages = {name: 40.0 + 5 * i for i, name in enumerate("abcdef")}
    shared = {"measure": "MD", "reference": "p", "better": "lower", "priors": {"tau": "Point(0.1)"}}
    for options in ({"components": "+", "inactive": "p"}, {"moderator": ages}):
        net = bm.network(frame, **shared, **options)
        linear = linear_in_data(net)
        np.testing.assert_allclose(linear.influence @ linear.contrasts.y, linear.effects, atol=1e-10)
        found = bm.threshold_analysis(net, by="study")
        again = bm.threshold_analysis(net, by="study", tau="refit")
        columns = ["low", "high"]
        np.testing.assert_allclose(again.table.loc[found.table.index, columns], found.table[columns], rtol=1e-6)
        assert np.isfinite(found.table["high"]).sum() >= 2


@pytest.mark.parametrize("bayes", [False, True])
def test_refitted_thresholds(bayes):
    """With tau estimated again the best treatment changes just above the threshold, which is not that with tau fixed."""
    if bayes:
        net = bm.network(pair_and_third(), "MD", better="lower")
    else:
        net = bm.network_meta(pair_and_third(), "MD", method="REML")
    fixed = bm.threshold_analysis(net, by="study", better="lower")
    found = bm.threshold_analysis(net, by="study", better="lower", tau="refit")
    linear = linear_in_data(net)
    checked = 0
    for name, row in found.table.iterrows():
        study, label = name.split(": ")
        for end, new in (("low", row["new_best_low"]), ("high", row["new_best_high"])):
            if np.isfinite(row[end]):
                k = linear.contrasts.studies.index(study)
                for factor, best in ((1 - 1e-5, found.best), (1 + 1e-5, new)):
                    moved = _moved(linear.contrasts, k, label.split(" vs ")[0], row[end] * factor)
                    effects = linear.refit(moved.y)
                    assert net.treatments[int(np.argmin(effects))] == best
                checked += 1
    assert checked >= 3
    both = np.isfinite(found.table["high"]) & np.isfinite(fixed.table["high"].reindex(found.table.index))
    assert not np.allclose(found.table["high"][both], fixed.table["high"].reindex(found.table.index)[both], rtol=1e-3)


def pair_and_third():
    rows = [
        ("a", "x", "p", -0.5, 0.2), ("b", "x", "p", -1.2, 0.3), ("c", "x", "p", -0.1, 0.25),
        ("d", "y", "p", -0.9, 0.3), ("e", "y", "p", -0.4, 0.2), ("f", "y", "x", -0.1, 0.2),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"])


def test_networks_without_loops_and_of_two_treatments():
    # a contrast of a star moves its own treatment only
    net = bm.network_meta(star(), method="CE", reference="p")
    found = bm.threshold_analysis(net, better="lower").table
    np.testing.assert_allclose(found.loc["y vs p", ["low", "high"]].to_numpy(dtype=float), [-np.inf, 0.4])
    np.testing.assert_allclose(found.loc["z vs p", ["low", "high"]].to_numpy(dtype=float), [-0.8, np.inf])
    assert found.loc["y vs p", "new_best_high"] == "x"
    two = bm.network_meta(pair(), "MD", method="REML", reference="p")
    row = bm.threshold_analysis(two, better="lower").table.loc["x vs p"]
    # the pooled estimate has to move to no effect
    np.testing.assert_allclose([row["estimate"], row["invariant_high"]], [two.effects.loc["x", "p"], 0.0], atol=1e-12)
    assert row["new_best_high"] == "p"
    assert np.isinf(row["low"])


def test_choices_and_errors():
    net = bm.network_meta(smoking(), method="DL")
    assert "best Group counselling" in repr(bm.threshold_analysis(net, better="higher"))
    assert bm.threshold_analysis(net, better="lower").best == "No contact"
    wide, narrow = (bm.threshold_analysis(net, better="higher", level=level).table for level in (0.99, 0.5))
    assert (wide["ci_high"] - wide["ci_low"] > narrow["ci_high"] - narrow["ci_low"]).all()
    np.testing.assert_allclose(wide["high"], narrow["high"])
    for options, match in (
        ({}, "needs the side of benefit"), ({"better": "up"}, "side of benefit"), ({"better": "lower", "by": "arm"}, "level of estimates"),
        ({"better": "lower", "tau": "free"}, "treatment of tau"), ({"better": "lower", "level": 2}, "level"),
    ):  # fmt: skip
        with pytest.raises(bm.SpecError, match=match):
            bm.threshold_analysis(net, **options)
    with pytest.raises(bm.SpecError, match="weights contrasts"):
        bm.threshold_analysis(bm.network_meta(smoking(), method="MH"), better="higher")


def test_nothing_depends_on_the_order_of_rows_or_arms():
    rows = thrombolytics().to_frame()
    one = bm.threshold_analysis(bm.network_meta(rows, method="DL", reference="SK"), by="study", better="lower").table
    other = bm.threshold_analysis(
        bm.network_meta(rows.iloc[::-1], method="DL", reference="SK"), by="study", better="lower"
    ).table
    columns = ["estimate", "se", "low", "high"]
    np.testing.assert_allclose(one[columns], other.loc[one.index, columns], rtol=1e-8)
