"""Published results reproduced: the review's own methods, to the printed digit, and the reason where they are not."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from paths import FIXTURES_FOLDER, ROOT_FOLDER

from bayesmeta.cochrane.read import read_cochrane
from bayesmeta.cochrane.recompute import agrees, row_problem
from bayesmeta.cochrane.reproduce import reproduce_pooled, reproduce_studies
from bayesmeta.cochrane.reproduce_subgroup_tests import reproduce_subgroup_tests
from bayesmeta.cochrane.review import CochraneAnalysis, CochraneReview, Comparison, Pooled, StudyRow
from bayesmeta.cochrane.rm5 import read_rm5
from bayesmeta.reviews.report.reproduction import reproduction_tables, write_reproduction

FIXTURES = FIXTURES_FOLDER / "cochrane"
SHARED = ROOT_FOLDER.parent / "shared" / "data"
SAMPLE = Path(os.environ.get("BAYESMETA_COCHRANE_SAMPLE", SHARED / "cochrane_sample"))

needs_fleiss = pytest.mark.skipif(
    not (SHARED / "revman" / "Fleiss1993.rm5").is_file(), reason="the three files of Fleiss 1993 are not here"
)
needs_sample = pytest.mark.skipif(
    not list(SAMPLE.glob("*-data-rows.csv")),
    reason="no sample of Cochrane data rows here; name its folder in BAYESMETA_COCHRANE_SAMPLE",
)


def changed(review: CochraneReview, identifier: str, **fields: object) -> CochraneReview:
    """The review with one analysis changed."""
    return dataclasses.replace(
        review,
        comparisons=tuple(
            dataclasses.replace(
                comparison,
                analyses=tuple(
                    dataclasses.replace(one, **fields) if one.id == identifier else one for one in comparison.analyses
                ),
            )
            for comparison in review.comparisons
        ),
    )


def analysis_of(review, identifier):
    return next(one for one in review.analyses if one.id == identifier)


def row_of(frame, identifier, subgroup=0):
    return frame[(frame["analysis"] == identifier) & (frame["subgroup"] == subgroup)].iloc[0]


@pytest.mark.parametrize("name", ["small.rm5", "small.csv", "small.zip"])
def test_deeks2010_every_pooled_result_of_the_fixture_is_reproduced(name):
    frame = reproduce_pooled(read_cochrane(FIXTURES / name))
    # overall 1.1, 1.2, 1.3, 2.1, 2.2, 2.3; subgroups of 1.1 and of 1.4; 2.4 is not pooled
    assert len(frame) == 11
    assert list(frame[frame["status"] == "nothing printed"]["analysis"]) == ["2.4"]
    unlike = frame[frame["status"] == "differs"]
    if name == "small.csv":  # the export rounds log hazard ratios, and Q feels it
        assert list(unlike["analysis"]) == ["2.1"]
        assert "fewer digits" in unlike["reason"].iloc[0] or "last printed digit" in unlike["reason"].iloc[0]
    else:
        assert unlike.empty
    assert (frame["weight_difference"].dropna() < 1e-6).all()


@pytest.mark.parametrize("name", ["small.rm5", "small.csv", "small.zip"])
def test_every_study_effect_of_the_fixture_is_reproduced(name):
    frame = reproduce_studies(read_cochrane(FIXTURES / name))
    assert set(frame["status"]) == {"reproduced", "nothing printed"}
    silent = frame[frame["status"] == "nothing printed"]
    assert list(zip(silent["study"], silent["reason"], strict=True)) == [
        ("Sato 2012", "no events in either arm: RR not estimable"),
        ("Quist 2015", "the standard deviation of the experimental arm is 0"),
    ]


def test_a_difference_is_reported_with_its_reason():
    review = read_cochrane(FIXTURES / "small.zip")
    result = analysis_of(review, "1.1").result
    wrong = changed(review, "1.1", result=dataclasses.replace(result, ci_low=result.ci_low - 0.01))
    row = row_of(reproduce_pooled(wrong), "1.1")
    assert row["status"] == "differs"
    assert row["reason"].startswith("lower limit: ")
    assert "Hartung and Knapp" in row["reason"]
    digit = changed(review, "1.1", result=dataclasses.replace(result, q=result.q + 2e-6))
    assert row_of(reproduce_pooled(digit), "1.1")["reason"] == "q: the last printed digit"
    tau2 = changed(review, "1.1", result=dataclasses.replace(result, tau2=0.3, estimate=result.estimate + 0.1))
    assert "another estimator of tau2" in row_of(reproduce_pooled(tau2), "1.1")["reason"]
    common = changed(review, "1.2", result=dataclasses.replace(analysis_of(review, "1.2").result, estimate=2.0))
    assert "by the stated method" in row_of(reproduce_pooled(common), "1.2")["reason"]


def test_a_study_whose_data_do_not_give_its_effect_is_named_as_the_reason():
    review = read_cochrane(FIXTURES / "small.rm5")
    rows = analysis_of(review, "1.2").rows
    wrong = changed(review, "1.2", rows=(dataclasses.replace(rows[0], events_e=39.0), *rows[1:]))
    studies = reproduce_studies(wrong)
    assert list(studies[studies["status"] == "differs"]["study"]) == ["Müller 2001"]
    assert "1 study differ already" in row_of(reproduce_pooled(wrong), "1.2")["reason"]
    impossible = changed(review, "1.2", rows=(dataclasses.replace(rows[0], events_e=84.0), *rows[1:]))
    reason = row_of(reproduce_pooled(impossible), "1.2")["reason"]
    assert "cannot be used (84 events among 50 participants in the experimental arm)" in reason
    assert (
        "interval"
        in reproduce_studies(changed(review, "1.2", level_study=0.95)).query("analysis == '1.2'")["reason"].iloc[0]
    )


def test_settings_we_cannot_follow_are_named():
    review = read_cochrane(FIXTURES / "small.rm5")
    for fields, expected in (
        ({"method": "", "model": ""}, "does not state"),
        ({"tau2_method": "Sidik"}, "'Sidik'"),
        ({"ci_method": "bootstrap"}, "'bootstrap'"),
        ({"measure": "", "measure_label": "Wibble"}, "'Wibble'"),
    ):
        row = row_of(reproduce_pooled(changed(review, "1.1", **fields)), "1.1")
        assert row["status"] == "not computed"
        assert expected in row["reason"]


def test_reml_and_hartung_knapp_where_the_settings_name_them():
    """RevMan from 2024 names its estimator and its interval; our own REML and Hartung-Knapp serve as the printed ones."""
    from bayesmeta.frequentist.random_effects import random_effects

    review = read_cochrane(FIXTURES / "small.rm5")
    expected = random_effects(yi=[-0.51, 0.12, -0.35, -0.8], sei=[0.21, 0.18, 0.4, 0.25], method="REML", ci="hksj")
    result = Pooled(
        *np.exp([expected.estimate, expected.ci_low, expected.ci_high]).tolist(),
        tau2=expected.tau2, q=expected.q, q_df=3.0, z=abs(expected.statistic),
    )  # fmt: skip
    stated = changed(review, "2.1", result=result, tau2_method="REML", ci_method="hksj")
    assert row_of(reproduce_pooled(stated), "2.1")["status"] == "reproduced"
    wald = changed(review, "2.1", result=result, tau2_method="REML", ci_method="wald")
    assert "RevMan from 2024 with REML, wald" in row_of(reproduce_pooled(wald), "2.1")["reason"]
    untold = changed(review, "2.1", result=result)
    assert "REML" in row_of(reproduce_pooled(untold), "2.1")["reason"]


def test_deviating_weights_show_that_a_method_is_not_the_reviews():
    review = read_cochrane(FIXTURES / "small.rm5")
    wrong = changed(review, "1.3", result=None, model="common")
    row = row_of(reproduce_pooled(wrong), "1.3")
    assert row["status"] == "weights differ"
    assert "weights differ" in row["reason"]
    # where the method itself is inferred from the weights, it is the inference that failed
    guessed = changed(review, "1.3", result=None, model="common", inferred=("method", "model"))
    row = row_of(reproduce_pooled(guessed), "1.3")
    assert row["status"] == "nothing printed"
    assert "could not be inferred" in row["reason"]


def test_results_that_the_file_does_not_print_are_not_counted_as_reproduced():
    review = read_cochrane(FIXTURES / "small.rm5")
    silent = changed(review, "1.3", result=None)
    assert row_of(reproduce_pooled(review), "1.3")["status"] == "reproduced"
    assert row_of(reproduce_pooled(silent), "1.3")["status"] == "weights reproduced"
    rows = analysis_of(review, "1.3").rows
    alone = changed(silent, "1.3", rows=(dataclasses.replace(rows[0], weight=100.0),), subgroups=())
    assert row_of(reproduce_pooled(alone), "1.3")["status"] == "one study, nothing printed"
    notes = reproduction_tables(alone)["reproduction"].notes
    assert notes[1] == (
        "Pooled results: 9 reproduced; not printed in the file: 2 (1 nothing printed, 1 one study, nothing printed)."
    )
    # a result without a single number is none
    blank = changed(review, "1.3", result=Pooled())
    assert row_of(reproduce_pooled(blank), "1.3")["status"] == "weights reproduced"


def test_a_wild_printed_number_costs_its_own_row():
    text = (FIXTURES / "small.rm5").read_bytes().decode("iso-8859-1")
    start = text.index(' CI_END="', text.index("<DICH_DATA")) + len(' CI_END="')
    wild = text[:start] + "1.1e157" + text[text.index('"', start) :]
    review = read_rm5(wild.encode("iso-8859-1"), FIXTURES / "small.rm5")
    before = reproduce_studies(read_cochrane(FIXTURES / "small.rm5"))
    after = reproduce_studies(review)
    changed_rows = after[after["status"] != before["status"]]
    assert list(changed_rows["status"]) == ["nothing printed"]
    assert list(changed_rows["reason"]) == ["a printed number is too large to be right"]


def test_agreement_to_the_printed_digits():
    assert agrees(0.1234564, 0.123456, 6)
    assert not agrees(0.1234566, 0.123456, 6)
    assert agrees(1 + 1e-10, 1.0, None)
    assert not agrees(1 + 1e-8, 1.0, None)
    assert not agrees(None, 1.0, 6)
    assert not agrees(float("nan"), 1.0, 6)
    assert agrees(None, None, 6)


@pytest.mark.parametrize(
    ("numbers", "kind", "expected"),
    [
        ({"events_e": 84, "n_e": 21, "events_c": 0, "n_c": 20}, "dichotomous", "84 events among 21 participants"),
        ({"events_e": -1, "n_e": 21, "events_c": 0, "n_c": 20}, "dichotomous", "-1 events"),
        ({"events_e": 1.5, "n_e": 21, "events_c": 0, "n_c": 20}, "dichotomous", "is not a count"),
        ({"events_e": 1, "n_e": 2.5, "events_c": 0, "n_c": 20}, "dichotomous", "is not a count"),
        ({"events_e": 0, "n_e": 0, "events_c": 0, "n_c": 20}, "dichotomous", "no participants in the experimental"),
        ({"events_e": 1, "n_e": 21, "events_c": None, "n_c": 20}, "dichotomous", "no events given in the control arm"),
        ({"mean_e": 1, "sd_e": 0, "n_e": 9, "mean_c": 1, "sd_c": 1, "n_c": 9}, "continuous", "standard deviation"),
        ({"mean_e": 1, "sd_e": -2, "n_e": 9, "mean_c": 1, "sd_c": 1, "n_c": 9}, "continuous", "is -2"),
        ({"mean_e": None, "sd_e": 1, "n_e": 9, "mean_c": 1, "sd_c": 1, "n_c": 9}, "continuous", "no mean"),
        ({"given": 0.1, "given_se": 0}, "estimate", "the standard error is 0, not above 0"),
        ({"given": 0.1}, "estimate", "no standard error given"),
        ({"oe": 0.1, "v": -1}, "oe", "variance of O-E is -1"),
        ({}, "dichotomous", "no data"),
        ({}, "other", "text"),
        ({"events_e": 1, "n_e": 21, "events_c": 0, "n_c": 20}, "dichotomous", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_pooled_has_its_reason(numbers, kind, expected):
    reason = row_problem(StudyRow("A", **numbers), kind)
    assert expected in reason
    assert bool(reason) == bool(expected)


def test_the_report_is_written(tmp_path):
    review = read_cochrane(FIXTURES / "small.csv")
    paths = write_reproduction(review, tmp_path)
    assert [path.name for path in paths] == [
        "reproduction.csv", "reproduction.md", "reproduction-subgroups.csv", "reproduction-subgroups.md",
    ]  # fmt: skip
    text = paths[1].read_text(encoding="utf-8")
    assert "31 reproduced" not in text or "nothing printed" in text
    assert "Pooled results: 1 differs, 9 reproduced; not printed in the file: 1 (1 nothing printed)." in text
    wrong = changed(review, "1.2", level_study=0.95)
    tables = reproduction_tables(wrong)
    assert list(tables) == ["reproduction", "reproduction-subgroups", "reproduction-studies"]
    assert len(tables["reproduction-studies"].frame) == 3


def test_a_review_of_text_alone_has_a_report():
    row = StudyRow("A")
    analysis = CochraneAnalysis(1, 1, "Costs", "other", "", rows=(row,), totals="no")
    review = CochraneReview("x", "x", (Comparison(1, "One", (analysis,)),))
    assert list(reproduce_pooled(review)["reason"]) == ["the data are text, not numbers"]
    assert list(reproduce_studies(review)["status"]) == ["nothing printed"]


@needs_fleiss
def test_published_fleiss1993_pooled_results():
    for name, many in (("Fleiss1993.rm5", 1), ("Fleiss1993_CR.csv", 2), ("Fleiss1993.zip", 1)):
        frame = reproduce_pooled(read_cochrane(SHARED / "revman" / name))
        assert list(frame["status"]).count("reproduced") == many
        assert "differs" not in set(frame["status"])


@needs_sample
def test_every_study_effect_of_the_sample_is_reproduced():
    for path in sorted(SAMPLE.glob("*-data-rows.csv")):
        review = read_cochrane(path)
        studies = reproduce_studies(review)
        assert set(studies["status"]) <= {"reproduced", "nothing printed"}, path.name
        pooled = reproduce_pooled(review)
        # data rows have no pooled results: nothing may count as reproduced
        assert set(pooled["status"]) <= {"weights reproduced", "one study, nothing printed", "nothing printed"}, (
            path.name
        )
        assert (pooled["weight_difference"].dropna() < 1e-6).all(), path.name


@pytest.mark.parametrize("name", ["small.rm5", "small.csv", "small.zip"])
def test_deeks2010_every_test_of_subgroup_differences_of_the_fixture_is_reproduced(name):
    review = read_cochrane(FIXTURES / name)
    frame = reproduce_subgroup_tests(review).set_index("analysis")
    assert list(frame.index) == ["1.1", "1.4"]
    assert list(frame["status"]) == ["reproduced", "reproduced"]
    assert list(frame["groups"]) == [2, 2]
    assert frame.loc["1.1", "q"] == pytest.approx(0.40646143143102864, rel=1e-9)
    tables = reproduction_tables(review)
    notes = tables["reproduction"].notes
    assert notes[2] == "Of these, of subgroups: 4 reproduced."
    assert notes[3] == "Tests of differences between subgroups: 2 reproduced."
    assert list(tables["reproduction-subgroups"].frame["Result"]) == ["reproduced", "reproduced"]


def test_a_test_of_subgroup_differences_that_differs_has_its_reason():
    review = read_cochrane(FIXTURES / "small.zip")
    test = analysis_of(review, "1.1").subgroup_test

    def only(changed_review):
        return reproduce_subgroup_tests(changed_review).set_index("analysis").loc["1.1"]

    wrong = only(changed(review, "1.1", subgroup_test=dataclasses.replace(test, q=1.5)))
    assert wrong["status"] == "differs"
    assert wrong["reason"] == "Q: the printed test does not follow from the effects of the subgroups"
    digit = only(changed(review, "1.1", subgroup_test=dataclasses.replace(test, q=test.q + 2e-6)))
    assert digit["reason"] == "Q: the last printed digit"
    silent = only(changed(review, "1.1", subgroup_test=None))
    assert (silent["status"], silent["reason"]) == (
        "nothing printed", "the file prints no test of differences between subgroups",
    )  # fmt: skip
    assert np.isnan(silent["printed_q"])
    assert silent["q"] == pytest.approx(test.q, abs=1e-6)
    unknown = only(changed(review, "1.1", method="", model=""))
    assert unknown["status"] == "not computed"
    groups = analysis_of(review, "1.1").subgroups
    first = dataclasses.replace(groups[0], result=dataclasses.replace(groups[0].result, estimate=0.1))
    shifted = changed(review, "1.1", subgroups=(first, *groups[1:]), subgroup_test=dataclasses.replace(test, q=1.5))
    assert only(shifted)["reason"] == "Q: the results of 1 subgroup differ already"
    # a subgroup without data is not counted
    rows = tuple(row for row in analysis_of(review, "1.1").rows if row.subgroup != groups[1].number)
    alone = only(changed(review, "1.1", rows=rows))
    assert (alone["status"], alone["reason"]) == ("not computed", "1 subgroup can be pooled")
    assert "reproduction-subgroups" not in reproduction_tables(
        changed(changed(review, "1.1", subgroup_test=None), "1.4", subgroup_test=None)
    )
