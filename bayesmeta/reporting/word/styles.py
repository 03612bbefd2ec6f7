"""Styles of a Word document: text, captions, cells, notes, and the table style of publications."""

from __future__ import annotations

from typing import Any

TEXT_FONT, TABLE_FONT = "Times New Roman", "Arial"
#: sizes of type in half points: text, captions, cells of tables, notes beneath tables
TEXT, CAPTION, CELL, NOTE = 22, 20, 16, 15
#: ids of styles
TABLE_STYLE, CELL_STYLE, HEADER_STYLE, GROUP_STYLE, NOTE_STYLE = (
    "PublicationTable", "TableText", "TableHeader", "TableGroup", "TableNote",
)  # fmt: skip

_RULE = '<w:{side} w:val="single" w:sz="{size}" w:space="0" w:color="000000"/>'


def _paragraph_style(
    style: str,
    name: str,
    size: int,
    *,
    based_on: str = "Normal",
    font: str = TABLE_FONT,
    more: str = "",
    look: str = "",
) -> str:
    return (
        f'<w:style w:type="paragraph" w:customStyle="1" w:styleId="{style}"><w:name w:val="{name}"/><w:basedOn w:val="{based_on}"/>'
        f'<w:qFormat/><w:pPr>{more}<w:spacing w:before="20" w:after="20" w:line="240" w:lineRule="auto"/></w:pPr>'
        f'<w:rPr><w:rFonts w:ascii="{font}" w:hAnsi="{font}" w:cs="{font}"/>{look}'
        f'<w:sz w:val="{size}"/><w:szCs w:val="{size}"/></w:rPr></w:style>'
    )


def _table_style() -> str:
    thick, thin = (lambda side: _RULE.format(side=side, size=8)), (lambda side: _RULE.format(side=side, size=4))
    return (
        f'<w:style w:type="table" w:customStyle="1" w:styleId="{TABLE_STYLE}"><w:name w:val="Publication Table"/>'
        '<w:basedOn w:val="TableNormal"/><w:qFormat/><w:tblPr><w:tblBorders>'
        f"{thick('top')}{thick('bottom')}</w:tblBorders>"
        '<w:tblCellMar><w:left w:w="57" w:type="dxa"/><w:right w:w="57" w:type="dxa"/></w:tblCellMar></w:tblPr>'
        '<w:tblStylePr w:type="firstRow"><w:rPr><w:b/></w:rPr><w:tcPr><w:tcBorders>'
        f'{thick("top")}{thin("bottom")}</w:tcBorders><w:vAlign w:val="bottom"/></w:tcPr></w:tblStylePr></w:style>'
    )


def add_styles(document: Any) -> None:
    """Add the styles to a document made from python-docx' template, and set the fonts of those that it has."""
    from docx.oxml import parse_xml
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    from bayesmeta.reporting.word.text import MAIN

    ids = {element.get(qn("w:styleId")) for element in document.styles.element}
    styles = [
        _paragraph_style(CELL_STYLE, "Table Text", CELL),
        _paragraph_style(HEADER_STYLE, "Table Header", CELL, look="<w:b/>", more="<w:keepNext/>"),
        _paragraph_style(GROUP_STYLE, "Table Group", CELL, look="<w:b/>", more="<w:keepNext/>"),
        _paragraph_style(NOTE_STYLE, "Table Note", NOTE),
        _table_style(),
    ]
    for text in styles:
        element = parse_xml(text.replace("<w:style ", f'<w:style xmlns:w="{MAIN}" ', 1))
        if element.get(qn("w:styleId")) not in ids:
            document.styles.element.append(element)
    for name, font, size, space in (
        ("Normal", TEXT_FONT, TEXT, 6),
        ("Caption", TEXT_FONT, CAPTION, 4),
        ("Title", TABLE_FONT, 32, 12),
        ("Heading 1", TABLE_FONT, 26, 6),
        ("Heading 2", TABLE_FONT, 23, 4),
    ):
        style = document.styles[name]
        style.font.size, style.font.color.rgb = Pt(size / 2), RGBColor(0, 0, 0)
        _set_font(style.element, font)
        style.paragraph_format.space_after = Pt(space)
    document.styles["Caption"].font.bold = False  # the number is
    document.styles["Title"].element.pPr.remove_all("w:pBdr")


def _set_font(style: Any, font: str) -> None:
    """Set a font for all scripts, in place of those of the template's theme."""
    from docx.oxml.ns import qn

    fonts = style.get_or_add_rPr().get_or_add_rFonts()
    fonts.attrib.clear()
    for script in ("ascii", "hAnsi", "cs", "eastAsia"):
        fonts.set(qn(f"w:{script}"), font)
