"""Comparison of all methods on the same studies: one row per method, unrounded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.design import MEAN
from bayesmeta.effects.estimates import read_estimates
from bayesmeta.engines.terms import TAU
from bayesmeta.errors import BayesmetaError, ConvergenceError, DataError
from bayesmeta.model.likelihoods.registry import default_likelihood
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.method import BayesianMethod
from bayesmeta.posterior.scale import check_scale, to_natural
from bayesmeta.posterior.summary import summarize
from bayesmeta.results.model_rows import ModelOptions, frequentist_model_rows
from bayesmeta.results.row_parts import not_estimable
from bayesmeta.results.rows import averaged_rows, frequentist_rows, tidy_frame, tidy_posterior
from bayesmeta.support.arguments import check_level, with_keywords_of

if TYPE_CHECKING:
    import pandas as pd


@with_keywords_of(effect_sizes)
def compare(
    studies: Any = None,
    *,
    measure: str | None = None,
    priors: Any = None,
    level: float = 0.95,
    scale: str = "model",
    better: str | None = None,
    mid: float | None = None,
    moderators: Any = None,
    data: Any = None,
    by: Any = None,
    nesting: Any = None,
    sampling_correlation: Any = None,
    covariance: Any = None,
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
    moderators : str, array_like, Design or DataFrame, optional
        Wilkinson formula, or X itself, as in ``regression``: every method is a meta-regression.
    data : pandas.DataFrame, mapping or path, optional
        Columns with one value per estimate, or study characteristics, as in ``regression``.
    by : str or sequence, optional
        Subgroups, as in ``subgroups``, with a tau2 per group and with a common one.
    nesting, sampling_correlation, covariance
        Several estimates per study, as in ``multilevel``.
    drop_missing : bool
        Whether studies without a moderator or a group are left out instead of refused.
    **options
        Data and options as in ``effect_sizes``.

    Returns
    -------
    pandas.DataFrame
        One row per method: the frequentist methods; the Bayesian model with the normal likelihood and, for arm-level data, with the
        arm-level one; and each of these averaged over the models with and without an effect and heterogeneity (``model_average``).
        A method that cannot be used with these data has a row without numbers, and the reason in the column ``note``.
        Columns analysis, method, measure, term, estimate, se, ci_low, ci_high, pi_low, pi_high, tau, tau2, i2 (percent), k, n, scale
        and others that only some methods have. The estimates of the Bayesian rows are posterior medians, of the averaged ones means;
        ``se`` and tau are on the model scale. With moderators there is one row per coefficient and method, and ``term`` is its name as the
        formula writes it; with subgroups one row per group (column ``group``, "" for all studies) and method. Columns qm, qm_df,
        qm_df_residual and qm_pvalue are the test of the moderators, or of differences between subgroups. These rows are frequentist only.

    Raises
    ------
    DataError
        If no method can use the data.
    SpecError
        If options do not go together; for an unknown measure, prior, scale or side, a level outside (0, 1), or a minimal important
        difference on the side of harm.
    """
    check_scale(scale)
    check_level(level)
    model = ModelOptions(moderators, data, by, nesting, sampling_correlation, covariance, drop_missing)
    effects, columns = read_estimates(
        studies, measure, data, options, repeated=model.dependent, dependence=sampling_correlation is None
    )
    if not model.pairwise or not effects.pairwise:
        model = replace(model, data=columns)
        frame = tidy_frame([row for row in frequentist_model_rows(effects, model, level=level) if row["term"] != TAU])
        return to_natural(frame) if scale == "natural" else frame
    rows = frequentist_rows(effects, level=level)
    failures: list[BayesmetaError] = []
    for likelihood in dict.fromkeys(("normal", default_likelihood(effects))):
        given = dict(priors or {})
        if likelihood == "normal":
            # the prior for the baseline is for the arm-level likelihood only
            given.pop("baseline", None)
        try:
            posterior = fit(effects, likelihood=likelihood, priors=given, engine="quadrature")
        except (DataError, ConvergenceError) as error:
            failures.append(error)
            rows.append(not_estimable(effects, BayesianMethod(likelihood, "quadrature").id, str(error)))
            continue
        summary = summarize(posterior, level=level, better=better, mid=mid, studies=False)
        rows += tidy_posterior(posterior, summary, scale=scale)
        rows += averaged_rows(posterior, level=level, better=better, mid=mid)
    if failures and not any("estimate" in row for row in rows):
        raise failures[-1]
    frame = tidy_frame([row for row in rows if row["term"] == MEAN])
    return to_natural(frame) if scale == "natural" else frame
