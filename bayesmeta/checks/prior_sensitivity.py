"""Sensitivity to the priors: the same data fitted under a list of other priors, with a verdict in one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bayesmeta.checks.influence import pooled_numbers, term_row
from bayesmeta.checks.prior_grids import default_mu_priors, default_tau_priors, slope_variants, with_coefficients
from bayesmeta.effects.measures import MEASURES
from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.engines.terms import MEAN
from bayesmeta.errors import BayesmetaError, SpecError
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.model.priors.defaults import default_priors, unit_information_sd
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.bands import Mid
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.given import as_posterior
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.predictions import mean_effect
from bayesmeta.posterior.refit import exact_fit, refit
from bayesmeta.posterior.scale import on_scale
from bayesmeta.support.arguments import check_level, with_keywords_of

if TYPE_CHECKING:
    import pandas as pd

#: value of the column varied in the row of the fit itself
AS_FITTED = "as fitted"
#: value of the column varied where tau_between and tau_within both get the prior, and other priors for the share rho
BY_LEVEL, RHO_PRIORS = "tau_between and tau_within", ("Beta(0.5, 0.5)", "Beta(2, 2)", "Beta(1, 3)", "Beta(3, 1)")
#: default priors for a study's baseline, all of them often called vague; Beta(1, 1) on a risk is Logistic(0, 1) on its logit
BASELINES: dict[str, tuple[str, ...]] = {
    "binomial": ("Normal(0, 10)", "Normal(0, 5)", "Normal(0, 2.5)", "Beta(0.5, 0.5)", "Beta(1, 1)"),
    "poisson": ("Normal(0, 10)", "Normal(0, 5)", "Normal(0, 2.5)"),
}


@with_keywords_of(fit)
def prior_sensitivity(
    studies: Any = None,
    *,
    tau_priors: Iterable[str | Prior] | None = None,
    mu_priors: Iterable[str | Prior] | None = None,
    term: str | None = None,
    level: float = 0.95,
    scale: str = "model",
    better: str | None = None,
    mid: Mid | None = None,
    **given: Any,
) -> pd.DataFrame:
    """Fit the same data under other priors for tau, then for mu, by quadrature.

    A user's model file is sampled again under each of the priors: name a few in ``tau_priors`` and ``mu_priors`` to save time. Of an
    average of models, the priors under the alternatives are varied.

    Parameters
    ----------
    studies : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit, or data as in ``fit``.
    tau_priors, mu_priors : iterable of str or Prior, optional
        Other priors. Default for tau: HalfNormal, HalfCauchy, HalfT, Exponential, Uniform and LogNormal from narrow to vague, scaled
        to the measure, and the empirical prior of the measure; for mu: half, twice and ten times as wide, and flat. An empty list
        leaves the parameter out. With moderators ``mu_priors`` are for the effect at their means, or for the intercept where that has a
        prior of its own, and the priors of all slopes are one half, twice and ten times as wide.
    term : str, optional
        With moderators, the coefficient that the table is of; default: "effect_at_means".
    level, scale, better, mid
        As in ``summarize``.
    **given
        Keywords of ``fit``.

    Returns
    -------
    pandas.DataFrame
        One row per prior, the fit itself first. Columns varied ("as fitted", "tau", "mu", with several estimates per
        study "rho", with moderators "slopes"), prior, estimate (posterior median), se,
        ci_low, ci_high, pi_low, pi_high, tau, tau_high, prob_benefit, prob_beyond_mid, shift (change of the posterior mean of mu,
        model scale), shift_sd (shift in posterior standard deviations of the fit itself), log_marginal_likelihood (natural log),
        excludes_null (whether the interval of mu excludes no effect) and note (why a row has no numbers). ``attrs["verdict"]``
        summarizes the table in a sentence or two.

    Raises
    ------
    SpecError
        For a prior that cannot be read, a fitted prior that the quadrature engine does not support, an unknown scale or side.
    """
    check_level(level)
    whole = exact_fit(as_posterior(studies, **given))
    taus = (
        default_tau_priors(whole.measure, _unit(whole))
        if tau_priors is None
        else [parse_prior(text, whole.measure) for text in tau_priors]
    )
    literal = dict(whole.priors.coefficients).get(INTERCEPT)
    mus = (
        default_mu_priors(literal or whole.priors.mu, unit_information_sd(whole.data))
        if mu_priors is None
        else list(map(parse_prior, mu_priors))
    )
    variants = [(AS_FITTED, _priors_text(whole.priors), whole.priors)]
    if whole.priors.between is not None:
        variants += [(BY_LEVEL, str(prior), replace(whole.priors, between=prior, within=prior)) for prior in taus]
    else:
        variants += [("tau", str(prior), replace(whole.priors, scale=prior, on_variance=False)) for prior in taus]
    if whole.priors.rho is not None:
        lowest = whole.priors.rho.support[0]
        rhos = list(map(parse_prior, RHO_PRIORS if lowest >= 0 else [f"Uniform({lowest:g}, 1)", "Uniform(0, 1)"]))
        variants += [("rho", str(prior), replace(whole.priors, rho=prior)) for prior in rhos]
    if literal is None:
        variants += [("mu", str(prior), replace(whole.priors, mu=prior)) for prior in mus]
    else:
        variants += [(INTERCEPT, str(prior), with_coefficients(whole.priors, {INTERCEPT: prior})) for prior in mus]
    variants += slope_variants(whole.priors)
    return _grid(whole, variants, term, level, scale, better, mid)


@with_keywords_of(fit)
def baseline_sensitivity(
    studies: Any = None,
    *,
    baselines: Iterable[str | Prior] | None = None,
    term: str | None = None,
    level: float = 0.95,
    scale: str = "model",
    better: str | None = None,
    mid: Mid | None = None,
    **given: Any,
) -> pd.DataFrame:
    """Fit the same counts under other priors for the studies' baseline risks or rates, by quadrature.

    With rare events a prior for the baseline that is flat in the risk, such as Beta(1, 1), changes every study's likelihood and thereby
    the pooled effect.

    Parameters
    ----------
    studies : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit with an arm-level likelihood of counts, or data as in ``fit``.
    baselines : iterable of str or Prior, optional
        Other priors. Default: Normal(0, 10), Normal(0, 5) and Normal(0, 2.5), for risks also Beta(0.5, 0.5) and Beta(1, 1).
    term : str, optional
        As in ``prior_sensitivity``.
    level, scale, better, mid
        As in ``summarize``.
    **given
        Keywords of ``fit``.

    Returns
    -------
    pandas.DataFrame
        As in ``prior_sensitivity``, with varied "as fitted" or "baseline".

    Raises
    ------
    SpecError
        If the likelihood has no baseline, and as in ``prior_sensitivity``.
    """
    check_level(level)
    whole = exact_fit(as_posterior(studies, **given))
    if baselines is None and whole.likelihood not in BASELINES:
        raise SpecError(
            f"likelihood '{whole.likelihood}' has no baseline; fit the counts of the arms, e.g. likelihood='binomial'"
        )
    priors = list(map(parse_prior, BASELINES[whole.likelihood] if baselines is None else baselines))
    fitted = whole.priors.baseline
    variants = [(AS_FITTED, "the likelihood's own" if fitted is None else str(fitted), whole.priors)]
    variants += [("baseline", str(prior), replace(whole.priors, baseline=prior)) for prior in priors]
    return _grid(whole, variants, term, level, scale, better, mid)


def verdict(frame: pd.DataFrame, measure: str, level: float = 0.95, term: str = MEAN) -> str:
    """Summarize a table of ``prior_sensitivity`` or ``baseline_sensitivity`` in words.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table.
    measure : str
        Effect measure, which determines whether shifts are on a log scale.
    level : float
        Probability of the intervals.
    term : str
        What the table is of.

    Returns
    -------
    str
        One sentence per parameter whose prior was varied; the fitted prior is counted in each.
    """
    fitted = frame[frame["varied"] == AS_FITTED]
    sentences = []
    for varied in dict.fromkeys(frame["varied"]):
        if varied == AS_FITTED:
            continue
        rows = frame[frame["varied"] == varied]
        empty = int(rows["estimate"].isna().sum())
        excluded = [*fitted["excludes_null"], *rows.loc[rows["estimate"].notna(), "excludes_null"]]
        most = rows.loc[rows["shift_sd"].abs().idxmax()] if empty < len(rows) else None
        moved = ""
        if most is not None:
            where = " on the log scale" if MEASURES[measure].log else ""
            moved = f"; {term} moves by at most {abs(most['shift']):.2g}{where} ({abs(most['shift_sd']):.2f} posterior sd, {most['prior']})"
        failed = f"; {empty} could not be fitted" if empty else ""
        sentences.append(
            f"{_how_many(excluded, varied)} the {100 * level:g}% interval {_finding(excluded)} no effect{moved}{failed}."
        )
    return " ".join(sentences)


def _unit(whole: Posterior) -> float:
    """Return a large tau in the units of the measure: twice the scale of its default prior, which is 1 for log ratios."""
    known = MEASURES[whole.measure].prior_sds is not None
    return 1.0 if known else 2.0 * float(default_priors(whole.measure, whole.data).scale.args[0])


def _priors_text(priors: Priors) -> str:
    return ", ".join(f"{name} ~ {text}" for name, text in priors.to_dict().items())


def _grid(
    whole: Posterior,
    variants: Sequence[tuple[str, str, Priors]],
    term: str | None,
    level: float,
    scale: str,
    better: str | None,
    mid: Mid | None,
) -> pd.DataFrame:
    import pandas as pd

    term, weights = term_row(whole.data, term)
    whole_term = mean_effect(whole, term, weights)
    centre, sd = float(whole_term.mean()[0]), float(whole_term.sd()[0])
    rows = []
    for varied, prior, priors in variants:
        row: dict[str, Any] = {"varied": varied, "prior": prior}
        try:
            one = whole if varied == AS_FITTED else refit(whole, priors)
        except BayesmetaError as error:
            rows.append({**row, "excludes_null": False, "note": str(error)})
            continue
        row |= pooled_numbers(one, term=term, row=weights, level=level, better=better, mid=mid)
        shift = float(mean_effect(one, term, weights).mean()[0]) - centre
        row |= {"shift": shift, "shift_sd": shift / sd if sd > 0 else 0.0}
        known = _proper(priors, whole) and one.solution.log_marginal_likelihood is not None
        row |= {"log_marginal_likelihood": one.log_marginal_likelihood if known else float("nan")}
        rows.append({**row, "excludes_null": bool(row["ci_low"] > 0 or row["ci_high"] < 0), "note": ""})
    frame = on_scale(pd.DataFrame(rows), scale, MEASURES[whole.measure].log)
    frame.attrs["verdict"] = verdict(frame, whole.measure, level, term)
    return frame


def _proper(priors: Priors, whole: Posterior) -> bool:
    """Whether the marginal likelihood is defined."""
    design = whole.data.design
    return priors.mu.proper if design.is_mean else combination_priors(priors, design).proper


def _how_many(excluded: list[bool], varied: str) -> str:
    count, total = sum(excluded), len(excluded)
    if count in (0, total):
        return f"Under all {total} priors for {_named(varied)}"
    return f"Under {count} of {total} priors for {_named(varied)}"


def _named(varied: str) -> str:
    return {"baseline": "the baseline", "slopes": "the slopes"}.get(varied, varied)


def _finding(excluded: list[bool]) -> str:
    return "excludes" if any(excluded) else "includes"
