"""The sentences of the methods on networks of treatments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesmeta.networks.frequentist.methods import NETWORK_METHODS
from bayesmeta.posterior.method import parse_method
from bayesmeta.reviews.documents.facts import Facts
from bayesmeta.reviews.documents.methods_bayes import baseline_sentences
from bayesmeta.reviews.documents.sentences import Section, Sentence, cited, listed, named
from bayesmeta.reviews.network_rows import MODEL as NETWORK
from bayesmeta.support.words import plural

_LIKELIHOODS = {"binomial": "a binomial likelihood of the events", "poisson": "a Poisson likelihood of the events"}
#: frequentist methods from counts, without contrasts
_COUNTS = tuple(name for name, one in NETWORK_METHODS.items() if one.counts)


def network_section(facts: Facts) -> Section:
    """Return the paragraph on network meta-analyses: models, priors, ranking and tests of consistency."""
    found = [(result.id, model) for result, model in facts.models(NETWORK)]
    if not found:
        return Section("Network meta-analysis", ())
    networks = [model for _, model in found]
    text = [
        cited(
            f"Several treatments ({named([name for name, _ in found])}) were compared in network meta-analyses, in which direct and "
            "indirect evidence are consistent, arms of one study are correlated, and all contrasts have one heterogeneity variance.",
            "Lu2004",
        ),
        *_zero_cells(networks),
        *_frequentist(networks),
        *_bayesian(networks),
        *_priors(facts),
        *_ranking(networks),
        *_consistency(networks),
    ]
    parts = [
        f"the part that contains {one.component} ({one.id})"
        for one in facts.review.network
        if one.component and one.id in facts.ids
    ]
    if parts:
        text.append(cited(f"Of networks in several parts, {listed(parts)} was analysed."))
    moderated = [f"{one.moderator} ({one.id})" for one in facts.review.network if one.moderator and one.id in facts.ids]
    if moderated:
        text.append(cited(f"Network meta-regression has one coefficient for all treatments: {listed(moderated)}."))
    return Section("Network meta-analysis", tuple(text))


def _zero_cells(networks: list[Mapping[str, Any]]) -> list[Sentence]:
    studies = {note.split(": ")[0] for model in networks for note in model["notes"] if "0.5 added" in note}
    if not studies:
        return []
    many = plural(len(studies), "study", "studies")
    return [
        cited(
            f"For contrasts computed from counts, 0.5 was added to the cells of {many}, because of zero cells.",
            "Sweeting2004",
        )
    ]


def _methods(networks: list[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for model in networks for name in model["fits"]))


def _in_sentence(label: str) -> str:
    """Return the label of a method as a sentence has it: "generalized DerSimonian-Laird", "maximum likelihood"."""
    name, _, how = label.partition(", ")
    name = name if name[:2].isupper() or "-" in name else name[:1].lower() + name[1:]
    return f"{how} {name}" if how else name


def _frequentist(networks: list[Mapping[str, Any]]) -> list[Sentence]:
    used = [name for name in _methods(networks) if name in NETWORK_METHODS]
    contrasts = [name for name in used if name not in _COUNTS]
    found = []
    if contrasts:
        words = [
            "a common effect"
            if name == "CE"
            else f"the heterogeneity variance by {_in_sentence(NETWORK_METHODS[name].label)}"
            for name in contrasts
        ]
        found.append(cited(f"Frequentist estimates are by weighted least squares, with {listed(words)}.", "Rucker2012"))
    counts = [NETWORK_METHODS[name].label for name in used if name in _COUNTS]
    if counts:
        words = [f"{label[:1].lower()}{label[1:]}" if not label.startswith("Mantel") else label for label in counts]
        found.append(
            cited(f"Frequentist estimates from counts, without corrections for zero cells: {listed(words)}.", "Efthimiou2019")
        )  # fmt: skip
    return found


def _bayesian(networks: list[Mapping[str, Any]]) -> list[Sentence]:
    known = [found for name in _methods(networks) if (found := parse_method(name)) is not None]
    words = []
    if any(one.engine == "quadrature" for one in known):
        words.append("a normal likelihood of the contrasts, computed by numerical integration over tau")
    arms = [one.likelihood for one in known if one.engine == "nuts"]
    words += [f"{_LIKELIHOODS.get(name, f'a {name} likelihood')} in each arm, sampled" for name in dict.fromkeys(arms)]
    return [cited(f"Bayesian networks have {', and '.join(words)}.")] if words else []


def _priors(facts: Facts) -> list[Sentence]:
    texts: dict[str, list[str]] = {}
    networks = [result for result, _ in facts.models(NETWORK)]
    for result in networks:
        found = list(dict.fromkeys(result.priors.values()))
        # the likelihood of the arms has the priors of the contrasts, but for those of models of inconsistency
        for text in (one for one in found if not any(other != one and other.startswith(one) for other in found)):
            texts.setdefault(text, []).append(result.id)
    shown = [f"{text}{f' ({named(ids)})' if len(texts) > 1 else ''}" for text, ids in texts.items()]
    if not shown:
        return []
    stated = cited(f"Their priors, on the model scale, d being that of every contrast, were {'; '.join(shown)}.")
    return [stated, *baseline_sentences([result.priors for result in networks])]


def _ranking(networks: list[Mapping[str, Any]]) -> list[Sentence]:
    ranked = [name for model in networks for name, fit in model["fits"].items() if fit.get("ranking")]
    bayesian = any(parse_method(name) is not None for name in ranked)
    frequentist = any(name in NETWORK_METHODS for name in ranked)
    places, words = [], []
    if bayesian:
        words.append("the surface under the cumulative ranking curve{}")
        places.append(("Salanti2011",))
    if frequentist:
        words.append("P-scores of the frequentist estimates{}")
        places.append(("Rucker2015",))
    return [Sentence(f"Treatments were ranked by {listed(words)}.", tuple(places))] if words else []


def _consistency(networks: list[Mapping[str, Any]]) -> list[Sentence]:
    words, places = [], []

    def add(text: str, key: str) -> None:
        words.append(f"{text}{{}}")
        places.append((key,))

    if any(rows for model in networks for rows in model["splits"].values()):
        add("by splitting nodes", "Dias2010")
    tests = {
        str(row.get("part", row.get("model")))
        for model in networks
        for rows in model["inconsistency"].values()
        for row in rows
    }
    if tests & {"between designs", "design-by-treatment"}:
        add("by the design-by-treatment interaction", "Higgins2012")
    if "unrelated mean effects" in tests or any(name.startswith("loop ") for name in tests):
        add("by models with inconsistency factors of comparisons or loops", "Lu2006")
    if any(model.get("net_heat") for model in networks):
        add("by the net heat matrix", "Krahn2013")
    return [Sentence(f"Direct and indirect evidence were compared {listed(words)}.", tuple(places))] if words else []
