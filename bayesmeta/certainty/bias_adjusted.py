"""Bias-adjusted meta-analysis: an additive bias of the studies at high risk, with a stated prior, estimated with the mean effect.

It is a regression whose coefficients are mu and the biases, which the quadrature of ``fit(moderators=...)`` solves exactly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.certainty.bias_priors import BIAS, check_domains, prior_of, share_of, with_biases
from bayesmeta.certainty.risk_of_bias import OVERALL, RiskOfBias
from bayesmeta.certainty.risk_of_bias_tools import Tool
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.design import MEAN, Design
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_priors
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.fit import solve
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.predictions import new_effect
from bayesmeta.support.arguments import check_level, with_keywords_of
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed, counted, estimate_text

if TYPE_CHECKING:
    import pandas as pd

#: factors of the prior standard deviations in the sensitivity analysis; at 0 each bias is its prior mean
FACTORS = (0.0, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, repr=False)
class BiasAdjusted(Displayed):
    """A bias-adjusted meta-analysis.

    Parameters
    ----------
    posterior : Posterior
        Fit of mu and of a coefficient per bias, such as "bias_overall", on the model scale (log for ratios).
    unadjusted : Posterior
        Fit of the same studies under the same priors for mu and tau, without biases.
    biases : mapping of str to Prior
        Prior of the bias by domain, those in which a study has one.
    shares : numpy.ndarray, shape (k, number of biases)
        Share of each bias that each pooled study has: 1, that of unclear risk, or 0.
    notes : tuple of str
        Domains without a study that has a bias.
    """

    posterior: Posterior
    unadjusted: Posterior
    biases: Mapping[str, Prior]
    shares: Array
    notes: tuple[str, ...] = ()

    def _line(self) -> str:
        low, middle, high = self.posterior.quantile(MEAN, np.array([0.025, 0.5, 0.975]))
        before = float(self.unadjusted.quantile(MEAN, 0.5))
        if MEASURES[self.posterior.measure].log:
            low, middle, high, before = np.exp([low, middle, high, before])
        flawed = int((self.shares > 0).any(axis=1).sum())
        return (
            f"{self.posterior.measure} {estimate_text(middle, low, high, 0.95)}, unadjusted {before:.3g}; "
            f"{counted(len(self.shares), 'study', 'studies')}, {flawed} with a bias"
        )

    def _table(self) -> pd.DataFrame:
        return self.summary()

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """Return mu with and without adjustment, each bias and tau, on the model scale.

        Parameters
        ----------
        level : float
            Probability of the equal-tailed intervals, in (0, 1).

        Returns
        -------
        pandas.DataFrame
            One row per term (mu_unadjusted, mu, each bias by its name, and tau): median, mean, sd, ci_low, ci_high and, of mu, pi_low and
            pi_high, the interval of the effect in a new study without bias.
        """
        import pandas as pd

        check_level(level)
        rows = {"mu_unadjusted": _numbers(self.unadjusted, MEAN, level)}
        for term in (MEAN, *(f"{BIAS}{key}" for key in self.biases), "tau"):
            rows[term] = _numbers(self.posterior, term, level)
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("term")

    def sensitivity(self, factors: Sequence[float] = FACTORS, level: float = 0.95) -> pd.DataFrame:
        """Return mu under other standard deviations of the priors for the biases.

        Parameters
        ----------
        factors : sequence of float
            Factors of the stated standard deviations, 0 or above. At 0 each bias is its prior mean; the larger they are, the less
            the studies with a bias tell of mu.
        level : float
            Probability of the equal-tailed intervals, in (0, 1).

        Returns
        -------
        pandas.DataFrame
            One row per factor: ``factor``, the standard deviation of each bias, and median, mean, sd, ci_low, ci_high, pi_low and pi_high
            of mu, on the model scale.

        Raises
        ------
        SpecError
            If a factor is below 0 or not finite.
        """
        import pandas as pd

        check_level(level)
        rows = []
        for factor in factors:
            fitted = self.with_factor(factor)
            sds = {f"sd_{key}": factor * prior.args[1] for key, prior in self.biases.items()}
            rows.append({"factor": factor, **sds, **_numbers(fitted, MEAN, level)})
        return pd.DataFrame(rows)

    def with_factor(self, factor: float) -> Posterior:
        """Return the fit with the standard deviations of the priors for the biases multiplied by ``factor``.

        Raises
        ------
        SpecError
            If the factor is below 0 or not finite.
        """
        if not (np.isfinite(factor) and factor >= 0):
            raise SpecError(f"factors of the standard deviation of a bias are 0 or above but got {factor}")
        if factor == 1:
            return self.posterior
        fit, plain = self.posterior, self.unadjusted
        if factor == 0:
            known = self.shares @ np.array([prior.args[0] for prior in self.biases.values()])
            columns = {**plain.data.columns, "effect": np.asarray(plain.data.columns["effect"]) - known}
            moved = dataclasses.replace(plain.data, columns=columns, guide_effect=plain.data.guide_effect - known)
            return solve(moved, plain.priors, "quadrature", fit.seed)
        wider = {key: Prior("Normal", (prior.args[0], factor * prior.args[1])) for key, prior in self.biases.items()}
        return solve(fit.data, with_biases(plain.priors, wider), "quadrature", fit.seed)


def _numbers(posterior: Posterior, term: str, level: float) -> dict[str, float]:
    tails = np.array([(1 - level) / 2, 0.5, (1 + level) / 2])
    low, middle, high = (float(one) for one in posterior.quantile(term, tails))
    found = {
        "median": middle, "mean": float(posterior.mean(term)), "sd": float(posterior.sd(term)), "ci_low": low, "ci_high": high,
    }  # fmt: skip
    if term == MEAN:
        found["pi_low"], found["pi_high"] = prediction_interval(posterior, level)
    return found


def prediction_interval(posterior: Posterior, level: float) -> tuple[float, float]:
    """Return the interval of the effect in a new study without bias, on the model scale."""
    row = np.eye(len(posterior.data.design.names))[0]
    tails = np.array([[(1 - level) / 2], [(1 + level) / 2]])
    low, high = new_effect(posterior, row).quantile(tails)[:, 0]
    return float(low), float(high)


@with_keywords_of(effect_sizes)
def bias_adjusted(
    studies: Any,
    judgements: RiskOfBias,
    *,
    measure: str | None = None,
    domains: Sequence[str] = (OVERALL,),
    priors: Mapping[str, str | Prior] | None = None,
    unclear: float = 0.0,
    seed: int = 1,
    **options: Any,
) -> BiasAdjusted:
    """Pool studies of which some have an additive bias, with a stated prior, by their judged risk of bias.

    Parameters
    ----------
    studies : StudyTable, Effects, pandas.DataFrame or path
        Data, as in ``fit``; the normal likelihood is used.
    judgements : RiskOfBias
        Judgements of all studies, from ``risk_of_bias``.
    measure : str, optional
        Effect measure, as in ``fit``.
    domains : sequence of str
        Keys of the domains that have a bias each, or "overall" for one bias of the studies at high overall risk.
    priors : mapping of str to str or Prior, optional
        Priors for mu and tau as in ``fit``; for biases, on the model scale: "bias" for all domains, or one by the key of its domain.
        They are Normal(mean, sd), where a negative mean is a bias towards lower values of the effect. Default: Normal(0, 0.2) for log
        ratios, Normal(0, 0.11) for standardized mean differences.
    unclear : float
        Share of the bias, from 0 to 1, of studies whose risk is neither low nor high, or was not judged.
    seed : int
        Seed of draws.
    **options
        How effects are computed, as in ``effect_sizes``: ``zero_cells``, ``smd``, ``yi``, ``sei`` and so on.

    Returns
    -------
    BiasAdjusted

    Raises
    ------
    DataError
        If the data cannot be used, a study has no judgements, or no study has a bias.
    SpecError
        If a domain, an option or a prior is not known or not Normal, or the measure has no default prior for biases.

    Notes
    -----
    The model is y_i = mu + sum_d x_id b_d + u_i + e_i with u_i ~ Normal(0, tau^2), e_i ~ Normal(0, v_i), b_d ~ Normal(m_d, s_d^2), where
    x_id is 1 where study i is at high risk in domain d. Additive biases with priors are those of Turner et al. (2009, J R Stat Soc A
    172:21-47). The default standard deviations are from ratios of odds ratios in Savovic et al. (2012, Ann Intern Med 157:429-438). With
    wider priors the studies at high risk tell less of mu; with a standard deviation of 0 they count like the others.

    Examples
    --------
    >>> import pandas as pd
    >>> import bayesmeta as bm
    >>> effects = bm.effect_sizes(yi=[-0.3, -0.1, -0.9], sei=[0.1, 0.1, 0.2], labels=["A", "B", "C"], measure="SMD")
    >>> table = pd.DataFrame({"study": ["A", "B", "C"], "rob_randomization": ["low", "low", "high"]})
    >>> judged = bm.risk_of_bias(table, "rob2", domains=("randomization",))
    >>> bm.bias_adjusted(effects, judged, priors={"bias": "Normal(-0.2, 0.3)"})
    <BiasAdjusted: SMD -0.252 [-0.766, 0.142] (95%), unadjusted -0.382; 3 studies, 1 with a bias>
    """
    if not isinstance(judgements, RiskOfBias):
        raise SpecError("judgements are those of bm.risk_of_bias(table, tool)")
    effects = effect_sizes(studies, measure, **options)
    names = effects.labels if effects.studies is None else effects.studies.study_names
    used = [judgements.of(name) for name, one in zip(names, effects.used, strict=True) if one]
    found = adjusted_fit(effects, judgements.tool, used, domains=domains, priors=priors, unclear=unclear, seed=seed)
    if found is None:
        named = ", ".join(check_domains(judgements.tool, domains))
        raise DataError(
            f"no pooled study is at high risk of bias ({named}), so there is nothing to adjust",
            fix="Name other domains, or a share of the bias for studies with unclear risk.",
        )
    return found


def adjusted_fit(
    effects: Effects,
    tool: Tool,
    judged: Sequence[Mapping[str, str]],
    *,
    domains: Sequence[str] = (OVERALL,),
    priors: Mapping[str, str | Prior] | Priors | None = None,
    bias_priors: Mapping[str, str | Prior] | None = None,
    unclear: float = 0.0,
    seed: int = 1,
) -> BiasAdjusted | None:
    """Fit the model to effects whose pooled studies are judged; None where no pooled study has a bias.

    Parameters
    ----------
    effects : Effects
        Independent effects.
    tool : Tool
        The tool of the judgements.
    judged : sequence of mapping
        Of each pooled study: judgement by the key of the domain, and ``overall``.
    priors : mapping or Priors
        As in ``bias_adjusted``; where it is ``Priors``, those for mu and tau.
    bias_priors : mapping, optional
        Priors for biases where ``priors`` is ``Priors``: "bias", or by the key of the domain.
    domains, unclear, seed
        As in ``bias_adjusted``.

    Raises
    ------
    DataError, SpecError
        As in ``bias_adjusted``.
    """
    keys = check_domains(tool, domains)
    if not 0 <= unclear <= 1:
        raise SpecError(f"the share of the bias of studies with unclear risk is from 0 to 1 but got {unclear}")
    given: dict[str, str | Prior] = dict(bias_priors or {})
    if not isinstance(priors, Priors):
        places = {"bias", *keys}
        given |= {name: prior for name, prior in (priors or {}).items() if name in places}
        priors = {name: prior for name, prior in (priors or {}).items() if name not in places}
    shares = np.array([[share_of(tool, one[key], unclear) for key in keys] for one in judged], dtype=float)
    shares = shares.reshape(len(judged), len(keys))
    present = [i for i, key in enumerate(keys) if (shares[:, i] > 0).any()]
    if not present:
        return None
    biases = {keys[i]: prior_of(given, keys[i], effects.measure) for i in present}
    shares = shares[:, present]
    plain = model_data(effects, "normal")
    chosen = parse_priors(priors, default_priors(effects.measure, plain), effects.measure)
    names = (MEAN, *(f"{BIAS}{key}" for key in biases))
    design = Design(np.column_stack([np.ones(len(shares)), shares]), names)
    notes = tuple(f"{key}: no pooled study has this bias" for i, key in enumerate(keys) if i not in present)
    adjusted = solve(dataclasses.replace(plain, design=design), with_biases(chosen, biases), "quadrature", seed)
    return BiasAdjusted(adjusted, solve(plain, chosen, "quadrature", seed), biases, shares, notes)
