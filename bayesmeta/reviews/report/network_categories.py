"""Table of the treatments of a network by effect and certainty: the minimally contextualised framework of GRADE.

Brignardello-Petersen R, Florez ID, Izcovich A, et al. GRADE approach to drawing conclusions from a network meta-analysis using a minimally
contextualised framework. BMJ 2020;371:m3900. Each treatment is compared with the reference, then those that are better than it with each
other; treatments of high or moderate certainty are apart from those of low or very low certainty.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.numbers import estimate
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reviews.report.headings import at_level
from bayesmeta.reviews.report.network_tables import Saved, frequentist_method, grouped_table, networks
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review


def category_name(category: int, highest: int) -> str:
    """Return what a category is called.

    Parameters
    ----------
    category : int
        From ``categories``.
    highest : int
        The highest category of the network.
    """
    if category < 0:
        return "Less effective than the reference"
    if category == 0:
        return "Among the least effective: not convincingly different from the reference"
    if category == highest:
        return "Among the most effective"
    return "Better than the reference, inferior to the most effective"


def categories(saved: Saved, method: str) -> dict[str, int]:
    """Return the category of each treatment but the reference.

    Parameters
    ----------
    saved : dict
        What was saved of a network (``network_of``), with a side of benefit.
    method : str
        Fit whose intervals decide.

    Returns
    -------
    dict of str to int
        0: the interval of its effect against the reference contains the threshold; -1: it is on the side of harm; 1: on the side of
        benefit; 2: and the treatment is better than another one of category 1; and so on, until no treatment of the highest category is
        better than another of it.

    Notes
    -----
    The threshold is no effect, as the guidance has it by default, or the minimal important difference of the review: an interval is then
    on the side of benefit if it is beyond it.
    """
    names, reference = saved["treatments"], saved["reference"]
    edge = saved["thresholds"][0] if saved["thresholds"] else 0.0
    fit = saved["fits"][method]
    low, high = (np.array(fit[name], dtype=float) for name in ("ci_low", "ci_high"))
    worst, best = (low, high) if saved["better"] == "higher" else (-high, -low)
    at = names.index(reference)
    found = {
        name: 1 if worst[i, at] > edge else -1 if best[i, at] < -edge else 0
        for i, name in enumerate(names)
        if name != reference
    }
    category = 1
    while inside := [names.index(name) for name, one in found.items() if one == category]:
        for i in inside:
            if any(worst[i, j] > edge for j in inside):
                found[names[i]] = category + 1
        category += 1
    return found


def network_categories_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of the treatments by category and certainty, of the networks whose certainty is stated; None without any."""
    lines: list[dict[str, str]] = []
    for heading, result, saved in networks(review, results):
        if not saved["certainty"] or not saved["better"] or not saved["fits"]:
            continue
        method = result.primary or frequentist_method(saved)
        found = categories(saved, method)
        highest = max(found.values())
        for category in range(highest, -2, -1):
            for certain in (True, False):
                names = [
                    name
                    for name, one in found.items()
                    if one == category and (saved["certainty"].get(name) in ("high", "moderate")) == certain
                ]
                lines += [
                    _line(heading, saved, method, name, category_name(category, highest), certain)
                    for name in sorted(names, key=_by(saved, method))
                ]
    if not lines:
        return None
    notes = (
        "Minimally contextualised framework of GRADE (Brignardello-Petersen et al. 2020). A treatment is more, or less, effective than "
        f"another where the {at_level(review, 'interval')} of the effect is beyond the threshold. Treatments that are more effective than "
        "the reference are compared with each other: one that is more effective than another of its category moves up. Threshold: no "
        f"effect{_thresholds(review, results)}. Certainty: as stated in review.toml; not stated counts as low.",
    )
    return grouped_table(review, lines, "networks, treatments by effect and certainty", notes, "Network")


def _thresholds(review: Review, results: list[AnalysisResult]) -> str:
    """Write the minimal important differences that take the place of no effect."""
    found = []
    for _, result, saved in networks(review, results):
        if saved["certainty"] and saved["thresholds"]:
            edge = float(np.exp(saved["thresholds"][0])) if MEASURES[saved["measure"]].log else saved["thresholds"][0]
            found.append(f"{result.id}: {saved['measure']} {edge:.3g}")
    return (
        f", or the minimal important difference ({'; '.join(found)}, in the direction of benefit or its mirror)"
        if found
        else ""
    )


def _by(saved: Saved, method: str) -> Any:
    """Return the key that sorts treatments from the best against the reference."""
    names = saved["treatments"]
    column = [row[names.index(saved["reference"])] for row in saved["fits"][method]["estimate"]]
    sign = -1.0 if saved["better"] == "higher" else 1.0
    return lambda name: sign * column[names.index(name)]


def _line(heading: str, saved: Saved, method: str, name: str, category: str, certain: bool) -> dict[str, str]:
    names, fit = saved["treatments"], saved["fits"][method]
    i, j = names.index(name), names.index(saved["reference"])
    values = [fit[key][i][j] for key in ("estimate", "ci_low", "ci_high")]
    shown = np.exp(values).tolist() if MEASURES[saved["measure"]].log else values
    return {
        "Network": heading,
        "Certainty": "High or moderate" if certain else "Low or very low",
        "Category": category,
        "Treatment": name,
        "Effect against the reference": estimate(*shown),
        "Rating": saved["certainty"].get(name, "not stated"),
    }
