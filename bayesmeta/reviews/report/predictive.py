"""Predictive checks of a run: the table, a sentence that sums them up, and a small figure on the report page."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.numbers import is_missing, number, probability, pvalue
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.results import text_frame
from bayesmeta.results.methods import method_label
from bayesmeta.reviews.model_checks import KIND
from bayesmeta.reviews.report.headings import headings
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

#: checks of single studies, and the columns of their tails and p-values
OF_STUDIES = {"given all": ("P(below), all", "p, all"), "given the others": ("P(below), others", "p, others")}
#: checks of all studies together, with their names in the table
TOGETHER = {"Q": "All: Cochran's Q", "largest residual": "All: largest residual"}
NAMES = ("Analysis", "Study or statistic", "Observed", *(name for pair in OF_STUDIES.values() for name in pair))
#: below it a p-value is counted as surprising
SURPRISING = 0.05
#: sizes of the small figure in its own units: row, column of names, axis, and letters of a name
ROW, LEFT, AXIS, LETTERS = 20, 190, 300, 28


def checked_models(result: AnalysisResult) -> Iterator[dict[str, Any]]:
    """Yield the parts of a result that have checks: of one pooled effect, then of each model of dependent estimates or with moderators."""
    for model in result.models:
        if model["kind"] in (KIND, "dependence") and (model.get("predictive") or model.get("no_predictive")):
            yield model


def model_name(model: dict[str, Any]) -> str:
    """Return the name of a model with moderators or of dependent estimates; "" for one pooled effect."""
    return "" if model["model"] == KIND else str(model["model"])


def predictive_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of predictive checks; None where no analysis has any."""
    heading = headings(review)
    lines = [
        {"Analysis": ": ".join(filter(None, (heading[result.id], model_name(model)))), **line}
        for result in results
        for model in checked_models(result)
        for line in _lines(model.get("predictive") or [], _log(review, result))
    ]
    if not lines:
        return None
    notes = (
        "P(below): probability that a new result of the study, of a new effect, is below the observed one (its PIT value); predicted from "
        "all studies (its own data contribute, so that p is too large) and from the others (leave-one-out: uniform if the model is right). "
        "p: two-sided, twice the smaller tail.",
        "Of the fit in the main table, with the same likelihood and priors, by quadrature. Observed: natural scale; of counts with 1/2 "
        "added to each.",
        "All: data replicated for all studies at once. Cochran's Q, and the largest absolute residual over its predictive standard "
        "deviation (its posterior mean), against their replicated values.",
    )
    caption = f"{review.title}: predictive checks"
    return Table(text_frame(lines, NAMES, NAMES[3:]), caption, notes, "Analysis", review.notice)


def _log(review: Review, result: AnalysisResult) -> bool:
    known = next(review.as_analysis(one) for one in review.every_analysis if one.id == result.id)
    return MEASURES[known.measure].log


def _lines(rows: list[dict[str, Any]], log: bool) -> Iterator[dict[str, str]]:
    blank = dict.fromkeys(NAMES[1:], "")
    for checks in _by_study(rows):
        observed = next(one["observed"] for one in checks.values())
        line = blank | {
            "Study or statistic": str(next(iter(checks.values()))["study"]),
            "Observed": number(np.exp(observed) if log else observed),
        }
        for check, (tail, p) in OF_STUDIES.items():
            if check in checks:
                line |= {tail: probability(checks[check]["tail"]), p: pvalue(checks[check]["pvalue"])}
        yield line
    tail, p = OF_STUDIES["given all"]
    for row in rows:
        if row["check"] in TOGETHER:
            yield blank | {
                "Study or statistic": TOGETHER[row["check"]],
                "Observed": number(row["observed"]),
                tail: probability(row["tail"]),
                p: pvalue(row["pvalue"]),
            }


