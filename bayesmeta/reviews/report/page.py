"""Report of a run: all its tables and figures in a single self-contained HTML file."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from bayesmeta.reporting.tables.html import STYLE, table_element
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.explorer.assets import STYLES, policy, read_asset, script
from bayesmeta.reviews.file_names import REPORT_FILE
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.report.page_changes import LINK, SECTION, read_changes, with_changes
from bayesmeta.reviews.report.page_figures import Draw, drawn, saved_or_drawn
from bayesmeta.reviews.report.page_sections import analysis_heading, analysis_section, review_section
from bayesmeta.reviews.report.page_svg import with_classes
from bayesmeta.reviews.report.tables import review_tables
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.running.ledger import Ledger
from bayesmeta.reviews.running.state import state_of, with_notice
from bayesmeta.reviews.spec import Review
from bayesmeta.support.confined import confined
from bayesmeta.support.files import write_text
from bayesmeta.support.problems import recorded


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
    as_run, results = load_run(folder)
    review = with_notice(as_run, state_of(as_run, Ledger(folder)))
    # figures contain the notice
    draw = saved_or_drawn(folder, as_run) if review.notice == as_run.notice else drawn
    with confined(folder):
        page = with_changes(report_page(review, results, problems, draw), review, read_changes(folder))
        return write_text(folder / REPORT_FILE, page)


def report_page(
    review: Review, results: list[AnalysisResult], problems: list[str] | None = None, draw: Draw = drawn
) -> str:
    """Return the HTML of the report.

    Parameters
    ----------
    review, results
        From the run, or ``load_run``; the review's notice says what is incomplete.
    problems
        As for ``write_report``.
    draw : callable
        Makes the SVG of a figure.
    """
    known = {analysis.id: review.as_analysis(analysis) for analysis in review.every_analysis}
    tables = {}
    for name, table in review_tables(review, results, problems).items():
        with recorded(f"table '{name}'", problems):
            tables[name] = table_element(table, table_id=name)
    shown = [result for result in results if result.studies or result.models]
    of_review = review_section(review, results, problems, draw)
    sections = of_review + "".join(
        # the league table of a network is shown with its figures
        analysis_section(
            review, known[result.id], result, problems, draw, own=tables.pop(f"network_league_{result.id}", "")
        )
        for result in shown
    )
    sections, rules = with_classes(sections)
    notice = f'<p class="notice">{escape(review.notice)}</p>' if review.notice else ""
    more = "".join(
        f'<details id="table-{escape(name)}"><summary>{escape(name.capitalize().replace("_", " "))}</summary>'
        f'<div class="table">{body}</div></details>'
        for name, body in tables.items()
        if name != "main"
    )
    more = f'<h2 id="tables">Tables</h2>{more}' if more else ""
    citation = f"<p>{escape(review.citation)}</p>" if review.citation else ""
    main = f'<div class="table" id="main-table">{tables["main"]}</div>' if "main" in tables else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy((script(),)))}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(review.title)}</title><style>{STYLE}\n{_styles()}\n{rules}</style></head>"
        '<body><a class="skip" href="#main">Skip to the results</a>'
        f"<header><h1>{escape(review.title)}</h1>{citation}{notice}</header>"
        f"{_contents([known[result.id] for result in shown], bool(main), bool(more), bool(of_review))}"
        f'<main id="main">{main}{"".join(SECTION)}{more}{sections}</main><script>{script()}</script></body></html>\n'
    )


def _styles() -> str:
    return "\n".join(read_asset(name) for name in STYLES)


def _contents(analyses: list[Analysis], main: bool, more: bool, of_review: bool) -> str:
    """Return the navigation: the tables, and each analysis by comparison."""
    links = ['<li><a href="#main-table">Main table</a></li>'] if main else []
    links.append("".join(LINK))
    links += ['<li><a href="#tables">Tables</a></li>'] if more else []
    links += ['<li><a href="#all-studies">All studies</a></li>'] if of_review else []
    groups: dict[str, list[str]] = {}
    for analysis in analyses:
        link = f'<li><a href="#a-{escape(analysis.id)}">{escape(analysis_heading(analysis))}</a></li>'
        groups.setdefault(analysis.comparison, []).append(link)
    parts = [f"<ul>{''.join(links)}</ul>"] if links else []
    for i, (comparison, found) in enumerate(groups.items()):
        name = escape(comparison) or ("Analyses" if len(groups) == 1 else "Other analyses")
        folded = " open" if i == 0 and len(analyses) <= 60 else ""
        parts.append(f"<details{folded}><summary>{name}</summary><ul>{''.join(found)}</ul></details>")
    return f'<nav class="contents" id="contents" aria-label="Contents"><strong>Contents</strong>{"".join(parts)}</nav>'


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
