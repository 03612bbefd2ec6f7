"""Where the outputs of a run answer the items of PRISMA 2020, or what a person must do."""

from __future__ import annotations

from bayesmeta.reviews.documents.checklist_answers import BY_PERSON, BY_RUN, IN_PART, Answer, methods_of, tables_of
from bayesmeta.reviews.documents.sentences import listed, named
from bayesmeta.reviews.documents.source import DocumentSource
from bayesmeta.reviews.report.headings import at_level
from bayesmeta.reviews.report.small_studies import small_study_test
from bayesmeta.support.words import plural


def preparation(source: DocumentSource) -> Answer:
    """Item 13b: what was computed from the data."""
    left_out = source.facts.studies_with("reason", " ")
    have = "has its" if left_out == 1 else "have their"
    results = plural(left_out, "study result that could not be pooled", "study results that could not be pooled")
    more = f"; {results} {have} reason in tables/studies" if left_out else ""
    return Answer(
        IN_PART,
        f"{methods_of(source, 'Effect measures')}: what was computed and how zero cells were handled{more}. Conversions and imputations "
        "before the data were entered are for the authors.",
    )


def display(source: DocumentSource) -> Answer:
    """Item 13c: tables and figures."""
    tables = tables_of(source, "main", "network_effects", "categories", "studies")
    if not source.review.settings.figures:
        return Answer(IN_PART, f"{tables}. This run has no figures (figures under [settings]).")
    return Answer(BY_RUN, f"{tables}; the folder figures: a forest plot or figure per analysis.")


def synthesis(source: DocumentSource) -> Answer:
    """Item 13d: the methods, whose reasons a run does not know."""
    return Answer(
        IN_PART,
        f"{methods_of(source)}: models, estimators, intervals, software. Why these were chosen is for the authors.",
    )


def _explored(source: DocumentSource) -> list[str]:
    kinds = {"moderators": "meta-regression", "subgroups": "subgroup analysis"}
    used = [what for kind, what in kinds.items() if any(True for _ in source.facts.models(kind))]
    if any(one.moderator and one.id in source.facts.ids for one in source.review.network):
        used.append("network meta-regression")
    return used


def exploration(source: DocumentSource) -> Answer:
    """Item 13e: moderators and subgroups."""
    used = _explored(source)
    if not used:
        return Answer(BY_PERSON, "No moderators and no subgroups in this run: say so, or state them in review.toml.")
    where = methods_of(
        source, "Moderators and subgroups", *(["Network meta-analysis"] if used[-1].startswith("network") else [])
    )
    return Answer(BY_RUN, f"{where}: {listed(used)}, with what was prespecified.")


def exploration_results(source: DocumentSource) -> Answer:
    """Item 20c: results of moderators and subgroups."""
    used = _explored(source)
    if not used:
        return Answer(BY_PERSON, "No moderators and no subgroups in this run.")
    of_network = ("network_heterogeneity",) if used[-1].startswith("network") else ()
    return Answer(BY_RUN, f"{tables_of(source, 'moderators', 'subgroups', *of_network)}.")


#: tables of sensitivity analyses, with what they vary
_SENSITIVITY = {
    "priors": "alternative priors",
    "risk_of_bias_sensitivity": "without the studies at high risk of bias",
    "bias_adjusted": "a model of the bias of studies at high risk",
    "influence": "without each study in turn",
}


def _sweeps(source: DocumentSource) -> bool:
    return any(model.get("sweep") for _, model in source.facts.models("dependence"))


def sensitivity_methods(source: DocumentSource) -> Answer:
    """Item 13f: which sensitivity analyses a run has."""
    facts = source.facts
    names = {**_SENSITIVITY, "priors": f"alternative priors ({', '.join(facts.alternatives)})"}
    parts = [what for name, what in names.items() if name in source.tables]
    if _sweeps(source):
        parts.append("other sampling correlations")
    if len(facts.likelihoods) > 1:
        parts.append("other likelihoods")
    if len(facts.frequentist) > 1:
        parts.append("other estimators and intervals")
    if not parts:
        return Answer(
            BY_PERSON, "No sensitivity analysis in this run: say so, or state alternative priors in review.toml."
        )
    return Answer(BY_RUN, f"{methods_of(source, 'Sensitivity analyses', 'Risk of bias')}: {', '.join(parts)}.")


