from __future__ import annotations

import codecs
import math
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from paths import ROOT_FOLDER

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.columns import ALIASES, assign_columns
from bayesmeta.studies.numbers import Marks, decimal_marks, parse_number
from bayesmeta.studies.read import read_studies
from bayesmeta.studies.table import StudyTable

DICHOTOMOUS = {"events_e": [8, 17], "n_e": [48, 37], "events_c": [16, 23], "n_c": [49, 43]}
CONTINUOUS = {
    "mean_e": [8.0, 11.2],
    "sd_e": [4.2, 5],
    "n_e": [34, 54],
    "mean_c": [9.7, 10.7],
    "sd_c": [4.4, 5],
    "n_c": [46, 56],
}
ESTIMATE = {"yi": [-0.1, 0.25], "sei": [0.2, 0.125]}
INTERVAL = {"yi": [-0.1, 0.25], "ci_low": [-0.5, 0], "ci_high": [0.3, 0.5]}
RATES = {"events_e": [8, 17], "time_e": [481.5, 370], "events_c": [16, 0], "time_c": [490.25, 430]}
LOGRANK = {"oe": [-3.5, 1.25], "v": [8.25, 4]}

HEADERS = [
    ("dichotomous", DICHOTOMOUS, "study events_e n_e events_c n_c"),
    ("dichotomous", DICHOTOMOUS, "Study|Experimental cases|Experimental N|Control cases|Control N"),
    ("dichotomous", DICHOTOMOUS, "Study|Events 1|Total 1|Events 2|Total 2"),
    ("dichotomous", DICHOTOMOUS, "Study name|Intervention events|Intervention total|Control events|Control total"),
    ("dichotomous", DICHOTOMOUS, "studlab event.e n.e event.c n.c"),
    ("dichotomous", DICHOTOMOUS, "slab ai n1i ci n2i"),
    ("dichotomous", DICHOTOMOUS, "author eventsT nT eventsC nC"),
    ("dichotomous", DICHOTOMOUS, "TRIAL|EVENTS_EXPERIMENTAL|Total (experimental)|events control| N_Control "),
    ("continuous", CONTINUOUS, "study mean_e sd_e n_e mean_c sd_c n_c"),
    (
        "continuous",
        CONTINUOUS,
        "Study|Experimental mean|Experimental SD|Experimental N|Control mean|Control SD|Control N",
    ),
    ("continuous", CONTINUOUS, "Study|Mean 1|Std dev 1|Total 1|Mean 2|Std. Dev. 2|Total 2"),
    ("continuous", CONTINUOUS, "studlab mean.e sd.e n.e mean.c sd.c n.c"),
    ("continuous", CONTINUOUS, "slab m1i sd1i n1i m2i sd2i n2i"),
    ("estimate", ESTIMATE, "study yi sei"),
    ("estimate", ESTIMATE, "Study|GIV Mean|GIV SE"),
    ("estimate", ESTIMATE, "studlab TE seTE"),
    ("estimate", ESTIMATE, "name estimate SE"),
    ("estimate", ESTIMATE, "study log[HR] SE(log[HR])"),
    ("estimate", INTERVAL, "study yi ci_low ci_high"),
    ("estimate", INTERVAL, "studlab TE lower upper"),
    ("estimate", INTERVAL, "slab yi ci.lb ci.ub"),
    ("estimate", INTERVAL, "study|effect|95% CI lower|95% CI upper"),
    ("rates", RATES, "study events_e time_e events_c time_c"),
    ("rates", RATES, "slab x1i t1i x2i t2i"),
    ("rates", RATES, "studlab event.e time.e event.c time.c"),
    ("rates", RATES, "Study|Experimental events|Experimental person-years|Control events|Control person-years"),
    ("oe", LOGRANK, "study oe v"),
    ("oe", LOGRANK, "Study|O-E|Variance"),
    ("oe", LOGRANK, "Study|O − E|Var"),
]


def write(path: pathlib.Path, text: str | bytes, encoding: str = "utf-8") -> pathlib.Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


@pytest.fixture
def csv(tmp_path):
    return lambda text, encoding="utf-8": write(tmp_path / "table.csv", text, encoding)


