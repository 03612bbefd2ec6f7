"""Component networks of a review, from review.toml to its outputs."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.reviews.analysis_data import data_problem
from bayesmeta.reviews.network_result import network_of
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.spec import read_review

JOINED = """study,treat1,treat2,yi,sei
1,CBT + drug,placebo,0.62,0.15
2,CBT,placebo,0.41,0.12
3,drug,placebo,0.30,0.11
4,CBT + drug,drug,0.22,0.16
5,CBT + exercise,CBT,0.10,0.20
"""
#: no trial tells what drug or diet adds
APART = """study,treat1,treat2,yi,sei
1,CBT + drug,drug,0.32,0.15
2,CBT,placebo,0.30,0.11
3,CBT + exercise,exercise,0.22,0.16
4,exercise + diet,diet,0.2,0.2
"""
TOML = """id = "parts"
title = "Components"

[settings]
engine = "quadrature"
tables = ["csv"]
figures = ["svg"]
report = false
documents = []

[[network]]
id = "N1"
outcome = "Depression"
measure = "SMD"
data = "joined.csv"
better = "higher"
method = "DL"
components = "+"
inactive = "placebo"

[[network]]
id = "N2"
outcome = "Anxiety"
measure = "SMD"
data = "apart.csv"
better = "higher"
components = "+"
inactive = "placebo"
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("components")
    (folder / "joined.csv").write_text(JOINED)
    (folder / "apart.csv").write_text(APART)
    (folder / "review.toml").write_text(TOML)
    return run_review(folder, folder / "out"), folder


def table(folder, name):
    with (folder / "out" / "tables" / f"{name}.csv").open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_results_have_the_components_and_the_treatments_that_they_make_up(run):
    done, folder = run
    assert [result.errors for result in done.results] == [[], []]
    net = bm.network(folder / "joined.csv", "SMD", components="+", inactive="placebo", better="higher")
    freq = bm.component_network(folder / "joined.csv", "SMD", inactive="placebo", method="DL")
    rows = {(row["method"], row["term"]): row for row in done.results[0].rows}
    for term in ("CBT", "drug", "exercise", "CBT + drug vs placebo", "drug vs CBT"):
        exact = rows["bayes:normal:quadrature", term]
        assert exact["estimate"] == pytest.approx(net.quantile(term, 0.5), abs=1e-12)
        assert exact["prob_benefit"] == pytest.approx(1 - net.cdf(term, 0.0), abs=1e-12)
    for term, row in freq.components.iterrows():
        assert [rows["DL", term][key] for key in ("estimate", "se", "pvalue")] == pytest.approx(
            [row["estimate"], row["se"], row["pvalue"]], abs=1e-12
        )
    assert rows["DL", "drug vs CBT + exercise"]["se"] == pytest.approx(freq.se.loc["drug", "CBT + exercise"], abs=1e-12)
    saved = network_of(done.results[0])
    at = saved["treatments"].index
    assert saved["reference"] == "placebo"
    assert saved["fits"]["DL"]["estimate"][at("CBT + drug")][at("placebo")] == pytest.approx(
        freq.effects.loc["CBT + drug", "placebo"]
    )
    assert not saved["splits"]
    assert not saved["inconsistency"]
    assert "contributions" not in saved


def test_tables_of_components_and_additivity(run):
    _, folder = run
    rows = {row["Component"]: row for row in table(folder, "network_components") if row["Network"].startswith("N1")}
    freq = bm.component_network(folder / "joined.csv", "SMD", inactive="placebo", method="DL")
    cbt = freq.components.loc["CBT"]
    assert rows["CBT"]["Frequentist"] == f"{cbt['estimate']:.2f} [{cbt['ci_low']:.2f}, {cbt['ci_high']:.2f}]"
    assert (rows["CBT"]["Treatments"], rows["CBT"]["Trials"]) == ("3", "3")
    tests = [row for row in table(folder, "network_additivity") if row["Network"].startswith("N1")]
    assert [row["Q"] for row in tests][:3] == [f"{q:.2f}" for q in (freq.q, freq.q_standard, freq.q_difference)]
    net = bm.network(folder / "joined.csv", "SMD", components="+", inactive="placebo")
    expected = bm.additivity(net)["bf_additivity"]
    assert [float(row["BF for additivity"]) for row in tests[4:]] == pytest.approx(list(expected[1:]), rel=0.01)


def test_what_the_data_do_not_identify_is_marked_and_has_no_frequentist_estimate(run):
    done, folder = run
    rows = {row["Component"]: row for row in table(folder, "network_components") if row["Network"].startswith("N2")}
    assert set(rows) == {"CBT", "exercise", "diet *", "drug *"}
    assert rows["drug *"]["Frequentist"] == ""
    assert rows["CBT"]["Frequentist"] != ""
    effects = {row["Comparison"]: row for row in table(folder, "network_effects") if row["Network"].startswith("N2")}
    assert {name for name in effects if not name.endswith(" *")} == {
        "CBT vs placebo",
        "exercise vs placebo",
        "CBT + exercise vs placebo",
    }
    ranked = [row["Treatment"] for row in table(folder, "network_ranking") if row["Network"].startswith("N2")]
    assert {"CBT + drug *", "CBT"} <= set(ranked)
    league = {row["Treatment"]: row for row in table(folder, "network_league_N2")}
    assert league["CBT + drug"]["placebo"].endswith(" *")
    assert not league["CBT + drug"]["drug"].endswith(" *")
    saved = network_of(done.results[1])
    found = np.array(saved["components"]["identified"])
    assert (np.isfinite(np.array(saved["fits"]["REML"]["estimate"], dtype=float)) == found).all()
    terms = {row["term"] for row in done.results[1].rows if row["method"] == "REML"}
    assert "drug vs CBT + drug" in terms
    assert not {"drug vs placebo", "placebo vs drug"} & terms


def test_figures_have_the_forest_plot_of_components(run):
    _, folder = run
    names = {path.name for path in (folder / "out" / "figures").iterdir()}
    assert {"components_N1.svg", "components_N2.svg", "network_forest_N2.svg"} <= names
    assert not {name for name in names if name.startswith(("splits", "net_heat", "contributions"))}
    text = (folder / "out" / "figures" / "components_N2.svg").read_text(encoding="utf-8")
    assert "Not identified by the data" in text


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('components = "+"\n', "", "give components"),
        ('method = "DL"', 'method = "MH"', "component networks pool contrasts"),
        ('method = "DL"', 'likelihood = "binomial"', "exact on contrasts only"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(tmp_path, old, new, match):
    toml = TOML.replace('"SMD"', '"OR"') if "binomial" in new else TOML
    (tmp_path / "review.toml").write_text(toml.replace(old, new, 1))
    with pytest.raises(SpecError, match=match):
        read_review(tmp_path)


def test_components_that_no_treatment_has_and_parts_without_components_are_found_before_a_run(run):
    _, folder = run
    review, _ = read_review(folder)
    assert [data_problem(review, network, folder) for network in review.network] == ["", ""]
    unknown = review.network[0].model_copy(update={"inactive": "sugar"})
    assert "unknown component 'sugar'" in str(data_problem(review, unknown, folder))
    apart = review.network[1].model_copy(update={"components": None, "inactive": None})
    assert "parts that no study connects" in str(data_problem(review, apart, folder))
