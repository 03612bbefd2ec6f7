"""The arms of a table of categories as the models of NUTS read them."""

from __future__ import annotations

import numpy as np

from bayesmeta.effects.parameter_names import CONTRASTS
from bayesmeta.engines.nuts.category_arms import CategoryArms, category_arms
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.contrast_priors import NetworkPriors
from bayesmeta.networks.graph import NetworkGraph
from bayesmeta.networks.network_data import by_name
from bayesmeta.studies.categories import CategoryTable
from bayesmeta.support.arrays import Array


def in_order(table: CategoryTable) -> CategoryTable:
    """Return a table with studies, and the arms in them, sorted by name, so that the order of the rows does not matter."""
    return table.take(sorted(range(len(table.studies)), key=lambda i: (table.studies[i], by_name(table.treatments[i]))))


def graph_of(table: CategoryTable) -> NetworkGraph:
    """Return the graph of the treatments, with all studies."""
    treatments = tuple(sorted(set(table.treatments), key=by_name))
    at = {name: i for i, name in enumerate(treatments)}
    by_study = table.rows_by_study()
    arms = tuple(tuple(sorted(at[table.treatments[row]] for row in rows)) for rows in by_study.values())
    return NetworkGraph(treatments, tuple(by_study), arms)


def reference_of(table: CategoryTable, reference: str | None) -> str:
    """Return the reference: the treatment given, else "control", else the first by name.

    Raises
    ------
    SpecError
        If there is no such treatment.
    """
    treatments = sorted(set(table.treatments), key=by_name)
    if reference is None:
        return next((name for name in treatments if name.casefold() == "control"), treatments[0])
    name = str(table.lumping.get(str(reference), str(reference)))
    if name not in treatments:
        raise unknown_name("treatment", reference, treatments)
    return name


def arms_of(table: CategoryTable, reference: str, priors: NetworkPriors) -> CategoryArms:
    """Return the arms of a table, which is in order, for the models.

    Raises
    ------
    DataError
        If the treatments are not connected by trials.
    SpecError
        For a prior of the contrasts whose mean is not 0.
    """
    graph = graph_of(table)
    graph.require_connected(table.source)
    contrasts = priors.contrasts.coefficients(len(graph.treatments) - 1)
    if contrasts.mean.any():
        raise SpecError(
            f"the prior for {CONTRASTS} is that of every log odds of two categories, whose mean must be 0, but is {priors.contrasts}; "
            "try Normal(0, 2)"
        )
    trial, treatment = codes_of(table, graph)
    return category_arms(
        (table.categories, table.before),
        graph.treatments,
        graph.treatments.index(reference),
        graph.studies,
        trial,
        treatment,
        (table.counts, table.arm, table.cells),
        table.spread,
        contrasts,
        typical_tau(priors),
    )


def codes_of(table: CategoryTable, graph: NetworkGraph) -> tuple[Array, Array]:
    """Return the trial and the treatment of each arm as numbers, in the order of the graph; each of shape (n,)."""
    trials = {name: i for i, name in enumerate(graph.studies)}
    treatments = {name: i for i, name in enumerate(graph.treatments)}
    return np.array([trials[name] for name in table.studies]), np.array([treatments[name] for name in table.treatments])


def typical_tau(priors: NetworkPriors) -> float:
    """Return the prior median of tau, for the scale of the coordinates in which NUTS moves."""
    return float(priors.scale.scale.quantile(0.5)) ** (0.5 if priors.scale.on_variance else 1.0)
