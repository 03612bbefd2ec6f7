"""The summary of findings and the evidence profile of a run: numbers, footnotes, sentences and errors."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.certainty.small_studies import peters_test
from bayesmeta.errors import SpecError
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.grade_keys import AbsoluteKeys
from bayesmeta.reviews.report.evidence_facts import findings
from bayesmeta.reviews.report.small_studies import small_study_test
from bayesmeta.reviews.report.tables import review_tables
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.spec import read_review

REVIEW = """id = "sof"
title = "Exercise for falls"
notice = "Made-up numbers."
[settings]
engine = "quadrature"
tables = ["csv", "md", "html", "tex", "xlsx"]
figures = []
[bands.SMD]
trivial = 0.2
small = 0.5
moderate = 0.8
[[analysis]]
id = "1.1"
outcome = "Falls"
time = "one year"
comparison = "Exercise versus usual care"
measure = "RR"
better = "lower"
data = "falls.csv"
groups = ["Exercise", "usual care"]
absolute = { baseline = 0.3, source = "a registry", per_1000 = { trivial = 10, small = 40, moderate = 150 } }
[analysis.grade]
imprecision = { down = 1, why = "few events" }
[[analysis]]
id = "1.2"
outcome = "Fear of falling"
comparison = "Exercise versus usual care"
measure = "SMD"
better = "lower"
data = "fear.csv"
absolute = { sd = 5, units = "points (0 to 40)" }
grade = { start = "low", risk_of_bias = { down = 1, why = "no blinding" } }
[[analysis]]
id = "1.3"
outcome = "Fractures"
measure = "RR"
better = "lower"
data = "falls.csv"
absolute = { baseline = "pooled" }
[[analysis]]
id = "1.4"
outcome = "Not in the summary"
measure = "RR"
data = "falls.csv"
"""
FALLS = "study,events_e,n_e,events_c,n_c\nA,10,100,20,100\nB,30,200,50,210\nC,5,60,9,58\n"
FEAR = "study,yi,sei\nA,-0.50,0.15\nB,-0.65,0.20\n"


def write(folder, review=REVIEW):
    for name, text in (("review.toml", review), ("falls.csv", FALLS), ("fear.csv", FEAR)):
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_review(write(tmp_path_factory.mktemp("sof")))


@pytest.fixture(scope="module")
def tables(run):
    return review_tables(*load_run(run.out))


def fitted(run, analysis):
    (row,) = [
        r for r in run.results[analysis].rows if r["term"] == "mu" and r["method"] == run.results[analysis].primary
    ]
    return row


def test_rows_and_their_numbers(run, tables):
    assert run.failed == {}
    frame = tables["summary_of_findings"].frame.set_index("Outcome")
    assert list(frame.index) == ["Falls, one year", "Fear of falling", "Fractures"]
    falls, row = frame.loc["Falls, one year"], fitted(run, 0)
    assert falls["Participants (studies)"] == "728 (3 studies)"
    assert falls["Risk with control"] == "300 per 1,000"
    risk, low, high = (round(300 * row[name]) for name in ("estimate", "ci_low", "ci_high"))
    assert falls["Risk with intervention"] == f"{risk} per 1,000 [{low} to {high}]"
    fewer = [300 - 300 * row[name] for name in ("estimate", "ci_low", "ci_high")]
    assert falls["Difference"] == "{:.0f} fewer per 1,000 [{:.0f} fewer to {:.0f} fewer]".format(*fewer)
    needed = [math.ceil(1000 / value) for value in fewer]
    assert falls["Number needed to treat"] == f"NNTB {needed[0]} [{needed[1]} to {needed[2]}]"
    assert falls["Certainty (GRADE)"] == "Moderate"
    assert falls["What it means"] == "Exercise likely results in a reduction in falls (one year)."
    assert falls["Note"] == "Rated down one level for imprecision: few events. Risk with control: a registry."


def test_a_mean_difference_has_its_units(run):
    review, results = load_run(run.out)
    review_ = review.model_copy(
        update={
            "analysis": (
                review.analysis[1].model_copy(update={"measure": "MD", "absolute": AbsoluteKeys(units="points")}),
            )
        }
    )
    result = dataclasses.replace(results[1], models=[])
    (difference,) = review_tables(review_, [result])["summary_of_findings"].frame["Difference"]
    assert re.fullmatch(r"MD -0\.\d\d \[.*\] points", difference)


def test_a_baseline_risk_is_that_of_the_studies_that_are_pooled(tmp_path):
    """A likelihood of the counts pools studies without events, whose control groups belong to the baseline risk."""
    folder = write(
        tmp_path, REVIEW.replace("figures = []", "figures = []\nreport = false\ndocuments = []\nchecks = false")
    )
    (folder / "falls.csv").write_text(f"{FALLS}D,0,40,0,40\n")
    run = run_review(folder, folder / "out", only=("1.3",))
    (found,) = [one for one in run.results[0].models if one["kind"] == "absolute"]
    assert fitted(run, 0)["k"] == 4
    assert found["baseline_source"].startswith("pooled over the control groups of 4 studies")


def test_the_publication_domain_has_a_test_of_small_studies_where_there_are_ten(run, tables):
    table = tables["grade"].frame
    facts = " ".join(table[table["Domain"] == "Publication bias"]["Facts"])
    assert "3 studies: too few for tests of small-study effects, which need 10." in facts
    review, (first, *_) = load_run(run.out)
    events = np.arange(3, 15)
    ratio = np.exp(-1 / events)
    studies = [
        {"study": str(i), "events_e": e, "n_e": 100, "events_c": e + 2, "n_c": 100 + 3 * e, "estimate": r,
         "ci_low": r / 2, "ci_high": r * 2, "weight": 1.0}
        for i, (e, r) in enumerate(zip(events, ratio, strict=True))
    ]  # fmt: skip
    many = dataclasses.replace(first, studies=studies)
    facts = findings(review, review.analysis[0], many)[-1].facts
    assert facts[0].startswith(
        "Peters' test of small-study effects (12 estimates): those of smaller studies are lower, p "
    )
    test = small_study_test(review, review.analysis[0], many)
    both = 2 * events + 2
    expected = peters_test(np.log(ratio), both, 200 + 3 * events)
    assert test.statistic == pytest.approx(expected.statistic)


def test_a_standardized_mean_difference_in_other_words(run, tables):
    fear, row = tables["summary_of_findings"].frame.set_index("Outcome").loc["Fear of falling"], fitted(run, 1)
    assert fear["Certainty (GRADE)"] == "Very low"
    assert (
        fear["What it means"]
        == "The evidence is very uncertain about the effect of the intervention on fear of falling."
    )
    assert f"MD {5 * row['estimate']:.2f}" in fear["Difference"]
    assert "points (0 to 40)" in fear["Difference"]
    odds = math.exp(row["estimate"] * math.pi / math.sqrt(3))
    assert f"odds ratio (Chinn 2000) {odds:.2f}" in fear["Note"]
    assert fear["Relative effect"] == fear["Risk with control"] == ""


def test_an_uncertain_baseline_risk_is_carried(run, tables):
    frame = tables["summary_of_findings"].frame.set_index("Outcome")
    fractures = frame.loc["Fractures"]
    assert fractures["Certainty (GRADE)"] == "Not rated"
    assert fractures["What it means"] == ""
    assert "pooled over the control groups of 3 studies" in fractures["Note"]
    assert "its uncertainty carried" in fractures["Note"]
    (found,) = [model for model in run.results[2].models if model["kind"] == "absolute"]
    assert found["baseline_low"] < found["baseline"] < found["baseline_high"]
    (known,) = [model for model in run.results[0].models if model["kind"] == "absolute"]
    assert (
        found["risk_high"] - found["risk_low"]
        > known["risk_high"] * found["baseline"] / 0.3 - known["risk_low"] * found["baseline"] / 0.3
    )


def test_bands_of_differences_of_risks_are_probabilities(run):
    (found,) = [model for model in run.results[0].models if model["kind"] == "absolute"]
    names = [f"prob_{size}_benefit" for size in ("large", "moderate", "small")] + ["prob_trivial"]
    names += [f"prob_{size}_harm" for size in ("small", "moderate", "large")]
    assert sum(found[name] for name in names) == pytest.approx(1)
    posterior = bm.fit(
        pd.DataFrame({"study": ["A", "B", "C"], "events_e": [10, 30, 5], "n_e": [100, 200, 60], "events_c": [20, 50, 9],
                      "n_c": [100, 210, 58]}),
        measure="RR",
    )  # fmt: skip
    assert found["prob_large_benefit"] == pytest.approx(posterior.cdf("mu", np.log(0.15 / 0.3)), abs=1e-6)
    assert found["prob_trivial"] == pytest.approx(
        posterior.cdf("mu", np.log(0.31 / 0.3)) - posterior.cdf("mu", np.log(0.29 / 0.3)), abs=1e-6
    )


def test_the_profile_has_facts_beside_every_rating(tables):
    frame = tables["grade"].frame
    falls = frame[frame["Analysis"].str.startswith("1.1")].set_index("Domain")
    assert list(falls.index) == [
        "Risk of bias",
        "Inconsistency",
        "Indirectness",
        "Imprecision",
        "Publication bias",
        "Certainty",
    ]
    assert falls.loc["Imprecision", "Rated"] == "-1"
    assert falls.loc["Imprecision", "Why"] == "few events"
    assert "threshold 10 per 1,000" in falls.loc["Imprecision", "Facts"]
    assert "large benefit" in falls.loc["Imprecision", "Facts"]
    assert falls.loc["Inconsistency", "By the rules"] == "0"
    assert falls.loc["Indirectness", "By the rules"] == "For a person"
    assert falls.loc["Risk of bias", "Facts"] == "The risk of bias of the studies was not entered."
    assert falls.loc["Certainty", "Rated"] == "Moderate"
    assert falls.loc["Certainty", "By the rules"].startswith("At most ")
    unrated = frame[frame["Analysis"].str.startswith("1.3")]
    assert set(unrated["Rated"]) == {"Not rated"}
    assert "not take the place" in tables["grade"].notes[0]


def test_every_format_has_both_tables_with_their_notice(run):
    for name in ("summary_of_findings", "grade"):
        for form in ("csv", "md", "html", "tex"):
            text = (run.out / "tables" / f"{name}.{form}").read_text(encoding="utf-8")
            assert "Made-up numbers" in text
        assert (run.out / "tables" / f"{name}.xlsx").stat().st_size > 1000


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("down = 1, why = \"few events\"", "down = 1", "needs its reason"),
        ("imprecision = { down = 1", "imprecision = { up = 1", "imprecision rates down"),
        ("imprecision = { down = 1", "imprecison = { down = 1", "did you mean 'imprecision'"),
        ("imprecision = { down = 1", "publication_bias = { down = 2", "0 to 1 levels"),
        ("{ down = 1, why = \"few events\" }", "{ dwon = 1, why = \"few events\" }", "did you mean 'down'"),
        ("baseline = 0.3", "baseline = 30", "between 0 and 1"),
        ("baseline = 0.3", "baseline = \"medain\"", "medain"),
        ("{ sd = 5,", "{ baseline = \"median\", sd = 5,", "no control groups with events"),
        ("trivial = 10, small = 40", "trivial = 40, small = 10", "further from no effect"),
        ("absolute = { baseline = \"pooled\" }", "absolute = { sd = 3 }", "re-expresses an SMD"),
        ("absolute = { baseline = \"pooled\" }", "absolute = { units = \"days\" }", "units are those of an SMD or MD"),
    ],
)  # fmt: skip
def test_keys_that_cannot_be_used(tmp_path, old, new, part):
    assert old in REVIEW
    write(tmp_path, REVIEW.replace(old, new))
    with pytest.raises(SpecError) as caught:
        read_review(tmp_path)
    assert part in str(caught.value)
    assert "analysis 1." in str(caught.value)


ONE = """id = "sof"
title = "One outcome"
[settings]
engine = "quadrature"
tables = ["html"]
[mid]
RR = 0.8
[[analysis]]
id = "1.1"
outcome = "Falls"
measure = "RR"
better = "higher"
data = "falls.csv"
absolute = { baseline = "median" }
"""


def test_without_ratings_there_is_no_empty_column_and_thresholds_are_those_of_both_sides(tmp_path):
    run = run_review(write(tmp_path, ONE), figures=False)
    tables = review_tables(*load_run(run.out))
    assert "What it means" not in tables["summary_of_findings"].frame
    facts = tables["grade"].frame.set_index("Domain").loc["Imprecision", "Facts"]
    assert "thresholds 0.8 and 1.25." in facts
    page = (run.out / "tables" / "summary_of_findings.html").read_text()
    # no line break divides an interval, or the number of studies
    assert '<span class="interval">(3 studies)</span>' in page
    assert page.count('<span class="interval">[') >= 3


@pytest.mark.parametrize(
    ("better", "shown"), [("lower", "trivial 0.8, small 0.5"), ("higher", "trivial 1.25, small 2")]
)
def test_bands_of_ratios_are_written_on_the_side_of_benefit(tmp_path, better, shown):
    toml = ONE.replace("[mid]\nRR = 0.8", "[bands.RR]\ntrivial = 0.8\nsmall = 0.5").replace("higher", better)
    run = run_review(write(tmp_path, toml), figures=False)
    facts = review_tables(*load_run(run.out))["grade"].frame.set_index("Domain").loc["Imprecision", "Facts"]
    assert f"thresholds {shown}, and the same for harm." in facts


def test_one_study_without_those_at_high_risk_is_one_study(tmp_path):
    toml = REVIEW.replace(
        "[bands.SMD]", '[risk_of_bias]\ntool = "rob2"\ndata = "rob.csv"\ndomains = ["randomization"]\n[bands.SMD]', 1
    )
    folder = write(
        tmp_path, toml.replace("figures = []", "figures = []\nreport = false\ndocuments = []\nchecks = false")
    )
    (folder / "rob.csv").write_text("study,rob_randomization\nA,low\nB,high\nC,high\n")
    run = run_review(folder, folder / "out", only=("1.1",))
    facts = review_tables(*load_run(run.out))["grade"].frame["Facts"].str.cat(sep=" ")
    assert re.search(r"Without them: [^;]*\], 1 study; all: ", facts), facts