@pytest.mark.parametrize(("kind", "columns", "header"), HEADERS, ids=[header for *_, header in HEADERS])
def test_every_family_of_column_names(csv, kind, columns, header):
    names = header.split("|") if "|" in header else header.split()
    rows = [",".join(str(value) for value in row) for row in zip(["A", "B"], *columns.values(), strict=True)]
    table = read_studies(csv("\n".join([",".join(names), *rows])))
    assert table.kind == kind
    assert table.labels == ("A", "B")
    assert table.has(*columns)
    assert set(table.columns) == set(columns)
    assert table.extra == {}
    for name, values in columns.items():
        np.testing.assert_array_equal(table.columns[name], np.array(values, dtype=float))


def test_metafor_counts_without_totals(csv):
    table = read_studies(csv("trial,author,year,tpos,tneg,cpos,cneg\n1,Aronson,1948,4,119,11,128\n"))
    assert table.labels == ("1",)
    assert table.extra == {"author": ("Aronson",), "year": ("1948",)}
    assert {name: values[0] for name, values in table.columns.items()} == {
        "events_e": 4,
        "n_e": 123,
        "events_c": 11,
        "n_c": 139,
    }
    again = read_studies(csv("slab,ai,bi,ci,di\nA,4,119,11,128\n"))
    assert (again.columns["n_e"][0], again.columns["n_c"][0]) == (123, 139)


def test_ci_is_a_count_only_beside_ai(csv):
    table = read_studies(csv("study,yi,sei,ci\nA,0.1,0.2,-0.3 to 0.5\n"))
    assert table.extra == {"ci": ("-0.3 to 0.5",)}


def test_a_variance_becomes_a_standard_error(csv):
    for header in ("slab,yi,vi", "study,yi,variance", "study,TE,var"):
        table = read_studies(csv(f"{header}\nA,0.1,0.0625\n"))
        assert table.columns["sei"][0] == 0.25
        assert table.extra == {}
    both = read_studies(csv("study,yi,sei,vi\nA,0.1,0.25,0.0625\n"))
    assert (both.columns["sei"][0], both.extra) == (0.25, {"vi": ("0.0625",)})


def test_precision_without_an_estimate_is_a_moderator(csv):
    table = read_studies(csv("study,events_e,n_e,events_c,n_c,se,lower,upper\nA,1,9,2,9,0.3,0.5,1.2\n"))
    assert table.kind == "dichotomous"
    assert table.extra == {"se": ("0.3",), "lower": ("0.5",), "upper": ("1.2",)}


def test_an_incomplete_kind_stays_text(csv):
    table = read_studies(csv("study,events_e,n_e,events_c,n_c,effect\nA,1,9,2,9,favours us\n"))
    assert table.extra == {"effect": ("favours us",)}


def test_columns_mapped_by_the_user(csv):
    path = csv("name,deaths,patients,deaths (p),patients (p),events_e\nA,1,9,2,8,about five\n")
    own = {"deaths": "events_e", "patients": "n_e", "Deaths P": "events_c", "patients (p)": "n2i"}
    table = read_studies(path, columns=own)
    assert {name: values[0] for name, values in table.columns.items()} == {
        "events_e": 1,
        "n_e": 9,
        "events_c": 2,
        "n_c": 8,
    }
    assert table.extra == {"events_e": ("about five",)}
    assert table.labels == ("A",)


def test_a_column_kept_as_text_by_the_user(csv):
    path = csv("study,yi,sei,ci_low,ci_high\nA,-0.3,0.2,0.52,1.04\n")
    with pytest.raises(DataError, match="outside"):
        read_studies(path)
    table = read_studies(path, columns={"ci_low": "extra", "ci_high": "extra"})
    assert table.extra == {"ci_low": ("0.52",), "ci_high": ("1.04",)}
    assert table.has("sei")


def test_each_alias_has_one_canonical_name():
    for alias in ALIASES:
        assert alias == alias.casefold()
    assert assign_columns(["study", "yi", "sei"]).at == {"study": 0, "yi": 1, "sei": 2}


