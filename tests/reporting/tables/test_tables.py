"""Publication tables: their contents, and that no text breaks any of the formats."""

import csv
import io
import itertools
import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_readers import read_html, read_latex, split_markdown, unescape_markdown

from bayesmeta.errors import DataError, SpecError
from bayesmeta.reporting.tables.csv import BYTE_ORDER_MARK, to_csv, without_formula
from bayesmeta.reporting.tables.formats import TABLE_FORMATS
from bayesmeta.reporting.tables.html import to_html
from bayesmeta.reporting.tables.latex import escape as escape_latex
from bayesmeta.reporting.tables.latex import to_latex
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.markdown import to_markdown
from bayesmeta.reporting.tables.results import comparison_table, main_notes, main_table
from bayesmeta.reporting.tables.studies import study_table
from bayesmeta.reporting.tables.write import write
from bayesmeta.results.methods import METHOD_LABELS, method_label

NOTICE = "Study data reconstructed to agree with the published pooled results; not for inference about PIP."
# No surrogates: files.write_text refuses them. Everything else may be part of a study's name.
#: characters that set the direction of writing have a test of their own
DIRECTIONS = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=DIRECTIONS), max_size=30)
tokens = [
    "<b>",
    "</td>",
    "<!--",
    "&lt;",
    "&",
    "|",
    "\\",
    "\\|",
    "`",
    "**",
    "_",
    "{",
    "}",
    "{0}",
    "$",
    "$x$",
    "%",
    "#",
    "^",
    "~",
]
tokens += [
    "[",
    "](u)",
    "(",
    "-",
    "--",
    "-1",
    "inf",
    "\n",
    "\t",
    " ",
    '"',
    "'",
    "−",
    "τ²",
    "≥",
    "0.1",
    "é",
    "@",
    "1.",
    "a",
]
spiteful = st.lists(st.sampled_from(tokens), max_size=8).map("".join) | anything


