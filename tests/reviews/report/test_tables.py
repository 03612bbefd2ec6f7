"""Tables made from the results of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bayesmeta.reviews.analysis import run_analysis
from bayesmeta.reviews.report.tables import review_tables
from bayesmeta.reviews.spec import read_review

NOTICE = "Made-up numbers, to test with."


@pytest.fixture(scope="module")
def material(small_source):
    review, folder = read_review(small_source)
    return review, [run_analysis(review, analysis, folder) for analysis in review.analysis[:2]]


@pytest.fixture(scope="module")
def tables(material):
    return review_tables(*material)


def test_which_tables_there_are(tables):
    # one engine only, so there is no table of their agreement
    assert list(tables) == ["main", "methods", "studies", "influence", "predictive", "evidence", "priors"]
    for table in tables.values():
        assert table.notice == NOTICE
        assert table.caption.startswith("A small review")
        assert len(table.frame)
        assert not table.frame.isna().any().any()


def test_main_has_one_row_per_analysis(tables):
    frame = tables["main"].frame
    assert len(frame) == 2
    text = frame.to_csv()
    for part in ("Death", "one year", "Pain", "Drug versus placebo", "0.62"):
        assert part in text


def test_methods_have_every_method_of_every_analysis(tables, material):
    frame = tables["methods"].frame
    assert frame.columns[0] == "Analysis"
    methods = {row["method"] for row in material[1][1].rows if row["term"] == "mu" and row["method"].count(":") < 3}
    pain = frame[frame["Analysis"].str.contains("Pain")]
    assert len(pain) == len(methods)
    death = frame[frame["Analysis"].str.contains("Death")]
    assert {
        "Mantel-Haenszel",
        "DerSimonian-Laird",
        "REML",
        "Published",
        "Bayesian, normal likelihood (quadrature)",
    } <= set(death["Method"])
    assert set(frame["Analysis"]) == {
        "1.1 Death, one year (Drug versus placebo; RR)",
        "1.2 Pain (Drug versus placebo; SMD)",
    }


def test_studies_name_those_left_out(tables):
    frame = tables["studies"].frame
    assert len(frame) == 6
    assert frame.columns[0] == "Analysis"
    assert frame.columns[-1] == "Note"
    clark = frame[frame.apply(lambda row: "Clark" in row.to_list(), axis=1)].iloc[0]
    assert "not estimable" in clark["Note"]


def test_priors_show_main_and_alternative(tables):
    frame = tables["priors"].frame
    assert list(frame["Priors"]) == ["main", "Wide"]
    assert list(frame["Prior of tau"]) == ["HalfNormal(0.5)", "HalfCauchy(1)"]
    assert frame["Estimate"].nunique() == 2


def test_engines_show_convergence_and_agreement(material):
    review, results = material
    diagnostics = [
        {"method": f"bayes:{name}:nuts", "chains": 4, "draws": 1000, "attempts": 1, "r_hat": 1.0012, "ess_bulk": 2100.4, "ess_tail": 1800.2,
         "divergences": 0}
        for name in ("normal", "binomial")
    ]  # fmt: skip
    agreement = [{"likelihood": "normal", "worst_mcse": 1.234, "terms": [{}] * 20}]
    frame = review_tables(review, [replace(results[0], diagnostics=diagnostics, agreement=agreement)])["engines"].frame
    assert list(frame["Method"]) == ["Bayesian, normal likelihood (NUTS)", "Bayesian, binomial likelihood (NUTS)"]
    assert list(frame["From exact posterior (MCSE)"]) == ["1.2", ""]
    assert list(frame["Draws"]) == ["4 x 1000"] * 2
    assert list(frame["R-hat"]) == ["1.0012"] * 2


def test_without_comparisons_there_are_no_groups(material):
    review, results = material
    plain = review.model_copy(update={"alternative": ()})
    ungrouped = [replace(result, rows=[{**row, "comparison": ""} for row in result.rows]) for result in results]
    table = review_tables(plain, ungrouped)["main"]
    assert table.groups is None
    assert "Comparison" not in table.frame


def test_an_analysis_without_any_row_is_left_out(material):
    review, results = material
    empty = replace(results[1], rows=[], studies=[], primary="", priors={}, tau={})
    found = review_tables(review, [results[0], empty])
    assert len(found["main"].frame) >= 1
    assert review_tables(review, []) == {}
