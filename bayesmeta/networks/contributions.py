"""Contributions of direct comparisons to the estimates of a network, Bayesian or frequentist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.networks.consistency import require_exact
from bayesmeta.networks.frequentist.contributions import contribution_matrix
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.league import check_either
from bayesmeta.networks.posterior import NetworkPosterior

if TYPE_CHECKING:
    import pandas as pd

#: nodes of tau with a smaller share of the posterior probability are left out
_NO_WEIGHT = 1e-9


def contributions(net: NetworkPosterior | NetworkMeta, method: str = "shortest path") -> pd.DataFrame:
    """Return what each direct comparison contributes to each estimate of the network; rows add up to 1.

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        From ``network``, exact on contrasts, or ``network_meta``.
    method : {"shortest path", "random walk"}
        Papakonstantinou et al. (2018), or Davies et al. (2022).

    Returns
    -------
    pandas.DataFrame
        Index "A vs B" for every pair of treatments, one column per comparison with direct evidence. Of a Bayesian network the mean over the
        posterior distribution of tau; its prior for the contrasts, which is evidence too, has no share. Of a frequentist network at its
        estimate of tau. ``attrs`` has the ``method``, and ``tau``: "posterior" or the estimate.

    Raises
    ------
    SpecError
        If the network is sampled, of components, or by a method that does not weight contrasts.
    """
    check_either(net)
    if isinstance(net, NetworkMeta):
        return net.contributions(method)
    solution = require_exact(net, "a table of contributions")
    used = solution.weights > _NO_WEIGHT
    weights = solution.weights[used] / solution.weights[used].sum()
    frame = contribution_matrix(net.contrasts, method, np.square(solution.tau[used]).tolist(), weights.tolist())
    frame.attrs["tau"] = "posterior"
    return frame