@pytest.mark.parametrize(
    ("text", "marks", "count", "expected"),
    [
        ("12", "", False, 12),
        (" 12 ", "", False, 12),
        ("+3", "", False, 3),
        ("-0.5", "", False, -0.5),
        ("−0.5", "", False, -0.5),
        (".5", "", False, 0.5),
        ("12.", "", False, 12),
        ("1e-3", "", False, 0.001),
        ("1,5E-3", "", False, 0.0015),
        ("3,5", "", False, 3.5),
        ("0,123", "", False, 0.123),
        ("-0,123", "", False, -0.123),
        (",125", "", False, 0.125),
        ("1,2345", "", False, 1.2345),
        ("1234,567", "", False, 1234.567),
        ("1.234,5", "", False, 1234.5),
        ("1,234.5", "", False, 1234.5),
        ("1,234,567", "", False, 1234567),
        ("1.234.567", "", False, 1234567),
        ("1.234.567,8", "", False, 1234567.8),
        ("1 234", "", False, 1234),
        ("1\u00a0234", "", False, 1234),
        ("12\u202f345,6", "", False, 12345.6),
        ("1'234.5", "", False, 1234.5),
        ("1’234", "", False, 1234),
        ("1.234", "", False, 1.234),
        ("1.234", ".", False, 1.234),
        ("1.234", ",", False, 1234),
        ("1,234", ".", False, 1234),
        ("1,234", ",", False, 1.234),
        ("1,234", "", True, 1234),
        ("-1,234", ".", False, -1234),
    ],
)  # fmt: skip
def test_numbers(text, marks, count, expected):
    assert parse_number(text, Marks(frozenset(marks)), count=count) == expected


@pytest.mark.parametrize("text", ["", " ", "NA", "n/a", "NR", "-", "–", ".", "NaN", "None", "not reported", "?"])
def test_missing_cells(text):
    assert math.isnan(parse_number(text))


def test_a_point_among_semicolons_is_ambiguous():
    with pytest.raises(DataError, match="could mean"):
        parse_number("1.234", Marks(delimiter=";"))
    assert parse_number("1.234", Marks(delimiter=";"), count=True) == 1234
    assert parse_number("1.234", Marks(delimiter="\t")) == 1.234


def test_decimal_marks_are_collected_from_what_is_certain():
    assert decimal_marks(["1,234", "12", 0.5, "text"]) == frozenset()
    assert decimal_marks(["1,234,567"]) == {"."}
    assert decimal_marks(["0,5", "0.5"]) == {",", "."}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas(csv, delimiter):
    text = "Studie;mean_e;sd_e;n_e;mean_c;sd_c;n_c\nA;8,125;4,2;1.034;9,7;4,4;46\n".replace(";", delimiter)
    table = read_studies(csv(text), columns={"Studie": "study"})
    assert [float(values[0]) for values in table.columns.values()] == [1034, 46, 8.125, 4.2, 9.7, 4.4]


def test_quoted_decimal_commas_among_commas(csv):
    table = read_studies(csv('study,yi,sei\nA,"0,12","0,250"\n'))
    assert (table.columns["yi"][0], table.columns["sei"][0]) == (0.12, 0.25)


def test_thousands(csv):
    table = read_studies(csv('study,events_e,n_e,events_c,n_c\nISIS-2,"1,570","8,587","1 720",8\'600\n'))
    assert [values[0] for values in table.columns.values()] == [1570, 8587, 1720, 8600]


def test_other_rows_decide_an_ambiguous_number_even_if_not_selected(csv):
    path = csv("a;study;yi;sei\n1;A;1,234;1,125\n2;B;0,5;0,25\n")
    assert read_studies(path, where={"a": "1"}).columns["yi"][0] == 1.234


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("cp1252", b""),
    ],
)
def test_encodings(tmp_path, encoding, mark):
    path = write(tmp_path / "t.csv", mark + "study,yi,sei\nMüller – 2001,0.1,0.2\n".encode(encoding))
    assert read_studies(path).labels == ("Müller – 2001",)


