"""Import of a Cochrane review as review.toml and study tables."""

from __future__ import annotations

import csv
import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import typer
from paths import FIXTURES_FOLDER, ROOT_FOLDER
from typer.testing import CliRunner

from bayesmeta.cli.import_review import import_command
from bayesmeta.cochrane.entries import entries, published_result, unique_labels
from bayesmeta.cochrane.read import read_cochrane
from bayesmeta.cochrane.recompute import effects_of, study_table
from bayesmeta.cochrane.review import CochraneAnalysis, CochraneReview, Comparison, Pooled, StudyRow
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.errors import DataError, SpecError
from bayesmeta.reviews.import_cochrane import import_review, review_from_cochrane, write_review
from bayesmeta.reviews.spec import read_review
from bayesmeta.studies.read import read_studies

FIXTURES = FIXTURES_FOLDER / "cochrane"
SHARED = ROOT_FOLDER.parent / "shared" / "data"
SAMPLE = Path(os.environ.get("BAYESMETA_COCHRANE_SAMPLE", SHARED / "cochrane_sample"))

needs_sample = pytest.mark.skipif(
    not list(SAMPLE.glob("*-data-rows.csv")),
    reason="no sample of Cochrane data rows here; name its folder in BAYESMETA_COCHRANE_SAMPLE",
)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return folder, *read_review(review_from_cochrane(FIXTURES / "small.rm5", folder))


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_what_is_written(imported):
    folder, review, where = imported
    assert where == folder
    assert sorted(path.name for path in folder.iterdir()) == [
        "analyses.csv", "continuous.csv", "dichotomous.csv", "estimates.csv", "o_minus_e.csv", "reproduction-subgroups.csv",
        "reproduction-subgroups.md", "reproduction.csv", "reproduction.md", "review.toml", "risk_of_bias.csv", "studies.csv",
    ]  # fmt: skip
    # subtotals only: every subgroup is an analysis of its own
    assert [one.id for one in review.analysis] == ["1.1", "1.2", "1.3", "1.4.1", "1.4.2", "2.1", "2.2", "2.3", "2.4"]
    assert [one.measure for one in review.analysis] == ["RR", "OR", "SMD", "MD", "MD", "HR", "HR", "PETO", "MD"]
    assert review.title == "Coaching and surgery: an invented review"
    first = review.analysis[0]
    assert (first.comparison, first.outcome, first.groups) == (
        "Coaching versus usual care", "Relapse", ("Coaching", "Usual care"),
    )  # fmt: skip
    assert review.analysis[3].outcome == "Well-being & hope: Self-report"
    # what takes long is left out of reviews of which there may be thousands
    assert (review.settings.engine, review.settings.save_fits, review.settings.checks) == ("quadrature", False, False)


def test_subgroups_of_a_pooled_analysis_are_named_by_their_column(imported, tmp_path):
    folder, review, _ = imported
    assert {one.id: one.by for one in review.analysis if one.by} == {"1.1": "subgroup"}
    rows = [row for row in rows_of(folder / "dichotomous.csv") if row["analysis"] == "1.1"]
    assert {row["subgroup"] for row in rows} == {"Short follow-up", "Long follow-up"}
    original = read_cochrane(FIXTURES / "small.rm5")
    # a row without a subgroup, and subgroups of which one has data, are not grouped
    first = next(one for one in original.analyses if one.id == "1.1")
    for rows in (
        (dataclasses.replace(first.rows[0], subgroup=9), *first.rows[1:]),
        tuple(row for row in first.rows if row.subgroup == first.rows[0].subgroup),
    ):
        comparisons = tuple(
            dataclasses.replace(
                comparison,
                analyses=tuple(
                    dataclasses.replace(one, rows=rows) if one.id == "1.1" else one for one in comparison.analyses
                ),
            )
            for comparison in original.comparisons
        )
        found, _ = read_review(write_review(dataclasses.replace(original, comparisons=comparisons), tmp_path))
        assert not any(one.by for one in found.analysis)


def test_published_results_are_imported(imported):
    _, review, _ = imported
    by_id = {one.id: one for one in review.analysis}
    source = {one.id: one for one in read_cochrane(FIXTURES / "small.rm5").analyses}
    for key in ("1.1", "1.2", "1.3", "2.1", "2.2", "2.3"):
        assert by_id[key].published.estimate == source[key].result.estimate
        assert by_id[key].published.q == source[key].result.q
    assert by_id["1.4.1"].published.estimate == source["1.4"].subgroups[0].result.estimate
    assert by_id["2.4"].published is None
    assert by_id["2.4"].note == "the review did not pool these studies"
    assert (by_id["1.1"].published.method, by_id["1.1"].published.model) == (
        "Mantel-Haenszel, random effects",
        "random",
    )
    assert (by_id["1.1"].published.k, by_id["1.1"].published.n) == (5, 476)
    assert [by_id[key].level for key in ("1.1", "1.2", "2.3")] == [None, 0.99, 0.9]


