"""What the tables of a run share: how analyses are called, the level of intervals, and which rows are under which priors."""

from __future__ import annotations

from typing import Any

from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.numbers import is_missing
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review


def headings(review: Review) -> dict[str, str]:
    """Return what an analysis is called in the row groups of the longer tables, with its level where levels differ."""
    shared = shared_level(review)
    found = {}
    for analysis in map(review.as_analysis, review.every_analysis):
        time = f", {analysis.time}" if analysis.time else ""
        level = f"{100 * review.level_of(analysis):g}% CI" if shared is None else ""
        details = "; ".join(filter(None, [analysis.comparison, analysis.measure, level]))
        found[analysis.id] = f"{analysis.id} {analysis.outcome}{time} ({details})"
    return found


def shared_level(review: Review) -> float | None:
    """Return the level of the intervals of every analysis; None where levels differ."""
    levels = {review.level_of(analysis) for analysis in review.every_analysis}
    return levels.pop() if len(levels) == 1 else None


def at_level(review: Review, intervals: str) -> str:
    """Write intervals with their level: "95% intervals", or where to find it where levels differ."""
    level = shared_level(review)
    return f"{intervals} at the level beside each analysis" if level is None else f"{100 * level:g}% {intervals}"


Row = dict[str, Any]


def main_rows(result: AnalysisResult) -> list[Row]:
    """Return the tidy rows of one pooled effect: of independent studies or, where there are none, of dependent estimates."""
    pooled = [row for row in result.rows if is_missing(row.get("model")) or not row["model"]]
    nestings = [model["model"] for model in result.models if model["kind"] == "dependence"]
    return pooled or [{**row, "model": ""} for row in result.rows if row["model"] in nestings]


def split_rows(result: AnalysisResult) -> tuple[list[Row], list[Row]]:
    """Return the tidy rows of one pooled effect under the main priors, and those under alternative priors."""
    rows = main_rows(result)
    alternative = [prior_set(row["method"]) != "" for row in rows]
    main = [row for row, other in zip(rows, alternative, strict=True) if not other]
    return main, [row for row, other in zip(rows, alternative, strict=True) if other]


def prior_set(method: str) -> str:
    """Return the name of the alternative priors of a method; "" for the main ones and for frequentist methods."""
    found = parse_method(method)
    return found.priors if found else ""
