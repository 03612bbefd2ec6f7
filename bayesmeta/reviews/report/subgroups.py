"""Table of subgroups: the effect in each group, all together, and the differences between groups."""

from __future__ import annotations

from typing import Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.numbers import count, interval, is_missing, number, percent, probability, pvalue
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.reporting.tables.results import text_frame, written_estimate
from bayesmeta.results.methods import FREQUENTIST, method_label
from bayesmeta.results.model_rows import DIFFERENCE, OVERALL
from bayesmeta.results.models.given import COMMON_TAU
from bayesmeta.reviews.report.headings import Row, at_level, headings
from bayesmeta.reviews.report.moderators import (
    ECOLOGICAL,
    POST_HOC,
    bayesian_method,
    cluster_robust_note,
    is_main_bayesian,
    of_kind,
    rows_of,
    shown_method,
    stated,
    written_robust,
)
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

SHOWN = ("REML-HKSJ", "REML-t", "REML")
COMMON = tuple(f"{name}{COMMON_TAU}" for name in ("REML-HKSJ", "REML"))
NAMES = (
    "Analysis", "Group", "k", "Studies", "Estimate", "With a common tau", "Cluster-robust", "Bayesian", "Bayesian, common tau",
    "P(benefit)", "P(beyond MID)", "tau", "I2", "Prediction interval", "p for differences", NOTE,
)  # fmt: skip
OPTIONAL = (
    "Studies",
    "With a common tau",
    "Cluster-robust",
    "Bayesian",
    "Bayesian, common tau",
    "P(benefit)",
    "P(beyond MID)",
    "Prediction interval",
    NOTE,
)