def test_a_byte_that_windows_1252_lacks(tmp_path):
    assert read_studies(write(tmp_path / "t.csv", b"study,yi,sei\nA\x81,0.1,0.2\n")).labels == ("A\x81",)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_blank_rows_and_trailing_columns(csv, end):
    text = "\n\nstudy , yi,sei,,\n\nA, 0.1 ,0.2,,\n , ,,,\nB,0.3,0.1\n,,,,,,,\n".replace("\n", end)
    table = read_studies(csv(text))
    assert table.labels == ("A", "B")
    assert table.extra == {}
    broken = text.replace("0.3", "x")
    with pytest.raises(DataError, match="row 7, column 'yi': 'x'"):
        read_studies(csv(broken))


def test_an_excel_separator_line(csv):
    table = read_studies(csv("sep=;\nstudy;yi;sei\nA;0,1;0,2\n"))
    assert table.columns["yi"][0] == 0.1
    with pytest.raises(DataError, match="row 3, column 'yi'"):
        read_studies(csv("sep=;\nstudy;yi;sei\nA;x;0,2\n"))


def test_quoted_cells(csv):
    table = read_studies(csv('"study","yi","sei","note"\n"Smith, 2001 ""A""",0.1,0.2,"two\nlines"\n'))
    assert table.labels == ('Smith, 2001 "A"',)
    assert table.extra == {"note": ("two\nlines",)}


def test_an_unnamed_column_is_kept(csv):
    assert read_studies(csv(",study,yi,sei\n1,A,0.1,0.2\n")).extra == {"column 1": ("1",)}


ANALYSES = "analysis,study,yi,sei,note\n1.1,A,0.1,0.2,x\n1.10,A,0.3,0.1,y\n1.10,B,oops,0.1,z\n"


def test_where_compares_text(csv):
    path = csv(ANALYSES)
    table = read_studies(path, where={"analysis": "1.1"})
    assert (table.labels, table.columns["yi"][0], table.extra["analysis"]) == (("A",), 0.1, ("1.1",))
    both = read_studies(path, where={"Analysis": "1.10", "study": "A"})
    assert both.columns["yi"][0] == 0.3
    with pytest.raises(DataError, match="row 4, column 'yi': 'oops'"):
        read_studies(path, where={"analysis": "1.10"})


def test_where_names_the_study_column_by_its_meaning(csv):
    assert read_studies(csv("studlab,TE,seTE\nA,0.1,0.2\nB,0.1,0.3\n"), where={"study": "B"}).labels == ("B",)


def test_exclusions_in_the_table(csv):
    table = read_studies(
        csv(
            "study,yi,sei,excluded,exclusion_reason\nA,0.1,0.2,no,\nB,oops,-3,yes,wrong population\nC,0.3,0.1,x,\n"
            "D,,,FALSE,\nE,0.2,0.2,0,NA\nF,0.5,0.2,,late\n"
        )
    )
    assert table.exclusions == ("", "wrong population", "excluded, no reason given", "no data", "", "late")
    np.testing.assert_array_equal(table.included, [True, False, False, False, True, False])
    np.testing.assert_array_equal(table.columns["yi"], [0.1, np.nan, 0.3, np.nan, 0.2, 0.5])
    assert table.extra == {}


def test_exclusions_by_request(csv):
    path = csv("study,yi,sei\nTrial A,0.1,0.2\nTrial B,0.3,0.1\n")
    table = read_studies(path, exclude={"Trial B": "retracted"})
    assert (table.exclusions, table.k, table.columns["yi"][1]) == (("", "retracted"), 2, 0.3)


def test_an_excluded_copy_keeps_a_label_of_its_own(csv):
    table = read_studies(csv("study,yi,sei,exclude\nA,0.1,0.2,\nA,0.1,0.2,copy\n,,,\nA,,,\n"))
    assert table.labels == ("A", "A (row 3)", "A (row 5)")
    assert table.exclusions == ("", "copy", "no data")


REVMAN = (
    "Analysis group,Analysis number,Subgroup,Study,GIV Mean,GIV SE,Experimental mean,Experimental SD,Experimental cases,Experimental N,"
    "Control mean,Control SD,Control cases,Control N,O-E,Variance,Weight,Mean,CI start,CI end\n"
)


