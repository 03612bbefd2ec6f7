"""Influence of each study: the pooled result without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.normal.outcome_rows import outcome_rows
from bayesmeta.engines.terms import AT_MEANS, MEAN, TAU
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
from bayesmeta.posterior.term_numbers import TermNumbers
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
        estimate (median of the term), se (its standard deviation), ci_low, ci_high, pi_low, pi_high (interval of the effect in a new study
        whose mean is the term; of a new estimate in a new study, where studies have several; NaN if there is none), tau (median), tau_high
        (upper end of its interval) or, with a tau per outcome, tau[outcome] and tau_high[outcome]; prob_benefit, prob_beyond_mid,
        and the probabilities of bands if ``mid`` is bands.
    """
    mu = posterior.marginal(term) if row is None else mean_effect(posterior, term, row)
    return effect_numbers(
        posterior, posterior.measure, mu, _new_of(posterior, term, row), level=level, better=better, mid=mid
    )


def effect_numbers(
    fitted: TermNumbers,
    measure: str,
    mu: Marginals,
    new: Marginals | None,
    *,
    level: float,
    better: str | None = None,
    mid: Mid | None = None,
) -> dict[str, float]:
    """Return the numbers of one effect, as in ``pooled_numbers``.

    Parameters
    ----------
    fitted : TermNumbers
        The fit, for its heterogeneity.
    measure : str
        Abbreviation of the effect measure.
    mu : Marginals
        Marginal distribution of the effect.
    new : Marginals or None
        That of the effect in a new study; None if there is none.
    level, better, mid
        As in ``summarize``.
    """
    tails = np.array([0.5, 0.5 - 0.5 * level, 0.5 + 0.5 * level])
    estimate, low, high = (float(value) for value in mu.quantile(tails[:, None])[:, 0])
    pi_low, pi_high = (
        (float("nan"),) * 2 if new is None else (float(end) for end in new.quantile(tails[1:, None])[:, 0])
    )
    found = {
        "estimate": estimate, "se": float(mu.sd()[0]), "ci_low": low, "ci_high": high, "pi_low": pi_low, "pi_high": pi_high
    }  # fmt: skip
    for name in _taus(fitted):
        middle, upper = fitted.quantile(name, tails[[0, 2]])
        found |= {name: float(middle), name.replace(TAU, f"{TAU}_high", 1): float(upper)}
    sides = band_columns(mu, measure, better, mid)
    return found | {name: float(value[0]) for name, value in sides.items()}


def with_shifts(frame: pd.DataFrame, means: Array, sd: float) -> pd.DataFrame:
    """Return rows, the first of which has all studies, with the columns shift, shift_sd and most_influential.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows.
    means : numpy.ndarray, shape (rows,)
        Posterior means, model scale; NaN where there is none.
    sd : float
        Posterior standard deviation with all studies.
    """
    shift = means - means[0]
    in_sd = shift / sd if sd > 0 else np.zeros(len(shift))
    size = np.nan_to_num(np.abs(in_sd))
    most = (np.arange(len(size)) == size.argmax()) & (size > 0)
    return frame.assign(shift=shift, shift_sd=in_sd, most_influential=most)


def _taus(fitted: TermNumbers) -> tuple[str, ...]:
    """Return the names of the between-study standard deviations: tau, or one per outcome."""
    heterogeneity = fitted.solution.terms.heterogeneity
    return (TAU,) if TAU in heterogeneity else tuple(name for name in heterogeneity if name.startswith(f"{TAU}["))


def _new_of(posterior: Posterior, term: str, row: Array | None) -> Marginals | None:
    """Return the effect in a new study that has the term as its mean; None where the term is no such mean, or is one of two outcomes."""
    data, terms = posterior.data, posterior.solution.terms
    if data.outcomes is None:
        if data.design.is_mean:
            return posterior.marginal(terms.new[-1]) if terms.new else None
        return new_effect(posterior, row) if row is not None and term == AT_MEANS else None
    if row is None:
        return None
    own = outcome_rows(data.design.matrix, data.outcomes.codes, len(data.outcomes.names))
    same = np.zeros(0, dtype=int) if own is None else np.flatnonzero((own == row).all(axis=1))
    if data.outcomes.structure == "UN":
        return new_effect(posterior, row, int(same[0])) if len(same) == 1 else None
    return new_effect(posterior, row) if len(same) or term == AT_MEANS else None


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
        pi_low, pi_high, tau, tau_high (with a tau per outcome tau[outcome] and tau_high[outcome]), prob_benefit, prob_beyond_mid,
        bf_effect if ``bayes_factors``, shift (change of the posterior
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
    frame = with_shifts(frame, means, float(mean_effect(whole, term, row).sd()[0]))
    return on_scale(frame, scale, MEASURES[posterior.measure].log)
