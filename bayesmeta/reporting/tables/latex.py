"""A table as LaTeX: a booktabs longtable as wide as the line, with its notes beneath."""

from __future__ import annotations

import re

from bayesmeta.reporting.numbers import typographic
from bayesmeta.reporting.tables.layout import Table, plain
from bayesmeta.reporting.tables.text_cells import tied
from bayesmeta.reporting.tables.widths import UNBROKEN, UNBROKEN_IN_HEADERS, column_widths, join

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",
    "`": r"\textasciigrave{}",
    "²": r"\textsuperscript{2}",
    "\u00a0": "~",
    "\u200b": "{}",
    "\u2009": r"\,",
    "−": r"$-$",
    "–": "--",
    "—": "---",
    "∞": r"$\infty$",
    "≥": r"$\ge$",
    "≤": r"$\le$",
    "≠": r"$\ne$",
    "≈": r"$\approx$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
}
_CHARACTERS = str.maketrans(_LATEX)
_DASHES = re.compile("-(?=-)")
_GREEK = {
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "δ": r"$\delta$",
    "θ": r"$\theta$",
    "λ": r"$\lambda$",
    "μ": r"$\mu$",
    "µ": r"$\mu$",
    "ρ": r"$\rho$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "χ": r"$\chi$",
}
"""Greek letters that are symbols where they do not belong to a Greek word."""
#: letters and signs that pdfLaTeX does not know: all but those of Latin scripts and their punctuation
_BEYOND = re.compile("[^\x00-\u017f\u2010-\u2026\u20ac\u2122]")
_OTHER_SCRIPTS = "and XeLaTeX or LuaLaTeX with a font that has its letters, which pdfLaTeX does not have"
_SYMBOL = re.compile(r"(?<![Ͱ-Ͽἀ-῿µ])[" + "".join(_GREEK) + r"](?![Ͱ-Ͽἀ-῿µ])")


def escape(text: str) -> str:
    r"""Escape one line of text for LaTeX, with the symbols of the field as mathematics.

    Parameters
    ----------
    text : str
        Any text. Letters of other scripts than the Latin one pass as they are: compile those with XeLaTeX or LuaLaTeX.

    Returns
    -------
    str
        Text with balanced braces that does not begin with what LaTeX would read as an argument of the row's end.

    Examples
    --------
    >>> print(escape("50% of A_1 & τ² ≥ 0"))
    50\% of A\_1 \& $\tau$\textsuperscript{2} $\ge$ 0
    """
    escaped = _DASHES.sub("-\u200b", text).translate(_CHARACTERS)
    if not escaped.isascii():
        escaped = _SYMBOL.sub(lambda found: _GREEK[found[0]], escaped)
    return f"{{{escaped[0]}}}{escaped[1:]}" if escaped[:1] in ("[", "*") else escaped


def _cell(text: str, numeric: bool, broken: bool = False) -> str:
    """Escape a cell; a numeric one keeps its interval together, on a line of its own if `broken`."""
    if not numeric:
        return escape(tied(text))
    escaped = join(escape(typographic(text)), UNBROKEN)
    return re.sub(r" (?=\[)", r"\\\\{}", escaped) if broken else escaped


def _row(cells: list[str], numeric: tuple[bool, ...]) -> str:
    sides = (r"\raggedleft" if right else r"\raggedright" for right in numeric)
    # \raggedright redefines \\ inside its cell, so rows end in \tabularnewline.
    return " & ".join(f"{side} {cell}" for side, cell in zip(sides, cells, strict=True)) + r" \tabularnewline"


def to_latex(table: Table, *, label: str | None = None) -> str:
    r"""Write the table as a longtable of the full line width.

    Parameters
    ----------
    table : Table
        The table.
    label : str, optional
        Name for ``\ref``, e.g. ``"tab:main"``; characters not allowed in a label become hyphens.

    Returns
    -------
    str
        The table alone, for ``\input`` in a document whose preamble loads ``booktabs`` and ``longtable``; a table with many columns
        turns its pages and needs ``pdflscape`` too.
    """
    layout = table.layout
    count = len(layout.headers)
    widths = column_widths(layout)
    columns = "".join(rf"p{{\dimexpr {share:.4f}\linewidth-2\tabcolsep\relax}}" for share in widths.shares)
    titles = [rf"\textbf{{{join(escape(typographic(header)), UNBROKEN_IN_HEADERS)}}}" for header in layout.headers]
    head = [r"\toprule", _row(titles, layout.numeric), r"\midrule"]
    reference = rf"\label{{{re.sub(r'[^A-Za-z0-9:.-]+', '-', label)}}}" if label else ""
    lines = [
        f"% needs \\usepackage{{booktabs,longtable{',pdflscape' if widths.landscape else ''}}}",
        *([r"\begin{landscape}"] if widths.landscape else []),
        r"{\scriptsize\renewcommand{\arraystretch}{1.2}\setlength{\tabcolsep}{4pt}\setlength{\LTcapwidth}{\linewidth}\setlength{\LTpost}{2pt}",
        rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}",
        rf"\caption{{{escape(plain(table.caption))}}}{reference}\tabularnewline",
        *head,
        r"\endfirsthead",
        r"\caption[]{(continued)}\tabularnewline",
        *head,
        r"\endhead",
        r"\midrule",
        rf"\multicolumn{{{count}}}{{r@{{}}}}{{continued on the next page}}\tabularnewline",
        r"\endfoot",
        r"\bottomrule",
    ]
    notes = [
        rf"\textbf{{{escape(text)}}}"
        if mark == "!"
        else (rf"\textsuperscript{{{mark}}} " if mark else "") + escape(text)
        for mark, text in ((mark, typographic(text)) for mark, text in layout.notes)
    ]
    lines.append(r"\endlastfoot")
    for position, (group, rows) in enumerate(layout.sections):
        if group:
            lines += [r"\addlinespace"] if position else []
            across = r"p{\dimexpr\linewidth-2\tabcolsep\relax}@{}"
            heading = rf"\raggedright\textbf{{{escape(group)}}}"
            lines.append(rf"\multicolumn{{{count}}}{{@{{}}{across}}}{{{heading}}}\tabularnewline*")
        for mark, cells in rows:
            written = [_cell(cell, numeric, widths.broken) for cell, numeric in zip(cells, layout.numeric, strict=True)]
            written[0] += rf"\textsuperscript{{{mark}}}" if mark else ""
            lines.append(_row(written, layout.numeric))
    # as paragraphs, since the foot of a table cannot be divided between pages
    beneath = [rf"\noindent\raggedright {note}\par" for note in notes]
    end = [r"\end{longtable}", *beneath, "}", *([r"\end{landscape}"] if widths.landscape else [])]
    text = "\n".join([*lines, *end]) + "\n"
    return text.replace("\n", f" % {_OTHER_SCRIPTS}\n", 1) if _BEYOND.search(text) else text
