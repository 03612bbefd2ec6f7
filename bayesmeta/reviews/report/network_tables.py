"""Tables of the networks of a run: treatments, effects against the reference, league table, ranking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bayesmeta.networks.pairs import versus
from bayesmeta.reporting.numbers import count, estimate, interval, is_missing, number, probability
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.reporting.tables.results import text_frame
from bayesmeta.results.methods import method_label
from bayesmeta.reviews.network_result import network_of
from bayesmeta.reviews.report.headings import at_level, headings
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

Saved = dict[str, Any]
#: method of the exact fit on contrasts
EXACT = "bayes:normal:quadrature"


def networks(review: Review, results: list[AnalysisResult]) -> Iterator[tuple[str, AnalysisResult, Saved]]:
    """Yield the heading, the result and what was saved of each network."""
    heading = headings(review)
    heading |= {one.id: f"{one.id} {one.title} ({one.measure})" for one in review.network if one.title}
    for result in results:
        saved = network_of(result)
        if saved is not None:
            yield heading[result.id], result, saved


def frequentist_method(saved: Saved) -> str:
    """Return the method of the frequentist fit; "" if it failed."""
    return next((method for method in saved["fits"] if not method.startswith("bayes:")), "")


def marked(saved: Saved, name: str) -> str:
    """Return the name of a treatment, with a star if the data do not identify its effect against the reference."""
    if "components" not in saved:
        return name
    at = saved["treatments"].index
    return name + star(saved, at(name), at(saved["reference"]))


def star(saved: Saved, i: int, j: int) -> str:
    """Return a star if the data do not identify the effect between two treatments."""
    return "" if "components" not in saved or saved["components"]["identified"][i][j] else " *"


def star_notes(lines: list[dict[str, str]], column: str | None = None) -> tuple[str, ...]:
    """Return what a star behind the texts of a column, or of any column, means; nothing if there is none."""
    if not any(text.endswith(" *") for line in lines for text in ([line[column]] if column else line.values())):
        return ()
    return ("* The data do not identify this effect: what a Bayesian method says about it depends on its prior.",)


def geometry_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of the networks: their treatments, trials, designs, comparisons and loops."""
    lines = []
    for heading, _, saved in networks(review, results):
        people = [row["participants"] for row in saved["geometry"] if not is_missing(row.get("participants"))]
        designs, edges = saved["designs"], saved["edges"]
        treatments = len(saved["treatments"])
        whole = treatments * (treatments - 1) // 2
        left_out = "; ".join(f"{study}: {why}" for study, why in saved["left_out"].items())
        lines.append(
            {
                "Network": heading,
                "Treatments": count(treatments),
                "Trials": count(len(saved["studies"])),
                "Multi-arm": count(len(saved["multi_arm"])),
                "Designs": count(len(designs)),
                "Comparisons with trials": f"{len(edges)} of {whole}",
                "Loops": count(saved["loops"]),
                "Participants": count(sum(people)) if people else "",
                "Reference": saved["reference"],
                NOTE: ". ".join(
                    filter(None, (f"Not estimable: {left_out}" if left_out else "", _part(saved), *saved["notes"]))
                ),
            }
        )
    if not lines:
        return None
    notes = (
        "Designs: sets of treatments that are compared in a trial. Loops: independent ones, comparisons - treatments + 1. "
        "Participants: of the arms in the analysis.",
    )
    return grouped_table(review, lines, "the networks", notes, None)


def _part(saved: Saved) -> str:
    part = f"The part of a disconnected network that has {saved['component']}" if saved["component"] else ""
    sums = "Additive: treatments are the sums of their components" if "components" in saved else ""
    return ". ".join(filter(None, (part, sums)))


