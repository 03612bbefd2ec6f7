"""Tidy rows of Bayesian and frequentist results: one schema for every method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.engines.normal.formulas import typical_variance
from bayesmeta.errors import ConvergenceError, DataError, SpecError
from bayesmeta.frequentist.common_effect import mantel_haenszel, peto
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.posterior.model_average import model_average
from bayesmeta.posterior.summary import benefit_probabilities

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
    for term in posterior.terms[:5]:
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
    new = summary.loc["theta_new"]
    medians = {name: summary.loc[name, "median"] for name in ("tau", "tau2", "i2")}
    rows[0] |= {"pi_low": new["ci_low"], "pi_high": new["ci_high"], **medians}
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
    mu, new = posterior.marginal("mu"), posterior.marginal("theta_new")
    median, low, high = posterior.quantile("mu", tails)
    pi_low, pi_high = new.quantile(tails[1:, None])[:, 0]
    tau = posterior.quantile("tau", 0.5)
    sides = benefit_probabilities(mu, posterior.measure, better, mid)
    return [
        {
            "analysis": analysis, "method": posterior.method, "measure": posterior.measure, "term": "mu",
            "estimate": mu.mean()[0], "median": median, "se": mu.sd()[0], "ci_low": low, "ci_high": high,
            "pi_low": pi_low, "pi_high": pi_high,
            "tau": tau, "tau2": tau**2, "i2": 100 * tau**2 / (tau**2 + typical_variance(posterior.data.study_variance)),
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
        empty = {"analysis": analysis, "method": f"bayes:{posterior.likelihood}:averaged", "measure": posterior.measure}
        counts = {"k": posterior.data.k, "n": posterior.data.n}
        return [{**empty, "term": "mu", **counts, "note": f"not estimable: {error}"}]


def tidy_frequentist(result: Any, method: str, effects: Effects, analysis: str = "") -> list[dict[str, Any]]:
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
    tau2 = getattr(result, "tau2", np.nan)
    left_out = [f"{label}: {reason}" for label, reason in zip(effects.labels, effects.reasons, strict=True) if reason]
    notes = [*getattr(result, "notes", ()), *left_out]
    shared = {"analysis": analysis, "method": method, "measure": effects.measure, "k": result.k, "n": effects.n}
    rows = [
        {
            **shared,
            "term": "mu",
            "estimate": result.estimate,
            "se": result.se,
            "ci_low": result.ci_low,
            "ci_high": result.ci_high,
            "pi_low": getattr(result, "pi_low", np.nan),
            "pi_high": getattr(result, "pi_high", np.nan),
            "tau": np.sqrt(tau2),
            "tau2": tau2,
            "i2": result.i2,
            "q": result.q,
            "q_df": result.q_df,
            "q_pvalue": result.q_pvalue,
            "pvalue": result.pvalue,
            "note": "; ".join(notes),
        }
    ]
    if np.isfinite(getattr(result, "tau2_ci_high", np.nan)):
        limits = np.sqrt([result.tau2_ci_low, result.tau2_ci_high])
        rows.append({**shared, "term": "tau", "estimate": np.sqrt(tau2), "ci_low": limits[0], "ci_high": limits[1]})
    return rows


#: the random-effects rows of every comparison: method name, tau2 estimator, interval
RANDOM_EFFECTS_ROWS = (
    ("CE", "CE", "wald"), ("DL", "DL", "wald"), ("PM", "PM", "wald"), ("REML", "REML", "wald"), ("ML", "ML", "wald"),
    ("EB", "EB", "wald"), ("SJ", "SJ", "wald"), ("HE", "HE", "wald"), ("HS", "HS", "wald"),
    ("REML-HKSJ", "REML", "hksj_guarded"),
)  # fmt: skip


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
    wanted: list[tuple[str, Callable[[], Any]]] = [
        (name, partial(random_effects, effects, method=method, ci=ci, level=level))
        for name, method, ci in RANDOM_EFFECTS_ROWS
    ]
    studies = effects.studies
    if studies is not None and studies.kind == "dichotomous":
        if effects.measure in ("RR", "OR", "RD"):
            wanted.append(("DL-MH", partial(random_effects, effects, method="DL-MH", level=level)))
            wanted.append(("MH", partial(mantel_haenszel, studies, effects.measure, level=level)))
        if effects.measure in ("OR", "PETO"):
            wanted.append(("Peto", partial(peto, studies, level=level)))
    rows = []
    for name, pool in wanted:
        try:
            rows += tidy_frequentist(pool(), name, effects, analysis)
        except DataError as error:
            # a method that these data leave undefined keeps its row, with the reason
            empty = {"analysis": analysis, "method": name, "measure": effects.measure, "term": "mu"}
            rows.append({**empty, "k": effects.k, "n": effects.n, "note": f"not estimable: {error.what}"})
    return rows


def tidy_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return tidy rows as a frame, the columns of ``TIDY`` first."""
    import pandas as pd

    filled = [{**dict.fromkeys(TIDY, np.nan), "scale": "model", **row} for row in rows]
    frame = pd.DataFrame(filled, columns=None if filled else [*TIDY, "scale"])
    return frame[[*TIDY, *(name for name in frame.columns if name not in TIDY)]]
