"""Component networks of a review: treatments as sums of their components."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesmeta.errors import BayesmetaError
from bayesmeta.networks.additivity import additivity
from bayesmeta.networks.component_table import component_table
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.frequentist.component_result import IDENTIFIED, ComponentNetwork
from bayesmeta.networks.frequentist.components import component_matrix, row_space
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.reviews.network_keys import Network
from bayesmeta.reviews.network_result import MATRICES
from bayesmeta.reviews.network_rows import method_of
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.support.arrays import Array
from bayesmeta.support.frames import records


def as_network(net: ComponentNetwork, reference: str) -> NetworkMeta:
    """Return the effects of the treatments by an additive network, as those of any network.

    Its Q is that of the additive model; it has no decomposition by designs. Effects that the data do not identify (``known_effects``) have
    numbers without a meaning.
    """
    rows = net.matrix - net.matrix[0]
    return NetworkMeta(
        contrasts=net.contrasts, estimates=rows @ net.estimates, covariance=rows @ net.covariance @ rows.T, tau2=net.tau2,
        tau2_se=net.tau2_se, q=net.q, q_df=net.q_df, log_likelihood=math.nan, method=net.method, reference=reference, level=net.level,
        notes=net.notes, data=net.contrasts,
    )  # fmt: skip


def known_effects(network: Network, contrasts: NetworkContrasts) -> Array | None:
    """Return which effects between treatments the data of a component network identify, bool of shape (T, T); None of other networks."""
    if network.components is None:
        return None
    _, matrix = component_matrix(contrasts.treatments, network.components, network.interactions, network.inactive)
    space = row_space(contrasts.incidence @ matrix)
    between = matrix[:, None, :] - matrix[None, :, :]
    found: Array = np.abs(between - between @ space.T @ space).max(axis=-1, initial=0.0) < IDENTIFIED
    return found


def only_identified(fit: dict[str, Any], known: Array | None) -> dict[str, Any]:
    """Return what is saved of a frequentist fit without the effects that the data do not identify, and without ranks if there are any."""
    if known is None or known.all():
        return fit
    masked = {name: np.where(known, np.array(fit[name], dtype=float), np.nan).tolist() for name in MATRICES}
    return {**fit, **masked} | {"better": [], "ranks": [], "ranking": []}


def component_rows(net: ComponentNetwork, labels: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the components of a frequentist network; those that the data do not identify have no estimate."""
    shared = {"tau": net.tau, "tau2": net.tau2, "i2": net.i2, "q": net.q, "q_df": net.q_df, "q_pvalue": net.q_pvalue}
    if net.method == "CE":
        shared |= {"tau": math.nan, "tau2": math.nan}
    return [
        {
            **labels, "method": net.method, "measure": net.measure, "term": str(name),
            **{key: float(row[key]) for key in ("estimate", "se", "ci_low", "ci_high", "pvalue")}, **shared, "note": "; ".join(net.notes),
        }
        for name, row in net.components.iterrows()
    ]  # fmt: skip


def components_record(
    network: Network,
    known: Array,
    freq: ComponentNetwork | None,
    posteriors: Mapping[str, NetworkPosterior],
    level: float,
    result: AnalysisResult,
) -> dict[str, Any]:
    """Return what is saved of the components of a network.

    Returns
    -------
    dict
        ``separator``, ``inactive`` ("" for none); ``identified``: which effects between treatments the data identify, T by T; ``fits``, by
        method: one row per component, model scale; ``additivity``, by method, as ``bm.additivity`` returns it; ``prior`` of a deviation.
    """
    fits: dict[str, Any] = {}
    tests: dict[str, Any] = {}
    nets: dict[str, NetworkPosterior | ComponentNetwork] = {} if freq is None else {freq.method: freq}
    for net in (*nets.values(), *posteriors.values()):
        method = net.method if isinstance(net, ComponentNetwork) else method_of(net)
        fits[method] = records(component_table(net, level=level).reset_index())
        try:
            tests[method] = records(additivity(net).reset_index())
        except BayesmetaError as error:
            result.errors.append(f"{method}, additivity: {error}")
    return {
        "separator": network.components, "inactive": network.inactive or "", "identified": known.tolist(), "fits": fits,
        "additivity": tests, "prior": next((str(net.priors.factor) for net in posteriors.values()), ""),
    }  # fmt: skip