def subgroups_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of subgroups; None where no analysis has any."""
    heading = headings(review)
    lines: list[dict[str, str]] = []
    models = []
    for result in results:
        for model in of_kind(result, "subgroups"):
            models.append(model)
            title = f"{heading[result.id]}: by {model['model']} ({stated(model)})"
            lines += [{"Analysis": title, **line} for line in _lines(result, model)]
    if not lines:
        return None
    labels = [method_label(name) for name in SHOWN[:2]]
    notes = [
        f"Estimate: {labels[0]} in each group, with a tau of its own; where estimates depend on each other (nesting), {labels[1]} with the "
        f"same variances in all groups; {at_level(review, 'confidence interval')}. With a common tau: one tau for all groups. tau: model "
        "scale. A difference is that of a group from the first.",
    ]
    if any(line["Bayesian"] for line in lines):
        notes.append(
            f"Bayesian: posterior median and {at_level(review, 'credible interval')}, each group a fit of its own with the same priors, "
            "or with one tau for all (with nesting, one model with the same variances in all groups); "
            "P(beyond MID) of a difference: that it is beyond the minimal important difference in either direction."
        )
    if any(MEASURES[review.as_analysis(one).measure].log for one in review.every_analysis):
        notes.append("Of ratios, a difference is the ratio of the two: 1 is none.")
    if any("REML-CR2" in model["tests"] for model in models):
        notes.append(cluster_robust_note(any(line["Cluster-robust"] for line in lines)))
    notes.append(
        "Whether groups differ is answered by the test of differences, not by which of them excludes no effect. With few studies per group "
        "the test can miss true differences."
    )
    notes.append(ECOLOGICAL)
    if any(model.get("prespecified") is False for model in models):
        notes.append(POST_HOC)
    return Table(
        text_frame(lines, NAMES, OPTIONAL), f"{review.title}: subgroups", tuple(notes), "Analysis", review.notice
    )


def _lines(result: AnalysisResult, model: dict[str, Any]) -> list[dict[str, str]]:
    methods = rows_of(result, model["model"])
    shown, common, bayes = shown_method(methods, SHOWN), shown_method(methods, COMMON), bayesian_method(methods, result)
    keys = dict.fromkeys(key for name in (shown, common, bayes) for key in methods.get(name, {}))
    order = [
        *(key for key in keys if key[0] == "mu"),
        *(key for key in keys if key[0] == OVERALL),
        *(key for key in keys if key[0] == DIFFERENCE),
    ]
    return [_line(key, methods, model, (shown, common, bayes)) for key in order]


def _line(
    key: tuple[str, str], methods: dict[str, Any], model: dict[str, Any], names: tuple[str, str, str]
) -> dict[str, str]:
    own, common, posterior = (methods.get(name, {}).get(key, {}) for name in names)
    term, group = key
    overall = term == OVERALL
    row: Row = own or common or posterior
    alone = row is own and names[0] in FREQUENTIST and own.get("k") == 1
    return {
        "Group": "overall" if overall else group,
        "k": "" if term == DIFFERENCE else count(row.get("k")),
        "Studies": _studies(model, None if overall else group) if term != DIFFERENCE else "",
        "Estimate": written_estimate(own),
        "With a common tau": written_estimate(common),
        "Cluster-robust": written_robust(methods.get("REML-CR2", {}).get(key, {})),
        "Bayesian": written_estimate(posterior),
        "Bayesian, common tau": written_estimate(_with_common_tau(methods, names[2]).get(key, {})),
        "P(benefit)": probability(posterior.get("prob_benefit")),
        "P(beyond MID)": probability(posterior.get("prob_beyond_mid")),
        # one study has no heterogeneity of its own
        "tau": "" if alone else number(row.get("tau")),
        "I2": "" if alone else percent(row.get("i2")),
        "Prediction interval": interval(row.get("pi_low"), row.get("pi_high")),
        "p for differences": pvalue(own.get("qm_pvalue")) if overall else "",
        NOTE: ". ".join(
            filter(
                None, [_tests(model, names[:2]) if overall else "", *_model_notes(model, overall), _own_note(posterior)]
            )
        ),
    }


def _model_notes(model: dict[str, Any], overall: bool) -> list[str]:
    """Return the notes of the model, in the line of all groups."""
    return [text[:1].upper() + text[1:] for text in model.get("notes", ())] if overall else []


def _with_common_tau(methods: dict[str, Any], bayes: str) -> dict[tuple[str, str], Row]:
    """Return the rows of Bayesian groups with one tau: of the method beside them or, where that has none, the first that has."""
    found: dict[tuple[str, str], Row] = methods.get(f"{bayes}{COMMON_TAU}", {})
    others = (rows for name, rows in methods.items() if is_main_bayesian(name) and name.endswith(COMMON_TAU))
    return found or next(others, {})


def _own_note(row: Row) -> str:
    """Return the note of a row, as a sentence."""
    note = row.get("note")
    return "" if is_missing(note) or not str(note).strip() else str(note).strip().rstrip(".")


def _studies(model: dict[str, Any], group: str | None) -> str:
    """Return the number of studies of a group where a study has several estimates; "" where it has one."""
    clusters = {point["cluster"] for point in model["points"] if group is None or point["group"] == group}
    nested = any(point["cluster"] != point["study"] for point in model["points"])
    return count(len(clusters)) if nested else ""


def _tests(model: dict[str, Any], names: tuple[str, str]) -> str:
    """Return sentences on the tests of differences between the groups."""
    found = []
    for name, what in zip(names, ("", " with a common tau"), strict=True):
        test = model["tests"].get(name)
        if test is None or is_missing(test["q"]):
            continue
        df, residual = count(test["df"]), test["df_residual"]
        finite = not is_missing(residual) and residual < float("inf")
        statistic = f"F({df}, {number(residual, 1)})" if finite else f"chi-squared({df})"
        found.append(
            f"Test of differences{what}: {statistic} = {number(test['q'])}, p = {pvalue(test['pvalue'])}".replace(
                "p = <", "p < "
            )
        )
    return ". ".join(found)
