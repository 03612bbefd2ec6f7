"""Numbers in cells of text: no format divides an interval, or separates a minus sign from its number."""

import io

import docx
import pandas as pd
import pytest

from bayesmeta.reporting.tables.absolute import per_thousand
from bayesmeta.reporting.tables.html import to_html
from bayesmeta.reporting.tables.latex import to_latex
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.word import to_docx

FACT = "Without them: -0.16 [-0.49, 0.23] (4 studies); all of the rest, post-test and before it."


def table(fact=FACT, name="Risk"):
    return Table(pd.DataFrame({"Domain": [name, "b"], "Facts": [fact, "none of these"], "k": ["1", "2"]}), "A", ())


def test_word():
    document = docx.Document(io.BytesIO(to_docx(table())))
    cell = document.tables[0].rows[1].cells[1].text
    assert cell == (
        "Without them: \u22120.16\u00a0[\u22120.49,\u00a00.23] (4\u00a0studies); all of the rest, post-test and before it."
    )


def test_latex():
    assert "them: $-$0.16~[$-$0.49,~0.23] (4~studies); all of the rest, post-test and" in to_latex(table())


def test_html():
    assert (
        'them: <span class="interval">\u22120.16 [\u22120.49, 0.23]</span> <span class="interval">(4 studies)</span>;'
        in to_html(table())
    )


def test_latex_says_which_letters_pdflatex_does_not_have():
    for name, other in (
        ("M\u00fcller \u0141\u00f3d\u017a \u2018a\u2019 \u2265 \u03c4\u00b2", False),
        ("\u0645\u0631\u0627", True),
        ("\U0001f600", True),
    ):
        first = to_latex(table(name=name)).splitlines()[0]
        assert first.startswith("% needs \\usepackage{booktabs,longtable")
        assert ("} % and XeLaTeX or LuaLaTeX with a font" in first) is other


@pytest.mark.parametrize(
    ("risk", "written"),
    [
        (0.0, "0"), (1.0, "1,000"), (0.99999, "999.99"), (0.9999999, "1,000"), (0.9996, "999.6"),
        (0.991, "991"), (0.9954, "995.4"), (0.0093, "9.3"),
        (0.00004, "0.04"), (0.5, "500"),
    ],
)  # fmt: skip
def test_risks_near_none_and_all_are_not_rounded_to_these(risk, written):
    assert per_thousand(risk) == written
