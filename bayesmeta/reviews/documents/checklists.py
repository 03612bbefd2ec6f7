"""Reporting checklists filled from a run: where its outputs answer an item, or that a person must."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reviews.documents import checklist_bayes as bayes
from bayesmeta.reviews.documents import checklist_prisma as prisma
from bayesmeta.reviews.documents.checklist_answers import BY_PERSON, BY_RUN, IN_PART, Answer, fixed
from bayesmeta.reviews.documents.source import DocumentSource

PRISMA, BARG, ROBUST = "PRISMA 2020", "BARG", "ROBUST"


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

    bayesian = bool(source.facts.engines)
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


#: items in the order of the checklists
ITEMS: tuple[Item, ...] = (
    Item(PRISMA, "13a", "How it was decided which studies each synthesis includes",
         fixed(IN_PART, "tables/studies has the studies of each analysis; the rule by which they were chosen is for the authors.")),
    Item(PRISMA, "13b", "How data were prepared: missing statistics, conversions", prisma.preparation),
    Item(PRISMA, "13c", "How results are tabulated and displayed", prisma.display),
    Item(PRISMA, "13d", "Methods of synthesis with reasons: model, heterogeneity, software", prisma.synthesis),
    Item(PRISMA, "13e", "How causes of heterogeneity were explored", prisma.exploration),
    Item(PRISMA, "13f", "Sensitivity analyses", prisma.sensitivity_methods),
    Item(PRISMA, "14", "How risk of bias from missing results (reporting bias) was assessed", prisma.reporting_bias),
    Item(PRISMA, "15", "How certainty of the evidence was assessed", prisma.certainty_methods),
    Item(PRISMA, "20a", "Characteristics and risk of bias of the studies of each synthesis", prisma.characteristics),
    Item(PRISMA, "20b", "Results of all syntheses: estimate, precision, heterogeneity, direction", prisma.results),
    Item(PRISMA, "20c", "Results of explorations of heterogeneity", prisma.exploration_results),
    Item(PRISMA, "20d", "Results of sensitivity analyses", prisma.sensitivity_results),
    Item(PRISMA, "21", "Risk of bias due to missing results, for each synthesis", prisma.reporting_bias),
    Item(PRISMA, "22", "Certainty of the evidence for each outcome", prisma.certainty_results),
    Item(BARG, "1.A", "Data: dependent and independent variables", bayes.data),
    Item(BARG, "1.B", "Likelihood and parameters", bayes.model),
    Item(BARG, "1.C", "Priors with their reasons", bayes.priors),
    Item(BARG, "1.D", "Formal specification of the model",
         fixed(BY_RUN, "The model files, whose hashes are in manifest.json, have the mathematics in their docstrings.")),
    Item(BARG, "1.E", "Prior predictive check",
         fixed(BY_PERSON, "A run makes none; every prior is stated.")),
    Item(BARG, "2.A", "Software", bayes.software),
    Item(BARG, "2.B", "Convergence of the chains", bayes.convergence("R-hat")),
    Item(BARG, "2.C", "Resolution of the chains", bayes.convergence("effective sample sizes")),
    Item(BARG, "2.D", "Accuracy of computation other than MCMC", bayes.not_sampled),
    Item(BARG, "3.A", "Posterior predictive check", bayes.predictive),
    Item(BARG, "3.B", "Summary of the posterior: centre and interval", bayes.summary),
    Item(BARG, "3.C", "Bayes factors and posterior model probabilities", bayes.bayes_factors),
    Item(BARG, "4", "Decisions: why, loss function or limits", bayes.decisions),
    Item(BARG, "5", "Sensitivity to the prior", bayes.prior_sensitivity),
    Item(BARG, "6", "Reproducible: software, script, data", bayes.reproducible),
    Item(ROBUST, "Prior: specified", "The prior distributions", bayes.model),
    Item(ROBUST, "Prior: justified", "Reasons for them",
         fixed(BY_PERSON, "The authors give the reason for each prior; the methods text cites the works that propose its family.")),
    Item(ROBUST, "Prior: sensitivity", "Results under other priors", bayes.prior_sensitivity),
    Item(ROBUST, "Analysis: model", "The statistical model", bayes.model),
    Item(ROBUST, "Analysis: technique", "How it was computed", bayes.technique),
    Item(ROBUST, "Results: central tendency", "Centre of the posterior", bayes.centre),
    Item(ROBUST, "Results: variance", "Its spread or interval", bayes.spread),
)  # fmt: skip
