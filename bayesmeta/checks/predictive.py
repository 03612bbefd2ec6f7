"""Posterior-predictive checks: comparison of the data with replicated data, per study and for all studies together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.checks.leave_one_out import tail_probability
from bayesmeta.engines.normal.study_blocks import marginal_variances, replicated_estimates
from bayesmeta.engines.terms import NEW_STUDY, TAU
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import likelihood_for
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.given import as_posterior
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.refit import exact_fit, leave_each_out
from bayesmeta.support.arguments import with_keywords_of
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: number of replications, and the factor by which a fit without a study draws fewer effects
DRAWS, FEWER = 4000, 4
#: why a user's model file is not checked here
OWN_PREDICTIONS = (
    "predictive_checks replicates data by the likelihoods of this package and theta_i ~ Normal(mu, tau^2); a model file with observed "
    "variables has draws['posterior_predictive'] to compare with draws['observed_data'], e.g. by arviz.plot_ppc_dist"
)


@with_keywords_of(fit)
def predictive_checks(
    studies: Any = None, *, draws: int = DRAWS, without: list[Posterior] | None = None, **given: Any
) -> pd.DataFrame:
    """Compare the data with replicated data, for which new study effects are drawn from Normal(mu, tau2), or Normal(x_i' b, tau2).

    Mixed replication (Marshall and Spiegelhalter 2007, Bayesian Anal 2:409-444): a study is surprising if its result is far from the
    prediction of the pooled distribution of effects. Given all studies, its own data contribute to its prediction, so that its p-values
    are conservative; given the others they are uniform if the model is right.

    Parameters
    ----------
    studies : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit, or data as in ``fit``.
    draws : int
        Number of replications, for checks without a closed form.
    without : list of Posterior, optional
        Fits without each study in turn; computed by default.
    **given
        Keywords of ``fit``.

    Returns
    -------
    pandas.DataFrame
        One row per check and study, with columns

        - check: "given all" and "given the others" (a study's own result: the estimate of the normal likelihood, the SMD of a t
          statistic, or the log ratio of counts with 1/2 added to each); "Q" (Cochran's, about the common effect or, with moderators, their
          regression); "largest residual" (largest absolute (y - X b) / sqrt(v + tau2): a realized discrepancy, Gelman, Meng and Stern 1996,
          Stat Sin 6:733-807);
        - study: label of the study, "" for a check of all together;
        - observed: the observed value on the model scale, for the largest residual its posterior mean;
        - tail: the probability that the replicated value is below it, plus half the probability of a tie;
        - pvalue: two-sided, twice the smaller tail;
        - mcse: the Monte Carlo standard error of pvalue, 0 where it is exact.

    Raises
    ------
    SpecError
        If the quadrature engine does not support the priors, or for a user's model file.

    Notes
    -----
    A fit by NUTS that quadrature does not take, such as that of counts with two moderators, is checked by its draws, given all studies.

    With several estimates per study, or correlated sampling errors, each estimate is compared with a new estimate of a new study, the
    others being those of other studies (exact). Data of all together are replicated with all their variances and correlations; Q is that of
    generalized least squares, (y - X b)' S^-1 (y - X b), and absent where the sampling covariance S alone is not positive definite. Where
    all estimates have correlated sampling errors there are no other studies to predict one from.
    """
    import pandas as pd

    posterior = _checked_fit(as_posterior(studies, built_in_only=OWN_PREDICTIONS, **given))
    data, sampled = posterior.data, posterior.engine == "nuts"
    if without is None or sampled:
        without = leave_each_out(posterior) if len(data.units) > 1 and not sampled else []
    rng = np.random.default_rng([posterior.seed, 4])
    if not data.separate:
        return _dependent_checks(posterior, without, draws, rng)
    nuisance = likelihood_for(data.likelihood, data.measure).nuisance
    # the effects in the studies are needed only to draw their baselines
    flat = posterior.solution.sample(draws, rng) if nuisance else posterior.solution.sample_pooled(draws, rng)
    baseline = flat.get(nuisance)
    old, old_variance = crude_effects(data, data.columns)
    rows = []
    for check, predictors in (("given all", [posterior] * len(data.labels)), ("given the others", without)):
        tails, size = np.full(len(predictors), np.nan), 0
        if not sampled:
            tails = np.array([tail_probability(posterior, i, one) for i, one in enumerate(predictors)])
        if np.isnan(tails).any():
            # a fit without the study draws fewer effects, each of which is used several times
            size = draws if check == "given all" else max(draws // FEWER, 1)
            effects = (
                _new_effects(data, flat, rng)
                if check == "given all"
                else np.stack(
                    [_new_effects_of(one, data.design.matrix[i], size, draws, rng) for i, one in enumerate(predictors)],
                    1,
                )
            )
            new = _replicated(data, effects, baseline, rng)[0]
            tails = np.where(np.isnan(tails), [tail_of(new[:, i], value) for i, value in enumerate(old)], tails)
        rows += [check_row(check, *one, size) for one in zip(data.labels, old, tails, strict=False)]
    expected = data.expected_effects(flat)
    theta = expected + flat[TAU][:, None] * rng.standard_normal((draws, len(data.labels)))
    new, variance = _replicated(data, theta, baseline, rng)
    if data.k > len(data.design.names):
        x = data.design.matrix
        q = float(cochran_q(old, old_variance, x))
        rows.append(check_row("Q", "", q, tail_of(cochran_q(new, variance, x), q), draws))
    largest = [_largest_residual(y, v, expected, flat[TAU]) for y, v in ((old, old_variance), (new, variance))]
    rows.append(check_row("largest residual", "", float(largest[0].mean()), tail_of(largest[1], largest[0]), draws))
    return pd.DataFrame(rows)


def _checked_fit(posterior: Posterior) -> Posterior:
    """Return the most exact fit of the same model; that by NUTS where quadrature does not take it."""
    try:
        return exact_fit(posterior)
    except SpecError:
        if posterior.engine != "nuts" or not posterior.data.separate:
            raise
        return posterior


def _dependent_checks(
    posterior: Posterior, without: list[Posterior], draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the checks of estimates that depend on each other, with the normal likelihood."""
    import pandas as pd

    data, y = posterior.data, posterior.data.columns["effect"]
    predictors: dict[str, list[Posterior]] = {"given all": [posterior] * len(y)}
    if data.product and without:
        others = {int(i): one for (_, rows), one in zip(data.units, without, strict=True) for i in rows}
        predictors["given the others"] = [others[i] for i in range(len(y))]
    rows = [
        check_row(check, data.labels[i], y[i], tail_probability(posterior, i, one), 0)
        for check, fits in predictors.items()
        for i, one in enumerate(fits)
    ]
    flat = posterior.solution.sample_pooled(draws, rng)
    new, expected = replicated_estimates(data, flat, rng), data.expected_effects(flat)
    weights = _residual_weights(data)
    if weights is not None and len(y) > len(data.design.names):
        q, replicated = float(y @ weights @ y), np.einsum("si,ij,sj->s", new, weights, new)
        rows.append(check_row("Q", "", q, tail_of(replicated, q), draws))
    spread = np.sqrt(marginal_variances(data, flat))
    largest = [np.abs((values - expected) / spread).max(axis=1) for values in (y, new)]
    rows.append(check_row("largest residual", "", float(largest[0].mean()), tail_of(largest[1], largest[0]), draws))
    return pd.DataFrame(rows)


def _residual_weights(data: ModelData) -> Array | None:
    """Return P = W - W X (X'WX)^-1 X'W with W = S^-1, so that y'P y is Cochran's Q; None where S is not positive definite."""
    sampling, x = data.covariance.matrix, data.design.matrix
    if np.linalg.eigvalsh(sampling)[0] <= 0:
        return None
    weights = np.linalg.inv(sampling)
    left = weights @ x
    return weights - left @ np.linalg.pinv(x.T @ left) @ left.T


def crude_effects(data: ModelData, columns: Any) -> tuple[Array, Array]:
    """Return the effect and variance of each study from the columns of a likelihood, without a prior.

    Parameters
    ----------
    data : ModelData
        Data of the likelihood, for the measure and the sizes of the studies.
    columns : mapping of str to numpy.ndarray, shape (..., k)
        Observed or replicated values.

    Returns
    -------
    effect, variance : numpy.ndarray, shape (..., k)
        On the model scale; with 1/2 added to all counts, so that every study has both.
    """
    return likelihood_for(data.likelihood, data.measure).crude(data.columns, columns)


def cochran_q(effect: Array, variance: Array, matrix: Array | None = None) -> Array:
    """Return Cochran's Q over the last axis, about the common effect or, with a design matrix of shape (k, p), the regression."""
    weights = 1 / variance
    if matrix is not None and matrix.shape[1] > 1:
        left = weights[..., :, None] * matrix
        slopes = np.linalg.solve(np.swapaxes(left, -1, -2) @ matrix, (np.swapaxes(left, -1, -2) @ effect[..., None]))
        return (weights * (effect - (matrix @ slopes)[..., 0]) ** 2).sum(axis=-1)
    centre = (weights * effect).sum(axis=-1, keepdims=True) / weights.sum(axis=-1, keepdims=True)
    return (weights * (effect - centre) ** 2).sum(axis=-1)


def _largest_residual(effect: Array, variance: Array, expected: Array, tau: Array) -> Array:
    return np.abs((effect - expected) / np.sqrt(variance + tau[:, None] ** 2)).max(axis=1)


def _new_effects(data: ModelData, flat: Mapping[str, Array], rng: np.random.Generator) -> Array:
    """Return draws of the effect in a new study like each of the k, shape (S, k); without moderators shape (S, 1)."""
    if NEW_STUDY in flat:
        return flat[NEW_STUDY][:, None]
    expected = data.expected_effects(flat)
    return expected + flat[TAU][:, None] * rng.standard_normal(expected.shape)


def _new_effects_of(one: Posterior, row: Array, size: int, draws: int, rng: np.random.Generator) -> Array:
    """Return ``draws`` effects in a new study with a row of X, of which ``size`` are different."""
    flat = one.solution.sample_pooled(size, rng)
    if NEW_STUDY in flat:
        return np.resize(flat[NEW_STUDY], draws)
    expected = np.stack([flat[name] for name in one.data.design.names], axis=1) @ row
    return np.resize(expected + flat[TAU] * rng.standard_normal(size), draws)


def tail_of(new: Array, old: Array | float) -> float:
    """Return the share of replicated values below the observed one, plus half the share of ties."""
    return float((new < old).mean() + 0.5 * (new == old).mean())


def check_row(check: str, study: str, observed: Any, tail: float, draws: int) -> dict[str, Any]:
    """Return the row of a check: see ``predictive_checks``.

    Parameters
    ----------
    check, study, observed, tail
        Its columns.
    draws : int
        Number of draws from which the tail is; 0 where it is exact.
    """
    pvalue = 2 * min(tail, 1 - tail)
    # the probability of a tail without draws is uncertain by about one draw
    error = 2 * np.sqrt(max(tail * (1 - tail), 1 / draws) / draws) if draws else 0.0
    return {"check": check, "study": study, "observed": float(observed), "tail": tail, "pvalue": pvalue, "mcse": error}


def _replicated(data: ModelData, theta: Array, baseline: Array | None, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return crude effects and variances of replicated data, shape (S, k), for effects ``theta`` of shape (S, k) or (S, 1)."""
    theta = np.broadcast_to(theta, (len(theta), len(data.labels)))
    model = likelihood_for(data.likelihood, data.measure)
    return crude_effects(data, model.replicate(data.columns, theta, baseline, rng))
