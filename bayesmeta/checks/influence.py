"""Influence of each study: the pooled result without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.terms import AT_MEANS, MEAN
from bayesmeta.errors import unknown_name
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.posterior.bands import Mid, band_columns
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.given import as_posterior
from bayesmeta.posterior.model_average import model_average
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.predictions import mean_effect, new_effect
from bayesmeta.posterior.refit import exact_fit, leave_each_out
from bayesmeta.posterior.scale import on_scale
from bayesmeta.support.arguments import check_level, with_keywords_of
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: index of the row of all studies
ALL = "(none)"


def term_row(data: ModelData, term: str | None = None) -> tuple[str, Array]:
    """Return the term that a check is of, and its row of X: the weights of the coefficients in it.

    Parameters
    ----------
    data : ModelData
        Data of the fit with all studies.
    term : str, optional
        A coefficient, or "effect_at_means"; default: mu or, with moderators, "effect_at_means".

    Raises
    ------
    SpecError
        If the model has no such term.
    """
    if data.design.is_mean:
        if term not in (None, MEAN):
            raise unknown_name("term", term, (MEAN,))
        return MEAN, np.ones(1)
    names = (AT_MEANS, *data.design.names)
    if term is not None and term not in names:
        raise unknown_name("term", term, names)
    if term in (None, AT_MEANS):
        return AT_MEANS, data.design.matrix.mean(axis=0)
    return str(term), np.eye(len(data.design.names))[data.design.names.index(str(term))]


def pooled_numbers(
    posterior: Posterior,
    *,
    term: str = MEAN,
    row: Array | None = None,
    level: float = 0.95,
    better: str | None = None,
    mid: Mid | None = None,
) -> dict[str, float]:
    """Return the pooled result of a fit as one row, on the model scale.

    Parameters
    ----------
    posterior : Posterior
        Any fit.
    term, row
        What is pooled, from ``term_row``.
    level, better, mid
        As in ``summarize``.

    Returns
    -------
    dict
        estimate (median of the term), se (its standard deviation), ci_low, ci_high, pi_low, pi_high (interval of the effect in a new study,
        NaN if the model has none), tau (median), tau_high (upper end of its interval), prob_benefit, prob_beyond_mid, and
        the probabilities of bands if ``mid`` is bands.
    """
    tails = np.array([0.5, 0.5 - 0.5 * level, 0.5 + 0.5 * level])
    mu = posterior.marginal(term) if row is None else mean_effect(posterior, term, row)
    estimate, low, high = (float(value) for value in mu.quantile(tails[:, None])[:, 0])
    pi_low, pi_high = float("nan"), float("nan")
    if posterior.solution.terms.new:
        pi_low, pi_high = posterior.quantile(posterior.solution.terms.new[0], tails[1:])
    elif row is not None and term == AT_MEANS and posterior.data.outcomes is None:
        pi_low, pi_high = (float(value) for value in new_effect(posterior, row).quantile(tails[1:, None])[:, 0])
    tau, tau_high = posterior.quantile("tau", tails[[0, 2]])
    sides = band_columns(mu, posterior.measure, better, mid)
    return {
        "estimate": estimate, "se": float(mu.sd()[0]), "ci_low": low, "ci_high": high, "pi_low": pi_low, "pi_high": pi_high,
        "tau": tau, "tau_high": tau_high, **{name: float(value[0]) for name, value in sides.items()},
    }  # fmt: skip


@with_keywords_of(fit)
def influence(
    studies: Any = None,
    *,
    term: str | None = None,
    level: float = 0.95,
    scale: str = "model",
    better: str | None = None,
    mid: Mid | None = None,
    bayes_factors: bool = False,
    without: list[Posterior] | None = None,
    **given: Any,
) -> pd.DataFrame:
    """Pool the studies without each of them in turn, with all its estimates, by quadrature.

    The model that was fitted is fitted again: a user's model file by NUTS, which takes its time for each study, and an average of models
    with all of them.

    Parameters
    ----------
    studies : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit, or data as in ``fit``.
    term : str, optional
        With moderators, a coefficient, or "effect_at_means", the default: the effect at the means of the moderators of all studies.
    level, scale, better, mid
        As in ``summarize``.
    bayes_factors : bool
        Whether to add ``bf_effect``, the inclusion Bayes factor for an effect (``model_average``).
    without : list of Posterior, optional
        Fits without each study in turn; computed by default.
    **given
        Keywords of ``fit``.

    Returns
    -------
    pandas.DataFrame
        One row per study left out, index left_out: "(none)", then each study. Columns estimate (posterior median), se, ci_low, ci_high,
        pi_low, pi_high, tau, tau_high, prob_benefit, prob_beyond_mid, bf_effect if ``bayes_factors``, shift (change of the posterior
        mean, model scale), shift_sd (shift in posterior standard deviations of all studies) and most_influential (whether its
        shift_sd is the largest).

    Raises
    ------
    DataError
        If there are fewer than two studies.
    SpecError
        If the quadrature engine does not support the priors, or for an unknown scale or side.
    """
    import pandas as pd

    check_level(level)
    posterior = as_posterior(studies, **given)
    whole = exact_fit(posterior)
    fits = [whole, *(leave_each_out(posterior) if without is None else without)]
    term, row = term_row(posterior.data, term)
    rows = [pooled_numbers(one, term=term, row=row, level=level, better=better, mid=mid) for one in fits]
    if bayes_factors:
        for found, one in zip(rows, fits, strict=True):
            found["bf_effect"] = model_average(one).bf_effect
    frame = pd.DataFrame(rows, index=pd.Index([ALL, *(name for name, _ in posterior.data.units)], name="left_out"))
    means = np.array([mean_effect(one, term, row).mean()[0] for one in fits])
    frame["shift"] = means - means[0]
    sd = float(mean_effect(whole, term, row).sd()[0])
    frame["shift_sd"] = frame["shift"] / sd if sd > 0 else 0.0
    size = np.abs(frame["shift_sd"].to_numpy())
    frame["most_influential"] = (np.arange(len(size)) == size.argmax()) & (size > 0)
    return on_scale(frame, scale, MEASURES[posterior.measure].log)
