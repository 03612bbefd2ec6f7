"""Bayesian model averaging: Bayes factors for an effect and for heterogeneity, and the posterior averaged over the models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.averaged_models import (
    MODELS,
    check_priors,
    checked_probabilities,
    proper_alternative,
    without_effect,
    without_heterogeneity,
)
from bayesmeta.posterior.averaged_solution import AveragedSolution, averaged_posterior
from bayesmeta.posterior.fit import fit, solve
from bayesmeta.posterior.given import as_posterior
from bayesmeta.posterior.log_evidence import bayes_factor, log_weighted_sum
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.support.arguments import with_keywords_of
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed, counted

if TYPE_CHECKING:
    import pandas as pd

#: why there is no evidence for a user's model file
NO_EVIDENCE = (
    "Bayes factors and model averages need its marginal likelihood, which draws do not give; fit a model that quadrature computes, "
    "without model="
)
#: Bayes factors by name: the models in the numerator and those in the denominator
COMPARISONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "effect": (("common effect", "random effect"), ("common null", "random null")),
    "heterogeneity": (("random null", "random effect"), ("common null", "common effect")),
    "effect, common": (("common effect",), ("common null",)),
    "effect, random": (("random effect",), ("random null",)),
    "heterogeneity, no effect": (("random null",), ("common null",)),
    "heterogeneity, effect": (("random effect",), ("common effect",)),
}


@dataclass(frozen=True, repr=False)
class ModelAverage(Displayed):
    """The models {no effect, effect} x {common, random}, the evidence for each, and their average.

    Parameters
    ----------
    names : tuple of str
        Names of the M models with prior probability: some of "common null", "common effect", "random null", "random effect".
    prior_probabilities, log_marginal_likelihoods : numpy.ndarray, shape (M,)
        Prior probabilities (they sum to one) and natural logs of p(D | model).
    fits : tuple of Posterior
        Posterior under each model.
    """

    names: tuple[str, ...]
    prior_probabilities: Array
    log_marginal_likelihoods: Array
    fits: tuple[Posterior, ...]

    def _line(self) -> str:
        best = self.names[int(np.argmax(self.posterior_probabilities))]
        bf = f"BF effect {self.bf_effect:.3g}, BF heterogeneity {self.bf_heterogeneity:.3g}"
        return f"{bf}; {counted(len(self.names), 'model')}, most probable '{best}' ({self.posterior_probabilities.max():.3g})"

    def _table(self) -> pd.DataFrame:
        return self.to_frame()

    @cached_property
    def log_marginal_likelihood(self) -> float:
        """Natural log of p(D), averaged over the models."""
        return log_weighted_sum(self.log_marginal_likelihoods, self.prior_probabilities)

    @cached_property
    def posterior_probabilities(self) -> Array:
        """Posterior probabilities of the models, shape (M,)."""
        return self.prior_probabilities * np.exp(self.log_marginal_likelihoods - self.log_marginal_likelihood)

    @property
    def prob_effect(self) -> float:
        """Posterior probability of an effect (mu not 0)."""
        return self._probability(COMPARISONS["effect"][0])

    @property
    def prob_heterogeneity(self) -> float:
        """Posterior probability of heterogeneity (tau not 0)."""
        return self._probability(COMPARISONS["heterogeneity"][0])

    @property
    def bf_effect(self) -> float:
        """Inclusion Bayes factor for an effect, BF10; NaN unless models with and without an effect have prior probability."""
        return bayes_factor(self.log_bf("effect"))

    @property
    def bf_heterogeneity(self) -> float:
        """Inclusion Bayes factor for heterogeneity, BF10; NaN unless models with and without it have prior probability."""
        return bayes_factor(self.log_bf("heterogeneity"))

    def _probability(self, names: tuple[str, ...]) -> float:
        chosen = np.isin(self.names, names)
        return float(self.posterior_probabilities[chosen].sum())

    def log_bf(self, comparison: str) -> float:
        """Return the natural log of a Bayes factor: the ratio of the marginal likelihoods averaged on each side.

        With several models on a side this is the inclusion Bayes factor, posterior odds over prior odds (Gronau et al. 2021,
        Adv Methods Pract Psychol Sci 4(3)).

        Parameters
        ----------
        comparison : str
            "effect", "heterogeneity", "effect, common", "effect, random", "heterogeneity, no effect" or "heterogeneity, effect".

        Returns
        -------
        float
            NaN if a side has no prior probability.
        """
        sides = []
        for names in COMPARISONS[comparison]:
            chosen = np.isin(self.names, names)
            if not chosen.any():
                return float("nan")
            prior = self.prior_probabilities[chosen]
            sides.append(log_weighted_sum(self.log_marginal_likelihoods[chosen], prior / prior.sum()))
        return sides[0] - sides[1]

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row per model: index model; columns log_marginal_likelihood, prior_prob, posterior_prob."""
        import pandas as pd

        columns = {
            "log_marginal_likelihood": self.log_marginal_likelihoods,
            "prior_prob": self.prior_probabilities,
            "posterior_prob": self.posterior_probabilities,
        }
        return pd.DataFrame(columns, index=pd.Index(self.names, name="model"))

    @cached_property
    def posterior(self) -> Posterior:
        """The averaged posterior, for ``summarize`` and all other functions of a posterior; mu and tau have a point mass at 0.

        Its priors are those under the alternatives.
        """
        return averaged_posterior(
            self.fits, self.posterior_probabilities, self.log_marginal_likelihood, self.names, self.prior_probabilities
        )


