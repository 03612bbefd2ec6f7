"""Absolute effects in the run of a review: risks with treatment, and what an SMD means, from the posterior that is shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmeta.certainty.baseline_risk import MEDIAN, BaselineRisk, baseline_risk
from bayesmeta.certainty.corresponding_risk import CorrespondingRisk, odds_ratio_of, superiority_of
from bayesmeta.effects.effects import Effects
from bayesmeta.errors import BayesmetaError
from bayesmeta.posterior.bands import bands_of
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.results.models.given import one_line
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.result import AnalysisResult

#: kind of the entry of a result that has the absolute effects
KIND = "absolute"


def add_absolute(
    analysis: Analysis, effects: Effects, posterior: Posterior | None, level: float, result: AnalysisResult
) -> None:
    """Add the absolute effects of an analysis to its result, with what cannot be computed to its errors.

    Parameters
    ----------
    analysis : Analysis
        The analysis, for its keys.
    effects : Effects
        Its effects.
    posterior : Posterior or None
        The fit that is shown.
    level : float
        Probability of the intervals.
    result : AnalysisResult
        Its result, whose ``models`` get an entry of the kind ``"absolute"``.
    """
    keys = analysis.absolute
    if posterior is None or (keys is None and analysis.grade is None):
        return
    found: dict[str, Any] = {"kind": KIND, "model": KIND}
    try:
        base = _baseline(analysis, effects, posterior)
        if base is not None:
            found |= _risks(analysis, posterior, base, level)
    except BayesmetaError as error:
        result.errors.append(f"absolute effects: {one_line(str(error))}")
    if analysis.measure == "SMD":
        found |= _in_other_words(posterior, None if keys is None else keys.sd, level)
    result.models.append(found)


def _baseline(analysis: Analysis, effects: Effects, posterior: Posterior) -> BaselineRisk | None:
    """Return the baseline risk, of the studies that the posterior pools; None for measures and data without one."""
    keys, table = analysis.absolute, effects.studies
    given = None if keys is None else keys.baseline
    counts = table is not None and table.kind == "dichotomous"
    if given is None:
        if not counts or analysis.measure not in ("RR", "OR", "PETO", "RD"):
            return None
        given = MEDIAN
    # a likelihood of the counts pools studies whose effect cannot be estimated, such as those without events
    used = effects.used | np.isin(effects.labels, posterior.data.labels)
    events = table.columns["events_c"][used] if table is not None and counts else ()
    participants = table.columns["n_c"][used] if table is not None and counts else ()
    return baseline_risk(given, events, participants, source="" if keys is None else keys.source)


def _risks(analysis: Analysis, posterior: Posterior, base: BaselineRisk, level: float) -> dict[str, Any]:
    risk = CorrespondingRisk(posterior.marginal("mu"), analysis.measure, base)
    found: dict[str, Any] = {
        "baseline": base.median, "baseline_low": base.low, "baseline_high": base.high, "baseline_source": base.source,
        **risk.summary(level),
    }  # fmt: skip
    keys = analysis.absolute
    if keys is not None and keys.per_1000 is not None and analysis.better is not None:
        bands = bands_of("RD", analysis.better, {name: value / 1000 for name, value in keys.per_1000.given.items()})
        limits = [0.0, *(risk.cdf(limit, difference=True) for limit in bands.limits), 1.0]
        shares = np.diff(limits) if analysis.better == "lower" else np.diff(limits)[::-1]
        found |= {f"prob_{name}": float(share) for name, share in zip(bands.names, shares, strict=True)}
    return found


def _in_other_words(posterior: Posterior, sd: float | None, level: float) -> dict[str, float]:
    """Return an SMD as a difference of means, an odds ratio and a probability of superiority: monotone, so its quantiles transformed."""
    ends = posterior.quantile("mu", np.array([0.5, 0.5 - 0.5 * level, 0.5 + 0.5 * level]))
    found: dict[str, float] = {}
    shown = {"odds_ratio": odds_ratio_of(ends), "superiority": superiority_of(ends)}
    shown |= {} if sd is None else {"mean_difference": sd * ends}
    for name, values in shown.items():
        found |= {f"{name}{end}": float(x) for end, x in zip(("", "_low", "_high"), values, strict=True)}
    return found
