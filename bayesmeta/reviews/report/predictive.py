"""Predictive checks of a run: the table, a sentence that sums them up, and a small figure on the report page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.numbers import is_missing, number, probability, pvalue
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.results import text_frame
from bayesmeta.results.methods import method_label
from bayesmeta.reviews.categories import KIND as CATEGORIES
from bayesmeta.reviews.model_checks import KIND
from bayesmeta.reviews.network_rows import MODEL as NETWORK
from bayesmeta.reviews.report.headings import headings
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review
from bayesmeta.support.words import plural

#: checks of single studies, and the columns of their tails and p-values
OF_STUDIES = {"given all": ("P(below), all", "p, all"), "given the others": ("P(below), others", "p, others")}
#: the same checks of all contrasts of a multi-arm trial together
OF_TRIALS = {f"trial {check}": names for check, names in OF_STUDIES.items()}
DISTANCE = ": all together, distance"
#: checks of all studies together, with their names in the table
TOGETHER = {"Q": "All: Cochran's Q", "largest residual": "All: largest residual"}
NAMES = ("Analysis", "Study or statistic", "Observed", *(name for pair in OF_STUDIES.values() for name in pair))
#: below it a p-value is counted as surprising
SURPRISING = 0.05
#: sizes of the small figure in its own units: row, axis, fewest and most letters of the column of names, and their width
ROW, AXIS, FEWEST, LETTERS, LETTER = 20, 300, 28, 52, 6.6


def checked_models(result: AnalysisResult) -> Iterator[dict[str, Any]]:
    """Yield the parts of a result that have checks: of one pooled effect, then of each model of dependent estimates or with moderators."""
    for model in result.models:
        if model["kind"] in (KIND, "dependence") and (model.get("predictive") or model.get("no_predictive")):
            yield model


def model_name(model: dict[str, Any]) -> str:
    """Return the name of a model with moderators or of dependent estimates, or how networks and categories were fitted; "" if pooled."""
    if model["model"] in (NETWORK, CATEGORIES):
        return method_label(model["method"])
    return "" if model["model"] == KIND else str(model["model"])


def is_sampled(model: dict[str, Any]) -> bool:
    """Whether checks are those of a network or of categories by NUTS, from the draws."""
    return model["model"] in (NETWORK, CATEGORIES) and str(model.get("method")).endswith(":nuts")


def predictive_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of predictive checks; None where no analysis has any."""
    heading = headings(review)
    lines = [
        {"Analysis": ": ".join(filter(None, (heading[result.id], model_name(model)))), **line}
        for result in results
        for model in checked_models(result)
        for line in _lines(model.get("predictive") or [], _log(review, result) and model["model"] != CATEGORIES)
    ]
    if not lines:
        return None
    notes: tuple[str, ...] = (
        "P(below): probability that a new result of the study, of a new effect, is below the observed one (its PIT value); predicted from "
        "all studies (its own data contribute, so that p is too large) and from the others (leave-one-out: uniform if the model is right). "
        "p: two-sided, twice the smaller tail.",
        "Of the fit in the main table, with the same likelihood and priors, by quadrature. Observed: natural scale; of counts with 1/2 "
        "added to each.",
        "All: data replicated for all studies at once. Cochran's Q, and the largest absolute residual over its predictive standard "
        "deviation (its posterior mean), against their replicated values.",
    )
    if any(line["Study or statistic"].endswith(DISTANCE) for line in lines):
        notes += (
            "All together: of a trial with several contrasts or categories, the distance of its results from the prediction, in their "
            "covariance there; p is that of larger distances.",
        )
    if any(is_sampled(model) for result in results for model in checked_models(result)):
        notes += (
            "Networks and categories by NUTS: from draws, predicted from all trials. Counts of categories are those of the arms of a trial "
            "but its first, given the distribution in that and new effects.",
        )
    caption = f"{review.title}: predictive checks"
    return Table(text_frame(lines, NAMES, NAMES[3:]), caption, notes, "Analysis", review.notice)


def _log(review: Review, result: AnalysisResult) -> bool:
    known = next(review.as_analysis(one) for one in review.every_analysis if one.id == result.id)
    return MEASURES[known.measure].log


def _lines(rows: list[dict[str, Any]], log: bool) -> Iterator[dict[str, str]]:
    blank = dict.fromkeys(NAMES[1:], "")
    for checks in _by_study(rows, OF_STUDIES):
        observed = next(one["observed"] for one in checks.values())
        yield blank | {"Observed": number(np.exp(observed) if log else observed), **_tails(checks, OF_STUDIES)}
    for checks in _by_study(rows, OF_TRIALS):
        found = _tails(checks, OF_TRIALS)
        name = f"{found['Study or statistic']}{DISTANCE}"
        yield blank | found | {"Study or statistic": name, "Observed": number(next(iter(checks.values()))["observed"])}
    tail, p = OF_STUDIES["given all"]
    for row in rows:
        if row["check"] in TOGETHER:
            yield blank | {
                "Study or statistic": TOGETHER[row["check"]],
                "Observed": number(row["observed"]),
                tail: probability(row["tail"]),
                p: pvalue(row["pvalue"]),
            }


