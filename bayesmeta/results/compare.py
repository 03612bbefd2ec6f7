"""Comparison of all methods on the same studies: one row per method, unrounded."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.design import MEAN
from bayesmeta.effects.estimate_columns import columns_of
from bayesmeta.effects.estimates import read_estimates
from bayesmeta.effects.independence import independent_effects
from bayesmeta.errors import BayesmetaError, ConvergenceError, DataError, SpecError
from bayesmeta.frequentist.multilevel.groupings import parse_nesting
from bayesmeta.model.likelihoods.registry import default_likelihood
from bayesmeta.posterior.bands import Mid
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.method import BayesianMethod
from bayesmeta.posterior.scale import check_scale, to_natural
from bayesmeta.posterior.summary import summarize
from bayesmeta.results.model_rows import is_effect_row
from bayesmeta.results.models.bayesian import bayesian_models
from bayesmeta.results.models.bayesian_fits import BayesianChoice
from bayesmeta.results.models.given import EVERY_METHOD, ModelInput
from bayesmeta.results.models.priors import check_prior_names, pooled_priors
from bayesmeta.results.models.run import frequentist_models
from bayesmeta.results.models.wanted import WantedModels
from bayesmeta.results.rows import averaged_rows, frequentist_rows, not_estimable, tidy_frame, tidy_posterior
from bayesmeta.support.arguments import check_level, with_keywords_of

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.effects.effects import Effects


@with_keywords_of(effect_sizes)
def compare(
    studies: Any = None,
    *,
    measure: str | None = None,
    priors: Any = None,
    level: float = 0.95,
    scale: str = "model",
    better: str | None = None,
    mid: Mid | None = None,
    moderators: str | Sequence[str] = (),
    by: str | Sequence[str] = (),
    nesting: str | None = None,
    sampling_correlation: Any = None,
    covariance: Any = None,
    data: Any = None,
    drop_missing: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """Pool the same studies by all frequentist methods and by Bayesian models fitted by quadrature.

    Parameters
    ----------
    studies, measure, priors
        As in ``fit``.
    level, scale, better, mid
        As in ``summarize``.
    moderators : str or sequence of str
        Formula of moderators, or several, each fitted on its own: further rows, one per coefficient, and the effect at the means of the
        moderators.
    by : str or sequence of str
        Column of groups, or several: further rows, one per group, all together ("overall"), and the difference of each from the first.
    nesting, sampling_correlation, covariance
        As in ``multilevel``: further rows of the model of dependent estimates, in which moderators and groups are then fitted too. The
        rows of one pooled effect take the estimates as independent, and their notes say so. Estimates that share arms have such rows
        without these options: with their covariance, and true effects that are independent (nesting "estimate").
    data : pandas.DataFrame, mapping or path, optional
        Columns with one value per estimate that moderators, groups and nesting name, beside those of the study table; or characteristics
        with one row per study, as in ``regression``.
    drop_missing : bool
        Whether studies whose moderator or group is missing are left out instead of refused.
    **options
        Data and options as in ``effect_sizes``.

    Returns
    -------
    pandas.DataFrame
        One row per method: the frequentist methods; the Bayesian model with the normal likelihood and, for arm-level data, with the
        arm-level one; and each of these averaged over the models with and without an effect and heterogeneity (``model_average``).
        A method that cannot be used with these data has a row without numbers, and the reason in the column ``note``.
        Columns analysis, method, measure, term, estimate, se, ci_low, ci_high, pi_low, pi_high, tau, tau2, i2 (percent), k, n, scale
        and others that only some methods have. With moderators, groups or nesting, ``model`` (the formula, column or nesting; "" of one
        pooled effect) and ``group``, and in the rows of models qm, qm_df, qm_df_residual, qm_pvalue: the test of the moderators, or of
        differences between groups. The estimates of the Bayesian rows are posterior medians, of the averaged ones means;
        ``se`` and tau are on the model scale.

    Raises
    ------
    DataError
        If no method can use the data.
    SpecError
        For an unknown measure, prior, scale or side, a level outside (0, 1), or a minimal important difference on the side of harm.
    """
    check_scale(scale)
    check_level(level)
    parse_nesting(nesting)
    dependent = any(value is not None for value in (nesting, sampling_correlation, covariance))
    effects, data = read_estimates(
        studies, measure, data, options, repeated=dependent, dependence=sampling_correlation is None
    )
    pooled = independent_effects(effects)
    correlated = not effects.covariance.diagonal or not effects.nesting.one_estimate_per_study
    if nesting is None and sampling_correlation is not None and effects.nesting.one_estimate_per_study:
        raise SpecError("sampling_correlation= needs nesting=: it is between the estimates of one outermost group")
    if nesting is None and (correlated or dependent):
        nesting = "estimate" if effects.nesting.one_estimate_per_study else "/".join(effects.nesting.levels)
    wanted = WantedModels(
        _several(moderators, "moderators", "a formula such as '~ dose'"), _several(by, "by", "the name of a column"), nesting,
        sampling_correlation, drop_missing, covariance,
    )  # fmt: skip
    models = ModelInput(effects, columns_of(effects, data) if wanted.any else {}, wanted, level, "", EVERY_METHOD)
    stated = dict(priors or {})
    check_prior_names(models, list(stated))
    rows = frequentist_rows(pooled, level=level)
    # by quadrature the pooled effect takes the covariance, not the nesting
    exact = effects if correlated and not dependent and effects.nesting.one_estimate_per_study else pooled
    failures: list[BayesmetaError] = []
    likelihoods: dict[str, Any] = {}
    for likelihood in dict.fromkeys(("normal", default_likelihood(exact))):
        given = dict(stated)
        if likelihood == "normal":
            # the prior for the baseline is for the arm-level likelihood only
            given.pop("baseline", None)
        likelihoods[likelihood] = given
        try:
            posterior = fit(exact, likelihood=likelihood, priors=pooled_priors(given), engine="quadrature")
        except (DataError, ConvergenceError) as error:
            failures.append(error)
            rows.append(not_estimable(exact, BayesianMethod(likelihood, "quadrature").id, str(error)))
            continue
        summary = summarize(posterior, level=level, better=better, mid=mid, studies=False)
        rows += tidy_posterior(posterior, summary, scale=scale)
        rows += averaged_rows(posterior, level=level, better=better, mid=mid)
    if failures and not any("estimate" in row for row in rows):
        raise failures[-1]
    rows = [row for row in rows if row["term"] == MEAN]
    if correlated or dependent:
        rows = [_with_note(row, exact if str(row["method"]).startswith("bayes") else pooled) for row in rows]
    if wanted.any:
        found = frequentist_models(models).rows
        bayesian = bayesian_models(models, BayesianChoice(likelihoods, better=better, mid=mid, scale=scale))
        found += bayesian.noted_rows()
        rows = [{**row, "model": "", "group": ""} for row in rows] + [row for row in found if is_effect_row(row)]
    frame = tidy_frame(rows)
    return to_natural(frame) if scale == "natural" else frame


def _with_note(row: dict[str, Any], effects: Effects) -> dict[str, Any]:
    """Return a row of one pooled effect with a note if its method takes dependent estimates as independent."""
    if not effects.covariance.diagonal or "estimate" not in row:
        return row
    note = "takes the estimates as independent, which they are not"
    return {**row, "note": "; ".join(filter(None, (note, row.get("note"))))}


def _several(texts: str | Sequence[str] | None, what: str, example: str) -> tuple[str, ...]:
    """Return one text, or several, as a tuple.

    Raises
    ------
    SpecError
        If it is something else, or a text is empty.
    """
    found = (texts,) if isinstance(texts, str) else () if texts is None else texts
    if not isinstance(found, (list, tuple)) or not all(isinstance(text, str) and text.strip() for text in found):
        raise SpecError(f"{what} of compare should be {example}, or a list of them, but is {reprlib.repr(texts)}")
    return tuple(found)
