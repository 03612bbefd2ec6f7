"""Reporting checklists filled from a run: where its outputs answer an item, or that a person must."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reviews.documents.source import DocumentSource
from bayesmeta.reviews.report.headings import at_level

PRISMA, BARG, ROBUST = "PRISMA 2020", "BARG", "ROBUST"
#: who answers an item
BY_RUN, IN_PART, BY_PERSON = "yes", "in part", "a person must"
METHODS = "manuscript.docx, Statistical methods"


@dataclass(frozen=True)
class Answer:
    """Who answers an item, and where or what is left to do."""

    by: str
    where: str


@dataclass(frozen=True)
class Item:
    """An item of a checklist.

    Parameters
    ----------
    checklist, number, text : str
        The checklist, the number of the item in it, and the item in brief.
    answer : callable
        Returns its answer for a run.
    """

    checklist: str
    number: str
    text: str
    answer: Callable[[DocumentSource], Answer]


def checklists_table(source: DocumentSource) -> Table:
    """Return the checklists as a table: one row per item.

    PRISMA 2020 (Page et al. 2021), BARG (Kruschke 2021) and ROBUST (Sung et al. 2005); the items are paraphrased. The Bayesian ones
    are left out where the run has no Bayesian result.
    """
    import pandas as pd

    bayesian = bool(source.facts.likelihoods)
    records = []
    for item in ITEMS:
        if item.checklist != PRISMA and not bayesian:
            continue
        answer = item.answer(source)
        records.append(
            {
                "Checklist": item.checklist,
                "Item": item.number,
                "What to report": item.text,
                "Answered": answer.by,
                "Where, or what is left to do": answer.where,
            }
        )
    notes = (
        "Answered by the run: yes, in part, or a person must. Only the items that analyses can answer are listed; the other items of "
        "PRISMA 2020 are for the authors.",
        "PRISMA 2020: Page et al. 2021, doi:10.1136/bmj.n71. BARG: Kruschke 2021, doi:10.1038/s41562-021-01177-7. "
        "ROBUST: Sung et al. 2005, doi:10.1016/j.jclinepi.2004.08.010. Items in brief; read them in full there.",
    )
    title = f"{source.review.title}: reporting checklists"
    return Table(pd.DataFrame(records), title, notes, "Checklist", source.review.notice)


def _fixed(by: str, where: str) -> Callable[[DocumentSource], Answer]:
    return lambda _: Answer(by, where)


def _tables(names: tuple[str, ...], otherwise: str, more: str = "") -> Callable[[DocumentSource], Answer]:
    """Answer an item by those of these tables that the run has; a person must where it has none."""

    def answer(source: DocumentSource) -> Answer:
        found = [f"tables/{name}" for name in names if name in source.tables]
        if not found:
            return Answer(BY_PERSON, otherwise)
        return Answer(BY_RUN, ", ".join([*found, *([more] if more else [])]))

    return answer


def _preparation(source: DocumentSource) -> Answer:
    left_out = source.facts.studies_with("reason", " ")
    more = (
        f"; {left_out} study results that could not be pooled have their reason in tables/studies" if left_out else ""
    )
    return Answer(
        IN_PART,
        f"{METHODS}, Effect measures: what was computed and how zero cells were handled{more}. Conversions and imputations before "
        "the data were entered are for the authors.",
    )


def _results(source: DocumentSource) -> Answer:
    shown = [f"tables/{name}" for name in ("main", "methods", "dependence") if name in source.tables]
    where = f"{', '.join(shown)} and the forest plots: estimates with {at_level(source.review, 'intervals')}, tau, I2, prediction intervals"
    unstated = [one.id for one in source.review.analysis if one.better is None]
    if unstated:
        return Answer(IN_PART, f"{where}. The side of benefit is not stated for {', '.join(unstated)} (key better).")
    return Answer(BY_RUN, f"{where}; the side of benefit is on the forest plots.")


def _exploration(source: DocumentSource) -> Answer:
    kinds = {"moderators": "meta-regression", "subgroups": "subgroup analysis"}
    used = [what for kind, what in kinds.items() if any(True for _ in source.facts.models(kind))]
    if not used:
        return Answer(BY_PERSON, "No moderators and no subgroups in this run: say so, or state them in review.toml.")
    return Answer(BY_RUN, f"{METHODS}, Moderators and subgroups: {' and '.join(used)}, with what was prespecified.")


def _sensitivity_methods(source: DocumentSource) -> Answer:
    parts = []
    if source.facts.alternatives:
        parts.append(f"alternative priors ({', '.join(source.facts.alternatives)})")
    if len(source.facts.likelihoods) > 1:
        parts.append("other likelihoods")
    if len(source.facts.frequentist) > 1:
        parts.append("other estimators and intervals")
    if not parts:
        return Answer(
            BY_PERSON, "No sensitivity analysis in this run: say so, or state alternative priors in review.toml."
        )
    return Answer(BY_RUN, f"{METHODS}, Sensitivity analyses: {', '.join(parts)}.")


def _software(source: DocumentSource) -> Answer:
    return Answer(
        BY_RUN,
        f"{METHODS}, Software; manifest.json: bayesmeta {source.versions.get('bayesmeta', '')} and what it runs on.",
    )


def _priors(source: DocumentSource) -> Answer:
    default = [measure for measure in source.facts.priors if measure not in source.review.priors]
    stated = f"{METHODS}, Bayesian meta-analysis: every prior as used; figures of tau show prior and posterior."
    if default:
        return Answer(
            IN_PART, f"{stated} {', '.join(default)} have the program's defaults: the authors say why these fit."
        )
    return Answer(IN_PART, f"{stated} The reasons for the priors stated in review.toml are for the authors.")


def _convergence(what: str) -> Callable[[DocumentSource], Answer]:
    def answer(source: DocumentSource) -> Answer:
        if "nuts" not in source.facts.engines:
            return Answer(BY_RUN, "Not needed: nothing was sampled.")
        return Answer(BY_RUN, f"tables/engines and results.csv: {what} of every parameter.")

    return answer


def _not_sampled(source: DocumentSource) -> Answer:
    if "quadrature" not in source.facts.engines:
        return Answer(BY_RUN, "Not needed: every posterior was sampled.")
    both = " Both engines are compared in tables/engines." if "nuts" in source.facts.engines else ""
    return Answer(BY_RUN, f"{METHODS}: deterministic integration, accurate to the digits shown.{both}")


def _prior_sensitivity(source: DocumentSource) -> Answer:
    if source.facts.alternatives:
        return Answer(BY_RUN, "tables/priors: results under the alternative priors.")
    return Answer(BY_PERSON, "No alternative priors in this run: state some in review.toml ([[alternative]]).")


def _bayes_factors(source: DocumentSource) -> Answer:
    if "evidence" in source.tables:
        return Answer(
            BY_RUN,
            "tables/evidence: Bayes factors and averaged effects; the prior probabilities of the models are equal.",
        )
    return Answer(BY_RUN, "Not needed: no Bayes factors are reported.")


def _decisions(source: DocumentSource) -> Answer:
    mids = bool(source.review.mid or source.review.bands)
    if mids:
        return Answer(
            IN_PART,
            "tables/main: probabilities beyond the thresholds stated. Decisions and their criteria are for the authors.",
        )
    return Answer(BY_PERSON, "No thresholds in this run; decisions and their criteria are for the authors.")


def _predictive(source: DocumentSource) -> Answer:
    if "predictive" in source.tables:
        return Answer(
            BY_RUN, "tables/predictive and the page: replicated data against the data, per study and together."
        )
    return Answer(
        BY_PERSON,
        "Not part of this run (checks = false): `bayesmeta check` gives predictive p-values from the same study table.",
    )


#: items in the order of the checklists
ITEMS: tuple[Item, ...] = (
    Item(PRISMA, "13a", "How it was decided which studies each synthesis includes",
         _fixed(IN_PART, "tables/studies has the studies of each analysis; the rule by which they were chosen is for the authors.")),
    Item(PRISMA, "13b", "How data were prepared: missing statistics, conversions", _preparation),
    Item(PRISMA, "13c", "How results are tabulated and displayed",
         _fixed(BY_RUN, "tables/main, tables/studies and a forest plot per analysis.")),
    Item(PRISMA, "13d", "Methods of synthesis with reasons: model, heterogeneity, software",
         _fixed(IN_PART, f"{METHODS}: models, estimators, intervals, software. Why these were chosen is for the authors.")),
    Item(PRISMA, "13e", "How causes of heterogeneity were explored", _exploration),
    Item(PRISMA, "13f", "Sensitivity analyses", _sensitivity_methods),
    Item(PRISMA, "14", "How risk of bias from missing results (reporting bias) was assessed",
         _fixed(BY_PERSON, "A run does not assess it.")),
    Item(PRISMA, "15", "How certainty of the evidence was assessed",
         _tables(("grade",), "A run without ratings in review.toml does not assess it.", "with the facts beside each rating")),
    Item(PRISMA, "20a", "Characteristics and risk of bias of the studies of each synthesis",
         _tables(("risk_of_bias",), "Only the data are in tables/studies.", "tables/studies; other characteristics are for the authors")),
    Item(PRISMA, "20b", "Results of all syntheses: estimate, precision, heterogeneity, direction", _results),
    Item(PRISMA, "20c", "Results of explorations of heterogeneity",
         _tables(("moderators", "subgroups"), "No moderators and no subgroups in this run.")),
    Item(PRISMA, "20d", "Results of sensitivity analyses",
         _tables(("priors", "methods", "influence", "risk_of_bias_sensitivity"), "No sensitivity analysis in this run.")),
    Item(PRISMA, "21", "Risk of bias due to missing results, for each synthesis", _fixed(BY_PERSON, "A run does not assess it.")),
    Item(PRISMA, "22", "Certainty of the evidence for each outcome",
         _tables(("summary_of_findings", "grade"), "No ratings in this run.")),
    Item(BARG, "1.A", "Data: dependent and independent variables",
         _fixed(BY_RUN, f"{METHODS}, Effect measures; tables/studies; studies.csv.")),
    Item(BARG, "1.B", "Likelihood and parameters", _fixed(BY_RUN, f"{METHODS}, Bayesian meta-analysis.")),
    Item(BARG, "1.C", "Priors with their reasons", _priors),
    Item(BARG, "1.D", "Formal specification of the model",
         _fixed(BY_RUN, "The model files, whose hashes are in manifest.json, have the mathematics in their docstrings.")),
    Item(BARG, "1.E", "Prior predictive check",
         _fixed(BY_PERSON, "A run makes none. The prior of tau is drawn in the figures of tau, and every prior is stated.")),
    Item(BARG, "2.A", "Software", _software),
    Item(BARG, "2.B", "Convergence of the chains", _convergence("R-hat")),
    Item(BARG, "2.C", "Resolution of the chains", _convergence("effective sample sizes")),
    Item(BARG, "2.D", "Accuracy of computation other than MCMC", _not_sampled),
    Item(BARG, "3.A", "Posterior predictive check", _predictive),
    Item(BARG, "3.B", "Summary of the posterior: centre and interval",
         _fixed(BY_RUN, "tables/main and results.csv: medians, equal-tailed and highest-density intervals.")),
    Item(BARG, "3.C", "Bayes factors and posterior model probabilities", _bayes_factors),
    Item(BARG, "4", "Decisions: why, loss function or limits", _decisions),
    Item(BARG, "5", "Sensitivity to the prior", _prior_sensitivity),
    Item(BARG, "6", "Reproducible: software, script, data",
         _fixed(IN_PART, "manuscript.docx, Reproducibility; review.json, manifest.json. Publishing the data is for the authors.")),
    Item(ROBUST, "Prior: specified", "The prior distributions", _fixed(BY_RUN, f"{METHODS}, Bayesian meta-analysis.")),
    Item(ROBUST, "Prior: justified", "Reasons for them",
         _fixed(BY_PERSON, "The authors give the reason for each prior; the methods text cites the works that propose its family.")),
    Item(ROBUST, "Prior: sensitivity", "Results under other priors", _prior_sensitivity),
    Item(ROBUST, "Analysis: model", "The statistical model", _fixed(BY_RUN, f"{METHODS}, Bayesian meta-analysis.")),
    Item(ROBUST, "Analysis: technique", "How it was computed", _fixed(BY_RUN, f"{METHODS}, Bayesian meta-analysis and Software.")),
    Item(ROBUST, "Results: central tendency", "Centre of the posterior", _fixed(BY_RUN, "tables/main: posterior medians.")),
    Item(ROBUST, "Results: variance", "Its spread or interval", _fixed(BY_RUN, "tables/main: credible intervals.")),
)  # fmt: skip
