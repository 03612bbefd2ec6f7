"""Figure of a cumulative meta-analysis: a row per study with the pooled effect of the studies up to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.forest import forest
from bayesmeta.reporting.figures.rows import ForestStudy, ForestSummary
from bayesmeta.reporting.numbers import count, is_missing
from bayesmeta.results.methods import main_bayesian, method_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def cumulative_forest(
    rows: Sequence[Mapping[str, Any]],
    *,
    measure: str,
    by: str,
    level: float = 0.95,
    title: str = "",
    groups: tuple[str, str] = ("Experimental", "Control"),
    better: str | None = None,
    notes: Sequence[str] = (),
    bands: Sequence[float] = (),
    width_inches: float | None = None,
) -> Figure:
    """Draw a cumulative meta-analysis.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of one method in the order in which studies are added, natural scale: ``study``, ``at`` (its year, as text), k, n, method,
        estimate, ci_low, ci_high, pi_low, pi_high and note.
    measure : str
        Effect measure.
    by : str
        What orders the studies, for the notes: "year".
    level : float
        Level of the intervals.
    title : str
        Heading.
    groups, better
        Names of the arms and the side of benefit, for the arrows below the axis.
    notes : sequence of str
        Notes below the figure, each on a line of its own.
    bands : sequence of float
        Limits between bands of effects, natural scale, shaded in the background.
    width_inches : float, optional
        Width of the figure; by default what its columns need.

    Raises
    ------
    SpecError
        If there is no row.
    """
    if not rows:
        raise SpecError("cumulative meta-analysis: there is no study, so there is nothing to draw")
    method = str(rows[-1]["method"])
    bayesian = main_bayesian(method) is not None
    known = not all(is_missing(row.get("n")) for row in rows)
    studies = [_row(row, known) for row in rows]
    nan = math.nan
    last = rows[-1]
    middle, low, high, pi_low, pi_high = (
        float(last.get(name, nan)) for name in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
    )
    label = f"{f'All {len(rows)} studies' if len(rows) > 1 else 'One study'}, {100 * level:g}% {'CrI' if bayesian else 'CI'}"
    summary = ForestSummary(label, middle, low, high, pi_low, pi_high, "bayes" if bayesian else "frequentist")
    favours = tuple(f"Favours {group}" for group in groups) if better else ("", "")
    if better == "higher":
        favours = favours[::-1]
    lines = [
        f"Cumulative: each row pools the studies up to and including the one it names, in the order of their {by}. {method_label(method)}.",
        *notes,
    ]
    return forest(
        studies,
        [summary],
        measure=measure,
        log=MEASURES[measure].log,
        title=title or f"{measure}, cumulative by {by}",
        arm_headers=("k", "N") if known else ("k",),
        favours=(favours[0], favours[1]),
        footnote="\n".join(lines),
        level=level,
        width_inches=width_inches,
        bands=bands,
    )


def _row(row: Mapping[str, Any], known: bool) -> ForestStudy:
    name, at = str(row["study"]), str(row["at"])
    label = f"+ {name}" if at in name else f"+ {name} ({at})"
    cells = (count(row.get("k")), count(row.get("n"))) if known else (count(row.get("k")),)
    estimate, low, high = (float(row.get(part, math.nan)) for part in ("estimate", "ci_low", "ci_high"))
    note = str(row.get("note") or "") if estimate != estimate else ""
    return ForestStudy(
        label, cells, estimate, low, high, math.nan, math.nan, math.nan, math.nan, note, float(row.get("k") or math.nan)
    )
