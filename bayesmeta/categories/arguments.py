"""Checks of the arguments of ``categories`` before anything is sampled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real

from bayesmeta.categories.baseline import POOLED, stated_baseline
from bayesmeta.engines.nuts.ordered_arms import LINKS
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.networks.contrast_priors import INCONSISTENCY, NetworkPriors, network_priors
from bayesmeta.studies.categories import CategoryTable


def checked_link(link: str | None, outcome_order: Sequence[str] | None) -> str:
    """Return the link of ordered categories, by default the probit; "" for categories without order.

    Raises
    ------
    SpecError
        If the link is unknown, or there is one without an order.
    """
    if link is not None and link not in LINKS:
        raise unknown_name("link", link, LINKS)
    if outcome_order is not None:
        return link or next(iter(LINKS))
    if link is not None:
        raise SpecError(
            "link is that of ordered categories; name them from the lowest with outcome_order, or leave link out"
        )
    return ""


def checked_priors(given: Mapping[str, str | Prior] | None, engine: str, link: str) -> NetworkPriors:
    """Return the priors of a model of categories; refuse those that it does not have.

    Parameters
    ----------
    given : mapping of str to str or Prior, optional
        As in ``categories``.
    engine : str
        "nuts" or "quadrature".
    link : str
        Link of ordered categories; "" without order.

    Raises
    ------
    SpecError
    """
    priors = network_priors(given, "SMD" if link == "probit" else "OR")
    if given and INCONSISTENCY in given:
        raise SpecError(f"models of categories have no {INCONSISTENCY}; their priors are d, tau or tau2, and baseline")
    baseline = priors.scale.baseline
    if baseline is None:
        return priors
    if engine != "nuts":
        raise SpecError(
            "a prior for the baseline is for the multinomial likelihood, by engine='nuts'; the normal approximation of log ratios has none"
        )
    if not link and (baseline.family != "Normal" or baseline.args[0] != 0.0):
        raise SpecError(
            f"the prior for the baseline of categories is that of every log odds of two of them, Normal with mean 0, but is {baseline}; "
            "try Normal(0, 10)"
        )
    return priors


def check_baseline(baseline: object, baseline_n: object, table: CategoryTable, seed: int) -> None:
    """Refuse a baseline that is neither "pooled" nor a probability of every category, and a size that is none.

    Parameters
    ----------
    baseline, baseline_n
        As in ``categories``.
    table : CategoryTable
        The arms.
    seed : int
        Seed of draws.

    Raises
    ------
    SpecError
    """
    if isinstance(baseline, str) and baseline == POOLED:
        if baseline_n is not None:
            raise SpecError("baseline_n is the size of a stated baseline; leave it out with baseline='pooled'")
        return
    if not isinstance(baseline, Mapping):
        raise SpecError(f"baseline is 'pooled' or a probability of every category, but is {baseline!r}")
    for name, value in baseline.items():
        if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
            raise SpecError(f"the probability of {name} in the baseline must be a number, but is {value!r}")
    if baseline_n is not None and (isinstance(baseline_n, bool) or not isinstance(baseline_n, Real)):
        raise SpecError(f"baseline_n is a number of participants, above 0, but is {baseline_n!r}")
    stated_baseline(baseline, None if baseline_n is None else float(baseline_n), table, (1, 1), seed)