def treatments_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of the treatments of each network, with the names that were lumped into them."""
    lines = []
    for heading, _, saved in networks(review, results):
        for row in saved["geometry"]:
            name = row["treatment"]
            lumped = [old for old, new in saved["lumping"].items() if new == name and old != name]
            lines.append(
                {
                    "Network": heading,
                    "Treatment": f"{name} (reference)" if name == saved["reference"] else name,
                    "Trials": count(row["studies"]),
                    "Compared with": count(row["compared_with"]),
                    "Participants": _if_known(row.get("participants")),
                    "Events": _if_known(row.get("events")),
                    "Lumped into it": "; ".join(lumped),
                }
            )
    if not lines:
        return None
    notes = ("Compared with: number of treatments that a trial compares it with.",)
    return grouped_table(
        review, lines, "treatments of the networks", notes, "Network", ("Participants", "Events", "Lumped into it")
    )


def _if_known(value: Any) -> str:
    return "" if is_missing(value) else count(value)


def effects_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of the effects of the treatments against the reference, by every method."""
    lines = []
    for heading, result, saved in networks(review, results):
        rows = {(row["method"], row["term"]): row for row in result.rows}
        order = by_rank(saved, result.primary)
        for name in order:
            if name == saved["reference"]:
                continue
            term = versus(name, saved["reference"])
            shown = term if marked(saved, name) == name else f"{term} *"
            main = rows.get((result.primary, term), {})
            exact = rows.get((EXACT, term), {}) if result.primary != EXACT else {}
            other = rows.get((frequentist_method(saved), term), {})
            lines.append(
                {
                    "Network": heading,
                    "Comparison": shown,
                    "Trials": count(main.get("k_direct", other.get("k_direct", np.nan)), missing=""),
                    "Estimate": _written(main),
                    "Prediction interval": interval(main.get("pi_low"), main.get("pi_high")),
                    "P(benefit)": probability(main.get("prob_benefit")),
                    "Exact, on contrasts": _written(exact),
                    "Frequentist": _written(other),
                }
            )
    if not lines:
        return None
    notes = (
        f"The effect of the first treatment against the second, natural scale. Estimate: posterior median, {at_level(review, 'interval')}, "
        f"of the Bayesian network: {_methods(review, results)}. Trials: those that compare the two; without any the evidence is indirect.",
        *star_notes(lines, "Comparison"),
    )
    optional = ("P(benefit)", "Exact, on contrasts", "Prediction interval")
    return grouped_table(review, lines, "networks, effects against the reference", notes, "Network", optional)


def _methods(review: Review, results: list[AnalysisResult]) -> str:
    """Write which methods the columns of the networks have."""
    shown = [(result.id, result.primary, frequentist_method(saved)) for _, result, saved in networks(review, results)]
    labels = {(method_label(main), method_label(other)) for _, main, other in shown}
    if len(labels) == 1:
        main, other = next(iter(labels))
        return f"{main}; frequentist: {other}" if other else main
    return "; ".join(
        f"{name} {method_label(main)}" + (f", frequentist {method_label(other)}" if other else "")
        for name, main, other in shown
    )


def _written(row: dict[str, Any]) -> str:
    return estimate(row.get("estimate"), row.get("ci_low"), row.get("ci_high"))


def by_rank(saved: Saved, method: str) -> list[str]:
    """Return the treatments, the best first where the side of benefit is known; else in their order."""
    ranked = saved["fits"].get(method, {}).get("ranking")
    return [row["treatment"] for row in ranked] if ranked else list(saved["treatments"])


def ranking_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of the ranking of the treatments of each network."""
    lines = []
    for heading, result, saved in networks(review, results):
        method = result.primary or frequentist_method(saved)
        ranked = saved["fits"].get(method, {}).get("ranking") or []
        scores = {
            row["treatment"]: row["sucra"]
            for row in saved["fits"].get(frequentist_method(saved), {}).get("ranking", ())
        }
        exact = {row["treatment"]: row["sucra"] for row in saved["fits"].get(EXACT, {}).get("ranking", ())}
        for row in ranked:
            name = row["treatment"]
            lines.append(
                {
                    "Network": heading,
                    "Treatment": marked(saved, name),
                    "SUCRA": number(row["sucra"], 3),
                    "Mean rank": f"{number(row['mean_rank'], 2)} [{count(row['rank_low'])}, {count(row['rank_high'])}]",
                    "P(best)": probability(row["prob_best"]),
                    "SUCRA, exact on contrasts": number(exact.get(name, np.nan), 3, missing="")
                    if method != EXACT
                    else "",
                    "P-score": number(scores.get(name, np.nan), 3, missing=""),
                }
            )
    if not lines:
        return None
    notes = (
        "SUCRA: mean over the other treatments of the probability of being better, 1 for a treatment that is certainly the best; P-score: "
        f"the same of the frequentist method. Mean rank with its {at_level(review, 'interval')}, 1 being the best. P(best) of imprecise "
        f"treatments is large too: read the ranks with the effects. Bayesian network: {_methods(review, results)}.",
        *star_notes(lines, "Treatment"),
    )
    return grouped_table(review, lines, "networks, ranking", notes, "Network", ("SUCRA, exact on contrasts", "P-score"))


def grouped_table(
    review: Review,
    lines: list[dict[str, str]],
    caption: str,
    notes: tuple[str, ...],
    groups: str | None,
    optional: tuple[str, ...] = (),
) -> Table:
    """Return rows of text as a table of the review; optional columns that are blank throughout are left out."""
    columns = list(lines[0])
    used = (*optional, *((NOTE,) if NOTE in columns else ()))
    return Table(text_frame(lines, columns, used), f"{review.title}: {caption}", notes, groups, review.notice)
