"""Table of the components of a component network, Bayesian or frequentist, with the evidence on each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.frequentist.component_result import ComponentNetwork
from bayesmeta.networks.frequentist.components import outside, row_space
from bayesmeta.networks.league import LEVEL
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.posterior.scale import check_scale
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


def component_table(
    net: NetworkPosterior | ComponentNetwork, *, scale: str = "model", level: float | None = None
) -> pd.DataFrame:
    """Return the effects of the components, and of their interactions, with the evidence on each.

    Parameters
    ----------
    net : NetworkPosterior or ComponentNetwork
        From ``network`` with ``components``, or ``component_network``.
    scale : str
        "model" (log for ratios) or "natural".
    level : float, optional
        Level of the intervals; default: 0.95. Those of a frequentist network have the level of its fit.

    Returns
    -------
    pandas.DataFrame
        Index ``component``. Of a Bayesian network ``median``, ``ci_low``, ``ci_high`` (equal-tailed) and, where the side of benefit is
        known, ``prob_benefit``; of a frequentist one ``estimate``, ``se``, ``ci_low``, ``ci_high``, ``pvalue``. ``treatments`` that have
        it, ``studies`` whose arms differ in it, and ``identified``: whether the data tell its effect apart from those of others; if not, a
        Bayesian effect depends on its prior, a frequentist one is NaN.

    Raises
    ------
    SpecError
        If it is no component network.
    """
    import pandas as pd

    check_scale(scale)
    if isinstance(net, ComponentNetwork):
        return net.component_table(scale).assign(**_evidence(net.contrasts, net.matrix))
    if net.components is None or not isinstance(net.solution, NetworkSolution):
        raise SpecError("a network has effects of components if it is fitted with components=, such as '+'")
    level = LEVEL if level is None else level
    check_level(level)
    names = net.components.names
    rows = np.eye(net.solution.model.x.shape[1])[: len(names)]
    found = net.solution.combinations(rows, names)
    low, middle, high = found.quantile(np.array([[0.5 - 0.5 * level], [0.5], [0.5 + 0.5 * level]]))
    columns = {"median": middle, "ci_low": low, "ci_high": high}
    if scale == "natural" and MEASURES[net.measure].log:
        columns = {name: np.exp(values) for name, values in columns.items()}
    if net.better is not None:
        below = found.cdf(np.zeros(len(names)))
        columns["prob_benefit"] = below if net.better == "lower" else 1 - below
    frame = pd.DataFrame(columns, index=pd.Index(names, name="component"))
    return frame.assign(**_evidence(net.contrasts, net.components.matrix))


def _evidence(contrasts: NetworkContrasts, matrix: Array) -> dict[str, Array]:
    columns = contrasts.incidence @ matrix
    studies = np.array([[bool(columns[rows, j].any()) for rows in contrasts.slices] for j in range(matrix.shape[1])])
    return {
        "treatments": (matrix > 0).sum(axis=0),
        "studies": studies.sum(axis=1),
        "identified": ~outside(row_space(columns)),
    }
