"""Outcomes with several categories in the outputs of a review: the table, with coherent and separate risk ratios, and the figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.reporting.numbers import count, estimate, probability
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.reporting.tables.results import text_frame
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.categories import KIND
from bayesmeta.reviews.report.headings import at_level, headings
from bayesmeta.reviews.report.moderators import of_kind
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review
from bayesmeta.support.words import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayesmeta.reporting.figures.category_shift import ShiftPanel

NAMES = (
    "Analysis", "Treatment", "Given before", "Category", "Risk, reference", "Risk", "Risk ratio", "Risk ratio, separate", "Trials",
    "Risk difference", "Effect", "Effect, new trial", "P(higher)", NOTE,
)  # fmt: skip
OPTIONAL = ("Given before", "Effect", "Effect, new trial", NOTE)
#: what an effect on ordered categories is, by link
EFFECTS = {
    "probit": "the difference of the latent variable in its standard deviations (probit link)",
    "logit": "the odds ratio of being above any category (logit link, proportional odds)",
}
#: model of ordered categories in notes of figures, by link
_MODELS = {"probit": "Ordered probit model.", "logit": "Proportional odds model."}


def categories_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of outcomes with several categories; None where the review has none."""
    heading = headings(review)
    lines: list[dict[str, str]] = []
    models: list[dict[str, Any]] = []
    notes: list[str] = []
    for result in results:
        for model in of_kind(result, KIND):
            models.append(model)
            title = f"{heading[result.id]}: against {model['reference']}"
            lines += [dict.fromkeys(NAMES, "") | {"Analysis": title, **line} for line in _lines(model)]
            notes += _together(result.id, model)
        notes += [f"{result.id}: priors {text}." for text in (result.priors.values() if of_kind(result, KIND) else ())]
    if not lines:
        return None
    rough = any(map(_is_rough, models))
    first = [
        f"Risks, risk ratios and risk differences of one model per outcome, posterior medians, {at_level(review, 'intervals')}. Risks are "
        "those of the participants of all reference arms together, with their uncertainty; those of the categories after treatment sum "
        "to 1 in every draw. P(higher): posterior probability that the risk is higher than under the reference.",
        "Risk ratio, separate: a random-effects meta-analysis of this category alone, binomial likelihood, default priors, from the trials "
        f"(column Trials) that compare both treatments. {' '.join(dict.fromkeys(model['why'] for model in models))}",
    ]
    links = [link for link in EFFECTS if any(model.get("link") == link for model in models)]
    if links:
        first.append(
            "Ordered categories: a treatment moves a latent variable by one amount whatever the category. Effect: "
            f"{' or '.join(EFFECTS[link] for link in links)}, whose direction the column Category says; P(higher): probability that it is "
            "towards the highest category."
        )
    if any(model["before"] for model in models):
        first.append(
            "Given before: the risk after treatment among those who were in this category before it; other rows are of all participants."
        )
    if rough:
        first.append(
            "Normal approximation of the log ratios, 1/2 added to every count: rough with few participants in a category; NUTS has the "
            "multinomial likelihood."
        )
    return Table(
        text_frame(lines, NAMES, OPTIONAL),
        f"{review.title}: outcomes with several categories, each as one",
        (*first, *dict.fromkeys(notes)),
        "Analysis",
        review.notice,
    )


def _lines(model: dict[str, Any]) -> list[dict[str, str]]:
    """Return a line per treatment and category of one comparison."""
    by_key = {(row["treatment"], row["given"], row["term"], row["measure"]): row for row in model["summary"]}
    separate = {(row["treatment"], row["term"]): row for row in model["separate"]}
    lines = []
    for treatment in model["shown"]:
        for given in ("", *model["before"]):
            for term in model["categories"] if given else model["terms"]:
                base = by_key[model["reference"], given, term, "risk"]
                risk, rr, rd = (by_key[treatment, given, term, measure] for measure in ("risk", "RR", "RD"))
                alone = {} if given else separate[treatment, term]
                lines.append(
                    {
                        "Treatment": treatment,
                        "Given before": given,
                        "Category": term,
                        "Risk, reference": _written(base),
                        "Risk": _written(risk),
                        "Risk ratio": _written(rr),
                        "Risk ratio, separate": estimate(
                            alone.get("separate"), alone.get("separate_low"), alone.get("separate_high")
                        ),
                        "Trials": count(alone.get("k", float("nan"))),
                        "Risk difference": _written(rd),
                        "P(higher)": probability(rd["prob_higher"]),
                        NOTE: alone.get("note", "") or "",
                    }
                )
        lines += [
            {
                "Treatment": treatment,
                "Category": row["term"],
                "Effect": _written(row),
                "Effect, new trial": estimate(row["estimate"], row["pi_low"], row["pi_high"]),
                "P(higher)": probability(row["prob_higher"]),
            }
            for row in model.get("shift", ())
            if row["treatment"] == treatment
        ]
    return lines


