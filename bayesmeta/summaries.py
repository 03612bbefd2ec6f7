"""Tidy summaries: one row a term, the same columns whatever the method; nothing is rounded here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.frequentist import random_effects
from bayesmeta.measures import MEASURES

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.measures import Effects
    from bayesmeta.posterior import Posterior

Array = np.ndarray
TIDY = (
    "analysis", "method", "measure", "term", "estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "tau", "tau2", "i2", "k", "n"
)  # fmt: skip
SCALES = ("model", "natural")
SIDES = ("lower", "higher")
#: the columns of ``summarize`` that are values of the term itself, so that they move to the natural scale with it
VALUES = ("mean", "median", "ci_low", "ci_high", "hdi_low", "hdi_high")


def check_level(level: float) -> None:
    """Refuse a probability that is not strictly between 0 and 1.

    Raises
    ------
    SpecError
    """
    if not 0 < level < 1:
        raise SpecError(f"level must be between 0 and 1 but got {level}; 0.95 gives 95% intervals")


def summarize(
    posterior: Posterior,
    *,
    scale: str = "model",
    level: float = 0.95,
    better: str | None = None,
    mid: float | None = None,
    studies: bool = True,
) -> pd.DataFrame:
    """Summarize a posterior, one row a term.

    Parameters
    ----------
    posterior : Posterior
        From either engine.
    scale : str
        ``"model"`` (log for ratios) or ``"natural"``: means, medians and interval ends of effects are exponentiated once, here; the
        mean is then the geometric mean, the highest-density interval is that of the log, and ``sd`` stays on the log scale.
    level : float
        Probability of the intervals.
    better : str, optional
        ``"lower"`` or ``"higher"``: the side of benefit, for ``prob_benefit``.
    mid : float, optional
        Minimal important difference on the NATURAL scale (0.8 for a risk ratio, -0.2 or 0.2 for an SMD; only its distance from no effect
        counts for differences), for ``prob_beyond_mid``: the probability of a benefit larger than it. Needs ``better``.
    studies : bool
        Whether to add a row for each study's shrunken effect, ``theta[name]``.

    Returns
    -------
    pandas.DataFrame
        Index ``term``: mu, tau, tau2, i2 (percent), theta_new, theta[...]. Columns mean, sd, median, ci_low, ci_high (equal-tailed), hdi_low,
        hdi_high, prob_benefit, prob_beyond_mid, r_hat, ess_bulk, ess_tail, mcse_mean, mcse_sd, mcse_ci_low, mcse_median,
        mcse_ci_high. Quadrature has no sampling error: its mcse are 0 and r_hat and ess are NaN.

    Raises
    ------
    SpecError
        For an unknown scale or side, a level outside (0, 1), or a mid on the wrong side.
    """
    import pandas as pd

    if scale not in SCALES:
        raise unknown_name("scale", scale, SCALES)
    check_level(level)
    tails = np.array([[0.5 - 0.5 * level], [0.5], [0.5 + 0.5 * level]])
    blocks = []
    for family in posterior.solution.families:
        low, median, high = family.quantile(tails)
        hdi_low, hdi_high = family.hdi(level)
        block = {
            "term": np.array(family.terms),
            "mean": family.mean(), "sd": family.sd(), "median": median, "ci_low": low, "ci_high": high,
            "hdi_low": hdi_low, "hdi_high": hdi_high,
            **_probabilities(family, posterior.measure, better, mid),
            **_sampling_error(family),
        }  # fmt: skip
        blocks.append(block)
    joined = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    rows = posterior.terms if studies else posterior.terms[:5]
    position = {term: i for i, term in enumerate(joined.pop("term"))}
    order = np.array([position[term] for term in rows])
    columns = {name: value[order] for name, value in joined.items()}
    if scale == "natural" and MEASURES[posterior.measure].log:
        effect = np.array([is_effect(term) for term in rows])
        for name in VALUES:
            columns[name] = np.where(effect, np.exp(np.where(effect, columns[name], 0.0)), columns[name])
    return pd.DataFrame(columns, index=pd.Index(rows, name="term"))


def is_effect(term: str) -> bool:
    """Whether a term is an effect (mu, theta_new, theta[...]) rather than a measure of heterogeneity."""
    return term == "mu" or term.startswith("theta")


def mid_on_model_scale(measure: str, better: str | None, mid: float) -> float:
    """Signed minimal important difference on the model scale, on the side of benefit.

    Parameters
    ----------
    measure : str
        Effect measure.
    better : str or None
        ``"lower"`` or ``"higher"``.
    mid : float
        On the natural scale.

    Raises
    ------
    SpecError
        Without a side of benefit, or for a ratio that is not positive or lies on the side of harm.
    """
    if better is None:
        raise SpecError("a minimal important difference needs the side of benefit: better='lower' or better='higher'")
    sign = -1.0 if better == "lower" else 1.0
    if not MEASURES[measure].log:
        return sign * abs(mid)
    if not mid > 0:
        raise SpecError(f"the minimal important difference of a ratio must be above 0 but got {mid}")
    if sign * np.log(mid) < 0:
        raise SpecError(f"a minimal important ratio of {mid} is not on the side of benefit, which is '{better}' than 1")
    return float(np.log(mid))


def _probabilities(family: Any, measure: str, better: str | None, mid: float | None) -> dict[str, Array]:
    if better is not None and better not in SIDES:
        raise unknown_name("side of benefit", better, SIDES)
    effect = np.array([is_effect(term) for term in family.terms])
    beyond = mid_on_model_scale(measure, better, mid) if mid is not None else np.nan
    found = {}
    for name, bound in (("prob_benefit", 0.0 if better else np.nan), ("prob_beyond_mid", beyond)):
        if not effect.any() or np.isnan(bound):
            found[name] = np.full(len(effect), np.nan)
            continue
        below = family.cdf(np.full(len(effect), bound))
        found[name] = np.where(effect, below if better == "lower" else 1 - below, np.nan)
    return found


def _sampling_error(family: Any) -> dict[str, Array]:
    if hasattr(family, "sampling_error"):
        return family.sampling_error()
    size = len(family.terms)
    exact = dict.fromkeys(("mcse_mean", "mcse_sd", "mcse_ci_low", "mcse_median", "mcse_ci_high"), np.zeros(size))
    return {**dict.fromkeys(("r_hat", "ess_bulk", "ess_tail"), np.full(size, np.nan)), **exact}


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
            }  # fmt: skip
        )
    new = summary.loc["theta_new"]
    medians = {name: summary.loc[name, "median"] for name in ("tau", "tau2", "i2")}
    rows[0] |= {"pi_low": new["ci_low"], "pi_high": new["ci_high"], **medians}
    return rows


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
        }  # fmt: skip
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
    from bayesmeta.common_effect import mantel_haenszel, peto

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

    frame = pd.DataFrame([{**dict.fromkeys(TIDY, np.nan), "scale": "model", **row} for row in rows])
    return frame[[*TIDY, *(name for name in frame.columns if name not in TIDY)]]


def to_natural(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a tidy frame with estimates and intervals on the natural scale: ratios exponentiated once, ``se`` and tau left as they are."""
    out = frame.copy()
    log = np.array(
        [MEASURES[m].log and is_effect(t) for m, t in zip(out["measure"], out["term"], strict=True)], dtype=bool
    )
    for column in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high"):
        values = out[column].to_numpy(float)
        out[column] = np.where(log, np.exp(np.where(log, values, 0.0)), values)
    out["scale"] = "natural"
    return out