@pytest.mark.parametrize(
    ("rows", "kind", "names"),
    [
        ("A,0,0,0,0,8,48,0,0,16,49,0,0\nB,0,0.4,0,0,0,40,0,0,0,41,0,6.2", "dichotomous", "events_e n_e events_c n_c"),
        ("A,0,0,0,0,0,48,0,0,0,49,0,0", "dichotomous", "events_e n_e events_c n_c"),
        ("A,,,,,8,48,,,16,49,,\nB,,,,,0,40,,,2,41,,", "dichotomous", "events_e n_e events_c n_c"),
        ("A,0,0.4,0,4.2,0,48,1.5,4,0,49,0,5.1", "continuous", "n_e n_c mean_e sd_e mean_c sd_c"),
        ("A,0.3,0.4,0,0,0,48,0,0,0,49,0,0\nB,0,0.2,0,0,0,0,0,0,0,0,0,0", "estimate", "n_e n_c yi sei"),
        ("A,0,0,0,0,8,48,0,0,16,49,-3.5,8.2\nB,0,0,0,0,0,40,0,0,0,41,1.5,3", "oe", "n_e n_c oe v"),
    ],
)
def test_zero_filled_fields_of_revman_web(csv, rows, kind, names):
    text = REVMAN + "".join(f"1,2,x,{row},50,0.7,0.5,1.1\n" for row in rows.splitlines())
    table = read_studies(csv(text), where={"Analysis group": "1", "Analysis number": "2"})
    assert table.kind == kind
    assert set(table.columns) == set(names.split())
    assert set(table.exclusions) == {""}
    assert table.extra["Mean"][0] == "0.7"


def test_a_revman_study_without_data(csv):
    text = REVMAN + "1,2,,A,0,0,0,0,8,48,0,0,16,49,0,0,50,0.7,0.5,1.1\n1,2,,B,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n"
    assert read_studies(csv(text)).exclusions == ("", "no data")


REVMAN5 = (
    "Comparison Number,Outcome Number,Subgroup Number,Name,Data Type,Events 1,Mean 1,SD 1,Total 1,Events 2,Mean 2,SD 2,Total 2,"
    "Effect Estimate,SE,CI Start,CI End,Year of study,User defined order\n"
    "1,0,0,Aspirin,,,,,,,,,,,,,,,\n"
    "1,1,0,Death,DIC,93,,,1373,131,,,1395,0.7,,0.5,0.9,,\n"
    "1,1,1,Early,,93,,,1373,131,,,1395,0.7,,0.5,0.9,,\n"
    "1,1,1,MRC-1,,49,0,0,615,67,0,0,624,0.71971415,0.19721981,0.48897453,1.05933628,1974,1\n"
    "1,1,1,CDP,,44,0,0,758,64,0,0,771,0.6807598,0.20289717,0.4573909,1.01321191,1976,2\n"
    "1,2,0,Mental health,CON,0,,,13,0,,,13,-1.5,,-4.7,1.7,,\n"
    "1,2,0,Davis,,0,5,4.7,13,0,6.5,3.8,13,-1.5,1.67630546,-4.78549833,1.78549833,1973,12\n"
)


def test_a_revman5_export(csv):
    path = csv(REVMAN5)
    deaths = read_studies(path, where={"Comparison Number": "1", "Outcome Number": "1"})
    assert (deaths.kind, deaths.labels) == ("dichotomous", ("MRC-1", "CDP"))
    assert set(deaths.columns) == {"events_e", "n_e", "events_c", "n_c"}
    assert deaths.extra["CI Start"] == ("0.48897453", "0.4573909")
    means = read_studies(path, where={"Outcome Number": "2"})
    assert (means.kind, means.labels) == ("continuous", ("Davis",))
    with pytest.raises(DataError, match=r'(?s)one kind of data.*--where "Outcome Number=1"'):
        read_studies(path)


