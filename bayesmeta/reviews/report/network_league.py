"""League tables of the networks of a run: the effects of all pairs of treatments."""

from __future__ import annotations

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.numbers import estimate
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.results import text_frame
from bayesmeta.results.methods import method_label
from bayesmeta.reviews.report.network_tables import Saved, by_rank, frequentist_method, networks, star, star_notes
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review


def league_tables(review: Review, results: list[AnalysisResult]) -> dict[str, Table]:
    """Return the league table of each network by the name of its file."""
    return {
        f"network_league_{result.id}": league_table(review, heading, result, saved)
        for heading, result, saved in networks(review, results)
        if saved["fits"]
    }


def league_table(review: Review, heading: str, result: AnalysisResult, saved: Saved) -> Table:
    """Return the league table of a network: each cell is the effect of its row's treatment against its column's, in both triangles.

    Parameters
    ----------
    review : Review
        The review, for its title and notice.
    heading : str
        What the network is called.
    result : AnalysisResult
        Its result.
    saved : dict
        What was saved of it.
    """
    method = result.primary or frequentist_method(saved)
    fit, names = saved["fits"][method], saved["treatments"]
    order = [names.index(name) for name in by_rank(saved, method)]
    log = MEASURES[saved["measure"]].log
    matrices = [np.array(fit[name], dtype=float) for name in ("estimate", "ci_low", "ci_high")]
    shown = [np.exp(matrix) if log else matrix for matrix in matrices]
    lines = []
    for i in order:
        cells = {
            names[j]: "" if i == j else estimate(*(matrix[i, j] for matrix in shown)) + star(saved, i, j) for j in order
        }
        lines.append({"Treatment": names[i], **cells})
    kind = "posterior median" if method.startswith("bayes:") else "estimate"
    words = league_words(saved["measure"], saved["better"])
    sorting = "Treatments are in the order of SUCRA, the best first. " if fit.get("ranking") else ""
    notes = [
        f"{words} {sorting}{method_label(method)}: {kind} and {100 * saved['level']:g}% interval, natural scale.",
        *star_notes(lines),
        _lumped(saved),
        saved["note"],
    ]
    return Table(
        text_frame(lines, ["Treatment", *(names[j] for j in order)]),
        f"{review.title}: league table, {heading}",
        tuple(filter(None, notes)),
        None,
        review.notice,
    )


def league_words(measure: str, better: str) -> str:
    """Say in words how a cell of a league table is read."""
    null = "1" if MEASURES[measure].log else "0"
    found = (
        f"Each cell, above the diagonal and below it, is the {MEASURES[measure].phrase} of its row's treatment against its column's: the "
        "two triangles are the same comparisons in opposite directions."
    )
    if not better:
        return found
    side = "above" if better == "higher" else "below"
    return f"{found} Values {side} {null} favour the row's treatment."


def _lumped(saved: Saved) -> str:
    by_name: dict[str, list[str]] = {}
    for old, new in saved["lumping"].items():
        if old != new:
            by_name.setdefault(new, []).append(old)
    found = "; ".join(f"{new}: {', '.join(old)}" for new, old in by_name.items())
    return f"Analysed under one name: {found}." if found else ""
