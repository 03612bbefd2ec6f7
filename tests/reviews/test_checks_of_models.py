"""Checks of models with moderators: in the results of a run, in its tables, on the page and in its documents."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.reviews.documents.checklists import checklists_table
from bayesmeta.reviews.documents.methods_evidence import check_sentences
from bayesmeta.reviews.documents.source import DocumentSource
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.model_checks import KIND, REPLICATIONS
from bayesmeta.reviews.network_checks import network_checks
from bayesmeta.reviews.report.deviance import deviance_table
from bayesmeta.reviews.report.left_out import left_out_table
from bayesmeta.reviews.report.page import report_page
from bayesmeta.reviews.report.predictive import predictive_section
from bayesmeta.reviews.run import run_review

REVIEW = """id = "checked"
title = "Checked models"
[settings]
engine = "quadrature"
likelihoods = ["normal", "arm-level"]
tables = ["csv"]
figures = []
report = false
documents = []
[[analysis]]
id = "1.1"
outcome = "Events"
measure = "RR"
data = "counts.csv"
moderators = ["~ dose", "~ dose + center(year)"]
[[network]]
id = "2.1"
outcome = "Events"
measure = "OR"
data = "arms.csv"
reference = "P"
[[categories]]
id = "3.1"
outcome = "Attachment"
data = "attachment.csv"
categories = ["secure", "avoidant", "resistant", "disorganised"]
"""
ATTACHMENT = """study,treatment,secure,avoidant,resistant,disorganised
E,PIP,45,5,0,9
E,control,6,7,4,14
F,PIP,29,6,0,3
F,control,1,11,16,12
F,talking,22,6,2,9
"""
ARMS = """study,treatment,events,n
T1,P,20,100
T1,X,30,100
T1,Y,25,90
T2,P,15,80
T2,X,22,85
T3,X,40,120
T3,Y,38,110
T4,P,9,60
T4,Z,14,61
T5,P,11,70
T5,Y,30,72
"""
COUNTS = """study,events_e,n_e,events_c,n_c,dose,year
A,8,48,16,49,1,2001
B,12,60,15,58,2,2004
C,3,31,9,30,4,2002
D,9,80,22,80,5,2009
E,21,90,20,88,1,2011
F,30,70,11,70,4,2007
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("moderated")
    (folder / "review.toml").write_text(REVIEW)
    (folder / "counts.csv").write_text(COUNTS)
    (folder / "arms.csv").write_text(ARMS)
    (folder / "attachment.csv").write_text(ATTACHMENT)
    found = run_review(folder, folder / "out")
    assert found.failed == {}
    return found


@pytest.fixture(scope="module")
def checked(run):
    return {model["model"]: model for model in run.results[0].models if model["kind"] == "checks"}


def test_each_model_with_moderators_is_checked_with_its_rows_of_the_design(run, checked):
    posterior = bm.fit(run.out.parent / "counts.csv", measure="RR", likelihood="normal", moderators="~ dose")
    found = checked["~ dose"]
    assert found["method"] == "bayes:normal:quadrature"
    at_means = [row for row in found["left_out"] if row["term"] == ""]
    dose = [row for row in found["left_out"] if row["term"] == "dose"]
    assert [row["study"] for row in dose] == ["(none)", *"ABCDEF"]
    for rows, term in ((at_means, None), (dose, "dose")):
        expected = bm.influence(posterior, term=term, scale="natural")
        assert [row["ci_high"] for row in rows] == pytest.approx(expected["ci_high"].tolist(), rel=1e-9)
    # without a study, by a fit to the others with the priors of all, which depend on the spread of the moderator
    data = pd.read_csv(run.out.parent / "counts.csv")
    others = bm.fit(
        data[data["study"] != "F"], measure="RR", likelihood="normal", moderators="~ dose", priors=posterior.priors
    )
    without = next(row for row in dose if row["study"] == "F")
    assert without["estimate"] == pytest.approx(float(np.exp(others.quantile("dose", 0.5))), rel=1e-6)
    # predicted from the others, by draws with the study's row of the design
    draws = others.solution.sample_pooled(200_000, np.random.default_rng(1))
    y, se = (posterior.data.columns[name][5] for name in ("effect", "se"))
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((2, 200_000))
    new = draws[INTERCEPT] + 4 * draws["dose"] + draws["tau"] * noise[0] + se * noise[1]
    row = next(one for one in found["predictive"] if (one["check"], one["study"]) == ("given the others", "F"))
    assert row["tail"] == pytest.approx((new < y).mean(), abs=0.005)


def test_tables_page_and_documents_have_the_checks_of_moderators(run):
    review, results = load_run(run.out)
    table = left_out_table(review, results)
    headings = table.frame["Analysis"].unique().tolist()
    assert any(name.endswith("~ dose: coefficient dose") for name in headings)
    assert any(name.endswith("~ dose + center(year): coefficient center(year)") for name in headings)
    assert any(name.endswith("~ dose: effect at the means of the moderators") for name in headings)
    html = predictive_section(results[0])
    assert len(pd.read_csv(run.out / "tables" / "predictive.csv").query("Analysis.str.contains('1.1')")) == 3 * 8
    assert "<h3>Predictive checks: ~ dose</h3>" in html
    assert html.count('<circle class="others"') == 3 * 6
    source = DocumentSource(review, tuple(results))
    answers = checklists_table(source).frame.set_index("Item")
    assert "tables/predictive" in " ".join(map(str, answers.loc["3.A"]))
    text = " ".join(sentence.text for sentence in check_sentences(source.facts))
    assert "Models with moderators were fitted without each study in turn." in text
    assert "Networks of contrasts were fitted without each trial in turn." in text
    assert "residual deviance and leverage" in text


