"""The data of a network of a review, as its keys choose them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayesmeta.errors import unknown_name
from bayesmeta.networks.contrasts import NetworkContrasts, network_contrasts
from bayesmeta.networks.frequentist.components import component_matrix
from bayesmeta.networks.moderator import moderator_values
from bayesmeta.networks.parts import graph_of_table, network_component
from bayesmeta.reviews.network_judgements import judgements
from bayesmeta.reviews.network_keys import Network
from bayesmeta.reviews.spec import Review
from bayesmeta.studies.arms import ArmTable, ContrastTable
from bayesmeta.studies.read_arms import read_arms


@dataclass(frozen=True)
class NetworkData:
    """The data of a network, checked.

    Parameters
    ----------
    table : ArmTable or ContrastTable
        Table as read.
    contrasts : NetworkContrasts
        Its contrasts, connected unless components connect them.
    reference : str
        Name of the reference.
    judgements : list of dict
        Risk of bias and indirectness of each study.
    problems : tuple of str
        Judgements that cannot be read.
    """

    table: ArmTable | ContrastTable
    contrasts: NetworkContrasts
    reference: str
    judgements: list[dict[str, Any]]
    problems: tuple[str, ...]


def read_network(network: Network, folder: Path) -> ArmTable | ContrastTable:
    """Read the table of arms or contrasts of a network: the rows, studies, treatments and part of it that its keys choose.

    Raises
    ------
    DataError, SpecError
        If the table cannot be used.
    """
    table = read_arms(
        folder / network.data,
        columns=network.columns,
        treatments=network.treatments,
        combine=network.combine,
        where=network.where,
        exclude=network.exclude,
    )
    return table if network.component is None else network_component(table, network.component)


def prepare_network(review: Review, network: Network, folder: Path) -> NetworkData:
    """Read the data of a network and check that its keys can be used with them.

    Raises
    ------
    DataError, SpecError
        If the table cannot be used, the network is not connected, or a key names a treatment or column that is not there.
    """
    table = read_network(network, folder)
    if network.components is None:
        graph_of_table(table).require_connected(table.source)
    contrasts = network_contrasts(table, network.measure, zero_cells=review.options.zero_cells)
    if network.components is not None:
        component_matrix(contrasts.treatments, network.components, network.interactions, network.inactive)
    reference = network.reference
    if reference is None and network.inactive in contrasts.treatments:
        reference = network.inactive
    reference = contrasts.treatments[contrasts.position(reference)]
    for name in network.certainty:
        if name not in contrasts.treatments:
            raise unknown_name("treatment in certainty", name, contrasts.treatments)
        if name == reference:
            raise unknown_name(
                "treatment in certainty that is not the reference",
                name,
                [one for one in contrasts.treatments if one != name],
            )
    if network.moderator is not None:
        moderator_values(contrasts, network.moderator)
    rows, problems = judgements(table, network)
    return NetworkData(table, contrasts, reference, rows, tuple(problems))
