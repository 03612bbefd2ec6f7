"""Rows of the bias-adjusted model in the run of a review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.certainty.bias_adjusted import FACTORS, BiasAdjusted, adjusted_fit, prediction_interval
from bayesmeta.certainty.bias_priors import BIAS
from bayesmeta.certainty.risk_of_bias_tools import Tool
from bayesmeta.effects.design import MEAN
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError
from bayesmeta.posterior.bands import Mid
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.summary import summarize
from bayesmeta.results.models.given import one_line
from bayesmeta.results.rows import tidy_posterior
from bayesmeta.reviews.analysis_priors import priors_of
from bayesmeta.reviews.band_keys import mid_of
from bayesmeta.reviews.result import AnalysisResult

if TYPE_CHECKING:
    from bayesmeta.reviews.analysis_keys import Analysis
    from bayesmeta.reviews.spec import Review

#: the model of these rows, and their groups: without and with the stated biases, and with other standard deviations of their priors
MODEL, UNADJUSTED, STATED, FACTOR = "bias_adjusted", "unadjusted", "stated priors", "sd x "


def adjusted_rows(
    review: Review,
    keys: Analysis,
    effects: Effects,
    tool: Tool,
    judged: Sequence[Mapping[str, str]],
    result: AnalysisResult,
) -> list[dict[str, Any]]:
    """Return the rows of the bias-adjusted model of an analysis; none where the review has none or no pooled study has a bias.

    Parameters
    ----------
    review, keys, effects
        The review, the analysis and its effects.
    tool : Tool
        The tool of the judgements.
    judged : sequence of mapping
        Judgements of each study of the effects, also those that are not pooled.
    result : AnalysisResult
        Receives the model, and what cannot be fitted.
    """
    adjust = review.risk_of_bias.adjust if review.risk_of_bias else None
    if adjust is None:
        return []
    pooled = [one for one, used in zip(judged, effects.used, strict=True) if used]
    try:
        priors = priors_of(review, keys, effects, "normal")
        fitted = adjusted_fit(
            effects, tool, pooled, domains=adjust.domains, priors=priors, bias_priors=adjust.priors_for(effects.measure),
            unclear=adjust.unclear, seed=review.settings.seed,
        )  # fmt: skip
        if fitted is None:
            return []
        level, mid = review.level_of(keys), mid_of(review, keys)
        rows = _rows(fitted, keys, level, mid)
    except BayesmetaError as error:
        result.errors.append(f"[risk_of_bias] adjust: {_in_review_toml(one_line(str(error)), effects.measure)}")
        return []
    biased = int((fitted.shares > 0).any(axis=1).sum())
    result.models.append(
        {
            "kind": MODEL, "model": MODEL, "priors": {name: str(prior) for name, prior in fitted.biases.items()},
            "biased": biased, "notes": list(fitted.notes),
        }
    )  # fmt: skip
    return rows


def _in_review_toml(message: str, measure: str) -> str:
    """Return an error with the fix as a review states it, not as Python does."""
    return message.replace(
        'priors={"bias": "Normal(0, 1)"}', f'priors = {{ {measure} = "Normal(0, 1)" }} under [risk_of_bias.adjust]'
    )


def _rows(fitted: BiasAdjusted, keys: Analysis, level: float, mid: Mid | None) -> list[dict[str, Any]]:
    fits = {UNADJUSTED: fitted.unadjusted, STATED: fitted.posterior}
    fits |= {f"{FACTOR}{factor:g}": fitted.with_factor(factor) for factor in FACTORS if factor != 1}
    rows = []
    for group, posterior in fits.items():
        for row in _tidy(posterior, keys, level, mid):
            if row["term"] == MEAN or (group == STATED and row["term"].startswith((BIAS, "tau"))):
                rows.append({**row, "model": MODEL, "group": group})
    return rows


def _tidy(posterior: Posterior, keys: Analysis, level: float, mid: Mid | None) -> list[dict[str, Any]]:
    summary = summarize(posterior, level=level, better=keys.better, mid=mid, studies=False)
    rows = tidy_posterior(posterior, summary, keys.id, scale="natural")
    low, high = prediction_interval(posterior, level)
    if MEASURES[posterior.measure].log:
        low, high = float(np.exp(low)), float(np.exp(high))
    for row in rows:
        if row["term"] == MEAN:
            row |= {"pi_low": low, "pi_high": high}
        elif row["term"].startswith(BIAS):  # a bias is neither a benefit nor a harm
            row |= {name: float("nan") for name in row if name.startswith("prob_")}
    return rows
