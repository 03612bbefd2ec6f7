"""Manuscript, workbook and checklists: what is in them, and that they are made again from what a run saved."""

import dataclasses
import io
import re
import shutil
import tomllib

import docx
import openpyxl
import pytest
from docx.enum.section import WD_ORIENT
from spiteful_review import NOTICE

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.reporting.word.content import add_heading, add_paragraphs
from bayesmeta.reporting.word.document import WordDocument
from bayesmeta.reviews.documents.checklists import BARG, BY_PERSON, ITEMS, PRISMA, ROBUST, checklists_table
from bayesmeta.reviews.documents.manuscript import manuscript
from bayesmeta.reviews.documents.names import DOCUMENTS, wanted_pictures
from bayesmeta.reviews.documents.references import reference_text
from bayesmeta.reviews.documents.reproducibility import reproducibility
from bayesmeta.reviews.documents.write import document
from bayesmeta.reviews.grade_keys import AbsoluteKeys, GradeKeys
from bayesmeta.reviews.report.figure_list import figures_of
from bayesmeta.reviews.risk_of_bias_keys import RiskOfBiasKeys
from bayesmeta.reviews.running.ledger import DOCUMENTS_ENTRY, Ledger
from bayesmeta.reviews.spec import Review


@pytest.fixture(scope="session")
def paper(documented):
    return docx.Document(str(documented / "documents" / "manuscript.docx"))


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_is_written(documented):
    names = {path.name for path in (documented / "documents").iterdir()}
    assert names == {"manuscript.docx", "references.bib", "workbook.xlsx"} | {
        f"checklists.{form}" for form in ("csv", "md", "html", "tex", "xlsx", "docx")
    }


def test_the_manuscript_has_its_parts_in_order(paper, documented):
    headings = [p.text for p in paper.paragraphs if p.style.name in ("Title", "Heading 1")]
    assert headings == ["Drugs & <talk>", "Statistical methods", "Results", "Reproducibility", "References"]
    texts = [p.text for p in paper.paragraphs]
    assert texts[1] == NOTICE
    assert "Source: Smith 2020" in texts
    captions = [p.text for p in paper.paragraphs if p.style.name == "Caption"]
    assert [one.split(". ")[0] for one in captions] == ["Table 1", "Figure 1", "Figure 2"]
    assert captions[1] == f"Figure 1. Forest plot of 1.1 Death (Drug versus placebo; RR). {NOTICE}"
    fields = [one.text.split()[:2] for one in paper.element.body.xpath(".//w:instrText")]
    assert [what for kind, what in fields if kind == "SEQ"] == ["Table", "Figure", "Figure"]
    statement = " ".join(texts[texts.index("Reproducibility") : texts.index("References")])
    assert "bayesmeta run review.toml --out documents" in statement
    assert f"bayesmeta {bm.__version__}" in statement
    assert "SHA-256 of what was read: review.toml " in statement
    assert "death.csv " in statement
    assert "No random numbers were used." in statement
    listed = texts[texts.index("References") + 1 :]
    assert listed[0].startswith("1.\t")
    assert listed == [f"{i}.\t{reference_text(key)}" for i, key in enumerate(keys_in(documented), 1)]


def test_every_table_and_figure_is_referred_to(paper):
    """By fields, so that the numbers in the text are counted again with those of the captions."""
    marks = {*paper.element.body.xpath(".//w:bookmarkStart/@w:name")}
    named = {one.text.split()[1] for one in paper.element.body.xpath(".//w:instrText") if one.text.split()[0] == "REF"}
    assert marks == named == {"_RefTable1", "_RefFigure1", "_RefFigure2"}
    identities = paper.element.body.xpath(".//w:bookmarkStart/@w:id")
    assert len(set(identities)) == len(identities)
    guide = next(one for one in paper.paragraphs if one.text.startswith("Table 1 has the results"))
    assert "Figure 1 and Figure 2 are forest plots." in guide.text
    assert "Further tables are in the folder tables: methods, studies, moderators" in guide.text


