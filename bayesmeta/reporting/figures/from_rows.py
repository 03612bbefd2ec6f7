"""Figures of one analysis, made from its rows of results: texts, totals and pooled rows of a forest plot."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.figures.forest import forest
from bayesmeta.reporting.figures.forest_texts import pooled_text
from bayesmeta.reporting.figures.lights import NO_LIGHTS, LightColumns
from bayesmeta.reporting.figures.named_layouts import DEFAULT, Layout
from bayesmeta.reporting.figures.rows import ForestStudy, ForestSummary
from bayesmeta.reporting.figures.tau import tau_plot
from bayesmeta.reporting.numbers import number, typographic
from bayesmeta.reporting.tables.results import PUBLISHED_LEVEL
from bayesmeta.reporting.tables.studies import arm_cells, arm_data, arm_totals
from bayesmeta.results.methods import METHOD_LABELS, PUBLISHED, likelihood_label, main_bayesian

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]

#: models of weights by method, as RevMan writes them
POOLINGS = {"DL": "IV, Random", "CE": "IV, Fixed", "MH": "M-H, Fixed", "DL-MH": "M-H, Random", "Peto": "Peto, Fixed"}
#: methods of results by what a review may call its own, in the order in which they are looked for
_OWN_METHODS = (
    (r"peto", "Peto"),
    (r"mantel|m-?h\b", "MH"),
    (r"(inverse|iv\b).*(common|fixed)|(common|fixed).*effect|\bfe\b|\bce\b", "CE"),
    (r"hartung|knapp|hksj", "REML-HKSJ"),
    (r"\breml\b|restricted", "REML"),
    (r"paule|\bpm\b", "PM"),
)


@dataclass(frozen=True)
class ForestTexts:
    """Texts of a forest plot.

    Parameters
    ----------
    title : str
        Heading.
    groups : tuple of str
        Names of the experimental and the control arm.
    better : {"lower", "higher"}, optional
        Side of benefit, for the arrows below the axis; without it there are none.
    notes : tuple of str
        Notes below the figure, each on a line of its own.
    published_by : str
        Method by which the review pooled, as it says itself; "" if there is no published result.
    model : str, optional
        "common" or "random" effects of the published result.
    bands : tuple of float
        Limits between bands of effects, increasing, natural scale, shaded in the background; empty for none.
    lights : LightColumns
        Columns of lights right of the table.
    """

    title: str
    groups: tuple[str, str] = ("Experimental", "Control")
    better: str | None = None
    notes: tuple[str, ...] = ()
    published_by: str = ""
    model: str | None = None
    bands: tuple[float, ...] = ()
    lights: LightColumns = NO_LIGHTS


def forest_from_rows(
    studies: Sequence[Row],
    rows: Sequence[Row],
    *,
    primary: str,
    measure: str,
    level: float,
    texts: ForestTexts,
    tau: Row | None = None,
    priors: str = "",
    width_inches: float | None = None,
    layout: Layout = DEFAULT,
) -> Figure:
    """Draw the forest plot of one analysis.

    Parameters
    ----------
    studies : sequence of mapping
        Rows of studies (``bayesmeta.results.studies.study_rows``), natural scale.
    rows : sequence of mapping
        Tidy rows, natural scale; those drawn are the primary Bayesian method, DerSimonian-Laird, the method by which the review
        pooled if it is among the rows, and the published result.
    primary : str
        Bayesian method to draw; "" for none.
    measure : str
        Effect measure.
    level : float
        Level of the intervals.
    texts : ForestTexts
        Title, names of arms and notes.
    tau : mapping, optional
        ``median``, ``ci_low`` and ``ci_high`` of tau, model scale.
    priors : str
        Priors of the Bayesian method, for the notes.
    width_inches : float, optional
        Width of the figure; by default what its columns need.
    layout : Layout
        Columns, words, numbers and colours.

    Returns
    -------
    matplotlib.figure.Figure
        `bayesmeta.reporting.figures.save.save` writes it.
    """
    kind = arm_data(studies, measure)
    headers = layout.arms.get(kind, ())
    favours = tuple(f"Favours {group}" for group in texts.groups) if texts.better else ("", "")
    pooled = {str(row["method"]): row for row in rows if row["term"] == "mu"}
    circles = layout.circles and any(not math.isnan(_value(row, "theta")) for row in studies)
    weighted = any(not math.isnan(_value(row, "weight")) for row in studies)
    squares = f"Squares: study estimates{', area by DerSimonian-Laird weight' if weighted else ''}"
    notes = [
        f"{squares}; circles: the same studies' effects in the Bayesian model." if circles else f"{squares}.",
        f"Priors: {priors}." if priors else "",
        _bands_note(texts.bands),
        *texts.notes,
    ]
    return forest(
        [forest_study(row, kind, layout) for row in studies],
        _summaries(pooled, primary, texts, level, layout),
        measure=measure,
        log=MEASURES[measure].log,
        title=texts.title,
        arm_headers=headers * 2,
        arm_groups=tuple((group, len(headers)) for group in texts.groups) if headers else (),
        favours=(favours[0], favours[1]) if texts.better != "higher" else (favours[1], favours[0]),
        heterogeneity=pooled_text(pooled, tau, measure, layout, level),
        footnote="\n".join(note.strip() for note in notes if note.strip()),
        level=level,
        bands=texts.bands,
        lights=texts.lights,
        totals=sums_of_arms([row for row in studies if not math.isnan(_value(row, "weight"))], kind, layout),
        width_inches=width_inches,
        layout=layout,
        kind=kind,
        pooling=POOLINGS["DL"] if weighted else "",
    )


def _bands_note(bands: Sequence[float]) -> str:
    """Say what the shading is; "" without bands."""
    limits = ", ".join(typographic(number(limit)) for limit in bands)
    return f"Shading: bands of effects, darker the further from no effect; limits {limits}." if bands else ""


def tau_from_density(
    tau: Row, *, title: str, measure: str, level: float, notes: Sequence[str] = (), width_inches: float = 4.6
) -> Figure:
    """Draw the prior and posterior density of tau.

    Parameters
    ----------
    tau : mapping
        As ``bayesmeta.results.studies.tau_density`` returns it; None in a density is an infinite or unknown value.
    title, measure, level
        As in `forest_from_rows`.
    notes : sequence of str
        Notes below the figure, each on a line of its own.
    width_inches : float
        Width of the figure.
    """
    return tau_plot(
        tau["grid"],
        [float("nan") if value is None else value for value in tau["posterior"]],
        [float("inf") if value is None else value for value in tau["prior"]],
        posterior_interval=(tau["ci_low"], tau["ci_high"]),
        median=tau["median"],
        title=title,
        measure=measure,
        footnote="\n".join([f"Prior: {tau['prior_text']}.", *notes]).strip(),
        log=MEASURES[measure].log,
        level=level,
        width_inches=width_inches,
    )


def _value(row: Row, name: str) -> float:
    value = row.get(name)
    return float("nan") if value is None else float(value)


def forest_study(row: Row, kind: str, layout: Layout = DEFAULT) -> ForestStudy:
    """Return the row of a study (natural scale) with the data of its arms; numbers that it lacks are NaN."""
    numbers = {name: _value(row, name) for name in ("estimate", "ci_low", "ci_high", "weight")}
    shrunk = {f"shrunk{end}": _value(row, f"theta{end}") for end in ("", "_low", "_high")}
    arms = _cells(row, "e", kind, layout) + _cells(row, "c", kind, layout)
    return ForestStudy(
        label=str(row["study"]),
        arms=arms,
        note=str(row.get("reason") or ""),
        size=_value(row, "size"),
        **numbers,
        **shrunk,
    )


def _cells(row: Row, arm: str, kind: str, layout: Layout) -> tuple[str, ...]:
    return arm_cells(row, arm, kind, split=layout.split) if kind in layout.arms else ()


def sums_of_arms(rows: Sequence[Row], kind: str, layout: Layout) -> tuple[str, ...]:
    """Return the cells of the row of totals; empty where a layout has no columns of the arms, or a study lacks a number."""
    return arm_totals(rows, kind, split=layout.split) if kind in layout.arms else ()


def pooling_of(method: str) -> str:
    """Return the model of the weights of a method as RevMan writes it; every estimator of tau2 is a random-effects model.

    Examples
    --------
    >>> pooling_of("REML"), pooling_of("CE"), pooling_of("MH")
    ('IV, Random', 'IV, Fixed', 'M-H, Fixed')
    """
    return POOLINGS.get(method, POOLINGS["DL"])


def own_method(published_by: str, model: str | None) -> str:
    """Return the method of results by which a review pooled, from its own words; "" if it is not recognized.

    Examples
    --------
    >>> own_method("Mantel-Haenszel, common effect", "common"), own_method("M-H, random", None), own_method("DL", None)
    ('MH', 'DL-MH', 'DL')
    """
    words = published_by.lower()
    random = model == "random" or (model is None and "random" in words)
    for pattern, method in _OWN_METHODS:
        if re.search(pattern, words):
            return "DL-MH" if method == "MH" and random else "DL" if method == "CE" and random else method
    return "CE" if model == "common" else "DL" if words else ""


def _summaries(
    pooled: Mapping[str, Row], primary: str, texts: ForestTexts, level: float, layout: Layout
) -> list[ForestSummary]:
    shown = f"{100 * level:g}%"
    names = []
    bayesian = main_bayesian(primary) if primary else None
    if bayesian:
        which = f"Bayesian, {likelihood_label(bayesian.likelihood)} likelihood"
        names.append((primary, layout.pooled(layout.total.format(method=which), f"{shown} CrI"), "bayes"))
    total = layout.total.format(method=METHOD_LABELS["DL"])
    names.append(("DL", layout.pooled(total, f"{shown} CI"), "frequentist"))
    own = own_method(texts.published_by, texts.model)
    if own not in ("", "DL"):
        total = layout.total.format(method=METHOD_LABELS[own])
        names.append((own, layout.pooled(total, f"{shown} CI"), "frequentist"))
    as_printed = "" if level == PUBLISHED_LEVEL else ", interval as printed"
    names.append((PUBLISHED, f"As published ({texts.published_by}){as_printed}", "published"))
    return [
        ForestSummary(
            label,
            _value(pooled[method], "estimate"),
            _value(pooled[method], "ci_low"),
            _value(pooled[method], "ci_high"),
            _value(pooled[method], "pi_low"),
            _value(pooled[method], "pi_high"),
            kind,
        )
        for method, label, kind in names
        if method in pooled and not math.isnan(_value(pooled[method], "estimate"))
    ]
