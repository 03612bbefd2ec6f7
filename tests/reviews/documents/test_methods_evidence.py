"""The methods text on risk of bias, certainty, networks, categories, cumulative meta-analysis and checks of models."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from bayesmeta.certainty.risk_of_bias_tools import tools
from bayesmeta.reviews.documents.facts import Facts
from bayesmeta.reviews.documents.methods import methods_text
from bayesmeta.reviews.documents.methods_evidence import TOOL_WORKS, _baseline, bias_section
from bayesmeta.reviews.documents.methods_networks import _in_sentence
from bayesmeta.reviews.documents.references import works
from bayesmeta.reviews.documents.sentences import keys_of, paragraph_text
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.run import run_review

REVIEW = """id = "evidence"
title = "Evidence of several kinds"
notice = "Made-up numbers."
[settings]
engine = "quadrature"
likelihoods = ["normal"]
cumulative = true
tables = []
figures = []
report = false
documents = []
[studies]
data = "studies.csv"
[risk_of_bias]
tool = "rob2"
key_domains = ["randomization", "deviations"]
adjust = { unclear = 0.5 }
[bands.SMD]
trivial = 0.2
small = 0.5
[[analysis]]
id = "1.1"
outcome = "Sleep"
measure = "SMD"
better = "lower"
data = "sleep.csv"
absolute = {}
grade = { imprecision = { down = 1, why = "few people" } }
[[analysis]]
id = "1.2"
outcome = "Death"
measure = "RR"
better = "lower"
data = "death.csv"
absolute = { baseline = "pooled" }
cumulative = false
[[network]]
id = "N1"
outcome = "Pain"
measure = "MD"
better = "lower"
data = "contrasts.csv"
component = "p"
priors = { d = "Normal(0, 10)", tau = "HalfNormal(1)" }
[[network]]
id = "N2"
outcome = "Cure"
measure = "OR"
method = "MH"
data = "arms.csv"
[[categories]]
id = "C1"
outcome = "Change"
data = "change.csv"
priors = { tau = "HalfNormal(0.3)" }
"""
FILES = {
    "sleep.csv": "study,yi,sei\nA,-0.30,0.20\nB,-0.10,0.15\nC,-0.80,0.25\nD,-0.40,0.30\n",
    "death.csv": "study,events_e,n_e,events_c,n_c\nA,5,100,9,100\nB,12,150,20,150\n",
    "contrasts.csv": "study,treat1,treat2,yi,sei\nA,x,p,-0.5,0.2\nB,y,p,-0.9,0.3\nC,y,x,-0.1,0.2\nD,v,w,-0.1,0.2\n",
    "arms.csv": "study,treatment,events,n\n1,a,3,40\n1,b,6,41\n2,b,5,50\n2,c,9,52\n3,a,2,30\n3,c,7,33\n",
    "change.csv": "study,arm,insecure_to_secure,stable_secure,secure_to_insecure,stable_insecure\n"
    "E,PIP,41,4,1,13\nE,control,3,3,2,23\nF,PIP,28,1,0,9\nF,control,1,0,1,38\n",
    "studies.csv": "study,year,rob_randomization,rob_deviations,rob_missing_data,rob_measurement,rob_reported_result\n"
    "A,2001,low,low,high,low,low\nB,1999,low,some concerns,low,low,low\nC,2010,low,high,low,low,low\nD,2012,low,low,low,low,low\n",
}


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    (folder / "review.toml").write_text(REVIEW)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    run = run_review(folder, folder / "out", only=("1.1", "1.2", "N1", "N2"))
    assert run.failed == {}
    review, results = load_run(run.out)
    # what a run saves of such an outcome is in tests/reviews/test_categories.py: fitting one takes seconds
    model = {
        "kind": "categories",
        "model": "categories",
        "method": "bayes:transitions:quadrature",
        "before": ["secure", "insecure"],
        "reference": "control",
    }
    row = {"method": model["method"], "model": "categories", "estimate": 1.0, "term": "secure"}
    change = AnalysisResult(
        "C1", rows=[row], models=[model], priors={"transitions": "d ~ Normal(0, 1), tau ~ HalfNormal(0.3)"}
    )
    return Facts(review, (*results, change), {"bayesmeta": "1", "python": "3"})


def text_of(facts):
    sections = methods_text(facts)
    keys = keys_of(sections)
    return {section.heading: paragraph_text(section, keys) for section in sections}, keys


def without(facts, *ids):
    """The facts of a run without some analyses."""
    kept = tuple(result for result in facts.results if result.id not in ids)
    review = facts.review
    left = {
        name: tuple(one for one in getattr(review, name) if one.id not in ids)
        for name in ("analysis", "network", "categories")
    }
    return Facts(review.model_copy(update=left), kept, facts.versions)


def test_risk_of_bias_says_who_judged_and_what_it_was_used_for(facts):
    text, keys = text_of(facts)
    bias = text["Risk of bias"]
    assert (
        "The risk of bias of 4 studies was judged by the reviewers with RoB 2; the program takes these judgements as entered"
        in bias
    )
    assert "not counted: Bias due to missing outcome data, " in bias
    assert "pooled again without those at high risk overall" in bias
    assert "prior Normal(0, 0.11) (SMD) and Normal(0, 0.2) (RR), on the model scale" in bias
    assert "studies between low and high risk, or not judged, were given 0.5 of it" in bias
    assert "bias-adjusted model (analyses 1.1, 1.2; normal likelihood)" in bias
    assert {"Sterne2019", "Turner2009", "Savovic2012"} <= set(keys)
    assert not {"Higgins2011", "Sterne2016", "Whiting2011"} & set(keys)


def test_a_study_of_several_analyses_is_counted_once(facts):
    # that of a synthesis has the name of its analysis too
    first = dataclasses.replace(facts.results[0], rows=[], models=[])
    again = dataclasses.replace(
        first, id="S1", rows=[], models=[], studies=[{**row, "study": f"{row['study']} (1.1)"} for row in first.studies]
    )
    synthesis = [SimpleNamespace(id="S1")]
    review = SimpleNamespace(risk_of_bias=facts.review.risk_of_bias, synthesis=synthesis)
    found = bias_section(Facts(review, (first, again), {})).sentences[0].text
    assert "The risk of bias of 4 studies" in found


def test_risk_of_bias_without_use_or_judgements(facts):
    plain = [dataclasses.replace(one, rows=[], models=[]) for one in facts.results]
    text, keys = text_of(Facts(facts.review, tuple(plain), {}))
    assert "judged by the reviewers" in text["Risk of bias"]
    assert "pooled again" not in text["Risk of bias"]
    assert "bias-adjusted" not in text["Risk of bias"]
    assert "Turner2009" not in keys
    none = facts.review.model_copy(update={"risk_of_bias": None})
    assert "Risk of bias" not in text_of(Facts(none, facts.results, {}))[0]


def test_certainty_is_that_of_the_reviewers(facts):
    text, keys = text_of(facts)
    certainty = text["Certainty of the evidence"]
    assert "(analysis 1.1) was rated by the reviewers by GRADE" in certainty
    assert "proposals do not change the ratings" in certainty
    assert "Risks with the intervention (analysis 1.2)" in certainty
    assert "the risk with control (pooled over the control groups)" in certainty
    assert "SMD: trivial 0.2, small 0.5" in certainty
    assert {"Guyatt2008", "Guyatt2025", "Zeng2022", "Santesso2020", "Chinn2000"} <= set(keys)
    unrated = facts.review.model_copy(
        update={"analysis": tuple(one.model_copy(update={"grade": None}) for one in facts.review.analysis)}
    )
    text, keys = text_of(Facts(unrated, facts.results, facts.versions))
    assert "GRADE" not in str(text)
    assert "Risks with the intervention" in text["Absolute effects"]
    assert not {"Guyatt2008", "Guyatt2025", "Santesso2020"} & set(keys)


def test_networks_say_model_priors_ranking_and_consistency(facts):
    text, keys = text_of(facts)
    network = text["Network meta-analysis"]
    assert "(analyses N1, N2) were compared in network meta-analyses" in network
    assert "weighted least squares, with the heterogeneity variance by REML" in network
    assert "from counts, without corrections for zero cells: Mantel-Haenszel" in network
    assert "d ~ Normal(0, 10), tau ~ HalfNormal(1), inconsistency ~ " in network
    assert "cumulative ranking curve" in network
    assert "P-scores" in network
    assert "by splitting nodes" in network
    assert "design-by-treatment interaction" in network
    assert "the part that contains p (N1)" in network
    found = {"Lu2004", "Rucker2012", "Efthimiou2019", "Salanti2011", "Rucker2015", "Dias2010", "Higgins2012", "Lu2006"}
    assert found <= set(keys)
    # their priors are not among those of pairwise models
    assert "d ~" not in text["Bayesian meta-analysis"]
    text, keys = text_of(without(facts, "N1"))
    assert "least squares" not in text["Network meta-analysis"]
    assert "ranked" not in text["Network meta-analysis"]
    assert not {"Rucker2012", "Salanti2011", "Rucker2015"} & set(keys)
    text, keys = text_of(without(facts, "N1", "N2"))
    assert "Network meta-analysis" not in text
    assert not found & set(keys)


def test_networks_say_what_was_added_to_zero_cells(facts):
    assert "0.5 was added" not in text_of(facts)[0]["Network meta-analysis"]
    results = [
        dataclasses.replace(
            one, models=[{**model, "notes": ["A: 0.5 added to all cells", "B: other"]} for model in one.models]
        )
        if one.id == "N1"
        else one
        for one in facts.results
    ]
    found = text_of(Facts(facts.review, tuple(results), facts.versions))[0]["Network meta-analysis"]
    assert "0.5 was added to the cells of 1 study, because of zero cells [" in found
    assert _in_sentence("DerSimonian-Laird, generalized") == "generalized DerSimonian-Laird"
    assert _in_sentence("Maximum likelihood") == "maximum likelihood"


def test_priors_of_networks_are_stated_once(facts):
    both = {
        "normal:quadrature": "d ~ N(0, 2), tau ~ H(1), inconsistency ~ N(0, 0.5)",
        "binomial:nuts": "d ~ N(0, 2), tau ~ H(1)",
    }
    results = [
        dataclasses.replace(one, priors=both) if one.id == "N1" else one for one in facts.results if one.id != "N2"
    ]
    found = text_of(Facts(facts.review, tuple(results), facts.versions))[0]["Network meta-analysis"]
    assert (
        "were d ~ N(0, 2), tau ~ H(1), inconsistency ~ N(0, 0.5). The baseline of each study (the logit of a risk)"
        in found
    )


def test_baselines_of_sampled_categories_have_their_prior_stated(facts):
    assert "in each study had" not in text_of(facts)[0]["Outcomes with several categories"]
    last = facts.results[-1]
    sampled = dataclasses.replace(last, models=[{**last.models[0], "method": "bayes:transitions:nuts"}])
    found = text_of(Facts(facts.review, (*facts.results[:-1], sampled), facts.versions))[0]
    assert (
        "The log odds of two categories in each study had the program's default prior, Normal(0, 2.5) (change)."
        in found["Outcomes with several categories"]
    )


def test_a_baseline_risk_is_named_without_the_number_of_studies():
    assert _baseline("median of the control groups of 3 studies") == "median of the control groups"
    assert _baseline("pooled over the control group of 1 study, random effects") == "pooled over the control group"
    assert _baseline("the control arm of a registry of 2010") == "the control arm of a registry of 2010"


def test_every_reference_of_categories_is_named(facts):
    last = facts.results[-1]
    both = dataclasses.replace(
        last, models=[{**last.models[0], "reference": name} for name in ("control", "other drug")]
    )
    found = text_of(Facts(facts.review, (*facts.results[:-1], both), facts.versions))[0]
    assert "under the reference (control or other drug)" in found["Outcomes with several categories"]


def test_outcomes_with_categories_have_no_effect_measure(facts):
    only = without(facts, "1.1", "1.2", "N1", "N2")
    text, _ = text_of(only)
    assert "Outcomes with several categories" in text
    assert "Effect measures" not in text


def test_categories_say_the_model_and_how_it_was_fitted(facts):
    text, keys = text_of(facts)
    found = text["Outcomes with several categories"]
    assert "Change between categories (analysis C1) was fitted as one transition model" in found
    assert "one multinomial outcome" not in found
    assert "by the normal approximation" in found
    assert "tau ~ HalfNormal(0.3)" in found
    assert "Schmid2014" in keys
    assert "model file" not in str(text)
    assert "transitions likelihood" not in str(text)
    text, keys = text_of(without(facts, "C1"))
    assert "Outcomes with several categories" not in text
    assert "Schmid2014" not in keys


def test_cumulative_meta_analysis_and_checks_are_sensitivity_analyses(facts):
    text, keys = text_of(facts)
    sensitivity = text["Sensitivity analyses"]
    assert "pooled cumulatively, in the order of year (analysis 1.1)" in sensitivity
    assert "was fitted without each study in turn" in sensitivity
    assert "predictive p-values" in sensitivity
    assert {"Lau1992", "Marshall2007"} <= set(keys)
    plain = tuple(dataclasses.replace(one, models=[]) for one in facts.results)
    text, keys = text_of(Facts(facts.review, plain, facts.versions))
    assert "cumulatively" not in str(text)
    assert "predictive p-values" not in str(text)
    assert not {"Lau1992", "Marshall2007"} & set(keys)


def test_every_tool_has_its_work():
    assert set(TOOL_WORKS) == set(tools())
    assert set(TOOL_WORKS.values()) <= set(works())
