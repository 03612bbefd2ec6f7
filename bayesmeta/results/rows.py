"""Tidy rows of results: one dictionary per method and term, with the same keys for Bayesian and frequentist methods.

Functions named ``tidy_...`` return the rows of a result; ``averaged_rows`` and ``frequentist_rows`` compute results and return their rows.
Everything is unrounded, and on the model scale but for the rows of a Bayesian fit, which can be on the natural scale: their
highest-density intervals are not those of the logarithms (``posterior.natural``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.terms import NEW_STUDY, TAU, is_effect
from bayesmeta.errors import ConvergenceError, DataError, SpecError
from bayesmeta.frequentist.common_effect import CommonEffect
from bayesmeta.frequentist.i_squared import i_squared, typical_variance
from bayesmeta.frequentist.random_effects import RandomEffects
from bayesmeta.posterior.bands import Mid, band_columns
from bayesmeta.posterior.method import AVERAGED, BayesianMethod
from bayesmeta.posterior.model_average import model_average
from bayesmeta.posterior.natural import to_ratios
from bayesmeta.results.atoms import atom_note
from bayesmeta.results.methods import FREQUENTIST
from bayesmeta.support.frames import by_index

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.effects.effects import Effects
    from bayesmeta.model.likelihoods.data import ModelData
    from bayesmeta.posterior.model_average import ModelAverage
    from bayesmeta.posterior.posterior import Posterior


#: columns that every table of results has, in this order
TIDY = (
    "analysis", "method", "measure", "term", "estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "tau", "tau2", "i2", "k", "n"
)  # fmt: skip
#: further columns of Bayesian rows, as ``summarize`` names them
FROM_SUMMARY = (
    "hdi_low", "hdi_high", "prob_benefit", "prob_beyond_mid", "r_hat", "ess_bulk", "ess_tail", "mcse_median"
)  # fmt: skip


def tidy_posterior(
    posterior: Posterior, summary: pd.DataFrame, analysis: str = "", *, scale: str = "model"
) -> list[dict[str, Any]]:
    """Return the pooled rows of a Bayesian fit: mu, tau, tau2, i2, theta_new.

    Estimates are posterior medians, ``se`` posterior standard deviations on the model scale, intervals equal-tailed.
    The row of mu also has the interval of
    the effect in a new study as ``pi_low`` and ``pi_high``, and the posterior medians of tau, tau2 and i2.

    Parameters
    ----------
    posterior : Posterior
        Posterior of one analysis.
    summary : pandas.DataFrame
        Its summary on the model scale (``summarize``).
    analysis : str
        Id of the analysis.
    scale : str
        ``"model"``, or ``"natural"``: as in ``summarize``, but for ``se``.
    """
    terms = posterior.solution.terms
    on_model, natural = summary.loc[list(terms.pooled)], scale == "natural"
    summary = to_ratios(posterior, on_model, moments=False) if natural else on_model
    numbers, sds = by_index(summary), on_model["sd"].to_dict()
    pooled = {name: numbers[name]["median"] for name in terms.heterogeneity}
    for name in terms.new:
        pooled |= {"pi_low": numbers[name]["ci_low"], "pi_high": numbers[name]["ci_high"]}
    rows = []
    for term in terms.pooled:
        found = numbers[term]
        rows.append(
            {
                **_labels(posterior.data, posterior.method, analysis, term),
                "estimate": found["median"],
                "se": sds[term],
                "ci_low": found["ci_low"],
                "ci_high": found["ci_high"],
                **(pooled if term in terms.coefficients else {}),
                **({"note": "; ".join(posterior.prior_conflicts)} if term in terms.coefficients else {}),
                **{name: found[name] for name in FROM_SUMMARY},
                **{str(name): value for name, value in found.items() if str(name).startswith("prob_")},
                "scale": scale,
            }
        )
    return rows


def tidy_average(
    average: ModelAverage,
    analysis: str = "",
    *,
    level: float = 0.95,
    better: str | None = None,
    mid: Mid | None = None,
    conflicts: tuple[str, ...] | None = None,
) -> list[dict[str, Any]]:
    """Return the row of a model-averaged posterior, on the model scale: mu, under the method ``bayes:<likelihood>:averaged``.

    The estimate is the posterior mean, which papers on model averaging report (Gronau et al. 2021); the median, in the column
    ``median``, can be no effect exactly. On the natural scale it is the geometric mean of a ratio.
    ``prob_effect`` and ``prob_heterogeneity`` are posterior probabilities, ``bf_effect`` and ``bf_heterogeneity`` inclusion Bayes
    factors, infinite if too large for a float; ``log_bf_effect`` and ``log_bf_heterogeneity`` are their natural logs.

    Parameters
    ----------
    average : ModelAverage
        Result of ``model_average``.
    analysis : str
        Id of the analysis.
    level, better, mid
        As in ``summarize``.
    conflicts : tuple of str, optional
        Its prior-data conflicts, if they are known; computed by default.
    """
    posterior = average.posterior
    tails = np.array([0.5, 0.5 - 0.5 * level, 0.5 + 0.5 * level])
    mu = posterior.marginal(MEAN)
    median, low, high = posterior.quantile(MEAN, tails)
    pi_low, pi_high = posterior.quantile(NEW_STUDY, tails[1:])
    tau = posterior.quantile(TAU, 0.5)
    probabilities = band_columns(mu, posterior.measure, better, mid)
    estimate = float(mu.mean()[0])
    notes = [
        atom_note(1 - average.prob_effect, estimate, low, high, level),
        *(posterior.prior_conflicts if conflicts is None else conflicts),
    ]
    return [
        {
            **_labels(posterior.data, posterior.method, analysis, MEAN),
            "estimate": estimate,
            "median": median,
            "se": mu.sd()[0],
            "ci_low": low,
            "ci_high": high,
            "pi_low": pi_low,
            "pi_high": pi_high,
            "tau": tau,
            "tau2": tau**2,
            "i2": i_squared(tau**2, typical_variance(posterior.data.study_variance)),
            **{name: float(value[0]) for name, value in probabilities.items()},
            "prob_effect": average.prob_effect,
            "prob_heterogeneity": average.prob_heterogeneity,
            "bf_effect": average.bf_effect,
            "bf_heterogeneity": average.bf_heterogeneity,
            "note": "; ".join(note for note in notes if note),
            "log_bf_effect": average.log_bf("effect"),
            "log_bf_heterogeneity": average.log_bf("heterogeneity"),
        }
    ]


def averaged_rows(
    posterior: Posterior,
    analysis: str = "",
    *,
    level: float = 0.95,
    better: str | None = None,
    mid: Mid | None = None,
) -> list[dict[str, Any]]:
    """Return the model-averaged row of a fit's data and priors, each model with prior probability 1/4.

    Where the average is undefined, or would need a unit-information prior for mu that the data contradict, the row has no numbers, and
    the reason as its note.

    Parameters
    ----------
    posterior : Posterior
        Fit whose data and priors are used.
    analysis, level, better, mid
        As in ``tidy_average``.
    """
    try:
        average = model_average(posterior)
        replaced = average.posterior.priors.mu != posterior.priors.mu
        if not replaced:
            known = posterior.prior_conflicts
            return tidy_average(average, analysis, level=level, better=better, mid=mid, conflicts=known)
        name = f"the unit-information prior mu ~ {average.posterior.priors.mu}"
        if average.posterior.prior_conflicts:
            note = (
                f"not shown: averages need a proper prior for mu, and the data contradict {name}; give one in its place"
            )
            return [{**_labels(posterior.data, average.posterior.method, analysis, MEAN), "note": note}]
        rows = tidy_average(average, analysis, level=level, better=better, mid=mid)
        return [{**row, "note": "; ".join(filter(None, (f"averaged under {name}", row["note"])))} for row in rows]
    except (ConvergenceError, SpecError) as error:
        method = BayesianMethod(posterior.likelihood, AVERAGED).id
        return [{**_labels(posterior.data, method, analysis, MEAN), "note": f"not estimable: {error}"}]


def tidy_frequentist(
    result: RandomEffects | CommonEffect, method: str, effects: Effects, analysis: str = ""
) -> list[dict[str, Any]]:
    """Return the pooled rows of a frequentist result, on the model scale: mu, and tau where it has a confidence interval.

    Parameters
    ----------
    result : RandomEffects or CommonEffect
        Result of ``random_effects``, ``mantel_haenszel`` or ``peto``.
    method : str
        Name of the method in result rows.
    effects : Effects
        Effects that were pooled.
    analysis : str
        Id of the analysis.
    """
    notes = list(result.notes)
    # a common-effect method chooses its studies itself, and its notes name those it leaves out
    if isinstance(result, RandomEffects):
        notes += [f"{label}: {reason}" for label, reason in zip(effects.labels, effects.reasons, strict=True) if reason]
    rows = [
        {
            **_labels(effects, method, analysis, MEAN),
            "k": result.k,
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
        rows.append(
            {
                **_labels(effects, method, analysis, TAU),
                "k": result.k,
                "estimate": np.sqrt(result.tau2),
                "ci_low": np.sqrt(result.tau2_ci_low),
                "ci_high": np.sqrt(result.tau2_ci_high),
            }
        )
    return rows


def frequentist_rows(effects: Effects, *, analysis: str = "", level: float = 0.95) -> list[dict[str, Any]]:
    """Return the rows of all frequentist methods that apply to these effects, on the model scale.

    Parameters
    ----------
    effects : Effects
        Effects, at least one of them estimable.
    analysis : str
        Id of the analysis.
    level : float
        Probability of the intervals.
    """
    rows = []
    for method in FREQUENTIST.values():
        if not method.applies(effects):
            continue
        try:
            rows += tidy_frequentist(method.pool(effects, level), method.name, effects, analysis)
        except DataError as error:
            # a method that is undefined for these data keeps its row, with the reason
            rows.append(not_estimable(effects, method.name, error.what, analysis))
    return rows


def not_estimable(effects: Effects, method: str, why: str, analysis: str = "") -> dict[str, Any]:
    """Return the row of a method that these effects do not allow: no numbers, and the reason as its note."""
    reason = "; ".join(line.strip() for line in why.splitlines())
    return {**_labels(effects, method, analysis, MEAN), "note": f"not estimable: {reason}"}


def tidy_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return tidy rows as a frame, the columns of ``TIDY`` first; values that a row does not have are NaN.

    ``scale`` is the scale of the row, "model" (log for ratios) or "natural"; ``se_scale`` that of its ``se``, "log" or "natural".
    """
    import pandas as pd

    filled = [{**dict.fromkeys(TIDY, np.nan), "scale": "model", "se_scale": _scale_of_se(row), **row} for row in rows]
    frame = pd.DataFrame(filled, columns=None if filled else [*TIDY, "scale", "se_scale"])
    return frame[[*TIDY, *(name for name in frame.columns if name not in TIDY)]]


def _scale_of_se(row: Mapping[str, Any]) -> str:
    """Return the scale of the standard error of a row: "log" for effects of ratios, whose standard errors are never exponentiated."""
    return "log" if MEASURES[row["measure"]].log and is_effect(row["term"]) else "natural"


def _labels(data: ModelData | Effects, method: str, analysis: str, term: str) -> dict[str, Any]:
    """Return the keys that every row has: analysis, method, measure, term, and the numbers of studies and of participants."""
    return {"analysis": analysis, "method": method, "measure": data.measure, "term": term, "k": data.k, "n": data.n}
