"""Checks of the fit that is shown: in the results of a run, in its tables and on the report page, which fits nothing."""

from __future__ import annotations

import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.model_checks import REPLICATIONS, checks_of
from bayesmeta.reviews.report.page import report_page
from bayesmeta.reviews.report.predictive import predictive_section, predictive_text
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.run import run_review

REVIEW = """id = "checked"
title = "A checked review"
notice = "Made-up numbers."
[settings]
engine = "quadrature"
tables = ["csv", "md"]
figures = []
report = false
documents = []
CHECKS
[[analysis]]
id = "1.1"
outcome = "Events"
measure = "RR"
better = "lower"
data = "counts.csv"
[[analysis]]
id = "1.2"
outcome = "Pain"
measure = "MD"
data = "estimates.csv"
[[analysis]]
id = "1.3"
outcome = "Pain of one study"
measure = "MD"
data = "one.csv"
"""
FILES = {
    "counts.csv": "study,events_e,n_e,events_c,n_c\nA,8,48,16,49\nB,12,60,15,58\nC <b>,0,31,9,30\n",
    "estimates.csv": "study,yi,sei\nA,0.30,0.25\nB,0.41,0.30\nC,0.2,0.22\nFar off,6.5,0.28\n",
    "one.csv": "study,yi,sei\nA,0.30,0.25\n",
}


def run_in(folder, checks=""):
    folder.mkdir(exist_ok=True)
    (folder / "review.toml").write_text(REVIEW.replace("CHECKS", checks))
    for name, text in FILES.items():
        (folder / name).write_text(text)
    run = run_review(folder, folder / "out")
    assert run.failed == {}
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_in(tmp_path_factory.mktemp("checked"))


def checks_in(run, name):
    (result,) = [result for result in run.results if result.id == name]
    (found,) = [model for model in result.models if model["kind"] == "checks"]
    return found


@pytest.mark.parametrize(("name", "likelihood"), [("1.1", "binomial"), ("1.2", "normal")])
def test_a_run_saves_the_checks_of_the_fit_that_is_shown(run, name, likelihood):
    review, _ = load_run(run.out)
    (analysis,) = [one for one in review.analysis if one.id == name]
    folder = run.out.parent
    given = {"measure": analysis.measure, "likelihood": likelihood, "engine": "quadrature"}
    posterior = bm.fit(folder / analysis.data, **given)
    found = checks_in(run, name)
    assert found["method"] == f"bayes:{likelihood}:quadrature"
    expected = bm.predictive_checks(posterior, draws=REPLICATIONS)
    saved = pd.DataFrame(found["predictive"])
    assert saved["pvalue"].tolist() == pytest.approx(expected["pvalue"].tolist(), rel=1e-9)
    assert saved["study"].tolist() == expected["study"].tolist()
    left_out = bm.influence(posterior, scale="natural")
    assert [row["study"] for row in found["left_out"]] == list(left_out.index)
    assert [row["estimate"] for row in found["left_out"]] == pytest.approx(left_out["estimate"].tolist(), rel=1e-9)


def test_tables_have_the_influence_and_the_predictive_checks_of_pairwise_analyses(run):
    influence = pd.read_csv(run.out / "tables" / "influence.csv", dtype=str)
    assert influence["Left out"].tolist() == ["none", "A", "B", "C <b>", "none", "A", "B", "C", "Far off"]
    predictive = pd.read_csv(run.out / "tables" / "predictive.csv", dtype=str)
    row = predictive[predictive["Study or statistic"] == "Far off"].iloc[0]
    assert row["Observed"] == "6.50"
    assert float(row["p, others"].removeprefix("<")) < 0.05
    # counts: natural scale, with 1/2 added to each
    ratio = predictive[predictive["Study or statistic"] == "A"].iloc[0]["Observed"]
    assert float(ratio) == pytest.approx(8.5 / 49 / (16.5 / 50), abs=0.005)


def test_a_single_study_has_no_others(run):
    found = checks_in(run, "1.3")
    assert "left_out" not in found
    assert {row["check"] for row in found["predictive"]} == {"given all", "largest residual"}
    assert "predicted from all, itself included: none of 1 surprising" in predictive_text(found["predictive"])


