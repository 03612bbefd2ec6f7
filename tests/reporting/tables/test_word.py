"""Tables as Word documents: the cells, how they look, and that no text breaks the file."""

import io
import re
import zipfile

import docx
import pandas as pd
import pytest
from docx.enum.section import WD_ORIENT
from docx.oxml.ns import qn
from hypothesis import given, settings
from hypothesis import strategies as st
from table_readers import one_spacing, read_docx

from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.word import to_docx
from bayesmeta.reporting.word.text import run

NOTICE = "Study data reconstructed; not for inference."
ESTIMATES = pd.DataFrame(
    {
        "Comparison": ["Drug"] * 3 + ["Talk"],
        "Study": ["Trial A", "Trial B", "Trial C", "Trial D"],
        "RR": ["0.74 [0.52, 1.04]", "10.50 [2.10, 52.00]", "<0.01", ""],
        "k": ["3", "12", "1", "2"],
        "Note": ["", "two arms", "", "two arms"],
    }
)
TABLE = Table(ESTIMATES, "Effects & more", ("RR: risk ratio",), "Comparison", NOTICE)


def twentieths(paragraph):
    (tab,) = paragraph._p.xpath("./w:pPr/w:tabs/w:tab")
    assert tab.get(qn("w:val")) == "decimal"
    return int(tab.get(qn("w:pos")))


def test_cells_caption_and_notes():
    document, rows = read_docx(to_docx(TABLE))
    assert rows == [
        ["Study", "RR", "k"],
        ["Drug"],
        ["Trial A", "0.74 [0.52, 1.04]", "3"],
        ["Trial Ba", "10.50 [2.10, 52.00]", "12"],
        ["Trial C", "<0.01", "1"],
        ["Talk"],
        ["Trial Da", "", "2"],
    ]
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert texts == ["Table 1. Effects & more", NOTICE, "a two arms", "RR: risk ratio"]
    assert [paragraph.style.name for paragraph in document.paragraphs] == ["Caption", *["Table Note"] * 3]
    assert document.paragraphs[1].runs[0].bold
    assert document.paragraphs[2].runs[0].font.superscript
    instructions = document.element.body.xpath(".//w:instrText")
    assert [one.text.split() for one in instructions] == [["SEQ", "Table", "\\*", "ARABIC"]]
    assert document.paragraphs[0].paragraph_format.keep_with_next
    assert "".join(one.text for one in document.paragraphs[0].runs if one.bold) == "Table 1."


def test_the_notice_is_among_the_properties_and_the_template_left_nothing_there():
    properties = read_docx(to_docx(TABLE))[0].core_properties
    assert (properties.title, properties.comments, properties.author) == ("Effects & more", NOTICE, "")
    assert properties.last_modified_by == ""
    long = read_docx(to_docx(Table(ESTIMATES, "T", notice="word " * 100)))[0].core_properties
    assert len(long.comments) == 255
    assert long.comments.endswith("…")


def test_the_header_row_repeats_and_rows_are_not_divided():
    table = read_docx(to_docx(TABLE))[0].tables[0]
    assert table.style.name == "Publication Table"
    repeated = [bool(row._tr.xpath("./w:trPr/w:tblHeader")) for row in table.rows]
    assert repeated == [True] + [False] * 6
    assert all(row._tr.xpath("./w:trPr/w:cantSplit") for row in table.rows)


def test_numbers_are_aligned_at_the_decimal_point_and_counts_at_the_right():
    table = read_docx(to_docx(TABLE))[0].tables[0]
    estimates = [table.rows[i].cells[1].paragraphs[0] for i in (2, 3, 4)]
    assert len({twentieths(paragraph) for paragraph in estimates}) == 1
    width = int(table.rows[2].cells[1]._tc.xpath("./w:tcPr/w:tcW")[0].get(qn("w:w")))
    # what is right of the points fits into the cell: some 13 characters of 8 points
    assert 0 < twentieths(estimates[0]) < width - 13 * 0.28 * 160
    assert not any("\t" in paragraph.text for paragraph in estimates)
    for i in (2, 3):
        assert table.rows[i].cells[2].paragraphs[0]._p.xpath("./w:pPr/w:jc/@w:val") == ["right"]
        assert not table.rows[i].cells[0].paragraphs[0]._p.xpath("./w:pPr/w:tabs")
    assert "\u00a0" in table.rows[2].cells[1].text  # an interval is not divided