def test_people_and_person_time_side_by_side(csv):
    table = read_studies(csv("study,events_e,n_e,time_e,events_c,n_c,time_c\nA,0,40,38.5,0,41,37.5\nB,0,9,8,0,9,8.5\n"))
    assert table.kind == "dichotomous"
    assert table.has("events_e", "time_e", "n_e")
    assert set(table.columns["events_e"]) == {0}
    # several events a person are counts of occurrences, which need person-time
    repeated = read_studies(csv("study,events_e,n_e,time_e,events_c,n_c,time_c\nA,60,40,38.5,7,41,37.5\n"))
    assert repeated.columns["events_e"][0] == 60


def test_person_time_of_only_some_rows(csv):
    table = read_studies(
        csv("study,events_e,n_e,time_e,events_c,n_c,time_c\nA,6,40,38.5,3,41,37.5\nB,4,9,,2,9,\nC,1,9,8,0,9,8\n")
    )
    assert table.kind == "dichotomous"
    assert np.isnan(table.columns["time_e"][1])


def test_one_arms_person_time_stays_text(csv):
    table = read_studies(csv("study,events_e,n_e,events_c,n_c,time_e\nA,6,40,3,41,about a year\n"))
    assert table.extra == {"time_e": ("about a year",)}


def test_counts_and_estimates_side_by_side(csv):
    table = read_studies(csv("study,events_e,n_e,events_c,n_c,yi,vi\nA,8,48,16,49,-0.67,0.15\nB,0,20,0,30,0.4,4\n"))
    assert table.kind == "dichotomous"
    assert table.has("events_e", "n_e", "yi", "sei")
    np.testing.assert_allclose(table.columns["sei"], np.sqrt([0.15, 4]), rtol=1e-15)


def test_no_events_at_all_is_data(csv):
    table = read_studies(csv("study,events_e,n_e,events_c,n_c\nA,0,48,0,49\n"))
    assert (table.kind, table.exclusions) == ("dichotomous", ("",))


FRAME = pd.DataFrame({"study": ["A", "B"], **DICHOTOMOUS})


@pytest.mark.parametrize(
    "frame",
    [
        FRAME,
        FRAME.astype({"events_e": "int8", "n_e": "uint16", "events_c": "float32"}),
        FRAME.astype({"events_e": "Int64", "n_e": "Float64", "study": "string"}),
        FRAME.astype({"study": "category", "events_e": "category"}),
        FRAME.astype(object),
        FRAME.astype(str),
        FRAME.set_index("study"),
        FRAME.set_index("study").rename_axis(index=None),
        FRAME.rename(columns={"events_e": "event.e"}),
    ],
    ids=["int", "small", "nullable", "category", "object", "text", "index", "unnamed_index", "alias"],
)
def test_frames(frame):
    table = read_studies(frame)
    assert (table.labels, table.source, table.kind) == (("A", "B"), "DataFrame", "dichotomous")
    for name, values in DICHOTOMOUS.items():
        np.testing.assert_array_equal(table.columns[name], values)


def test_a_frame_with_numbered_rows_numbers_its_studies():
    frame = FRAME.drop(columns="study")
    assert read_studies(frame).labels == ("Study 1", "Study 2")
    assert read_studies(frame[frame["n_e"] < 40]).labels == ("Study 1",)


def test_missing_values_and_moderators_of_a_frame():
    frame = FRAME.assign(
        year=[2001, np.nan], dose=[0.5, 1.0], analysis=[1.1, 1.2], flag=[True, None], note=[pd.NA, "x"]
    )
    frame.loc[2] = ["C", *[np.nan] * 9]
    frame.loc[3] = [None, *[np.nan] * 9]
    table = read_studies(frame)
    assert table.labels == ("A", "B", "C")
    assert table.exclusions == ("", "", "no data")
    assert table.extra["year"] == ("2001", "", "")
    assert table.extra["dose"] == ("0.5", "1.0", "")
    assert table.extra["note"] == ("", "x", "")
    assert read_studies(frame, where={"analysis": "1.2"}).labels == ("B",)


def test_a_boolean_exclude_column_of_a_frame():
    assert read_studies(FRAME.assign(exclude=[False, True])).exclusions == ("", "excluded, no reason given")