@with_keywords_of(fit)
def model_average(
    studies: Any = None, *, prior_probabilities: Mapping[str, float] | None = None, **given: Any
) -> ModelAverage:
    """Compare and average the models {mu = 0, mu ~ prior} x {tau = 0, tau ~ prior}, with exact marginal likelihoods.

    Gronau et al. (2017, Compr Results Soc Psychol 2:123-138; 2021, Adv Methods Pract Psychol Sci 4(3)). The averaged posterior
    has a point mass at mu = 0 of one less ``prob_effect``, so that its median can be 0 exactly. For estimates
    given that there is an effect, leave the null models out:
    ``prior_probabilities={"common effect": 0.5, "random effect": 0.5}``.

    With moderators, which all the models have, mu is the effect at their means, or the intercept where that has a prior of its own, or the
    effects of all groups or outcomes after ``0 +``; ``moderator_evidence`` compares models with and without each moderator. With several
    estimates per study tau = 0 is no heterogeneity at any level, for any outcome; tau of each of these, and rho, are then 0.

    Parameters
    ----------
    studies : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit of a model of this package, whose data and priors are used, or data as in ``fit``. An averaged posterior gives its average.
    prior_probabilities : mapping of str to float, optional
        Prior probabilities of "common null", "common effect", "random null" and "random effect", which sum to one; models left
        out have none. Default: 1/4 each.
    **given
        Keywords of ``fit``: measure, likelihood, priors, yi, sei and so on. ``priors`` are those under the alternatives,
        and a Bayes factor depends on them: a wide prior for mu favours no effect. In place of the flat default prior for mu of
        measures without a natural scale (MD, RD) is the unit-information prior, Normal(0, sqrt(sum n / sum 1/v)).

    Returns
    -------
    ModelAverage
        The models with ``to_frame()``, ``posterior`` (the averaged posterior), ``bf_effect``, ``bf_heterogeneity``, ``prob_effect``,
        ``prob_heterogeneity``.

    Raises
    ------
    SpecError
        For an unknown model, probabilities that do not sum to one, point priors, an improper prior for mu that no unit-information
        prior can replace, or the posterior of a user's model file, whose draws give no marginal likelihood.
    """
    prior = checked_probabilities(prior_probabilities)
    base = as_posterior(studies, built_in_only=NO_EVIDENCE, **given)
    known = {"random effect": base} if base.engine == "quadrature" else {}
    if isinstance(base.solution, AveragedSolution):
        known = dict(zip(base.solution.names, base.solution.fits, strict=True))
        if prior_probabilities is None:
            prior = dict(zip(known, base.solution.prior_probabilities.tolist(), strict=True))
    return _average(base, prior, known)


