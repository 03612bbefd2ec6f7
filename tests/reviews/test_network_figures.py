"""Figures of networks in a run, made from what it saved."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

import bayesmeta as bm
from bayesmeta.plotting.network_heats import net_heat_values
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.network_result import network_of
from bayesmeta.reviews.report.figure_list import figures_of, review_figures
from bayesmeta.reviews.report.network_figures import drawing_of, effects_of, splits_of
from bayesmeta.reviews.run import run_review

#: simulated for this test: a three-arm trial, and a loop
ARMS = """study,treatment,events,n
1,control,9,140
1,counselling,23,140
1,group,10,138
2,control,11,78
2,counselling,12,85
3,counselling,29,170
3,group,11,78
4,control,5,33
4,group,9,48
"""
TOML = """id = "treatments"
title = "Several treatments"
notice = "Simulated numbers."

[settings]
engine = "quadrature"
tables = ["csv"]
figures = ["svg"]

[priors.OR]
mu = "Normal(0, 1)"
tau = "HalfNormal(0.3)"
"""
NETWORK = """
[[network]]
id = "{id}"
outcome = "{outcome}"
measure = "OR"
data = "arms.csv"
reference = "control"
better = "higher"
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    (folder / "arms.csv").write_text(ARMS)
    networks = NETWORK.format(id="N1", outcome="Cessation") + NETWORK.format(id="N2", outcome="Abstinence")
    (folder / "review.toml").write_text(TOML + networks)
    run_review(folder, folder / "out")
    return load_run(folder / "out"), folder / "out"


def test_a_run_draws_every_figure_of_a_network_and_the_ranks_over_outcomes(run):
    _, out = run
    kinds = ("contributions", "league", "net_heat", "network", "network_forest", "ranks", "splits")
    expected = {f"{kind}_{one}.svg" for kind in kinds for one in ("N1", "N2")} | {"rank_heat.svg"}
    assert {path.name for path in (out / "figures").iterdir()} == expected
    for path in (out / "figures").iterdir():
        assert "Simulated numbers." in path.read_text(encoding="utf-8")
    assert "rank_heat" not in {one.name for one in review_figures(run[0][0], run[0][1][:1])}


def test_the_net_heat_plot_and_the_tests_of_designs_are_those_of_the_frequentist_network(run):
    (_, (result, _)), out = run
    saved = network_of(result)
    freq = bm.network_meta(out.parent / "arms.csv", "OR", reference="control", method="REML")
    heat = net_heat_values(freq)
    drawn = saved["net_heat"]["drawn"]
    assert tuple(saved["net_heat"]["rows"][i] for i in drawn) == heat.labels
    np.testing.assert_allclose(np.array(saved["net_heat"]["values"])[np.ix_(drawn, drawn)], heat.change, rtol=1e-12)
    np.testing.assert_allclose(
        np.array(saved["net_heat"]["contribution"])[np.ix_(drawn, drawn)], heat.contribution, rtol=1e-12
    )
    with (out / "tables" / "network_designs.csv").open(encoding="utf-8-sig") as file:
        rows = [row for row in csv.DictReader(file) if row["Network"].startswith("N1")]
    expected = freq.design_table()
    assert [row["Design"].replace(" ", "") for row in rows] == [*expected.index, "All"]
    shown = dict(zip(expected.index, rows, strict=False))
    between = freq.inconsistency().loc["between designs"]
    assert rows[-1]["Q between without it (df)"] == f"{between['q']:.2f} ({between['df']:.0f})"
    for design, row in expected.iterrows():
        assert shown[design]["Q between without it (df)"] == f"{row['q_detached']:.2f} ({row['df_detached']:.0f})"


def test_figures_show_what_the_network_gives(run):
    (review, (result, _)), out = run
    saved = network_of(result)
    net = bm.network(
        out.parent / "arms.csv", measure="OR", reference="control", better="higher",
        priors={"d": "Normal(0, 1)", "tau": "HalfNormal(0.3)"},
    )  # fmt: skip
    league = bm.league_table(net, value="median")
    bayes = {one.treatment: one for one in effects_of(saved) if one.look == "bayes"}
    assert set(bayes) == {"counselling", "group"}
    for name, one in bayes.items():
        assert one.estimate == pytest.approx(league.loc[name, "control"], rel=1e-9)
        assert one.studies == 2
    split = bm.node_split(net)
    drawn = {one.comparison: one for one in splits_of(saved, "bayes:normal:quadrature")}
    assert set(drawn) == set(split.index)
    for name, one in drawn.items():
        assert one.direct.estimate == pytest.approx(math.exp(split.loc[name, "direct"]), rel=1e-9)
    drawing = drawing_of(saved)
    assert [node.name for node in drawing.nodes] == saved["treatments"]
    assert sum(node.participants for node in drawing.nodes) == 910
    assert drawing.multi_arm == ((0, 1, 2),)
    assert drawing.multi_arm_studies == 1
    figures = {one.name: one.draw() for one in figures_of(review, review.as_analysis(review.network[0]), result)}
    bars = np.array([bar.get_height() for axes in figures["ranks"].axes for bar in axes.patches])
    assert bars.sum() == pytest.approx(3)