def test_a_wide_table_turns_its_page_and_sets_intervals_beneath_their_estimates():
    wide = pd.DataFrame({"Study": ["A"]} | {f"Method {i}": ["0.12 [0.01, 2.00]"] for i in range(11)})
    document, rows = read_docx(to_docx(Table(wide, "Wide")))
    assert [section.orientation for section in document.sections] == [WD_ORIENT.LANDSCAPE]
    assert rows[1][1] == "0.12 [0.01, 2.00]"
    cell = document.tables[0].rows[1].cells[1]
    assert [one_spacing(paragraph.text) for paragraph in cell.paragraphs] == ["0.12", "[0.01, 2.00]"]
    assert len({twentieths(paragraph) for paragraph in cell.paragraphs}) == 1
    grid = [int(column.get(qn("w:w"))) for column in document.tables[0]._tbl.xpath("./w:tblGrid/w:gridCol")]
    section = document.sections[0]
    assert sum(grid) == pytest.approx((section.page_width - section.left_margin - section.right_margin) / 635, abs=8)
    narrow, _ = read_docx(to_docx(TABLE))
    assert [section.orientation for section in narrow.sections] == [WD_ORIENT.PORTRAIT]


def test_a_table_gives_the_same_bytes_and_no_dates():
    content = to_docx(TABLE)
    assert content == to_docx(TABLE)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
        assert not any(name.endswith(".jpeg") for name in archive.namelist())
    assert not re.search("created|modified>|python-docx", core)


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Cohen 2019", []),
        ("כהן 2019", ["כהן"]),
        ("Trial דוד כהן (IL)", ["דוד כהן"]),
        ("السيد A. السيد", ["السيد", "السيد"]),
    ],
)
def test_words_written_from_right_to_left_are_runs_of_their_own(text, marked):
    document, rows = read_docx(to_docx(Table(pd.DataFrame({"Study": [text]}), "T")))
    assert rows[1] == [text]
    runs = document.tables[0].rows[1].cells[0].paragraphs[0].runs
    assert [one.text for one in runs if one.font.rtl] == marked
    assert "".join(one.text for one in runs) == text


def test_markup_and_emoji_stay_text():
    names = ["<w:br/>&amp;", "Trial 🧪👩🏽‍⚕️", "=HYPERLINK(1)", r"\textbf{x}", "τ² ≥ 0", "a\u0000b\ufffe"]
    _, rows = read_docx(to_docx(Table(pd.DataFrame({"Study": names}), "<b>")))
    assert [row[0] for row in rows[1:]] == [*names[:-1], "a b\N{REPLACEMENT CHARACTER}"]


@settings(max_examples=40)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=2, max_size=4), st.text())
def test_no_text_breaks_a_document(cells, caption):
    frame = pd.DataFrame({"Study": cells, "x": reversed(cells)})
    document, rows = read_docx(to_docx(Table(frame, caption, (caption,), notice=cells[0])))
    assert [len(row) for row in rows] == [2] * (len(cells) + 1)
    assert len(document.tables) == 1


def test_a_line_feed_is_a_line_break_and_an_empty_text_an_empty_run():
    assert run("a\nb") == ('<w:r><w:t xml:space="preserve">a</w:t><w:br/><w:t xml:space="preserve">b</w:t></w:r>')
    assert run("") == "<w:r></w:r>"


def test_an_empty_table_is_a_header(tmp_path):
    content = to_docx(Table(pd.DataFrame({"Study": [], "x": []}), ""))
    (tmp_path / "empty.docx").write_bytes(content)
    assert len(docx.Document(str(tmp_path / "empty.docx")).tables[0].rows) == 1
