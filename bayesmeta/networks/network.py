"""Bayesian network meta-analysis: data, priors and engine."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.networks.canonical import effects_of_arms, in_order
from bayesmeta.networks.contrast_priors import NetworkPriors, default_scale, network_priors
from bayesmeta.networks.contrasts import NetworkContrasts, network_contrasts
from bayesmeta.networks.exact import solve_network
from bayesmeta.networks.graph import network_graph
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.posterior.bands import SIDES
from bayesmeta.support.arguments import check_seed
from bayesmeta.support.versions import versions

#: engines that ``network`` takes
ENGINES = ("auto", "quadrature")


def network(
    data: Any,
    *,
    measure: str | None = None,
    reference: str | None = None,
    better: str | None = None,
    likelihood: str | None = None,
    engine: str = "auto",
    priors: Mapping[str, str | Prior] | None = None,
    seed: int = 1,
    zero_cells: str = "revman",
    treatments: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> NetworkPosterior:
    """Fit the Bayesian network meta-analysis of several treatments.

    Parameters
    ----------
    data : ArmTable, ContrastTable, NetworkContrasts, pandas.DataFrame or path
        One row per arm: ``study``, ``treatment``, and ``events n``, ``mean sd n``, ``mean se`` or ``events time``; or one row per contrast:
        ``study``, ``treat1``, ``treat2``, ``yi``, ``sei``, the effect of treat1 against treat2 (the log of a ratio).
    measure : str, optional
        OR, RR, RD, IRR, MD, SMD or ROM of arms, any measure of contrasts. Default: OR of events, MD of means, IRR of events and time, GEN
        of contrasts.
    reference : str, optional
        Treatment against which the coefficients are; default: the first by name. Under the default priors no result depends on it.
    better : str, optional
        "higher" or "lower": which effects are benefits, for rankings and probabilities of benefit.
    likelihood : str, optional
        "normal": on contrasts, exact. Default: normal.
    engine : str
        "quadrature", or "auto", which takes it.
    priors : mapping, optional
        Priors by parameter, on the model scale. "d": for every contrast, such as ``"Normal(0, 2)"``, with correlation 1/2 between
        contrasts with a treatment in common, or ``"independent Normal(0, 100)"`` for the contrasts with the reference, as in TSD2. "tau"
        or "tau2", proper; ``"Point(0)"`` for a common effect. "inconsistency": for the factors of ``node_split`` and ``inconsistency``.
        Default: "d" has the prior of mu in a pairwise meta-analysis, and tau its prior there (``default_priors``); inconsistency has
        Normal(0, 0.5) on log ratios and SMD, on other measures Normal(0, h) where tau has HalfNormal(h).
    seed : int
        Seed of draws, for the distribution of ranks.
    zero_cells, treatments, columns
        As in ``network_contrasts``.

    Returns
    -------
    NetworkPosterior
        Every contrast "A vs B", and tau.

    Raises
    ------
    DataError
        If the data cannot be used, or the network is not connected.
    SpecError
        If an option, a name or a prior is unknown.
    ConvergenceError
        If the integral over tau does not reach its accuracy.

    Notes
    -----
    y ~ Normal(X d, S + tau^2 R) with R 1 on the diagonal and 1/2 between contrasts of one study (Higgins and Whitehead 1996, Stat Med
    15:2733-2749; Lu and Ades 2004, Stat Med 23:3105-3124; NICE DSU Technical Support Document 2).
    """
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if likelihood not in (None, "normal"):
        raise unknown_name("likelihood of a network", likelihood, ("normal",))
    if better is not None and better not in SIDES:
        raise unknown_name("side of benefit", better, SIDES)
    check_seed(seed)
    contrasts = in_order(
        network_contrasts(data, measure, zero_cells=zero_cells, treatments=treatments, columns=columns)
    )
    network_graph(contrasts).require_connected(contrasts.source)
    position = contrasts.position(reference)
    chosen = priors_of(contrasts, priors)
    if "baseline" in chosen.to_dict():
        raise SpecError(
            "a prior for the baseline is for arm-level likelihoods; the normal likelihood of contrasts has none"
        )
    solution = solve_network(contrasts, chosen, position)
    name = contrasts.treatments[position]
    return NetworkPosterior(contrasts, name, better, chosen, "normal", "quadrature", solution, seed, versions())


def priors_of(contrasts: NetworkContrasts, given: Mapping[str, str | Prior] | None) -> NetworkPriors:
    """Return the priors of a network, the defaults being those of its measure and, without a natural scale, of its data."""
    effects, variances, comparisons = [], [], []
    for study, arms in enumerate(contrasts.arms_of_studies):
        values, covariance = effects_of_arms(contrasts, study)
        pairs = [(i, j) if arms[i] < arms[j] else (j, i) for i, j in combinations(range(len(arms)), 2)]
        effects.append(np.array([values[j] - values[i] for i, j in pairs]))
        variances.append(np.array([covariance[i, i] + covariance[j, j] - 2 * covariance[i, j] for i, j in pairs]))
        comparisons.append([(arms[i], arms[j]) for i, j in pairs])
    n = np.nan
    if contrasts.arms is not None and "n" in contrasts.arms.columns:
        n = float(np.sum(contrasts.arms.columns["n"]))
    return network_priors(
        given, contrasts.measure, default_scale(contrasts.measure, effects, variances, comparisons, n)
    )
