"""Cochrane's files: three formats, one review."""

from __future__ import annotations

import dataclasses
import io
import math
import os
import zipfile
from pathlib import Path

import pytest
from paths import FIXTURES_FOLDER, ROOT_FOLDER

from bayesmeta.cochrane.entries import unique_labels
from bayesmeta.cochrane.names import MEASURE_SPELLINGS, measure_name, method_name
from bayesmeta.cochrane.read import is_cochrane, read_cochrane
from bayesmeta.cochrane.review import StudyRow
from bayesmeta.cochrane.rm5 import read_rm5
from bayesmeta.cochrane.text import estimable, flag, judgement, label, letters, level, number, printed, review_id
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError

FIXTURES = FIXTURES_FOLDER / "cochrane"
SHARED = ROOT_FOLDER.parent / "shared" / "data"
FLEISS = SHARED / "revman"
SAMPLE = Path(os.environ.get("BAYESMETA_COCHRANE_SAMPLE", SHARED / "cochrane_sample"))

needs_fleiss = pytest.mark.skipif(
    not (FLEISS / "Fleiss1993.rm5").is_file(), reason="the three files of Fleiss 1993 are not here"
)
needs_sample = pytest.mark.skipif(
    not list(SAMPLE.glob("*-data-rows.csv")),
    reason="no sample of Cochrane data rows here; name its folder in BAYESMETA_COCHRANE_SAMPLE",
)

#: fields that some format does not carry, or that name the file
NOT_CARRIED = {"id", "title", "format", "decimals", "source", "order", "q_df"}


def package_files():
    """The files of the data package, by the end of their names."""
    outer = zipfile.ZipFile(FIXTURES / "small.zip")
    inner = zipfile.ZipFile(io.BytesIO(outer.read(outer.namelist()[0])))
    return {name.split("XY000001-")[-1]: inner.read(name).decode("utf-8-sig") for name in inner.namelist()}


