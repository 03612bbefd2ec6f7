"""Sums and ratios of marginal likelihoods, from their natural logs."""

from __future__ import annotations

import numpy as np

from bayesmeta.support.arrays import Array


def log_weighted_sum(logs: Array, weights: Array) -> float:
    """Return log(sum(weights * exp(logs))), natural logs, of arrays of shape (M,); NaN where no weight is above 0."""
    top = float(logs[weights > 0].max(initial=-np.inf)) if (weights > 0).any() else float("nan")
    return float(np.log(weights @ np.exp(logs - top)) + top) if np.isfinite(top) else top


def bayes_factor(log_bf: float) -> float:
    """Return a Bayes factor from its natural log; infinite if it is too large for a float."""
    with np.errstate(over="ignore"):
        return float(np.exp(log_bf))
