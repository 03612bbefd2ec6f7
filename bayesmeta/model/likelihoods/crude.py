"""Crude effects: the effect and variance of each study from its observed or replicated data, without a prior or a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bayesmeta.support.arrays import Array

Columns = Mapping[str, Array]
Pair = tuple[Array, Array]


def estimate_effect(data: Columns, new: Columns) -> Pair:
    """Return the estimates and their variances.

    Parameters
    ----------
    data : mapping of str to numpy.ndarray, shape (k,)
        Columns of the likelihood, for values that are not replicated.
    new : mapping of str to numpy.ndarray, shape (..., k)
        Observed or replicated values.

    Returns
    -------
    effect, variance : numpy.ndarray, shape (..., k)
        On the model scale.
    """
    effect = new["effect"]
    return effect, np.broadcast_to(data["se"] ** 2, effect.shape)


def smd_of_t(data: Columns, new: Columns) -> Pair:
    """Return Cohen's d = t / sqrt(n~) and its variance under no effect, 1 / n~ (arguments as ``estimate_effect``)."""
    root_n = data["root_n"]
    return new["t"] / root_n, np.broadcast_to(1 / root_n**2, new["t"].shape)


def log_risk_ratio_of_events(data: Columns, new: Columns) -> Pair:
    """Return log risk ratios and variances with 1/2 added to every cell (arguments as ``estimate_effect``)."""
    return _log_ratio(data, new, lambda total, _: total, -1.0)


def log_odds_ratio_of_events(data: Columns, new: Columns) -> Pair:
    """Return log odds ratios and variances with 1/2 added to every cell (arguments as ``estimate_effect``)."""
    return _log_ratio(data, new, lambda total, events: total - events, 1.0)


def log_rate_ratio_of_events(data: Columns, new: Columns) -> Pair:
    """Return log rate ratios and variances with 1/2 added to the events of each arm (arguments as ``estimate_effect``)."""
    effect, variance = np.zeros(new["events_e"].shape), np.zeros(new["events_e"].shape)
    for arm, sign in (("e", 1.0), ("c", -1.0)):
        events = new[f"events_{arm}"] + 0.5
        effect, variance = effect + sign * np.log(events / data[f"time_{arm}"]), variance + 1 / events
    return effect, variance


def _log_ratio(data: Columns, new: Columns, others_of: Callable[[Array, Array], Array], sign_of_others: float) -> Pair:
    """Difference between the arms of log(events / others), where ``others`` are participants or non-events, and its variance."""
    effect, variance = np.zeros(new["events_e"].shape), np.zeros(new["events_e"].shape)
    for arm, sign in (("e", 1.0), ("c", -1.0)):
        events = new[f"events_{arm}"] + 0.5
        others = others_of(data[f"n_{arm}"] + 1.0, events)
        effect = effect + sign * np.log(events / others)
        variance = variance + 1 / events + sign_of_others / others
    return effect, variance
