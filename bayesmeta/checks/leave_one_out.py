"""Leave-one-study-out cross-validation: exact, by fitting again without each study, with the approximation from draws beside it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaincinv, ndtr

from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.engines.study_log_likelihood import pointwise_log_likelihood
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.refit import as_posterior, exact_fit, leave_each_out
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: draws for the approximation, and quantiles of the chi-squared factor of a t statistic
DRAWS, QUANTILES = 4000, 400
#: where panels are cut to integrate over a study's predicted effect, as probabilities, and nodes on each
CUTS, NODES = (1e-7, 1e-3, 0.05, 0.25, 0.5, 0.75, 0.95, 1 - 1e-3, 1 - 1e-7), 10


def leave_one_out(
    studies: Any = None, *, psis: bool = True, without: list[Posterior] | None = None, **given: Any
) -> pd.DataFrame:
    """Predict each study from the others: exact log predictive densities, by as many refits as there are studies.

    ``log p(D_i | D_-i)`` is the log marginal likelihood of all studies less that of the others. Beside it stands Pareto-smoothed
    importance sampling (Vehtari, Gelman and Gabry 2017, Stat Comput 27:1413-1432) from the posterior's own draws of mu and tau, each
    study's effect integrated out: where it differs or ``pareto_k`` is above 0.7, the approximation fails and the refit does not.

    Parameters
    ----------
    studies : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit by either engine, or what ``fit`` takes.
    psis : bool
        Whether to add the approximation.
    without : list of Posterior, optional
        The refits, if they have been made already.
    **given
        The keywords of ``fit``.

    Returns
    -------
    pandas.DataFrame
        Index study. Columns log_predictive; tail, the probability that a new result of the study would be at or below the one seen,
        predicted from the others (uniform if the model holds; NaN for counts); and with ``psis`` log_predictive_psis, pareto_k and
        psis_error (approximation less exact). ``attrs`` holds elpd_loo, their sum, and elpd_loo_se, sqrt(k) times their standard
        deviation.

    Raises
    ------
    DataError
        With fewer than two studies.
    SpecError
        If the deterministic engine does not treat the model.
    """
    import pandas as pd

    posterior = as_posterior(studies, **given)
    whole = exact_fit(posterior)
    without = leave_each_out(posterior) if without is None else without
    found = np.array([whole.log_marginal_likelihood - one.log_marginal_likelihood for one in without])
    columns = {"log_predictive": found, "tail": [tail_probability(posterior, i, one) for i, one in enumerate(without)]}
    if psis:
        approximate, pareto_k = psis_log_predictive(posterior)
        columns |= {"log_predictive_psis": approximate, "pareto_k": pareto_k, "psis_error": approximate - found}
    frame = pd.DataFrame(columns, index=pd.Index(posterior.data.labels, name="study"))
    frame.attrs = {"elpd_loo": float(found.sum()), "elpd_loo_se": float(np.sqrt(len(found)) * found.std(ddof=1))}
    return frame


def tail_probability(posterior: Posterior, i: int, predictor: Posterior) -> float:
    """Probability that a new result of study ``i`` is at or below the one seen, its effect drawn anew.

    Parameters
    ----------
    posterior : Posterior
        With the study's data.
    i : int
        Its place.
    predictor : Posterior
        Whose ``theta_new`` predicts the study's effect: fitted without the study, or with it.

    Returns
    -------
    float
        Exact for the normal likelihood, to about 1e-5 for noncentral t, NaN for counts, which have nuisance parameters.
    """
    effect, columns = predictor.marginal("theta_new"), posterior.data.columns
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


def expectation(effect: Any, g: Callable[[Array], Array]) -> float:
    """Mean of a smooth function of a quantity whose distribution is known, by Gauss-Legendre panels between its quantiles.

    Parameters
    ----------
    effect : NormalMixtures, PointMasses or the like
        Of one term.
    g : callable
        From a vector of values.
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
    import arviz as az
    import xarray as xr

    if posterior.engine == "nuts":
        draws = posterior.draws["posterior"].to_dataset()
        mu, tau = draws["mu"].values, draws["tau"].values
    else:
        rng = np.random.default_rng([posterior.seed, 3])
        flat = posterior.solution.sample(DRAWS, rng)
        mu, tau = flat["mu"].reshape(4, -1), flat["tau"].reshape(4, -1)
    value = pointwise_log_likelihood(posterior.data, posterior.priors, mu.ravel(), tau.ravel())
    value = value.reshape(*mu.shape, -1)
    coords = {"chain": np.arange(mu.shape[0]), "draw": np.arange(mu.shape[1])}
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"mu": (("chain", "draw"), mu)}, coords=coords),
            "log_likelihood": xr.Dataset({"study": (("chain", "draw", "i"), value)}, coords=coords),
        }
    )
    with warnings.catch_warnings():
        # a high Pareto k is in the table, with the exact value beside it
        warnings.simplefilter("ignore")
        loo = az.loo(tree, pointwise=True, reff=None if posterior.engine == "nuts" else 1.0)
    return np.asarray(loo.elpd_i, dtype=float).ravel(), np.asarray(loo.pareto_k, dtype=float).ravel()
