"""Headings, paragraphs, lists and pictures of a Word document."""

from __future__ import annotations

import io
from collections.abc import Iterable

from bayesmeta.reporting.word.document import WordDocument, line_width
from bayesmeta.reporting.word.text import caption, paragraph, reference, run
from bayesmeta.support.xml_text import escaped

_EMU_PER_TWIP = 635
_EMU_PER_INCH = 914_400
#: height that a picture may have on a page, in twentieths of a point; the rest is for its caption
_TALLEST = {False: 12_700, True: 7_900}
#: a picture that would be smaller than this on an upright page is on a turned one
_SMALLEST_SCALE = 0.7
_PICTURE = "http://schemas.openxmlformats.org/drawingml/2006"


def add_title(document: WordDocument, text: str) -> None:
    """Append the title of the document."""
    document.add(paragraph(run(text), "Title"))


def add_heading(document: WordDocument, text: str, level: int = 1) -> None:
    """Append a heading, on the page of what follows."""
    document.add_heading(paragraph(run(text), f"Heading{level}"))


def add_paragraphs(document: WordDocument, texts: Iterable[str], *, bold: bool = False) -> None:
    """Append paragraphs of text; empty ones are left out."""
    document.turn(landscape=False)
    document.add(*(paragraph(run(text, bold=bold), "Normal") for text in texts if text))


def add_text(document: WordDocument, parts: Iterable[str | tuple[str, int]]) -> None:
    """Append a paragraph of texts and of numbers of captions, such as ``("Table", 1)``, which Word counts again with the captions."""
    document.turn(landscape=False)
    content = "".join(run(part) if isinstance(part, str) else reference(*part) for part in parts)
    document.add(paragraph(content, "Normal"))


def add_numbered(document: WordDocument, texts: Iterable[str]) -> None:
    """Append a list of paragraphs with their numbers as text, so that they stay those of the citations."""
    hanging = '<w:ind w:left="454" w:hanging="454"/>'
    document.turn(landscape=False)
    document.add(
        *(
            paragraph(f"{run(f'{i}.')}<w:r><w:tab/></w:r>{run(text)}", "Normal", hanging)
            for i, text in enumerate(texts, 1)
        )
    )


def add_picture(document: WordDocument, png: bytes, text: str, *, number: int, dpi: float) -> None:
    """Append a picture with its caption beneath, as wide as it is or as the page allows.

    Parameters
    ----------
    document : WordDocument
        The document.
    png : bytes
        The picture.
    text : str
        Its caption, and what screen readers read.
    number : int
        Number of the caption until Word counts again.
    dpi : float
        Dots per inch of the picture.
    """
    identity, image = document.docx.part.get_or_add_image(io.BytesIO(png))
    natural = image.px_width / dpi * _EMU_PER_INCH, image.px_height / dpi * _EMU_PER_INCH
    landscape = _scale(natural, False) < min(_SMALLEST_SCALE, _scale(natural, True))
    scale = _scale(natural, landscape)
    width, height = (round(scale * side) for side in natural)
    document.turn(landscape=landscape)
    content = _inline(identity, document.next_id(), width, height, text)
    document.add(
        paragraph(f"<w:r>{content}</w:r>", "Normal", "<w:keepNext/>"), caption("Figure", number, text, above=False)
    )


def _scale(natural: tuple[float, float], landscape: bool) -> float:
    room = line_width(landscape) * _EMU_PER_TWIP, _TALLEST[landscape] * _EMU_PER_TWIP
    return min(1.0, *(have / need for have, need in zip(room, natural, strict=True)))


def _inline(relation: str, identity: int, width: int, height: int, text: str) -> str:
    described = escaped(text)
    return (
        f'<w:drawing><wp:inline xmlns:wp="{_PICTURE}/wordprocessingDrawing" distT="0" distB="0" distL="0" distR="0">'
        f'<wp:extent cx="{width}" cy="{height}"/><wp:docPr id="{identity}" name="Figure {identity}" descr="{described}"/>'
        f'<a:graphic xmlns:a="{_PICTURE}/main"><a:graphicData uri="{_PICTURE}/picture"><pic:pic xmlns:pic="{_PICTURE}/picture">'
        f'<pic:nvPicPr><pic:cNvPr id="{identity}" name="Figure {identity}"/><pic:cNvPicPr/></pic:nvPicPr>'
        f'<pic:blipFill><a:blip r:embed="{relation}"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>'
        f'<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="{width}" cy="{height}"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing>'
    )
