"""Bayesian network meta-analysis: data, priors and engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.networks.arm_level import arm_likelihood, arms_in_order, sample_arms
from bayesmeta.networks.canonical import effects_of_arms, in_order
from bayesmeta.networks.contrast_priors import NetworkPriors, default_scale, network_priors
from bayesmeta.networks.contrasts import NetworkContrasts, network_contrasts
from bayesmeta.networks.exact import Components, solve_network
from bayesmeta.networks.frequentist.components import component_matrix
from bayesmeta.networks.graph import network_graph
from bayesmeta.networks.moderator import interaction, moderator_name, moderator_values
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.posterior.bands import SIDES
from bayesmeta.studies.arms import ArmTable, ContrastTable
from bayesmeta.studies.read_arms import read_arms
from bayesmeta.support.arguments import check_seed
from bayesmeta.support.versions import versions

#: engines that ``network`` takes
ENGINES = ("auto", "quadrature", "nuts")
#: likelihoods of the arms, and that of the contrasts
LIKELIHOODS = ("normal", "binomial", "poisson")


def network(
    data: Any,
    measure: str | None = None,
    *,
    reference: str | None = None,
    better: str | None = None,
    likelihood: str | None = None,
    engine: str = "auto",
    priors: Mapping[str, str | Prior] | None = None,
    moderator: str | Mapping[str, Any] | None = None,
    components: str | None = None,
    interactions: Sequence[str] = (),
    inactive: str | None = None,
    seed: int = 1,
    zero_cells: str = "revman",
    treatments: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    combine: bool = False,
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
        Treatment against which the coefficients are; default: ``inactive`` where it is a treatment, else the first by name. Under the
        default priors no result depends on it.
    better : str, optional
        "higher" or "lower": which effects are benefits, for rankings and probabilities of benefit.
    likelihood : str, optional
        "normal": on contrasts, exact. "binomial" (OR, RR) and "poisson" (IRR): that of the arms' events, sampled. Default: normal.
    engine : str
        "quadrature", exact on contrasts; "nuts", with the likelihood of the arms (the normal one for MD); or "auto": quadrature unless
        ``likelihood`` needs NUTS.
    priors : mapping, optional
        Priors by parameter, on the model scale. "d": for every contrast, such as ``"Normal(0, 2)"``, with correlation 1/2 between
        contrasts with a treatment in common, or ``"independent Normal(0, 100)"`` for the contrasts with the reference, as in TSD2. "tau"
        or "tau2", proper; ``"Point(0)"`` for a common effect. "inconsistency": for the factors of ``node_split`` and ``inconsistency``.
        Default: "d" has the prior of mu in a pairwise meta-analysis, and tau its prior there (``default_priors``); inconsistency has
        Normal(0, 0.5) on log ratios and SMD, on other measures Normal(0, h) where tau has HalfNormal(h).
    moderator : str or mapping of str to float, optional
        Column of the table of arms with one number per study, or numbers by study: the effect of every treatment against the reference
        changes by the same coefficient per unit of it (network meta-regression with a common interaction). The coefficient has the name of
        the column ("moderator" for a mapping), and its prior by that name, Normal(0, s / sd(x)) by default with s as for inconsistency;
        contrasts are then those at the mean of the moderator over the studies. The result depends on the reference.
    components : str, optional
        What separates components in the names of treatments, such as "+": the effect of a treatment is then the sum of those of its
        components (additive component network), which are further terms. Each has the prior "d", independently. The network need not be
        connected.
    interactions : sequence of str
        Components that have an additional effect together, such as "CBT*drug".
    inactive : str, optional
        Component without effect, such as "placebo".
    seed : int
        Seed of draws, for the distribution of ranks, and of NUTS.
    zero_cells, treatments, columns, combine
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
    if likelihood is not None and likelihood not in LIKELIHOODS:
        raise unknown_name("likelihood of a network", likelihood, LIKELIHOODS)
    if engine == "quadrature" and likelihood not in (None, "normal"):
        raise SpecError(
            f"engine 'quadrature' has the normal likelihood of contrasts, not '{likelihood}'; use the engine 'nuts'"
        )
    if better is not None and better not in SIDES:
        raise unknown_name("side of benefit", better, SIDES)
    check_seed(seed)
    table = data
    if not isinstance(data, NetworkContrasts | ArmTable | ContrastTable):
        table = read_arms(data, columns=columns, treatments=treatments, combine=combine)
    elif treatments or columns or combine:
        raise SpecError("treatments, columns and combine are for files and frames; give them to read_arms")
    contrasts = in_order(network_contrasts(table, measure, zero_cells=zero_cells))
    name = None if moderator is None else moderator_name(moderator)
    given = dict(priors) if isinstance(priors, Mapping) else priors
    slope = given.pop(name, None) if name is not None and isinstance(given, dict) else None
    chosen = priors_of(contrasts, given)
    if engine == "nuts" or likelihood not in (None, "normal"):
        of_arms = arm_likelihood(contrasts.measure, likelihood)
        if moderator is not None or components is not None:
            raise SpecError(
                "a network with a moderator or components is exact on contrasts only; leave likelihood and engine out"
            )
        arms = contrasts.arms if isinstance(table, NetworkContrasts) else table
        if not isinstance(arms, ArmTable):
            raise SpecError(f"likelihood '{of_arms}' needs the arms of the trials, but these data are contrasts")
        sampled = sample_arms(arms_in_order(arms), contrasts, of_arms, reference, chosen, seed)
        at = sampled.treatments[sampled.reference]
        return NetworkPosterior(contrasts, at, better, chosen, of_arms, "nuts", sampled, seed, versions())
    parts = additive(contrasts, components, interactions, inactive)
    if parts is None:
        network_graph(contrasts).require_connected(contrasts.source)
    if chosen.scale.baseline is not None:
        raise SpecError(
            "a prior for the baseline is for arm-level likelihoods; the normal likelihood of contrasts has none"
        )
    if reference is None and inactive in contrasts.treatments:
        reference = inactive
    at, further = contrasts.position(reference), None
    if moderator is not None and name is not None:
        values = moderator_values(contrasts, moderator)
        further = interaction(contrasts, at, name, values, slope, chosen.factor_scale)
    solution = solve_network(contrasts, chosen, at, further, parts)
    name = contrasts.treatments[at]
    return NetworkPosterior(
        contrasts, name, better, chosen, "normal", "quadrature", solution, seed, versions(), further, parts
    )


def additive(
    contrasts: NetworkContrasts, separator: str | None, interactions: Sequence[str], inactive: str | None
) -> Components | None:
    """Return the components of the treatments; None without a separator.

    Raises
    ------
    SpecError
        If a name is unknown or that of a parameter, or two treatments have the same components.
    """
    if separator is None:
        if interactions or inactive is not None:
            raise SpecError(
                "interactions and inactive are of components; give components, what separates them, such as '+'"
            )
        return None
    names, matrix = component_matrix(contrasts.treatments, separator, interactions, inactive)
    for name in names:
        moderator_name(name, "component")
    rows: dict[tuple[float, ...], str] = {}
    for treatment, row in zip(contrasts.treatments, matrix, strict=True):
        other = rows.setdefault(tuple(row.tolist()), treatment)
        if other != treatment:
            raise SpecError(f"the treatments '{other}' and '{treatment}' have the same components; give them one name")
    return Components(names, matrix)


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
