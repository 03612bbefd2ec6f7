"""Direct and indirect evidence of each comparison of a network, and the test of their difference."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.frequentist.least_squares import pair_variances
from bayesmeta.networks.graph import network_graph
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.networks.frequentist.result import NetworkMeta

#: names of the ways to split direct from indirect evidence
METHODS = ("back-calculation", "SIDDE")
#: shares of direct evidence above this leave nothing to compute indirect evidence from
_ALL_DIRECT = 1 - 1e-10


@dataclass(frozen=True, eq=False)
class DirectEvidence:
    """Pooled direct evidence of all pairs of T treatments, rows against columns; NaN without any.

    Parameters
    ----------
    effect, se : numpy.ndarray, shape (T, T)
        Inverse-variance estimates of the studies that compare the two, with the network's tau2, and their standard errors.
    """

    effect: Array
    se: Array

    def share(self, network_se: Array) -> Array:
        """Return the share of direct evidence, (network se / direct se)^2; 0 without direct evidence."""
        with np.errstate(invalid="ignore"):
            found = np.where(np.isnan(self.se), 0.0, (network_se / self.se) ** 2)
        np.fill_diagonal(found, 0.0)
        return found


def direct_evidence(contrasts: NetworkContrasts, tau2: float) -> DirectEvidence:
    """Return the direct evidence of every pair of treatments: a pairwise meta-analysis of the studies that compare them, at one tau2."""
    t = len(contrasts.treatments)
    weight, moment = np.zeros((t, t)), np.zeros((t, t))
    for rows, arms in zip(contrasts.slices, contrasts.arms_of_studies, strict=True):
        variance = pair_variances(contrasts.S[rows, rows])
        value = np.concatenate([[0.0], contrasts.y[rows]])
        for i, j in combinations(range(len(arms)), 2):
            w = 1 / (variance[i, j] + tau2)
            a, b = arms[i], arms[j]
            weight[a, b] += w
            weight[b, a] += w
            moment[a, b] += w * (value[i] - value[j])
            moment[b, a] -= w * (value[i] - value[j])
    with np.errstate(invalid="ignore", divide="ignore"):
        return DirectEvidence(moment / weight, np.where(weight > 0, weight**-0.5, np.nan))


def node_split(net: NetworkMeta, method: str) -> pd.DataFrame:
    """Return direct and indirect evidence of every pair of treatments.

    Raises
    ------
    SpecError
        For an unknown method, or one that the network's method does not have.
    """
    import pandas as pd

    key = str(method).lower().replace("_", "-")
    if key not in (name.lower() for name in METHODS):
        raise unknown_name("method of node splitting", method, METHODS)
    if net.method == "NCH" or (net.method == "MH" and key != "sidde"):
        raise SpecError(
            f"node splitting of {net.method} networks is by method='SIDDE' of MH; choose that, or CE, DL, ML or REML"
        )
    graph = network_graph(net.contrasts)
    pairs = list(combinations(range(len(net.treatments)), 2))
    i, j = (np.array([pair[side] for pair in pairs], dtype=int) for side in (0, 1))
    if net.method == "MH":
        from bayesmeta.networks.frequentist.mantel_haenszel import split_pairs

        direct, direct_se, indirect, indirect_se, studies = split_pairs(net, pairs)
    else:
        found = direct_evidence(net.contrasts, net.tau2)
        direct, direct_se, studies = found.effect[i, j], found.se[i, j], graph.counts[i, j]
        if key == "sidde":
            indirect, indirect_se = np.transpose(
                [
                    _without(net.contrasts, net.method, pair) if count else (np.nan, np.nan)
                    for pair, count in zip(pairs, studies, strict=True)
                ]
            )
        else:
            indirect, indirect_se = _left_over(net.effect_matrix[i, j], net.se_matrix[i, j], direct, direct_se)
    network, network_se = net.effect_matrix[i, j], net.se_matrix[i, j]
    indirect, indirect_se = np.where(studies == 0, network, indirect), np.where(studies == 0, network_se, indirect_se)
    difference, difference_se = direct - indirect, np.sqrt(direct_se**2 + indirect_se**2)
    z = difference / difference_se
    index = pd.Index([f"{net.treatments[a]} vs {net.treatments[b]}" for a, b in pairs], name="comparison")
    return pd.DataFrame(
        {
            "studies": studies, "network": network, "network_se": network_se, "direct": direct, "direct_se": direct_se,
            "indirect": indirect,
            "indirect_se": indirect_se, "difference": difference, "difference_se": difference_se, "statistic": z,
            "pvalue": 2 * ndtr(-np.abs(z)), "direct_share": np.where(studies == 0, 0.0, (network_se / direct_se) ** 2),
        },
        index=index,
    )  # fmt: skip


def _left_over(network: Array, network_se: Array, direct: Array, direct_se: Array) -> tuple[Array, Array]:
    """Return what the network's estimate contains beside the direct one: precisions, and estimates weighted by them, are subtracted."""
    precision = 1 / network_se**2 - 1 / direct_se**2
    some = (network_se / direct_se) ** 2 < _ALL_DIRECT
    precision = np.where(some, precision, np.nan)
    return (network / network_se**2 - direct / direct_se**2) / precision, precision**-0.5


def _without(contrasts: NetworkContrasts, method: str, pair: tuple[int, int]) -> tuple[float, float]:
    """Return the estimate of a comparison and its standard error from the studies that do not compare the two; NaN without a path.

    The heterogeneity is that of these studies, by the network's method.
    """
    names = [
        study
        for study, arms in zip(contrasts.studies, contrasts.arms_of_studies, strict=True)
        if not {*pair} <= {*arms}
    ]
    part = connected_part(contrasts, names, pair)
    if part is None:
        return np.nan, np.nan
    from bayesmeta.networks.frequentist.fit import fit_contrasts

    one, two = (part.treatments.index(contrasts.treatments[at]) for at in pair)
    fitted = fit_contrasts(part, method, part.treatments[0], 0.95)
    return float(fitted.effect_matrix[one, two]), float(fitted.se_matrix[one, two])


def connected_part(contrasts: NetworkContrasts, studies: list[str], pair: tuple[int, int]) -> NetworkContrasts | None:
    """Return the connected network of some studies that contains two treatments, or None if they do not connect them."""
    if not studies:
        return None
    rest = contrasts.subset(studies)
    one, two = (contrasts.treatments[at] for at in pair)
    for names in network_graph(rest).components:
        if one in names and two in names:
            inside = [
                study
                for study, arms in zip(rest.studies, rest.arms_of_studies, strict=True)
                if rest.treatments[arms[0]] in names
            ]
            return rest.subset(inside)
    return None