def test_networks_are_checked_in_the_run(run):
    review, results = load_run(run.out)
    (found,) = [model for model in results[1].models if model["kind"] == "checks"]
    net = bm.network(run.out.parent / "arms.csv", measure="OR", reference="P")
    expected = net.influence(scale="natural").reset_index()
    assert [(row["term"], row["study"]) for row in found["left_out"]] == list(
        expected[["term", "left_out"]].itertuples(index=False, name=None)
    )
    np.testing.assert_allclose([row["ci_high"] for row in found["left_out"]], expected["ci_high"], rtol=1e-9)
    checks = net.predictive_checks(draws=REPLICATIONS)
    np.testing.assert_allclose([row["tail"] for row in found["predictive"]], checks["tail"], rtol=1e-9)
    assert sum(row["deviance"] for row in found["deviance"]) == pytest.approx(net.residual_deviance)
    # only T4 has Z: nothing is known of it without T4, and T4 is not predicted from the others
    assert found["unconnected"] == 1
    influence = pd.read_csv(run.out / "tables" / "influence.csv", dtype=str).fillna("")
    row = influence[influence["Analysis"].str.endswith("Z vs P") & (influence["Left out"] == "T4")].iloc[0]
    assert row["Note"].startswith("Not connected without it: Z.")
    assert row["Estimate"] == ""
    predictive = pd.read_csv(run.out / "tables" / "predictive.csv", dtype=str).fillna("")
    own = predictive[predictive["Analysis"].str.startswith("2.1")].set_index("Study or statistic")
    assert own.loc["T4: Z vs P", "p, others"] == ""
    assert own.loc["T2: X vs P", "p, others"] != ""
    assert own.loc["T1: all together, distance", "p, all"] != ""
    table = deviance_table(review, results[:2])
    counts = dict.fromkeys(("study", "treatment", "observed", "fitted", "points", "deviance", "leverage", "dic"), 1.0)
    model = {"kind": KIND, "model": "network", "deviance": [{**counts, "observed": 16.0}]}
    for method, shown in (("bayes:binomial:nuts", "16"), ("bayes:normal:quadrature", "16.00")):
        one = dataclasses.replace(results[1], models=[{**model, "method": method}])
        assert deviance_table(review, [one]).frame["Observed"].tolist() == [shown, ""]
    assert table.frame.iloc[-1]["Trial"] == "All"
    assert float(table.frame.iloc[-1]["Contribution to DIC"]) == pytest.approx(net.dic, abs=0.051)


def test_the_page_shows_the_checks_of_networks(run):
    review, results = load_run(run.out)
    page = report_page(review, results)
    section = page[page.index('id="a-2.1"') : page.index('id="a-3.1"')]
    assert "<h3>Predictive checks: Bayesian, normal likelihood (quadrature)</h3>" in section
    # T1 has two contrasts, which are one of the five results
    assert "of 4 surprising" in section
    assert "without that trial its treatments are not connected: 1 contrast" in section
    assert section.count('<circle class="all"') == 6
    assert section.count('<circle class="others"') == 5
    assert "Leverage plot, analysis 2.1" in section
    for heading in (
        "Influence of single studies",
        "Predictive checks of single studies",
        "Residual deviance and leverage",
    ):
        assert f"<summary>{heading}</summary>" in section


def test_of_large_networks_the_most_influential_trials_are_saved(run, monkeypatch):
    monkeypatch.setattr("bayesmeta.reviews.network_checks.MOST_ROWS", 10)
    net = bm.network(run.out.parent / "arms.csv", measure="OR", reference="P")
    rows = network_checks(net, level=0.95)["left_out"]
    assert [row["study"] for row in rows if row["term"] == "X vs P"].count("(none)") == 1
    assert len([row for row in rows if row["term"] == "X vs P"]) == 4
    assert any(row["most_influential"] for row in rows if row["term"] == "X vs P")


def test_categories_are_checked_in_the_run(run):
    review, results = load_run(run.out)
    (found,) = [model for model in results[2].models if model["kind"] == "checks"]
    fit = bm.categories(run.out.parent / "attachment.csv", engine="quadrature")
    expected = fit.predictive_checks()
    assert [row["check"] for row in found["predictive"]] == expected["check"].tolist()
    np.testing.assert_allclose([row["pvalue"] for row in found["predictive"]], expected["pvalue"], rtol=1e-9)
    np.testing.assert_allclose([row["deviance"] for row in found["deviance"]], fit.deviances()["deviance"], rtol=1e-9)
    predictive = pd.read_csv(run.out / "tables" / "predictive.csv", dtype=str).fillna("")
    own = predictive[predictive["Analysis"].str.startswith("3.1")].set_index("Study or statistic")
    # only F has talking, so that it is not predicted from E
    assert own.loc["F: all together, distance", "p, others"] == ""
    assert own.loc["E: all together, distance", "p, others"] != ""
    section = report_page(review, results)
    section = section[section.index('id="a-3.1"') :]
    assert "predicted from the others: none of 1 surprising" in section
    assert "its treatments are not connected: 1 trial." in section
    assert deviance_table(review, results).frame["Analysis"].str.startswith("3.1").sum() == 3
