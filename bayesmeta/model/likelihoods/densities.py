"""Log densities of a study's data given its effect and its nuisance parameter, and replicated data.

Every ``*_log_density`` and ``*_replicate`` takes the data columns, each of shape (k,), the effects theta and the nuisance parameters, both
of shape (..., k) and on the model scale (log for ratios, logits for risks, logs for rates), and returns arrays of shape (..., k); log
densities are natural logs. The models in ``models/`` must agree with them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import gammaln

from bayesmeta.support.arrays import Array

Columns = Mapping[str, Array]
LOG_2PI = float(np.log(2 * np.pi))


def normal_log_density(columns: Columns, theta: Array, _: Array | None) -> Array:
    """Return the log density of the estimate, with its standard error taken as known."""
    z = (columns["effect"] - theta) / columns["se"]
    return -0.5 * (LOG_2PI + z * z) - np.log(columns["se"])


def normal_replicate(columns: Columns, theta: Array, _: Array | None, rng: np.random.Generator) -> dict[str, Array]:
    """Draw new estimates."""
    return {"effect": theta + columns["se"] * rng.standard_normal(theta.shape)}


def log_risks(theta: Array, logit_larger: Array) -> tuple[Array, Array, Array, Array]:
    """Return log risks and log complements of both arms from the log risk ratio and the logit of the larger risk.

    Parameters
    ----------
    theta, logit_larger : numpy.ndarray
        Log risk ratios and logits of the larger risk, of shapes that broadcast.

    Returns
    -------
    log p_e, log(1 - p_e), log p_c, log(1 - p_c) : numpy.ndarray
    """
    larger, not_larger = -np.logaddexp(0.0, -logit_larger), -np.logaddexp(0.0, logit_larger)
    smaller = larger - np.abs(theta)
    with np.errstate(divide="ignore"):
        # at theta = 0 the risks are equal, and log(1 - p) of the larger one keeps its digits
        not_smaller = np.where(theta == 0, not_larger, np.log(-np.expm1(np.minimum(smaller, -1e-300))))
    up = theta > 0
    return (
        np.where(up, larger, smaller),
        np.where(up, not_larger, not_smaller),
        np.where(up, smaller, larger),
        np.where(up, not_smaller, not_larger),
    )


def log_risks_by_odds(theta: Array, mid_logit: Array) -> tuple[Array, Array, Array, Array]:
    """Return log risks and log complements of both arms from the log odds ratio and the mean of the two logits.

    Parameters
    ----------
    theta, mid_logit : numpy.ndarray
        Log odds ratios and means of the arms' logits, of shapes that broadcast; the logits are ``mid_logit`` + theta/2 (experimental)
        and ``mid_logit`` - theta/2 (control).

    Returns
    -------
    log p_e, log(1 - p_e), log p_c, log(1 - p_c) : numpy.ndarray
    """
    in_e, in_c = mid_logit + 0.5 * theta, mid_logit - 0.5 * theta
    return -np.logaddexp(0.0, -in_e), -np.logaddexp(0.0, in_e), -np.logaddexp(0.0, -in_c), -np.logaddexp(0.0, in_c)


def log_choose(n: Array, r: Array) -> Array:
    """Return the natural log of the binomial coefficient, n over r (any shapes that broadcast)."""
    return gammaln(n + 1) - gammaln(r + 1) - gammaln(n - r + 1)


def _binomial(columns: Columns, logs: tuple[Array, Array, Array, Array]) -> Array:
    p_e, q_e, p_c, q_c = logs
    r_e, n_e, r_c, n_c = (columns[name] for name in ("events_e", "n_e", "events_c", "n_c"))
    terms = [(r_e, p_e), (n_e - r_e, q_e), (r_c, p_c), (n_c - r_c, q_c)]
    return columns["log_coefficient"] + np.sum(
        [np.where(count > 0, count * log_p, 0.0) for count, log_p in terms], axis=0
    )


def _new_events(columns: Columns, logs: tuple[Array, ...], rng: np.random.Generator) -> dict[str, Array]:
    p_e, _, p_c, _ = logs
    return {
        "events_e": rng.binomial(np.broadcast_to(columns["n_e"].astype(int), p_e.shape), np.exp(p_e)).astype(float),
        "events_c": rng.binomial(np.broadcast_to(columns["n_c"].astype(int), p_c.shape), np.exp(p_c)).astype(float),
    }


def risk_ratio_log_density(columns: Columns, theta: Array, logit_larger: Array | None) -> Array:
    """Return the log density of the events of both arms given the log risk ratio and the logit of the larger risk."""
    assert logit_larger is not None
    return _binomial(columns, log_risks(theta, logit_larger))


def risk_ratio_replicate(
    columns: Columns, theta: Array, logit_larger: Array | None, rng: np.random.Generator
) -> dict[str, Array]:
    """Draw new events of both arms given the log risk ratio and the logit of the larger risk."""
    assert logit_larger is not None
    return _new_events(columns, log_risks(theta, logit_larger), rng)


def odds_ratio_log_density(columns: Columns, theta: Array, mid_logit: Array | None) -> Array:
    """Return the log density of the events of both arms given the log odds ratio and the mean of the two logits."""
    assert mid_logit is not None
    return _binomial(columns, log_risks_by_odds(theta, mid_logit))


def odds_ratio_replicate(
    columns: Columns, theta: Array, mid_logit: Array | None, rng: np.random.Generator
) -> dict[str, Array]:
    """Draw new events of both arms given the log odds ratio and the mean of the two logits."""
    assert mid_logit is not None
    return _new_events(columns, log_risks_by_odds(theta, mid_logit), rng)


def rate_ratio_log_density(columns: Columns, theta: Array, mid_log_rate: Array | None) -> Array:
    """Return the log density of the events of both arms given the log rate ratio and the mean of the two log rates."""
    assert mid_log_rate is not None
    in_e, in_c = mid_log_rate + 0.5 * theta, mid_log_rate - 0.5 * theta
    with np.errstate(over="ignore"):
        expected = columns["time_e"] * np.exp(in_e) + columns["time_c"] * np.exp(in_c)
    return columns["log_coefficient"] + columns["events_e"] * in_e + columns["events_c"] * in_c - expected


def rate_ratio_replicate(
    columns: Columns, theta: Array, mid_log_rate: Array | None, rng: np.random.Generator
) -> dict[str, Array]:
    """Draw new events of both arms given the log rate ratio and the mean of the two log rates."""
    assert mid_log_rate is not None
    in_e, in_c = mid_log_rate + 0.5 * theta, mid_log_rate - 0.5 * theta
    return {
        "events_e": rng.poisson(columns["time_e"] * np.exp(in_e)).astype(float),
        "events_c": rng.poisson(columns["time_c"] * np.exp(in_c)).astype(float),
    }


def nct_log_density(columns: Columns, theta: Array, _: Array | None) -> Array:
    """Return the log density of the t statistic, which has a noncentral t distribution."""
    from scipy.stats import nct

    with np.errstate(all="ignore"):
        return np.asarray(nct.logpdf(columns["t"], columns["df"], theta * columns["root_n"]))


def nct_replicate(columns: Columns, theta: Array, _: Array | None, rng: np.random.Generator) -> dict[str, Array]:
    """Draw new t statistics."""
    scale = np.sqrt(rng.chisquare(np.broadcast_to(columns["df"], theta.shape)) / columns["df"])
    return {"t": (theta * columns["root_n"] + rng.standard_normal(theta.shape)) / scale}