def test_the_tables_give_the_same_effects(imported):
    folder, review, _ = imported
    for entry, analysis in zip(entries(read_cochrane(FIXTURES / "small.rm5")), review.analysis, strict=True):
        table = read_studies(folder / analysis.data, where=analysis.where)
        found = effect_sizes(table, analysis.measure, **review.options.model_dump())
        expected = effects_of(study_table(entry.rows, entry.analysis), entry.measure)
        np.testing.assert_array_equal(found.yi, expected.yi)
        np.testing.assert_array_equal(found.vi, expected.vi)
        assert found.labels == entry.labels
        assert found.reasons == expected.reasons


def test_repeated_studies_get_unique_labels_and_keep_their_name(imported):
    folder, _, _ = imported
    rows = [row for row in rows_of(folder / "dichotomous.csv") if row["analysis"] == "1.1"]
    assert [row["study"] for row in rows][:3] == [
        "Müller 2001 (Short follow-up)", "Ng 2004 (Short follow-up)", "O'Brien-Lee 2010",
    ]  # fmt: skip
    assert [row["study_label"] for row in rows][:3] == ["Müller 2001", "Ng 2004", "O'Brien-Lee 2010"]


def test_rows_that_cannot_be_pooled_are_kept_with_their_reason(imported):
    folder, _, _ = imported
    row = next(row for row in rows_of(folder / "continuous.csv") if row["study"] == "Quist 2015")
    assert (row["sd_e"], row["n_e"], row["exclude"]) == (
        "0",
        "12",
        "the standard deviation of the experimental arm is 0",
    )


def test_swapped_events_are_exchanged_in_the_table(imported):
    folder, review, _ = imported
    row = next(row for row in rows_of(folder / "dichotomous.csv") if row["analysis"] == "1.2")
    assert (row["study"], row["events_e"], row["n_e"]) == ("Müller 2001", "10", "50")
    assert "exchanged" in review.analysis[1].note


