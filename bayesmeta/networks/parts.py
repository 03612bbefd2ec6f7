"""One connected part of a network."""

from __future__ import annotations

from typing import overload

from bayesmeta.errors import unknown_name
from bayesmeta.networks.graph import NetworkGraph, network_graph
from bayesmeta.networks.network_data import NetworkContrasts, by_name
from bayesmeta.studies.arms import ArmTable, ContrastTable


@overload
def network_component(network: NetworkContrasts, treatment: str) -> NetworkContrasts: ...
@overload
def network_component(network: ArmTable | ContrastTable, treatment: str) -> ArmTable | ContrastTable: ...
def network_component(
    network: NetworkContrasts | ArmTable | ContrastTable, treatment: str
) -> NetworkContrasts | ArmTable | ContrastTable:
    """Return the connected part of a network that has a treatment.

    Parameters
    ----------
    network : NetworkContrasts, ArmTable or ContrastTable
        The network, or the table that it is made from.
    treatment : str
        Name of the treatment.

    Returns
    -------
    NetworkContrasts, ArmTable or ContrastTable
        The studies of that part, as the argument.

    Raises
    ------
    SpecError
        For a name that no treatment has.
    """
    if isinstance(network, NetworkContrasts):
        name = network.treatments[network.position(treatment)]
        part = _part(network_graph(network), name)
        studies = [
            study
            for study, arms in zip(network.studies, network.arms_of_studies, strict=True)
            if network.treatments[arms[0]] in part
        ]
        return network.subset(studies)
    first = network.treatments if isinstance(network, ArmTable) else network.treat1
    graph = graph_of_table(network)
    name = str(network.lumping.get(str(treatment), str(treatment)))
    if name not in graph.treatments:
        raise unknown_name("treatment", treatment, graph.treatments)
    part = _part(graph, name)
    return network.take([row for row, one in enumerate(first) if one in part])


def _part(graph: NetworkGraph, name: str) -> tuple[str, ...]:
    return next(names for names in graph.components if name in names)


def graph_of_table(table: ArmTable | ContrastTable) -> NetworkGraph:
    """Return the graph of a table of arms or contrasts, with all its studies, those that are not estimable too."""
    if isinstance(table, ArmTable):
        pairs = list(zip(table.studies, table.treatments, strict=True))
    else:
        pairs = [*zip(table.studies, table.treat2, strict=True), *zip(table.studies, table.treat1, strict=True)]
    treatments = tuple(sorted({name for _, name in pairs}, key=by_name))
    at = {name: i for i, name in enumerate(treatments)}
    by_study: dict[str, set[int]] = {}
    for study, name in pairs:
        by_study.setdefault(study, set()).add(at[name])
    return NetworkGraph(treatments, tuple(by_study), tuple(tuple(sorted(arms)) for arms in by_study.values()))