def test_to_frame_reads_back():
    table = read_studies(FRAME.assign(focus=["x", "y"], exclude=["", "late"]))
    frame = table.to_frame()
    assert list(frame.columns) == ["study", *DICHOTOMOUS, "focus", "exclusion"]
    again = read_studies(frame)
    assert (again.labels, again.extra, again.exclusions) == (table.labels, table.extra, table.exclusions)
    clash = StudyTable(("A",), {"yi": np.array([1.0])}, {"study": ("other",)})
    assert list(clash.to_frame().columns) == ["study", "yi", "study (text)", "exclusion"]


def test_a_round_trip_through_a_file(tmp_path):
    table = read_studies(FRAME.assign(focus=["x", "y"]))
    table.to_frame().to_csv(tmp_path / "out.csv", index=False)
    again = read_studies(tmp_path / "out.csv")
    assert again.source == str(tmp_path / "out.csv")
    assert again.extra == table.extra
    for name, values in table.columns.items():
        np.testing.assert_array_equal(again.columns[name], values)


def test_subset():
    table = read_studies(FRAME.assign(focus=["x", "y"], exclude=["", "late"]))
    one = table.subset(table.included)
    assert (one.k, one.labels, one.extra, one.exclusions) == (1, ("A",), {"focus": ("x",)}, ("",))
    assert table.subset([False, True]).columns["n_e"][0] == 37
    for mask in ([0, 1], [True], np.array([1, 0])):
        with pytest.raises(SpecError, match="one True or False for each of 2 rows"):
            table.subset(mask)


def test_a_table_is_a_value():
    source = np.array([0.1, 0.2])
    table = StudyTable(("A", "B"), {"yi": source, "sei": source})
    source[0] = 9
    assert table.columns["yi"][0] == 0.1
    with pytest.raises(ValueError, match="read-only"):
        table.columns["yi"][0] = 1
    assert table.exclusions == ("", "")
    assert pickle.loads(pickle.dumps(table)).labels == table.labels


def test_kind_counts_only_what_is_complete():
    blank = np.full(2, np.nan)
    ones = np.ones(2)
    counts = dict.fromkeys(("events_e", "n_e", "events_c", "n_c"), ones)
    assert StudyTable(("A", "B"), counts | {"yi": ones, "sei": ones}).kind == "dichotomous"
    assert StudyTable(("A", "B"), counts | {"n_e": 0 * ones, "yi": ones, "sei": ones}).kind == "estimate"
    assert StudyTable(("A", "B"), {"yi": ones, "ci_low": blank, "ci_high": blank}).kind == "estimate"
    assert StudyTable(("A", "B"), {"oe": blank, "v": blank}).kind == "oe"
    left_out = StudyTable(("A", "B"), counts | {"events_e": np.array([np.nan, 1.0])}, exclusions=("no data", ""))
    assert left_out.kind == "dichotomous"


def test_has_knows_its_columns():
    table = StudyTable(("A",), {"yi": np.array([1.0]), "sei": np.array([np.nan])})
    assert table.has("yi")
    assert not table.has("yi", "sei")
    assert not table.has("oe")
    with pytest.raises(SpecError, match="did you mean 'events_e'"):
        table.has("event_e")


def test_reading_a_file_needs_no_heavy_package(csv):
    path = csv("study,yi,sei\nA,0.1,0.2\n")
    code = (
        "import sys; from bayesmeta.studies.read import read_studies; read_studies(sys.argv[1]);"
        "sys.exit(', '.join({'pandas', 'pymc', 'arviz', 'matplotlib'} & set(sys.modules)) or 0)"
    )
    root = ROOT_FOLDER
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Author,Year,events_e,n_e,events_c,n_c\nSmith,2001,3,20,6,21\nSmith,2004,5,40,9,41\n", ("Smith 2001", "Smith 2004")),
        ("Authors,Year,yi,sei\nSmith 2001,2001,1,2\nLee,,1,2\n", ("Smith 2001", "Lee")),
        ("Study or Subgroup,Experimental Events,Experimental Total,Control Events,Control Total\nA,3,20,6,21\n", ("A",)),
        ("Table 2. Outcomes,,,,\nstudy,events_e,n_e,events_c,n_c\nA,3,20,6,21\n", ("A",)),
        ("Table 2\n\nstudy;events_e;n_e;events_c;n_c\nA;3;20;6;21\n", ("A",)),
        ("study,Experimental,,Control,\n,events,total,events,total\nA,3,20,6,21\nB,5,40,9,41\n", ("A", "B")),
        ("study,events_e,n_e,events_c,n_c\nA,3,20,6,21\nB,5,40,9,41\n\n* per protocol,,,,\n", ("A", "B")),
    ],
)  # fmt: skip
def test_usual_layouts_of_a_file(csv, text, labels):
    assert read_studies(csv(text)).labels == labels