def test_importing_again_gives_the_same_bytes(imported, tmp_path):
    folder, _, _ = imported
    review_from_cochrane(FIXTURES / "small.rm5", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_the_three_formats_import_alike(imported, tmp_path):
    _, rm5, _ = imported
    for name in ("small.csv", "small.zip"):
        other, _ = read_review(review_from_cochrane(FIXTURES / name, tmp_path / name))
        assert [one.id for one in other.analysis] == [one.id for one in rm5.analysis]
        for one, same in zip(rm5.analysis, other.analysis, strict=True):
            assert one.model_copy(update={"published": None}) == same.model_copy(update={"published": None})
            if one.published:
                assert same.published.estimate == pytest.approx(one.published.estimate, abs=1e-6)


def test_an_edited_review_is_not_overwritten_unasked(tmp_path):
    (tmp_path / "review.toml").write_text("mine")
    with pytest.raises(DataError, match="already contains a review"):
        import_review(FIXTURES / "small.rm5", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["review.toml"]
    import_review(FIXTURES / "small.rm5", tmp_path, overwrite=True)
    assert len(list(tmp_path.iterdir())) > 1


def test_labels_stay_unique_whatever_the_names():
    rows = [StudyRow(name) for name in ("Lee (2)", "Lee", "Lee", "lee", "Total", "Lee")]
    names = unique_labels(rows, {})
    assert len({name.casefold() for name in names}) == len(rows)
    assert names[4] == "Total (study)"
    rows = [StudyRow("Lee", subgroup=1), StudyRow("Lee", subgroup=1), StudyRow("Lee", subgroup=2)]
    assert unique_labels(rows, {1: "Men", 2: "Women"}) == ("Lee", "Lee (2)", "Lee (3)")


def review_of(*analyses):
    return CochraneReview("x", 'A "quoted" \\ title\u2028', (Comparison(1, "", analyses),), source="x.rm5")


def row(**numbers):
    return StudyRow("A", events_e=1.0, n_e=10.0, events_c=2.0, n_c=10.0, **numbers)


@pytest.mark.parametrize(
    "name", ["Quote \" and \\ and ' and # and ]]", "''' and {{ and }}", "a\nline\ttab\x7f\x1b\u2028", "= [x] 😀 \u0301"]
)
def test_awkward_texts_are_unchanged_in_the_toml(tmp_path, name):
    analysis = CochraneAnalysis(1, 1, name, "dichotomous", "RR", log=True, group_e=name, rows=(row(),))
    review, _ = read_review(write_review(review_of(analysis), tmp_path))
    assert review.analysis[0].outcome == name
    assert review.analysis[0].groups == (name, "Control")
    assert review.analysis[0].comparison == "Comparison 1"


def test_analyses_that_cannot_be_imported_are_listed_with_their_reason(tmp_path):
    good = CochraneAnalysis(1, 1, "Death", "dichotomous", "RR", log=True, rows=(row(),))
    text = CochraneAnalysis(1, 2, "Costs", "other", "", rows=(StudyRow("A"),))
    empty = CochraneAnalysis(1, 3, "Pain", "continuous", "MD", rows=(StudyRow("A"),))
    odd = CochraneAnalysis(1, 4, "Pain", "continuous", "", measure_label="Wibble", rows=(StudyRow("A", mean_e=1.0),))
    none = CochraneAnalysis(1, 5, "Sleep", "continuous", "MD")
    path = write_review(review_of(good, text, empty, odd, none), tmp_path)
    assert [one.id for one in read_review(path)[0].analysis] == ["1.1"]
    index = {one["analysis"]: (one["imported"], one["note"]) for one in rows_of(tmp_path / "analyses.csv")}
    assert index == {
        "1.1": ("yes", ""), "1.2": ("no", "the data are text, not numbers"), "1.3": ("no", "no study has data"),
        "1.4": ("no", "the file does not name a measure we know ('Wibble')"), "1.5": ("no", "the review lists no study"),
    }  # fmt: skip
    assert "# Analysis 1.2, Costs: not imported" in path.read_text(encoding="utf-8")
    with pytest.raises(DataError, match="no analysis of the review can be run: the data are text"):
        write_review(review_of(text), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_published_results_of_log_effects_of_an_unknown_measure():
    rows = (StudyRow("A", given=0.1, given_se=0.2),)
    ratio = CochraneAnalysis(
        1, 1, "Rate", "estimate", "GEN", "Odd ratio", log=True, rows=rows, totals="yes", result=Pooled(2.0, 1.0, 4.0)
    )
    (entry,) = entries(review_of(ratio))
    assert published_result(entry).estimate == pytest.approx(np.log(2))
    assert entry.note == "on the log scale: its exponential is the odd ratio"
    unusable = dataclasses.replace(ratio, result=Pooled(2.0, 0.0, 4.0))
    assert published_result(entries(review_of(unusable))[0]) is None
    crossed = dataclasses.replace(ratio, result=Pooled(5.0, 1.0, 4.0))
    assert published_result(entries(review_of(crossed))[0]) is None


def test_many_rows_are_split_by_comparison(tmp_path):
    def analysis(comparison):
        rows = tuple(dataclasses.replace(row(), study=f"S{i}") for i in range(80))
        return Comparison(
            comparison, "C", (CochraneAnalysis(comparison, 1, "Death", "dichotomous", "RR", log=True, rows=rows),)
        )

    write_review(CochraneReview("x", "x", (analysis(1), analysis(2)), source="x"), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*dichotomous.csv")) == [
        "comparison-1-dichotomous.csv", "comparison-2-dichotomous.csv",
    ]  # fmt: skip


def application():
    app = typer.Typer()
    app.command("import")(import_command)
    return app


def test_the_command(tmp_path):
    done = CliRunner().invoke(application(), [str(FIXTURES / "small.zip"), "--out", str(tmp_path / "r")])
    assert done.exit_code == 0
    assert "8 analyses of 'small' imported as 9 entries" in done.output
    assert "1 row cannot be pooled" in done.output
    assert "Pooled results: 10 reproduced; not printed in the file: 1 (1 nothing printed)." in done.output
    assert (tmp_path / "r" / "reproduction.md").is_file()
    again = CliRunner().invoke(application(), [str(FIXTURES / "small.zip"), "--out", str(tmp_path / "r")])
    assert isinstance(again.exception, DataError)
    fresh = CliRunner().invoke(
        application(), [str(FIXTURES / "small.zip"), "-o", str(tmp_path / "r"), "--overwrite", "--no-report"]
    )
    assert fresh.exit_code == 0
    assert "reproduced" not in fresh.output


@needs_sample
def test_the_sample_imports_and_reads_back(tmp_path):
    for path in sorted(SAMPLE.glob("*-data-rows.csv")):
        folder = tmp_path / path.stem
        review, _ = read_review(review_from_cochrane(path, folder))
        for analysis in review.analysis:
            table = read_studies(folder / analysis.data, where=analysis.where)
            found = effect_sizes(table, analysis.measure, **review.options.model_dump())
            assert found.k or all(found.reasons), f"{path.name} {analysis.id}"


def test_the_side_of_benefit_can_be_told_to_an_import(tmp_path):
    args = [str(FIXTURES / "small.zip"), "--out", str(tmp_path / "r"), "--no-report"]
    done = CliRunner().invoke(application(), [*args, "--better", "lower", "--better", "1.3=higher"])
    assert done.exit_code == 0, done.output
    review, _ = read_review(tmp_path / "r")
    sides = {analysis.id: analysis.better for analysis in review.analysis}
    assert sides.pop("1.3") == "higher"
    assert set(sides.values()) == {"lower"}
    _, file = import_review(FIXTURES / "small.zip", tmp_path / "one", better={"1.4": "lower"})
    one = {analysis.id: analysis.better for analysis in read_review(file)[0].analysis}
    # of an analysis whose subgroups are analyses of their own, all
    assert {name for name, side in one.items() if side == "lower"} == {name for name in one if name.startswith("1.4")}
    for better, expected in (({"": "left"}, "'left'"), ({"7.7": "lower"}, "'7.7'")):
        with pytest.raises(SpecError, match=expected):
            import_review(FIXTURES / "small.zip", tmp_path / "none", better=better)
        assert not (tmp_path / "none" / "review.toml").exists()
