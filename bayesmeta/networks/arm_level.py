"""Arm-level networks: the arms of a table as the models of NUTS read them, and their posterior."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmeta.engines.normal.solve import typical_variance_given
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.contrast_priors import NetworkPriors
from bayesmeta.networks.network_data import NetworkContrasts, by_name
from bayesmeta.networks.parts import graph_of_table
from bayesmeta.studies.arms import ArmTable
from bayesmeta.support.arrays import Array

#: likelihood of the arms of each measure
ARM_LIKELIHOODS = {"OR": "binomial", "RR": "binomial", "IRR": "poisson", "MD": "normal"}


def arm_likelihood(measure: str, likelihood: str | None) -> str:
    """Return the likelihood of the arms for a measure.

    Raises
    ------
    SpecError
        If the measure has none, or not this one.
    """
    found = ARM_LIKELIHOODS.get(measure)
    if found is None:
        listed = ", ".join(ARM_LIKELIHOODS)
        raise SpecError(
            f"NUTS has arm-level networks of {listed}, not of {measure}; leave likelihood and engine out for the exact one"
        )
    if likelihood is not None and likelihood != found:
        raise unknown_name(f"likelihood of a network of {measure}", likelihood, dict.fromkeys(("normal", found)))
    return found


def arms_in_order(table: ArmTable) -> ArmTable:
    """Return a table with studies, and the arms in them, sorted by name."""
    return table.take(sorted(range(len(table.studies)), key=lambda i: (table.studies[i], by_name(table.treatments[i]))))


def arm_numbers(table: ArmTable, likelihood: str) -> dict[str, Array]:
    """Return the columns that a likelihood reads."""
    columns = table.columns
    if likelihood == "binomial":
        return {"events": columns["events"], "n": columns["n"]}
    if likelihood == "poisson":
        return {"events": columns["events"], "time": columns["time"]}
    if "means" in table.kinds:
        return {"mean": columns["mean"], "se": columns["sd"] / np.sqrt(columns["n"])}
    return {"mean": columns["mean"], "se": columns["se"]}


def guide_of_arms(measure: str, columns: dict[str, Array]) -> tuple[Array, Array]:
    """Return a value of each arm on the model scale, of which effects are differences, and its variance; 1/2 is added to counts."""
    if measure == "MD":
        return columns["mean"], columns["se"] ** 2
    events = columns["events"] + 0.5
    if measure == "IRR":
        return np.log(events / columns["time"]), 1 / events
    n = columns["n"] + 1.0
    if measure == "OR":
        return np.log(events / (n - events)), 1 / events + 1 / (n - events)
    return np.log(events / n), 1 / events - 1 / n


def typical_tau(priors: NetworkPriors) -> float:
    """Return the prior median of tau, for the scale of the coordinates in which NUTS moves."""
    scale = priors.scale.scale
    return float(scale.quantile(0.5)) ** (0.5 if priors.scale.on_variance else 1.0) if scale.point is None else 0.1


def sample_arms(
    table: ArmTable,
    contrasts: NetworkContrasts,
    likelihood: str,
    reference: str | None,
    priors: NetworkPriors,
    seed: int,
) -> Any:
    """Sample an arm-level network.

    Parameters
    ----------
    table : ArmTable
        The arms of all studies, in the order of their names.
    contrasts : NetworkContrasts
        Their contrasts, for the typical variance.
    likelihood : str
        "binomial", "poisson" or "normal".
    reference : str or None
        The reference; None for the first treatment.
    priors : NetworkPriors
        Priors.
    seed : int
        Seed of the sampler.

    Returns
    -------
    SampledNetwork

    Raises
    ------
    SpecError
        For an unknown reference, or a prior that NUTS cannot sample.
    ConvergenceError
        If the chains do not converge.
    """
    from bayesmeta.engines.nuts.network_arms import network_arms
    from bayesmeta.engines.nuts.network_sampling import sample_network
    from bayesmeta.networks.sampled_solution import SampledNetwork

    graph = graph_of_table(table)
    graph.require_connected(table.source)
    treatments, trials = graph.treatments, tuple(table.rows_by_study())
    name = treatments[0] if reference is None else str(table.lumping.get(str(reference), str(reference)))
    if name not in treatments:
        raise unknown_name("treatment", reference, treatments)
    columns = arm_numbers(table, likelihood)
    trial_of, treatment_of = {name: i for i, name in enumerate(trials)}, {one: i for i, one in enumerate(treatments)}
    arms = network_arms(
        contrasts.measure,
        f"{likelihood} arms",
        treatments,
        treatments.index(name),
        trials,
        np.array([trial_of[study] for study in table.studies]),
        np.array([treatment_of[one] for one in table.treatments]),
        columns,
        guide_of_arms(contrasts.measure, columns),
        priors.contrasts.coefficients(len(treatments) - 1),
        typical_tau(priors),
    )
    typical = typical_variance_given(contrasts.design(), contrasts.S)
    return SampledNetwork(arms, sample_network(arms, priors.scale, seed), typical, seed)