def sensitivity_results(source: DocumentSource) -> Answer:
    """Item 20d: their results."""
    several = ("methods",) if len(source.facts.frequentist) > 1 or len(source.facts.likelihoods) > 1 else ()
    correlations = ("dependence",) if _sweeps(source) else ()
    found = tables_of(source, *_SENSITIVITY, *correlations, *several)
    return Answer(BY_RUN, f"{found}.") if found else Answer(BY_PERSON, "No sensitivity analysis in this run.")


def reporting_bias(source: DocumentSource) -> Answer:
    """Items 14 and 21: tests of small-study effects are a part of the assessment, where there are enough studies."""
    known = {one.id: one for one in source.review.analysis if one.grade is not None or one.absolute is not None}
    tested = [
        result.id
        for result in source.results
        if result.id in known and small_study_test(source.review, known[result.id], result) is not None
    ]
    if not tested:
        return Answer(BY_PERSON, "A run does not assess it.")
    return Answer(
        IN_PART,
        f"tables/grade: tests of small-study effects ({named(tested)}). What is missing, and the other analyses, are for the authors.",
    )


def _rated(source: DocumentSource) -> tuple[list[str], list[str]]:
    """Return the ids of what has a rating of its certainty, and of what has none."""
    review, ids = source.review, source.facts.ids
    known = {one.id: one.grade is not None for one in review.analysis} | {
        one.id: bool(one.certainty) for one in review.network
    }
    return [name for name, rated in known.items() if rated and name in ids], [
        name for name, rated in known.items() if not rated and name in ids
    ]


def certainty_methods(source: DocumentSource) -> Answer:
    """Item 15: the ratings are the reviewers'."""
    rated, _ = _rated(source)
    if not rated:
        return Answer(BY_PERSON, "No certainty is rated in review.toml (key grade of an analysis).")
    tables = tables_of(source, "grade", "network_categories")
    return Answer(
        BY_RUN,
        f"{methods_of(source, 'Certainty of the evidence')}; {tables}: the ratings of the reviewers, with their reasons and the facts.",
    )


def certainty_results(source: DocumentSource) -> Answer:
    """Item 22: the certainty of each outcome."""
    rated, unrated = _rated(source)
    if not rated:
        return Answer(BY_PERSON, "No certainty is rated in review.toml (key grade of an analysis).")
    tables = tables_of(source, "summary_of_findings", "grade", "network_categories")
    if unrated:
        return Answer(IN_PART, f"{tables}. Not rated: {', '.join(unrated)}.")
    return Answer(BY_RUN, f"{tables}.")


def characteristics(source: DocumentSource) -> Answer:
    """Item 20a: what the studies are, of which a run knows their data and judgements."""
    if "risk_of_bias" not in source.tables:
        return Answer(IN_PART, "tables/studies has the data; characteristics and risk of bias are for the authors.")
    return Answer(IN_PART, "tables/risk_of_bias, tables/studies; other characteristics are for the authors.")


def results(source: DocumentSource) -> Answer:
    """Item 20b: the results of every synthesis."""
    tables = tables_of(
        source, "main", "methods", "dependence", "network_effects", "network_heterogeneity", "categories"
    )
    plots = " and the forest plots" if source.review.settings.figures else ""
    where = f"{tables}{plots}: estimates with {at_level(source.review, 'intervals')}, tau, I2, prediction intervals"
    stated = {one.id: one.better for one in source.review.analysis} | {
        one.id: one.better for one in source.review.network
    }
    unstated = [name for name, better in stated.items() if better is None]
    if unstated:
        return Answer(IN_PART, f"{where}. The side of benefit is not stated for {', '.join(unstated)} (key better).")
    return Answer(BY_RUN, f"{where}{'; the side of benefit is on the forest plots' if plots else ''}.")
