"""The sentences of the methods on outcomes with several categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesmeta.engines.nuts.category_blocks import BASELINE_OF_CHANGE
from bayesmeta.model.priors.baseline import DEFAULT_BASELINE
from bayesmeta.reviews.documents.facts import Facts
from bayesmeta.reviews.documents.sentences import Section, Sentence, cited, listed, named

_LINKS = {
    "probit": "an ordered probit model, whose effects are differences of a latent variable in its standard deviations",
    "logit": "a proportional odds model, whose effects are odds ratios of being above any category",
}


def _baselines(facts: Facts) -> list[Sentence]:
    """Return the sentence on the default priors for baselines of models that were sampled; ordered categories have cutpoints instead."""
    used: dict[str, None] = {}
    for result, model in facts.models("categories"):
        sampled = str(model["method"]).endswith("nuts") and not model.get("link")
        if sampled and not any("baseline ~" in text for text in result.priors.values()):
            prior, what = (BASELINE_OF_CHANGE, " (change)") if model["before"] else (DEFAULT_BASELINE, "")
            used.setdefault(f"{prior}{what}")
    if not used:
        return []
    return [
        cited(f"The log odds of two categories in each study had the program's default prior, {listed(list(used))}.")
    ]


def categories_section(facts: Facts) -> Section:
    """Return the paragraph on outcomes with several categories, each fitted as one."""
    models: dict[str, Mapping[str, Any]] = {result.id: model for result, model in facts.models("categories")}
    found: list[Sentence] = []
    approximate = [name for name, model in models.items() if str(model["method"]).endswith("quadrature")]
    rough = ", by the normal approximation of log ratios with 1/2 added to every count" if approximate else ""
    plain = [name for name, model in models.items() if not (model["before"] or model.get("link"))]
    if plain:
        found.append(
            cited(
                f"Outcomes with several categories ({named(plain)}) were each fitted as one multinomial outcome with random "
                f"effects of the treatments on centred log ratios{rough}, so that the risks of the categories sum to 1.",
                "Schmid2014",
                "Aitchison1982",
            )
        )
    change = [name for name, model in models.items() if model["before"]]
    if change:
        found.append(
            cited(
                f"Change between categories ({named(change)}) was fitted as one transition model: the distribution over the "
                f"categories after treatment given the category before it{rough}.",
                "Schmid2014",
            )
        )
    for link, what in _LINKS.items():
        names = [name for name, model in models.items() if model.get("link") == link]
        if names:
            found.append(
                cited(
                    f"Ordered categories ({named(names)}) were fitted by {what}, with cutpoints common to all trials and "
                    "random effects.",
                    "McCullagh1980",
                )
            )
    if not found:
        return Section("Outcomes with several categories", ())
    each = [model for _, model in facts.models("categories")]
    references = listed(list(dict.fromkeys(str(model["reference"]) for model in each)), "or")
    found.append(
        cited(
            "Risk ratios and risk differences of every category were computed from the same draws, at the distribution of all "
            f"participants under the reference ({references})."
        )
    )
    priors = [prior for result, _ in facts.models("categories") for prior in result.priors.values()]
    if priors:
        found.append(cited(f"Priors, on the scale of the model, were {'; '.join(dict.fromkeys(priors))}."))
    found += _baselines(facts)
    if any(model.get("together") for model in models.values()):
        found.append(cited("The probability that several categories move to the stated sides at once was computed."))
    if any(model.get("separate") for model in models.values()):
        found.append(cited("Beside them are risk ratios of each category pooled alone."))
    return Section("Outcomes with several categories", tuple(found))