def compare(
    studies: Any = None,
    *,
    measure: str | None = None,
    priors: Any = None,
    level: float = 0.95,
    scale: str = "model",
    better: str | None = None,
    mid: float | None = None,
    **data: Any,
) -> pd.DataFrame:
    """Pool the same studies by every method, side by side; needs no PyMC.

    Parameters
    ----------
    studies, measure, priors, **data
        As in ``fit``.
    level, scale, better, mid
        As in ``summarize``.

    Returns
    -------
    pandas.DataFrame
        One row a method: the frequentist ones and the Bayesian normal model by quadrature; columns ``TIDY`` and more. The estimate
        of the Bayesian row is the posterior median.
    """
    from bayesmeta.fitting import as_effects, fit

    if scale not in SCALES:
        raise unknown_name("scale", scale, SCALES)
    check_level(level)
    effects = as_effects(studies, measure=measure, **data)
    rows = frequentist_rows(effects, level=level)
    posterior = fit(effects, likelihood="normal", priors=priors, engine="quadrature")
    summary = summarize(posterior, level=level, better=better, mid=mid, studies=False)
    frame = tidy_frame([row for row in [*rows, *tidy_posterior(posterior, summary)] if row["term"] == "mu"])
    return to_natural(frame) if scale == "natural" else frame
