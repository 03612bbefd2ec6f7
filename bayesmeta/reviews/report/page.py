"""Report of a run: all its tables and figures in a single self-contained HTML file."""

from __future__ import annotations

import os
import re
from html import escape
from pathlib import Path

from bayesmeta.reporting.tables.html import STYLE, table_element
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.file_names import REPORT_FILE
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.network_result import network_of
from bayesmeta.reviews.report.tables import review_tables
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.running.ledger import Ledger
from bayesmeta.reviews.running.state import state_of, with_notice
from bayesmeta.reviews.spec import Review
from bayesmeta.support.confined import confined
from bayesmeta.support.files import write_text
from bayesmeta.support.problems import recorded

_STYLE = """
body { font-family: system-ui, sans-serif; color: #1a1a1a; max-width: 90rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
h1, h2, p, summary { overflow-wrap: anywhere; }
.notice { border-left: 4px solid #b45309; background: #fff7ed; padding: .6rem 1rem; }
.table { overflow-x: auto; padding: 10px 0; } .table td .interval { display: block; }
figure { margin: 1rem 0; overflow-x: auto; } figure svg { max-width: 100%; min-width: min(100%, 40rem); height: auto; }
details { margin: 1rem 0; } summary { cursor: pointer; font-weight: 600; } nav { line-height: 1.8; } nav a { margin-right: 1rem; }
@media (max-width: 700px) {
  body { margin: 1rem auto; padding: 0 .6rem; } figure svg { min-width: 40rem; max-width: none; }
}
@media print {
  @page { size: A4 landscape; margin: 10mm; }
  body { margin: 0; padding: 0; max-width: none; } nav { display: none; }
  .table, figure { overflow: visible; } section { break-before: page; } h2 { break-after: avoid; margin-top: 0; }
  table.data { width: 100%; font-size: 6.5pt; } table.data td, table.data th { padding: 1pt 2pt; overflow-wrap: break-word; }
  table.data th[style] { min-width: 0 !important; } table.data td.number { white-space: normal; }
  table.data caption { font-size: 9pt; } table.data tfoot td { font-size: 6.5pt; } table.data tfoot div { max-width: none; }
  tr { break-inside: avoid; } tfoot { display: table-row-group; }
  figure { break-inside: avoid; } figure svg { max-height: 165mm; min-width: 0; }
  details::details-content { display: block; content-visibility: visible; height: auto; } details > summary { list-style: none; }
}
"""
# a folded part is not printed by browsers that do not know ::details-content
_UNFOLD = "<script>addEventListener('beforeprint', () => document.querySelectorAll('details').forEach(part => part.open = true))</script>"


def write_report(out: str | os.PathLike[str], problems: list[str] | None = None) -> Path:
    """Write ``report.html`` into a run's folder.

    Parameters
    ----------
    out : str or path
        Folder of a finished run.
    problems : list of str, optional
        Receives a line about each table, row and figure that cannot be made; the page says so in its place. By default the first
        problem is raised.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DataError
        If the folder has no finished run, or the file cannot be written.
    """
    folder = Path(out)
    review, results = load_run(folder)
    review = with_notice(review, state_of(review, Ledger(folder)))
    with confined(folder):
        return write_text(folder / REPORT_FILE, report_page(review, results, problems))


def report_page(review: Review, results: list[AnalysisResult], problems: list[str] | None = None) -> str:
    """Return the HTML of the report.

    Parameters
    ----------
    review, results
        From the run, or ``load_run``; the review's notice says what is incomplete.
    problems
        As for ``write_report``.
    """
    known = {analysis.id: review.as_analysis(analysis) for analysis in review.every_analysis}
    tables = {}
    for name, table in review_tables(review, results, problems).items():
        with recorded(f"table '{name}'", problems):
            tables[name] = table_element(table, table_id=name)
    sections = []
    for result in filter(_has_section, results):
        analysis = known[result.id]
        failed: list[str] | None = None if problems is None else []
        figures = _figures(review, analysis, result, failed)
        drawn = "".join(f"<figure>{svg}</figure>" for svg in _with_distinct_ids(figures, result.id))
        drawn += "".join(f'<p class="notice">{escape(problem)}</p>' for problem in failed or ())
        if problems is not None:
            problems += [f"analysis {result.id}: {problem}" for problem in failed or ()]
        league = tables.pop(f"network_league_{result.id}", "")
        own = f'<div class="table">{league}</div>' if league else ""
        sections.append(
            f'<section id="a-{escape(result.id)}"><h2>{escape(_heading(analysis, result))}</h2>{own}{drawn}</section>'
        )
    notice = f'<p class="notice">{escape(review.notice)}</p>' if review.notice else ""
    links = " ".join(
        f'<a href="#a-{escape(result.id)}">{escape(result.id)}</a>' for result in results if _has_section(result)
    )
    more = "".join(
        f'<details><summary>{escape(name.capitalize().replace("_", " "))}</summary><div class="table">{body}</div></details>'
        for name, body in tables.items()
        if name != "main"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(review.title)}</title><style>{STYLE}\n{_STYLE}</style></head><body><h1>{escape(review.title)}</h1>"
        f"<p>{escape(review.citation)}</p>{notice}<nav>{links}</nav>"
        f'<div class="table">{tables.get("main", "")}</div>{more}{"".join(sections)}{_UNFOLD}</body></html>\n'
    )


def _has_section(result: AnalysisResult) -> bool:
    """Whether there is anything of an analysis to show: the studies of a network are in its tables."""
    return bool(result.studies) or network_of(result) is not None


#: what a page begins with that shows the results of an earlier run
_OLDER = (
    '<p class="notice">This page shows the results of an earlier run. A later run has begun and has not written it again: '
    "run the same command again, or <code>bayesmeta report</code> with this folder.</p>"
)


def mark_as_older(folder: Path) -> None:
    """Write at the top of a report that a later run has begun; nothing if there is none, or it is marked already.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the run.
    """
    file = folder / REPORT_FILE
    if not file.is_file():
        return
    text = file.read_text(encoding="utf-8", errors="replace")
    if _OLDER not in text:
        write_text(file, text.replace("<body>", f"<body>{_OLDER}", 1))


def _figures(review: Review, analysis: Analysis, result: AnalysisResult, problems: list[str] | None) -> list[str]:
    """Draw all figures of an analysis as SVG; those that cannot be drawn are left out."""
    from bayesmeta.reporting.figures.save import svg_text
    from bayesmeta.reviews.report.figure_list import figures_of

    figures: list[str] = []
    for figure in figures_of(review, analysis, result):
        with recorded(figure.name, problems):
            figures.append(svg_text(figure.draw()))
    return figures


def _heading(analysis: Analysis, result: AnalysisResult) -> str:
    network = network_of(result)
    what = analysis.outcome if network is None else network["heading"]
    return f"{analysis.id} {what}" + (f", {analysis.time}" if analysis.time else "")


def _with_distinct_ids(figures: list[str], analysis_id: str) -> list[str]:
    """Prefix the ids inside each SVG, so that the figures of one page do not refer to each other's elements."""
    out = []
    for i, svg in enumerate(figures):
        prefix = f"f{re.sub('[^A-Za-z0-9]', '_', analysis_id)}_{i}_"
        named = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', svg)
        named = re.sub(r'(href=")#([^"]+)"', rf'\1#{prefix}\2"', named)
        out.append(re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", named))
    return out
