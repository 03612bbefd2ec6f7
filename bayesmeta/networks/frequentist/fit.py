"""Frequentist network meta-analysis: the effects between all treatments of a connected network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesmeta.errors import DataError
from bayesmeta.frequentist.heterogeneity_regression import REGRESSION_ESTIMATORS
from bayesmeta.networks.contrasts import NetworkContrasts, network_contrasts
from bayesmeta.networks.frequentist.least_squares import as_regression, log_likelihood, whiten
from bayesmeta.networks.frequentist.methods import NETWORK_METHODS, find_method
from bayesmeta.networks.frequentist.rare_events import fit_counts
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.graph import network_graph
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array

#: ratio of two variances beyond which no digit of a sum of both is left of the smaller one
FARTHEST_VARIANCES = 1e15


def network_meta(
    data: Any,
    measure: str | None = None,
    *,
    reference: str | int | None = None,
    method: str = "DL",
    level: float = 0.95,
    zero_cells: str = "revman",
    treatments: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    combine: bool = False,
) -> NetworkMeta:
    """Fit a frequentist network meta-analysis: y ~ Normal(X d, S + tau2 R), multi-arm trials with their full covariance.

    Parameters
    ----------
    data : ArmTable, ContrastTable, NetworkContrasts, pandas.DataFrame or path
        Arms (study, treatment and events n, mean sd n, mean se, or events time) or contrasts (study, treat1, treat2, yi, sei: treat1
        against treat2); see ``read_arms``.
    measure : str, optional
        OR, RR, RD, IRR, MD, SMD or ROM of arms, any measure of contrasts. Default: OR of events, MD of means, IRR of rates.
    reference : str, optional
        Treatment that tables compare with; the first by name by default. It changes no estimate.
    method : {"DL", "CE", "ML", "REML", "PM", "HE", "MH", "NCH"}
        Common effect; random effects with tau2 by the generalized method of moments (Jackson, White and Riley 2012), (restricted) maximum
        likelihood with the full covariance, Paule-Mandel or Hedges; or, for odds ratios of rare events without corrections for zero
        cells, Mantel-Haenszel or the noncentral hypergeometric likelihood for rare events (Efthimiou et al. 2019).
    level : float
        Level of all intervals, in (0, 1).
    zero_cells : {"revman", "metafor", "metafor_drop00", "all", "none"}
        What to do about zero cells: see ``bayesmeta.effects.zero_cells.ZERO_CELL_RULES``. MH and NCH add nothing.
    treatments, columns, combine : optional
        As in ``read_arms``, for a frame or file.

    Returns
    -------
    NetworkMeta

    Raises
    ------
    DataError
        If the network is not connected, or the data cannot be right.
    SpecError
        If a name is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("A", "x", "p", -0.5, 0.2), ("B", "y", "p", -0.9, 0.3), ("C", "y", "x", -0.1, 0.2)]
    >>> net = network_meta(pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"]), "MD", method="CE", reference="p")
    >>> net.effects.loc["y", "p"].round(3), net.se.loc["y", "p"].round(3)
    (np.float64(-0.741), np.float64(0.206))
    """
    name = find_method(method)
    check_level(level)
    contrasts = network_contrasts(
        data, measure, zero_cells=zero_cells, treatments=treatments, columns=columns, combine=combine
    )
    if NETWORK_METHODS[name].counts:
        return fit_counts(contrasts, name, reference, level)
    network_graph(contrasts).require_connected(contrasts.source)
    return fit_contrasts(contrasts, name, contrasts.treatments[contrasts.position(reference)], level)


def fit_contrasts(contrasts: NetworkContrasts, method: str, reference: str, level: float) -> NetworkMeta:
    """Fit a connected network of contrasts by weighted least squares.

    Parameters
    ----------
    contrasts : NetworkContrasts
        The network.
    method : str
        A key of ``NETWORK_METHODS`` that pools contrasts.
    reference : str
        Treatment that tables compare with.
    level : float
        Level of all intervals.
    """
    whitened, x = whiten(contrasts), contrasts.design()
    data = as_regression(whitened, contrasts.y, x)
    if data.v.max(initial=0.0) > FARTHEST_VARIANCES * data.v.min(initial=np.inf):
        raise DataError(
            f"standard errors from {math.sqrt(data.v.min()):.3g} to {math.sqrt(data.v.max()):.3g} differ by so much that the effects "
            "cannot be computed",
            fix="Check the standard errors.",
        )
    tau2, tau2_se, notes = 0.0, math.nan, list(contrasts.notes)
    estimator = NETWORK_METHODS[method].estimator
    if estimator is not None and data.df > 0:
        tau2, tau2_se = REGRESSION_ESTIMATORS[estimator](data)
    elif estimator is not None:
        notes.append("no degrees of freedom are left to estimate tau2 from: it is set to 0")
    start = data.fit(0.0)
    estimates, covariance = data.coefficients(data.fit(tau2) if tau2 else start)
    likelihood = math.nan
    if method in ("CE", "ML", "REML"):
        likelihood = log_likelihood(data, whitened, x, tau2, restricted=method == "REML")
    return NetworkMeta(
        contrasts=contrasts,
        estimates=np.concatenate([[0.0], estimates]),
        covariance=with_first(covariance),
        tau2=float(tau2),
        tau2_se=float(tau2_se),
        q=start.rss,
        q_df=data.df,
        log_likelihood=likelihood,
        method=method,
        reference=reference,
        level=level,
        notes=tuple(notes),
        data=contrasts,
    )


def with_first(covariance: Array) -> Array:
    """Return a covariance of effects against the first treatment with the zeros of that treatment, shape (T, T)."""
    t = len(covariance) + 1
    full = np.zeros((t, t))
    full[1:, 1:] = covariance
    return full