def test_a_heading_is_on_the_page_of_what_follows():
    """A heading above a table on a turned page is not alone on the page before."""
    document = WordDocument("A", "")
    add_paragraphs(document, ["Before"])
    add_heading(document, "Results")
    document.turn(landscape=True)
    add_paragraphs(document, [])
    document.turn(landscape=True)
    paper = docx.Document(io.BytesIO(document.content()))
    heading = next(one for one in paper.paragraphs if one.text == "Results")
    before = heading._p.getprevious()
    assert before.xpath("./w:pPr/w:sectPr")
    assert not heading._p.xpath("./w:pPr/w:sectPr")


def test_digests_name_the_files_of_an_analysis_of_several(source):
    made = {
        "sha256": {"review.toml": "a" * 64},
        "analyses": {"1": {"data": {"file": ["b.csv", "c.csv"], "sha256": "d" * 64}}},
    }
    (_, digests) = reproducibility(dataclasses.replace(source, manifest=made))
    assert f"review.toml {'a' * 16}; b.csv with c.csv {'d' * 16}." in digests


def keys_in(documented):
    bib = (documented / "documents" / "references.bib").read_text("utf-8")
    return [line.partition("{")[2].rstrip(",") for line in bib.splitlines() if line.startswith("@")]


def test_pictures_are_those_of_the_run_and_fit_the_page(paper, documented):
    pictures = [part.blob for part in paper.part.package.image_parts]
    drawn = [(documented / "figures" / f"forest_{name}.png").read_bytes() for name in ("1.1", "1.2")]
    assert pictures == drawn
    assert len(paper.inline_shapes) == 2
    widths = {
        section.orientation: section.page_width - section.left_margin - section.right_margin
        for section in paper.sections
    }
    assert all(0 < shape.width <= max(widths.values()) for shape in paper.inline_shapes)
    ratio = [shape.width / shape.height for shape in paper.inline_shapes]
    assert ratio[0] > 1
    described = paper.element.body.xpath(".//wp:docPr/@descr")
    assert described[0].startswith("Forest plot of 1.1 Death")
    assert {section.orientation for section in paper.sections} <= {WD_ORIENT.LANDSCAPE, WD_ORIENT.PORTRAIT}


def test_there_is_space_between_a_table_and_the_caption_of_the_next(paper):
    above = [one for one in paper.paragraphs if one.style.name == "Caption" and one.text.startswith("Table")]
    assert above
    assert all(one.paragraph_format.space_before.pt == 12 for one in above)


def test_the_notice_is_among_the_properties(paper):
    assert (paper.core_properties.title, paper.core_properties.comments) == ("Drugs & <talk>", NOTICE)


def test_without_pictures_of_the_run_they_are_drawn(source, documented):
    (first, *_) = docx.Document(io.BytesIO(manuscript(source))).part.package.image_parts
    assert first.blob == (documented / "figures" / "forest_1.1.png").read_bytes()
    none = source.review.model_copy(update={"settings": source.review.settings.model_copy(update={"figures": ()})})
    assert not list(docx.Document(io.BytesIO(manuscript(dataclasses.replace(source, review=none)))).inline_shapes)


def test_wanted_pictures():
    names = ["forest_1.png", "forest_1.svg", "tau_1.png", "nested_3.1.png", "bias_summary.png", "traffic_light.png"]
    names = [f"figures/{name}" for name in names]
    assert wanted_pictures(names) == ["figures/forest_1.png", "figures/nested_3.1.png", "figures/traffic_light.png"]


def test_the_risk_of_bias_of_the_review_is_the_last_picture(source):
    judgements = {f"rob_{name}": "low" for name in ("sequence_generation", "allocation_concealment", "overall")}
    results = tuple(
        dataclasses.replace(result, studies=[{**row, **judgements} for row in result.studies])
        for result in source.results
    )
    review = source.review.model_copy(update={"risk_of_bias": RiskOfBiasKeys(tool="cochrane")})
    paper = docx.Document(io.BytesIO(manuscript(dataclasses.replace(source, review=review, results=results))))
    *_, last = paper.element.body.xpath(".//wp:docPr/@descr")
    assert last.startswith("Risk of bias of the studies of the review.")
    assert NOTICE in last


