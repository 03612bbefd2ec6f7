"""Tidy rows of Bayesian and frequentist results: one schema for every method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.engines.terms import NEW_STUDY, TAU
from bayesmeta.errors import ConvergenceError, DataError, SpecError
from bayesmeta.frequentist.common_effect import CommonEffect
from bayesmeta.frequentist.i_squared import i_squared, typical_variance
from bayesmeta.frequentist.random_effects import RandomEffects
from bayesmeta.posterior.method import AVERAGED, BayesianMethod
from bayesmeta.posterior.model_average import model_average
from bayesmeta.posterior.summary import benefit_probabilities
from bayesmeta.results.methods import FREQUENTIST

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.effects.compute import Effects
    from bayesmeta.posterior.model_average import ModelAverage
    from bayesmeta.posterior.posterior import Posterior


TIDY = (
    "analysis", "method", "measure", "term", "estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "tau", "tau2", "i2", "k", "n"
)  # fmt: skip


def tidy_posterior(posterior: Posterior, summary: pd.DataFrame, analysis: str = "") -> list[dict[str, Any]]:
    """Return the pooled rows of a Bayesian fit, on the model scale: mu, tau, tau2, i2, theta_new.

    Estimates are posterior medians, ``se`` posterior standard deviations, intervals equal-tailed. The row of mu carries the interval of the
    effect in a new study as ``pi`` and the posterior medians of tau, tau2 and i2.

    Parameters
    ----------
    posterior : Posterior
        The fit.
    summary : pandas.DataFrame
        From ``summarize`` on the model scale.
    analysis : str
        Its id.
    """
    shared = {"analysis": analysis, "method": posterior.method, "measure": posterior.measure}
    rows = []
    terms = posterior.solution.terms
    for term in terms.pooled:
        found = summary.loc[term]
        kept = (
            "hdi_low",
            "hdi_high",
            "prob_benefit",
            "prob_beyond_mid",
            "r_hat",
            "ess_bulk",
            "ess_tail",
            "mcse_median",
        )
        rows.append(
            {
                **shared,
                "term": term,
                "estimate": found["median"],
                "se": found["sd"],
                "ci_low": found["ci_low"],
                "ci_high": found["ci_high"],
                **{name: found[name] for name in kept},
                "k": posterior.data.k,
                "n": posterior.data.n,
            }
        )
    shared_by_coefficients = {name: summary.loc[name, "median"] for name in terms.heterogeneity}
    for name in terms.new:
        shared_by_coefficients |= {"pi_low": summary.loc[name, "ci_low"], "pi_high": summary.loc[name, "ci_high"]}
    for row in rows[: len(terms.coefficients)]:
        row |= shared_by_coefficients
    return rows


def tidy_average(
    average: ModelAverage,
    analysis: str = "",
    *,
    level: float = 0.95,
    better: str | None = None,
    mid: float | None = None,
) -> list[dict[str, Any]]:
    """Return the row of a model-averaged posterior, on the model scale: mu, under the method ``bayes:<likelihood>:averaged``.

    The estimate is the posterior mean, which papers on model averaging report (Gronau et al. 2021): the median, beside it as
    ``median``, can be no effect exactly. ``prob_effect``, ``prob_heterogeneity``, ``bf_effect`` and
    ``bf_heterogeneity`` say what the data say of the models.

    Parameters
    ----------
    average : ModelAverage
        From ``model_average``.
    analysis : str
        Its id.
    level, better, mid
        As in ``summarize``.
    """
    posterior = average.posterior
    tails = np.array([0.5, 0.5 - 0.5 * level, 0.5 + 0.5 * level])
    mu, new = posterior.marginal(MEAN), posterior.marginal(NEW_STUDY)
    median, low, high = posterior.quantile(MEAN, tails)
    pi_low, pi_high = new.quantile(tails[1:, None])[:, 0]
    tau = posterior.quantile(TAU, 0.5)
    sides = benefit_probabilities(mu, posterior.measure, better, mid)
    return [
        {
            "analysis": analysis, "method": posterior.method, "measure": posterior.measure, "term": MEAN,
            "estimate": mu.mean()[0], "median": median, "se": mu.sd()[0], "ci_low": low, "ci_high": high,
            "pi_low": pi_low, "pi_high": pi_high,
            "tau": tau, "tau2": tau**2, "i2": i_squared(tau**2, typical_variance(posterior.data.study_variance)),
            **{name: float(value[0]) for name, value in sides.items()},
            "prob_effect": average.prob_effect, "prob_heterogeneity": average.prob_heterogeneity,
            "bf_effect": average.bf_effect, "bf_heterogeneity": average.bf_heterogeneity,
            "k": posterior.data.k, "n": posterior.data.n,
        }
    ]  # fmt: skip


def averaged_rows(
    posterior: Posterior,
    analysis: str = "",
    *,
    level: float = 0.95,
    better: str | None = None,
    mid: float | None = None,
) -> list[dict[str, Any]]:
    """Return the model-averaged row beside a fit, each model with probability 1/4; where it is undefined the row says why.

    Parameters
    ----------
    posterior : Posterior
        Whose data and priors are taken.
    analysis, level, better, mid
        As in ``tidy_average``.
    """
    try:
        return tidy_average(model_average(posterior), analysis, level=level, better=better, mid=mid)
    except (ConvergenceError, SpecError) as error:
        empty = {
            "analysis": analysis,
            "method": BayesianMethod(posterior.likelihood, AVERAGED).id,
            "measure": posterior.measure,
        }
        counts = {"k": posterior.data.k, "n": posterior.data.n}
        return [{**empty, "term": MEAN, **counts, "note": f"not estimable: {error}"}]


def tidy_frequentist(
    result: RandomEffects | CommonEffect, method: str, effects: Effects, analysis: str = ""
) -> list[dict[str, Any]]:
    """Return the pooled rows of a frequentist result, on the model scale: mu, and tau where it is estimated.

    Parameters
    ----------
    result : RandomEffects or CommonEffect
        What ``random_effects``, ``mantel_haenszel`` or ``peto`` returned.
    method : str
        Its name in tables.
    effects : Effects
        What was pooled.
    analysis : str
        Its id.
    """
    notes = list(result.notes)
    # a common-effect method chooses its studies itself, and its notes name those it leaves out
    if isinstance(result, RandomEffects):
        notes += [f"{label}: {reason}" for label, reason in zip(effects.labels, effects.reasons, strict=True) if reason]
    shared = {"analysis": analysis, "method": method, "measure": effects.measure, "k": result.k, "n": effects.n}
    rows = [
        {
            **shared,
            "term": MEAN,
            "estimate": result.estimate,
            "se": result.se,
            "ci_low": result.ci_low,
            "ci_high": result.ci_high,
            "pi_low": result.pi_low,
            "pi_high": result.pi_high,
            "tau": np.sqrt(result.tau2),
            "tau2": result.tau2,
            "i2": result.i2,
            "q": result.q,
            "q_df": result.q_df,
            "q_pvalue": result.q_pvalue,
            "pvalue": result.pvalue,
            "note": "; ".join(notes),
        }
    ]
    if isinstance(result, RandomEffects) and np.isfinite(result.tau2_ci_high):
        limits = np.sqrt([result.tau2_ci_low, result.tau2_ci_high])
        rows.append(
            {**shared, "term": TAU, "estimate": np.sqrt(result.tau2), "ci_low": limits[0], "ci_high": limits[1]}
        )
    return rows


def frequentist_rows(effects: Effects, *, analysis: str = "", level: float = 0.95) -> list[dict[str, Any]]:
    """Return every frequentist row that applies to these effects, on the model scale.

    Parameters
    ----------
    effects : Effects
        At least one of them estimable.
    analysis : str
        Their id.
    level : float
        Of the intervals.
    """
    rows = []
    for method in FREQUENTIST.values():
        if not method.applies(effects):
            continue
        try:
            rows += tidy_frequentist(method.pool(effects, level), method.name, effects, analysis)
        except DataError as error:
            # a method that these data leave undefined keeps its row, with the reason
            empty = {"analysis": analysis, "method": method.name, "measure": effects.measure, "term": MEAN}
            rows.append({**empty, "k": effects.k, "n": effects.n, "note": f"not estimable: {error.what}"})
    return rows


def tidy_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return tidy rows as a frame, the columns of ``TIDY`` first."""
    import pandas as pd

    filled = [{**dict.fromkeys(TIDY, np.nan), "scale": "model", **row} for row in rows]
    frame = pd.DataFrame(filled, columns=None if filled else [*TIDY, "scale"])
    return frame[[*TIDY, *(name for name in frame.columns if name not in TIDY)]]
