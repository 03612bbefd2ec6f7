"""The sentences of the methods on the Bayesian models and on sensitivity analyses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bayesmeta.effects.measures import MEASURES
from bayesmeta.model.likelihoods.registry import LIKELIHOODS
from bayesmeta.model.priors.baseline import DEFAULT_BASELINE
from bayesmeta.results.methods import likelihood_label
from bayesmeta.reviews.documents.facts import Facts
from bayesmeta.reviews.documents.methods_evidence import check_sentences
from bayesmeta.reviews.documents.sentences import Section, Sentence, cited, listed, named

#: how the likelihoods of arm-level data are described, and the work that describes them
_ARM_LEVEL = {
    "binomial": (
        "a binomial likelihood of the events in each arm, without corrections for zero cells",
        ("Stijnen2010",),
    ),
    "poisson": ("a Poisson likelihood of the events in each arm, without corrections for zero cells", ("Stijnen2010",)),
    "nct": ("the noncentral t likelihood of each standardized mean difference", ("Hedges1981",)),
}
#: likelihoods with a nuisance parameter per study, and what it is
_BASELINES = {"binomial": "the logit of a risk", "poisson": "the log of a rate"}
#: beginnings of priors and the works that propose them
PRIOR_WORKS = {
    "HalfNormal": "Rover2021", "HalfCauchy": "Gelman2006", "turner2015": "Turner2015", "rhodes2015": "Rhodes2015",
}  # fmt: skip


def bayesian_section(facts: Facts) -> Section:
    """Return the paragraph on the Bayesian models: likelihoods, priors as used, engines, and what is reported."""
    if not facts.likelihoods:
        return Section("Bayesian meta-analysis", ())
    found: list[Sentence] = [
        cited(
            "In the Bayesian random-effects models the true effects of the studies are normal around the mean mu "
            "with standard deviation tau.",
            "Smith1995",
        )
    ]
    found += _likelihoods(facts)
    found += _priors(facts)
    found += _computation(facts)
    found += _reported(facts)
    return Section("Bayesian meta-analysis", tuple(found))


def _likelihoods(facts: Facts) -> list[Sentence]:
    words, keys = [], []
    if "normal" in facts.likelihoods:
        words.append("normal estimates with their standard errors")
    for name in facts.likelihoods:
        if name in _ARM_LEVEL:
            text, cites = _ARM_LEVEL[name]
            words.append(f"{text}{{}}")
            keys.append(cites)
        elif name not in LIKELIHOODS:
            words.append(f"the likelihood of the model file {name}")
    if not words:
        return []
    shown = [f"({chr(97 + i)}) {word}" for i, word in enumerate(words)] if len(words) > 1 else words
    last = (
        ", where the data of the arms were given; results with that likelihood are shown"
        if keys and len(words) > 1
        else ""
    )
    return [Sentence(f"The data were modelled as {listed(shown)}{last}.", tuple(keys))]


def _priors(facts: Facts) -> list[Sentence]:
    found: list[Sentence] = []
    texts: list[str] = []
    for measure, used in facts.priors.items():
        scale = "log scale" if MEASURES[measure].log else "natural scale"
        for text, ids in used:
            own = f", {named(ids)}" if len(used) > 1 else ""
            texts.append(f"{text} ({measure}, {scale}{own})")
    if texts:
        default = facts.default_priors
        whose = f"the program's defaults are those of {listed(default)}" if default else ""
        if not facts.stated_priors:
            whose = "they were the program's defaults"
        elif not default:
            whose = "they were stated for the review"
        else:
            whose += ", the others were stated for the review"
        found.append(cited(f"The priors were {'; '.join(texts)}; {whose}.", *prior_works(texts)))
    pairwise = [result.priors for result in facts.results if result.id not in facts.apart]
    return found + baseline_sentences(pairwise)


def baseline_sentences(priors: Iterable[Mapping[str, str]]) -> list[Sentence]:
    """Return the sentence on the default prior for baselines, where likelihoods of counts have it; none where it was stated.

    Parameters
    ----------
    priors : iterable of mapping of str to str
        The priors of each analysis: likelihood to text.
    """
    used = {
        likelihood.partition(":")[0]
        for texts in priors
        for likelihood, text in texts.items()
        if "baseline ~" not in text
    }
    words = [what for name, what in _BASELINES.items() if name in used]
    if not words:
        return []
    return [
        cited(
            f"The baseline of each study ({listed(words, 'or')}) had the program's default prior, {DEFAULT_BASELINE}."
        )
    ]


def prior_works(texts: Iterable[str]) -> list[str]:
    """Return the keys of the works that propose the priors in texts."""
    return [key for beginning, key in PRIOR_WORKS.items() if any(f"{beginning}(" in text for text in texts)]


def _computation(facts: Facts) -> list[Sentence]:
    found: list[Sentence] = []
    if "quadrature" in facts.engines:
        found.append(
            cited(
                "Posterior distributions were computed by deterministic numerical integration over tau and mu, without random numbers.",
                "Rover2020",
            )
        )
    if "nuts" in facts.engines:
        found.append(
            cited(
                f"{'They were also sampled' if 'quadrature' in facts.engines else 'Posterior distributions were sampled'} with the "
                f"No-U-Turn sampler (seed {facts.review.settings.seed}), whose convergence was judged by rank-normalized R-hat and "
                "effective sample sizes of every parameter; a fit that did not converge was refused.",
                "Hoffman2014", "Vehtari2021",
            )
        )  # fmt: skip
    if {"quadrature", "nuts"} <= facts.engines:
        found.append(cited("The two computations were compared in units of the Monte Carlo standard error."))
    return found


def _reported(facts: Facts) -> list[Sentence]:
    found = [
        cited(
            f"Reported are posterior medians with equal-tailed {facts.level}credible intervals, and the interval of the effect in a new "
            "study as prediction interval."
        )
    ]
    if facts.any_column("prob_benefit"):
        found.append(cited("P(benefit) is the posterior probability that the mean effect is on the side of benefit."))
    mids = [f"{value:g} ({measure})" for measure, value in facts.review.mid.items() if measure in facts.measures]
    mids += [f"{one.mid:g} (analysis {one.id})" for one in facts.review.every_analysis if one.mid is not None]
    if mids and facts.any_column("prob_beyond_mid"):
        found.append(
            cited(
                f"The posterior probability of a benefit beyond the minimal important difference, {listed(mids)}, was computed."
            )
        )
    if facts.any_column("prob_trivial"):
        found.append(
            cited(
                "Posterior probabilities are given for effects in bands from large benefit to harm, with the thresholds stated."
            )
        )
    if facts.averages:
        found.append(
            cited(
                "Bayes factors for an effect and for heterogeneity, and estimates averaged over the four models with and without each, "
                "used equal prior probabilities of the models.",
                "Gronau2021",
            )
        )
    return found


def sensitivity_section(facts: Facts) -> Section:
    """Return the paragraph on sensitivity analyses: other priors, other likelihoods, studies left out."""
    found: list[Sentence] = []
    if facts.alternatives:
        texts = []
        for name, measures in facts.alternatives.items():
            stated = "; ".join(f"{measure}: {text}" for measure, text in measures.items())
            texts.append(f"{name} ({stated})")
        every = [text for measures in facts.alternatives.values() for text in measures.values()]
        found.append(
            cited(
                f"The models with normal likelihood were fitted again with alternative priors: {'; '.join(texts)}.",
                *prior_works(every),
            )
        )
    if len(facts.likelihoods) > 1:
        names = listed([likelihood_label(name) for name in facts.likelihoods])
        found.append(cited(f"Results with {names} likelihood are compared."))
    if len(facts.frequentist) > 1:
        found.append(cited(f"All {len(facts.frequentist)} frequentist methods are shown side by side."))
    if any(model.get("left_out") for _, model in facts.models("dependence")):
        found.append(cited("Models of dependent estimates were fitted without each study in turn."))
    sweeps = [model for _, model in facts.models("dependence") if model.get("sweep")]
    if sweeps:
        values = [point["sampling_correlation"] for point in sweeps[0]["sweep"]]
        found.append(
            cited(
                f"They were also fitted with sampling correlations from {min(values):g} to {max(values):g}, since these are assumptions."
            )
        )
    return Section("Sensitivity analyses", tuple(found + check_sentences(facts)))