def test_the_workbook_has_tables_and_data(documented):
    book = openpyxl.load_workbook(documented / "documents" / "workbook.xlsx")
    tables = sorted(path.stem for path in (documented / "tables").glob("*.csv"))
    assert book.sheetnames[0] == "About"
    assert sorted(book.sheetnames[1:-2]) == tables
    assert book.sheetnames[-2:] == ["study data", "tidy rows"]
    header = [cell.value for cell in book["tidy rows"][2]]
    assert header[:4] == ["analysis", "method", "measure", "term"]
    estimates = [row[header.index("estimate")].value for row in book["tidy rows"].iter_rows(min_row=3)]
    assert all(isinstance(one, float | int | None) for one in estimates)
    assert {row[0].value for row in book["tidy rows"].iter_rows(min_row=3)} == {"1.1", "1.2"}


def test_documents_are_made_again_from_what_the_run_saved(documented, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(documented, out)
    before = tree(out)
    shutil.rmtree(out / "documents")
    written = document(out)
    assert {str(path.relative_to(out)) for path in written} == {name for name in before if name.startswith("documents")}
    assert tree(out) == before


def test_documents_are_written_again_when_they_are_not_up_to_date(documented, tmp_path):
    work = tmp_path / "work"
    shutil.copytree(documented.parent, work)
    toml, out = work / "source" / "review.toml", work / "out"
    before = tree(out / "documents")
    assert bm.run_review(toml, out).kept == ("1.1", "1.2")
    assert tree(out / "documents") == before
    toml.write_text(toml.read_text("utf-8").replace("Smith 2020", "Jones 2021"), "utf-8")
    done = bm.run_review(toml, out)
    assert done.kept == ("1.1", "1.2")
    assert any("Jones 2021" in p.text for p in docx.Document(str(out / "documents" / "manuscript.docx")).paragraphs)
    (out / "documents" / "workbook.xlsx").unlink()
    bm.run_review(toml, out)
    assert (out / "documents" / "workbook.xlsx").is_file()
    fewer = toml.read_text("utf-8").replace("[settings]", '[settings]\ndocuments = ["workbook"]')
    toml.write_text(fewer, "utf-8")
    bm.run_review(toml, out)
    assert [path.name for path in (out / "documents").iterdir()] == ["workbook.xlsx"]
    assert set(Ledger(out).get(DOCUMENTS_ENTRY).files) == {"documents/workbook.xlsx"}


def test_a_run_without_figures_writes_no_documents(documented, tmp_path):
    out = tmp_path / "out"
    bm.run_review(documented.parent / "source", out, figures=False)
    assert not (out / "documents").exists()


def test_unknown_documents_are_refused(documented):
    given = tomllib.loads((documented.parent / "source" / "review.toml").read_text("utf-8"))
    given["settings"]["documents"] = ["manuskript"]
    with pytest.raises(ValueError, match=r"unknown document 'manuskript'.*manuscript"):
        Review.model_validate(given)
    assert set(Review.model_validate({**given, "settings": {}}).settings.documents) == set(DOCUMENTS)


def test_checklists_have_every_item_once(source):
    frame = checklists_table(source).frame
    assert list(frame[frame["Checklist"] == PRISMA]["Item"]) == [
        "13a", "13b", "13c", "13d", "13e", "13f", "14", "15", "20a", "20b", "20c", "20d", "21", "22"
    ]  # fmt: skip
    assert (frame["Checklist"] == ROBUST).sum() == 7
    assert list(frame[frame["Checklist"] == BARG]["Item"])[:5] == ["1.A", "1.B", "1.C", "1.D", "1.E"]
    assert frame["Where, or what is left to do"].str.len().min() > 10
    assert len({(item.checklist, item.number) for item in ITEMS}) == len(ITEMS)


def answer(source, checklist, number):
    frame = checklists_table(source).frame
    (row,) = frame[(frame["Checklist"] == checklist) & (frame["Item"] == number)].to_dict("records")
    return row["Answered"], row["Where, or what is left to do"]


def test_checklists_say_where_and_what_a_person_must(source):
    assert answer(source, PRISMA, "13e")[0] == "yes"
    assert "meta-regression" in answer(source, PRISMA, "13e")[1]
    assert answer(source, PRISMA, "20c") == ("yes", "tables/moderators.")
    assert "alternative priors (Turner)" in answer(source, PRISMA, "13f")[1]
    assert answer(source, PRISMA, "14")[0] == BY_PERSON
    assert answer(source, BARG, "2.B") == ("yes", "Not needed: there are no Markov chains.")
    assert "The program's defaults are those of RR" in answer(source, BARG, "1.C")[1]
    assert answer(source, BARG, "3.A")[0] == "yes"
    assert "tables/influence" in answer(source, PRISMA, "20d")[1]
    assert answer(source, PRISMA, "15")[0] == answer(source, PRISMA, "22")[0] == BY_PERSON
    plain = dataclasses.replace(
        source, results=tuple(dataclasses.replace(result, models=[], rows=[]) for result in source.results)
    )
    assert answer(plain, PRISMA, "13e")[0] == BY_PERSON
    assert set(checklists_table(plain).frame["Checklist"]) == {PRISMA}


def test_a_checklist_does_not_name_a_manuscript_that_is_not_written(source):
    without = source.review.model_copy(
        update={"settings": source.review.settings.model_copy(update={"documents": ("checklists",), "figures": ()})}
    )
    texts = " ".join(checklists_table(dataclasses.replace(source, review=without)).frame.astype(str).to_numpy().ravel())
    assert "manuscript.docx" not in texts
    assert 'add "manuscript" to documents' in texts
    assert "forest plot or figure per analysis" not in texts


def test_a_certainty_that_is_not_rated_is_a_persons(source):
    """The table of facts exists for absolute effects too; an answer follows from the ratings."""
    grade = GradeKeys.model_validate({"imprecision": {"down": 1, "why": "few events"}})
    first, *others = source.review.analysis
    for given, by in (
        ((first.model_copy(update={"absolute": AbsoluteKeys(baseline=0.1)}), *others), BY_PERSON),
        ((first.model_copy(update={"grade": grade}), *others), "in part"),
        (tuple(one.model_copy(update={"grade": grade}) for one in source.review.analysis), "yes"),
    ):
        review = source.review.model_copy(update={"analysis": given})
        found = answer(dataclasses.replace(source, review=review), PRISMA, "22")
        assert found[0] == by, found


def test_every_place_a_checklist_names_exists(source, documented):
    for text in checklists_table(source).frame["Where, or what is left to do"]:
        for name in re.findall(r"tables/(\w+)", text):
            assert (documented / "tables" / f"{name}.csv").is_file(), text
        for name in re.findall(r"(?<![\w/])(manifest\.json|review\.json|studies\.csv|results\.csv)", text):
            assert (documented / name).is_file()


def test_a_document_that_cannot_be_made_does_not_stop_the_others(documented, tmp_path, monkeypatch):
    from bayesmeta.reviews.documents import workbook

    out = tmp_path / "out"
    shutil.copytree(documented, out)

    def fail(_):
        raise SpecError("no workbook today")

    monkeypatch.setattr(workbook, "workbook", fail)
    problems = []
    written = document(out, problems)
    assert problems == ["document 'workbook': no workbook today"]
    assert {path.suffix for path in written} >= {".docx", ".bib", ".csv"}


@pytest.mark.parametrize("millimetres", [85, 114, 174])
def test_forest_plots_have_the_width_of_a_journals_column(source, millimetres):
    settings = source.review.settings.model_copy(update={"figure_width": float(millimetres)})
    review = source.review.model_copy(update={"settings": settings})
    for analysis, result in zip(review.analysis, source.results, strict=True):
        forest = figures_of(review, analysis, result)[0].draw()
        assert forest.get_size_inches()[0] * 25.4 == pytest.approx(millimetres)
    if millimetres == 174:
        shapes = docx.Document(io.BytesIO(manuscript(dataclasses.replace(source, review=review)))).inline_shapes
        assert [shape.width / 36000 for shape in shapes] == pytest.approx([170, 170], abs=0.5)


def test_forest_plots_have_the_layout_of_the_settings(source):
    settings = source.review.settings.model_copy(update={"figure_layout": "bmj"})
    review = source.review.model_copy(update={"settings": settings})
    forest = figures_of(review, review.analysis[0], source.results[0])[0].draw()
    assert "(%)" in [one.get_text() for one in forest.texts]
    with pytest.raises(ValueError, match="layout of forest plots 'lancet'"):
        Review.model_validate({**review.model_dump(mode="json"), "settings": {"figure_layout": "lancet"}})


def test_a_width_that_no_journal_has_is_refused(documented):
    given = tomllib.loads((documented.parent / "source" / "review.toml").read_text("utf-8"))
    with pytest.raises(ValueError, match="figure_width"):
        Review.model_validate({**given, "settings": {"figure_width": 20}})