def _is_rough(model: dict[str, Any]) -> bool:
    """Whether a comparison is of the normal approximation."""
    return bool(model["method"].endswith("quadrature"))


def _written(row: dict[str, Any]) -> str:
    return estimate(row["estimate"], row["ci_low"], row["ci_high"])


def _together(analysis: str, model: dict[str, Any]) -> list[str]:
    """Return sentences on tau, on the probability of several categories at once, and on numbers that the model does not predict."""
    middle, low, high = model["tau"]
    of_what = "the effect, on the scale of the link" if model.get("link") else "every log odds of two categories"
    found = [
        f"{analysis}: {plural(int(model['studies']), 'trial', 'trials')}, {model['participants']} participants; "
        f"tau (standard deviation between trials of {of_what}) {estimate(middle, low, high)}."
    ]
    if model["sides"]:
        sides = " and ".join(f"{name} {side}" for name, side in model["sides"].items())
        parts = [
            f"{name} {probability(model['together'][name])} (in a new trial {probability(model['together_new'][name])})"
            for name in model["shown"]
        ]
        found.append(f"{analysis}: probability of {sides} than under {model['reference']}: {'; '.join(parts)}.")
    if not model["margins"]:
        return found
    outside = [row for row in model["margins"] if not row["low"] <= row["count"] <= row["high"]]
    found.append(
        f"{analysis}: of {len(model['margins'])} numbers reported, {len(outside)} outside their predictive interval"
        + (
            ": " + "; ".join(f"{row['study']}, {row['treatment']}, {row['category']}" for row in outside[:5])
            if outside
            else ""
        )
        + "."
    )
    return found


def shift_figure(review: Review, analysis: Analysis, model: dict[str, Any]) -> Figure:
    """Draw the distribution over the categories under each treatment.

    Parameters
    ----------
    review, analysis
        As for ``forest_of``.
    model : dict
        The comparison with one reference.
    """
    from functools import partial

    from bayesmeta.reporting.figures.category_shift import category_shift
    from bayesmeta.reporting.figures.widths import within
    from bayesmeta.reviews.report.model_figures import analysis_title

    level = f"{100 * model['level']:g}%"
    notes = [
        f"Bars: posterior means. Points: posterior medians with {level} intervals, at the distribution of all participants under "
        f"{model['reference']}",
        _MODELS.get(model.get("link", ""), "")
        or ("Normal approximation of the log ratios." if _is_rough(model) else ""),
        analysis.note,
        review.notice,
    ]
    panels = shift_panels(
        model["summary"], model["reference"], model["treatments"], model["categories"], model["before"]
    )
    draw = partial(category_shift, panels, title=analysis_title(analysis), notes=[note for note in notes if note])
    return within(review.settings.figure_inches, draw)


def shift_panels(
    summary: list[dict[str, Any]], reference: str, treatments: list[str], categories: list[str], before: list[str]
) -> list[ShiftPanel]:
    """Return the panels of the figure: after treatment and, of change, given each category before it."""
    from bayesmeta.reporting.figures.category_shift import ShiftPanel

    order = (reference, *(name for name in treatments if name != reference))
    by_key = {(row["treatment"], row["given"], row["term"]): row for row in summary if row["measure"] == "risk"}
    panels = []
    for given in ("", *before):
        rows = [[by_key[name, given, term] for term in categories] for name in order]
        values = {
            key: np.array([[row[key] for row in line] for line in rows])
            for key in ("mean", "estimate", "ci_low", "ci_high")
        }
        heading = f"After treatment, {given} before" if given else ("After treatment, all" if before else "")
        panels.append(
            ShiftPanel(
                heading,
                tuple(categories),
                order,
                values["mean"],
                values["estimate"],
                values["ci_low"],
                values["ci_high"],
            )
        )
    return panels