def test_a_title_or_a_second_header_row_keeps_the_lines_of_the_file(csv):
    with pytest.raises(DataError, match=r"row 4, column 'n_e'"):
        read_studies(csv("Title,,,,\n\nstudy,events_e,n_e,events_c,n_c\nA,3,x,6,21\n"))
    with pytest.raises(DataError, match=r"row 3, column 'Experimental total'"):
        read_studies(csv("study,Experimental,,Control,\n,events,total,events,total\nA,3,x,6,21\n"))


@pytest.mark.parametrize(
    ("header", "measure", "natural"),
    [
        ("HR,LCI,UCI", "HR", True), ("Odds ratio,ci_low,ci_high", "OR", True), ("RR,lower,upper", "RR", True),
        ("logHR,lower,upper", "HR", False), ("SMD,lower,upper", "SMD", False), ("g,lower,upper", "SMD", False),
        ("beta,lower,upper", "GEN", False), ("yi,lower,upper", "GEN", False),
    ],
)  # fmt: skip
def test_a_column_of_estimates_may_be_named_by_its_measure(csv, header, measure, natural):
    table = read_studies(csv(f"study,{header}\nA,1.78,0.84,3.76\nB,1.2,0.37,3.93\n"))
    assert (table.kind, table.measure, table.natural_ratios) == ("estimate", measure, natural)
    assert table.subset(np.array([True, False])).measure == measure


def test_ratios_are_logged_where_their_column_says_that_they_are_ratios(csv):
    path = csv("study,HR,LCI,UCI\nA,1.78,0.84,3.76\nB,1.2,0.37,3.93\n")
    effects = effect_sizes(read_studies(path), "HR")
    np.testing.assert_allclose(effects.yi, np.log([1.78, 1.2]), rtol=1e-12)
    # without limits the scale of a standard error beside a ratio is not known
    with pytest.raises(DataError, match="need ci_low and ci_high"):
        effect_sizes(read_studies(csv("study,HR,se\nA,1.78,0.4\n")), "HR")
    logs = effect_sizes(read_studies(csv("study,HR,se\nA,1.78,0.4\nB,-0.2,0.3\n")), "HR")
    np.testing.assert_allclose(logs.yi, [1.78, -0.2])
    stated = read_studies(csv("study,HR,se\nA,1.78,0.4\n"), columns={"HR": "yi"})
    assert effect_sizes(stated, "HR").yi[0] == 1.78


def test_a_published_ratio_beside_counts_is_not_the_data(csv):
    table = read_studies(csv("study,events_e,n_e,events_c,n_c,RR,ci_low,ci_high\nA,3,20,6,21,0.5,0.1,9\n"))
    assert table.kind == "dichotomous"
    assert not table.has("yi")
    assert table.extra["RR"] == ("0.5",)


def test_standard_errors_named_by_their_estimate(csv):
    table = read_studies(csv("study,z,SE(z)\ns1,0.28,0.15\ns2,0.46,0.16\n"))
    assert list(table.columns["sei"]) == [0.15, 0.16]
    with pytest.raises(DataError, match="no columns of numbers"):
        read_studies(csv("study,b,d\nA,1,2\n"))


def test_a_known_name_is_not_offered_as_its_own_correction(csv):
    with pytest.raises(DataError) as caught:
        read_studies(csv("study,effct,ci_low,ci_high\nA,1,0.5,2\n"))
    message = str(caught.value)
    assert "did you mean 'ci_low'" not in message
    assert "need the estimate beside them" in message