def _by_study(rows: list[dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """Return the checks of each estimate by their names, in the order of the data: labels can be the same."""
    columns = {check: [row for row in rows if row["check"] == check] for check in OF_STUDIES}
    many = max((len(found) for found in columns.values()), default=0)
    return [{check: found[i] for check, found in columns.items() if i < len(found)} for i in range(many)]


def predictive_section(result: AnalysisResult) -> str:
    """Return the sentences and small figures of the predictive checks of an analysis, as HTML; "" without any."""
    return "".join(_part(model) for model in checked_models(result))


def _part(model: dict[str, Any]) -> str:
    name = model_name(model)
    heading = f"<h3>Predictive checks{f': {escape(name)}' if name else ''}</h3>"
    if not model.get("predictive"):
        return f"{heading}<p>Not computed: {escape(model['no_predictive'])}</p>"
    fit = f" of the fit by {method_label(model['method'])}" if model.get("method") else ""
    text = f"<p>{escape(predictive_text(model['predictive']))}</p>"
    if model.get("no_left_out"):
        text += f"<p>Studies could not be left out in turn: {escape(model['no_left_out'])}</p>"
    return f"{heading}{text}{_figure(model['predictive'], f'Predictive checks{fit}')}"


def predictive_text(rows: list[dict[str, Any]]) -> str:
    """Sum the predictive checks of a fit up in sentences.

    Parameters
    ----------
    rows : list of dict
        Rows of ``predictive_checks``.
    """
    check = "given the others" if any(row["check"] == "given the others" for row in rows) else "given all"
    single = [row for row in rows if row["check"] == check and not is_missing(row["pvalue"])]
    from_what = "the others" if check == "given the others" else "all, itself included"
    texts = []
    if single:
        least = min(single, key=lambda row: row["pvalue"])
        surprising = [row for row in single if row["pvalue"] < SURPRISING]
        names = ", ".join(str(row["study"]) for row in surprising)
        found = f"{len(surprising)} of {len(single)} surprising (p below {SURPRISING:g}: {names})" if surprising else (
            f"none of {len(single)} surprising"
        )  # fmt: skip
        texts.append(
            f"Results compared with what is predicted from {from_what}: {found}; smallest two-sided p "
            f"{pvalue(least['pvalue'])} ({least['study']}). If the model is right, {SURPRISING * len(single):.2g} would be by chance."
        )
    together = [
        f"{TOGETHER[row['check']].removeprefix('All: ')} p {pvalue(row['pvalue'])}" for row in rows if row["check"] in TOGETHER
    ]  # fmt: skip
    if together:
        texts.append(f"All results together against replicated data: {', '.join(together)}.")
    return " ".join(texts)


def _figure(rows: list[dict[str, Any]], label: str) -> str:
    """Draw P(below) of each estimate between 0 and 1: a dot given the others, a circle given all; its outer 2.5% are shaded."""
    found = _by_study(rows)
    if not found:
        return ""
    bottom = ROW * len(found) + 4
    low, high = (f"{LEFT + AXIS * share:g}" for share in (SURPRISING / 2, 1 - SURPRISING / 2))
    parts = [
        f'<path class="tail" d="M{LEFT} 0H{low}V{bottom}H{LEFT}zM{high} 0H{LEFT + AXIS}V{bottom}H{high}z"/>',
        f'<path class="axis" d="M{LEFT} {bottom}H{LEFT + AXIS}M{LEFT + AXIS / 2:g} 0V{bottom}"/>',
    ]
    for i, row in enumerate(found):
        y = ROW * i + 14
        name = str(next(iter(row.values()))["study"])
        short = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
        title = f"<title>{escape(name)}</title>" if short != name else ""
        parts.append(f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{title}{escape(short)}</text>')
        for check, radius in (("given all", 4.5), ("given the others", 3)):
            tail = float(row[check]["tail"]) if check in row else float("nan")
            if not is_missing(tail):
                kind = "all" if check == "given all" else "others"
                parts.append(f'<circle class="{kind}" cx="{LEFT + AXIS * tail:.1f}" cy="{y - 4}" r="{radius}"/>')
    parts += [
        f'<text x="{LEFT + AXIS * share:g}" y="{bottom + 15}" text-anchor="middle">{share:g}</text>'
        for share in (0, 0.5, 1)
    ]
    height = bottom + 20
    return (
        f'<figure class="pit"><svg role="img" aria-label="{escape(label)}" viewBox="0 0 {LEFT + AXIS + 14} {height}" '
        f'width="{LEFT + AXIS + 14}" height="{height}">{"".join(parts)}</svg>'
        "<figcaption>Probability that a new result is below the observed one: dot, predicted from the other studies; circle, from all. "
        "Shaded: the outer 2.5% on each side.</figcaption></figure>"
    )
