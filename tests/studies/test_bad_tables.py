"""Study tables with errors: each is refused with its place, its value and what to do."""

from __future__ import annotations

import codecs
import contextlib
import decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayesmeta.errors import BayesmetaError, DataError, SpecError
from bayesmeta.studies.read import read_studies
from bayesmeta.studies.table import StudyTable

DICHOTOMOUS = "study,events_e,n_e,events_c,n_c\nA,8,48,16,49\n"
CONTINUOUS = "study,mean_e,sd_e,n_e,mean_c,sd_c,n_c\nA,8.1,4.2,34,9.7,4.4,46\n"
ESTIMATE = "study,yi,sei\nA,0.12,0.25\n"
INTERVAL = "study,yi,ci_low,ci_high\nA,0.1,-0.2,0.4\n"
LOGRANK = "study,O-E,Variance\nA,-3.5,8.25\n"


def _file(text: str) -> bytes:
    return text.encode("utf-8")


def _dichotomous(row: str) -> bytes:
    return _file(DICHOTOMOUS + row)


def _continuous(row: str) -> bytes:
    return _file(CONTINUOUS + row)


def _estimate(row: str) -> bytes:
    return _file(ESTIMATE + row)


#: (id, bytes of the file, what the message must contain). The command line is tested with the same files.
BAD_TABLES: list[tuple[str, bytes, tuple[str, ...]]] = [
    # The file itself.
    ("empty", b"", ("empty", "header")),
    ("only_blank_lines", b"\n\n  \n", ("empty",)),
    ("only_a_mark", codecs.BOM_UTF8, ("empty",)),
    ("header_only", b"study,events_e,n_e,events_c,n_c\n", ("header", "no row")),
    ("nul", b"study,yi,sei\nA,0.1,0.2\nB,\x000.1,0.2\n", ("row 3", "0x00", "UTF-8")),
    ("control_character", b"study,yi,sei\nA\x07,0.1,0.2\n", ("row 2", "0x07")),
    ("utf16_without_mark", "study,yi,sei\nA,0.1,0.2\n".encode("utf-16-le"), ("row 1", "0x00", "UTF-8")),
    ("utf16_cut_short", codecs.BOM_UTF16_LE + b"s\x00t", ("utf-16", "UTF-8")),
    ("excel_workbook", b"PK\x03\x04\x14\x00\x06\x00", ("Excel workbook", "CSV")),
    ("old_excel_workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ("old Excel", "CSV")),
    ("pdf", b"%PDF-1.7\n", ("PDF", "CSV")),
    ("gzip", b"\x1f\x8b\x08\x00abc", ("compressed", "Unpack")),
    ("revman_file", b'<?xml version="1.0"?><COCHRANE_REVIEW/>', ("XML", ".rm5", "import")),
    ("json", b'{"study": ["A"]}', ("JSON", "CSV")),
    ("open_quotation_mark", b'study,yi,sei\n"A,0.1,0.2\nB,0.1,0.2\n', ("row 2", "quotation marks")),
    ("broken_quotation", b'study,yi,sei\nA,0.1,0.2\n"B"x,0.1,0.2\n', ("row 3", "quotation marks")),
    ("endless_cell", b"study,yi,sei\n" + b"A" * 200_000 + b",0.1,0.2\n", ("row 2", "split")),
    # The header.
    ("twice_one_name", b"study,yi,sei,yi\nA,1,2,3\n", ("row 1", "'yi'", "number 2", "number 4", "Rename")),
    ("two_names_one_meaning", b"study,events_e,ai,n_e,events_c,n_c\nA,1,1,9,2,9\n", ("'events_e'", "'ai'", '--columns "ai=events_e"')),
    ("two_study_columns", b"Study,studlab,yi,sei\nA,A,1,2\n", ("'Study'", "'studlab'", "'study'")),
    ("no_study_column", b"yi,sei\n0.1,0.2\n", ("no column names the studies", "--columns")),
    ("no_known_columns", b"study,apples,pears\nA,1,2\n", ("'apples'", "'pears'", "events_e", "--columns")),
    ("misspelt_columns", b"study,evnts_e,nn_e,events_cc,nc_\nA,1,9,2,9\n", ("'evnts_e'", "events_e", "did you mean")),
    ("no_header", b"Smith 2001,8,48,16,49\nJones 2002,3,50,4,50\n", ("'Smith 2001'", "recognized")),
    ("study_only", b"study\nA\nB\n", ("'study'", "events_e")),
    ("one_total_missing", b"study,events_e,n_e,events_c\nA,1,9,2\n", ("'events_e'", "n_c", "is not")),
    ("totals_in_percent", b"study,events_e,n_e (%),events_c,n_c (%)\nA,1,50,2,50\n", ("n_e (or nonevents_e)", "n_c", "'n_e (%)'")),
    ("no_sd_columns", b"study,mean_e,n_e,mean_c,n_c\nA,1,9,2,9\n", ("sd_e, sd_c", "'mean_e'")),
    ("no_precision", b"study,yi\nA,0.3\n", ("sei", "ci_low", "'yi'")),
    ("half_an_interval", b"study,yi,ci_low\nA,0.3,0.1\n", ("sei", "'yi'")),
    ("no_variance_of_oe", b"study,O-E\nA,0.3\n", ("'O-E'", "v is not")),
    # The shape of rows.
    ("surplus_cell", _estimate("B,0.1,0.2,0.3\n"), ("row 3", "4 cells", "header 3", "'0.3'")),
    ("decimal_comma_among_commas", _estimate("B,0,1,0,2\n"), ("row 3", "5 cells", "decimal comma", "semicolons")),
    ("row_cut_short", _dichotomous("B,8,48\n"), ("row 3", "'events_c'", "blank")),
    ("all_rows_blank", b"study,yi,sei\nA,,\nB,,\n", ("no row has a number",)),
    ("no_label", _estimate(",0.1,0.2\n"), ("row 3", "'study'", "no study name")),
    ("a_total_row", _dichotomous("Total,99,980,88,990\n"), ("row 3", "'Total'", "exclude")),
    ("row_after_blank_rows", _estimate("\n,,\n\nB,x,0.2\n"), ("row 6", "'yi'", "'x'")),
    ("row_after_a_two_line_cell", _file('study,yi,sei\n"A\nagain",0.1,0.2\nB,x,0.2\n'), ("row 4", "'yi'", "'x'")),
    # Cells that are no numbers.
    ("word", _dichotomous("B,eight,48,16,49\n"), ("row 3", "'events_e'", "'eight'", "number", "NA")),
    ("percent", _dichotomous("B,17%,48,16,49\n"), ("row 3", "'events_e'", "'17%'", "percentage")),
    ("fraction_in_one_cell", _dichotomous("B,8/48,48,16,49\n"), ("row 3", "'8/48'", "two columns")),
    ("mean_with_sd", _continuous("B,8.1 (4.2),4.2,34,9.7,4.4,46\n"), ("row 3", "'mean_e'", "'8.1 (4.2)'", "one number")),
    ("plus_minus", _continuous("B,8.1±4.2,4.2,34,9.7,4.4,46\n"), ("'8.1±4.2'", "one number")),
    ("less_than", _estimate("B,0.1,<0.2\n"), ("row 3", "'sei'", "'<0.2'", "sign")),
    ("footnote", _dichotomous("B,8*,48,16,49\n"), ("'8*'", "footnote")),
    ("unit", _continuous("B,8.1 kg,4.2,34,9.7,4.4,46\n"), ("'8.1 kg'", "unit")),
    ("spreadsheet_error", _estimate("B,#DIV/0!,0.2\n"), ("'#DIV/0!'", "spreadsheet")),
    ("infinite", _estimate("B,inf,0.2\n"), ("row 3", "'yi'", "'inf'", "Correct")),
    ("overflow", _estimate("B,1e999,0.2\n"), ("'1e999'", "finite")),
    ("nan_among_numbers", _estimate("B,NaN,0.2\n"), ("row 3", "'yi'", "blank", "'0.2'")),
    ("hexadecimal", _dichotomous("B,0x10,48,16,49\n"), ("'0x10'", "number")),
    ("underscored", _dichotomous("B,1_000,4800,16,49\n"), ("'1_000'", "number")),
    ("lakh_groups", _dichotomous('B,8,"12,34,567",16,49\n'), ("'12,34,567'", "number")),
    ("two_numbers_a_cell", _dichotomous("B,8 48,48,16,49\n"), ("'8 48'", "number")),
    ("superscript", _dichotomous("B,8²,48,16,49\n"), ("'8²'", "number")),
    # Numbers that could be two.
    ("comma_or_thousand", _file("study;yi;sei\nA;1,234;2,345\n"), ("row 2", "'1,234'", "1.234", "1234", "1,2340")),
    ("point_or_thousand", _file("study;yi;sei\nA;1.234;2.345\n"), ("row 2", "'1.234'", "1234", "1.2340")),
    ("quoted_comma", _file('study,yi,sei\nA,"1,234","2,345"\n'), ("row 2", "'yi'", "'1,234'", "does not show which")),
    ("both_marks", _file("study;yi;sei\nA;0,5;0.25\nB;1,234;0,5\n"), ("row 3", "'1,234'")),
    # Counts.
    ("negative_events", _dichotomous("B,-8,48,16,49\n"), ("row 3", "'events_e'", "'-8'", "negative")),
    ("unicode_minus_events", _dichotomous("B,−8,48,16,49\n"), ("row 3", "'−8'", "negative")),
    ("fractional_events", _dichotomous("B,8.5,48,16,49\n"), ("row 3", "'8.5'", "whole")),
    ("risk_for_events", _dichotomous("B,0.17,48,0.33,49\n"), ("'0.17'", "rate")),
    ("fractional_total", _continuous("B,8.1,4.2,34.5,9.7,4.4,46\n"), ("'n_e'", "'34.5'", "whole")),
    ("comma_total_where_commas_are_decimal", _file("study;mean_e;sd_e;n_e;mean_c;sd_c;n_c\nA;8,1;4,2;1,234;9,7;4,4;46\n"),
     ("row 2", "'n_e'", "'1,234'", "whole")),
    ("more_events_than_people", _dichotomous("B,84,21,16,49\n"), ("row 3", "'events_e'", "'84'", "21", "'n_e'")),
    ("more_control_events", _dichotomous("B,8,21,50,49\n"), ("row 3", "'events_c'", "'50'", "49")),
    ("total_of_zero", _dichotomous("B,0,0,16,49\n"), ("row 3", "'n_e'", "'0'", "above 0")),
    ("negative_total", _dichotomous("B,0,-5,16,49\n"), ("row 3", "'n_e'", "'-5'", "negative")),
    ("metafor_nonevents_negative", b"slab,ai,bi,ci,di\nA,4,-9,2,9\n", ("row 2", "'bi'", "'-9'")),
    # Person-time.
    ("no_time_in_one_arm", b"study,events_e,time_e,events_c,time_c\nA,4,0,2,9.5\n", ("row 2", "'time_e'", "'0'", "above 0")),
    ("time_negative", b"slab,x1i,t1i,x2i,t2i\nA,4,9,2,-9.5\n", ("row 2", "'t2i'", "'-9.5'", "person-time")),
    ("time_blank", b"study,events_e,time_e,events_c,time_c\nA,4,9,2,\n", ("row 2", "'time_c'", "blank")),
    ("events_blank_beside_time", b"study,events_e,time_e,events_c,time_c\nA,,9,2,9\n", ("row 2", "'events_e'", "blank")),
    ("fractional_events_in_time", b"study,events_e,time_e,events_c,time_c\nA,1.5,9,2,9\n", ("row 2", "'1.5'", "whole")),
    ("no_time_column_in_one_arm", b"study,events_e,time_e,events_c\nA,1,9,2\n", ("'time_e'", "time_c is not")),
    # Half-filled rows.
    ("events_blank", _dichotomous("B,,48,16,49\n"), ("row 3", "'events_e'", "blank")),
    ("total_blank", _dichotomous("B,8,NR,16,49\n"), ("row 3", "'n_e'", "blank")),
    ("control_arm_blank", _dichotomous("B,8,48,,\n"), ("row 3", "'events_c'", "blank", "exclude")),
    ("only_totals", _dichotomous("B,,48,,49\n"), ("row 3", "'events_e'", "blank", "'48'")),
    ("sd_blank", _continuous("B,8.1,4.2,34,9.7,,46\n"), ("row 3", "'sd_c'", "blank")),
    ("mean_blank", _continuous("B,-,4.2,34,9.7,4.4,46\n"), ("row 3", "'mean_e'", "blank")),
    ("se_blank", _estimate("B,0.1,\n"), ("row 3", "'sei'", "blank", "'0.1'")),
    ("estimate_blank", _estimate("B,,0.1\n"), ("row 3", "'yi'", "blank", "'0.1'")),
    ("interval_end_blank", _file(INTERVAL + "B,0.1,,0.4\n"), ("row 3", "'ci_low'", "blank")),
    ("variance_blank", _file(LOGRANK + "B,0.4,\n"), ("row 3", "'Variance'", "blank", "'0.4'")),
    ("nonevents_blank", b"slab,ai,bi,ci,di\nA,4,,2,9\n", ("row 2", "'bi'", "blank")),
    # Spreads and intervals.
    ("sd_zero", _continuous("B,8.1,0,34,9.7,4.4,46\n"), ("row 3", "'sd_e'", "'0'", "infinite weight", "sqrt(n)")),
    ("sd_negative", _continuous("B,8.1,4.2,34,9.7,-4.4,46\n"), ("row 3", "'sd_c'", "'-4.4'", "above 0")),
    ("se_zero", _estimate("B,0.1,0\n"), ("row 3", "'sei'", "'0'", "above 0")),
    ("se_negative", _estimate("B,0.1,-0.2\n"), ("row 3", "'sei'", "'-0.2'")),
    ("variance_zero", b"slab,yi,vi\nA,0.1,0.0\n", ("row 2", "'vi'", "variance", "'0.0'")),
    ("variance_negative", b"slab,yi,vi\nA,0.1,-0.1\n", ("row 2", "'vi'", "'-0.1'")),
    ("oe_variance_zero", _file(LOGRANK + "B,0.4,0\n"), ("row 3", "'Variance'", "'0'", "above 0")),
    ("interval_swapped", _file(INTERVAL + "B,0.1,0.4,-0.2\n"), ("row 3", "'ci_low'", "'0.4'", "'-0.2'", "Swap")),
    ("interval_of_no_width", _file(INTERVAL + "B,0.1,0.1,0.1\n"), ("row 3", "'ci_low'", "below")),
    ("estimate_above_interval", _file(INTERVAL + "B,0.5,-0.2,0.4\n"), ("row 3", "'yi'", "'0.5'", "outside", "scale")),
    ("log_estimate_natural_interval", _file(INTERVAL + "B,-0.3,0.52,1.04\n"), ("row 3", "'-0.3'", "log")),
    # Rows against each other.
    ("pasted_twice", _dichotomous("B,1,9,2,9\nA,8,48,16,49\n"), ("row 4", "'A'", "row 2", "same numbers", "Delete")),
    ("one_name_two_studies", _dichotomous("A,1,9,2,9\n"), ("row 3", "'A'", "row 2", "other numbers", "must not count twice")),
    ("two_outcomes", b"analysis,study,yi,sei\n1.1,A,0.1,0.2\n1.10,A,0.3,0.2\n", ("row 3", '--where "analysis=1.1"')),
    ("two_kinds", b"study,events_e,n_e,events_c,n_c,yi,sei\nA,1,9,2,9,,\nB,,,,,0.1,0.2\n",
     ("row 3", "estimates", "row 2", "events", "one kind")),
    ("two_revman_kinds", _file(
        "Study,Experimental cases,Experimental mean,Experimental SD,Experimental N,"
        "Control cases,Control mean,Control SD,Control N\nA,4,0,0,9,2,0,0,9\nB,0,3.5,1.25,9,0,2.5,1.5,9\n"
     ), ("row 3", "means", "row 2", "events")),
    ("revman5_headings_only", b"Comparison Number,Outcome Number,Data Type,Name,Events 1,Total 1,Events 2,Total 2\n"
     b"1,0,,Aspirin,,,,\n1,1,DIC,Death,5,9,6,9\n", ("headings", "no study")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "expected"), [case[1:] for case in BAD_TABLES], ids=[case[0] for case in BAD_TABLES]
)
def test_a_bad_file_is_refused_with_place_and_advice(tmp_path, content, expected):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_studies(path)
    message = str(caught.value)
    assert message.startswith(str(path)), message
    for part in expected:
        assert part in message
    assert caught.value.fix, "no advice"
    assert len(message) < 1500


def test_there_are_many_distinct_bad_tables():
    assert len(BAD_TABLES) >= 60
    assert len({case[0] for case in BAD_TABLES}) == len({case[1] for case in BAD_TABLES}) == len(BAD_TABLES)


@pytest.mark.parametrize("text", [DICHOTOMOUS, CONTINUOUS, ESTIMATE, INTERVAL, LOGRANK])
def test_the_tables_the_bad_ones_start_from_are_good(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    assert read_studies(path).k == 1


GOOD = {"study": ["A", "B"], "events_e": [1, 2], "n_e": [9, 9], "events_c": [3, 4], "n_c": [9, 9]}
BAD_FRAMES = {
    "no_rows": (pd.DataFrame(columns=["study", "yi", "sei"]), ("no rows",)),
    "no_columns": (pd.DataFrame(index=["A"]), ("no columns",)),
    "all_missing": (pd.DataFrame({"study": [None], "yi": [np.nan], "sei": [pd.NA]}), ("blank",)),
    "infinite": (pd.DataFrame({"study": ["A"], "yi": [np.inf], "sei": [0.1]}), ("row 0", "'yi'", "inf")),
    "half_filled": (pd.DataFrame(GOOD).assign(n_c=[9, np.nan]), ("row 1", "'n_c'", "blank")),
    "boolean": (pd.DataFrame(GOOD).assign(events_e=[True, False]), ("row 0", "'events_e'", "'True'")),
    "complex": (pd.DataFrame(GOOD).assign(events_e=[1j, 2]), ("row 0", "'events_e'", "1j")),
    "list_in_a_cell": (pd.DataFrame(GOOD).assign(events_e=[[1], [2]]), ("row 0", "'[1]'")),
    "date_in_a_cell": (pd.DataFrame(GOOD).assign(n_e=pd.Timestamp("2001-05-03")), ("row 0", "2001-05-03")),
    "huge_integer": (pd.DataFrame(GOOD).assign(n_e=[10**400, 9]), ("row 0", "'n_e'", "inf")),
    "fraction": (pd.DataFrame(GOOD).assign(events_e=[decimal.Decimal("1.5"), 2]), ("row 0", "1.5", "whole")),
    "events_above_total": (pd.DataFrame(GOOD, index=[7, 3]).assign(events_c=[3, 40]), ("row 3", "40", "9")),
    "two_columns_alike": (pd.DataFrame([["A", 1, 2, 3]], columns=["study", "yi", "sei", "yi"]), ("'yi'", "number 4")),
    "label_index_repeated": (pd.DataFrame({"yi": [1, 2], "sei": [1, 1]}, index=["A", "A"]), ("row A", "'A'", "other")),
    "text_from_a_spreadsheet": (pd.DataFrame(GOOD).astype(object).assign(n_e=["9", "nine"]), ("row 1", "'nine'")),
    "category_as_number": (pd.DataFrame(GOOD).assign(n_e=pd.Categorical(["few", "many"])), ("row 0", "'few'")),
}  # fmt: skip


@pytest.mark.parametrize(("frame", "expected"), BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_a_bad_frame_is_refused(frame, expected):
    with pytest.raises(DataError) as caught:
        read_studies(frame)
    message = str(caught.value)
    assert message.startswith("DataFrame")
    for part in expected:
        assert part in message
    assert caught.value.fix


def test_paths_that_are_no_file(tmp_path):
    (tmp_path / "studies.csv").write_text(ESTIMATE)
    with pytest.raises(DataError, match=r"(?s)no such file.*Did you mean '.*studies\.csv'"):
        read_studies(tmp_path / "studys.csv")
    with pytest.raises(DataError, match=r"(?s)no such file.*Check the path"):
        read_studies(str(tmp_path / "nowhere" / "at_all.csv"))
    with pytest.raises(DataError, match=r"(?s)a folder, not a file.*Name one file"):
        read_studies(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read_studies("a\0b.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_studies("x" * 5000)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"where": {"analysis": "9.9"}}, ("'analysis'", "9.9", "1.1", "1.10")),
        ({"where": {"analysis": "1.100"}}, ("1.100", "1.10")),
        ({"where": {"analyses": "1.1"}}, ("'analyses'", "did you mean 'analysis'")),
        ({"where": {"analysis": 1.1}}, ("text", "1.1")),
        ({"where": {"analysis": "1.1", "study": "C"}}, ("'study'", "C", "A")),
        ({"where": "analysis=1.1"}, ("where", "mapping")),
        ({"exclude": {"Smitj": "late"}, "where": {"analysis": "1.10"}}, ("'Smitj'", "did you mean 'Smith'")),
        ({"exclude": {"Smith": " "}}, ("reason", "Smith")),
        ({"exclude": ["Smith"]}, ("exclude", "mapping")),
        ({"columns": {"deaths": "events_e"}}, ("'deaths'", "Known: analysis")),
        ({"columns": {"study": "events_x"}}, ("'events_x'", "did you mean 'events_e'")),
        ({"columns": {"yi": "sei", "sei": "sei"}}, ("'yi'", "'sei'", "one of each")),
        ({"columns": {"yi": None}}, ("columns", "None")),
    ],
)
def test_requests_that_cannot_be_carried_out(tmp_path, request_, expected):
    path = tmp_path / "table.csv"
    path.write_text("analysis,study,yi,sei\n1.1,A,0.1,0.2\n1.10,Smith,0.3,0.2\n")
    with pytest.raises(SpecError) as caught:
        read_studies(path, **request_)
    for part in expected:
        assert part in str(caught.value)


@pytest.mark.parametrize("source", [None, 3, b"table.csv", ["a.csv"], {"yi": [1]}, pd.Series([1.0])])
def test_sources_of_another_type(source):
    with pytest.raises(SpecError, match="path of a file or a pandas DataFrame"):
        read_studies(source)


def test_a_table_built_from_arrays_is_checked():
    with pytest.raises(DataError, match="'yi' has shape"):
        StudyTable(("A", "B"), {"yi": np.array([1.0])})
    with pytest.raises(DataError, match="'why' is not a column"):
        StudyTable(("A",), {"why": np.array([1.0])})
    with pytest.raises(DataError, match="'focus' has shape"):
        StudyTable(("A",), {"yi": np.array([1.0])}, {"focus": ("x", "y")})


_CELLS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        ["1,234", "1.234", "3,5", "0", "-1", "NA", "", "1e308", "inf", "12%", '"', "A", "no", "1 234", "5", "7"]
    ),
)
_NAMES = st.sampled_from(
    [
        *(
            "study",
            "events_e",
            "n_e",
            "events_c",
            "n_c",
            "mean_e",
            "sd_e",
            "mean_c",
            "sd_c",
            "yi",
            "sei",
            "vi",
            "ci_low",
        ),
        *(
            "ci_high",
            "O-E",
            "Variance",
            "ai",
            "bi",
            "ci",
            "di",
            "n1i",
            "n2i",
            "exclude",
            "SE",
            "GIV Mean",
            "analysis",
            "x",
        ),
    ]
)
_FUZZ = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _reads_or_refuses(source) -> None:
    with contextlib.suppress(BayesmetaError):
        table = read_studies(source)
        assert len(set(table.labels)) == table.k > 0
        assert table.kind in ("dichotomous", "continuous", "estimate", "oe")
        for values in table.columns.values():
            assert values.shape == (table.k,)
            assert not np.isinf(values).any()


@_FUZZ
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=80).map(lambda tail: ESTIMATE.encode() + tail)))
def test_arbitrary_bytes_never_end_in_another_error(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    _reads_or_refuses(path)


@_FUZZ
@given(
    st.lists(_NAMES, min_size=1, max_size=8),
    st.lists(st.lists(_CELLS, max_size=9), max_size=5),
    st.sampled_from(",;\t"),
    st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]),
)
def test_arbitrary_tables_never_end_in_another_error(tmp_path, names, rows, delimiter, encoding):
    path = tmp_path / "table.csv"
    text = "\n".join(delimiter.join(cells) for cells in [names, *rows])
    path.write_bytes(text.encode(encoding, errors="replace"))
    _reads_or_refuses(path)


@_FUZZ
@given(
    st.lists(_NAMES, min_size=1, max_size=8),
    st.lists(
        st.lists(
            st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), _CELLS, st.decimals()),
            min_size=8,
            max_size=8,
        ),
        max_size=4,
    ),
)
def test_arbitrary_frames_never_end_in_another_error(names, rows):
    frame = pd.DataFrame([row[: len(names)] for row in rows], columns=names, dtype=object)
    _reads_or_refuses(frame)