def one_line(text):
    """Give the text a reader should see: one line, control characters as spaces."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text).split())


def analysis(name, comparison="PIP versus control", measure="RR", bayes="bayes:binomial:quadrature", **mu):
    base = {
        "analysis": name,
        "comparison": comparison,
        "outcome": "Depression",
        "time": "follow-up",
        "measure": measure,
    }
    rows = [
        {
            "method": "DL",
            "estimate": 0.7354,
            "ci_low": 0.5207,
            "ci_high": 1.0387,
            "i2": 0.0,
            "tau": 0.0,
            "k": 3,
            "n": 278,
        },
        {"method": "REML-HKSJ", "estimate": 0.7354, "ci_low": 0.3, "ci_high": 1.8, "i2": 0.0, "k": 3, "n": 278},
        {
            "method": bayes,
            "term": "mu",
            "estimate": 0.745,
            "ci_low": 0.41,
            "ci_high": 1.355,
            "pi_low": 0.3,
            "pi_high": 2.0,
        }
        | {"tau": 0.3, "i2": 12.0, "k": 3, "n": 278, "prob_benefit": 0.8861}
        | mu,
        {"method": bayes, "term": "tau", "estimate": 0.21, "ci_low": 0.0104, "ci_high": 0.8},
    ]
    return [base | row for row in rows]


@pytest.fixture
def results():
    published = {"analysis": "1.10", "method": "published", "term": "mu", "estimate": 0.74, "ci_low": 0.52}
    published |= {"ci_high": 1.04, "k": 3, "n": 278}
    rows = [published, *analysis("1.10"), *analysis("1.1", measure="SMD", bayes="bayes:nct:nuts", prob_benefit=0.9999)]
    rows += analysis("2.1", comparison="PIP versus alternative treatment", k=4, note="double-zero study kept.")
    return pd.DataFrame(rows)


def test_method_labels():
    assert method_label("DL") == "DerSimonian-Laird"
    assert method_label("REML-HKSJ") == "REML, guarded Hartung-Knapp"
    assert method_label("bayes:binomial:nuts") == "Bayesian, binomial likelihood (NUTS)"
    assert method_label("bayes:nct:quadrature") == "Bayesian, noncentral t likelihood (quadrature)"
    assert method_label("bayes:mine:nuts") == "Bayesian, mine likelihood (NUTS)"
    assert method_label("of another package") == "of another package"
    assert len(set(METHOD_LABELS.values())) == len(METHOD_LABELS)


def test_main_table_has_one_row_per_analysis_in_the_order_given(results):
    frame = main_table(results)
    assert frame["Analysis"].tolist() == ["1.10", "1.1", "2.1"]
    first = frame.iloc[0].to_dict()
    assert first == {
        "Comparison": "PIP versus control",
        "Analysis": "1.10",
        "Outcome": "Depression",
        "Time": "follow-up",
        "Measure": "RR",
        "k": "3",
        "N": "278",
        "Published": "0.74 [0.52, 1.04]",
        "DerSimonian-Laird": "0.74 [0.52, 1.04]",
        "REML + guarded HK": "0.74 [0.30, 1.80]",
        "Bayesian": "0.75 [0.41, 1.36]",  # halves away from zero: 0.745 and 1.355
        "Bayesian model": "binomial, quadrature",
        "tau": "0.21 [0.01, 0.80]",
        "I2": "0%",
        "Prediction interval": "[0.30, 2.00]",
        "P(benefit)": "0.89",
        "Note": "",
    }
    assert frame.loc[1, ["Published", "Bayesian model", "P(benefit)"]].tolist() == ["", "noncentral t, NUTS", ">0.99"]
    assert frame.loc[2, "k"] == "4"
    assert frame.loc[2, "Note"] == "double-zero study kept. DerSimonian-Laird and REML pool 3 of the 4 studies"


def test_main_table_shows_the_bayesian_method_asked_for(results):
    other = pd.DataFrame(analysis("1.10", bayes="bayes:normal:nuts", estimate=0.5)[2:])
    both = pd.concat([results, other], ignore_index=True)
    assert main_table(both).loc[0, "Bayesian model"] == "binomial, quadrature"
    chosen = main_table(both, bayes="bayes:normal:nuts")
    assert chosen.loc[0, "Bayesian"] == "0.50 [0.41, 1.36]"
    assert chosen["Bayesian"].tolist()[1:] == ["", ""]
    with pytest.raises(SpecError, match="bayes:normal:nuts"):
        main_table(both, bayes="bayes:nomral:nuts")


def test_sparse_results_are_enough():
    frame = main_table(pd.DataFrame({"analysis": [1, 2], "method": ["DL", "published"], "estimate": [0.5, np.nan]}))
    assert frame["DerSimonian-Laird"].tolist() == ["0.50", ""]
    assert "Note" not in frame
    assert main_table(pd.DataFrame(columns=["analysis", "method", "estimate"])).empty


def test_results_that_cannot_be_a_table_are_refused(results):
    with pytest.raises(DataError, match=r"no column 'estimate'[\s\S]*these have: analysis"):
        main_table(results.drop(columns="estimate"))
    with pytest.raises(DataError, match="two rows of method 'published', term 'mu'"):
        main_table(pd.concat([results, results]))
    with pytest.raises(DataError, match="dtype"):  # 1.10 is not 1.1
        main_table(pd.read_csv(io.StringIO(results.to_csv(index=False))))
    with pytest.raises(SpecError, match=r"3: 1\.10, 1\.1, 2\.1"):
        comparison_table(results)


def test_main_notes_explain_only_what_is_there(results):
    notes = " ".join(main_notes(results))
    assert "RR: risk ratio; SMD: standardized mean difference" in notes
    assert "on the log scale for ratios" in notes
    assert "MID" not in notes
    smd = results[results["analysis"] == "1.1"].assign(prob_beyond_mid=0.4)
    assert "log scale" not in " ".join(main_notes(smd))
    assert "P(beyond MID)" in " ".join(main_notes(smd))
    assert main_table(smd)["P(beyond MID)"].tolist() == ["0.40"]


def test_comparison_table_has_one_row_per_method(results):
    frame = comparison_table(results[results["analysis"] == "1.10"])
    assert frame["Method"].tolist() == [
        "Published",
        "DerSimonian-Laird",
        "REML, guarded Hartung-Knapp",
        "Bayesian, binomial likelihood (quadrature)",
    ]
    assert frame["Estimate [95% interval]"].tolist()[1] == "0.74 [0.52, 1.04]"
    assert frame["tau"].tolist() == ["", "0.00", "", "0.21 [0.01, 0.80]"]
    assert frame["I2"].tolist() == ["", "0%", "0%", "12%"]
    assert "P(beyond MID)" not in frame


def test_study_table_keeps_the_studies_left_out():
    frame = study_table(
        pd.DataFrame(
            {
                "study": ["A", "B"],
                "events_e": [12, 0],
                "n_e": [57, 42],
                "events_c": [20.0, 0.0],
                "n_c": [59, 48],
                "estimate": [0.62, np.nan],
                "ci_low": [0.33, np.nan],
                "ci_high": [1.15, np.nan],
                "weight": [100.0, np.nan],
                "theta": [0.7, 0.85],
                "theta_low": [0.4, 0.2],
                "theta_high": [1.1, 3.1],
                "reason": ["", "no events in either arm"],
            }
        )
    )
    assert frame.to_dict("list") == {
        "Study": ["A", "B"],
        "Experimental": ["12/57", "0/42"],
        "Control": ["20/59", "0/48"],
        "Estimate [95% CI]": ["0.62 [0.33, 1.15]", ""],
        "Weight": ["100.0%", ""],
        "Shrunken estimate [95% CrI]": ["0.70 [0.40, 1.10]", "0.85 [0.20, 3.10]"],
        "Note": ["", "Not pooled: no events in either arm"],
    }
    continuous = study_table(pd.DataFrame({"study": ["A"], "mean_e": [-10.2], "sd_e": [5.125], "n_e": [57]}))
    assert continuous["Experimental"].tolist() == ["-10.20 (5.13), 57"]
    rates = pd.DataFrame({"study": ["A", "B"], "events_e": [12, 0], "time_e": [1_049_812.4, 520.25]})
    assert study_table(rates)["Experimental"].tolist() == ["12/1049812", "0/520.3"]
    with pytest.raises(DataError, match="column 'study'"):
        study_table(pd.DataFrame({"trial": ["A"]}))


@settings(max_examples=60)
@given(st.lists(st.tuples(spiteful, spiteful), min_size=1, max_size=4), spiteful, spiteful, spiteful)
def test_no_text_breaks_html(cells, caption, note, group):
    frame = pd.DataFrame(cells, columns=["Study", "a & <b>"]).assign(Group=group)
    page = to_html(Table(frame, caption, (note,), "Group"), table_id=caption)
    reader = read_html(page)
    seen = [[one_line(cell).replace("−", "-").replace("∞", "inf") for cell in row] for row in reader.rows]
    expected = [[one_line(cell).replace("−", "-").replace("∞", "inf") for cell in row] for row in cells]
    start = next(i for i, row in enumerate(seen) if row == ["Study", "a & <b>"]) + 1
    assert seen[start] == [one_line(group).replace("−", "-").replace("∞", "inf")]
    assert seen[start + 1 : start + 1 + len(cells)] == expected
    assert len(set(reader.ids)) == len(reader.ids)


@given(st.lists(st.tuples(spiteful, spiteful, spiteful), min_size=1, max_size=4), spiteful, spiteful)
def test_no_text_breaks_markdown(cells, note, group):
    frame = pd.DataFrame(cells, columns=["Study", "x|y", "z"]).assign(Group=group)
    text = to_markdown(Table(frame, "A caption", (note,), "Group"))
    lines = text.split("\n")[2:]
    rows = [split_markdown(line) for line in lines[: 3 + len(cells)]]
    assert {len(row) for row in rows} == {3}
    assert rows[0] == ["Study", r"x\|y", "z"]
    assert [[unescape_markdown(cell) for cell in row] for row in rows[3:]] == [
        list(map(one_line, row)) for row in cells
    ]
    assert all(not line or line.startswith("- ") for line in lines[3 + len(cells) :])


@given(st.lists(st.tuples(spiteful, spiteful), min_size=1, max_size=4), spiteful, spiteful, spiteful)
def test_no_text_breaks_latex(cells, caption, note, group):
    frame = pd.DataFrame(cells, columns=["Study", "50% of $x_1$"]).assign(Group=group)
    text = to_latex(Table(frame, caption, (note,), "Group"), label=caption)
    rows = read_latex(text)
    assert len(rows) == 2 + len(cells)
    assert {row.count("&") for row in rows} == {1}


@given(st.lists(st.tuples(spiteful, spiteful), min_size=1, max_size=4), spiteful)
def test_csv_comes_back(cells, note):
    frame = pd.DataFrame(cells, columns=["Study", "x"])
    written = to_csv(Table(frame, "", (), notice=note))
    assert written.startswith(BYTE_ORDER_MARK)
    rows = list(csv.reader(io.StringIO(written.removeprefix(BYTE_ORDER_MARK))))
    assert rows[0] == ["Study", "x", "Note"]
    assert rows[1:] == [[without_formula(one_line(text)) for text in (a, b, note)] for a, b in cells]
    for text in itertools.chain(*rows):
        assert text[:1] not in ("=", "+", "@", "\t")


@pytest.mark.parametrize(
    "text", ["=HYPERLINK(1)", "+1+1", "-1+1", "@SUM(A1)", "-cmd|' /C calc'!A0", "\t=1", "-", "--1", "-1 [=1, 2]"]
)
def test_formulas_become_text(text):
    assert without_formula(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["-0.5", "+0.5", "-0.22 [-0.46, -0.02]", "-1.2e-8 [-4.0e-9, inf]", "-3.10 (2.00)", "1/30", "a=b", ""]
)
def test_numbers_and_words_stay_as_they_are(text):
    assert without_formula(text) == text


def test_wide_tables_turn_the_page_in_latex_and_long_headings_are_broken():
    frame = pd.DataFrame({f"Column {i}": ["0.12 [0.01, 2.00]"] for i in range(12)}).assign(Group="A long heading " * 20)
    text = to_latex(Table(frame, "Wide", groups="Group"))
    assert text.count(r"\begin{landscape}") == text.count(r"\end{landscape}") == 1
    assert "pdflscape" in text.splitlines()[0]
    heading = next(line for line in text.splitlines() if "A long heading" in line)
    assert r"p{\dimexpr\linewidth" in heading
    narrow = to_latex(Table(frame[["Column 1"]], "Narrow"))
    assert "landscape" not in narrow
    assert "pdflscape" not in narrow


def test_greek_words_are_words_in_latex():
    assert escape_latex("Ελένη μελέτη") == "Ελένη μελέτη"
    assert escape_latex("TNF-α, τ² and μ") == r"TNF-$\alpha$, $\tau$\textsuperscript{2} and $\mu$"


def test_symbols_in_latex():
    frame = pd.DataFrame({"Study": ["[A] 5% & more", "*"], "tau": ["-0.22 [-0.46, 0.02]", "<0.01"], "I2": ["41%", ""]})
    text = to_latex(Table(frame, "τ² ≥ 0 -- no", notice="n"))
    assert r"{[}A] 5\% \& more" in text
    assert r"\raggedright {*} &" in text
    assert r"$-$0.22 [$-$0.46,~0.02]" in text
    assert r"\textless{}0.01" in text
    assert r"\textbf{$\tau$}" in text
    assert r"\textbf{I\textsuperscript{2}}" in text
    assert r"\caption{$\tau$\textsuperscript{2} $\ge$ 0 -{}- no}" in text


def test_a_wide_latex_table_sets_all_intervals_beneath_their_estimates(results):
    wide = to_latex(Table(main_table(results), "", groups="Comparison"))
    assert r"0.74\\{}[0.52,~1.04]" in wide
    assert "0.74 [" not in wide
    narrow = to_latex(Table(comparison_table(results[results["analysis"] == "1.10"]), ""))
    assert "0.74 [0.52,~1.04]" in narrow
    for text in (wide, narrow):
        shares = [float(share) for share in re.findall(r"dimexpr ([\d.]+)\\linewidth", text)]
        assert sum(shares) == pytest.approx(1, abs=0.002)
        assert min(shares) > 0.015


def test_notes_become_lettered_footnotes_and_the_notice_is_everywhere(results):
    table = Table(main_table(results), "All", main_notes(results), "Comparison", NOTICE)
    markdown, page, latex = to_markdown(table), to_html(table), to_latex(table)
    assert "| 2.1<sup>a</sup> |" in markdown
    assert '<th scope="row">2.1<sup>a</sup></th>' in page
    assert r"2.1\textsuperscript{a} &" in latex
    assert f"- **{NOTICE}**\n- <sup>a</sup> double-zero study kept." in markdown
    assert f"<strong>{NOTICE}</strong>" in page
    assert rf"\textbf{{{NOTICE}}}" in latex
    rows = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert [row["Note"].endswith(NOTICE) for row in rows] == [True] * 3
    assert rows[2]["Note"].startswith("double-zero study kept. ")
    assert rows[0]["Note"] == NOTICE


def test_without_a_notice_the_csv_carries_all_the_notes():
    table = Table(pd.DataFrame({"Study": ["A"]}), "", ("Reconstructed data.", "Not for inference"))
    assert list(csv.reader(io.StringIO(to_csv(table))))[1] == ["A", "Reconstructed data. Not for inference."]


def test_footnote_letters_are_shared_by_equal_notes_and_go_on_after_z():
    notes = [f"note {i}" for i in range(30)]
    text = to_markdown(Table(pd.DataFrame({"Study": list("AB" * 15 + "C"), "Note": [*notes, "note 0"]}), ""))
    assert "| C<sup>a</sup> |" in text
    assert "- <sup>z</sup> note 25\n- <sup>aa</sup> note 26\n" in text
    assert text.count("note 0") == 1


def test_rows_of_one_group_come_together_in_every_format():
    frame = pd.DataFrame({"G": ["x", "y", "x"], "Study": ["first", "second", "third"]})
    table = Table(frame, "", groups="G")
    for text in (to_markdown(table), to_html(table), to_latex(table)):
        places = [text.index(word) for word in ("first", "third", "second")]
        assert all(a < b for a, b in pairwise(places))


def test_numbers_have_type_minus_in_html_and_ascii_in_csv_and_markdown():
    table = Table(pd.DataFrame({"Study": ["post-hoc -1"], "x": ["-0.22 [-0.46, inf]"]}), "")
    assert "−0.22 " in to_html(table)
    assert "[−0.46, ∞]" in to_html(table)
    assert "post-hoc -1" in to_html(table)
    for text in (to_markdown(table), to_csv(table)):
        assert "-0.22 [-0.46, inf]" in text


def test_html_is_one_file_and_the_same_each_time(results):
    table = Table(main_table(results), "A <caption>", groups="Comparison", notice=NOTICE)
    page = to_html(table, table_id="main")
    assert page == to_html(table, table_id="main")
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">')
    assert "<title>A &lt;caption&gt;</title>" in page
    assert not re.search(r"""(src|href)=|url\(|@import""", page)
    assert "overflow-x:auto" in page.replace(" ", "")


def test_empty_tables_and_missing_cells_are_written():
    empty = Table(main_table(pd.DataFrame(columns=["analysis", "method", "estimate"])), "None", groups="Comparison")
    gaps = Table(pd.DataFrame({"Study": [None, pd.NA], "x": [1.005, np.nan], "k": [3, 4]}), "Gaps")
    for render in (to_csv, to_markdown, to_html, to_latex):
        assert "Analysis" in render(empty)
        assert "1.01" in render(gaps)
        assert "nan" not in render(gaps).lower()


def test_a_table_needs_its_group_column_and_something_beside_it():
    frame = pd.DataFrame({"G": ["x"], "Note": [""]})
    with pytest.raises(SpecError, match="'Comparison' is not a column of the table; it has: G, Note"):
        Table(frame, "", groups="Comparison")
    with pytest.raises(SpecError, match="needs a column"):
        Table(frame, "", groups="G")


def test_write(tmp_path):
    table = Table(pd.DataFrame({"Study": ["A"]}), "One")
    paths = write(table, tmp_path / "new" / "analysis-1.10")
    assert [path.name for path in paths] == [f"analysis-1.10.{end}" for end in TABLE_FORMATS]
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write(table, str(tmp_path / "new" / "analysis-1.10"))] == before
    assert r"\label{tab:analysis-1.10}" in paths[3].read_text(encoding="utf-8")
    with pytest.raises(SpecError, match="unknown table format 'odt'"):
        write(table, tmp_path / "other", formats=("csv", "odt"))
    assert not (tmp_path / "other.csv").exists()


def test_an_interval_as_published_is_not_given_the_level_of_the_analysis():
    rows = pd.DataFrame(
        [
            {"analysis": "1", "method": "published", "estimate": 0.7, "ci_low": 0.5, "ci_high": 0.9},
            {"analysis": "1", "method": "DL", "estimate": 0.7, "ci_low": 0.4, "ci_high": 1.0},
        ]
    )
    at_99 = comparison_table(rows, level=0.99)
    assert "as published" in at_99["Note"].iloc[0]
    assert not at_99["Note"].iloc[1]
    assert "Note" not in comparison_table(rows, level=0.95)
    assert any("its own level" in note for note in main_notes(rows, level=0.99))
    assert not any("its own level" in note for note in main_notes(rows, level=0.95))


@pytest.mark.parametrize(
    "cell", ["8.93 [2.6e-5, 3.0e6]", "0.04 [9.8e-8, 18737]", "1e+12", "-0.22 [-0.62, 0.18]", "<0.001", "NE"]
)
def test_columns_of_numbers_with_powers_are_numeric(cell):
    layout = Table(pd.DataFrame({"Study": ["a"], "Estimate": [cell]}), "T").layout
    assert layout.numeric == (False, True)


def test_a_direction_of_writing_that_a_name_sets_ends_with_it():
    names = ["evil \u202eeman", "\u2067\u202bdeep", "\u202dclosed\u202c", "\u202c stray"]
    table = Table(pd.DataFrame({"Study": names}), "\u202ecaption", ("note \u2066x",))
    cells = [cells[0] for _, rows in table.layout.sections for _, cells in rows]
    assert cells == ["evil \u202eeman\u202c", "\u2067\u202bdeep\u202c\u2069", "\u202dclosed\u202c", "\u202c stray"]
    assert table.layout.notes == (("", "note \u2066x\u2069"),)
    for text in (to_csv(table), to_markdown(table), to_html(table), to_latex(table)):
        opened = sum(map(text.count, DIRECTIONS))
        assert opened == text.count("\u202c") - 1 + text.count("\u2069")
        assert "\u202eeman\u202c" in text


def test_notes_of_a_latex_table_are_paragraphs_beneath_it_that_pages_can_divide():
    frame = pd.DataFrame({"Study": ["A"], "Note": ["of A"]})
    lines = to_latex(Table(frame, "T", ("Explained.",), notice="Made up.")).splitlines()
    end = lines.index(r"\end{longtable}")
    assert lines[end + 1 : end + 4] == [
        r"\noindent\raggedright \textbf{Made up.}\par",
        r"\noindent\raggedright \textsuperscript{a} of A\par",
        r"\noindent\raggedright Explained.\par",
    ]
    assert lines[end + 4] == "}"
    head = lines[: lines.index(r"\endlastfoot")]
    assert not any("Made up" in line or "Explained" in line for line in head)
    assert head[-1] == r"\bottomrule"
