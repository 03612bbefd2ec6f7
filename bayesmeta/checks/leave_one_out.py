"""Leave-one-study-out cross-validation: exact, by refits without each study, and approximate, from draws."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaincinv, ndtr

from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.normal.study_blocks import study_log_likelihood
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.engines.study_log_likelihood import pointwise_log_likelihood
from bayesmeta.engines.terms import TAU
from bayesmeta.posterior.averaged_solution import AveragedSolution
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.given import as_posterior
from bayesmeta.posterior.own_draws import own_log_likelihood
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.predictions import new_effect
from bayesmeta.posterior.refit import exact_fit, leave_each_out
from bayesmeta.support.arguments import with_keywords_of
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: number of draws for the approximation, and of quantiles of the chi-squared factor of a t statistic
DRAWS, QUANTILES = 4000, 400
#: edges of the panels for integrals over a study's predicted effect, as probabilities, and number of nodes on each panel
CUTS, NODES = (1e-7, 1e-3, 0.05, 0.25, 0.5, 0.75, 0.95, 1 - 1e-3, 1 - 1e-7), 10


@with_keywords_of(fit)
def leave_one_out(
    studies: Any = None, *, psis: bool = True, without: list[Posterior] | None = None, **given: Any
) -> pd.DataFrame:
    """Predict each study from the others: exact log predictive densities, by one refit per study.

    ``log p(D_i | D_-i)`` is the log marginal likelihood of all studies minus that of the others. The approximation is Pareto-smoothed
    importance sampling (Vehtari, Gelman and Gabry 2017, Stat Comput 27:1413-1432) from the posterior's own draws of mu (with moderators
    the coefficients) and tau, with
    each study's effect integrated out; it is unreliable where ``pareto_k`` is above 0.7.

    A user's model file has the approximation only, from its own log likelihood of each study: ``log_likelihood``, a variable or potential
    with one value per study, or else that of its observed variables given their parameters.

    Where estimates are nested in studies, or have correlated sampling errors such as those of a shared arm, a study is left out with all
    its estimates.

    Parameters
    ----------
    studies : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit by either engine, or data as in ``fit``.
    psis : bool
        Whether to add the approximation.
    without : list of Posterior, optional
        Fits without each study in turn; computed by default.
    **given
        Keywords of ``fit``.

    Returns
    -------
    pandas.DataFrame
        One row per study, index study. Columns log_predictive (natural log); tail, the probability that a new result of the study is at
        or below the observed one, predicted from the others (uniform if the model is right; NaN for counts, and for a study with several
        estimates, of which ``predictive_checks`` has one per estimate); and with ``psis``
        log_predictive_psis, pareto_k and psis_error (approximation minus exact), unless the sampling errors of all estimates are
        correlated, so that studies have no likelihood of their own. ``attrs`` has elpd_loo, the sum of log_predictive,
        and elpd_loo_se, sqrt(k) times its standard deviation.

    Raises
    ------
    DataError
        If there are fewer than two studies.
    SpecError
        If the quadrature engine does not support the priors, or a user's model file has no log likelihood of each study.
    """
    import pandas as pd

    posterior = as_posterior(studies, **given)
    if posterior.model_path:
        return own_leave_one_out(posterior)
    whole = exact_fit(posterior)
    without = leave_each_out(posterior) if without is None else without
    found = np.array([whole.log_marginal_likelihood - one.log_marginal_likelihood for one in without])
    names, rows = zip(*posterior.data.units, strict=True)
    tails = [
        tail_probability(posterior, int(own[0]), one) if len(own) == 1 and posterior.data.product else float("nan")
        for own, one in zip(rows, without, strict=True)
    ]
    columns: dict[str, Any] = {"log_predictive": found, "tail": tails}
    if psis and posterior.data.product:
        approximate, pareto_k = psis_log_predictive(posterior)
        columns |= {"log_predictive_psis": approximate, "pareto_k": pareto_k, "psis_error": approximate - found}
    frame = pd.DataFrame(columns, index=pd.Index(names, name="study"))
    frame.attrs = {"elpd_loo": float(found.sum()), "elpd_loo_se": float(np.sqrt(len(found)) * found.std(ddof=1))}
    return frame


def tail_probability(posterior: Posterior, i: int, predictor: Posterior) -> float:
    """Return the probability that a new result like estimate ``i``, with a new effect, is at or below the observed one.

    Parameters
    ----------
    posterior : Posterior
        Fit with the study's data.
    i : int
        Index of the estimate: its row.
    predictor : Posterior
        Fit, with or without the study, whose effect in a new study, with the moderators of this one, predicts the study's effect.

    Returns
    -------
    float
        Exact for the normal likelihood, of which the new result is that of a new estimate in a new study; to about 1e-5 for noncentral t;
        NaN for counts, which have nuisance parameters.
    """
    if isinstance(predictor.solution, AveragedSolution):
        parts = zip(predictor.solution.probabilities, predictor.solution.fits, strict=True)
        return float(sum(share * tail_probability(posterior, i, fit) for share, fit in parts if share > 0))
    outcomes, columns = posterior.data.outcomes, posterior.data.columns
    outcome = int(outcomes.codes[i]) if outcomes is not None and outcomes.structure == "UN" else None
    effect = new_effect(predictor, posterior.data.design.matrix[i], outcome)
    if posterior.likelihood == "normal":
        y, se = columns["effect"][i], columns["se"][i]
        if isinstance(effect, NormalMixtures):
            sds = np.sqrt(effect.sds[0] ** 2 + se**2)
            return float(ndtr((y - effect.means[0]) / sds) @ effect.weights / effect.weights.sum())
        return expectation(effect, lambda theta: ndtr((y - theta) / se))
    if posterior.likelihood == "nct":
        # t <= t_i where the standard normal is at most t_i w - delta, with df w^2 chi-squared
        df, p = columns["df"][i], (np.arange(QUANTILES) + 0.5) / QUANTILES
        bound, root_n = columns["t"][i] * np.sqrt(2 * gammaincinv(0.5 * df, p) / df), columns["root_n"][i]
        return expectation(effect, lambda theta: ndtr(bound - theta[:, None] * root_n).mean(axis=1))
    return float("nan")


def expectation(effect: Marginals, g: Callable[[Array], Array]) -> float:
    """Return the mean of a smooth function of one term, by Gauss-Legendre panels between quantiles of the term.

    Parameters
    ----------
    effect : Marginals
        Marginal distribution of one term.
    g : callable
        The function, of a vector of values.
    """
    if isinstance(effect, PointMasses):
        return float(g(effect.values)[0])
    cuts = effect.quantile(np.array(CUTS)[:, None])[:, 0]
    nodes, weights = legendre_rule(NODES)[:2]
    half = 0.5 * np.diff(cuts)[:, None]
    x = (cuts[:-1, None] + half * (nodes + 1)).ravel()
    mass = (half * weights).ravel() * effect.pdf(x[:, None])[:, 0]
    return float(mass @ g(x) / mass.sum())


def psis_log_predictive(posterior: Posterior) -> tuple[Array, Array]:
    """Approximate log p(D_i | D_-i) by Pareto-smoothed importance sampling from the posterior's draws, by arviz.

    Returns
    -------
    log_predictive, pareto_k : numpy.ndarray, shape (k,)
    """
    if not posterior.data.separate:
        flat = posterior.solution.sample_pooled(DRAWS, np.random.default_rng([posterior.seed, 3]))
        value = study_log_likelihood(posterior.data, flat)
        return _psis(value.reshape(4, -1, value.shape[1]), None)
    data, names = posterior.data, posterior.solution.terms.coefficients
    if posterior.engine == "nuts":
        dataset = posterior.draws["posterior"].to_dataset()
        draws = {name: dataset[name].values for name in (*names, TAU)}
    else:
        rng = np.random.default_rng([posterior.seed, 3])
        flat = posterior.solution.sample_pooled(DRAWS, rng)
        draws = {name: flat[name].reshape(4, -1) for name in (*names, TAU)}
    expected, tau = data.expected_effects(draws), draws[TAU]
    flat_expected = expected.reshape(-1, expected.shape[-1])
    value = pointwise_log_likelihood(data, posterior.priors, flat_expected, tau.ravel()).reshape(*tau.shape, -1)
    sampled = {name: (("chain", "draw"), draws[name]) for name in names}
    return _psis(value, sampled if posterior.engine == "nuts" else None)


def own_leave_one_out(posterior: Posterior) -> pd.DataFrame:
    """Predict each study from the others by a user's model, from its draws and its own log likelihood.

    Returns
    -------
    pandas.DataFrame
        Index study; columns log_predictive_psis (natural log) and pareto_k. ``attrs`` has elpd_loo and elpd_loo_se, from the approximation.

    Raises
    ------
    SpecError
        If the model has no log likelihood of each study.
    """
    import pandas as pd

    value = own_log_likelihood(posterior, "leave_one_out")
    approximate, pareto_k = _psis(value, posterior.solution.groups["posterior"].data_vars)
    columns = {"log_predictive_psis": approximate, "pareto_k": pareto_k}
    frame = pd.DataFrame(columns, index=pd.Index(posterior.data.labels, name="study"))
    frame.attrs = {
        "elpd_loo": float(approximate.sum()),
        "elpd_loo_se": float(np.sqrt(len(approximate)) * approximate.std(ddof=1)),
    }
    return frame


def _psis(log_likelihood: Array, drawn: Mapping[Any, Any] | None) -> tuple[Array, Array]:
    """Approximate log predictive densities by arviz.

    Parameters
    ----------
    log_likelihood : numpy.ndarray, shape (chain, draw, k)
        Natural log.
    drawn : mapping of str to variable, or None
        Draws of the parameters, for the relative efficiency of chains; None if draws are independent.

    Returns
    -------
    log_predictive, pareto_k : numpy.ndarray, shape (k,)
        Of a study whose likelihood is the same at every draw, so that there is nothing to smooth: that value, and 0.
    """
    import arviz_stats as az
    import xarray as xr

    chains, draws = log_likelihood.shape[:2]
    varies = np.ptp(log_likelihood, axis=(0, 1)) > 1e-12 * np.abs(log_likelihood).max(axis=(0, 1))
    if not varies.all():
        known, pareto_k = log_likelihood.mean(axis=(0, 1)), np.zeros(len(varies))
        if varies.any():
            known[varies], pareto_k[varies] = _psis(log_likelihood[:, :, varies], drawn)
        return known, pareto_k
    coords = {"chain": np.arange(chains), "draw": np.arange(draws)}
    named = {"none": (("chain", "draw"), np.zeros((chains, draws)))} if drawn is None else dict(drawn)
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(named, coords=coords),
            "log_likelihood": xr.Dataset({"study": (("chain", "draw", "i"), log_likelihood)}, coords=coords),
        }
    )
    with warnings.catch_warnings():
        # arviz warns about high Pareto k, which the table has
        warnings.simplefilter("ignore")
        loo = az.loo(tree, pointwise=True, reff=1.0 if drawn is None else None)
    return np.asarray(loo.elpd_i, dtype=float).ravel(), np.asarray(loo.pareto_k, dtype=float).ravel()
