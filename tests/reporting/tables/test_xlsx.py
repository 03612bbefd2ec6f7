"""Tables as Excel workbooks, opened by openpyxl: numbers are numbers, every text is text."""

import io
import re
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.sheets import sheet_names
from bayesmeta.reporting.tables.workbook import to_workbook
from bayesmeta.reporting.tables.xlsx import to_xlsx

NOTICE = "Study data reconstructed; not for inference."
SPITEFUL = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "=HYPERLINK(1)",
    "{=1}",
    "http://x.org",
    "1/30",
    "007",
    "_x0041_",
]


def opened(content):
    return openpyxl.load_workbook(io.BytesIO(content))


def test_numbers_are_numbers_with_the_digits_of_the_table():
    frame = pd.DataFrame(
        {
            "Analysis": ["1.10", "1.1", "2.1"],
            "k": ["3", "12", ""],
            "tau": ["0.10", "-0.25", "<0.01"],
            "RR": ["0.74 [0.52, 1.04]", "1.00", "2.6e-5"],
            "I2": ["41%", "0%", "34.2%"],
            "P": ["0.93", ">0.99", "0.50"],
            "Note": ["", "two arms", ""],
        }
    )
    sheet = opened(to_xlsx(Table(frame, "Effects", ("RR: risk ratio",), notice=NOTICE)))["Table"]
    shown = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=1, max_row=5)]
    assert shown[0][0] == "Effects"
    assert shown[1] == ["Analysis", "k", "tau", "RR", "I2", "P", "Note"]
    assert shown[2] == ["1.10", 3, 0.1, "0.74 [0.52, 1.04]", 0.41, 0.93, None]
    assert shown[3] == ["1.1", 12, -0.25, 1, 0, ">0.99", "two arms"]
    assert shown[4] == ["2.1", None, "<0.01", 2.6e-5, 0.342, 0.5, None]
    formats = {(i, j): sheet.cell(i, j).number_format for i in (3, 4, 5) for j in (2, 3, 4, 5, 6)}
    assert [formats[at] for at in ((3, 2), (3, 3), (4, 4), (5, 4), (3, 5), (5, 5))] == [
        "0", "0.00", "0.00", "0.0E+0", "0%", "0.0%"
    ]  # fmt: skip
    assert [sheet.cell(i, 1).value for i in (7, 8)] == [NOTICE, "RR: risk ratio"]
    assert sheet.cell(6, 1).value is None  # what is filtered ends here
    assert sheet.cell(7, 1).font.bold


def test_header_is_frozen_and_columns_are_wide_enough():
    table = Table(pd.DataFrame({"Study": ["A study with a long name"], "x": ["1"]}), "A caption")
    sheet = opened(to_xlsx(table))["Table"]
    assert sheet.freeze_panes == "B3"
    assert sheet.auto_filter.ref == "A2:C3"
    assert sheet.column_dimensions["A"].width > len("A study with a long name")
    assert sheet.cell(2, 1).font.bold


def test_groups_and_ids_of_analyses_stay_text():
    frame = pd.DataFrame({"Dose": ["1.50", "2.0"], "Study": ["1.10", "12"], "x": ["1.10", "12"]})
    sheet = opened(to_xlsx(Table(frame, "", groups="Dose")))["Table"]
    assert [[cell.value for cell in row][:3] for row in sheet.iter_rows(min_row=3)] == [
        ["1.50", "1.10", 1.1],
        ["2.0", "12", 12],
    ]


@pytest.mark.parametrize("text", SPITEFUL)
def test_nothing_becomes_a_formula_a_link_or_a_date(text):
    content = to_xlsx(Table(pd.DataFrame({"Study": [text], "x": [text]}), text, (text,), notice=text))
    sheet = opened(content)["Table"]
    flat = text.strip()
    assert [sheet.cell(3, j).value for j in (1, 2)] == [flat, flat]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value} == {"s"}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        written = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in written
    assert "hyperlink" not in written


@settings(max_examples=40)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=2, max_size=4), st.text())
def test_no_text_breaks_a_workbook(cells, caption):
    table = Table(pd.DataFrame({"Study": cells, "x": reversed(cells)}), caption, (caption,), notice=cells[0])
    content = to_xlsx(table)
    assert content == to_xlsx(table)
    assert opened(content)["Table"].max_row >= 2


def test_a_text_longer_than_a_cell_is_cut_and_says_so():
    sheet = opened(to_xlsx(Table(pd.DataFrame({"Study": ["x" * 40_000]}), "")))["Table"]
    assert len(sheet.cell(3, 1).value) == 32_767
    assert sheet.cell(3, 1).value.endswith("x…")


def test_a_workbook_has_its_tables_its_data_and_the_notice():
    tables = {"main": Table(pd.DataFrame({"Study": ["A"]}), "The main table", notice=NOTICE)}
    rows = pd.DataFrame(
        {
            "study": ["=A", "B"],
            "estimate": [0.123456789012, np.nan],
            "ci_high": [np.inf, 1.0],
            "events": [3, 4],
            "pooled": [True, False],
        }
    )
    content = to_workbook(
        "T", tables, {"study data": (rows, "What was read")}, about=[("Made by", "x 1.0")], notice=NOTICE
    )
    assert content == to_workbook(
        "T", tables, {"study data": (rows, "What was read")}, about=[("Made by", "x 1.0")], notice=NOTICE
    )
    book = opened(content)
    assert book.sheetnames == ["About", "main", "study data"]
    about = [[cell.value for cell in row] for row in book["About"].iter_rows()]
    assert about[:3] == [["Title", "T"], ["Notice", NOTICE], ["Made by", "x 1.0"]]
    assert about[-2:] == [["main", "The main table"], ["study data", "What was read"]]
    links = [row[0].hyperlink for row in book["About"].iter_rows(min_row=5)]
    assert [link.location for link in links] == ["'main'!A1", "'study data'!A1"]
    data = book["study data"]
    assert data.cell(1, 1).value == f"What was read {NOTICE}"
    assert [cell.value for cell in data[2]] == ["study", "estimate", "ci_high", "events", "pooled"]
    assert [cell.value for cell in data[3]] == ["=A", 0.123456789012, "inf", 3, "True"]
    assert [cell.value for cell in data[4]] == ["B", None, 1, 4, "False"]
    assert data.cell(3, 1).data_type == "s"
    assert NOTICE in [row[0].value for row in book["main"].iter_rows()]
    assert (book.properties.title, book.properties.description) == ("T", NOTICE)


def test_names_of_sheets():
    long = "a name with more than thirty-one characters"
    names = sheet_names(["a/b", "A/B", long, long, "history", "", "it's"])
    assert names[:2] == ["a-b", "A-B 2"]
    assert len(set(map(str.lower, names))) == len(names)
    assert all(0 < len(name) <= 31 and not re.search(r"[\[\]:*?/\\']", name) for name in names)
    assert "history" not in names