def average_again(posterior: Posterior, data: ModelData, priors: Priors) -> ModelAverage:
    """Average the models of an averaged posterior for other data or other priors.

    Parameters
    ----------
    posterior : Posterior
        An averaged posterior.
    data : ModelData
        Data of the likelihood.
    priors : Priors
        Priors under the alternatives.

    Raises
    ------
    SpecError
        For priors under which the models cannot be compared.
    """
    solution = posterior.solution
    assert isinstance(solution, AveragedSolution)
    prior = dict(zip(solution.names, solution.prior_probabilities.tolist(), strict=True))
    if not priors.mu.proper and len({MODELS[name][0] for name in prior}) == 2:
        raise SpecError(
            f"the Bayes factor for an effect, and so the average, is undefined under the improper prior {priors.mu}"
        )
    return _average(replace(posterior, data=data, priors=priors), prior, {})


def _average(base: Posterior, prior: Mapping[str, float], known: Mapping[str, Posterior]) -> ModelAverage:
    """Fit the models of ``prior``, but those ``known``, to the data of ``base`` under its priors, and average them."""
    if base.likelihood != "normal" and not base.data.design.is_mean:
        raise SpecError(
            f"models with and without an effect are compared for regressions with the normal likelihood, but this fit has likelihood "
            f"'{base.likelihood}'; fit with likelihood='normal'"
        )
    names = tuple(prior)
    check_priors(base.priors, names, base.data.design)
    # without an effect in some models and with one in others, the prior for mu enters the comparison
    compares_effects = len({MODELS[name][0] for name in names}) == 2
    alternative = proper_alternative(base.priors, base.data) if compares_effects else base.priors
    fits = []
    for name in names:
        effect, heterogeneity = MODELS[name]
        priors = alternative if effect else without_effect(alternative)
        priors = priors if heterogeneity else without_heterogeneity(priors)
        same = name in known and priors == known[name].priors
        fits.append(known[name] if same else solve(base.data, priors, "quadrature", base.seed))
    if len({fit.solution.terms for fit in fits}) > 1:
        # a model of groups with one tau has no effect at their means
        fits = [solve(base.data, fit.priors, "quadrature", base.seed) for fit in fits]
    log_likelihoods = np.array([fit.log_marginal_likelihood for fit in fits])
    return ModelAverage(names, np.array(list(prior.values())), log_likelihoods, tuple(fits))


@with_keywords_of(fit)
def bayes_factors(
    studies: Any = None, *, prior_probabilities: Mapping[str, float] | None = None, **given: Any
) -> pd.DataFrame:
    """Return Bayes factors for an effect and for heterogeneity, from exact marginal likelihoods.

    Parameters
    ----------
    studies, prior_probabilities, **given
        As in ``model_average``.

    Returns
    -------
    pandas.DataFrame
        Index comparison: effect and heterogeneity (each averaged over models with and without the other), then each given the other
        ("effect, random": mu ~ prior against mu = 0 under tau ~ prior). Columns log_bf10 (natural log), bf10, bf01, and prior_prob
        and posterior_prob of the first side among the models compared.

    Raises
    ------
    SpecError
        As in ``model_average``.
    """
    import pandas as pd

    average = model_average(studies, prior_probabilities=prior_probabilities, **given)
    rows = []
    for comparison, (first, second) in COMPARISONS.items():
        log_bf = average.log_bf(comparison)
        one, both = np.isin(average.names, first), np.isin(average.names, first + second)
        prior = average.prior_probabilities
        prior_prob = float(prior[one].sum() / prior[both].sum()) if prior[both].sum() > 0 else float("nan")
        with np.errstate(divide="ignore", over="ignore"):
            against = (1 - prior_prob) / prior_prob * np.exp(-log_bf) if 0 < prior_prob < 1 else float("nan")
        rows.append(
            {
                "comparison": comparison, "log_bf10": log_bf, "bf10": bayes_factor(log_bf), "bf01": bayes_factor(-log_bf),
                "prior_prob": prior_prob, "posterior_prob": 1 / (1 + against),
            }
        )  # fmt: skip
    return pd.DataFrame(rows).set_index("comparison")
