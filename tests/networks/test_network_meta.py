"""Frequentist networks against netmeta 3.3.1 and metafor 5.0.1 (tests/reference/networks_extract.json)."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from networks.reference_data import DATASETS, arm_frame, contrast_frame, numbers, oriented

from bayesmeta.errors import DataError, SpecError
from bayesmeta.networks.contrasts import network_contrasts
from bayesmeta.networks.frequentist.fit import network_meta
from bayesmeta.networks.frequentist.result import NetworkMeta

MODELS = {"common": "CE", "random": "DL"}
BOTH = pytest.mark.parametrize("model", MODELS)
ALL = pytest.mark.parametrize("name", DATASETS)


def fitted(name: str, method: str) -> NetworkMeta:
    data = DATASETS[name]
    return network_meta(contrast_frame(data["contrasts"]), data["measure"], reference=data["reference"], method=method)


def block(frame: pd.DataFrame, treatments: list[Any]) -> np.ndarray:
    names = [str(one) for one in treatments]
    return frame.loc[names, names].to_numpy()


@ALL
@BOTH
def test_effects(name: str, model: str) -> None:
    net, there = fitted(name, MODELS[model]), DATASETS[name]["fits"]["netmeta__DL"]
    close = {"rel": 1e-11, "abs": 1e-12}
    assert block(net.effects, there["trts"]) == pytest.approx(numbers(there[f"TE_{model}"]), **close)
    assert block(net.se, there["trts"]) == pytest.approx(numbers(there[f"seTE_{model}"]), **close)


@ALL
def test_heterogeneity_intervals_and_parts_of_q(name: str) -> None:
    net, there = fitted(name, "DL"), DATASETS[name]["fits"]["netmeta__DL"]
    assert net.tau2 == pytest.approx(there["tau2"], rel=1e-12, abs=1e-14)
    assert net.i2 == pytest.approx(100 * there["I2"], rel=1e-11)
    parts = [(net.q, net.q_df), (net.q_within, net.q_within_df), (net.q_between, net.q_between_df)]
    for (q, df), part in zip(parts, ("Q", "Q_heterogeneity", "Q_inconsistency"), strict=True):
        assert (q, df) == (pytest.approx(there[part], rel=1e-11, abs=1e-13), there[f"df_{part}"])
    assert net.q_between_pvalue == pytest.approx(there["pval_Q_inconsistency"], rel=1e-10)
    close = {"rel": 1e-11, "abs": 1e-12}
    assert block(net.ci_low, there["trts"]) == pytest.approx(numbers(there["lower_random"]), **close)
    assert block(net.pi_low, there["trts"]) == pytest.approx(numbers(there["lower_predict"]), **close)
    assert block(net.pi_high, there["trts"]) == pytest.approx(numbers(there["upper_predict"]), **close)
    share = net.direct_share()
    for pair, value in there["prop_direct_random"].items():
        one, two = pair.split(":")
        assert share.loc[one, two] == pytest.approx(value, rel=1e-11)


@ALL
@pytest.mark.parametrize("method", ["ML", "REML"])
def test_likelihood_methods_have_the_full_covariance(name: str, method: str) -> None:
    """metafor stops its search at about 1e-7; here the maximum is exact."""
    net, there = fitted(name, method), DATASETS[name]["fits"][f"metafor__{method}"]
    rows = net.summary().loc[[f"{one} vs {there['versus']}" for one in there["names"]]]
    assert net.tau2 == pytest.approx(there["tau2"], rel=2e-6, abs=2e-8)
    assert net.log_likelihood == pytest.approx(there["logLik"], abs=1e-8)
    assert rows.estimate.to_numpy() == pytest.approx(there["beta"], rel=1e-6, abs=2e-7)
    assert rows.se.to_numpy() == pytest.approx(there["se"], rel=1e-6)


@pytest.mark.parametrize("name", ["smokingcessation", "Senn2013"])
def test_reml_is_the_zero_of_the_score(name: str) -> None:
    net = fitted(name, "REML")
    c = net.contrasts
    w = np.linalg.inv(c.S + net.tau2 * c.R)
    x = c.design()
    p = w - w @ x @ np.linalg.inv(x.T @ w @ x) @ x.T @ w
    assert c.y @ p @ c.R @ p @ c.y == pytest.approx(np.trace(p @ c.R), rel=1e-9)


def compare_splits(frame: pd.DataFrame, there: dict[str, Any], model: str) -> None:
    names = {
        "direct": "direct_TE", "direct_se": "direct_seTE", "indirect": "indirect_TE", "indirect_se": "indirect_seTE",
        "difference": "diff_TE", "difference_se": "diff_seTE", "statistic": "z", "pvalue": "pval",
    }  # fmt: skip
    for i, comparison in enumerate(there["comparison"]):
        key, sign = oriented(comparison, frame.index)
        assert frame.loc[key, "studies"] == there["k"][i]
        for here, column in names.items():
            value, turn = (
                there[model][column][i],
                sign if here in ("direct", "indirect", "difference", "statistic") else 1,
            )
            if value is None:
                assert np.isnan(frame.loc[key, here]), (comparison, here)
            else:
                assert turn * frame.loc[key, here] == pytest.approx(value, rel=1e-9, abs=1e-11), (comparison, here)


@ALL
@BOTH
def test_node_splitting_by_back_calculation(name: str, model: str) -> None:
    compare_splits(
        fitted(name, MODELS[model]).node_split(), DATASETS[name]["fits"]["netsplit__Back-calculation"], model
    )


@pytest.mark.parametrize("name", [name for name, data in DATASETS.items() if "netsplit__SIDDE" in data["fits"]])
@BOTH
def test_node_splitting_without_the_direct_studies(name: str, model: str) -> None:
    compare_splits(fitted(name, MODELS[model]).node_split("SIDDE"), DATASETS[name]["fits"]["netsplit__SIDDE"], model)


@ALL
def test_designs(name: str) -> None:
    net, there = fitted(name, "DL"), DATASETS[name]["fits"]["decomp"]
    table, parts = net.design_table(), net.inconsistency()
    assert list(parts.q[:3]) == pytest.approx(there["Q_decomp"]["Q"], rel=1e-11, abs=1e-13)
    random = there["Q_inc_random"]
    assert parts.q.iloc[3] == pytest.approx(random["Q"][0], rel=1e-11)
    assert np.sqrt(parts.tau2.iloc[3]) == pytest.approx(random["tau.within"][0], rel=1e-11)
    for names, q, df in zip(*(there["Q_het_design"][key] for key in ("design", "Q", "df")), strict=True):
        assert (table.loc[names, "q"], table.loc[names, "df"]) == (pytest.approx(q, rel=1e-10, abs=1e-12), df)
    for names, q, df in zip(*(there["Q_inc_detach"][key] for key in ("design", "Q", "df")), strict=True):
        here = table.loc[names]
        assert (here.q_detached, here.df_detached) == (pytest.approx(q, rel=1e-10, abs=1e-12), df)


@ALL
@BOTH
def test_net_heat(name: str, model: str) -> None:
    heat, there = fitted(name, MODELS[model]).net_heat(), DATASETS[name]["fits"][f"netheat_{model}"]
    pairs = zip(there["H_rows"], there["H_design"], strict=True)
    labels = [row if row == design else f"{row} ({design})" for row, design in pairs]
    there_too = numbers(there["minus_diff"])
    assert heat.loc[labels, labels].to_numpy() == pytest.approx(there_too, rel=1e-9, abs=1e-11, nan_ok=True)


@ALL
@BOTH
def test_contributions(name: str, model: str) -> None:
    found, there = fitted(name, MODELS[model]).contributions(), DATASETS[name]["fits"]["netcontrib"]
    rows = [oriented(row, found.index)[0] for row in there["rows"]]
    columns = [oriented(column, found.columns)[0] for column in there["cols"]]
    assert found.loc[rows, columns].to_numpy() == pytest.approx(numbers(there[model]), rel=1e-9, abs=1e-10)
    walk = fitted(name, MODELS[model]).contributions("random walk")
    assert walk.sum(axis=1).to_numpy() == pytest.approx(1, rel=1e-12)
    assert walk.min().min() >= 0


def test_both_ways_divide_an_estimate_with_one_path_alike() -> None:
    rows = [("1", "b", "a", 0.1, 0.2), ("2", "c", "b", 0.2, 0.3), ("3", "d", "c", 0.2, 0.3)]
    net = network_meta(pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"]), "MD", method="CE")
    walk = net.contributions("random walk")
    assert walk.loc["a vs d"].tolist() == pytest.approx([1 / 3] * 3)
    assert walk.to_numpy() == pytest.approx(net.contributions().to_numpy())


@ALL
@BOTH
def test_p_scores(name: str, model: str) -> None:
    there = DATASETS[name]["fits"]["netrank"]
    better = "lower" if there["small_values"] == "desirable" else "higher"
    scores = fitted(name, MODELS[model]).p_scores(better)[[str(one) for one in there["trts"]]]
    assert scores.to_numpy() == pytest.approx(there[f"P_score_{model}"], rel=1e-11)


@ALL
def test_rank_probabilities_agree_with_a_million_draws(name: str) -> None:
    there, net = DATASETS[name]["fits"]["rank_mvn"], fitted(name, "DL")
    better = "higher" if there["best"] == "largest" else "lower"
    found = net.rank_probabilities(better).loc[[str(one) for one in there["trts"]]].to_numpy()
    p = numbers(there["prob_random"])
    assert np.abs(found - p).max() < 5 * np.sqrt(0.25 / 100_000)
    ranking = net.ranking(better)
    ranks = np.arange(1, len(found) + 1)
    expected = pd.Series(found @ ranks, index=[str(one) for one in there["trts"]])
    assert ranking.mean_rank[expected.index].to_numpy() == pytest.approx(expected.to_numpy(), abs=0.02)
    assert (ranking.rank_low <= ranking.rank_high).all()
    assert ranking.sucra.is_monotonic_decreasing


RARE = [name for name, data in DATASETS.items() if "netmetabin__MH" in data["fits"]]


@pytest.mark.parametrize("name", RARE)
def test_mantel_haenszel(name: str) -> None:
    data = DATASETS[name]
    there = data["fits"]["netmetabin__MH"]
    net = network_meta(arm_frame(name), "OR", method="MH", reference=data["reference"])
    assert net.data.k == there["k"]
    assert block(net.effects, there["trts"]) == pytest.approx(numbers(there["TE_common"]), rel=1e-12, abs=1e-14)
    assert block(net.se, there["trts"]) == pytest.approx(numbers(there["seTE_common"]), rel=1e-12)
    assert net.q_between == pytest.approx(there["Q_inconsistency"], rel=1e-11)
    assert net.q_between_df == there["df_Q_inconsistency"]
    compare = data["fits"]["netmetabin__MH_netsplit"]
    frame = net.node_split("SIDDE")
    for i, comparison in enumerate(compare["comparison"]):
        key, sign = oriented(comparison, frame.index)
        assert frame.loc[key, "studies"] == compare["k"][i]
        for here, column in (("direct", "direct_TE"), ("indirect", "indirect_TE")):
            value = compare["common"][column][i]
            expected = np.nan if value is None else sign * value
            assert frame.loc[key, here] == pytest.approx(expected, rel=1e-10, nan_ok=True)
    ranks = data["fits"]["netmetabin__MH_netrank"]
    better = "lower" if data["fits"]["netrank"]["small_values"] == "desirable" else "higher"
    scores = net.p_scores(better)[[str(one) for one in ranks["trts"]]]
    assert scores.to_numpy() == pytest.approx(ranks["P_score_common"], rel=1e-11)


@pytest.mark.parametrize("name", RARE)
def test_hypergeometric_likelihood(name: str) -> None:
    """netmeta stops its search early: at about 3e-5 here. The gradient is zero at ours."""
    data = DATASETS[name]
    there = data["fits"]["netmetabin__NCH"]
    net = network_meta(arm_frame(name), "OR", method="NCH", reference=data["reference"])
    assert block(net.effects, there["trts"]) == pytest.approx(numbers(there["TE_common"]), abs=1e-4)
    assert block(net.se, there["trts"]) == pytest.approx(numbers(there["seTE_common"]), abs=1e-5)
    assert np.isnan(net.q_between)
    with pytest.raises(SpecError, match="contributions needs a method that weights contrasts"):
        net.contributions()


def test_what_is_left_out_for_rare_events_is_noted() -> None:
    notes = network_meta(arm_frame("Dong2013"), method="MH").notes
    assert "25: no events in any arm: OR not estimable" in notes
    assert (
        "Placebo left out of the design LABA-ICS:Placebo: without events, or with events only, in all its studies"
        in notes
    )


def test_refusals() -> None:
    data = contrast_frame(DATASETS["Senn2013"]["contrasts"])
    with pytest.raises(SpecError, match="unknown method 'DLL'; did you mean 'DL'"):
        network_meta(data, "MD", method="DLL")
    with pytest.raises(DataError, match="computed from counts"):
        network_meta(data, "OR", method="MH")
    with pytest.raises(SpecError, match="unknown treatment 'placebos'"):
        network_meta(data, "MD", reference="placebos")
    with pytest.raises(DataError, match="the network has 2 parts"):
        network_meta(data[data.study.isin(["DeFronzo1995", "Kim2007"])].assign(treat2=["Placebo", "X"]), "MD")
    with pytest.raises(SpecError, match="networks are of odds ratios; the measure is RR"):
        network_meta(arm_frame("Dong2013"), "RR", method="MH")
    net = network_meta(data, "MD")
    with pytest.raises(SpecError, match="unknown side of benefit"):
        net.p_scores("up")
    with pytest.raises(SpecError, match="unknown method of node splitting"):
        net.node_split("dias")
    with pytest.raises(SpecError, match="unknown scale"):
        net.summary("log")


def test_ratios_on_the_natural_scale() -> None:
    net = network_meta(arm_frame("Dong2013"), "OR", reference="Placebo")
    log, ratio = net.summary(), net.summary("natural")
    assert ratio.estimate.to_numpy() == pytest.approx(np.exp(log.estimate.to_numpy()))
    assert ratio.se.tolist() == log.se.tolist()
    assert net.comparisons().shape[0] == 15


def test_arms_are_the_contrasts_computed_from_them() -> None:
    net = network_meta(network_contrasts(arm_frame("Dong2013"), "OR"), method="CE")
    again = network_meta(arm_frame("Dong2013"), "OR", method="CE")
    assert net.effects.equals(again.effects)
    assert "41 studies" not in repr(again)
    assert repr(again).startswith("<NetworkMeta: OR, 38 studies, 6 treatments, CE")
