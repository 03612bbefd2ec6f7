"""Every file that a run writes has the notice, and no name of a study does harm in any of them."""

import csv
import io
import re
import zipfile
from html.parser import HTMLParser
from xml.etree import ElementTree

import docx
import matplotlib.image
import openpyxl
import pytest
from PIL import Image
from spiteful_review import NAMES, NOTICE
from table_readers import one_spacing, read_latex, text_of

from bayesmeta.reviews.report.page import write_report

#: files that are not for readers: what the program reads again, and full data without notes
_DATA = re.compile(r"analyses/.*|ledger\.jsonl|results\.(csv|parquet)|studies\.csv")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def files(documented):
    write_report(documented)
    found = {path.relative_to(documented).as_posix(): path for path in documented.rglob("*") if path.is_file()}
    return {name: path for name, path in found.items() if not _DATA.fullmatch(name)}


def plain(text):
    return " ".join(one_spacing(text).split())


def readable(path):
    """The text of a file with what describes it."""
    if path.suffix == ".png":
        with Image.open(path) as image:
            return " ".join(image.text.values())
    if path.suffix == ".pdf":
        return path.read_bytes().decode("latin-1")
    if path.suffix == ".svg":
        return " ".join(ElementTree.parse(path).getroot().itertext())
    if path.suffix == ".html":
        reader = Page()
        reader.feed(path.read_text("utf-8"))
        return " ".join(reader.texts)
    return text_of(path)


class Page(HTMLParser):
    """The visible text of a page, and its elements and attributes."""

    def __init__(self):
        super().__init__()
        self.texts, self.tags, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.texts.append(data)


def test_every_file_has_the_notice(files):
    endings = {path.suffix for path in files.values()}
    assert endings >= {".docx", ".xlsx", ".html", ".svg", ".pdf", ".tex", ".md", ".csv", ".png", ".bib", ".json"}
    without = [name for name, path in files.items() if plain(NOTICE) not in plain(readable(path))]
    assert not without


def test_packed_files_have_the_notice_in_their_text_and_in_their_properties(files):
    for name, path in files.items():
        if path.suffix in (".docx", ".xlsx"):
            with zipfile.ZipFile(path) as archive:
                assert NOTICE in archive.read("docProps/core.xml").decode(), name
                assert archive.testzip() is None
        if path.suffix == ".docx":
            assert any(NOTICE in p.text for p in docx.Document(str(path)).paragraphs), name
        if path.suffix == ".xlsx":
            book = openpyxl.load_workbook(path)
            assert all(any(NOTICE in str(cell.value) for row in sheet.iter_rows() for cell in row) for sheet in book), (
                name
            )


def test_figures_are_readable_images_and_documents(files):
    for name, path in files.items():
        if path.suffix == ".png":
            assert matplotlib.image.imread(path).shape[1] > 500, name
            with Image.open(path) as image:
                assert image.info["dpi"] == pytest.approx((300, 300), abs=0.5)
        if path.suffix == ".svg":
            root = ElementTree.parse(path).getroot()
            assert list(root.iter(f"{SVG}text")), name
            assert not list(root.iter(f"{SVG}script")), name
        if path.suffix == ".pdf":
            content = path.read_bytes()
            assert content.startswith(b"%PDF")
            assert b"/FontFile2" in content, name  # fonts are embedded
            assert b"/Type3" not in content.replace(b" ", b""), name


def rows_of(path):
    return list(csv.reader(io.StringIO(path.read_text("utf-8-sig"))))


def test_names_of_studies_are_text_in_tables_of_every_format(files):
    table = {form: files[f"tables/studies.{form}"] for form in ("csv", "md", "html", "tex", "xlsx", "docx")}
    for form in ("html", "xlsx", "docx"):
        text = plain(readable(table[form]))
        for name in NAMES:
            assert plain(name) in text, (form, name)
    cells = [cell for row in rows_of(table["csv"]) for cell in row]
    for name in NAMES:
        assert (f"'{name}" if name[0] in "=@" else name) in cells
    assert not any(cell.startswith(("=", "@", "+")) for cell in cells)
    page = Page()
    page.feed(table["html"].read_text("utf-8"))
    assert "script" not in page.tags
    assert "b" not in page.tags
    latex = table["tex"].read_text("utf-8")
    read_latex(latex)  # balanced, and no special character is bare
    assert r"\input{" not in latex
    assert r"\textbackslash{}input\{/etc/passwd\}" in latex
    markdown = table["md"].read_text("utf-8")
    assert "<script>" not in markdown.replace("\\<", "")
    assert "](b)" not in markdown


def test_names_of_studies_are_text_in_workbooks(files):
    for name in ("tables/studies.xlsx", "documents/workbook.xlsx"):
        with zipfile.ZipFile(files[name]) as archive:
            sheets = [one for one in archive.namelist() if one.startswith("xl/worksheets/sheet")]
            assert not any("<f>" in archive.read(sheet).decode() for sheet in sheets)
        book = openpyxl.load_workbook(files[name])
        values = {cell.value for sheet in book for row in sheet.iter_rows() for cell in row}
        assert set(NAMES) <= values
        assert not any(cell.data_type == "f" for sheet in book for row in sheet.iter_rows() for cell in row)


def test_the_frames_of_a_run_have_no_formulas(documented):
    for name in ("results.csv", "studies.csv"):
        for row in rows_of(documented / name):
            assert not any(cell.startswith(("=", "@")) for cell in row)


def test_names_of_studies_are_text_in_figures_and_the_report(files):
    texts = {
        name: " ".join(ElementTree.parse(path).getroot().itertext())
        for name, path in files.items()
        if path.suffix == ".svg"
    }
    shown = plain(texts["figures/forest_1.1.svg"])
    for name in NAMES[:3]:
        assert plain(name)[:12] in shown, name
    page = Page()
    text = files["report.html"].read_text("utf-8")
    page.feed(text)
    assert not any(name.startswith("on") for name in page.attributes)
    assert "alert(1)" in " ".join(page.texts)
    assert "<script>alert" not in text


def test_words_from_right_to_left_are_marked_in_the_manuscript_and_tables(files):
    document = docx.Document(str(files["tables/studies.docx"]))
    runs = [run for table in document.tables for cell in table._cells for p in cell.paragraphs for run in p.runs]
    assert {run.text for run in runs if run.font.rtl} == {"דוד כהן"}