def test_the_page_shows_checks_without_fitting_anything(run, monkeypatch):
    def refuse(*_args, **_keywords):
        raise AssertionError("the page fits nothing")

    for place in (
        "bayesmeta.posterior.fit.solve",
        "bayesmeta.posterior.refit.solve",
        "bayesmeta.reviews.analysis.solve",
    ):
        monkeypatch.setattr(place, refuse)
    page = report_page(*load_run(run.out))
    assert page.count("<h3>Predictive checks</h3>") == 3
    section = page[page.index('id="a-1.2"') : page.index('id="a-1.3"')]
    assert "1 of 4 surprising (p below 0.05: Far off)" in section
    for heading in (
        "Influence of single studies",
        "Predictive checks of single studies",
        "All methods",
        "How this was computed",
    ):
        assert f"<summary>{heading}</summary>" in section
    assert section.count('<circle class="others"') == section.count('<circle class="all"') == 4
    hostile = page[page.index('id="a-1.1"') : page.index('id="a-1.2"')]
    assert "C &lt;b&gt;" in hostile
    assert "C <b>" not in hostile


def test_of_a_sampled_fit_the_checks_are_those_of_the_same_model_by_quadrature(bcg_nuts):
    found = checks_of(bcg_nuts, level=0.95)
    exact = bm.influence(bcg_nuts, scale="natural")
    assert [row["ci_high"] for row in found["left_out"]] == pytest.approx(exact["ci_high"].tolist(), rel=1e-9)
    model = {"kind": "checks", "model": "checks", "method": "bayes:normal:nuts", **found}
    html = predictive_section(AnalysisResult("1.1", models=[model]))
    assert html.count('<circle class="others"') == 13
    assert "of 13 surprising" in html
    assert "Bayesian, normal likelihood (NUTS)" in html


def test_what_cannot_be_checked_gives_its_reason(fit):
    data = pd.DataFrame({"study": ["A", "B"], "events_e": [0, 3], "n_e": 20, "events_c": [5, 4], "n_c": 20})
    flat = {"mu": "Flat()", "tau": "HalfNormal(0.5)"}
    found = checks_of(fit(data, measure="RR", likelihood="binomial", priors=flat, engine="quadrature"), level=0.95)
    # study A alone, without events in one arm, does not bound mu
    assert "without 'B'" in found["no_left_out"]
    assert "left_out" not in found
    assert {row["check"] for row in found["predictive"]} == {"given all", "Q", "largest residual"}
    html = predictive_section(AnalysisResult("1.1", models=[{"kind": "checks", "model": "checks", **found}]))
    assert "Studies could not be left out in turn: without &#x27;B&#x27;" in html


def test_checks_can_be_left_out(tmp_path):
    run = run_in(tmp_path / "source", "checks = false")
    assert not any(model["kind"] == "checks" for result in run.results for model in result.models)
    assert not (run.out / "tables" / "predictive.csv").exists()
    assert "Predictive checks" not in report_page(*load_run(run.out))


def test_a_sampled_fit_that_quadrature_does_not_take_is_checked_by_its_draws(bcg_nuts, monkeypatch):
    known = bm.predictive_checks(bcg_nuts).set_index(["check", "study"])["tail"]

    def refuse(_posterior):
        raise SpecError("engine 'quadrature' takes 2 coefficients at most")

    for place in ("bayesmeta.checks.predictive.exact_fit", "bayesmeta.reviews.model_checks.exact_fit"):
        monkeypatch.setattr(place, refuse)
    found = checks_of(bcg_nuts, level=0.95)
    assert "takes 2 coefficients" in found["no_left_out"]
    assert "left_out" not in found
    assert {row["check"] for row in found["predictive"]} == {"given all", "Q", "largest residual"}
    for row in found["predictive"]:
        if row["check"] == "given all":
            assert row["mcse"] > 0
            assert row["tail"] == pytest.approx(known["given all", row["study"]], abs=0.05)
    html = predictive_section(AnalysisResult("1.1", models=[{"kind": "checks", "model": "checks", **found}]))
    assert "predicted from all, itself included" in html