def write_package(path, files):
    """A data package as RevMan Web exports it, without the outer archive."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"XY000001-analysis-data/XY000001-{name}", text.encode("utf-8-sig"))
    return path


def differences(one, other, tolerance, path=""):
    """Every place at which two reviews differ in something both have."""
    if dataclasses.is_dataclass(one) and dataclasses.is_dataclass(other):
        return [
            found
            for field in dataclasses.fields(one)
            if field.name not in NOT_CARRIED
            for found in differences(
                getattr(one, field.name), getattr(other, field.name), tolerance, f"{path}.{field.name}"
            )
        ]
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return [
            found
            for i, (x, y) in enumerate(zip(one, other, strict=True))
            for found in differences(x, y, tolerance, f"{path}[{i}]")
        ]
    if isinstance(one, float) and isinstance(other, float):
        return [] if abs(one - other) <= tolerance else [(path, one, other)]
    return [] if one == other else [(path, one, other)]


def test_the_export_gives_the_same_review_as_the_rm5_file():
    rm5, export = read_cochrane(FIXTURES / "small.rm5"), read_cochrane(FIXTURES / "small.csv")
    found = differences(rm5, export, 0.6e-8)
    # the export prints effects, not what was entered: for ratios a logarithm of eight digits
    entered = [place for place, *_ in found if place.endswith(".given")]
    assert {place for place, *_ in found} - set(entered) == {".studies", ".risk_of_bias"}
    assert entered
    assert all(abs(one - other) < 2e-8 for place, one, other in found if place in entered)


def test_the_package_gives_the_same_review_as_the_rm5_file():
    rm5, package = read_cochrane(FIXTURES / "small.rm5"), read_cochrane(FIXTURES / "small.zip")
    found = differences(rm5, package, 0.51e-6)
    assert {place.rpartition(".")[2] for place, *_ in found} == {"favours_left", "favours_right"}
    assert all(other is None for *_, other in found)


@pytest.mark.parametrize("name", ["small.rm5", "small.csv", "small.zip"])
def test_every_format_has_the_settings(name):
    analyses = {analysis.id: analysis for analysis in read_cochrane(FIXTURES / name).analyses}
    assert list(analyses) == ["1.1", "1.2", "1.3", "1.4", "2.1", "2.2", "2.3", "2.4"]
    settings = {
        key: (one.data_type, one.measure, one.method, one.model, one.level_study, one.level_total, one.totals, one.log)
        for key, one in analyses.items()
    }
    assert settings == {
        "1.1": ("dichotomous", "RR", "MH", "random", 0.95, 0.95, "yes", True),
        "1.2": ("dichotomous", "OR", "MH", "common", 0.99, 0.99, "yes", True),
        "1.3": ("continuous", "SMD", "IV", "random", 0.95, 0.95, "yes", False),
        "1.4": ("continuous", "MD", "IV", "common", 0.95, 0.95, "subgroups", False),
        "2.1": ("estimate", "HR", "IV", "random", 0.95, 0.95, "yes", True),
        "2.2": ("oe", "HR", "EXP_O_E_VAR", "common", 0.95, 0.95, "yes", True),
        "2.3": ("dichotomous", "PETO", "PETO", "common", 0.9, 0.9, "yes", True),
        "2.4": ("estimate", "MD", "IV", "common", 0.95, 0.95, "no", False),
    }
    assert [analyses[key].swap_events for key in ("1.1", "1.2", "1.3")] == [False, True, None]
    assert (analyses["1.1"].group_e, analyses["1.1"].group_c) == ("Coaching", "Usual care")
    assert [subgroup.name for subgroup in analyses["1.1"].subgroups] == ["Short follow-up", "Long follow-up"]
    assert analyses["1.4"].name == "Well-being & hope"


@pytest.mark.parametrize("name", ["small.rm5", "small.csv", "small.zip"])
def test_rows_have_their_own_numbers_and_no_filler(name):
    analyses = {analysis.id: analysis for analysis in read_cochrane(FIXTURES / name).analyses}
    first = analyses["1.1"].rows[0]
    assert (first.study, first.year, first.subgroup) == ("Müller 2001", "2001", 1)
    assert (first.events_e, first.n_e, first.events_c, first.n_c) == (12, 50, 20, 52)
    assert first.mean_e is first.oe is first.v is first.given is first.given_se is None
    names = [row.study for row in analyses["1.1"].rows]
    assert names == ["Müller 2001", "Ng 2004", "O'Brien-Lee 2010", "Müller 2001", "Ng 2004", "Sato 2012"]
    silent = [row for row in analyses["1.1"].rows if not row.estimable]
    assert [(row.study, row.estimate, row.weight) for row in silent] == [("Sato 2012", None, None)]
    assert math.isclose(analyses["2.1"].rows[0].given, -0.51, abs_tol=2e-8)
    assert analyses["2.1"].rows[0].n_e is None
    progress = analyses["2.2"].rows[0]
    assert (progress.oe, progress.v, progress.events_e, progress.n_c) == (-4.2, 9.5, 20, 41)
    quist = next(row for row in analyses["1.3"].rows if row.study == "Quist 2015")
    assert (quist.sd_e, quist.estimable) == (0, False)


@pytest.mark.parametrize("name", ["small.rm5", "small.csv", "small.zip"])
def test_published_results_are_there_only_where_the_review_pooled(name):
    analyses = {analysis.id: analysis for analysis in read_cochrane(FIXTURES / name).analyses}
    assert [key for key, one in analyses.items() if one.result is None] == ["1.4", "2.4"]
    assert all(subgroup.result for subgroup in analyses["1.4"].subgroups)
    relapse = analyses["1.1"].result
    assert relapse.n_e == 235
    assert relapse.tau2 == 0
    assert relapse.weight is None
    assert analyses["1.2"].result.tau2 is None
    assert sum(one.result.weight for one in analyses["1.1"].subgroups) == pytest.approx(100, abs=1e-5)


def test_study_information_and_risk_of_bias():
    rm5, package = read_cochrane(FIXTURES / "small.rm5"), read_cochrane(FIXTURES / "small.zip")
    assert rm5.studies == package.studies
    assert rm5.risk_of_bias == package.risk_of_bias
    assert rm5.title == "Coaching and surgery: an invented review"
    assert [study.study for study in rm5.studies][:2] == ["Müller 2001", "Ng 2004"]
    assert rm5.studies[0].characteristics[0] == ("Methods", "Randomised trial")
    judged = {one.study: one.judgement for one in rm5.risk_of_bias}
    assert judged == {
        "Müller 2001": "low risk", "Ng 2004": "high risk", "O'Brien-Lee 2010": "unclear risk", "Sato 2012": "not judged",
    }  # fmt: skip


def test_data_rows_alone_have_their_settings_inferred(tmp_path):
    path = tmp_path / "CD000001_pub2-data-rows.csv"
    path.write_text(package_files()["data-rows.csv"], encoding="utf-8-sig")
    review = read_cochrane(path)
    assert (review.id, review.format) == ("CD000001_pub2", "data rows")
    found = {
        one.id: (one.data_type, one.measure, one.log, one.method, one.model, one.level_study, one.totals)
        for one in review.analyses
    }
    assert found == {
        "1.1": ("dichotomous", "RR", True, "MH", "random", 0.95, "yes"),
        "1.2": ("dichotomous", "OR", True, "MH", "common", 0.99, "yes"),
        "1.3": ("continuous", "SMD", False, "IV", "random", 0.95, "yes"),
        "1.4": ("continuous", "MD", False, "IV", "common", 0.95, "subgroups"),
        "2.1": ("estimate", "GEN", True, "IV", "random", 0.95, "yes"),
        "2.2": ("oe", "OE", True, "EXP_O_E_VAR", "common", 0.95, "yes"),
        "2.3": ("dichotomous", "PETO", True, "PETO", "common", 0.9, "yes"),
        "2.4": ("estimate", "GEN", False, "", "", 0.95, "no"),
    }
    assert review.analyses[1].swap_events is True
    assert "measure" in review.analyses[0].inferred


def test_a_package_since_2024_names_estimator_and_interval(tmp_path):
    files = package_files()
    lines = files["overall-estimates-and-settings.csv"].splitlines()
    lines[0] = lines[0].replace(",Study CI,", ",CI/PI level,").replace(",Estimate CI,", ",CI method,")
    lines[0] = lines[0].replace(",Filter criteria,", ",Heterogeneity estimator,")
    lines = [lines[0], *(line.replace("95%,95%", "95%,HKSJ") for line in lines[1:])]
    lines = [lines[0], *(line.replace(",,,,,,,Coaching", ",,,,,,REML,Coaching") for line in lines[1:])]
    files["overall-estimates-and-settings.csv"] = "\n".join(lines)
    first = read_cochrane(write_package(tmp_path / "x.zip", files)).analyses[0]
    assert (first.tau2_method, first.ci_method, first.level_study, first.level_total) == ("REML", "hksj", 0.95, 0.95)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "utf-8-sig"])
def test_encodings_of_the_export(tmp_path, encoding):
    text = (FIXTURES / "small.csv").read_text(encoding="utf-8-sig")
    path = tmp_path / "review.csv"
    path.write_bytes(text.encode(encoding, "replace"))
    review = read_cochrane(path)
    assert review.analyses[0].rows[0].study == "Müller 2001"
    assert review.analyses[0].result.q == pytest.approx(read_cochrane(FIXTURES / "small.rm5").analyses[0].result.q)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "windows-1252"])
def test_encodings_of_the_rm5_file(tmp_path, encoding):
    text = (FIXTURES / "small.rm5").read_text(encoding="iso-8859-1").replace("ISO-8859-1", encoding)
    path = tmp_path / "review.rm5"
    path.write_bytes(text.encode(encoding))
    assert read_cochrane(path).comparisons == read_cochrane(FIXTURES / "small.rm5").comparisons


def test_an_rm5_file_that_is_declared_as_utf8_but_is_not(tmp_path):
    text = (FIXTURES / "small.rm5").read_text(encoding="iso-8859-1").replace("ISO-8859-1", "UTF-8")
    path = tmp_path / "review.rm5"
    path.write_bytes(text.encode("cp1252"))
    assert read_cochrane(path).analyses[0].rows[0].study == "Müller 2001"


def test_an_rm5_file_inside_a_zip(tmp_path):
    path = tmp_path / "review.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("review.rm5", (FIXTURES / "small.rm5").read_bytes())
    assert read_cochrane(path).format == "rm5"


def test_names_are_decoded_where_the_study_list_lacks_them(tmp_path):
    text = (FIXTURES / "small.rm5").read_text(encoding="iso-8859-1")
    start, end = text.index("<STUDIES_AND_REFERENCES>"), text.index("</STUDIES_AND_REFERENCES>")
    path = tmp_path / "review.rm5"
    path.write_text(text[:start] + "<STUDIES_AND_REFERENCES>" + text[end:], encoding="iso-8859-1")
    assert {row.study for row in read_cochrane(path).analyses[0].rows} >= {"O'Brien-Lee-2010", "Müller-2001"}


def test_text_outcomes_are_kept_as_such(tmp_path):
    text = (FIXTURES / "small.rm5").read_text(encoding="iso-8859-1")
    other = '<OTHER_OUTCOME ID="o" NO="9"><NAME>Costs</NAME><OTHER_DATA STUDY_ID="STD-x"/></OTHER_OUTCOME></COMPARISON>'
    path = tmp_path / "review.rm5"
    path.write_text(text.replace("</COMPARISON>", other, 1), encoding="iso-8859-1")
    analysis = next(one for one in read_cochrane(path).analyses if one.id == "1.9")
    assert (analysis.data_type, analysis.measure, analysis.rows[0].study) == ("other", "", "x")


def test_what_is_a_cochrane_file(tmp_path):
    for name in ("small.rm5", "small.csv", "small.zip"):
        assert is_cochrane(FIXTURES / name)
    table = tmp_path / "studies.csv"
    table.write_text("study,events_e,n_e,events_c,n_c\nA,1,10,2,10\n")
    assert not is_cochrane(table)
    assert not is_cochrane(tmp_path)
    assert not is_cochrane(tmp_path / "absent.zip")


def test_cells():
    assert label("O_x0027_Brien  \n2001 ") == "O'Brien 2001"
    assert (number("1,234.5"), number(""), number(" -3e-2 "), number("Not estimable")) == (1234.5, None, -0.03, None)
    assert (printed("Infinity"), printed("NaN"), printed("0.5")) == (None, None, 0.5)
    assert (level("99%"), level("90"), level("0.95"), level("")) == (0.99, 0.9, 0.95, None)
    assert (flag("YES"), flag("false"), flag("perhaps")) == (True, False, None)
    assert measure_name("Odds Ratio (Non-event)", "dichotomous") == ("OR", True)
    assert measure_name("Wibble", "estimate") == ("GEN", None)
    assert (method_name("Exp[(O-E) / Var]", "oe"), method_name("", "oe"), method_name("", "dichotomous")) == (
        "EXP_O_E_VAR", "EXP_O_E_VAR", "",
    )  # fmt: skip
    assert (judgement("Not applicable", ""), judgement("Not applicable", "why"), judgement("Low risk", "")) == (
        "not judged", "not applicable", "low risk",
    )  # fmt: skip
    assert (review_id("", "../..", "CD 1/2"), review_id("")) == ("CD-1-2", "review")
    assert estimable(1.0, 0.5, 2.0)
    assert not estimable(0.0, 0.0, 0.0)
    assert (number("1e999"), number("-1e20"), number("inf")) == (
        math.inf,
        -math.inf,
        pytest.approx(math.nan, nan_ok=True),
    )
    for text in ("12a", "0x10", "１２"):
        with pytest.raises(DataError):
            number(text)


def test_each_spelling_names_one_measure():
    spellings = [letters(one) for text in MEASURE_SPELLINGS.values() for one in text.split(";")]
    assert len(set(spellings)) == len(spellings)
    assert set(MEASURE_SPELLINGS) <= set(MEASURES)
    for measure, text in MEASURE_SPELLINGS.items():
        for spelling in text.split(";"):
            assert measure_name(spelling, "dichotomous") == (measure, None)
            assert measure_name(f"{spelling} (Non-event)", "dichotomous") == (measure, True)


@needs_fleiss
def test_published_fleiss1993_three_files():
    rm5, export, package = (read_cochrane(FLEISS / f"Fleiss1993{end}") for end in (".rm5", "_CR.csv", ".zip"))
    for other, tolerance in ((export, 0.6e-8), (package, 0.51e-6)):
        one, same = rm5.comparisons[0].analyses[0], other.comparisons[0].analyses[0]
        found = differences(one, same, tolerance)
        assert all(value is None for _, _, value in found)
        assert len(same.rows) == 7
        # the second analysis: all three have the same arms
        arms = [
            [(row.study, row.year, row.mean_e, row.sd_e, row.n_e, row.mean_c, row.sd_c, row.n_c) for row in review.analyses[1].rows]
            for review in (rm5, other)
        ]  # fmt: skip
        assert arms[0] == arms[1]
    # but the export was made with another setting: a mean difference, computed; the others never computed theirs
    assert [review.analyses[1].measure for review in (rm5, export, package)] == ["SMD", "MD", "SMD"]
    assert [review.analyses[1].result is None for review in (rm5, export, package)] == [True, False, True]
    assert rm5.studies == package.studies
    assert rm5.risk_of_bias == package.risk_of_bias


@needs_sample
def test_the_sample_is_read_whole():
    reviews = [read_cochrane(path) for path in sorted(SAMPLE.glob("*-data-rows.csv"))]
    analyses = [analysis for review in reviews for analysis in review.analyses]
    assert all(analysis.data_type and analysis.measure for analysis in analyses)
    assert all(analysis.method and analysis.model for analysis in analyses if analysis.totals != "no")
    if len(reviews) == 12:
        assert len(analyses) == 623
        assert sum(len(analysis.rows) for analysis in analyses) == 4740


def small_with(old, new):
    data = (FIXTURES / "small.rm5").read_bytes()
    assert old in data
    return data.replace(old, new, 1)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"Drug A & drug B", "Drug A & drug B"),
        (b"Aged <65 & frail", "Aged <65 & frail"),
        (b"n < 5 &amp; p &lt; 0.05 & more", "n < 5 & p < 0.05 & more"),
        (b"<![CDATA[A & B]]> & C", "A & B & C"),
    ],
)
def test_signs_that_were_not_escaped_are_read_as_text(written, read):
    review = read_rm5(small_with(b"Random sequence generation (selection bias)", written), FIXTURES / "small.rm5")
    assert read in {one.domain for one in review.risk_of_bias}
    assert len(review.analyses) == len(read_cochrane(FIXTURES / "small.rm5").analyses)
    with pytest.raises(DataError, match="broken or cut off"):
        read_rm5(
            small_with(b"Random sequence generation (selection bias)", written + b"</NAME>"), FIXTURES / "small.rm5"
        )


def test_many_rows_of_one_study_get_their_numbers_in_linear_time():
    rows = [StudyRow("Lee 2001")] * 60_000
    # with a comparison of all pairs this takes minutes
    names = unique_labels(rows, {})
    assert names[:2] + names[-1:] == ("Lee 2001", "Lee 2001 (2)", "Lee 2001 (60000)")
    taken = [StudyRow("A"), StudyRow("A (2)"), StudyRow("A"), StudyRow("A")]
    assert unique_labels(taken, {}) == ("A", "A (2)", "A (3)", "A (4)")
