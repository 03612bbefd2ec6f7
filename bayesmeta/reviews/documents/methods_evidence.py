"""The sentences of the methods on risk of bias, absolute effects, GRADE, cumulative meta-analysis and checks of the models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bayesmeta.certainty.risk_of_bias import OVERALL
from bayesmeta.reporting.numbers import is_missing
from bayesmeta.results.risk_of_bias import WITHOUT
from bayesmeta.reviews.absolute import KIND as ABSOLUTE
from bayesmeta.reviews.bias_adjustment import MODEL as ADJUSTED
from bayesmeta.reviews.cumulative import MODEL as CUMULATIVE
from bayesmeta.reviews.documents.facts import Facts
from bayesmeta.reviews.documents.sentences import Section, Sentence, cited, listed, named
from bayesmeta.reviews.model_checks import KIND as CHECKS
from bayesmeta.reviews.network_rows import MODEL as NETWORK
from bayesmeta.reviews.report.bands import thresholds_note
from bayesmeta.reviews.report.risk_of_bias import judged_studies, tool_of
from bayesmeta.reviews.report.small_studies import small_study_test
from bayesmeta.support.words import plural

#: works that describe the tools of the risk of bias, by the name of the tool in review.toml
TOOL_WORKS = {"cochrane": "Higgins2011", "rob2": "Sterne2019", "robins-i": "Sterne2016", "quadas-2": "Whiting2011"}


def bias_section(facts: Facts) -> Section:
    """Return the paragraph on risk of bias: the tool, who judged, and what the judgements were used for."""
    keys, tool = facts.review.risk_of_bias, tool_of(facts.review)
    known = judged_studies(facts.review, facts.results)
    studies = [name for name, found in known.items() if any(found.values())]
    if keys is None or tool is None or not studies:
        return Section("Risk of bias", ())
    article = "the " if tool.label.startswith("Cochrane") else ""
    what = (
        f"{article}{tool.label}"
        if keys.tool in TOOL_WORKS
        else f"a tool of the reviewers with {plural(len(tool.domains), 'domain', 'domains')}"
    )
    work = [TOOL_WORKS[keys.tool]] if keys.tool in TOOL_WORKS else []
    found = [
        cited(
            f"The risk of bias of {plural(len(studies), 'study', 'studies')} was judged by the reviewers with {what}; "
            "the program takes these judgements as entered and makes none.",
            *work,
        )
    ]
    apart = [one.label for one in tool.domains if not one.counts]
    rule = f"The overall judgement, where it was not entered, is: {tool.overall[:1].lower()}{tool.overall[1:]}"
    found.append(cited(f"{rule}{f'; not counted: {listed(apart)}' if apart else ''}."))
    left_out = {
        str(row["group"]).removeprefix(WITHOUT)
        for result in facts.results
        for row in result.rows
        if str(row.get("group") or "").startswith(WITHOUT)
    }
    if left_out:
        domains = sorted(left_out - {OVERALL})
        parts = (["at high risk overall"] if OVERALL in left_out else []) + (
            [f"at high risk in single domains ({'; '.join(domains)})"] if domains else []
        )
        found.append(
            cited(f"As sensitivity analyses, studies were pooled again without those {listed(parts, 'and without those')}.")
        )  # fmt: skip
    return Section("Risk of bias", tuple(found + _adjusted(facts)))


def _adjusted(facts: Facts) -> list[Sentence]:
    models = list(facts.models(ADJUSTED))
    adjust = facts.review.risk_of_bias.adjust if facts.review.risk_of_bias else None
    if not models or adjust is None:
        return []
    texts: dict[str, set[str]] = {}
    measures = {name: measure for measure, ids in facts.measures.items() for name in ids}
    for result, model in models:
        measure = measures[result.id]
        for domain, prior in model["priors"].items():
            where = "" if domain in ("bias", OVERALL) else f" in {domain.replace('_', ' ')}"
            texts.setdefault(f"{prior}{where}", set()).add(measure)
    priors = [f"{text} ({', '.join(sorted(of))})" for text, of in texts.items()]
    defaults = {measures[result.id] for result, _ in models} - set(adjust.priors)
    unclear = (
        f"; studies between low and high risk, or not judged, were given {adjust.unclear:g} of it"
        if adjust.unclear
        else ""
    )
    return [
        cited(
            f"In a bias-adjusted model ({named(result.id for result, _ in models)}; normal likelihood) the studies at high risk have an "
            f"additive bias with the prior {listed(priors)}, on the model scale{unclear}; the standard deviation of the prior was varied.",
            "Turner2009", *(["Savovic2012"] if defaults else []),
        )
    ]  # fmt: skip


def certainty_section(facts: Facts) -> Section:
    """Return the paragraph on absolute effects and on the certainty of evidence: who rated, and what was computed beside the ratings."""
    found: list[Sentence] = []
    absolute = list(facts.models(ABSOLUTE))
    risks = [(result, model) for result, model in absolute if not is_missing(model.get("baseline"))]
    if risks:
        sources = list(dict.fromkeys(_baseline(str(model["baseline_source"])) for _, model in risks))
        of = named(result.id for result, _ in risks)
        found.append(
            cited(
                f"Risks with the intervention ({of}) follow from the posterior of the effect and the risk with control "
                f"({'; '.join(sources)}); {_carried(model for _, model in risks)}."
            )
        )
    if any("odds_ratio" in model for _, model in absolute):
        found.append(
            cited(
                "Standardized mean differences are also given as odds ratios and as probabilities of superiority, and on a familiar scale "
                "where its standard deviation is stated.",
                "Chinn2000",
            )
        )
    rated = [one.id for one in facts.review.analysis if one.grade is not None and one.id in facts.ids]
    if rated:
        found.append(
            cited(
                f"The certainty of the evidence ({named(rated)}) was rated by the reviewers by GRADE, with a reason per level; the program "
                "adds the levels up.",
                "Guyatt2008",
            )
        )
        found.append(
            cited(
                "Beside the ratings, facts were computed per domain (weight of studies at high risk of bias, spread and overlap of the "
                "results, intervals against thresholds, the optimal information size), and a level was proposed where the rules of Core "
                "GRADE determine one; proposals do not change the ratings.",
                "Guyatt2025", "Zeng2022",
            )
        )  # fmt: skip
        found += _small_studies(facts, rated)
    networks = [one.id for one in facts.review.network if one.certainty and one.id in facts.ids]
    if networks:
        found.append(
            cited(
                f"The certainty of each treatment against the reference ({named(networks)}) is the reviewers' rating."
            )
        )
    note = thresholds_note(facts.review)
    if note and facts.any_column("prob_trivial"):
        found.append(cited(note))
        if rated:
            found.append(
                cited("Sentences on what the results mean follow the band in which the estimate lies.", "Santesso2020")
            )
    heading = "Certainty of the evidence" if rated or networks else "Absolute effects"
    absolute_only = rated or networks or risks or any("odds_ratio" in model for _, model in absolute)
    return Section(heading, tuple(found)) if absolute_only else Section(heading, ())


def _small_studies(facts: Facts, rated: list[str]) -> list[Sentence]:
    """Return the sentence on tests of small-study effects; none without any."""
    known = {one.id: one for one in facts.review.analysis if one.id in rated}
    tests = [small_study_test(facts.review, known[result.id], result) for result in facts.results if result.id in known]
    used = {test.name for test in tests if test is not None}
    if not used:
        return []
    words = {"Peters": "Peters' test for ratios from counts{}", "Egger": "Egger's test{}"}
    names = [name for name in words if name in used]
    keys = tuple((f"{name}{'2006' if name == 'Peters' else '1997'}",) for name in names)
    return [
        Sentence(
            f"Small-study effects were tested with ten or more studies, by {listed([words[name] for name in names])}.",
            keys,
        )
    ]


def _carried(risks: Iterable[Mapping[str, Any]]) -> str:
    """Say whose uncertainty is carried into the risks with the intervention: of the effect, and of baseline risks that have one."""
    uncertain = [model["baseline_low"] < model["baseline_high"] for model in risks]
    if all(uncertain):
        return "the uncertainty of both is carried"
    if not any(uncertain):
        return "the uncertainty of the effect is carried, and the risk with control is taken as known"
    return "the uncertainty of the effect is carried, and that of the risk with control where it has one"


def _baseline(source: str) -> str:
    """Return where a baseline risk comes from, without the number of studies."""
    return re.sub(r"(the control groups?) of \d.*", r"\1", source)


def check_sentences(facts: Facts) -> list[Sentence]:
    """Return the sentences on cumulative meta-analysis, on influence and on predictive checks."""
    found = []
    orders: dict[str, list[str]] = {}
    for result, model in facts.models(CUMULATIVE):
        orders.setdefault(str(model["by"]), []).append(result.id)
    for by, ids in orders.items():
        found.append(cited(f"Studies were also pooled cumulatively, in the order of {by} ({named(ids)}).", "Lau1992"))
    checked = [model for _, model in facts.models(CHECKS)]
    if any(model.get("left_out") for model in checked if model["model"] == CHECKS):
        found.append(cited("The model that is shown was fitted without each study in turn."))
    if any(model.get("left_out") for model in checked if model["model"] == NETWORK):
        found.append(cited("Networks of contrasts were fitted without each trial in turn."))
    of_moderators = {model["model"] for _, model in facts.models("moderators")}
    if any(model.get("left_out") for model in checked if model["model"] in of_moderators):
        found.append(cited("Models with moderators were fitted without each study in turn."))
    if any(model.get("deviance") for model in checked):
        found.append(
            cited(
                "The fit of each data point was described by its residual deviance and leverage, which add up to the deviance information "
                "criterion.",
                "Spiegelhalter2002", "Dias2013",
            )
        )  # fmt: skip
    dependent = [model for _, model in facts.models("dependence")]
    if any(model.get("predictive") for model in (*checked, *dependent)):
        found.append(
            cited(
                "The fit of models was checked by predictive p-values: each result against the prediction from the other studies and "
                "from all, and Cochran's Q and the largest residual against replicated data.",
                "Marshall2007",
            )
        )
    return found
