"""The sentences of the methods on dependent estimates, moderators and subgroups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bayesmeta.reporting.numbers import is_missing
from bayesmeta.reviews.documents.facts import Facts
from bayesmeta.reviews.documents.sentences import Section, Sentence, cited, first_capital, listed, named


def dependence_section(facts: Facts) -> Section:
    """Return the paragraph on models of estimates that depend on each other."""
    models = list(facts.models("dependence"))
    if not models:
        return Section("Dependent estimates", ())
    nestings = listed(list(dict.fromkeys(str(model["model"]) for _, model in models)))
    found = [
        cited(
            f"Estimates that depend on each other ({named(result.id for result, _ in models)}) were pooled in multilevel models with "
            f"heterogeneity between and within the groups of {nestings}.",
            "Konstantopoulos2011", "VandenNoortgate2013",
        )
    ]  # fmt: skip
    correlations = sorted(
        {model["sampling_correlation"] for _, model in models if not is_missing(model.get("sampling_correlation"))}
    )
    if correlations:
        values = listed([f"{one:g}" for one in correlations])
        found.append(cited(f"Sampling errors of estimates of the same people were given the correlation {values}."))
    if any(model.get("shared_arms") for _, model in models):
        found.append(cited("The covariance of comparisons that share an arm was computed from the data of that arm."))
    methods = facts.methods_of("dependence")
    if "REML-t" in methods:
        found.append(cited("Intervals by REML use t quantiles with the degrees of freedom of the groups."))
    if "REML-CR2" in methods:
        found.append(
            cited(
                "Cluster-robust intervals use the CR2 correction for small samples with Satterthwaite degrees of freedom.",
                "Hedges2010", "Pustejovsky2018",
            )
        )  # fmt: skip
    return Section("Dependent estimates", tuple(found))


def moderator_section(facts: Facts) -> Section:
    """Return the paragraph on meta-regression and subgroups, with what was prespecified."""
    regressions, groups = list(facts.models("moderators")), list(facts.models("subgroups"))
    found: list[Sentence] = []
    if regressions:
        formulas = listed(list(dict.fromkeys(str(model["model"]) for _, model in regressions)))
        found.append(
            cited(f"Meta-regressions were fitted with these moderators, each formula a model of its own: {formulas} "
                  f"({named(result.id for result, _ in regressions)}).",
                  "Thompson2002")
        )  # fmt: skip
        if "REML-HKSJ" in facts.methods_of("moderators"):
            found.append(
                cited(
                    "Of independent studies, tests and intervals of coefficients are those of Knapp and Hartung.",
                    "Knapp2003",
                )
            )
    if groups:
        names = listed(list(dict.fromkeys(str(model["model"]) for _, model in groups)))
        common = ", and with a tau common to all" if facts.with_common_tau() else ""
        found.append(cited(f"Subgroups by {names} were pooled each with its own tau{common}, and compared."))
    found += _prespecified([model for _, model in (*regressions, *groups)])
    return Section("Moderators and subgroups", tuple(found))


def _prespecified(models: Iterable[Mapping[str, Any]]) -> list[Sentence]:
    known: dict[bool | None, list[str]] = {}
    for model in models:
        stated = model.get("prespecified")
        value = None if is_missing(stated) else bool(stated)
        names = known.setdefault(value, [])
        if str(model["model"]) not in names:
            names.append(str(model["model"]))
    words = {True: "prespecified", False: "post hoc", None: "not stated whether prespecified"}
    texts = [f"{words[value]}: {', '.join(known[value])}" for value in (True, False, None) if value in known]
    return [cited(f"{first_capital('; '.join(texts))}.")] if texts else []