def _tails(checks: dict[str, dict[str, Any]], columns: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return the name, the tails and the p-values of a line of the table."""
    line = {"Study or statistic": str(next(iter(checks.values()))["study"])}
    for check, (tail, p) in columns.items():
        if check in checks:
            line |= {tail: probability(checks[check]["tail"]), p: pvalue(checks[check]["pvalue"])}
    return line


def _by_study(rows: list[dict[str, Any]], names: Iterable[str] = OF_STUDIES) -> list[dict[str, dict[str, Any]]]:
    """Return the checks of each estimate by their names, in the order of the data: labels can be the same, and a check can lack some."""
    found: dict[tuple[str, int], dict[str, dict[str, Any]]] = {}
    for check in names:
        seen: Counter[str] = Counter()
        for row in rows:
            if row["check"] == check:
                name = str(row["study"])
                found.setdefault((name, seen[name]), {})[check] = row
                seen[name] += 1
    return list(found.values())


def predictive_section(result: AnalysisResult) -> str:
    """Return the sentences and small figures of the predictive checks of an analysis, as HTML; "" without any."""
    return "".join(_part(model) for model in checked_models(result))


def _part(model: dict[str, Any]) -> str:
    name = model_name(model)
    heading = f"<h3>Predictive checks{f': {escape(name)}' if name else ''}</h3>"
    if not model.get("predictive"):
        return f'<div class="checks">{heading}<p>Not computed: {escape(model["no_predictive"])}</p></div>'
    fit = f" of the fit by {method_label(model['method'])}" if model.get("method") else ""
    text = f"<p>{escape(predictive_text(model['predictive']))}</p>"
    if model.get("no_left_out"):
        text += f"<p>Studies could not be left out in turn: {escape(model['no_left_out'])}</p>"
    figure = _figure(model["predictive"], f"Predictive checks{fit}")
    return f'<div class="checks">{heading}{text}{figure}</div>'


def predictive_text(rows: list[dict[str, Any]]) -> str:
    """Sum the predictive checks of a fit up in sentences.

    Parameters
    ----------
    rows : list of dict
        Rows of ``predictive_checks``.
    """
    others = ("given the others", "trial given the others")
    check = "given the others" if any(row["check"] in others for row in rows) else "given all"
    single = _single(rows, check)
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
    counts = Counter(row["check"] for row in rows)
    alone = counts["given all"] - counts[check], counts["trial given all"] - counts[f"trial {check}"]
    if any(alone):
        found = plural(alone[0], "contrast", "contrasts") if alone[0] else plural(alone[1], "trial", "trials")
        texts.append(
            f"Not predicted from the others, because without that trial its treatments are not connected: {found}."
        )
    together = [
        f"{TOGETHER[row['check']].removeprefix('All: ')} p {pvalue(row['pvalue'])}" for row in rows if row["check"] in TOGETHER
    ]  # fmt: skip
    if together:
        texts.append(f"All results together against replicated data: {', '.join(together)}.")
    return " ".join(texts)


def _single(rows: list[dict[str, Any]], check: str) -> list[dict[str, Any]]:
    """Return the checks of single studies: of a multi-arm trial that of its contrasts together."""
    trials = [row for row in rows if row["check"] == f"trial {check}"]
    several = tuple(f"{row['study']}: " for row in trials)
    found = [row for row in rows if row["check"] == check and not (several and str(row["study"]).startswith(several))]
    return [row for row in (*found, *trials) if not is_missing(row["pvalue"])]


def _figure(rows: list[dict[str, Any]], label: str) -> str:
    """Draw P(below) of each estimate between 0 and 1: a dot given the others, a circle given all; its outer 2.5% are shaded."""
    found = _by_study(rows)
    if not found:
        return ""
    bottom = ROW * len(found) + 4
    letters = min(max(FEWEST, *(len(str(row["study"])) for one in found for row in one.values())), LETTERS)
    left = round(LETTER * letters) + 5
    low, high = (f"{left + AXIS * share:g}" for share in (SURPRISING / 2, 1 - SURPRISING / 2))
    parts = [
        f'<path class="tail" d="M{left} 0H{low}V{bottom}H{left}zM{high} 0H{left + AXIS}V{bottom}H{high}z"/>',
        f'<path class="axis" d="M{left} {bottom}H{left + AXIS}M{left + AXIS / 2:g} 0V{bottom}"/>',
    ]
    for i, row in enumerate(found):
        y = ROW * i + 14
        name = str(next(iter(row.values()))["study"])
        short = name if len(name) <= letters else f"{name[: letters - 1]}…"
        title = f"<title>{escape(name)}</title>" if short != name else ""
        parts.append(f'<text x="{left - 8}" y="{y}" text-anchor="end">{title}{escape(short)}</text>')
        for check, radius in (("given all", 4.5), ("given the others", 3)):
            tail = float(row[check]["tail"]) if check in row else float("nan")
            if not is_missing(tail):
                kind = "all" if check == "given all" else "others"
                parts.append(f'<circle class="{kind}" cx="{left + AXIS * tail:.1f}" cy="{y - 4}" r="{radius}"/>')
    parts += [
        f'<text x="{left + AXIS * share:g}" y="{bottom + 15}" text-anchor="middle">{share:g}</text>'
        for share in (0, 0.5, 1)
    ]
    height = bottom + 20
    return (
        f'<figure class="pit"><svg role="img" aria-label="{escape(label)}" viewBox="0 0 {left + AXIS + 14} {height}" '
        f'width="{left + AXIS + 14}" height="{height}">{"".join(parts)}</svg>'
        "<figcaption>Probability that a new result is below the observed one: dot, predicted from the other studies; circle, from all. "
        "Shaded: the outer 2.5% on each side.</figcaption></figure>"
    )
