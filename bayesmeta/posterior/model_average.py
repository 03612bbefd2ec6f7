"""Evidence: Bayes factors for an effect and for heterogeneity, and the posterior averaged over the models they compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logsumexp

from bayesmeta.engines.marginals.averaged import Averaged
from bayesmeta.engines.solution import ComputedSolution
from bayesmeta.engines.terms import Terms
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.method import AVERAGED
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.refit import as_posterior, refit
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: the models: whether there is an effect, whether there is heterogeneity
MODELS: dict[str, tuple[bool, bool]] = {
    "common null": (False, False),
    "common effect": (True, False),
    "random null": (False, True),
    "random effect": (True, True),
}
ZERO = Prior("Point", (0.0,))
#: what a Bayes factor compares: its name, the models for and the models against
COMPARISONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "effect": (("common effect", "random effect"), ("common null", "random null")),
    "heterogeneity": (("random null", "random effect"), ("common null", "common effect")),
    "effect, common": (("common effect",), ("common null",)),
    "effect, random": (("random effect",), ("random null",)),
    "heterogeneity, no effect": (("random null",), ("common null",)),
    "heterogeneity, effect": (("random effect",), ("common effect",)),
}


@dataclass(frozen=True)
class AveragedSolution(ComputedSolution):
    """The posterior averaged over models, behind the interface of an engine's solution.

    Parameters
    ----------
    fits : tuple of Posterior
        The posterior under each model.
    probabilities : numpy.ndarray, shape (M,)
        Posterior probabilities of the models.
    log_marginal_likelihood : float
        Natural log of the marginal likelihood averaged over the models' prior probabilities.
    """

    fits: tuple[Posterior, ...]
    probabilities: Array
    log_marginal_likelihood: float

    @property
    def terms(self) -> Terms:
        """Names of the terms, which are those of every model."""
        return self.fits[0].solution.terms

    @property
    def families(self) -> tuple[Averaged, Averaged]:
        """Marginal distributions as mixtures over the models: of the pooled terms and of the effects in the studies."""
        return *self.pooled, self._average(self.terms.studies)

    @property
    def pooled(self) -> tuple[Averaged]:
        """Marginal distributions of all terms but the effects in the studies."""
        return (self._average(self.terms.pooled),)

    def _average(self, terms: tuple[str, ...]) -> Averaged:
        return Averaged(terms, self.probabilities, tuple(tuple(fit.marginal(t) for fit in self.fits) for t in terms))

    @property
    def error(self) -> float:
        """The largest estimated relative error of a model's integral."""
        return max(fit.solution.error for fit in self.fits)

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently: first a model, then from its posterior.

        Returns
        -------
        dict
            mu, tau, theta_new of shape (size,), theta of shape (size, k), and the baselines of counts, likewise.
        """
        counts = rng.multinomial(size, self.probabilities / self.probabilities.sum())
        order = rng.permutation(size)
        drawn = [fit.solution.sample(int(n), rng) for fit, n in zip(self.fits, counts, strict=True) if n]
        return {name: np.concatenate([part[name] for part in drawn])[order] for name in drawn[0]}


@dataclass(frozen=True)
class ModelAverage:
    """The models {no effect, effect} x {common, random}, what the data say of each, and their average.

    Parameters
    ----------
    names : tuple of str
        Of ``MODELS``: those with prior probability.
    prior_probabilities, log_marginal_likelihoods : numpy.ndarray, shape (M,)
        Prior probabilities (they sum to one) and natural logs of p(D | model).
    fits : tuple of Posterior
        The posterior under each model.
    """

    names: tuple[str, ...]
    prior_probabilities: Array
    log_marginal_likelihoods: Array
    fits: tuple[Posterior, ...]

    @property
    def log_marginal_likelihood(self) -> float:
        """Natural log of p(D), averaged over the models."""
        return float(logsumexp(self.log_marginal_likelihoods, b=self.prior_probabilities))

    @property
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
        """Inclusion Bayes factor for an effect, BF10; NaN where only one side has prior probability."""
        return bayes_factor(self.log_bf("effect"))

    @property
    def bf_heterogeneity(self) -> float:
        """The same for heterogeneity."""
        return bayes_factor(self.log_bf("heterogeneity"))

    def _probability(self, names: tuple[str, ...]) -> float:
        held = np.isin(self.names, names)
        return float(self.posterior_probabilities[held].sum())

    def log_bf(self, comparison: str) -> float:
        """Natural log of a Bayes factor of ``COMPARISONS``: the ratio of the marginal likelihoods averaged on each side.

        With several models on a side this is the inclusion Bayes factor, posterior odds over prior odds (Gronau et al. 2021,
        Adv Methods Pract Psychol Sci 4(3)). NaN where a side has no prior probability.
        """
        sides = []
        for names in COMPARISONS[comparison]:
            held = np.isin(self.names, names)
            if not held.any():
                return float("nan")
            prior = self.prior_probabilities[held]
            sides.append(logsumexp(self.log_marginal_likelihoods[held], b=prior / prior.sum()))
        return float(sides[0] - sides[1])

    def to_frame(self) -> pd.DataFrame:
        """One row a model: index model; columns log_marginal_likelihood, prior_prob, posterior_prob."""
        import pandas as pd

        columns = {
            "log_marginal_likelihood": self.log_marginal_likelihoods,
            "prior_prob": self.prior_probabilities,
            "posterior_prob": self.posterior_probabilities,
        }
        return pd.DataFrame(columns, index=pd.Index(self.names, name="model"))

    @cached_property
    def posterior(self) -> Posterior:
        """The averaged posterior, for ``summarize`` and all else that reads a posterior; mu and tau have a point mass at 0."""
        solution = AveragedSolution(self.fits, self.posterior_probabilities, self.log_marginal_likelihood)
        return replace(self.fits[-1], engine=AVERAGED, solution=solution)


def bayes_factor(log_bf: float) -> float:
    """Return a Bayes factor from its natural log; infinite beyond what a number holds."""
    with np.errstate(over="ignore"):
        return float(np.exp(log_bf))


def _prior_probabilities(given: Mapping[str, float] | None) -> dict[str, float]:
    """Read prior model probabilities; models left out have none."""
    if given is None:
        return dict.fromkeys(MODELS, 0.25)
    for name, value in given.items():
        if name not in MODELS:
            raise unknown_name("model", name, MODELS)
        if not (np.isfinite(value) and value >= 0):
            raise SpecError(f"the prior probability of '{name}' must be 0 or above but got {value}")
    total = float(sum(given.values()))
    if abs(total - 1) > 1e-9:
        raise SpecError(f"prior probabilities of the models must sum to 1 but sum to {total:g}")
    return {name: float(given[name]) for name in MODELS if given.get(name, 0) > 0}


def _check_priors(priors: Priors, names: tuple[str, ...]) -> None:
    if priors.mu.point is not None or priors.scale.point is not None:
        fixed = f"mu ~ {priors.mu}" if priors.mu.point is not None else f"tau fixed by {priors.scale}"
        raise SpecError(f"with {fixed} there is nothing to compare; give priors that spread, and the models fix 0")
    with_effect = {MODELS[name][0] for name in names}
    if not priors.mu.proper and len(with_effect) == 2:
        raise SpecError(
            f"the Bayes factor for an effect is undefined under the improper prior {priors.mu} of mu: its constant is arbitrary; "
            "give a proper one, e.g. Normal(0, 2.82), or leave the models without an effect out with "
            "prior_probabilities={'common effect': 0.5, 'random effect': 0.5}"
        )


def model_average(
    studies: Any = None, *, prior_probabilities: Mapping[str, float] | None = None, **given: Any
) -> ModelAverage:
    """Compare and average the models {mu = 0, mu ~ prior} x {tau = 0, tau ~ prior}, with exact marginal likelihoods.

    Gronau et al. (2017, Compr Results Soc Psychol 2:123-138; 2021, Adv Methods Pract Psychol Sci 4(3)). The averaged posterior
    holds a point mass at mu = 0 of one less ``prob_effect``, so that its median can be 0 exactly. For estimates
    given that there is an effect, leave the null models out:
    ``prior_probabilities={"common effect": 0.5, "random effect": 0.5}``.

    Parameters
    ----------
    studies : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit, whose data and priors are taken, or what ``fit`` takes.
    prior_probabilities : mapping of str to float, optional
        Of "common null", "common effect", "random null", "random effect"; those left out are not considered. Default: 1/4 each.
    **given
        The keywords of ``fit``: measure, likelihood, priors, yi, sei and so on. ``priors`` are those under the alternatives,
        and a Bayes factor depends on them: a wide prior of mu favours no effect.

    Returns
    -------
    ModelAverage
        ``.to_frame()`` the models, ``.posterior`` the averaged posterior, ``.bf_effect``, ``.prob_effect`` and the like.

    Raises
    ------
    SpecError
        For an unknown model, probabilities that do not sum to one, point priors, or an improper prior of mu.
    """
    prior = _prior_probabilities(prior_probabilities)
    base = as_posterior(studies, **given)
    names = tuple(prior)
    _check_priors(base.priors, names)
    fits = []
    for name in names:
        effect, heterogeneity = MODELS[name]
        priors = base.priors if effect else replace(base.priors, mu=ZERO)
        priors = priors if heterogeneity else replace(priors, scale=ZERO, on_variance=False)
        known = base.engine == "quadrature" and effect and heterogeneity
        fits.append(base if known else refit(base, priors))
    log_likelihoods = np.array([fit.log_marginal_likelihood for fit in fits])
    return ModelAverage(names, np.array(list(prior.values())), log_likelihoods, tuple(fits))


def bayes_factors(
    studies: Any = None, *, prior_probabilities: Mapping[str, float] | None = None, **given: Any
) -> pd.DataFrame:
    """Return Bayes factors for an effect and for heterogeneity, exact.

    Parameters
    ----------
    studies, prior_probabilities, **given
        As in ``model_average``.

    Returns
    -------
    pandas.DataFrame
        Index comparison: effect and heterogeneity (averaged over the other question), then each with the other question settled
        ("effect, random": mu ~ prior against mu = 0 under tau ~ prior). Columns log_bf10, bf10, bf01, and prior_prob and
        posterior_prob of the first side among the models compared.

    Raises
    ------
    SpecError
        As ``model_average``.
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
