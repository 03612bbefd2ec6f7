"""Where the outputs of a run answer the items of BARG and ROBUST, or what a person must do."""

from __future__ import annotations

from bayesmeta.reviews.documents.checklist_answers import (
    BY_PERSON,
    BY_RUN,
    IN_PART,
    Answer,
    Answering,
    methods_of,
    tables_of,
)
from bayesmeta.reviews.documents.sentences import listed
from bayesmeta.reviews.documents.source import DocumentSource

#: headings of the methods text that describe Bayesian models
_BAYESIAN = (
    "Bayesian meta-analysis",
    "Dependent estimates",
    "Network meta-analysis",
    "Outcomes with several categories",
)


def data(source: DocumentSource) -> Answer:
    """BARG 1.A: the data."""
    return Answer(
        BY_RUN,
        f"{methods_of(source, 'Effect measures')}; {tables_of(source, 'studies', 'network_treatments')}; studies.csv.",
    )


def model(source: DocumentSource) -> Answer:
    """BARG 1.B, ROBUST: likelihood, parameters and priors."""
    return Answer(BY_RUN, f"{methods_of(source, *_BAYESIAN)}.")


def technique(source: DocumentSource) -> Answer:
    """ROBUST: how posteriors were computed."""
    return Answer(BY_RUN, f"{methods_of(source, *_BAYESIAN, 'Software')}.")


def software(source: DocumentSource) -> Answer:
    """BARG 2.A: programs and their versions."""
    version = source.versions.get("bayesmeta", "")
    return Answer(BY_RUN, f"{methods_of(source, 'Software')}; manifest.json: bayesmeta {version} and what it runs on.")


def priors(source: DocumentSource) -> Answer:
    """BARG 1.C: the priors, whose reasons are the authors'."""
    figures = (
        " Figures of tau show prior and posterior."
        if source.review.settings.figures and source.facts.likelihoods
        else ""
    )
    stated = f"{methods_of(source, *_BAYESIAN)}: every prior as used.{figures}"
    default = source.facts.default_priors
    if default:
        return Answer(
            IN_PART, f"{stated} The program's defaults are those of {listed(default)}: the authors say why these fit."
        )
    return Answer(IN_PART, f"{stated} The reasons for the priors stated in review.toml are for the authors.")


def convergence(what: str) -> Answering:
    """Return what answers BARG 2.B and 2.C, on chains."""

    def answer(source: DocumentSource) -> Answer:
        if "nuts" not in source.facts.engines:
            return Answer(BY_RUN, "Not needed: there are no Markov chains.")
        found = tables_of(source, "engines", "network_heterogeneity")
        return Answer(BY_RUN, f"{'; '.join(filter(None, [found, 'results.csv']))}: {what} of every parameter.")

    return answer


def not_sampled(source: DocumentSource) -> Answer:
    """BARG 2.D: accuracy of what is computed without chains."""
    if "quadrature" not in source.facts.engines:
        return Answer(BY_RUN, "Not needed: every posterior was sampled.")
    approximate = any(str(one["method"]).endswith("quadrature") for _, one in source.facts.models("categories"))
    rough = (
        " Of outcomes with several categories it is a normal approximation, which tables/categories says."
        if approximate
        else ""
    )
    both = " Both engines are compared in tables/engines." if "engines" in source.tables else ""
    return Answer(
        BY_RUN,
        f"{methods_of(source, *_BAYESIAN)}: deterministic integration, accurate to the digits shown.{rough}{both}",
    )


def predictive(source: DocumentSource) -> Answer:
    """BARG 3.A: predictive checks."""
    if "predictive" not in source.tables:
        return Answer(
            BY_PERSON,
            "Not in this run (checks under [settings]); `bayesmeta check` gives predictive p-values from a study table.",
        )
    where = "tables/predictive: predictive p-values of each result, of Cochran's Q and of the largest residual."
    checked = {str(name).split(" ")[0] for name in source.tables["predictive"].frame["Analysis"]}
    unchecked = sorted(source.facts.apart & source.facts.ids - checked)
    return Answer(IN_PART, f"{where} Not of {', '.join(unchecked)}.") if unchecked else Answer(BY_RUN, where)


def summary(source: DocumentSource) -> Answer:
    """BARG 3.B: what describes a posterior."""
    return Answer(
        BY_RUN,
        f"{_results_of(source)} and results.csv: medians, equal-tailed and highest-density intervals.",
    )


def centre(source: DocumentSource) -> Answer:
    """ROBUST: posterior medians."""
    return Answer(BY_RUN, f"{_results_of(source)}: posterior medians.")


def spread(source: DocumentSource) -> Answer:
    """ROBUST: credible intervals."""
    return Answer(BY_RUN, f"{_results_of(source)}: credible intervals.")


def _results_of(source: DocumentSource) -> str:
    return tables_of(source, "main", "dependence", "network_effects", "categories")


def bayes_factors(source: DocumentSource) -> Answer:
    """BARG 3.C: Bayes factors."""
    if "evidence" in source.tables:
        where = "tables/evidence: Bayes factors and averaged effects; the prior probabilities of the models are equal."
        return Answer(BY_RUN, where)
    return Answer(BY_RUN, "Not needed: no Bayes factors are reported.")


def decisions(source: DocumentSource) -> Answer:
    """BARG 4: thresholds, of which a run has probabilities."""
    if source.facts.any_column("prob_beyond_mid") or "bands" in source.tables:
        where = tables_of(source, "main", "bands")
        return Answer(
            IN_PART,
            f"{where}: probabilities beyond the thresholds stated. Decisions and their criteria are for the authors.",
        )
    return Answer(BY_PERSON, "No thresholds in this run; decisions and their criteria are for the authors.")


def prior_sensitivity(source: DocumentSource) -> Answer:
    """BARG 5 and ROBUST: results under other priors."""
    if source.facts.alternatives:
        return Answer(BY_RUN, "tables/priors: results under the alternative priors.")
    return Answer(BY_PERSON, "No alternative priors in this run: state some in review.toml ([[alternative]]).")


def reproducible(source: DocumentSource) -> Answer:
    """BARG 6: what is needed to make the results again."""
    paper = "manuscript.docx, Reproducibility; " if "manuscript" in source.review.settings.documents else ""
    return Answer(IN_PART, f"{paper}review.json, manifest.json. Publishing the data is for the authors.")
